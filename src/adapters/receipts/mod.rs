//! Receipts as JWS (RFC 7515, ES256), and the key set by which anybody checks them.
//!
//! May import: `domain`, `ports`, jsonwebtoken and aws-lc-rs. [`verify_receipt`] is what a customer does with a
//! receipt; the demo and the tests use it as one would.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use jsonwebtoken::errors::Error as JwtError;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use serde_json::{Value, json};

use crate::domain::ids::BackendId;
use crate::domain::receipt::{Receipt, TYP};
use crate::domain::time::Timestamp;
use crate::ports::secrets::{ReceiptSigner, SignError};

/// How far ahead of ours a signer's clock may be, in seconds (the design's bound on clocks that still work is 2 s).
const CLOCK_LEEWAY: i64 = 60;

/// Why a key can't be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("not a P-256 key in PEM (PKCS#8 if private, SubjectPublicKeyInfo if public)")]
    Pem(#[source] JwtError),
    #[error("a retired key must have been valid for some time")]
    Validity,
    #[error("a key can't be made or written")]
    Library,
}

/// A key that signs no more, kept so that old receipts can be checked.
#[derive(Debug, Clone)]
pub struct RetiredKey {
    /// `PUBLIC KEY` in PEM, as [`public_pem`] writes it.
    pub public_pem: String,
    pub not_before: Timestamp,
    pub not_after: Timestamp,
}

impl RetiredKey {
    /// As it stands in the key set.
    ///
    /// # Errors
    /// [`KeyError`] when it is no key, or was never valid.
    pub fn member(&self) -> Result<Value, KeyError> {
        if self.not_after <= self.not_before {
            return Err(KeyError::Validity);
        }
        let key = DecodingKey::from_ec_pem(self.public_pem.as_bytes()).map_err(KeyError::Pem)?;
        let mut jwk = json!(public_jwk(Jwk::from_decoding_key(&key, Some(Algorithm::ES256)))?);
        // `nbf` and `exp` of a JWK are registered by OpenID Federation 1.0, section 8.7.2, in seconds.
        jwk["nbf"] = json!(self.not_before.seconds());
        jwk["exp"] = json!(self.not_after.seconds());
        Ok(jwk)
    }
}

/// Signs with one key; publishes it and its retired predecessors.
pub struct Es256Receipts {
    kid: String,
    key: EncodingKey,
    key_set: Value,
}

impl Es256Receipts {
    /// `current_pem` is a PKCS#8 P-256 key, such as [`generate_pem`] makes.
    ///
    /// # Errors
    /// [`KeyError`] names what is wrong with a key.
    pub fn new(current_pem: &str, retired: &[RetiredKey]) -> Result<Self, KeyError> {
        let key = EncodingKey::from_ec_pem(current_pem.as_bytes()).map_err(KeyError::Pem)?;
        let current = public_jwk(Jwk::from_encoding_key(&key, Algorithm::ES256))?;
        let kid = current.common.key_id.clone().ok_or(KeyError::Library)?;
        let mut keys = vec![json!(current)];
        for old in retired {
            keys.push(old.member()?);
        }
        Ok(Self { kid, key, key_set: json!({ "keys": keys }) })
    }
}

impl ReceiptSigner for Es256Receipts {
    fn sign(&self, receipt: &Receipt) -> Result<String, SignError> {
        let header = Header { typ: Some(TYP.to_owned()), kid: Some(self.kid.clone()), ..Header::new(Algorithm::ES256) };
        encode(&header, receipt, &self.key).map_err(|e| SignError(Box::new(e)))
    }

    fn key_set(&self) -> Value {
        self.key_set.clone()
    }
}

/// Completes a P-256 JWK with its use and with its RFC 7638 thumbprint as `kid`; refuses any other curve.
fn public_jwk(jwk: Result<Jwk, JwtError>) -> Result<Jwk, KeyError> {
    let mut jwk = jwk.map_err(KeyError::Pem)?;
    if !is_p256(&jwk) {
        return Err(KeyError::Library);
    }
    jwk.common.public_key_use = Some(PublicKeyUse::Signature);
    jwk.common.key_id = Some(jwk.thumbprint(ThumbprintHash::SHA256).map_err(KeyError::Pem)?);
    Ok(jwk)
}

fn is_p256(jwk: &Jwk) -> bool {
    matches!(&jwk.algorithm, AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256)
}

/// A new P-256 key as PKCS#8 PEM: for receipts, and just as well for VAPID (RFC 8292 section 2 wants P-256 too).
///
/// # Errors
/// [`KeyError::Library`] when the library has no random bytes.
pub fn generate_pem() -> Result<String, KeyError> {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| KeyError::Library)?;
    Ok(pem("PRIVATE KEY", pair.to_pkcs8v1().map_err(|_| KeyError::Library)?.as_ref()))
}

