//! Every transition of an approval, as a pure function: it takes what is known and `now`, and gives the new approval
//! with its event and the guard that the database must check again with its own clock, or says why not.

use std::time::Duration;

use super::{
    Actor, Approval, CancelReason, Decider, Decision, ExpireReason, Logged, RejectReason, State, StateName, Told,
    Version, Watcher,
};
use crate::domain::backend::IdempotencyKey;
use crate::domain::details::{Details, Digest};
use crate::domain::device::{Device, Thumbprint};
use crate::domain::event::EventKind;
use crate::domain::ids::{ApprovalId, BackendId, DeviceId, HolderId, KeyId};
use crate::domain::policy::{Assurance, Terms};
use crate::domain::time::Timestamp;

/// How far a node's clock and the database's may lie apart (design section 2).
pub const MAX_SKEW: Duration = Duration::from_secs(2);

/// After this it is looked again whether the log has signed a decision; it signs every fraction of a second.
pub const LOG_WAIT: Duration = Duration::from_millis(50);

/// A transition that the rules allow. It takes effect only when it is stored by compare-and-set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    pub approval: Approval,
    /// The version that the record must still have.
    pub from: Version,
    pub event: EventKind,
    pub guard: Guard,
}

/// What the database's own clock must say at the moment of the write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Guard {
    /// Not earlier than this.
    pub not_before: Option<Timestamp>,
    /// Earlier than this.
    pub before: Option<Timestamp>,
}

/// Why a transition isn't allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the approval is {}", .0.as_str())]
    State(StateName),
    #[error("it was redeemed")]
    Redeemed { at: Timestamp },
    #[error("its time is over")]
    TimeOver,
    #[error("its time has not come")]
    TooEarly,
    #[error("the device belongs to another holder")]
    OtherHolder,
    #[error("the device is locked or removed")]
    DeviceDead,
    #[error("the device was enrolled, or was still on hold, when the approval was created")]
    DeviceTooNew,
    #[error("the device started the transfer")]
    SameBrowser,
    #[error("nobody opened the waiting page, and policy asks for it")]
    Unproved,
    #[error("policy asks for a passkey that can't leave its device")]
    AssuranceTooLow,
    #[error("the waiting page was opened before")]
    AlreadyWatched,
    #[error("another digest is recorded")]
    OtherDigest,
    #[error("it was redeemed under another key")]
    OtherKey,
    #[error("the hold can't be extended past its cap")]
    PastCap,
    #[error("the new end isn't later")]
    NotLonger,
}

/// What a timer finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Due {
    /// A transition to store.
    Now(Box<Transition>),
    /// Nothing yet; look again then.
    Later(Timestamp),
    /// Nothing, ever.
    Never,
}

/// The browser that is asking to decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deciding<'a> {
    pub device: &'a Device,
    /// SHA-256 of the mark that a waiting page left in this browser, if one did.
    pub mark: Option<Digest>,
}

impl Approval {
    /// A new approval, waiting for its holder.
    pub fn open(
        id: ApprovalId,
        backend: BackendId,
        holder: HolderId,
        details: Details,
        terms: Terms,
        now: Timestamp,
    ) -> Self {
        let expires_at = now + terms.life;
        Self {
            id,
            version: 1,
            backend,
            holder,
            details,
            terms,
            created_at: now,
            expires_at,
            watcher: Watcher::Nobody,
            state: State::Pending,
        }
    }

    pub(super) fn next(self, state: State, event: EventKind, guard: Guard) -> Transition {
        let from = self.version;
        Transition { approval: Self { version: from + 1, state, ..self }, from, event, guard }
    }

    /// The waiting page was opened: remembers the browser, so that it can't decide.
    ///
    /// # Errors
    /// [`Refusal::State`] when it isn't pending, [`Refusal::AlreadyWatched`] the second time.
    pub fn watch(
        mut self,
        mark: Digest,
        devices: Vec<DeviceId>,
        keys: Vec<Thumbprint>,
        now: Timestamp,
    ) -> Result<Transition, Refusal> {
        if self.state != State::Pending {
            return Err(Refusal::State(self.state.name()));
        }
        if self.watcher != Watcher::Nobody {
            return Err(Refusal::AlreadyWatched);
        }
        self.watcher = Watcher::Browser { at: now, mark, devices, keys };
        Ok(self.next(State::Pending, EventKind::Watched, Guard::default()))
    }

