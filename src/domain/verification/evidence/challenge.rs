//! Challenges and digests from their preimages, written down a second time: nothing here comes from
//! `domain::linking`, which makes what is checked.

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::BASE64URL_NOPAD;

use crate::domain::details::Digest;
use crate::domain::device::DeviceKey;
use crate::domain::linking::{ApprovePreimage, EnrolPreimage, LiftPreimage, Shown};
use crate::domain::staff::signing::{Signs, StaffPreimage};

/// Parts after their lengths, each a big-endian `u32`.
#[derive(Default)]
pub struct Parts(pub Vec<u8>);

impl Parts {
    pub fn add(mut self, part: &[u8]) -> Self {
        // A part of 4 GiB or more can't have been signed: its length has no form.
        let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
        self.0.extend(length.to_be_bytes());
        self.0.extend(part);
        self
    }

    fn digest(&self) -> Digest {
        sha256(&self.0)
    }
}

pub fn sha256(bytes: &[u8]) -> Digest {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, bytes).as_ref());
    Digest::from_bytes(out)
}

pub fn shown_digest(shown: &Shown) -> Digest {
    let list = |texts: &[String]| texts.iter().fold(Parts::default(), |parts, text| parts.add(text.as_bytes())).0;
    Parts::default()
        .add(b"countersign/shown/v1")
        .add(shown.template.as_bytes())
        .add(shown.language.as_bytes())
        .add(&list(&shown.warnings))
        .add(&list(&shown.answers))
        .digest()
}

pub fn approve_challenge(said: &ApprovePreimage) -> Digest {
    let hold = u64::try_from(said.hold.as_micros()).unwrap_or(u64::MAX);
    Parts::default()
        .add(b"countersign/approve/v1")
        .add(said.rp_id.as_bytes())
        .add(said.approval.bytes())
        .add(&said.version.to_be_bytes())
        .add(said.digest.bytes())
        .add(&hold.to_be_bytes())
        .add(said.shown.bytes())
        .add(&said.credential_id.0)
        .add(&said.thumbprint.0)
        .add(&said.expires_at.micros().to_be_bytes())
        .add(&said.nonce.0)
        .digest()
}

pub fn enrol_challenge(said: &EnrolPreimage) -> Digest {
    Parts::default()
        .add(b"countersign/enrol/v1")
        .add(said.rp_id.as_bytes())
        .add(said.holder.bytes())
        .add(said.link.bytes())
        .add(&said.credential_id.0)
        .add(&said.thumbprint.0)
        .add(&said.nonce.0)
        .digest()
}

pub fn lift_challenge(said: &LiftPreimage) -> Digest {
    Parts::default()
        .add(b"countersign/lift/v1")
        .add(said.rp_id.as_bytes())
        .add(said.holder.bytes())
        .add(said.freeze.bytes())
        .add(&said.version.to_be_bytes())
        .add(&said.credential_id.0)
        .add(&said.thumbprint.0)
        .add(&said.expires_at.micros().to_be_bytes())
        .add(&said.nonce.0)
        .digest()
}

pub fn staff_challenge(said: &StaffPreimage) -> Digest {
    let tag: &[u8] = match said.signs {
        Signs::Enrol => b"countersign/staff/enrol/v1",
        Signs::Change => b"countersign/staff/change/v1",
        Signs::Override => b"countersign/override/v1",
    };
    Parts::default()
        .add(tag)
        .add(said.rp_id.as_bytes())
        .add(&said.object.0)
        .add(said.digest.bytes())
        .add(said.staff.bytes())
        .add(&said.credential_id.0)
        .add(&said.expires_at.micros().to_be_bytes())
        .add(&said.nonce.0)
        .digest()
}

pub fn thumbprint(key: &DeviceKey) -> [u8; 32] {
    let (x, y) = key.bytes()[1..].split_at(32);
    let (x, y) = (BASE64URL_NOPAD.encode(x), BASE64URL_NOPAD.encode(y));
    *sha256(format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#).as_bytes()).bytes()
}
