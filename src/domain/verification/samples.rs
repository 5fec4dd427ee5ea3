//! Evidence with real signatures, for the tests of this folder.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair,
};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use std::time::Duration;

use super::evidence::{Site, Sites};
use crate::domain::audit::reading::{ReadActor, Reading};
use crate::domain::details::Digest;
use crate::domain::device::{Blob, DeviceKey};
use crate::domain::evidence::{Evidence, SignedAssertion};
use crate::domain::ids::{ApprovalId, ChangeId, DeviceId, HolderId, LinkId, StaffId};
use crate::domain::linking::{ApprovePreimage, DEVICE_KEY_APPROVE, ENROL, EnrolPreimage, Shown, device_key_message};
use crate::domain::staff::signing::{Signs, StaffPreimage};
use crate::domain::time::Timestamp;

pub const RP: &str = "approve.example";
pub const ORIGIN: &str = "https://approve.example";
pub const CONSOLE: &str = "console.example";

pub fn sites() -> Sites {
    let site = |rp: &str| Site { rp_id: rp.into(), origin: format!("https://{rp}") };
    Sites { holders: site(RP), console: Some(site(CONSOLE)) }
}

/// An entry as it reads: who did what to whom, so many seconds after the beginning of time.
pub fn reading(kind: &str, seconds: i64, actor: ReadActor, object: Vec<String>, facts: &[(&str, &str)]) -> Reading {
    let at = Timestamp::from_micros(seconds * 1_000_000);
    let facts = facts.iter().map(|(name, fact)| ((*name).to_owned(), (*fact).to_owned())).collect();
    Reading { v: 1, id: ChangeId::new(at, [0; 10]), at, kind: kind.into(), actor, object, facts }
}

/// One phone: a passkey and a device key.
pub struct Phone {
    pub id: DeviceId,
    passkey: EcdsaKeyPair,
    device: EcdsaKeyPair,
}

/// What a dishonest browser or authenticator says instead.
#[derive(Clone)]
pub struct Lies {
    pub kind: &'static str,
    pub origin: &'static str,
    pub more: &'static str,
    pub flags: u8,
    pub rp: &'static str,
    pub challenge: Option<Digest>,
}

pub const HONEST: Lies = Lies { kind: "webauthn.get", origin: ORIGIN, more: "", flags: 0x05, rp: RP, challenge: None };

fn pair(algorithm: &'static EcdsaSigningAlgorithm) -> EcdsaKeyPair {
    EcdsaKeyPair::generate(algorithm).unwrap()
}

fn jwk(pair: &EcdsaKeyPair) -> Value {
    let point = pair.public_key().as_ref();
    let part = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
    json!({"kty": "EC", "crv": "P-256", "x": part(&point[1..33]), "y": part(&point[33..])})
}

impl Phone {
    pub fn new(number: u8) -> Self {
        Self {
            id: DeviceId::new(Timestamp::EPOCH, [number; 10]),
            passkey: pair(&ECDSA_P256_SHA256_ASN1_SIGNING),
            device: pair(&ECDSA_P256_SHA256_FIXED_SIGNING),
        }
    }

    pub fn key(&self) -> DeviceKey {
        DeviceKey::from_bytes(self.device.public_key().as_ref()).unwrap()
    }

    pub fn credential(&self) -> Blob {
        Blob(Digest::of(self.passkey.public_key().as_ref()).bytes().to_vec())
    }

    pub fn asserts(&self, challenge: &Digest, lies: &Lies) -> SignedAssertion {
        let challenge = BASE64URL_NOPAD.encode(lies.challenge.as_ref().unwrap_or(challenge).bytes());
        let (kind, origin, more) = (lies.kind, lies.origin, lies.more);
        let client = format!(r#"{{"type":"{kind}","challenge":"{challenge}","origin":"{origin}"{more}}}"#).into_bytes();
        let mut data = Digest::of(lies.rp.as_bytes()).bytes().to_vec();
        data.extend([lies.flags, 0, 0, 0, 9]);
        let signed = [&data[..], Digest::of(&client).bytes()].concat();
        let signature = self.passkey.sign(&SystemRandom::new(), &signed).unwrap();
        SignedAssertion {
            credential_id: self.credential(),
            authenticator_data: Blob(data),
            client_data_json: Blob(client),
            signature: Blob(signature.as_ref().to_vec()),
            public_key: jwk(&self.passkey),
        }
    }

    fn seals(&self, tag: &str, challenge: &Digest) -> Blob {
        let message = device_key_message(tag, challenge.bytes());
        Blob(self.device.sign(&SystemRandom::new(), &message).unwrap().as_ref().to_vec())
    }

    pub fn preimage(&self, approval: ApprovalId, version: u32, digest: Digest, hold: Duration) -> ApprovePreimage {
        ApprovePreimage {
            rp_id: RP.into(),
            approval,
            version,
            digest,
            hold,
            shown: Shown::plain().digest(),
            credential_id: self.credential(),
            thumbprint: self.key().thumbprint(),
            expires_at: Timestamp::from_micros(9_000_000_000_000_000),
            nonce: Blob(vec![6; 16]),
        }
    }

    pub fn approves(&self, preimage: ApprovePreimage, lies: &Lies) -> Evidence {
        let challenge = preimage.challenge();
        Evidence::Approve {
            device: self.id,
            assertion: self.asserts(&challenge, lies),
            shown: Shown::plain(),
            device_key: self.key(),
            device_signature: self.seals(DEVICE_KEY_APPROVE, &challenge),
            preimage,
        }
    }

    pub fn enrols(&self, holder: HolderId, link: LinkId) -> Evidence {
        let preimage = EnrolPreimage {
            rp_id: RP.into(),
            holder,
            link,
            credential_id: self.credential(),
            thumbprint: self.key().thumbprint(),
            nonce: Blob(vec![5; 16]),
        };
        let challenge = preimage.challenge();
        Evidence::Enrol {
            device: self.id,
            assertion: self.asserts(&challenge, &HONEST),
            device_key: self.key(),
            device_signature: self.seals(ENROL, &challenge),
            preimage,
        }
    }

    /// A staff member's signature, made with this passkey at the console.
    pub fn signs(&self, staff: StaffId, text: &str) -> Evidence {
        let preimage = StaffPreimage {
            signs: Signs::Override,
            rp_id: CONSOLE.into(),
            object: Blob(vec![8; 16]),
            digest: Digest::of(text.as_bytes()),
            staff,
            credential_id: self.credential(),
            expires_at: Timestamp::from_micros(9_000_000_000_000_000),
            nonce: Blob(vec![4; 16]),
        };
        let lies = Lies { origin: "https://console.example", rp: CONSOLE, ..HONEST };
        let assertion = self.asserts(&preimage.challenge(), &lies);
        Evidence::Staff { staff, approval: None, preimage, signed: text.to_owned(), assertion }
    }
}
