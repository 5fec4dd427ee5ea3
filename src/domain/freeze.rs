//! The holder's freeze, "this wasn't me": while it holds, nothing of the holder can be opened, approved, enrolled,
//! released or redeemed (design section 3). Freezing is instant and needs no ceremony; every way out is slow.
//!
//! A link in a notice freezes for a day, because anybody may hold a link; a device or staff freeze until an override
//! `unfreeze`. What the freeze cancels is the business of `service::freeze`; that nothing slips by it is the business of
//! the record, which asks for the freeze in the same commit.

use serde::{Deserialize, Serialize};
use std::time::Duration;

use super::approval::transitions::Guard;
use super::approval::{Actor, Version};
use super::details::Digest;
use super::device::Device;
use super::ids::{DeviceId, FreezeId, HolderId, OverrideId};
use super::override_request::transitions::Carry;
use super::time::Timestamp;

/// How long a freeze from a link lasts (design section 3).
pub const LINK_FREEZE: Duration = Duration::from_secs(24 * 3600);
/// The hold of a lift that an enrolled device asked for (design section 3).
pub const LIFT_HOLD: Duration = Duration::from_secs(3600);
/// A link that says it again this soon changes nothing, unless it stops a lift: the freeze lasts a day as it is, and
/// whoever holds an old link must not fill the log and the holder's mailbox.
pub const SAID_JUST_NOW: Duration = Duration::from_secs(60);
/// Holders that one staff member may freeze in a day (design section 3).
pub const STAFF_FREEZES_A_DAY: u32 = 10;

/// One freeze of one holder. A holder has at most one that holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freeze {
    pub id: FreezeId,
    pub version: Version,
    pub holder: HolderId,
    /// The strongest way in which it was asked for so far.
    pub why: FreezeReason,
    pub by: Actor,
    /// When it began.
    pub at: Timestamp,
    /// When it was said again, the last time that it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said_again_at: Option<Timestamp>,
    pub state: FreezeState,
}

/// Where a freeze stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum FreezeState {
    Holds { until: Until },
    Ended { at: Timestamp, how: FreezeEnd },
}

/// What it takes to end it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Until {
    /// The time, or the end of a lift's hold if one was asked for and comes earlier.
    Time { at: Timestamp, lift: Option<Lift> },
    /// An override `unfreeze`.
    Override,
}

/// An enrolled device asked to lift a freeze that came from a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lift {
    pub device: DeviceId,
    pub asked_at: Timestamp,
    pub lifted_at: Timestamp,
    /// SHA-256 of what both signatures cover.
    pub challenge: Digest,
}

/// From where it was asked for. The order is that of strength.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FreezeReason {
    Link,
    Device,
    Staff,
    /// The holder is being erased: nothing of theirs is ever to begin again.
    Erasure,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "by", rename_all = "snake_case")]
pub enum FreezeEnd {
    TimeOver,
    /// A device's lift, after its hold.
    Lifted(DeviceId),
    Override(ByOverride),
}

/// The override that ended a freeze. Only [`Freeze::unfreeze`] makes one, out of a [`Carry`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ByOverride(OverrideId);

/// A step that the rules allow. It takes effect only when it is stored by compare-and-set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FreezeStep {
    pub freeze: Freeze,
    /// The version that the record must still have; nothing for a new one, and then no other may hold.
    pub from: Option<Version>,
    pub guard: Guard,
}

/// Why a freeze can't be lifted by this device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FreezeRefusal {
    #[error("nothing is frozen")]
    NotFrozen,
    #[error("only an override ends this freeze")]
    NeedsOverride,
    #[error("a lift was asked for already")]
    LiftAsked,
    #[error("the device belongs to another holder")]
    OtherHolder,
    #[error("the device is locked or removed")]
    DeviceDead,
    #[error("the device was enrolled, or was still on hold, when the freeze began")]
    DeviceTooNew,
}

