//! What a signature of staff covers: the digest of a whole canonical text, bound to its kind, its object, the person,
//! the passkey, a time and a nonce. Each kind has a domain tag of its own.

use serde::{Deserialize, Serialize};

use crate::domain::details::Digest;
use crate::domain::device::Blob;
use crate::domain::ids::StaffId;
use crate::domain::linking::length_prefixed;
use crate::domain::time::Timestamp;

pub const SIGN_IN: &str = "countersign/staff/signin/v1";

/// What kind of thing is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signs {
    /// The end of making a passkey.
    Enrol,
    /// A change of staff.
    Change,
    /// An override.
    Override,
}

impl Signs {
    /// The domain tag.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Enrol => "countersign/staff/enrol/v1",
            Self::Change => "countersign/staff/change/v1",
            Self::Override => "countersign/override/v1",
        }
    }
}

/// Everything that a staff member's signature covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaffPreimage {
    pub signs: Signs,
    pub rp_id: String,
    /// The sixteen bytes of the id of what is signed: an invite, a change, an override.
    pub object: Blob,
    /// SHA-256 of its canonical JSON.
    pub digest: Digest,
    pub staff: StaffId,
    pub credential_id: Blob,
    pub expires_at: Timestamp,
    /// 16 random bytes.
    pub nonce: Blob,
}

impl StaffPreimage {
    /// The WebAuthn challenge.
    pub fn challenge(&self) -> Digest {
        Digest::of(&length_prefixed(&[
            self.signs.tag().as_bytes(),
            self.rp_id.as_bytes(),
            &self.object.0,
            self.digest.bytes(),
            self.staff.bytes(),
            &self.credential_id.0,
            &self.expires_at.micros().to_be_bytes(),
            &self.nonce.0,
        ]))
    }
}

/// The challenge of a sign-in, where the passkey names the person.
pub fn sign_in_challenge(rp_id: &str, expires_at: Timestamp, nonce: &[u8; 16]) -> Digest {
    Digest::of(&length_prefixed(&[
        SIGN_IN.as_bytes(),
        rp_id.as_bytes(),
        &expires_at.micros().to_be_bytes(),
        nonce.as_slice(),
    ]))
}
