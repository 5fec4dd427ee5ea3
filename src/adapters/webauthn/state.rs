//! The library's view of a ceremony in progress, rebuilt around our own challenge.
//!
//! The library makes its own random challenges and has no way to set one; its states can be read from JSON, though.
//! Nothing else in them comes from the ceremony, so that both can be made when the response arrives. The names of the
//! members are no contract of the library: its version is pinned, and a test compares with what it writes itself.

use serde_json::{Value, json};
use webauthn_rs_core::proto::{AuthenticationState, RegistrationState};

use super::ALGORITHMS;
use super::refusal::internal;
use crate::domain::details::Digest;
use crate::ports::outward::CeremonyError;

fn base64url(challenge: &Digest) -> String {
    data_encoding::BASE64URL_NOPAD.encode(challenge.bytes())
}

pub(super) fn registration_json(challenge: &Digest) -> Value {
    json!({
        "policy": "required",
        "exclude_credentials": [],
        "challenge": base64url(challenge),
        "credential_algorithms": ALGORITHMS,
        "require_resident_key": false,
        "authenticator_attachment": null,
        "extensions": {},
        "allow_synchronised_authenticators": true,
    })
}

/// No credentials in it: the one on record is given to the library beside the state. A backup-eligible flag that
/// changes is refused, in either direction.
pub(super) fn authentication_json(challenge: &Digest) -> Value {
    json!({
        "credentials": [],
        "policy": "required",
        "challenge": base64url(challenge),
        "appid": null,
        "allow_backup_eligible_upgrade": false,
    })
}

pub fn registration(challenge: &Digest) -> Result<RegistrationState, CeremonyError> {
    serde_json::from_value(registration_json(challenge)).map_err(internal)
}

pub fn authentication(challenge: &Digest) -> Result<AuthenticationState, CeremonyError> {
    serde_json::from_value(authentication_json(challenge)).map_err(internal)
}
