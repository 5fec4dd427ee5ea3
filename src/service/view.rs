//! How an approval looks to its backend. One shape for create, read, list, cancel and redeem.

use serde::{Deserialize, Serialize};

use crate::domain::approval::{Approval, Decider, Decision, Distinct, State, StateName};
use crate::domain::details::Digest;
use crate::domain::policy::Assurance;
use crate::domain::time::Timestamp;
use crate::ports::store::NoticeView;

/// An approval as its backend sees it.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ApprovalView {
    /// `apr_` and 32 hex digits.
    pub id: String,
    /// Rises by one per transition. Drop a message whose version isn't above the one you have.
    pub version: u32,
    /// pending, cooling, released, redeemed, rejected, cancelled or expired. Only a redeem permits execution.
    #[schema(value_type = String, example = "cooling")]
    pub state: StateName,
    /// Why it ended as it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub subject: String,
    pub transfer_id: String,
    /// SHA-256 of the canonical details, in hex. Name it in the redeem.
    #[schema(value_type = String)]
    pub digest: Digest,
    /// The details as they are shown and signed, in canonical form (RFC 8785).
    pub details: serde_json::Value,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// Until then the holder can answer.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// The hold that policy asks for, in seconds.
    pub hold_seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<DecisionView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub cooling_until: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub released_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub redeem_until: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub redeemed_at: Option<Timestamp>,
    /// When it was rejected, cancelled or expired.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// Where to send the browser that started the transfer. Works once. Only in the answer to the create.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting_url: Option<String>,
    /// How the holder was told. Only when one approval is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notices: Option<Vec<NoticeJson>>,
}

/// Who decided: the holder on a device, with how that compares with the browser that started the transfer; or two staff
/// members instead of the holder.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DecisionView {
    /// device or staff.
    pub by: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub device_enrolled_at: Option<Timestamp>,
    /// synced or device_bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub assurance: Option<Assurance>,
    /// observed or unproved.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub distinct: Option<Distinct>,
    /// The override request that two staff members signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub override_request: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    pub approved_at: Timestamp,
}

/// One notice. Addresses are masked.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct NoticeJson {
    pub id: String,
    /// web_push, email or inbox.
    pub channel: String,
    pub address: String,
    /// asked or cooling.
    pub purpose: String,
    /// waiting, queued, delivered, failed or dropped.
    pub status: String,
    pub attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub delivered_at: Option<Timestamp>,
}

impl ApprovalView {
    /// The view of an approval.
    ///
    /// # Errors
    /// When the canonical details aren't JSON, which no value of the type should cause.
    pub fn of(approval: &Approval) -> Result<Self, serde_json::Error> {
        let transfer = approval.details.transfer();
        let mut view = Self {
            id: approval.id.to_string(),
            version: approval.version,
            state: approval.state.name(),
            reason: approval.state.reason().map(str::to_owned),
            subject: transfer.subject.to_string(),
            transfer_id: transfer.transfer_id.to_string(),
            digest: approval.digest(),
            details: serde_json::from_str(approval.details.canonical())?,
            created_at: approval.created_at,
            expires_at: approval.expires_at,
            hold_seconds: approval.terms.hold.as_secs_f64(),
            decision: approval.state.decision().map(DecisionView::of),
            cooling_until: None,
            released_at: None,
            redeem_until: None,
            redeemed_at: None,
            ended_at: None,
            waiting_url: None,
            notices: None,
        };
        match &approval.state {
            State::Pending => {}
            State::Cooling { cooling_until, .. } => view.cooling_until = Some(*cooling_until),
            State::Released { released_at, redeem_until, .. } => {
                view.released_at = Some(*released_at);
                view.redeem_until = Some(*redeem_until);
            }
            State::Redeemed { released_at, redeemed_at, .. } => {
                view.released_at = Some(*released_at);
                view.redeemed_at = Some(*redeemed_at);
            }
            State::Rejected { at, .. } | State::Cancelled { at, .. } | State::Expired { at, .. } => {
                view.ended_at = Some(*at);
            }
        }
        Ok(view)
    }
}

impl DecisionView {
    fn of(decision: &Decision) -> Self {
        let approved_at = decision.approved_at;
        match &decision.by {
            Decider::Device { device, device_enrolled_at, assurance, distinct } => Self {
                by: "device".to_owned(),
                device: Some(device.to_string()),
                device_enrolled_at: Some(*device_enrolled_at),
                assurance: Some(*assurance),
                distinct: Some(*distinct),
                override_request: None,
                approved_at,
            },
            Decider::Staff(decided) => Self {
                by: "staff".to_owned(),
                device: None,
                device_enrolled_at: None,
                assurance: None,
                distinct: None,
                override_request: Some(decided.override_request().to_string()),
                approved_at,
            },
        }
    }
}

impl From<NoticeView> for NoticeJson {
    fn from(notice: NoticeView) -> Self {
        Self {
            id: notice.id.to_string(),
            channel: notice.kind.as_str().to_owned(),
            address: notice.masked,
            purpose: notice.purpose.as_str().to_owned(),
            status: notice.status.as_str().to_owned(),
            attempts: notice.attempts,
            delivered_at: notice.delivered_at,
        }
    }
}
