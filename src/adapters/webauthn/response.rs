//! Reads a response as `credential.toJSON()` gives it (WebAuthn L3 section 5.1), within bounds.

use serde::Deserialize;
use serde_json::Value;
use webauthn_rs_core::proto::{PublicKeyCredential, RegisterPublicKeyCredential};

use super::refusal::{malformed, refused};
use crate::ports::outward::CeremonyError;

/// WebAuthn L3 section 6.5.1: `credentialIdLength` is at most 1023.
const CREDENTIAL_ID: usize = 1023;
/// Five fields, the longest of them the origin; real ones have a few hundred bytes.
const CLIENT_DATA: usize = 4096;
/// 37 bytes and whatever extensions an authenticator adds, of which none was asked for.
const AUTHENTICATOR_DATA: usize = 1024;
/// Authenticator data with a credential id and an RSA key, and a chain of certificates nobody asked for.
const ATTESTATION_OBJECT: usize = 16 * 1024;
/// RSA with 2048 bits has 256 bytes, ECDSA in DER 72.
const SIGNATURE: usize = 512;
/// WebAuthn L3 section 5.4.3: a user handle has at most 64 bytes.
const USER_HANDLE: usize = 64;

/// The response has the wrong shape.
#[derive(Debug, thiserror::Error)]
enum ShapeError {
    #[error("{field} is longer than {most} bytes, or empty")]
    Length { field: &'static str, most: usize },
    #[error("type isn't public-key")]
    Kind,
}

fn length(field: &'static str, bytes: &[u8], most: usize) -> Result<(), CeremonyError> {
    if bytes.is_empty() || bytes.len() > most {
        return Err(malformed(ShapeError::Length { field, most }));
    }
    Ok(())
}

/// `type`, and `id` as base64url of `rawId` (WebAuthn L3 section 5.1).
fn envelope(kind: &str, id: &str, raw_id: &[u8]) -> Result<(), CeremonyError> {
    if kind != "public-key" {
        return Err(malformed(ShapeError::Kind));
    }
    length("rawId", raw_id, CREDENTIAL_ID)?;
    if id != data_encoding::BASE64URL_NOPAD.encode(raw_id) {
        return Err(refused("credential"));
    }
    Ok(())
}

pub fn registration(response: &Value) -> Result<RegisterPublicKeyCredential, CeremonyError> {
    let read = RegisterPublicKeyCredential::deserialize(response).map_err(malformed)?;
    envelope(&read.type_, &read.id, &read.raw_id)?;
    length("clientDataJSON", &read.response.client_data_json, CLIENT_DATA)?;
    length("attestationObject", &read.response.attestation_object, ATTESTATION_OBJECT)?;
    Ok(read)
}

/// The user handle is bounded and otherwise left alone: nothing signs it, and the credential, which belongs to one
/// holder on our record, says whose response this is (WebAuthn L3 section 7.2, step 6).
pub fn assertion(response: &Value) -> Result<PublicKeyCredential, CeremonyError> {
    let read = PublicKeyCredential::deserialize(response).map_err(malformed)?;
    envelope(&read.type_, &read.id, &read.raw_id)?;
    length("clientDataJSON", &read.response.client_data_json, CLIENT_DATA)?;
    length("authenticatorData", &read.response.authenticator_data, AUTHENTICATOR_DATA)?;
    length("signature", &read.response.signature, SIGNATURE)?;
    if read.response.user_handle.as_ref().is_some_and(|handle| handle.len() > USER_HANDLE) {
        return Err(malformed(ShapeError::Length { field: "userHandle", most: USER_HANDLE }));
    }
    Ok(read)
}
