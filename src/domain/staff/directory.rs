//! The identity provider's key. With it staff are looked up and ended (SCIM 2.0); nobody is added or raised by it.

use data_encoding::BASE64URL_NOPAD;
use std::fmt;

use super::Staff;
use super::invite::{FOUNDERS, HOST_WAIT};
use crate::domain::details::Digest;
use crate::domain::ids::DirectoryKeyId;
use crate::domain::time::Timestamp;

/// A key as stored: the hash of its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryKey {
    pub id: DirectoryKeyId,
    pub hash: Digest,
    pub created_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
}

impl DirectoryKey {
    /// From when on it is taken. Whoever has the host makes a key, and with it ends everybody who could stop what else is
    /// made there; so once two admins had been it waits as long as an invite from the host does.
    pub fn opens_at(&self, everybody: &[Staff]) -> Timestamp {
        let before = |person: &Staff| person.first_admin_at.is_some_and(|since| since < self.created_at);
        let admins: u64 = everybody.iter().map(|person| u64::from(before(person))).sum();
        if admins < FOUNDERS { self.created_at } else { self.created_at + HOST_WAIT }
    }
}

/// The secret, shown once: `csd_` and 256 random bits.
pub struct DirectorySecret(String);

impl DirectorySecret {
    const PREFIX: &'static str = "csd_";

    pub fn from_random(random: [u8; 32]) -> Self {
        Self(format!("{}{}", Self::PREFIX, BASE64URL_NOPAD.encode(&random)))
    }

    /// The hash of what somebody sent, if it could be a secret at all.
    pub fn hash_of(text: &str) -> Option<Digest> {
        let fits = text.starts_with(Self::PREFIX) && text.len() == Self::PREFIX.len() + 43;
        fits.then(|| Digest::of(text.as_bytes()))
    }

    pub fn reveal(&self) -> &str {
        &self.0
    }

    pub fn hash(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }
}

impl fmt::Debug for DirectorySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DirectorySecret(..)")
    }
}