/// The public half of a PKCS#8 PEM, to be kept in the key set when the key retires.
///
/// # Errors
/// [`KeyError`] when it isn't a P-256 key.
pub fn public_pem(private_pem: &str) -> Result<String, KeyError> {
    let key = EncodingKey::from_ec_pem(private_pem.as_bytes()).map_err(KeyError::Pem)?;
    let pair =
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.as_bytes()).map_err(|_| KeyError::Library)?;
    Ok(pem("PUBLIC KEY", pair.public_key().as_der().map_err(|_| KeyError::Library)?.as_ref()))
}

/// RFC 7468 section 3: lines of 64 characters.
fn pem(label: &str, der: &[u8]) -> String {
    let text = data_encoding::BASE64.encode(der);
    let mut out = format!("-----BEGIN {label}-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, tail) = rest.split_at(rest.len().min(64));
        out.push_str(line);
        out.push('\n');
        rest = tail;
    }
    out.push_str(&format!("-----END {label}-----\n"));
    out
}

/// What a customer expects of a receipt.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    pub issuer: &'a str,
    /// The customer's own backend.
    pub audience: BackendId,
    pub now: Timestamp,
}

/// When a receipt's time must not be over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Now, for whoever executes it.
    At(Timestamp),
    /// When it was issued, for whoever looks at an old one.
    WhenIssued,
}

/// Why a receipt must not be acted on.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    #[error("not a receipt: its header doesn't read as one")]
    Header(#[source] JwtError),
    #[error("not a receipt: it is of another type, or asks for something unknown")]
    Type,
    #[error("a receipt is signed with ES256 and nothing else")]
    Algorithm,
    #[error("no P-256 key of the key set has the receipt's kid")]
    UnknownKey,
    #[error("the receipt's key wasn't valid when it was signed")]
    KeyPeriod,
    #[error("the signature, the issuer, the audience or the form of the claims is wrong")]
    Refused(#[source] JwtError),
    #[error("the receipt's time is over")]
    Expired,
    #[error("the receipt is from the future")]
    Early,
}

/// Checks a receipt against a published key set, as its customer must before executing: type, algorithm, key,
/// signature, issuer, audience and time. The caller still compares amount, payee, source account and digest with its
/// own order.
///
/// # Errors
/// [`ReceiptError`] says why the receipt must not be acted on.
pub fn verify_receipt(key_set: &Value, jws: &str, expected: Expected<'_>) -> Result<Receipt, ReceiptError> {
    verify_offline(key_set, jws, Some(expected.issuer), Some(expected.audience), Freshness::At(expected.now))
}

/// As [`verify_receipt`], for somebody who isn't the customer: issuer and audience are compared where they are given.
/// The proof is checked by `Receipt::verify_proof`, with the log's keys.
///
/// # Errors
/// [`ReceiptError`].
pub fn verify_offline(
    key_set: &Value,
    jws: &str,
    issuer: Option<&str>,
    audience: Option<BackendId>,
    freshness: Freshness,
) -> Result<Receipt, ReceiptError> {
    let header = decode_header(jws).map_err(ReceiptError::Header)?;
    if header.typ.as_deref() != Some(TYP) || header.crit.is_some() {
        return Err(ReceiptError::Type);
    }
    if header.alg != Algorithm::ES256 {
        return Err(ReceiptError::Algorithm);
    }
    let member = published(key_set, header.kid.as_deref()).ok_or(ReceiptError::UnknownKey)?;
    let jwk: Jwk = serde_json::from_value(member.clone()).map_err(|_| ReceiptError::UnknownKey)?;
    if !is_p256(&jwk) {
        return Err(ReceiptError::UnknownKey);
    }
    let key = DecodingKey::from_jwk(&jwk).map_err(ReceiptError::Refused)?;
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
    if let Some(issuer) = issuer {
        validation.set_issuer(&[issuer]);
    }
    match audience {
        Some(audience) => validation.set_audience(&[audience]),
        None => validation.validate_aud = false,
    }
    // The library would ask the system's clock; ours is an argument.
    validation.validate_exp = false;
    let receipt: Receipt = decode(jws, &key, &validation).map_err(ReceiptError::Refused)?.claims;

    let bound = |name: &str| member.get(name).and_then(Value::as_i64);
    let in_period =
        bound("nbf").is_none_or(|from| receipt.iat >= from) && bound("exp").is_none_or(|to| receipt.iat < to);
    if !in_period {
        return Err(ReceiptError::KeyPeriod);
    }
    let now = match freshness {
        Freshness::At(now) => now.seconds(),
        Freshness::WhenIssued => receipt.iat,
    };
    if now >= receipt.exp {
        return Err(ReceiptError::Expired);
    }
    if receipt.iat > now.saturating_add(CLOCK_LEEWAY) {
        return Err(ReceiptError::Early);
    }
    Ok(receipt)
}

fn published<'a>(key_set: &'a Value, kid: Option<&str>) -> Option<&'a Value> {
    let keys = key_set.get("keys")?.as_array()?;
    keys.iter().find(|key| kid.is_some() && key.get("kid").and_then(Value::as_str) == kid)
}

#[cfg(test)]
mod tests;
