//! The shape of a flagged transfer: what OpenAPI says of it, and how it is read. The two can't differ in a field, since
//! one fills the other.

use std::convert::Infallible;
use std::time::Duration;

use utoipa::ToSchema;

use crate::domain::Timestamp;
use crate::domain::details::{
    Account, Initiator, Payee, PayeeHistory, PayeeName, SourceAccount, StartedOn, Subject, TransferId, TransferParts,
};
use crate::domain::money::{Amount, Asset, Currency, Unit};
use crate::domain::policy::{Asked, MAX_LIFE};
use crate::domain::text::{Line, Token};
use crate::web::extract::Fields;
use crate::web::problem::Problem;

/// More than any deployment's cap, which is what bounds it (design section 8: tiers to 48 h).
const LONGEST_HOLD: u32 = 2_147_483_647;

/// A transfer that needs its holder's approval. What isn't here can't be signed: unknown fields are refused.
#[derive(Debug, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ApprovalRequest, example = json!({
    "subject": "u-77",
    "transfer_id": "wd-20261121-0042",
    "amount": "12500.00",
    "currency": "EUR",
    "payee": {"name": "Marta Nowak", "account": "PL61109010140000071219812874"},
    "payee_history": "new",
    "source_account": {"id": "acc-4471", "label": "Everyday account, ending 4471"},
    "reference": "Invoice 2231",
    "initiator": {"started_on": "website", "started_at": "2026-11-21T14:31:02Z", "from": "a computer near Leeds"},
    "hold_seconds": 3600
}))]
pub struct ApprovalRequest {
    /// Your own opaque id of the holder.
    #[schema(value_type = String, max_length = 128, pattern = r"^[A-Za-z0-9._:\-/@+]+$")]
    pub subject: Subject,
    /// Your own id of the transfer. It can't be in two approvals that live or were redeemed.
    #[schema(value_type = String, max_length = 64, pattern = r"^[A-Za-z0-9._:\-/@+]+$")]
    pub transfer_id: TransferId,
    /// A decimal string: digits and at most one point, more than zero, no more decimals than the unit has.
    #[schema(max_length = 37, pattern = r"^(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?$")]
    pub amount: String,
    /// An ISO 4217 code. Either this or `asset`.
    #[schema(value_type = Option<String>, pattern = r"^[A-Z]{3}$")]
    pub currency: Option<Currency>,
    /// Something of value on a network. Either this or `currency`.
    #[schema(value_type = Option<AssetBody>)]
    pub asset: Option<Asset>,
    #[schema(value_type = PayeeBody)]
    pub payee: Payee,
    /// Whether the holder has paid this account before.
    #[schema(value_type = Option<PayeeHistoryBody>)]
    pub payee_history: Option<PayeeHistory>,
    #[schema(value_type = SourceAccountBody)]
    pub source_account: SourceAccount,
    /// What the sender wrote to the payee.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 140)]
    pub reference: Option<Line<140>>,
    #[schema(value_type = InitiatorBody)]
    pub initiator: Initiator,
    /// A longer hold than policy asks for; a shorter one changes nothing. The deployment has a cap.
    #[schema(minimum = 0, maximum = 2147483647)]
    pub hold_seconds: Option<u32>,
    /// A shorter life than policy gives; a longer one changes nothing.
    #[schema(minimum = 1, maximum = 86400)]
    pub life_seconds: Option<u32>,
}

/// Who gets the money.
#[derive(Debug, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Payee)]
pub struct PayeeBody {
    /// As the sender gave it. It is shown as nobody's word but theirs.
    #[schema(min_length = 1, max_length = 140)]
    pub name: String,
    /// An account number or address. It is shown whole.
    #[schema(max_length = 128, pattern = r"^[A-Za-z0-9._:\-/@+]+$")]
    pub account: String,
}

/// The account the money leaves.
#[derive(Debug, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SourceAccount)]
pub struct SourceAccountBody {
    #[schema(max_length = 64, pattern = r"^[A-Za-z0-9._:\-/@+]+$")]
    pub id: String,
    /// As the holder knows it.
    #[schema(min_length = 1, max_length = 60)]
    pub label: String,
}

/// Something of value on a network.
#[derive(Debug, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Asset)]
pub struct AssetBody {
    #[schema(max_length = 32, pattern = r"^[A-Za-z0-9._:\-/@+]+$", example = "ethereum")]
    pub network: String,
    #[schema(max_length = 16, pattern = r"^[A-Za-z0-9._:\-/@+]+$", example = "USDC")]
    pub symbol: String,
}

/// How the transfer was started, as you saw it. Shown to the holder.
#[derive(Debug, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Initiator)]
pub struct InitiatorBody {
    pub started_on: StartedOnBody,
    #[schema(format = DateTime)]
    pub started_at: Option<String>,
    #[schema(min_length = 1, max_length = 80, example = "a computer near Leeds")]
    pub from: Option<String>,
}

