//! What is decided on. A closed schema: what the deciding page doesn't show can't be in it. The canonical bytes
//! (RFC 8785) are what is stored, shown, hashed and signed; `digest` is their SHA-256.

use aws_lc_rs::digest::{SHA256, digest as hash};
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

use super::money::{Amount, Asset, BadMoney, Currency, Unit};
use super::text::{Line, Token};
use super::time::Timestamp;

/// The backend's own id of a transfer.
pub type TransferId = Token<64>;
/// The backend's opaque id of a holder.
pub type Subject = Token<128>;
/// An account number or address, shown whole. 128 holds an IBAN (34) and every chain's address.
pub type Account = Token<128>;
/// A payee's name as the sender gave it (ISO 20022 Max140Text).
pub type PayeeName = Line<140>;

/// SHA-256 of canonical details, in hex on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

/// The text isn't 64 lower-case hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a digest: it should be 64 lower-case hex digits")]
pub struct BadDigest;

/// Why details were refused.
#[derive(Debug, thiserror::Error)]
pub enum BadDetails {
    #[error("amount {0}")]
    Amount(#[source] BadMoney),
    #[error("name either a currency or an asset, and only one")]
    Unit,
    #[error("stored details don't read back")]
    Stored(#[source] serde_json::Error),
    #[error("details can't be written canonically")]
    Canonical(#[source] serde_json::Error),
}

/// Who gets the money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payee {
    pub name: PayeeName,
    pub account: Account,
}

/// The account the money leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceAccount {
    pub id: Token<64>,
    pub label: Line<60>,
}

/// How the transfer was started, as the backend saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartedOn {
    Website,
    App,
    Phone,
    Branch,
    Api,
    /// A program that acts for the holder.
    Agent,
}

/// Whether the holder has paid this account before, as far as the backend knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PayeeHistory {
    New,
    Known,
}

/// The initiator's context, each part shown on the deciding page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Initiator {
    pub started_on: StartedOn,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// For example "a computer near Leeds".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Line<80>>,
}

/// Sixteen random bytes in every details, so that the digest tells nothing to who doesn't have the details.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Salt(pub [u8; 16]);

/// A transfer of money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    pub transfer_id: TransferId,
    pub subject: Subject,
    #[serde(deserialize_with = "stored_amount")]
    pub amount: Amount,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<Currency>,
    #[serde(skip_serializing_if = "Option::is_none")]
    asset: Option<Asset>,
    pub payee: Payee,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payee_history: Option<PayeeHistory>,
    pub source_account: SourceAccount,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<Line<140>>,
    pub initiator: Initiator,
    pub salt: Salt,
}

/// The parts of a [`Transfer`] before they are checked against each other.
#[derive(Debug, Clone)]
pub struct TransferParts {
    pub transfer_id: TransferId,
    pub subject: Subject,
    pub amount: String,
    pub currency: Option<Currency>,
    pub asset: Option<Asset>,
    pub payee: Payee,
    pub payee_history: Option<PayeeHistory>,
    pub source_account: SourceAccount,
    pub reference: Option<Line<140>>,
    pub initiator: Initiator,
}

/// What an approval decides on, as stored. Further kinds (a further device, a changed channel, an override) join here.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Stored {
    Transfer(Transfer),
}

/// Details with their canonical bytes and digest, which can't disagree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Details {
    transfer: Transfer,
    canonical: String,
    digest: Digest,
}

impl Transfer {
    /// Puts the parts together.
    ///
    /// # Errors
    /// [`BadDetails::Unit`] without exactly one unit, [`BadDetails::Amount`] when the amount doesn't fit the unit.
    pub fn new(parts: TransferParts, salt: Salt) -> Result<Self, BadDetails> {
        let unit = unit_of(parts.currency, parts.asset.clone())?;
        let amount = Amount::parse(&parts.amount, &unit).map_err(BadDetails::Amount)?;
        Ok(Self {
            transfer_id: parts.transfer_id,
            subject: parts.subject,
            amount,
            currency: parts.currency,
            asset: parts.asset,
            payee: parts.payee,
            payee_history: parts.payee_history,
            source_account: parts.source_account,
            reference: parts.reference,
            initiator: parts.initiator,
            salt,
        })
    }

    /// What the amount counts. Exactly one of currency and asset is there by construction.
    pub fn unit(&self) -> Option<Unit> {
        unit_of(self.currency, self.asset.clone()).ok()
    }

    /// The short code that stands beside the amount.
    pub fn unit_code(&self) -> &str {
        match (&self.currency, &self.asset) {
            (Some(currency), _) => currency.code(),
            (None, Some(asset)) => asset.symbol.as_str(),
            (None, None) => "",
        }
    }

    /// The network of an asset.
    pub fn network(&self) -> Option<&str> {
        self.asset.as_ref().map(|asset| asset.network.as_str())
    }
}

fn unit_of(currency: Option<Currency>, asset: Option<Asset>) -> Result<Unit, BadDetails> {
    match (currency, asset) {
        (Some(currency), None) => Ok(Unit::Currency(currency)),
        (None, Some(asset)) => Ok(Unit::Asset(asset)),
        _ => Err(BadDetails::Unit),
    }
}

fn stored_amount<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Amount, D::Error> {
    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
    Amount::parse_with(&text, super::money::ASSET_DECIMALS).map_err(serde::de::Error::custom)
}

