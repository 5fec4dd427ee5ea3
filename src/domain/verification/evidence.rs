//! The evidence of one ceremony, recomputed: challenge from its preimage, client data, authenticator data, the
//! passkey's signature and the device key's.
//!
//! Sources: WebAuthn L3 sections 5.8.1, 6.1 and 7.2; RFC 7518 section 6; RFC 7638 section 3. The order and length of
//! the parts, and the tags, are written down a second time here on purpose.

mod challenge;
#[cfg(test)]
mod tests;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;

use self::challenge::{
    Parts, approve_challenge, enrol_challenge, lift_challenge, sha256, shown_digest, staff_challenge, thumbprint,
};
use crate::domain::approval::Version;
use crate::domain::details::Digest;
use crate::domain::device::{Blob, DeviceKey, Thumbprint};
use crate::domain::evidence::{Evidence, SignedAssertion};
use crate::domain::ids::{ApprovalId, DeviceId, FreezeId, HolderId, LinkId, StaffId};
use crate::domain::staff::signing::Signs;
use crate::domain::time::Timestamp;

/// Flags of authenticator data (WebAuthn L3 section 6.1).
const USER_PRESENT: u8 = 0x01;
const USER_VERIFIED: u8 = 0x04;
/// RP ID hash, flags, counter.
const AUTHENTICATOR_DATA: usize = 37;
/// Shortest nonce of a preimage, in bytes.
const NONCE: usize = 16;

/// Where ceremonies took place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    pub rp_id: String,
    /// Origin of the pages, as browsers write it.
    pub origin: String,
}

/// The two places at which ceremonies take place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sites {
    pub holders: Site,
    /// The console, if the deployment has one.
    pub console: Option<Site>,
}

/// What is wrong with a piece of evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    #[error("the evidence was made for another RP ID")]
    RpId,
    #[error("what was shown isn't what was signed")]
    Shown,
    #[error("the nonce is too short")]
    Nonce,
    #[error("the evidence names another credential than was signed")]
    Credential,
    #[error("the evidence names another device key than was signed")]
    Thumbprint,
    #[error("the client data doesn't read")]
    ClientData,
    #[error("the client data is of another ceremony")]
    Type,
    #[error("the challenge isn't what the preimage gives")]
    Challenge,
    #[error("the client data names another origin")]
    Origin,
    #[error("the ceremony took place in a frame of another origin")]
    CrossOrigin,
    #[error("the authenticator data is too short")]
    AuthenticatorData,
    #[error("the authenticator data is of another RP ID")]
    RpIdHash,
    #[error("nobody was there")]
    UserPresence,
    #[error("nobody was verified")]
    UserVerification,
    #[error("the public key doesn't read")]
    PublicKey,
    #[error("the passkey's signature is wrong")]
    PasskeySignature,
    #[error("the device key's signature is wrong")]
    DeviceSignature,
    #[error("the text that was signed isn't what its digest says")]
    Signed,
    #[error("there is no console here that staff could have signed at")]
    NoConsole,
}

/// What evidence shows once everything in it fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    pub by: Signer,
    pub challenge: Digest,
    pub keys: Keys,
    pub about: About,
}

/// The public keys that signed, to compare with those of the enrolment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keys {
    /// SHA-256 of the passkey's public key as canonical JSON.
    pub passkey: Digest,
    /// SHA-256 of the device key's point; staff have none.
    pub device: Option<Digest>,
}

/// Whose signature it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Signer {
    Device(DeviceId),
    Staff(StaffId),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    Approve {
        approval: ApprovalId,
        version: Version,
        digest: Digest,
        hold: Duration,
        expires_at: Timestamp,
    },
    Enrol {
        holder: HolderId,
        link: LinkId,
    },
    Lift {
        holder: HolderId,
        freeze: FreezeId,
        version: Version,
        expires_at: Timestamp,
    },
    Staff {
        signs: Signs,
        object: [u8; 16],
        /// The text that was signed, which has the digest of the preimage.
        text: String,
        expires_at: Timestamp,
    },
}

/// The [`Ceremony`] of a preimage, of whichever type.
macro_rules! ceremony {
    ($preimage:ident) => {
        Ceremony { rp_id: &$preimage.rp_id, credential: &$preimage.credential_id, nonce: &$preimage.nonce }
    };
}