    /// Whether this browser may decide, and if so with which distinctness and hold. Asked when the page is shown, when
    /// a prompt is made, and again when the decision is stored.
    ///
    /// # Errors
    /// The first of the rules of design section 2, "A distinct device", that is broken.
    pub fn may_decide(&self, who: &Deciding<'_>, now: Timestamp) -> Result<(super::Distinct, Duration), Refusal> {
        if self.state != State::Pending {
            return Err(Refusal::State(self.state.name()));
        }
        if now >= self.expires_at {
            return Err(Refusal::TimeOver);
        }
        let device = who.device;
        if device.body.holder != self.holder {
            return Err(Refusal::OtherHolder);
        }
        if !device.is_live() {
            return Err(Refusal::DeviceDead);
        }
        if device.body.enrolled_at >= self.created_at || device.body.usable_from > self.created_at {
            return Err(Refusal::DeviceTooNew);
        }
        if let Watcher::Browser { mark, devices, keys, .. } = &self.watcher {
            let same = who.mark == Some(*mark)
                || devices.contains(&device.body.id)
                || keys.contains(&device.body.key.thumbprint());
            if same {
                return Err(Refusal::SameBrowser);
            }
        }
        let (distinct, hold) = self.distinct().ok_or(Refusal::Unproved)?;
        if device.body.assurance < self.terms.assurance {
            return Err(Refusal::AssuranceTooLow);
        }
        Ok((distinct, hold))
    }

    /// The holder approved on a device, with both signatures verified over `challenge`; cooling-off begins.
    ///
    /// # Errors
    /// As [`Approval::may_decide`].
    pub fn approve(self, who: &Deciding<'_>, challenge: Digest, now: Timestamp) -> Result<Transition, Refusal> {
        let (distinct, hold) = self.may_decide(who, now)?;
        let body = &who.device.body;
        let decision = Decision {
            by: Decider::Device {
                device: body.id,
                device_enrolled_at: body.enrolled_at,
                assurance: body.assurance.min(Assurance::DeviceBound),
                distinct,
            },
            approved_at: now,
            hold,
            challenge,
        };
        // A node whose clock is behind would end the hold before it has passed; the database refuses it.
        let guard = Guard { not_before: None, before: Some(self.expires_at.min(now + MAX_SKEW)) };
        let state = State::Cooling { decision, cooling_until: now + hold };
        Ok(self.next(state, EventKind::Cooling, guard))
    }

    /// The holder refuses. Needs no ceremony: tightening is instant.
    ///
    /// # Errors
    /// [`Refusal::State`] when it isn't pending.
    pub fn reject(self, by: Actor, now: Timestamp) -> Result<Transition, Refusal> {
        if self.state != State::Pending {
            return Err(Refusal::State(self.state.name()));
        }
        let state = State::Rejected { reason: RejectReason::HolderRejected, by, at: now };
        Ok(self.next(state, EventKind::Rejected, Guard::default()))
    }

    /// Somebody entitled stops it. Wins until redeem commits.
    ///
    /// # Errors
    /// [`Refusal::Redeemed`] when it is too late, [`Refusal::State`] in another final state. The caller treats
    /// cancelling a cancelled approval as done.
    pub fn cancel(self, reason: CancelReason, by: Actor, now: Timestamp) -> Result<Transition, Refusal> {
        match &self.state {
            State::Pending | State::Cooling { .. } | State::Released { .. } => {
                let state = State::Cancelled { reason, by, at: now };
                Ok(self.next(state, EventKind::Cancelled, Guard::default()))
            }
            State::Redeemed { redeemed_at, .. } => Err(Refusal::Redeemed { at: *redeemed_at }),
            other => Err(Refusal::State(other.name())),
        }
    }

    /// Makes the hold longer, never past its cap.
    ///
    /// # Errors
    /// [`Refusal::State`] outside cooling, [`Refusal::NotLonger`] and [`Refusal::PastCap`].
    pub fn extend(self, until: Timestamp, now: Timestamp) -> Result<Transition, Refusal> {
        let State::Cooling { decision, cooling_until } = &self.state else {
            return Err(Refusal::State(self.state.name()));
        };
        if until <= *cooling_until || until <= now {
            return Err(Refusal::NotLonger);
        }
        if until > decision.approved_at + self.terms.hold_cap {
            return Err(Refusal::PastCap);
        }
        let state = State::Cooling { decision: decision.clone(), cooling_until: until };
        Ok(self.next(state, EventKind::Extended, Guard::default()))
    }