impl FreezeReason {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Device => "device",
            Self::Staff => "staff",
            Self::Erasure => "erasure",
        }
    }

    fn until(self, now: Timestamp) -> Until {
        match self {
            Self::Link => Until::Time { at: now + LINK_FREEZE, lift: None },
            Self::Device | Self::Staff | Self::Erasure => Until::Override,
        }
    }
}

impl FreezeEnd {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TimeOver => "time_over",
            Self::Lifted(_) => "lifted",
            Self::Override(_) => "override",
        }
    }
}

impl FreezeStep {
    /// Whether it takes effect before other changes that wait: a freeze begins, or is said again. What ends one, now or
    /// after a lift's hold, loosens.
    pub const fn tightens(&self) -> bool {
        match &self.freeze.state {
            FreezeState::Holds { until: Until::Override | Until::Time { lift: None, .. } } => true,
            FreezeState::Holds { until: Until::Time { lift: Some(_), .. } } | FreezeState::Ended { .. } => false,
        }
    }
}

impl FreezeRefusal {
    /// A stable short name for audit entries.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotFrozen => "not_frozen",
            Self::NeedsOverride => "needs_override",
            Self::LiftAsked => "lift_asked",
            Self::OtherHolder => "other_holder",
            Self::DeviceDead => "device_dead",
            Self::DeviceTooNew => "device_too_new",
        }
    }
}

impl Freeze {
    /// Whether it holds nobody any more.
    pub const fn has_ended(&self) -> bool {
        matches!(self.state, FreezeState::Ended { .. })
    }

    /// Freezes a holder of whom nothing is frozen.
    pub fn begin(id: FreezeId, holder: HolderId, why: FreezeReason, by: Actor, now: Timestamp) -> FreezeStep {
        let state = FreezeState::Holds { until: why.until(now) };
        let freeze = Self { id, version: 1, holder, why, by, at: now, said_again_at: None, state };
        FreezeStep { freeze, from: None, guard: Guard::default() }
    }

    /// Somebody says so again: a lift that was asked for is off, the time starts anew, and the stronger way wins. A
    /// freeze until an override stays as it is, and so does one that was begun or prolonged [`SAID_JUST_NOW`]; then there
    /// is nothing to store.
    pub fn again(self, why: FreezeReason, by: Actor, now: Timestamp) -> Option<FreezeStep> {
        match &self.state {
            FreezeState::Holds { until: Until::Time { at, lift } } => {
                let stronger = why > self.why;
                if !stronger && lift.is_none() && now + LINK_FREEZE < *at + SAID_JUST_NOW {
                    return None;
                }
                let (why, by) = if stronger { (why, by) } else { (self.why, self.by) };
                let state = FreezeState::Holds { until: why.until(now) };
                Some(Self { why, by, said_again_at: Some(now), ..self }.next(state, Guard::default()))
            }
            FreezeState::Holds { until: Until::Override } | FreezeState::Ended { .. } => None,
        }
    }

    fn next(self, state: FreezeState, guard: Guard) -> FreezeStep {
        let from = self.version;
        FreezeStep { freeze: Self { version: from + 1, state, ..self }, from: Some(from), guard }
    }

    /// When it was said last. What was asked for before is stopped, although it was asked for after it began.
    pub fn said_at(&self) -> Timestamp {
        self.said_again_at.map_or(self.at, |again| again.max(self.at))
    }

    pub const fn holds(&self) -> bool {
        matches!(self.state, FreezeState::Holds { .. })
    }

    /// Whether this device could ask for a lift now.
    ///
    /// # Errors
    /// Why not.
    pub fn may_lift(&self, device: &Device) -> Result<(), FreezeRefusal> {
        let FreezeState::Holds { until } = &self.state else { return Err(FreezeRefusal::NotFrozen) };
        if device.body.holder != self.holder {
            return Err(FreezeRefusal::OtherHolder);
        }
        if !device.is_live() {
            return Err(FreezeRefusal::DeviceDead);
        }
        match until {
            Until::Override => Err(FreezeRefusal::NeedsOverride),
            Until::Time { lift: Some(_), .. } => Err(FreezeRefusal::LiftAsked),
            // A device that came in shortly before the holder cried out may be the reason why they did.
            Until::Time { lift: None, .. }
                if device.body.usable_from > self.at || device.body.enrolled_at >= self.at =>
            {
                Err(FreezeRefusal::DeviceTooNew)
            }
            Until::Time { lift: None, .. } => Ok(()),
        }
    }