impl Details {
    /// Writes the transfer canonically and hashes it.
    ///
    /// # Errors
    /// [`BadDetails::Canonical`] if it can't be written, which no value of this type should cause.
    pub fn of(transfer: Transfer) -> Result<Self, BadDetails> {
        let tagged = Tagged { kind: "transfer", transfer: &transfer };
        let canonical = serde_json_canonicalizer::to_string(&tagged).map_err(BadDetails::Canonical)?;
        let digest = Digest::of(canonical.as_bytes());
        Ok(Self { transfer, canonical, digest })
    }

    /// Reads stored canonical bytes; they must be canonical to the byte.
    ///
    /// # Errors
    /// [`BadDetails::Stored`] when they aren't details, [`BadDetails::Unit`] or [`BadDetails::Amount`] when the parts
    /// contradict each other.
    pub fn from_canonical(canonical: &str) -> Result<Self, BadDetails> {
        let Stored::Transfer(transfer) = serde_json::from_str(canonical).map_err(BadDetails::Stored)?;
        let unit = unit_of(transfer.currency, transfer.asset.clone())?;
        Amount::parse(transfer.amount.as_str(), &unit).map_err(BadDetails::Amount)?;
        let details = Self::of(transfer)?;
        if details.canonical == canonical {
            Ok(details)
        } else {
            Err(BadDetails::Stored(serde::de::Error::custom("not canonical")))
        }
    }

    /// Reads details back whose text is known to be ours, because it was sealed, so that it needn't be written again to
    /// be compared.
    ///
    /// # Errors
    /// [`BadDetails::Stored`] when they aren't details.
    pub fn from_sealed(canonical: &str) -> Result<Self, BadDetails> {
        let Stored::Transfer(transfer) = serde_json::from_str(canonical).map_err(BadDetails::Stored)?;
        Ok(Self { transfer, canonical: canonical.to_owned(), digest: Digest::of(canonical.as_bytes()) })
    }

    pub fn transfer(&self) -> &Transfer {
        &self.transfer
    }

    /// The canonical JSON text (RFC 8785).
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    pub fn digest(&self) -> Digest {
        self.digest
    }
}

#[derive(Serialize)]
struct Tagged<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(flatten)]
    transfer: &'a Transfer,
}

impl Digest {
    /// SHA-256 of the bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let mut out = [0; 32];
        out.copy_from_slice(hash(&SHA256, bytes).as_ref());
        Self(out)
    }

    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = BadDigest;
    fn from_str(text: &str) -> Result<Self, BadDigest> {
        let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).map_err(|_| BadDigest)?;
        bytes.try_into().map(Self).map_err(|_| BadDigest)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt(..)")
    }
}

impl Serialize for Salt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64URL_NOPAD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Salt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(serde::de::Error::custom)?;
        bytes.try_into().map(Self).map_err(|_| serde::de::Error::custom("a salt has 16 bytes"))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn parts() -> TransferParts {
        TransferParts {
            transfer_id: TransferId::parse("wd-1").unwrap(),
            subject: Subject::parse("u-77").unwrap(),
            amount: "12500.00".into(),
            currency: Some(Currency::parse("EUR").unwrap()),
            asset: None,
            payee: Payee {
                name: PayeeName::parse("Marta Nowak").unwrap(),
                account: Account::parse("PL61109010140000071219812874").unwrap(),
            },
            payee_history: Some(PayeeHistory::New),
            source_account: SourceAccount {
                id: Token::parse("acc-4471").unwrap(),
                label: Line::parse("Everyday account, ending 4471").unwrap(),
            },
            reference: Some(Line::parse("Invoice 2231").unwrap()),
            initiator: Initiator { started_on: StartedOn::Website, started_at: None, from: None },
        }
    }

    #[test]
    fn canonical_text_is_sorted_and_reads_back_to_the_same_digest() {
        let details = Details::of(Transfer::new(parts(), Salt([9; 16])).unwrap()).unwrap();
        assert!(details.canonical().starts_with(r#"{"amount":"12500.00","currency":"EUR","initiator":"#));
        let again = Details::from_canonical(details.canonical()).unwrap();
        assert_eq!(again.digest(), details.digest());
        assert_eq!(again, details);
    }

    #[test]
    fn every_changed_part_changes_the_digest() {
        let base = Details::of(Transfer::new(parts(), Salt([9; 16])).unwrap()).unwrap().digest();
        let change = |edit: fn(&mut TransferParts)| {
            let mut parts = parts();
            edit(&mut parts);
            Details::of(Transfer::new(parts, Salt([9; 16])).unwrap()).unwrap().digest()
        };
        assert_ne!(base, change(|p| p.amount = "12500.01".into()));
        assert_ne!(base, change(|p| p.payee.account = Account::parse("PL61109010140000071219812875").unwrap()));
        assert_ne!(base, change(|p| p.currency = Some(Currency::parse("USD").unwrap())));
        assert_ne!(base, change(|p| p.reference = None));
        assert_ne!(base, Details::of(Transfer::new(parts(), Salt([8; 16])).unwrap()).unwrap().digest());
    }

    #[test]
    fn needs_exactly_one_unit_and_no_strange_bytes() {
        let mut none = parts();
        none.currency = None;
        assert!(matches!(Transfer::new(none, Salt([0; 16])), Err(BadDetails::Unit)));
        let details = Details::of(Transfer::new(parts(), Salt([9; 16])).unwrap()).unwrap();
        let spaced = details.canonical().replacen(':', ": ", 1);
        assert!(Details::from_canonical(&spaced).is_err());
        let twice = details.canonical().replacen('{', r#"{"amount":"1.00","#, 1);
        assert!(Details::from_canonical(&twice).is_err());
        let more = details.canonical().replacen('{', r#"{"aaa":1,"#, 1);
        assert!(Details::from_canonical(&more).is_err());
    }
}
