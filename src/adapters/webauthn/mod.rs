//! WebAuthn ceremonies with challenges of our own, on webauthn-rs-core: the only importer of webauthn-rs.
//!
//! May import: `domain`, `ports`, webauthn-rs-core and webauthn-rs-proto. A response passes three gates, in order:
//! [`response`] bounds and reads it, [`client_data`] checks what the library doesn't look at, and the library checks
//! type, challenge, origin, RP ID, flags, signature and counter against a state that [`state`] rebuilds around our
//! challenge. What the library says no to gets its stable name in [`refusal`]. Options are made in [`options`].

mod client_data;
mod options;
mod refusal;
mod response;
mod state;
#[cfg(test)]
mod tests;

use serde_json::Value;
use url::Url;
use webauthn_rs_core::WebauthnCore;
use webauthn_rs_core::proto::{COSEAlgorithm, COSEKey, COSEKeyType, Credential, ECDSACurve, PublicKeyCredential};

use crate::domain::details::Digest;
use crate::domain::device::Blob;
use crate::domain::evidence::SignedAssertion;
use crate::domain::ids::{HolderId, StaffId};
use crate::domain::linking::PROMPT_LIFE;
use crate::domain::policy::Assurance;
use crate::ports::outward::{Ceremonies, CeremonyError, ConsoleCeremonies, NewCredential, VerifiedAssertion};
use options::{Discoverable, Owner};
use refusal::{internal, named, refused};

/// What passkeys may sign with (RFC 9053 section 2.1, RFC 8812 section 2): what WebAuthn L3 section 5.4 recommends to
/// offer at least, less EdDSA, which the library can't verify. RS256 is for older TPMs under Windows.
const ALGORITHMS: [COSEAlgorithm; 2] = [COSEAlgorithm::ES256, COSEAlgorithm::RS256];

/// Why the relying party can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("the RP ID `{rp_id}` must be the exact host of the origin `{origin}`")]
    Host { rp_id: String, origin: String },
    #[error("an IP address can't be an RP ID: use a host name, for example localhost")]
    Address,
    #[error("the origin must be https, or http on localhost")]
    Insecure,
    #[error("the origin can't be read back")]
    Unreadable(#[source] url::ParseError),
}

/// One relying party: one host, one origin.
pub struct Webauthn {
    core: WebauthnCore,
    rp_id: String,
    rp_name: String,
    /// Scheme, host and port as browsers write them (HTML section 7.1.1, ASCII serialisation).
    origin: String,
}

impl Webauthn {
    /// A relying party whose pages are at `origin` (its path is of no meaning) and whose RP ID is exactly its host.
    ///
    /// # Errors
    /// [`SetupError`] when no browser would take part.
    pub fn new(rp_id: &str, origin: &Url, rp_name: &str) -> Result<Self, SetupError> {
        let host = origin.domain().ok_or(SetupError::Address)?;
        let serialised = origin.origin().ascii_serialization();
        if host != rp_id {
            return Err(SetupError::Host { rp_id: rp_id.to_owned(), origin: serialised });
        }
        let local = host == "localhost" || host.ends_with(".localhost");
        if !(origin.scheme() == "https" || origin.scheme() == "http" && local) {
            return Err(SetupError::Insecure);
        }
        let allowed = Url::parse(&serialised).map_err(SetupError::Unreadable)?;
        // No subdomains, no other ports.
        let core =
            WebauthnCore::new_unsafe_experts_only(rp_name, rp_id, vec![allowed], PROMPT_LIFE, Some(false), Some(false));
        Ok(Self { core, rp_id: rp_id.to_owned(), rp_name: rp_name.to_owned(), origin: serialised })
    }
}

impl Ceremonies for Webauthn {
    fn rp_id(&self) -> &str {
        &self.rp_id
    }

    fn creation_options(
        &self,
        challenge: &Digest,
        holder: HolderId,
        display: &str,
        exclude: &[Blob],
    ) -> Result<Value, CeremonyError> {
        let owner = Owner { id: holder.bytes(), display, finds_itself: Discoverable::Preferred };
        options::creation(&self.rp_id, &self.rp_name, challenge, &owner, exclude)
    }