/// Where the transfer was started; `agent` is a program that acts for the holder.
#[derive(Debug, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = StartedOn)]
pub enum StartedOnBody {
    Website,
    App,
    Phone,
    Branch,
    Api,
    Agent,
}

/// Whether the holder has paid this account before, as far as you know.
#[derive(Debug, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PayeeHistory)]
pub enum PayeeHistoryBody {
    New,
    Known,
}

impl ApprovalRequest {
    /// Reads it, or says of every part what is wrong with it.
    ///
    /// # Errors
    /// `invalid-request`.
    pub fn read(mut fields: Fields<'_>) -> Result<Self, Problem> {
        let subject = fields.text("subject", Subject::parse);
        let transfer_id = fields.text("transfer_id", TransferId::parse);
        let amount = fields.text("amount", |text| Ok::<_, Infallible>(text.to_owned()));
        let currency = fields.maybe_text("currency", Currency::parse);
        let asset = fields.maybe_object("asset", |asset| {
            let network = asset.text("network", Token::parse);
            let symbol = asset.text("symbol", Token::parse);
            Some(Asset { network: network?, symbol: symbol? })
        });
        let unit = unit(&mut fields, currency, asset.as_ref());
        if let (Some(text), Some(unit)) = (&amount, unit)
            && let Err(rule) = Amount::parse(text, &unit)
        {
            fields.refuse("amount", rule);
        }
        let payee = fields.object("payee", |payee| {
            let name = payee.text("name", PayeeName::parse);
            let account = payee.text("account", Account::parse);
            Some(Payee { name: name?, account: account? })
        });
        let payee_history = fields.maybe_text("payee_history", payee_history);
        let source_account = fields.object("source_account", |source| {
            let id = source.text("id", Token::parse);
            let label = source.text("label", Line::parse);
            Some(SourceAccount { id: id?, label: label? })
        });
        let reference = fields.maybe_text("reference", Line::parse);
        let initiator = fields.object("initiator", |initiator| {
            let started_on = initiator.text("started_on", started_on);
            let started_at = initiator.maybe_text("started_at", |text| {
                Timestamp::parse_rfc3339(text).map_err(|_| "must be an RFC 3339 timestamp")
            });
            let from = initiator.maybe_text("from", Line::parse);
            Some(Initiator { started_on: started_on?, started_at, from })
        });
        let hold_seconds = fields.maybe_whole("hold_seconds", 0..=LONGEST_HOLD);
        let life_seconds = fields.maybe_whole("life_seconds", 1..=longest_life());
        let read = || {
            Some(Self {
                subject: subject?,
                transfer_id: transfer_id?,
                amount: amount?,
                currency,
                asset,
                payee: payee?,
                payee_history,
                source_account: source_account?,
                reference,
                initiator: initiator?,
                hold_seconds,
                life_seconds,
            })
        };
        let read = read();
        fields.finish(read)
    }

    /// What the use case takes.
    pub fn into_parts(self) -> (TransferParts, Asked) {
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        let asked = Asked { hold: self.hold_seconds.map(seconds), life: self.life_seconds.map(seconds) };
        let parts = TransferParts {
            transfer_id: self.transfer_id,
            subject: self.subject,
            amount: self.amount,
            currency: self.currency,
            asset: self.asset,
            payee: self.payee,
            payee_history: self.payee_history,
            source_account: self.source_account,
            reference: self.reference,
            initiator: self.initiator,
        };
        (parts, asked)
    }
}

/// What the amount counts: exactly one of the two.
fn unit(fields: &mut Fields<'_>, currency: Option<Currency>, asset: Option<&Asset>) -> Option<Unit> {
    match (currency, asset) {
        (Some(currency), None) => Some(Unit::Currency(currency)),
        (None, Some(asset)) => Some(Unit::Asset(asset.clone())),
        // One that is there and wrong is said to be wrong, and no more.
        (None, None) if fields.refused("currency") || fields.refused("asset") => None,
        (None, None) | (Some(_), Some(_)) => {
            fields.refuse("currency", "must be there, or `asset`, and not both");
            None
        }
    }
}

fn longest_life() -> u32 {
    u32::try_from(MAX_LIFE.as_secs()).unwrap_or(u32::MAX)
}

fn started_on(text: &str) -> Result<StartedOn, &'static str> {
    Ok(match text {
        "website" => StartedOn::Website,
        "app" => StartedOn::App,
        "phone" => StartedOn::Phone,
        "branch" => StartedOn::Branch,
        "api" => StartedOn::Api,
        "agent" => StartedOn::Agent,
        _ => return Err("must be website, app, phone, branch, api or agent"),
    })
}

fn payee_history(text: &str) -> Result<PayeeHistory, &'static str> {
    Ok(match text {
        "new" => PayeeHistory::New,
        "known" => PayeeHistory::Known,
        _ => return Err("must be new or known"),
    })
}
