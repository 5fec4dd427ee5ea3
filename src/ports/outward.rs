//! What reaches people and programs outside: ceremonies in a browser, notices, webhooks.

use async_trait::async_trait;

use crate::domain::channel::{Address, ChannelKind};
use crate::domain::details::Digest;
use crate::domain::device::Blob;
use crate::domain::evidence::SignedAssertion;
use crate::domain::ids::{ApprovalId, HolderId, NoticeId, StaffId};
use crate::domain::policy::Assurance;
use crate::domain::time::Timestamp;
use url::Url;

/// Why a ceremony failed. Told to nobody outside in detail; kept in the audit log by name.
#[derive(Debug, thiserror::Error)]
pub enum CeremonyError {
    #[error("the response isn't a WebAuthn response")]
    Malformed(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the ceremony failed its checks: {name}")]
    Refused {
        /// A stable short name: `challenge`, `origin`, `rp_id`, `type`, `cross_origin`, `user_verification`,
        /// `signature`, `counter`, `credential`, `backup`, `algorithm`, `other`.
        name: &'static str,
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// Our own record or configuration doesn't work.
    #[error("the credential on record can't be used")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl CeremonyError {
    /// The name in the audit log; nothing for a fault of our own, which is nobody's failed attempt.
    pub const fn name(&self) -> Option<&'static str> {
        match self {
            Self::Refused { name, .. } => Some(name),
            Self::Malformed(_) => Some("malformed"),
            Self::Internal(_) => None,
        }
    }
}

/// A credential made at enrolment.
#[derive(Debug, Clone)]
pub struct NewCredential {
    pub id: Blob,
    /// As the library stores it.
    pub credential: serde_json::Value,
    pub assurance: Assurance,
    pub counter: u32,
}

/// An assertion whose every check passed.
#[derive(Debug, Clone)]
pub struct VerifiedAssertion {
    pub assertion: SignedAssertion,
    pub counter: u32,
}

/// WebAuthn ceremonies, with challenges that we choose.
pub trait Ceremonies: Send + Sync {
    /// The relying party id: the exact host of the holder pages.
    fn rp_id(&self) -> &str;
    /// `PublicKeyCredentialCreationOptionsJSON` (WebAuthn L3 section 5.1.9).
    fn creation_options(
        &self,
        challenge: &Digest,
        holder: HolderId,
        display: &str,
        exclude: &[Blob],
    ) -> Result<serde_json::Value, CeremonyError>;
    /// Checks `RegistrationResponseJSON` against the challenge.
    fn register(&self, challenge: &Digest, response: &serde_json::Value) -> Result<NewCredential, CeremonyError>;
    /// `PublicKeyCredentialRequestOptionsJSON` for one credential, user verification required.
    fn request_options(&self, challenge: &Digest, credential: &Blob) -> Result<serde_json::Value, CeremonyError>;
    /// Checks `AuthenticationResponseJSON` against the challenge and the credential on record.
    fn verify(
        &self,
        challenge: &Digest,
        response: &serde_json::Value,
        credential: &serde_json::Value,
        counter: u32,
    ) -> Result<VerifiedAssertion, CeremonyError>;
}

/// What the console asks for beside [`Ceremonies`]: passkeys that name their person by themselves, so that nobody types
/// a name to sign in. On an instance of its own, whose RP ID is the console's exact host.
pub trait ConsoleCeremonies: Ceremonies {
    /// As [`Ceremonies::creation_options`], for a discoverable credential (WebAuthn L3 section 5.4.4).
    fn discoverable_creation_options(
        &self,
        challenge: &Digest,
        staff: StaffId,
        name: &str,
    ) -> Result<serde_json::Value, CeremonyError>;
    /// As [`Ceremonies::request_options`], without naming a credential.
    fn sign_in_options(&self, challenge: &Digest) -> Result<serde_json::Value, CeremonyError>;
}

/// Who reads a message: what stands around its words differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    Holder,
    Staff,
}

/// What a message says, before a channel gives it its form. No text of the initiator is in it.
#[derive(Clone)]
pub struct Message {
    pub notice: NoticeId,
    pub reader: Reader,
    pub approval: Option<ApprovalId>,
    pub title: String,
    /// Short paragraphs of plain text.
    pub body: Vec<String>,
    /// Opens the page on the right device; carries no authority.
    pub open: Option<Url>,
    /// Can only stop.
    pub stop: Option<Url>,
    /// A code to type.
    pub code: Option<String>,
    pub useless_after: Timestamp,
}

impl std::fmt::Debug for Message {
    /// Without its link and code, which are powers.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Message").field("notice", &self.notice).field("title", &self.title).finish_non_exhaustive()
    }
}

/// Why a channel didn't take a message.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// Trying again may help.
    #[error("the channel didn't take the message: {what}")]
    Again {
        what: &'static str,
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The address is gone: the channel itself said so, for good.
    #[error("the channel refused the address: {what}")]
    Gone { what: &'static str },
    /// This deployment doesn't send it there. Trying again doesn't help, and the address may be as good as ever.
    #[error("this deployment doesn't send it: {what}")]
    Refused { what: &'static str },
    /// Nothing was tried, because everything that could carry it was in use.
    #[error("everything that could carry the message is in use")]
    Busy,
}

/// One kind of channel.
#[async_trait]
pub trait ChannelSender: Send + Sync {
    fn kind(&self) -> ChannelKind;
    /// Hands the message over; `Ok` means that the channel accepted it.
    async fn send(&self, to: &Address, message: &Message) -> Result<(), SendError>;
}

/// One webhook to send.
#[derive(Debug)]
pub struct WebhookMessage<'a> {
    pub url: &'a Url,
    pub id: &'a str,
    pub at: Timestamp,
    pub body: &'a str,
    /// Plain secrets, the current one first.
    pub secrets: &'a [Vec<u8>],
}

/// What came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebhookAnswer {
    /// A status came back; 2xx is success, everything else isn't, 3xx included.
    Status(u16),
    /// No answer: a short stable word (`refused_address`, `connect`, `timeout`, `tls`, `too_large`, `other`).
    Failed(&'static str),
}

/// Signs and posts webhooks (Standard Webhooks 1.0).
#[async_trait]
pub trait WebhookSender: Send + Sync {
    async fn post(&self, message: WebhookMessage<'_>) -> WebhookAnswer;
}
