//! A receipt comes back from the redeem: what its executor must check before any money moves.
//!
//! Written as a customer would write it, with a JWT library and the published key set. May import: jsonwebtoken, and the
//! exchange's own order.

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;

use super::order::Order;

/// `typ` of a receipt. A token of any other type isn't one, whoever signed it (RFC 8725 section 3.11).
const TYP: &str = "countersign-receipt+jwt";
/// How far ahead of ours the signer's clock may be, in seconds.
const LEEWAY: i64 = 60;

/// Whose receipts the exchange takes, and for whom they must be.
#[derive(Debug, Clone)]
pub struct Trust {
    /// `iss`: the deployment of Countersign it has a contract with.
    pub issuer: String,
    /// `aud`: its own backend id there.
    pub audience: String,
}

/// The claims that the exchange looks at.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Receipt {
    /// The approval.
    pub jti: String,
    pub iat: i64,
    pub exp: i64,
    pub subject: String,
    pub transfer_id: String,
    pub digest: String,
    pub amount: String,
    pub unit: String,
    pub network: Option<String>,
    pub payee_account: String,
    pub source_account: String,
    /// Whether the deciding device was compared with the browser that started it.
    pub distinct: String,
    pub released_at: String,
}

/// Why no money moves on this receipt.
#[derive(Debug, thiserror::Error)]
pub enum BadReceipt {
    #[error("it isn't a signed token")]
    Form(#[source] jsonwebtoken::errors::Error),
    #[error("it isn't of the type of receipts")]
    Type,
    #[error("it isn't signed with ES256")]
    Algorithm,
    #[error("the key set has no such key")]
    Key,
    #[error("signature, issuer, audience or claims are wrong")]
    Refused(#[source] jsonwebtoken::errors::Error),
    #[error("its time is over, or has not come")]
    Time,
    #[error("its {0} isn't that of the order")]
    Differs(&'static str),
}

impl Trust {
    /// Checks that the receipt is one: type, algorithm, key, signature, issuer, audience and time. `now` in seconds
    /// since the epoch.
    ///
    /// # Errors
    /// [`BadReceipt`].
    pub fn verify(&self, keys: &JwkSet, jws: &str, now: i64) -> Result<Receipt, BadReceipt> {
        let header = decode_header(jws).map_err(BadReceipt::Form)?;
        if header.typ.as_deref() != Some(TYP) {
            return Err(BadReceipt::Type);
        }
        if header.alg != Algorithm::ES256 {
            return Err(BadReceipt::Algorithm);
        }
        let jwk = header.kid.as_deref().and_then(|kid| keys.find(kid)).ok_or(BadReceipt::Key)?;
        let key = DecodingKey::from_jwk(jwk).map_err(|_| BadReceipt::Key)?;
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_required_spec_claims(&["iss", "aud", "exp"]);
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[&self.audience]);
        // The library would ask the machine's clock; the exchange's own is an argument, and is compared below.
        validation.validate_exp = false;
        let receipt: Receipt = decode(jws, &key, &validation).map_err(BadReceipt::Refused)?.claims;
        if now >= receipt.exp || receipt.iat > now.saturating_add(LEEWAY) {
            return Err(BadReceipt::Time);
        }
        Ok(receipt)
    }
}

impl Receipt {
    /// Compares the receipt with the order it is about to be executed for. A valid receipt for something else is what
    /// an attacker would bring.
    ///
    /// # Errors
    /// [`BadReceipt::Differs`].
    pub fn is_for(&self, order: &Order, approval: &str, digest: &str) -> Result<(), BadReceipt> {
        let pairs = [
            ("approval", self.jti.as_str(), approval),
            ("subject", &self.subject, &order.subject),
            ("transfer_id", &self.transfer_id, &order.id),
            ("amount", &self.amount, &order.amount),
            ("unit", &self.unit, order.unit.code),
            ("network", self.network.as_deref().unwrap_or_default(), order.unit.network.unwrap_or_default()),
            ("payee account", &self.payee_account, &order.account),
            ("source account", &self.source_account, order.source()),
            ("digest", &self.digest, digest),
        ];
        match pairs.iter().find(|(_, theirs, ours)| theirs != ours) {
            Some((what, _, _)) => Err(BadReceipt::Differs(what)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
