//! Passkeys as the simulation has them: a keyed hash in the place of a signature. Whoever doesn't have the passkey's
//! secret can't answer a challenge, and the adapter that checks real ones is tested elsewhere.

use countersign::domain::HolderId;
use countersign::domain::details::Digest;
use countersign::domain::device::Blob;
use countersign::domain::evidence::SignedAssertion;
use countersign::domain::linking::length_prefixed;
use countersign::domain::policy::Assurance;
use countersign::ports::Ceremonies;
use countersign::ports::outward::{CeremonyError, NewCredential, VerifiedAssertion};
use serde_json::{Value, json};

/// A passkey without a counter, as synced ones are, or with one.
#[derive(Debug, Clone)]
pub struct Passkey {
    pub id: Blob,
    secret: String,
}

impl Passkey {
    pub fn new(number: u8) -> Self {
        Self { id: Blob(vec![number; 16]), secret: format!("the secret of passkey {number}") }
    }

    /// What the record keeps.
    pub fn credential(&self) -> Value {
        json!({ "secret": self.secret })
    }

    /// Answers a challenge, with the authenticator's counter.
    pub fn sign(&self, challenge: &Digest, counter: u32) -> Value {
        let signature = signature(&self.secret, challenge, counter);
        json!({ "id": self.id, "challenge": challenge, "counter": counter, "signature": signature })
    }
}

fn signature(secret: &str, challenge: &Digest, counter: u32) -> Digest {
    Digest::of(&length_prefixed(&[secret.as_bytes(), challenge.bytes(), &counter.to_be_bytes()]))
}

/// Whether stored evidence holds an answer of this passkey to this challenge.
pub fn evidence_fits(assertion: &SignedAssertion, passkey: &Passkey, challenge: &Digest) -> bool {
    let counter = assertion.authenticator_data.0.as_slice().try_into().map(u32::from_be_bytes);
    assertion.credential_id == passkey.id
        && counter.is_ok_and(|counter| assertion.signature.0 == signature(&passkey.secret, challenge, counter).bytes())
}

/// Checks such answers in the services' place of WebAuthn.
pub struct SimulatedCeremonies;

impl Ceremonies for SimulatedCeremonies {
    fn rp_id(&self) -> &str {
        "approve.example"
    }

    fn creation_options(&self, _: &Digest, _: HolderId, _: &str, _: &[Blob]) -> Result<Value, CeremonyError> {
        Ok(json!({}))
    }

    fn register(&self, _: &Digest, response: &Value) -> Result<NewCredential, CeremonyError> {
        let malformed = |error: serde_json::Error| CeremonyError::Malformed(Box::new(error));
        Ok(NewCredential {
            id: serde_json::from_value(response["id"].clone()).map_err(malformed)?,
            credential: response["credential"].clone(),
            assurance: Assurance::Synced,
            counter: 0,
        })
    }

    fn request_options(&self, _: &Digest, _: &Blob) -> Result<Value, CeremonyError> {
        Ok(json!({}))
    }

    fn verify(
        &self,
        challenge: &Digest,
        response: &Value,
        credential: &Value,
        stored: u32,
    ) -> Result<VerifiedAssertion, CeremonyError> {
        let refused = |name| CeremonyError::Refused { name, source: None };
        let counter = response["counter"].as_u64().and_then(|counter| u32::try_from(counter).ok());
        let counter = counter.ok_or_else(|| refused("other"))?;
        if response["challenge"] != json!(challenge) {
            return Err(refused("challenge"));
        }
        let secret = credential["secret"].as_str().ok_or_else(|| refused("credential"))?;
        let expected = signature(secret, challenge, counter);
        if response["signature"] != json!(expected) {
            return Err(refused("signature"));
        }
        if counter <= stored && (counter, stored) != (0, 0) {
            return Err(refused("counter"));
        }
        let malformed = |error: serde_json::Error| CeremonyError::Malformed(Box::new(error));
        let assertion = SignedAssertion {
            credential_id: serde_json::from_value(response["id"].clone()).map_err(malformed)?,
            authenticator_data: Blob(counter.to_be_bytes().to_vec()),
            client_data_json: Blob(Vec::new()),
            signature: Blob(expected.bytes().to_vec()),
            public_key: Value::Null,
        };
        Ok(VerifiedAssertion { assertion, counter })
    }
}

/// Takes anybody's passkey for the right one: a planted bug.
pub struct AnyPasskey;

impl Ceremonies for AnyPasskey {
    fn rp_id(&self) -> &str {
        SimulatedCeremonies.rp_id()
    }

    fn creation_options(&self, _: &Digest, _: HolderId, _: &str, _: &[Blob]) -> Result<Value, CeremonyError> {
        Ok(json!({}))
    }

    fn register(&self, challenge: &Digest, response: &Value) -> Result<NewCredential, CeremonyError> {
        SimulatedCeremonies.register(challenge, response)
    }

    fn request_options(&self, _: &Digest, _: &Blob) -> Result<Value, CeremonyError> {
        Ok(json!({}))
    }

    fn verify(&self, _: &Digest, response: &Value, _: &Value, _: u32) -> Result<VerifiedAssertion, CeremonyError> {
        let malformed = |error: serde_json::Error| CeremonyError::Malformed(Box::new(error));
        let signature: Digest = serde_json::from_value(response["signature"].clone()).map_err(malformed)?;
        let counter = response["counter"].as_u64().and_then(|counter| u32::try_from(counter).ok()).unwrap_or_default();
        let assertion = SignedAssertion {
            credential_id: serde_json::from_value(response["id"].clone()).map_err(malformed)?,
            authenticator_data: Blob(counter.to_be_bytes().to_vec()),
            client_data_json: Blob(Vec::new()),
            signature: Blob(signature.bytes().to_vec()),
            public_key: Value::Null,
        };
        Ok(VerifiedAssertion { assertion, counter })
    }
}
