//! What a browser is asked for. The response is checked against the rules, never against what was asked.

use serde_json::Value;
use webauthn_rs_core::proto::{
    AllowCredentials, AttestationConveyancePreference, AuthenticatorSelectionCriteria, PubKeyCredParams,
    PublicKeyCredentialCreationOptions, PublicKeyCredentialDescriptor, PublicKeyCredentialHints,
    PublicKeyCredentialRequestOptions, RelyingParty, ResidentKeyRequirement, User, UserVerificationPolicy,
};

use super::ALGORITHMS;
use super::refusal::internal;
use crate::domain::details::Digest;
use crate::domain::device::Blob;
use crate::domain::linking::PROMPT_LIFE;
use crate::ports::outward::CeremonyError;

const PUBLIC_KEY: &str = "public-key";

fn timeout() -> Option<u32> {
    u32::try_from(PROMPT_LIFE.as_millis()).ok()
}

/// The passkey is wanted on this very device; browsers that know the hint don't offer a QR code first.
fn hints() -> Option<Vec<PublicKeyCredentialHints>> {
    Some(vec![PublicKeyCredentialHints::ClientDevice])
}

/// Whose passkey it becomes.
pub struct Owner<'a> {
    /// The user handle: an id of ours, nothing personal (WebAuthn L3 section 14.6.1).
    pub id: &'a [u8; 16],
    pub display: &'a str,
    pub finds_itself: Discoverable,
}

/// Whether the passkey must name its owner by itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Discoverable {
    Required,
    Preferred,
}

pub fn creation(
    rp_id: &str,
    rp_name: &str,
    challenge: &Digest,
    owner: &Owner<'_>,
    exclude: &[Blob],
) -> Result<Value, CeremonyError> {
    let excluded = exclude.iter().map(|id| PublicKeyCredentialDescriptor {
        type_: PUBLIC_KEY.to_owned(),
        id: id.0.clone(),
        transports: None,
    });
    let options = PublicKeyCredentialCreationOptions {
        rp: RelyingParty { name: rp_name.to_owned(), id: rp_id.to_owned() },
        user: User { id: owner.id.to_vec(), name: owner.display.to_owned(), display_name: owner.display.to_owned() },
        challenge: challenge.bytes().to_vec(),
        pub_key_cred_params: ALGORITHMS
            .map(|algorithm| PubKeyCredParams { type_: PUBLIC_KEY.to_owned(), alg: algorithm as i64 })
            .to_vec(),
        timeout: timeout(),
        exclude_credentials: Some(excluded.collect()),
        authenticator_selection: Some(AuthenticatorSelectionCriteria {
            authenticator_attachment: None,
            resident_key: Some(match owner.finds_itself {
                Discoverable::Required => ResidentKeyRequirement::Required,
                Discoverable::Preferred => ResidentKeyRequirement::Preferred,
            }),
            require_resident_key: owner.finds_itself == Discoverable::Required,
            user_verification: UserVerificationPolicy::Required,
        }),
        // Staff may well keep theirs on a security key.
        hints: if owner.finds_itself == Discoverable::Preferred { hints() } else { None },
        attestation: Some(AttestationConveyancePreference::None),
        attestation_formats: None,
        extensions: None,
    };
    serde_json::to_value(options).map_err(internal)
}

pub fn request(rp_id: &str, challenge: &Digest, credential: &Blob) -> Result<Value, CeremonyError> {
    let allowed = AllowCredentials { type_: PUBLIC_KEY.to_owned(), id: credential.0.clone(), transports: None };
    let options = PublicKeyCredentialRequestOptions {
        challenge: challenge.bytes().to_vec(),
        timeout: timeout(),
        rp_id: rp_id.to_owned(),
        allow_credentials: vec![allowed],
        user_verification: UserVerificationPolicy::Required,
        hints: hints(),
        extensions: None,
    };
    serde_json::to_value(options).map_err(internal)
}

/// Any passkey of this site; it says itself whose it is.
pub fn sign_in(rp_id: &str, challenge: &Digest) -> Result<Value, CeremonyError> {
    let options = PublicKeyCredentialRequestOptions {
        challenge: challenge.bytes().to_vec(),
        timeout: timeout(),
        rp_id: rp_id.to_owned(),
        allow_credentials: Vec::new(),
        user_verification: UserVerificationPolicy::Required,
        hints: None,
        extensions: None,
    };
    serde_json::to_value(options).map_err(internal)
}
