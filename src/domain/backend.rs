//! Backends and their API keys. A key is shown once and stored as a hash; what it may do is the sum of its scopes.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

use super::details::Digest;
use super::ids::{BackendId, KeyId};
use super::text::Line;
use super::time::Timestamp;

/// One thing that a key may do (design section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    Create,
    Read,
    Cancel,
    Redeem,
    Enrol,
    Webhooks,
    /// Erasing a holder. A key of its own: it undoes what every other key built.
    Erase,
}

impl Scope {
    pub const ALL: [Self; 7] =
        [Self::Create, Self::Read, Self::Cancel, Self::Redeem, Self::Enrol, Self::Webhooks, Self::Erase];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Read => "read",
            Self::Cancel => "cancel",
            Self::Redeem => "redeem",
            Self::Enrol => "enrol",
            Self::Webhooks => "webhooks",
            Self::Erase => "erase",
        }
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// No such scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no such scope; the scopes are create, read, cancel, redeem, enrol, webhooks, erase")]
pub struct BadScope;

impl FromStr for Scope {
    type Err = BadScope;
    fn from_str(text: &str) -> Result<Self, BadScope> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text).ok_or(BadScope)
    }
}

/// A set of scopes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Scopes(u16);

impl Scopes {
    pub fn of(scopes: &[Scope]) -> Self {
        Self(scopes.iter().fold(0, |bits, scope| bits | scope.bit()))
    }

    /// From the stored form; unknown bits are dropped.
    pub fn from_bits(bits: u16) -> Self {
        Self(bits & Self::of(&Scope::ALL).0)
    }

    pub const fn bits(self) -> u16 {
        self.0
    }

    pub const fn has(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(Scope::ALL.iter().filter(|scope| self.has(**scope)).map(|s| s.as_str())).finish()
    }
}

/// A system that moves money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backend {
    pub id: BackendId,
    pub name: Line<60>,
    pub created_at: Timestamp,
}

/// A key as stored: never the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    pub id: KeyId,
    pub backend: BackendId,
    /// SHA-256 of the whole secret. It holds 256 random bits, so a slow hash would add nothing.
    pub hash: Digest,
    pub scopes: Scopes,
    pub created_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
}

/// The secret of a key, `cs_` and 43 base64url characters. Shown once.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiSecret(String);

impl ApiSecret {
    pub const PREFIX: &'static str = "cs_";

    pub fn from_random(random: [u8; 32]) -> Self {
        Self(format!("{}{}", Self::PREFIX, data_encoding::BASE64URL_NOPAD.encode(&random)))
    }

    /// The hash under which a presented secret is looked up, or `None` when the text can't be one.
    pub fn hash_of(text: &str) -> Option<Digest> {
        let body = text.strip_prefix(Self::PREFIX)?;
        (body.len() == 43 && body.is_ascii()).then(|| Digest::of(text.as_bytes()))
    }

    /// The text to show, once.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    pub fn hash(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }
}

impl fmt::Debug for ApiSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiSecret(..)")
    }
}

/// Who called the API: one key of one backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    pub backend: BackendId,
    pub key: KeyId,
    pub scopes: Scopes,
}

/// An `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header-07 section 2): 1 to 128 visible ASCII characters.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct IdempotencyKey(String);

/// The text isn't an `Idempotency-Key`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an Idempotency-Key has 1 to 128 visible ASCII characters")]
pub struct BadIdempotencyKey;

impl IdempotencyKey {
    /// # Errors
    /// [`BadIdempotencyKey`] when it is empty, too long, or has other characters.
    pub fn parse(text: &str) -> Result<Self, BadIdempotencyKey> {
        let fits = (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        fits.then(|| Self(text.to_owned())).ok_or(BadIdempotencyKey)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for IdempotencyKey {
    type Error = BadIdempotencyKey;
    fn try_from(text: String) -> Result<Self, BadIdempotencyKey> {
        Self::parse(&text)
    }
}

impl From<IdempotencyKey> for String {
    fn from(key: IdempotencyKey) -> Self {
        key.0
    }
}

impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A stored answer to a request that carried an [`IdempotencyKey`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    pub backend: BackendId,
    pub key: IdempotencyKey,
    /// SHA-256 of the request: another payload under the same key is refused.
    pub request: Digest,
    /// The answer's JSON body.
    pub answer: String,
    pub created_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_a_set() {
        let scopes = Scopes::of(&[Scope::Create, Scope::Redeem]);
        assert!(scopes.has(Scope::Create) && scopes.has(Scope::Redeem) && !scopes.has(Scope::Enrol));
        assert_eq!(Scopes::from_bits(scopes.bits()), scopes);
        assert_eq!("redeem".parse::<Scope>(), Ok(Scope::Redeem));
        assert!("approve".parse::<Scope>().is_err());
    }

    #[test]
    fn secrets_hide_and_hash() {
        let secret = ApiSecret::from_random([3; 32]);
        assert_eq!(ApiSecret::hash_of(secret.reveal()), Some(secret.hash()));
        assert_eq!(ApiSecret::hash_of("cs_short"), None);
        assert_eq!(ApiSecret::hash_of(&secret.reveal().replace("cs_", "xx_")), None);
        assert!(!format!("{secret:?}").contains(secret.reveal()));
    }

    #[test]
    fn idempotency_keys_are_bounded() {
        assert!(IdempotencyKey::parse("a-1").is_ok());
        for bad in ["", " ", "a b", "é", &"x".repeat(129)] {
            assert_eq!(IdempotencyKey::parse(bad), Err(BadIdempotencyKey));
        }
    }
}
