//! The approval: the record of one decision about one irreversible action, and its state machine.
//!
//! States carry their data, so that a released approval without its decision can't be written down. Every transition
//! is a function in [`transitions`]; nothing else makes a new [`Approval`] out of an old one.

mod by_staff;
mod decision;
#[cfg(test)]
mod tests;
pub mod transitions;

use serde::{Deserialize, Serialize};
use std::time::Duration;

use super::backend::IdempotencyKey;
use super::details::{Details, Digest};
use super::device::Thumbprint;
use super::ids::{ApprovalId, BackendId, ChannelId, DeviceId, HolderId, KeyId, StaffId};
use super::override_request::TOLD_WITHIN;
use super::policy::{Terms, Unproved};
use super::time::Timestamp;

pub use decision::{Decider, Decision, Distinct, StaffDecision};

/// Rises by one per transition; a late message with a lower one is old.
pub type Version = u32;

/// One approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    pub id: ApprovalId,
    pub version: Version,
    pub backend: BackendId,
    pub holder: HolderId,
    pub details: Details,
    pub terms: Terms,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub watcher: Watcher,
    pub state: State,
}

/// Which browser opened the waiting page, the side that started the transfer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "seen", rename_all = "snake_case")]
pub enum Watcher {
    /// Nobody opened it yet.
    Nobody,
    Browser {
        at: Timestamp,
        /// SHA-256 of the mark that the page left in that browser.
        mark: Digest,
        /// Devices of this holder that turned out to be that very browser, by key or by cookie.
        devices: Vec<DeviceId>,
        /// Every device key that the browser proved to hold, whoever's it is.
        keys: Vec<Thumbprint>,
    },
}

/// Where an approval stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    Pending,
    Cooling {
        decision: Decision,
        cooling_until: Timestamp,
    },
    Released {
        decision: Decision,
        told: Told,
        released_at: Timestamp,
        redeem_until: Timestamp,
    },
    Redeemed {
        decision: Decision,
        told: Told,
        released_at: Timestamp,
        redeemed_at: Timestamp,
        by: KeyId,
        idempotency_key: IdempotencyKey,
    },
    Rejected {
        reason: RejectReason,
        by: Actor,
        at: Timestamp,
    },
    Cancelled {
        reason: CancelReason,
        by: Actor,
        at: Timestamp,
    },
    Expired {
        reason: ExpireReason,
        at: Timestamp,
    },
}

/// The name of a [`State`], on the wire and in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateName {
    Pending,
    Cooling,
    Released,
    Redeemed,
    Rejected,
    Cancelled,
    Expired,
}

/// Whether the audit entry of the decision is in a signed checkpoint of the log, so that nobody can take it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Logged {
    Yes,
    NotYet,
}

/// Proof that the holder was told on a way other than the device that approved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    pub channel: ChannelId,
    pub delivered_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RejectReason {
    /// The holder tapped "Don't send it".
    HolderRejected,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelReason {
    /// Stopped on an enrolled device.
    HolderStopped,
    /// Stopped by a link in a notice.
    LinkStopped,
    /// Stopped on the waiting page.
    InitiatorStopped,
    BackendCancelled,
    /// Stopped by a staff member, who gave a reason.
    StaffCancelled,
    /// No notice reached the holder before the hold's cap.
    Unreachable,
    /// The database was restored to an earlier moment, and what it says isn't known to be so any more.
    Recovered,
    /// The holder was frozen: "this wasn't me".
    HolderFrozen,
    /// Two staff members had approved it, and the signature of one stopped counting.
    SignatureVoid,
    /// The device that approved was removed, by an override that resets the holder's devices.
    DeviceRemoved,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExpireReason {
    /// Nobody answered in time.
    Unanswered,
    /// Released, but not redeemed in time.
    NotRedeemed,
}

/// Who did something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "id", rename_all = "snake_case")]
pub enum Actor {
    Backend(KeyId),
    Device(DeviceId),
    /// Whoever held a cancel link.
    Link,
    /// The browser that started the transfer.
    Initiator,
    /// Somebody who could not be named.
    Unknown,
    /// The service itself: a timer.
    Service,
    /// The operator's command line.
    Operator,
    /// A staff member, signed in on the console.
    Staff(StaffId),
    /// The identity provider, which may end staff and nothing else.
    Directory,
}

impl State {
    pub const fn name(&self) -> StateName {
        match self {
            Self::Pending => StateName::Pending,
            Self::Cooling { .. } => StateName::Cooling,
            Self::Released { .. } => StateName::Released,
            Self::Redeemed { .. } => StateName::Redeemed,
            Self::Rejected { .. } => StateName::Rejected,
            Self::Cancelled { .. } => StateName::Cancelled,
            Self::Expired { .. } => StateName::Expired,
        }
    }

    /// The machine-readable reason of a final state.
    pub const fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Rejected { reason: RejectReason::HolderRejected, .. } => Some("holder_rejected"),
            Self::Cancelled { reason, .. } => Some(reason.as_str()),
            Self::Expired { reason, .. } => Some(reason.as_str()),
            Self::Pending | Self::Cooling { .. } | Self::Released { .. } | Self::Redeemed { .. } => None,
        }
    }

    /// The decision of a holder that led here, if one did.
    pub const fn decision(&self) -> Option<&Decision> {
        match self {
            Self::Cooling { decision, .. } | Self::Released { decision, .. } | Self::Redeemed { decision, .. } => {
                Some(decision)
            }
            Self::Pending | Self::Rejected { .. } | Self::Cancelled { .. } | Self::Expired { .. } => None,
        }
    }
}

