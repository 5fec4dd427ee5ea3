//! Who approved, and how that compares with the browser that started it: a device of the holder, or two staff members
//! instead of it.

use serde::{Deserialize, Serialize};
use std::time::Duration;

use crate::domain::details::Digest;
use crate::domain::ids::{DeviceId, OverrideId, StaffId};
use crate::domain::override_request::transitions::Carry;
use crate::domain::policy::Assurance;
use crate::domain::time::Timestamp;

/// Whether the deciding device was compared with the browser that started the transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Distinct {
    /// The waiting page was opened, and by another browser.
    Observed,
    /// Nobody opened the waiting page.
    Unproved,
}

/// An approval as it stands in the record once its signatures were verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    pub by: Decider,
    pub approved_at: Timestamp,
    /// The hold that was signed.
    #[serde(with = "crate::domain::policy::micros")]
    pub hold: Duration,
    /// SHA-256 of what both signatures cover: of a device, the challenge of its prompt; of two staff members, their
    /// whole request.
    pub challenge: Digest,
}

/// Who decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Decider {
    /// The holder, on an enrolled device.
    Device { device: DeviceId, device_enrolled_at: Timestamp, assurance: Assurance, distinct: Distinct },
    /// Two staff members, by an override request.
    Staff(StaffDecision),
}

/// Two staff members decided. Only a [`Carry`] makes one, so that no other code can write down that they did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaffDecision {
    override_request: OverrideId,
    signers: [StaffId; 2],
}

impl StaffDecision {
    pub const fn of(carry: &Carry) -> Self {
        Self { override_request: carry.id(), signers: carry.signers() }
    }

    pub const fn override_request(&self) -> OverrideId {
        self.override_request
    }

    pub const fn signers(&self) -> [StaffId; 2] {
        self.signers
    }
}

impl Decision {
    /// The device that decided, if one did.
    pub const fn device(&self) -> Option<DeviceId> {
        match self.by {
            Decider::Device { device, .. } => Some(device),
            Decider::Staff { .. } => None,
        }
    }

    /// The override request that decided, if one did.
    pub const fn override_request(&self) -> Option<OverrideId> {
        match &self.by {
            Decider::Staff(decided) => Some(decided.override_request()),
            Decider::Device { .. } => None,
        }
    }

    /// How the deciding device compares with the browser that started the transfer; nothing of staff.
    pub const fn distinct(&self) -> Option<Distinct> {
        match self.by {
            Decider::Device { distinct, .. } => Some(distinct),
            Decider::Staff { .. } => None,
        }
    }
}