    /// What a timer has to do now. `told` is a notice that reached the holder after the approval, on a way other than
    /// the device that approved: a release comes `terms.told_before` after it at the soonest, and a hold that would end
    /// before that gets longer. `logged` is whether the log has signed the decision: a release waits for that.
    pub fn fall_due(self, told: Option<Told>, logged: Logged, now: Timestamp) -> Due {
        match &self.state {
            State::Pending if now >= self.expires_at => {
                let guard = Guard { not_before: Some(self.expires_at), before: None };
                let state = State::Expired { reason: ExpireReason::Unanswered, at: now };
                Due::Now(Box::new(self.next(state, EventKind::Expired, guard)))
            }
            State::Cooling { decision, .. } if matches!(decision.by, Decider::Staff { .. }) => {
                let decision = decision.clone();
                self.fall_due_for_staff(&decision, told, logged, now)
            }
            State::Cooling { decision, cooling_until } if now >= *cooling_until => {
                let given_up_at = decision.approved_at + self.terms.hold_cap;
                // The holder has had the time to stop it; told too late for that before the cap is not told.
                let time = decision.hold.min(self.terms.told_before);
                let in_time =
                    |told: &Told| told.delivered_at >= decision.approved_at && told.delivered_at + time <= given_up_at;
                let told = told.filter(in_time);
                let until = told.as_ref().map_or(*cooling_until, |told| (told.delivered_at + time).max(*cooling_until));
                match told {
                    Some(_) if now < until => {
                        let cooling_until = until;
                        let state = State::Cooling { decision: decision.clone(), cooling_until };
                        Due::Now(Box::new(self.next(state, EventKind::Extended, Guard::default())))
                    }
                    Some(_) if logged == Logged::NotYet => Due::Later(now + LOG_WAIT),
                    Some(told) => {
                        let guard = Guard { not_before: Some(until), before: None };
                        let redeem_until = now + self.terms.redeem_within;
                        let decision = decision.clone();
                        let state = State::Released { decision, told, released_at: now, redeem_until };
                        Due::Now(Box::new(self.next(state, EventKind::Released, guard)))
                    }
                    None if now >= given_up_at => {
                        let guard = Guard { not_before: Some(given_up_at), before: None };
                        let reason = CancelReason::Unreachable;
                        let state = State::Cancelled { reason, by: Actor::Service, at: now };
                        Due::Now(Box::new(self.next(state, EventKind::Cancelled, guard)))
                    }
                    None => Due::Later(given_up_at),
                }
            }
            State::Released { redeem_until, .. } if now >= *redeem_until => {
                let guard = Guard { not_before: Some(*redeem_until), before: None };
                let state = State::Expired { reason: ExpireReason::NotRedeemed, at: now };
                Due::Now(Box::new(self.next(state, EventKind::Expired, guard)))
            }
            State::Pending | State::Cooling { .. } | State::Released { .. } => {
                self.due_at().map_or(Due::Never, Due::Later)
            }
            State::Redeemed { .. } | State::Rejected { .. } | State::Cancelled { .. } | State::Expired { .. } => {
                Due::Never
            }
        }
    }

    /// The backend takes the released transfer, once, naming the digest it is about to execute.
    ///
    /// # Errors
    /// [`Refusal::OtherDigest`] first, whatever the state; [`Refusal::OtherKey`] when it was redeemed under another
    /// `Idempotency-Key`; [`Refusal::TimeOver`] after `redeem_until`; [`Refusal::State`] otherwise. The caller answers
    /// a repeat under the same key with the first answer before it comes here.
    pub fn redeem(
        self,
        digest: Digest,
        by: KeyId,
        idempotency_key: IdempotencyKey,
        now: Timestamp,
    ) -> Result<Transition, Refusal> {
        if digest != self.digest() {
            return Err(Refusal::OtherDigest);
        }
        match &self.state {
            State::Released { decision, told, released_at, redeem_until } => {
                if now >= *redeem_until {
                    return Err(Refusal::TimeOver);
                }
                let guard = Guard { not_before: None, before: Some(*redeem_until) };
                let state = State::Redeemed {
                    decision: decision.clone(),
                    told: told.clone(),
                    released_at: *released_at,
                    redeemed_at: now,
                    by,
                    idempotency_key,
                };
                Ok(self.next(state, EventKind::Redeemed, guard))
            }
            State::Redeemed { .. } => Err(Refusal::OtherKey),
            other => Err(Refusal::State(other.name())),
        }
    }
}
