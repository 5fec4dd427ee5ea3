//! A device's browser: an authenticator, a device key, and the bodies that the holder pages' scripts send with them.

use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::{AuthenticatorError, DeviceKeyPair, SoftAuthenticator};
use crate::domain::device::Blob;
use crate::domain::linking::{DEVICE_KEY_APPROVE, DEVICE_KEY_PROMPT, DEVICE_KEY_WAIT, ENROL};

/// One browser on one device. It makes bodies; who sends them, and keeps cookies, is up to the caller.
pub struct SoftBrowser {
    pub origin: Url,
    pub authenticator: SoftAuthenticator,
    pub key: DeviceKeyPair,
}

/// What the server answers when a ceremony begins: options, and state that travels sealed through the page.
#[derive(Deserialize)]
struct Begun {
    options: Value,
    sealed: Value,
}

impl Begun {
    fn read(answer: &Value) -> Result<Self, AuthenticatorError> {
        Self::deserialize(answer).map_err(AuthenticatorError::Unreadable)
    }

    /// The challenge that passkey and device key both sign.
    fn challenge(&self) -> Result<Blob, AuthenticatorError> {
        let challenge = self.options.get("challenge").unwrap_or(&Value::Null);
        Blob::deserialize(challenge).map_err(AuthenticatorError::Unreadable)
    }
}

impl SoftBrowser {
    /// A browser that has a new device key and opens pages of `origin`.
    ///
    /// # Errors
    /// [`AuthenticatorError::Library`] when no key can be made.
    pub fn new(origin: Url, authenticator: SoftAuthenticator) -> Result<Self, AuthenticatorError> {
        Ok(Self { origin, authenticator, key: DeviceKeyPair::generate()? })
    }

    /// Body of the enrolment's start.
    pub fn start_body(&self, code: &str, name: &str) -> Value {
        json!({ "code": code, "name": name, "device_key": self.key.jwk() })
    }

    /// Body that answers the start: a new passkey.
    ///
    /// # Errors
    /// As the browser would refuse.
    pub fn prove_body(&mut self, begun: &Value) -> Result<Value, AuthenticatorError> {
        let begun = Begun::read(begun)?;
        let registration = self.authenticator.create(&begun.options, &self.origin)?;
        Ok(json!({ "sealed": begun.sealed, "registration": registration }))
    }

    /// Body that ends the enrolment: an assertion and the device key's signature over its challenge.
    ///
    /// # Errors
    /// As the browser would refuse.
    pub fn finish_body(&mut self, begun: &Value) -> Result<Value, AuthenticatorError> {
        let begun = Begun::read(begun)?;
        let signature = self.key.sign(ENROL, &begun.challenge()?.0)?;
        let assertion = self.authenticator.get(&begun.options, &self.origin)?;
        Ok(json!({ "sealed": begun.sealed, "assertion": assertion, "signature": signature }))
    }

    /// Body that asks for a prompt.
    ///
    /// # Errors
    /// [`AuthenticatorError::Library`] when the key can't sign.
    pub fn prompt_body(&self, page_token: &str) -> Result<Value, AuthenticatorError> {
        let signature = self.key.sign(DEVICE_KEY_PROMPT, page_token.as_bytes())?;
        Ok(json!({ "page_token": page_token, "thumbprint": self.key.thumbprint(), "signature": signature }))
    }

    /// Body that approves what the prompt is about.
    ///
    /// # Errors
    /// As the browser would refuse.
    pub fn approve_body(&mut self, begun: &Value) -> Result<Value, AuthenticatorError> {
        let begun = Begun::read(begun)?;
        let signature = self.key.sign(DEVICE_KEY_APPROVE, &begun.challenge()?.0)?;
        let assertion = self.authenticator.get(&begun.options, &self.origin)?;
        Ok(json!({
            "sealed": begun.sealed, "assertion": assertion,
            "thumbprint": self.key.thumbprint(), "signature": signature,
        }))
    }

    /// Body by which the waiting page shows the device keys of this browser.
    ///
    /// # Errors
    /// [`AuthenticatorError::Library`] when the key can't sign.
    pub fn wait_body(&self, page_token: &str) -> Result<Value, AuthenticatorError> {
        let signature = self.key.sign(DEVICE_KEY_WAIT, page_token.as_bytes())?;
        let key = json!({
            "thumbprint": self.key.thumbprint(), "public_key": self.key.jwk(), "signature": signature,
        });
        Ok(json!({ "keys": [key], "page_token": page_token }))
    }
}
