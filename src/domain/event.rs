//! What happened, as the world outside hears of it: event names and the thin webhook body. Only ids, states and
//! digests go out; the receiver reads the rest with its own key.

use serde::Serialize;

use super::approval::{Approval, StateName};
use super::details::{Digest, Subject, TransferId};
use super::ids::ApprovalId;
use super::time::Timestamp;

/// What a transition tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// The waiting page was opened. Told to nobody; it raises the version all the same, so that a prompt made before
    /// it can't be used after it.
    Watched,
    /// Staff asked to decide instead of the holder, and its end moved.
    Prolonged,
    Cooling,
    Extended,
    Released,
    Redeemed,
    Rejected,
    Cancelled,
    Expired,
}

impl EventKind {
    pub const ALL: [Self; 9] = [
        Self::Watched,
        Self::Prolonged,
        Self::Cooling,
        Self::Extended,
        Self::Released,
        Self::Redeemed,
        Self::Rejected,
        Self::Cancelled,
        Self::Expired,
    ];

    /// The event's name, in the past tense of its verb where it has one.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Watched => "approval.watched",
            Self::Prolonged => "approval.prolonged",
            Self::Cooling => "approval.approved",
            Self::Extended => "approval.extended",
            Self::Released => "approval.released",
            Self::Redeemed => "approval.redeemed",
            Self::Rejected => "approval.rejected",
            Self::Cancelled => "approval.cancelled",
            Self::Expired => "approval.expired",
        }
    }

    /// Whether backends are told.
    pub const fn is_public(self) -> bool {
        !matches!(self, Self::Watched)
    }
}

/// Body of a webhook (Standard Webhooks: type, timestamp, data).
#[derive(Debug, Serialize)]
pub struct WebhookBody<'a> {
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub timestamp: Timestamp,
    pub data: WebhookData<'a>,
}

/// The thin part: enough to decide whether to read on, and to drop an old message.
#[derive(Debug, Serialize)]
pub struct WebhookData<'a> {
    pub approval_id: ApprovalId,
    pub version: u32,
    pub state: StateName,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    pub transfer_id: &'a TransferId,
    pub subject: &'a Subject,
    pub digest: Digest,
}

impl<'a> WebhookBody<'a> {
    pub fn of(approval: &'a Approval, event: EventKind, at: Timestamp) -> Self {
        let transfer = approval.details.transfer();
        Self {
            kind: event.as_str(),
            timestamp: at,
            data: WebhookData {
                approval_id: approval.id,
                version: approval.version,
                state: approval.state.name(),
                reason: approval.state.reason(),
                transfer_id: &transfer.transfer_id,
                subject: &transfer.subject,
                digest: approval.digest(),
            },
        }
    }
}
