//! What a customer of the exchange orders: a withdrawal, first as typed into the form, then checked.
//!
//! Owns the exchange's own rules of the form, what it asks its holder to approve, and the digest by which it knows that
//! nothing else was approved. May import: serde_json, aws-lc-rs.

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Value, json};

/// What can be withdrawn.
#[derive(Debug, PartialEq, Eq)]
pub struct Unit {
    pub code: &'static str,
    /// The network, where it is an asset; none for a currency.
    pub network: Option<&'static str>,
    pub decimals: usize,
    /// What the withdrawal costs beside the amount.
    pub fee: &'static str,
    /// Play money. It never runs out.
    pub balance: &'static str,
}

/// The first one is what the form begins with.
pub const UNITS: [Unit; 3] = [
    Unit { code: "BTC", network: Some("bitcoin"), decimals: 8, fee: "0.00012000", balance: "2.10400000" },
    Unit { code: "ETH", network: Some("ethereum"), decimals: 18, fee: "0.0015", balance: "41.5" },
    Unit { code: "EUR", network: None, decimals: 2, fee: "0.35", balance: "62400.00" },
];

/// Who pays: the same account in every order of the demo.
const SOURCE_ID: &str = "acc-4471";
const SOURCE_LABEL: &str = "Trading account, ending 4471";

impl Unit {
    pub fn named(code: &str) -> Option<&'static Self> {
        UNITS.iter().find(|unit| unit.code == code)
    }

    /// In the unit's smallest part; `None` for what isn't a plain decimal of at most so many places.
    pub fn parts(&self, text: &str) -> Option<u128> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let short = whole.len() <= 18 && fraction.len() <= self.decimals.max(1);
        let zero_padded = whole.len() > 1 && whole.starts_with('0');
        if !digits(whole) || !digits(fraction) || !short || zero_padded {
            return None;
        }
        let fraction = if self.decimals == 0 { "" } else { fraction };
        format!("{whole}{fraction:0<places$}", places = self.decimals).parse().ok()
    }

    /// Writes smallest parts as a decimal with all its places.
    pub fn text(&self, parts: u128) -> String {
        let digits = format!("{parts:0>width$}", width = self.decimals + 1);
        let (whole, fraction) = digits.split_at(digits.len() - self.decimals);
        if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") }
    }

    /// Amount and fee together.
    pub fn total(&self, amount: &str) -> Option<String> {
        Some(self.text(self.parts(amount)?.checked_add(self.parts(self.fee)?)?))
    }
}

/// The form as it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    pub amount: String,
    pub unit: String,
    pub payee: String,
    pub account: String,
    pub reference: String,
}

impl Default for Draft {
    /// What the form begins with. The address is a published test vector (BIP 86), whose key everybody knows.
    fn default() -> Self {
        Self {
            amount: "1.85000000".into(),
            unit: "BTC".into(),
            payee: "Marta Nowak".into(),
            account: "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr".into(),
            reference: String::new(),
        }
    }
}

/// One field that can't be used, in words for the person who filled it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldFault {
    /// Name of the form's field.
    pub field: &'static str,
    pub words: String,
}

impl Draft {
    /// Makes an order of it.
    ///
    /// # Errors
    /// Every field that can't be used.
    pub fn order(&self, id: String, subject: String) -> Result<Order, Vec<FieldFault>> {
        let mut faults = Vec::new();
        let mut fault = |field, words: String| faults.push(FieldFault { field, words });
        let unit = Unit::named(self.unit.trim()).unwrap_or(&UNITS[0]);
        let amount = self.amount.trim().to_owned();
        match (unit.parts(&amount), unit.total(&amount).and_then(|total| unit.parts(&total)), unit.parts(unit.balance))
        {
            (None | Some(0), _, _) => {
                fault("amount", format!("Write a number with at most {} digits after the point.", unit.decimals));
            }
            (Some(_), Some(total), Some(balance)) if total <= balance => {}
            _ => fault("amount", format!("With the fee that is more than you have: {} {}.", unit.balance, unit.code)),
        }
        let payee = self.payee.trim().to_owned();
        if payee.is_empty() {
            fault("payee", "Write who it is for.".into());
        }
        let account: String = self.account.split_whitespace().collect();
        if account.is_empty() {
            fault("account", "Paste the address or account number.".into());
        }
        let reference = Some(self.reference.trim().to_owned()).filter(|text| !text.is_empty());
        if faults.is_empty() {
            let (life, hold, taking) = (None, None, Taking::AtOnce);
            Ok(Order { id, subject, amount, unit, payee, account, reference, life, hold, taking })
        } else {
            Err(faults)
        }
    }
}

/// When the exchange takes what was released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taking {
    /// As soon as it hears of the release.
    AtOnce,
    /// When somebody asks it to.
    ByHand,
}

/// A checked order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The exchange's own number of it; `transfer_id` at Countersign.
    pub id: String,
    pub subject: String,
    pub amount: String,
    pub unit: &'static Unit,
    pub payee: String,
    pub account: String,
    pub reference: Option<String>,
    /// Seconds in which it must be answered, where that is less than policy gives.
    pub life: Option<u32>,
    /// Seconds that it must cool off, where that is more than policy asks for.
    pub hold: Option<u32>,
    pub taking: Taking,
}