impl StateName {
    pub const ALL: [Self; 7] =
        [Self::Pending, Self::Cooling, Self::Released, Self::Redeemed, Self::Rejected, Self::Cancelled, Self::Expired];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Cooling => "cooling",
            Self::Released => "released",
            Self::Redeemed => "redeemed",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.as_str() == text)
    }

    /// Whether nothing follows.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Redeemed | Self::Rejected | Self::Cancelled | Self::Expired)
    }
}

impl CancelReason {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HolderStopped => "holder_stopped",
            Self::LinkStopped => "link_stopped",
            Self::InitiatorStopped => "initiator_stopped",
            Self::BackendCancelled => "backend_cancelled",
            Self::StaffCancelled => "staff_cancelled",
            Self::Unreachable => "unreachable",
            Self::Recovered => "recovered",
            Self::HolderFrozen => "holder_frozen",
            Self::SignatureVoid => "signature_void",
            Self::DeviceRemoved => "device_removed",
        }
    }
}

impl ExpireReason {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unanswered => "unanswered",
            Self::NotRedeemed => "not_redeemed",
        }
    }
}

impl Approval {
    pub fn digest(&self) -> Digest {
        self.details.digest()
    }

    /// When a timer should look at it next. `None` for a final one.
    pub fn due_at(&self) -> Option<Timestamp> {
        match &self.state {
            State::Pending => Some(self.expires_at),
            State::Cooling { decision, cooling_until } => Some(match decision.by {
                Decider::Device { .. } => *cooling_until,
                // Whether anybody was told is looked at before the hold is over.
                Decider::Staff { .. } if *cooling_until == decision.approved_at + decision.hold => {
                    (*cooling_until).min(decision.approved_at + TOLD_WITHIN)
                }
                Decider::Staff { .. } => *cooling_until,
            }),
            State::Released { redeem_until, .. } => Some(*redeem_until),
            State::Redeemed { .. } | State::Rejected { .. } | State::Cancelled { .. } | State::Expired { .. } => None,
        }
    }

    /// How the deciding device would compare with the browser that started it, and the hold that follows.
    ///
    /// `None` when policy refuses an approval whose waiting page nobody opened.
    pub fn distinct(&self) -> Option<(Distinct, Duration)> {
        match (&self.watcher, self.terms.unproved) {
            (Watcher::Browser { .. }, _) => Some((Distinct::Observed, self.terms.hold)),
            (Watcher::Nobody, Unproved::HoldFor(hold)) => Some((Distinct::Unproved, hold)),
            (Watcher::Nobody, Unproved::Refuse) => None,
        }
    }

    /// The moment at which an untold approval is given up; of one that a device decided also the end of the last
    /// extension.
    pub fn given_up_at(&self) -> Option<Timestamp> {
        match &self.state {
            State::Cooling { decision, .. } => Some(match decision.by {
                Decider::Device { .. } => decision.approved_at + self.terms.hold_cap,
                Decider::Staff { .. } => decision.approved_at + TOLD_WITHIN,
            }),
            _ => None,
        }
    }
}

/// What is stored of an approval beside its details: one JSON text, so that one seal covers all of it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Body {
    pub id: ApprovalId,
    pub version: Version,
    pub backend: BackendId,
    pub holder: HolderId,
    pub digest: Digest,
    pub terms: Terms,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub watcher: Watcher,
    pub state: State,
}

/// Stored parts that don't make one approval.
#[derive(Debug, thiserror::Error)]
pub enum BadRecord {
    #[error("the body doesn't read back")]
    Body(#[source] serde_json::Error),
    #[error("the details don't read back")]
    Details(#[source] super::details::BadDetails),
    #[error("the body names another digest than the details have")]
    Digest,
}

impl Approval {
    /// The body to store, as JSON text.
    ///
    /// # Errors
    /// When it can't be written, which no value of this type should cause.
    pub fn to_body(&self) -> Result<String, BadRecord> {
        let body = Body {
            id: self.id,
            version: self.version,
            backend: self.backend,
            holder: self.holder,
            digest: self.digest(),
            terms: self.terms.clone(),
            created_at: self.created_at,
            expires_at: self.expires_at,
            watcher: self.watcher.clone(),
            state: self.state.clone(),
        };
        serde_json::to_string(&body).map_err(BadRecord::Body)
    }

    /// Reads a stored approval, whose seal was checked.
    ///
    /// # Errors
    /// [`BadRecord`] when body and details aren't one approval.
    pub fn from_stored(body: &str, details: &str) -> Result<Self, BadRecord> {
        let body: Body = serde_json::from_str(body).map_err(BadRecord::Body)?;
        let details = Details::from_sealed(details).map_err(BadRecord::Details)?;
        if body.digest != details.digest() {
            return Err(BadRecord::Digest);
        }
        Ok(Self {
            id: body.id,
            version: body.version,
            backend: body.backend,
            holder: body.holder,
            details,
            terms: body.terms,
            created_at: body.created_at,
            expires_at: body.expires_at,
            watcher: body.watcher,
            state: body.state,
        })
    }
}
