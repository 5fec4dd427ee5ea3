//! Who is sending: the application server's key and its signed tokens (VAPID, RFC 8292). A browser subscribes with the
//! public key, and its push service then takes messages from nobody else.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use std::fmt;
use std::time::Duration;
use url::Url;

use crate::domain::time::Timestamp;

/// How long a token holds; RFC 8292 section 2 allows 24 hours. One is made for every message, so that only clocks which
/// differ by more than this refuse each other.
const TOKEN_LIFE: Duration = Duration::from_secs(3600);

/// Why there is no sender.
#[derive(Debug, thiserror::Error)]
pub enum BadVapid {
    #[error("the push key isn't a PKCS#8 key in PEM")]
    Pem(#[source] rustls_pki_types::pem::Error),
    #[error("the push key isn't a P-256 key")]
    Key(#[source] aws_lc_rs::error::KeyRejected),
    #[error("the push contact isn't a mailto: or https: URL")]
    Contact,
}

/// A token couldn't be signed.
#[derive(Debug, thiserror::Error)]
#[error("the push token can't be signed")]
pub struct SigningFailed(#[source] jsonwebtoken::errors::Error);

/// The sender's key, and whom a push service may ask about it.
pub struct Vapid {
    key: EncodingKey,
    public: String,
    contact: String,
}

#[derive(Serialize)]
struct Claims<'a> {
    aud: String,
    exp: i64,
    sub: &'a str,
}

impl Vapid {
    /// From a P-256 private key in PKCS#8 PEM, and a contact (RFC 8292 section 2.1): `mailto:` or `https:`.
    ///
    /// # Errors
    /// [`BadVapid`].
    pub fn from_pem(key: &SecretString, contact: &str) -> Result<Self, BadVapid> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(key.expose_secret().as_bytes()).map_err(BadVapid::Pem)?;
        Self::from_pkcs8(der.secret_pkcs8_der(), contact)
    }

    /// The same from DER.
    ///
    /// # Errors
    /// [`BadVapid`].
    pub fn from_pkcs8(key: &[u8], contact: &str) -> Result<Self, BadVapid> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key).map_err(BadVapid::Key)?;
        let known = Url::parse(contact).is_ok_and(|url| matches!(url.scheme(), "mailto" | "https"));
        if !known {
            return Err(BadVapid::Contact);
        }
        Ok(Self {
            key: EncodingKey::from_ec_der(key),
            public: BASE64URL_NOPAD.encode(pair.public_key().as_ref()),
            contact: contact.to_owned(),
        })
    }

    /// The uncompressed point in base64url, as `PushManager.subscribe` takes it (Push API, `applicationServerKey`).
    pub fn public_key(&self) -> &str {
        &self.public
    }

    /// `Authorization` for one request (RFC 8292 section 3). The audience is the endpoint's origin, with its port.
    pub(super) fn authorization(&self, endpoint: &Url, now: Timestamp) -> Result<String, SigningFailed> {
        let claims = Claims {
            aud: endpoint.origin().ascii_serialization(),
            exp: (now + TOKEN_LIFE).seconds(),
            sub: &self.contact,
        };
        let token = encode(&Header::new(Algorithm::ES256), &claims, &self.key).map_err(SigningFailed)?;
        Ok(format!("vapid t={token}, k={}", self.public))
    }
}

impl fmt::Debug for Vapid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vapid({})", self.public)
    }
}