/// Recomputes one piece of evidence.
///
/// # Errors
/// The first [`Flaw`].
pub fn check(evidence: &Evidence, sites: &Sites) -> Result<Proven, Flaw> {
    let site = &sites.holders;
    match evidence {
        Evidence::Approve { device, preimage, shown, assertion, device_key, device_signature } => {
            if shown_digest(shown) != preimage.shown {
                return Err(Flaw::Shown);
            }
            let said = Said {
                ceremony: ceremony!(preimage),
                thumbprint: &preimage.thumbprint,
                challenge: approve_challenge(preimage),
                device_tag: b"countersign/devkey/approve/v1",
            };
            let keys = signatures(site, &said, assertion, device_key, device_signature)?;
            let about = About::Approve {
                approval: preimage.approval,
                version: preimage.version,
                digest: preimage.digest,
                hold: preimage.hold,
                expires_at: preimage.expires_at,
            };
            Ok(Proven { by: Signer::Device(*device), challenge: said.challenge, keys, about })
        }
        Evidence::Enrol { device, preimage, assertion, device_key, device_signature } => {
            let said = Said {
                ceremony: ceremony!(preimage),
                thumbprint: &preimage.thumbprint,
                challenge: enrol_challenge(preimage),
                device_tag: b"countersign/enrol/v1",
            };
            let keys = signatures(site, &said, assertion, device_key, device_signature)?;
            let about = About::Enrol { holder: preimage.holder, link: preimage.link };
            Ok(Proven { by: Signer::Device(*device), challenge: said.challenge, keys, about })
        }
        Evidence::Lift { device, preimage, assertion, device_key, device_signature } => {
            let said = Said {
                ceremony: ceremony!(preimage),
                thumbprint: &preimage.thumbprint,
                challenge: lift_challenge(preimage),
                device_tag: b"countersign/devkey/lift/v1",
            };
            let keys = signatures(site, &said, assertion, device_key, device_signature)?;
            let about = About::Lift {
                holder: preimage.holder,
                freeze: preimage.freeze,
                version: preimage.version,
                expires_at: preimage.expires_at,
            };
            Ok(Proven { by: Signer::Device(*device), challenge: said.challenge, keys, about })
        }
        Evidence::Staff { staff, preimage, signed, assertion, .. } => {
            let site = sites.console.as_ref().ok_or(Flaw::NoConsole)?;
            if sha256(signed.as_bytes()) != preimage.digest || *staff != preimage.staff {
                return Err(Flaw::Signed);
            }
            let challenge = staff_challenge(preimage);
            let passkey = assertion_fits(site, &ceremony!(preimage), &challenge, assertion)?;
            let keys = Keys { passkey, device: None };
            let object = preimage.object.0.as_slice().try_into().map_err(|_| Flaw::Signed)?;
            let about =
                About::Staff { signs: preimage.signs, object, text: signed.clone(), expires_at: preimage.expires_at };
            Ok(Proven { by: Signer::Staff(*staff), challenge, keys, about })
        }
    }
}

/// What every kind of ceremony has in its preimage.
struct Ceremony<'a> {
    rp_id: &'a str,
    credential: &'a Blob,
    nonce: &'a Blob,
}

/// What the three kinds of ceremony on a holder's device have in common.
struct Said<'a> {
    ceremony: Ceremony<'a>,
    thumbprint: &'a Thumbprint,
    challenge: Digest,
    device_tag: &'static [u8],
}

/// Checks both signatures, and gives both keys.
fn signatures(
    site: &Site,
    said: &Said<'_>,
    assertion: &SignedAssertion,
    device_key: &DeviceKey,
    device_signature: &Blob,
) -> Result<Keys, Flaw> {
    let passkey = assertion_fits(site, &said.ceremony, &said.challenge, assertion)?;
    if thumbprint(device_key) != said.thumbprint.0 {
        return Err(Flaw::Thumbprint);
    }
    let message = Parts::default().add(said.device_tag).add(said.challenge.bytes()).0;
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, device_key.bytes());
    key.verify(&message, &device_signature.0).map_err(|_| Flaw::DeviceSignature)?;
    Ok(Keys { passkey, device: Some(sha256(device_key.bytes())) })
}

