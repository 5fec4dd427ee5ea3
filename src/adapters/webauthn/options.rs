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
use crate::domain::ids::HolderId;
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

pub fn creation(
    rp_id: &str,
    rp_name: &str,
    challenge: &Digest,
    holder: HolderId,
    display: &str,
    exclude: &[Blob],
) -> Result<Value, CeremonyError> {
    let excluded = exclude.iter().map(|id| PublicKeyCredentialDescriptor {
        type_: PUBLIC_KEY.to_owned(),
        id: id.0.clone(),
        transports: None,
    });
    let options = PublicKeyCredentialCreationOptions {
        rp: RelyingParty { name: rp_name.to_owned(), id: rp_id.to_owned() },
        user: User { id: holder.bytes().to_vec(), name: display.to_owned(), display_name: display.to_owned() },
        challenge: challenge.bytes().to_vec(),
        pub_key_cred_params: ALGORITHMS
            .map(|algorithm| PubKeyCredParams { type_: PUBLIC_KEY.to_owned(), alg: algorithm as i64 })
            .to_vec(),
        timeout: timeout(),
        exclude_credentials: Some(excluded.collect()),
        authenticator_selection: Some(AuthenticatorSelectionCriteria {
            authenticator_attachment: None,
            resident_key: Some(ResidentKeyRequirement::Preferred),
            require_resident_key: false,
            user_verification: UserVerificationPolicy::Required,
        }),
        hints: hints(),
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
