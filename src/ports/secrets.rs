//! Keys that never lie in the database: seals, keyed tags, sealed boxes, and the receipt key.

use crate::domain::receipt::Receipt;

/// What a tag is for. Each has a key of its own, derived from the master key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TagKey {
    /// Seals of rows that carry authority.
    Row,
    /// Cancel links.
    CancelLink,
    /// Waiting links.
    WaitLink,
    /// Codes typed at enrolment.
    EnrolCode,
    /// Codes typed by a staff member who makes a passkey.
    InviteCode,
    /// Links that stop an override.
    OverrideLink,
    /// Links that lock again.
    LockLink,
    /// Subjects of erased holders.
    Tombstone,
}

/// What a box holds. Each has a key of its own, and none opens another's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BoxKey {
    /// Addresses of channels, at rest.
    Address,
    /// Webhook secrets, at rest.
    WebhookSecret,
    /// A page's token, by which its requests are known.
    Page,
    /// The preimage of an open prompt, travelling through the page.
    Prompt,
    /// An enrolment in progress, travelling through the page.
    Enrolment,
    /// What is under way on the console, travelling through the page.
    Console,
}

/// The box isn't ours, isn't of this kind, or was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a box of ours")]
pub struct NotOurs;

/// Keyed hashes and sealed boxes.
pub trait Secrets: Send + Sync {
    /// HMAC-SHA256 of `message`.
    fn tag(&self, key: TagKey, message: &[u8]) -> [u8; 32];
    /// Compares in constant time; `tag` may be a prefix of at least 16 bytes.
    fn tag_fits(&self, key: TagKey, message: &[u8], tag: &[u8]) -> bool;
    /// Seals `plain` (AES-256-GCM, random nonce), bound to `context`.
    fn seal(&self, key: BoxKey, context: &[u8], plain: &[u8]) -> Vec<u8>;
    /// Opens what [`Secrets::seal`] made with the same key and context.
    ///
    /// # Errors
    /// [`NotOurs`].
    fn open(&self, key: BoxKey, context: &[u8], sealed: &[u8]) -> Result<Vec<u8>, NotOurs>;
}

/// A receipt couldn't be signed.
#[derive(Debug, thiserror::Error)]
#[error("the receipt can't be signed")]
pub struct SignError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// Signs receipts (JWS, ES256) and publishes the key set.
pub trait ReceiptSigner: Send + Sync {
    fn sign(&self, receipt: &Receipt) -> Result<String, SignError>;
    /// The JWK set, retired keys with it (RFC 7517).
    fn key_set(&self) -> serde_json::Value;
}
