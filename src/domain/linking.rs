//! Dynamic linking: what a signature covers. Each challenge is SHA-256 over a domain tag and length-prefixed parts, so
//! that no two kinds of ceremony, and no two sets of parts, can share one (RTS on SCA, Delegated Regulation (EU)
//! 2018/389, Art. 5: the code is specific to amount and payee).

use serde::{Deserialize, Serialize};
use std::time::Duration;

use super::approval::Version;
use super::details::Digest;
use super::device::{Blob, Thumbprint};
use super::ids::{ApprovalId, FreezeId, HolderId, LinkId};
use super::time::Timestamp;

/// Life of a prompt (WebAuthn L3 section 15.1: 300 to 600 s).
pub const PROMPT_LIFE: Duration = Duration::from_secs(300);

pub const APPROVE: &str = "countersign/approve/v1";
pub const ENROL: &str = "countersign/enrol/v1";
pub const DEVICE_KEY_APPROVE: &str = "countersign/devkey/approve/v1";
pub const DEVICE_KEY_PROMPT: &str = "countersign/devkey/prompt/v1";
pub const LIFT: &str = "countersign/lift/v1";
pub const DEVICE_KEY_LIFT: &str = "countersign/devkey/lift/v1";
pub const DEVICE_KEY_WAIT: &str = "countersign/devkey/wait/v1";

/// Concatenates parts, each after its length as a big-endian `u32`.
pub fn length_prefixed(parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::with_capacity(parts.iter().map(|part| part.len() + 4).sum());
    for part in parts {
        out.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        out.extend_from_slice(part);
    }
    out
}

/// What was on the screen besides the details: part of what is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// Name and version of the template.
    pub template: String,
    /// BCP 47 language.
    pub language: String,
    /// Ids and versions of the warnings.
    pub warnings: Vec<String>,
    /// The holder's answers.
    pub answers: Vec<String>,
}

impl Shown {
    /// The page as it is today: no questions and no warnings yet.
    pub fn plain() -> Self {
        Self { template: "device/approve/4".into(), language: "en".into(), warnings: vec![], answers: vec![] }
    }

    pub fn digest(&self) -> Digest {
        let list = |items: &[String]| {
            let items: Vec<&[u8]> = items.iter().map(String::as_bytes).collect();
            length_prefixed(&items)
        };
        Digest::of(&length_prefixed(&[
            b"countersign/shown/v1",
            self.template.as_bytes(),
            self.language.as_bytes(),
            &list(&self.warnings),
            &list(&self.answers),
        ]))
    }
}

/// Everything that an approving signature covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovePreimage {
    pub rp_id: String,
    pub approval: ApprovalId,
    pub version: Version,
    pub digest: Digest,
    #[serde(with = "super::policy::micros")]
    pub hold: Duration,
    pub shown: Digest,
    pub credential_id: Blob,
    pub thumbprint: Thumbprint,
    pub expires_at: Timestamp,
    pub nonce: Blob,
}

impl ApprovePreimage {
    /// The WebAuthn challenge.
    pub fn challenge(&self) -> Digest {
        Digest::of(&length_prefixed(&[
            APPROVE.as_bytes(),
            self.rp_id.as_bytes(),
            self.approval.bytes(),
            &self.version.to_be_bytes(),
            self.digest.bytes(),
            &u64::try_from(self.hold.as_micros()).unwrap_or(u64::MAX).to_be_bytes(),
            self.shown.bytes(),
            &self.credential_id.0,
            &self.thumbprint.0,
            &self.expires_at.micros().to_be_bytes(),
            &self.nonce.0,
        ]))
    }
}

/// Everything that an enrolling signature covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolPreimage {
    pub rp_id: String,
    pub holder: HolderId,
    pub link: LinkId,
    pub credential_id: Blob,
    pub thumbprint: Thumbprint,
    pub nonce: Blob,
}

impl EnrolPreimage {
    /// The WebAuthn challenge of the closing assertion.
    pub fn challenge(&self) -> Digest {
        Digest::of(&length_prefixed(&[
            ENROL.as_bytes(),
            self.rp_id.as_bytes(),
            self.holder.bytes(),
            self.link.bytes(),
            &self.credential_id.0,
            &self.thumbprint.0,
            &self.nonce.0,
        ]))
    }
}

/// Everything that the signature under a lift of a freeze covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiftPreimage {
    pub rp_id: String,
    pub holder: HolderId,
    pub freeze: FreezeId,
    pub version: Version,
    pub credential_id: Blob,
    pub thumbprint: Thumbprint,
    pub expires_at: Timestamp,
    pub nonce: Blob,
}

impl LiftPreimage {
    /// The WebAuthn challenge.
    pub fn challenge(&self) -> Digest {
        Digest::of(&length_prefixed(&[
            LIFT.as_bytes(),
            self.rp_id.as_bytes(),
            self.holder.bytes(),
            self.freeze.bytes(),
            &self.version.to_be_bytes(),
            &self.credential_id.0,
            &self.thumbprint.0,
            &self.expires_at.micros().to_be_bytes(),
            &self.nonce.0,
        ]))
    }
}

/// What a device key signs: its own domain tag, then the payload.
pub fn device_key_message(tag: &str, payload: &[u8]) -> Vec<u8> {
    length_prefixed(&[tag.as_bytes(), payload])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preimage() -> ApprovePreimage {
        ApprovePreimage {
            rp_id: "approve.example".into(),
            approval: ApprovalId::new(Timestamp::EPOCH, [1; 10]),
            version: 1,
            digest: Digest::of(b"details"),
            hold: Duration::from_secs(900),
            shown: Shown::plain().digest(),
            credential_id: Blob(vec![1, 2, 3]),
            thumbprint: Thumbprint([4; 32]),
            expires_at: Timestamp::from_micros(300_000_000),
            nonce: Blob(vec![5; 16]),
        }
    }

    #[test]
    fn every_part_changes_the_challenge() {
        let base = preimage().challenge();
        let edits: [fn(&mut ApprovePreimage); 10] = [
            |p| p.rp_id.push('x'),
            |p| p.approval = ApprovalId::new(Timestamp::EPOCH, [2; 10]),
            |p| p.version = 2,
            |p| p.digest = Digest::of(b"other"),
            |p| p.hold = Duration::from_secs(1),
            |p| p.shown = Digest::of(b"other page"),
            |p| p.credential_id.0.push(0),
            |p| p.thumbprint = Thumbprint([5; 32]),
            |p| p.expires_at = Timestamp::from_micros(1),
            |p| p.nonce.0[0] ^= 1,
        ];
        for (at, edit) in edits.iter().enumerate() {
            let mut other = preimage();
            edit(&mut other);
            assert_ne!(other.challenge(), base, "part {at} isn't covered");
        }
    }

    #[test]
    fn parts_can_not_run_into_each_other() {
        assert_ne!(length_prefixed(&[b"ab", b"c"]), length_prefixed(&[b"a", b"bc"]));
        assert_ne!(device_key_message(DEVICE_KEY_APPROVE, b"x"), device_key_message(DEVICE_KEY_PROMPT, b"x"));
    }

    #[test]
    fn what_was_shown_is_covered() {
        let mut shown = Shown::plain();
        let base = shown.digest();
        shown.warnings.push("bill/1".into());
        assert_ne!(shown.digest(), base);
    }
}