/// Checks a passkey's signature over a challenge, and gives the digest of its public key.
fn assertion_fits(
    site: &Site,
    ceremony: &Ceremony<'_>,
    challenge: &Digest,
    assertion: &SignedAssertion,
) -> Result<Digest, Flaw> {
    if ceremony.rp_id != site.rp_id {
        return Err(Flaw::RpId);
    }
    if ceremony.nonce.0.len() < NONCE {
        return Err(Flaw::Nonce);
    }
    if assertion.credential_id != *ceremony.credential {
        return Err(Flaw::Credential);
    }
    client_data(&assertion.client_data_json.0, challenge, &site.origin)?;
    authenticator_data(&assertion.authenticator_data.0, &site.rp_id)?;
    passkey(assertion)?;
    let key = serde_json_canonicalizer::to_string(&assertion.public_key).map_err(|_| Flaw::PublicKey)?;
    Ok(sha256(key.as_bytes()))
}

/// The members that matter; a member that is there twice doesn't read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClientData {
    #[serde(rename = "type")]
    kind: String,
    challenge: String,
    origin: String,
    // `null` isn't `false`, and would vanish in an `Option`.
    #[serde(default = "no")]
    cross_origin: Value,
    #[serde(default = "no")]
    top_origin: Value,
}

const fn no() -> Value {
    Value::Bool(false)
}

fn client_data(json: &[u8], challenge: &Digest, origin: &str) -> Result<(), Flaw> {
    let said: ClientData = serde_json::from_slice(json).map_err(|_| Flaw::ClientData)?;
    if said.kind != "webauthn.get" {
        return Err(Flaw::Type);
    }
    if said.challenge != BASE64URL_NOPAD.encode(challenge.bytes()) {
        return Err(Flaw::Challenge);
    }
    if said.origin != origin {
        return Err(Flaw::Origin);
    }
    if said.cross_origin != no() || said.top_origin != no() {
        return Err(Flaw::CrossOrigin);
    }
    Ok(())
}

fn authenticator_data(data: &[u8], rp_id: &str) -> Result<(), Flaw> {
    if data.len() < AUTHENTICATOR_DATA {
        return Err(Flaw::AuthenticatorData);
    }
    if data[..32] != sha256(rp_id.as_bytes()).bytes()[..] {
        return Err(Flaw::RpIdHash);
    }
    if data[32] & USER_PRESENT == 0 {
        return Err(Flaw::UserPresence);
    }
    if data[32] & USER_VERIFIED == 0 {
        return Err(Flaw::UserVerification);
    }
    Ok(())
}

/// A JSON Web Key of one of the two kinds that enrolment takes.
#[derive(Deserialize)]
#[serde(tag = "kty")]
enum Jwk {
    #[serde(rename = "EC")]
    Ec { crv: String, x: String, y: String },
    #[serde(rename = "RSA")]
    Rsa { n: String, e: String },
}

fn passkey(assertion: &SignedAssertion) -> Result<(), Flaw> {
    let decode = |text: &str| BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| Flaw::PublicKey);
    let mut signed = assertion.authenticator_data.0.clone();
    signed.extend(sha256(&assertion.client_data_json.0).bytes());
    let wrong = |_| Flaw::PasskeySignature;
    match Jwk::deserialize(&assertion.public_key).map_err(|_| Flaw::PublicKey)? {
        Jwk::Ec { crv, x, y } => {
            let (x, y) = (decode(&x)?, decode(&y)?);
            if crv != "P-256" || x.len() != 32 || y.len() != 32 {
                return Err(Flaw::PublicKey);
            }
            let point = [&[4][..], &x, &y].concat();
            let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point);
            key.verify(&signed, &assertion.signature.0).map_err(wrong)
        }
        Jwk::Rsa { n, e } => {
            let key = RsaPublicKeyComponents { n: decode(&n)?, e: decode(&e)? };
            key.verify(&RSA_PKCS1_2048_8192_SHA256, &signed, &assertion.signature.0).map_err(wrong)
        }
    }
}