/// What came back isn't what was ordered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotOurOrder {
    #[error("the details put up for approval differ from the order")]
    Differs,
    #[error("the details can't be written canonically")]
    NotCanonical,
}

impl Order {
    /// What the holder is to approve, as the order says it.
    pub fn details(&self) -> Value {
        let mut details = json!({
            "transfer_id": self.id,
            "subject": self.subject,
            "amount": self.amount,
            "payee": {"name": self.payee, "account": self.account},
            "payee_history": "new",
            "source_account": {"id": self.source(), "label": SOURCE_LABEL},
            "initiator": {"started_on": "website", "from": "a browser on this computer"},
        });
        match self.unit.network {
            Some(network) => details["asset"] = json!({"network": network, "symbol": self.unit.code}),
            None => details["currency"] = json!(self.unit.code),
        }
        if let Some(reference) = &self.reference {
            details["reference"] = json!(reference);
        }
        details
    }

    /// Body of the request that opens the approval.
    pub fn request(&self) -> Value {
        let mut request = self.details();
        if let Some(life) = self.life {
            request["life_seconds"] = json!(life);
        }
        if let Some(hold) = self.hold {
            request["hold_seconds"] = json!(hold);
        }
        request
    }

    pub fn is_taken_at_once(&self) -> bool {
        self.taking == Taking::AtOnce
    }

    /// The account that pays.
    pub fn source(&self) -> &'static str {
        SOURCE_ID
    }

    /// The digest of this order: SHA-256 over the canonical details (RFC 8785), once it is sure that they say what the
    /// order says. The exchange keeps it, and from then on believes nobody else about what was approved.
    ///
    /// # Errors
    /// [`NotOurOrder`] when anything was added, left out or changed, the random salt and the type aside.
    pub fn digest(&self, details: &Value) -> Result<String, NotOurOrder> {
        let mut stripped = details.as_object().cloned().ok_or(NotOurOrder::Differs)?;
        let salted = stripped.remove("salt").is_some();
        let kind = stripped.remove("type");
        if !salted || kind != Some(json!("transfer")) || Value::Object(stripped) != self.details() {
            return Err(NotOurOrder::Differs);
        }
        let canonical = serde_json_canonicalizer::to_vec(details).map_err(|_| NotOurOrder::NotCanonical)?;
        Ok(data_encoding::HEXLOWER.encode(digest(&SHA256, &canonical).as_ref()))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::demo) fn order() -> Order {
        Draft::default().order("hb-1".into(), "u-1".into()).unwrap()
    }

    fn stored(order: &Order) -> Value {
        let mut details = order.details();
        details["type"] = json!("transfer");
        details["salt"] = json!("AAAAAAAAAAAAAAAAAAAAAA");
        details
    }

    #[test]
    fn amounts_are_counted_in_whole_parts() {
        let [btc, eth, eur] = &UNITS;
        assert_eq!(btc.total("1.85").unwrap(), "1.85012000");
        assert_eq!(eth.total("0.000000000000000001").unwrap(), "0.001500000000000001");
        assert_eq!(eur.total("12500").unwrap(), "12500.35");
        for bad in ["", ".", "1.", ".5", "-1", "1e3", "NaN", "01", "1,5", "1.123456789", "9999999999999999999"] {
            assert_eq!(btc.parts(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn the_form_says_every_fault_at_once() {
        let empty = Draft { amount: "0".into(), payee: " ".into(), account: "\n".into(), ..Draft::default() };
        let faults = empty.order("hb-1".into(), "u-1".into()).unwrap_err();
        assert_eq!(faults.iter().map(|fault| fault.field).collect::<Vec<_>>(), ["amount", "payee", "account"]);
        let greedy = Draft { amount: "2.104".into(), ..Draft::default() };
        assert!(greedy.order("hb-1".into(), "u-1".into()).unwrap_err()[0].words.contains("more than you have"));
    }

    #[test]
    fn an_account_typed_in_groups_is_one_account() {
        let spaced = Draft { account: "PL61 1090\n1014".into(), ..Draft::default() };
        assert_eq!(spaced.order("hb-1".into(), "u-1".into()).unwrap().account, "PL6110901014");
    }

    #[test]
    fn a_digest_is_given_for_the_order_and_nothing_else() {
        let order = order();
        let digest = order.digest(&stored(&order)).unwrap();
        assert_eq!(digest.len(), 64);
        let edits: [fn(&mut Value); 6] = [
            |d| d["amount"] = json!("18.5"),
            |d| d["payee"]["account"] = json!("bc1qother"),
            |d| d["source_account"]["id"] = json!("acc-1"),
            |d| d["reference"] = json!("added"),
            |d| d["type"] = json!("override"),
            |d| {
                d.as_object_mut().unwrap().remove("salt");
            },
        ];
        for (at, edit) in edits.iter().enumerate() {
            let mut other = stored(&order);
            edit(&mut other);
            assert_eq!(order.digest(&other), Err(NotOurOrder::Differs), "edit {at}");
        }
        let mut salted = stored(&order);
        salted["salt"] = json!("BBBBBBBBBBBBBBBBBBBBBB");
        assert_ne!(order.digest(&salted).unwrap(), digest);
    }
}
