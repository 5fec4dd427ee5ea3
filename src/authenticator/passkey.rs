//! The authenticator, and the part of the browser that speaks with it (WebAuthn L3 sections 5.1.3, 5.1.4 and 6).

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::tamper::{Flags, Tamper};
use super::{AuthenticatorError, cbor};
use crate::domain::details::Digest;
use crate::domain::device::Blob;

/// COSE name of ECDSA with SHA-256 (RFC 9053 section 2.1).
const ES256: i32 = -7;

/// Whether passkeys of this authenticator leave it (WebAuthn L3 section 6.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backup {
    /// Bound to the device: BE 0, BS 0.
    Never,
    /// May be synced, and isn't yet: BE 1, BS 0.
    Eligible,
    /// Synced: BE 1, BS 1.
    Done,
}

/// What the signature counter does (WebAuthn L3 section 6.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counting {
    /// Rises by one with each ceremony.
    Rises,
    /// Stays 0, as with synced passkeys.
    Never,
}

struct Passkey {
    id: Blob,
    rp_id: String,
    user: Blob,
    pair: EcdsaKeyPair,
    counter: u32,
}

/// Holds passkeys and answers ceremonies at once, as if somebody had touched it and been recognised.
pub struct SoftAuthenticator {
    backup: Backup,
    counting: Counting,
    passkeys: Vec<Passkey>,
}

#[derive(Deserialize)]
struct RelyingParty {
    id: String,
}

#[derive(Deserialize)]
struct Id {
    id: Blob,
}