    /// An enrolled device asks to lift it, with both signatures verified over `challenge`; it ends after the hold,
    /// unless somebody says again that it wasn't them.
    ///
    /// # Errors
    /// As [`Freeze::may_lift`].
    pub fn ask_lift(self, device: &Device, challenge: Digest, now: Timestamp) -> Result<FreezeStep, FreezeRefusal> {
        self.may_lift(device)?;
        let FreezeState::Holds { until: Until::Time { at, .. } } = &self.state else {
            return Err(FreezeRefusal::NeedsOverride);
        };
        let lift = Lift { device: device.body.id, asked_at: now, lifted_at: now + LIFT_HOLD, challenge };
        let state = FreezeState::Holds { until: Until::Time { at: *at, lift: Some(lift) } };
        // A node whose clock is behind would end the hold before it has passed.
        let guard = Guard { not_before: None, before: Some(now + super::approval::transitions::MAX_SKEW) };
        Ok(self.next(state, guard))
    }

    /// When a worker should look at it next.
    pub fn due_at(&self) -> Option<Timestamp> {
        match &self.state {
            FreezeState::Holds { until: Until::Time { at, lift } } => {
                Some(lift.as_ref().map_or(*at, |lift| lift.lifted_at.min(*at)))
            }
            FreezeState::Holds { until: Until::Override } | FreezeState::Ended { .. } => None,
        }
    }

    /// The lift that was asked for, if one was.
    pub const fn lift(&self) -> Option<&Lift> {
        match &self.state {
            FreezeState::Holds { until: Until::Time { lift: Some(lift), .. } } => Some(lift),
            FreezeState::Holds { .. } | FreezeState::Ended { .. } => None,
        }
    }

    /// What a worker has to do now; nothing while it holds on. `told` is when the first notice about the lift was
    /// delivered: its hold counts from there, and a lift of which nobody was told lifts nothing.
    pub fn fall_due(self, told: Option<Timestamp>, now: Timestamp) -> Option<FreezeStep> {
        let FreezeState::Holds { until: Until::Time { at, lift } } = &self.state else { return None };
        let lifted = lift.as_ref().zip(told).map(|(lift, told)| (lift.lifted_at.max(told + LIFT_HOLD), lift.device));
        let (due, how) = match lifted {
            Some((lifted_at, device)) if lifted_at <= *at => (lifted_at, FreezeEnd::Lifted(device)),
            Some(_) | None => (*at, FreezeEnd::TimeOver),
        };
        if now < due {
            return None;
        }
        let guard = Guard { not_before: Some(due), before: None };
        Some(self.next(FreezeState::Ended { at: now, how }, guard))
    }

    /// Two staff members unfroze it, and the hold of their override is over. What a [`Carry`] is made of was checked
    /// where it was made.
    ///
    /// # Errors
    /// [`FreezeRefusal::NotFrozen`], also when they signed about another freeze.
    pub fn unfreeze(self, carry: &Carry, now: Timestamp) -> Result<FreezeStep, FreezeRefusal> {
        if !self.holds() || carry.freeze() != Some(self.id) || carry.holder() != self.holder {
            return Err(FreezeRefusal::NotFrozen);
        }
        let guard = Guard { not_before: carry.not_before(), before: None };
        Ok(self.next(FreezeState::Ended { at: now, how: FreezeEnd::Override(ByOverride(carry.id())) }, guard))
    }
}

#[cfg(test)]
#[path = "freeze/tests.rs"]
mod tests;