    fn register(&self, challenge: &Digest, response: &Value) -> Result<NewCredential, CeremonyError> {
        let response = response::registration(response)?;
        client_data::check(&response.response.client_data_json, &self.origin)?;
        let state = state::registration(challenge)?;
        let credential = self.core.register_credential(&response, &state, None).map_err(named)?;
        if credential.cred_id != response.raw_id {
            return Err(refused("credential"));
        }
        if !algorithm_fits_key(&credential.cred) {
            return Err(refused("algorithm"));
        }
        let assurance = if credential.backup_eligible { Assurance::Synced } else { Assurance::DeviceBound };
        let (id, counter) = (Blob(credential.cred_id.clone()), credential.counter);
        Ok(NewCredential { id, credential: stored(&credential)?, assurance, counter })
    }

    fn request_options(&self, challenge: &Digest, credential: &Blob) -> Result<Value, CeremonyError> {
        options::request(&self.rp_id, challenge, credential)
    }

    fn verify(
        &self,
        challenge: &Digest,
        response: &Value,
        credential: &Value,
        counter: u32,
    ) -> Result<VerifiedAssertion, CeremonyError> {
        let credential = on_record(credential, counter)?;
        let response = response::assertion(response)?;
        client_data::check(&response.response.client_data_json, &self.origin)?;
        let state = state::authentication(challenge)?;
        let result = self.core.authenticate_single_credential(&response, &state, &credential).map_err(named)?;
        Ok(VerifiedAssertion { assertion: signed(response, &credential.cred)?, counter: result.counter() })
    }
}

impl ConsoleCeremonies for Webauthn {
    fn discoverable_creation_options(
        &self,
        challenge: &Digest,
        staff: StaffId,
        name: &str,
    ) -> Result<Value, CeremonyError> {
        let owner = Owner { id: staff.bytes(), display: name, finds_itself: Discoverable::Required };
        options::creation(&self.rp_id, &self.rp_name, challenge, &owner, &[])
    }

    fn sign_in_options(&self, challenge: &Digest) -> Result<Value, CeremonyError> {
        options::sign_in(&self.rp_id, challenge)
    }
}

/// The credential as it is stored: the library's own form without its counter, which changes and is kept beside it.
fn stored(credential: &Credential) -> Result<Value, CeremonyError> {
    let mut value = serde_json::to_value(credential).map_err(internal)?;
    if let Some(members) = value.as_object_mut() {
        members.remove("counter");
    }
    Ok(value)
}

/// The library's form again, with the counter as it is now.
fn on_record(credential: &Value, counter: u32) -> Result<Credential, CeremonyError> {
    let mut value = credential.clone();
    if let Some(members) = value.as_object_mut() {
        members.insert("counter".to_owned(), counter.into());
    }
    serde_json::from_value(value).map_err(internal)
}

/// Exactly the bytes that were verified, for evidence.
fn signed(response: PublicKeyCredential, key: &COSEKey) -> Result<SignedAssertion, CeremonyError> {
    Ok(SignedAssertion {
        credential_id: Blob(response.raw_id),
        authenticator_data: Blob(response.response.authenticator_data),
        client_data_json: Blob(response.response.client_data_json),
        signature: Blob(response.response.signature),
        public_key: jwk(key)?,
    })
}

/// ES256 means P-256 here (WebAuthn L3 section 5.8.5), which the library leaves open.
fn algorithm_fits_key(key: &COSEKey) -> bool {
    match &key.key {
        COSEKeyType::EC_EC2(point) => key.type_ == COSEAlgorithm::ES256 && point.curve == ECDSACurve::SECP256R1,
        COSEKeyType::RSA(_) => key.type_ == COSEAlgorithm::RS256,
        COSEKeyType::EC_OKP(_) => false,
    }
}

/// The public key as a JWK (RFC 7518 section 6), so that evidence needs no library of ours to be read.
fn jwk(key: &COSEKey) -> Result<Value, CeremonyError> {
    let text = |bytes: &[u8]| data_encoding::BASE64URL_NOPAD.encode(bytes);
    match &key.key {
        COSEKeyType::EC_EC2(point) if algorithm_fits_key(key) => Ok(serde_json::json!({
            "kty": "EC", "crv": "P-256", "alg": "ES256", "x": text(&point.x), "y": text(&point.y),
        })),
        COSEKeyType::RSA(rsa) if algorithm_fits_key(key) => Ok(serde_json::json!({
            "kty": "RSA", "alg": "RS256", "n": text(&rsa.n), "e": text(&rsa.e),
        })),
        _ => Err(refused("algorithm")),
    }
}