#[derive(Deserialize)]
struct Algorithm {
    alg: i32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CreationOptions {
    rp: RelyingParty,
    user: Id,
    challenge: Blob,
    pub_key_cred_params: Vec<Algorithm>,
    #[serde(default)]
    exclude_credentials: Vec<Id>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestOptions {
    rp_id: String,
    challenge: Blob,
    #[serde(default)]
    allow_credentials: Vec<Id>,
}

impl SoftAuthenticator {
    pub const fn new(backup: Backup, counting: Counting) -> Self {
        Self { backup, counting, passkeys: Vec::new() }
    }

    /// As phones and laptops without sync behave: passkeys stay, the counter rises.
    pub const fn device_bound() -> Self {
        Self::new(Backup::Never, Counting::Rises)
    }

    /// As the large platforms' synced passkeys behave.
    pub const fn synced() -> Self {
        Self::new(Backup::Done, Counting::Never)
    }

    /// Answers `PublicKeyCredentialCreationOptionsJSON` with `RegistrationResponseJSON`.
    ///
    /// # Errors
    /// As a browser's `navigator.credentials.create()` would.
    pub fn create(&mut self, options: &Value, origin: &Url) -> Result<Value, AuthenticatorError> {
        self.create_tampered(options, origin, &Tamper::default())
    }

    /// As [`Self::create`], with lies.
    ///
    /// # Errors
    /// As a browser's `navigator.credentials.create()` would.
    pub fn create_tampered(
        &mut self,
        options: &Value,
        origin: &Url,
        tamper: &Tamper,
    ) -> Result<Value, AuthenticatorError> {
        let options = CreationOptions::deserialize(options).map_err(AuthenticatorError::Unreadable)?;
        belongs(&options.rp.id, origin)?;
        if !options.pub_key_cred_params.iter().any(|param| param.alg == ES256) {
            return Err(AuthenticatorError::NotSupported);
        }
        let here = |id: &Blob| self.passkeys.iter().any(|passkey| passkey.id == *id);
        if options.exclude_credentials.iter().any(|excluded| here(&excluded.id)) {
            return Err(AuthenticatorError::InvalidState);
        }
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).map_err(|_| AuthenticatorError::Library)?;
        let point: [u8; 65] = pair.public_key().as_ref().try_into().map_err(|_| AuthenticatorError::Library)?;
        // The id only has to be unique, and the hash of a fresh public key is.
        let id = Blob(Digest::of(&point).bytes().to_vec());
        let mut passkey = Passkey { id, rp_id: options.rp.id, user: options.user.id, pair, counter: 0 };

        let mut data = passkey.authenticator_data(self.backup, self.counting, Flags::ATTESTED, tamper);
        data.extend_from_slice(&[0; 16]); // AAGUID: none
        data.extend_from_slice(&u16::try_from(passkey.id.0.len()).unwrap_or(0).to_be_bytes());
        data.extend_from_slice(&passkey.id.0);
        data.extend_from_slice(&cbor::cose_key(&point, tamper.algorithm.unwrap_or(ES256)));

        let id = tamper.credential_id.clone().map_or_else(|| passkey.id.clone(), Blob);
        let response = json!({
            "id": id, "rawId": id, "type": "public-key",
            "authenticatorAttachment": "platform", "clientExtensionResults": {},
            "response": {
                "clientDataJSON": Blob(client_data("webauthn.create", &options.challenge, origin, tamper).into_bytes()),
                "attestationObject": Blob(cbor::attestation_object(&data)),
                "authenticatorData": Blob(data),
                "transports": ["internal"],
                "publicKeyAlgorithm": ES256,
            },
        });
        self.passkeys.push(passkey);
        Ok(response)
    }

    /// Answers `PublicKeyCredentialRequestOptionsJSON` with `AuthenticationResponseJSON`.
    ///
    /// # Errors
    /// As a browser's `navigator.credentials.get()` would.
    pub fn get(&mut self, options: &Value, origin: &Url) -> Result<Value, AuthenticatorError> {
        self.get_tampered(options, origin, &Tamper::default())
    }

    /// As [`Self::get`], with lies.
    ///
    /// # Errors
    /// As a browser's `navigator.credentials.get()` would.
    pub fn get_tampered(
        &mut self,
        options: &Value,
        origin: &Url,
        tamper: &Tamper,
    ) -> Result<Value, AuthenticatorError> {
        let options = RequestOptions::deserialize(options).map_err(AuthenticatorError::Unreadable)?;
        belongs(&options.rp_id, origin)?;
        let allowed = |passkey: &&mut Passkey| {
            passkey.rp_id == options.rp_id
                && (options.allow_credentials.is_empty()
                    || options.allow_credentials.iter().any(|allowed| allowed.id == passkey.id))
        };
        let passkey = self.passkeys.iter_mut().find(allowed).ok_or(AuthenticatorError::NotAllowed)?;
        let data = passkey.authenticator_data(self.backup, self.counting, Flags::NONE, tamper);
        let client_data = client_data("webauthn.get", &options.challenge, origin, tamper);
        let signed = [data.as_slice(), Digest::of(client_data.as_bytes()).bytes()].concat();
        let signature = passkey.pair.sign(&SystemRandom::new(), &signed).map_err(|_| AuthenticatorError::Library)?;
        let mut signature = signature.as_ref().to_vec();
        if let Some(byte) = tamper.flip_signature.and_then(|at| signature.iter_mut().rev().nth(at)) {
            *byte ^= 1;
        }
        let id = tamper.credential_id.clone().map_or_else(|| passkey.id.clone(), Blob);
        Ok(json!({
            "id": id, "rawId": id, "type": "public-key",
            "authenticatorAttachment": "platform", "clientExtensionResults": {},
            "response": {
                "clientDataJSON": Blob(client_data.into_bytes()),
                "authenticatorData": Blob(data),
                "signature": Blob(signature),
                "userHandle": passkey.user,
            },
        }))
    }
}

impl Passkey {
    /// RP ID hash, flags and counter (WebAuthn L3 section 6.1). Counts the ceremony.
    fn authenticator_data(&mut self, backup: Backup, counting: Counting, more: Flags, tamper: &Tamper) -> Vec<u8> {
        if counting == Counting::Rises {
            self.counter += 1;
        }
        let backup = match backup {
            Backup::Never => Flags::NONE,
            Backup::Eligible => Flags::BACKUP_ELIGIBLE,
            Backup::Done => Flags::BACKUP_ELIGIBLE.and(Flags::BACKED_UP),
        };
        let flags = Flags::USER_PRESENT.and(Flags::USER_VERIFIED).and(backup).and(more);
        let flags = flags.and(tamper.set.unwrap_or(Flags::NONE)).without(tamper.clear.unwrap_or(Flags::NONE));
        let rp_id = tamper.rp_id.as_ref().unwrap_or(&self.rp_id);
        let mut data = Digest::of(rp_id.as_bytes()).bytes().to_vec();
        data.push(flags.0);
        data.extend_from_slice(&tamper.counter.unwrap_or(self.counter).to_be_bytes());
        data
    }
}

/// A browser lets a page use its own host as RP ID, or a parent domain of it (WebAuthn L3 section 5.1.3, step 8).
fn belongs(rp_id: &str, origin: &Url) -> Result<(), AuthenticatorError> {
    let host = origin.host_str().ok_or(AuthenticatorError::Security)?;
    let parent = host.strip_suffix(rp_id).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    if parent { Ok(()) } else { Err(AuthenticatorError::Security) }
}

/// Serialises the client data in the order of WebAuthn L3 section 5.8.1.1.
fn client_data(kind: &str, challenge: &Blob, origin: &Url, tamper: &Tamper) -> String {
    let kind = tamper.kind.as_deref().unwrap_or(kind);
    let challenge = tamper.challenge.clone().map_or_else(|| challenge.clone(), Blob);
    let origin = tamper.origin.clone().unwrap_or_else(|| origin.origin().ascii_serialization());
    let mut text = format!(
        r#"{{"type":{},"challenge":{},"origin":{},"crossOrigin":{}"#,
        json!(kind),
        json!(challenge),
        json!(origin),
        tamper.cross_origin.unwrap_or(false),
    );
    if let Some(top) = &tamper.top_origin {
        text.push_str(&format!(r#","topOrigin":{}"#, json!(top)));
    }
    for (name, value) in &tamper.members {
        text.push_str(&format!(",{}:{value}", json!(name)));
    }
    text.push('}');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin() -> Url {
        Url::parse("https://approve.example").unwrap()
    }

    fn options() -> Value {
        json!({
            "rp": {"id": "approve.example", "name": "x"}, "user": {"id": "AQ", "name": "x", "displayName": "x"},
            "challenge": "AAAA", "pubKeyCredParams": [{"type": "public-key", "alg": -7}],
        })
    }

    #[test]
    fn it_refuses_what_a_browser_refuses() {
        let mut authenticator = SoftAuthenticator::device_bound();
        let made = authenticator.create(&options(), &origin()).unwrap();

        let mut again = options();
        again["excludeCredentials"] = json!([{"type": "public-key", "id": made["id"]}]);
        assert!(matches!(authenticator.create(&again, &origin()), Err(AuthenticatorError::InvalidState)));

        let elsewhere = Url::parse("https://notapprove.example").unwrap();
        assert!(matches!(authenticator.create(&options(), &elsewhere), Err(AuthenticatorError::Security)));

        let mut other = options();
        other["pubKeyCredParams"] = json!([{"type": "public-key", "alg": -257}]);
        assert!(matches!(authenticator.create(&other, &origin()), Err(AuthenticatorError::NotSupported)));

        let unknown = json!({"rpId": "approve.example", "challenge": "AAAA", "allowCredentials": [{"id": "AAAA"}]});
        assert!(matches!(authenticator.get(&unknown, &origin()), Err(AuthenticatorError::NotAllowed)));
        assert!(matches!(authenticator.get(&json!({}), &origin()), Err(AuthenticatorError::Unreadable(_))));
    }

    #[test]
    fn the_counter_rises_unless_it_never_does() {
        let ask = json!({"rpId": "approve.example", "challenge": "AAAA"});
        for (mut authenticator, expected) in
            [(SoftAuthenticator::device_bound(), [2, 3]), (SoftAuthenticator::synced(), [0, 0])]
        {
            authenticator.create(&options(), &origin()).unwrap();
            for counter in expected {
                let answer = authenticator.get(&ask, &origin()).unwrap();
                let data = Blob::deserialize(&answer["response"]["authenticatorData"]).unwrap();
                assert_eq!(data.0[33..37], u32::to_be_bytes(counter));
            }
        }
    }
}
