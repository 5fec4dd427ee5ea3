//! A device key with its private half, as WebCrypto would hold it in a device's browser.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};

use super::AuthenticatorError;
use crate::domain::device::{Blob, DeviceKey, Thumbprint};
use crate::domain::linking::device_key_message;

/// A P-256 key pair that signs `r ‖ s`.
pub struct DeviceKeyPair {
    pair: EcdsaKeyPair,
    key: DeviceKey,
}

impl DeviceKeyPair {
    /// # Errors
    /// [`AuthenticatorError::Library`] when no key can be made.
    pub fn generate() -> Result<Self, AuthenticatorError> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| AuthenticatorError::Library)?;
        let key = DeviceKey::from_bytes(pair.public_key().as_ref()).map_err(|_| AuthenticatorError::Library)?;
        Ok(Self { pair, key })
    }

    /// The public half.
    pub const fn key(&self) -> &DeviceKey {
        &self.key
    }

    pub fn thumbprint(&self) -> Thumbprint {
        self.key.thumbprint()
    }

    /// The public half as `static/keys.js` sends it: the four members that RFC 7638 hashes.
    pub fn jwk(&self) -> Value {
        let part = |bytes: &[u8]| data_encoding::BASE64URL_NOPAD.encode(bytes);
        let point = self.key.bytes();
        json!({"kty": "EC", "crv": "P-256", "x": part(&point[1..33]), "y": part(&point[33..])})
    }

    /// Signs `payload` under a domain tag of [`crate::domain::linking`].
    ///
    /// # Errors
    /// [`AuthenticatorError::Library`] when the library can't sign.
    pub fn sign(&self, tag: &str, payload: &[u8]) -> Result<Blob, AuthenticatorError> {
        self.sign_bytes(&device_key_message(tag, payload))
    }

    /// Signs any bytes at all: no browser of ours would, a forger may.
    ///
    /// # Errors
    /// [`AuthenticatorError::Library`] when the library can't sign.
    pub fn sign_bytes(&self, message: &[u8]) -> Result<Blob, AuthenticatorError> {
        let signature = self.pair.sign(&SystemRandom::new(), message).map_err(|_| AuthenticatorError::Library)?;
        Ok(Blob(signature.as_ref().to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::linking::{DEVICE_KEY_APPROVE, DEVICE_KEY_PROMPT};

    #[test]
    fn it_signs_what_the_domain_checks() {
        let mine = DeviceKeyPair::generate().unwrap();
        let other = DeviceKeyPair::generate().unwrap();
        let signature = mine.sign(DEVICE_KEY_APPROVE, b"challenge").unwrap();
        let message = device_key_message(DEVICE_KEY_APPROVE, b"challenge");
        assert!(mine.key().verifies(&message, &signature.0));
        assert!(!other.key().verifies(&message, &signature.0));
        assert!(!mine.key().verifies(&device_key_message(DEVICE_KEY_PROMPT, b"challenge"), &signature.0));
    }

    #[test]
    fn its_jwk_names_the_same_key() {
        let pair = DeviceKeyPair::generate().unwrap();
        let jwk = pair.jwk();
        let read = DeviceKey::from_jwk(jwk["x"].as_str().unwrap(), jwk["y"].as_str().unwrap()).unwrap();
        assert_eq!(read.thumbprint(), pair.thumbprint());
    }
}
