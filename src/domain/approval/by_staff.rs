//! What two staff members may do to a transfer, by an override request: approve it instead of the holder, after which it
//! cools off from the first delivered notice on; and what being asked does to its life. Released it is like any other.

use std::time::Duration;

use super::transitions::{Due, Guard, LOG_WAIT, MAX_SKEW, Refusal, Transition};
use super::{Actor, Approval, CancelReason, Decider, Decision, Logged, StaffDecision, State, Told};
use crate::domain::event::EventKind;
use crate::domain::override_request::transitions::Carry;
use crate::domain::override_request::{SIGN_WITHIN, TOLD_WITHIN};
use crate::domain::time::Timestamp;

/// Longest life of a pending approval (design section 8).
const MAX_LIFE: Duration = Duration::from_secs(24 * 3600);

impl Approval {
    /// How long it cools off once two staff members approve it: as long as what they signed demands, and never shorter
    /// than if the holder had approved it on a device. Staff shorten nothing (design section 3).
    pub fn hold_for_staff(&self, demanded: Duration) -> Duration {
        let by_device = self.distinct().map_or(self.terms.hold, |(_, hold)| hold);
        demanded.max(self.terms.hold).max(by_device)
    }

    /// Two staff members approve it instead of the holder; cooling-off begins, as long as
    /// [`Approval::hold_for_staff`] says. What a [`Carry`] is made of was checked where it was made.
    ///
    /// # Errors
    /// [`Refusal::State`] and [`Refusal::TimeOver`] as for a device; [`Refusal::OtherDigest`] when what they signed is
    /// about something else.
    pub fn approve_for_holder(self, carry: &Carry, now: Timestamp) -> Result<Transition, Refusal> {
        if self.state != State::Pending {
            return Err(Refusal::State(self.state.name()));
        }
        if now >= self.expires_at {
            return Err(Refusal::TimeOver);
        }
        if carry.transfer() != Some((self.id, self.digest())) || carry.holder() != self.holder {
            return Err(Refusal::OtherDigest);
        }
        let hold = self.hold_for_staff(carry.hold());
        let by = Decider::Staff(StaffDecision::of(carry));
        let decision = Decision { by, approved_at: now, hold, challenge: carry.digest() };
        let guard = Guard { not_before: None, before: Some(self.expires_at.min(now + MAX_SKEW)) };
        let state = State::Cooling { decision, cooling_until: now + hold };
        Ok(self.next(state, EventKind::Cooling, guard))
    }

    /// Staff asked to approve it instead of the holder, which takes time: once in its life, its end moves (design
    /// section 8). Nothing to do when it ends later anyway, or was moved before.
    ///
    /// # Errors
    /// [`Refusal::State`] and [`Refusal::TimeOver`].
    pub fn prolong(self, now: Timestamp) -> Result<Option<Transition>, Refusal> {
        if self.state != State::Pending {
            return Err(Refusal::State(self.state.name()));
        }
        if now >= self.expires_at {
            return Err(Refusal::TimeOver);
        }
        let moved_before = self.expires_at != self.created_at + self.terms.life;
        let until = (now + SIGN_WITHIN).min(self.created_at + MAX_LIFE);
        if moved_before || until <= self.expires_at {
            return Ok(None);
        }
        let guard = Guard { not_before: None, before: Some(self.expires_at) };
        Ok(Some(Self { expires_at: until, ..self }.next(State::Pending, EventKind::Prolonged, guard)))
    }

    /// As [`Approval::fall_due`], where two staff members decided: the hold counts from the first delivered notice, and
    /// a day without one ends it.
    pub(super) fn fall_due_for_staff(
        self,
        decision: &Decision,
        told: Option<Told>,
        logged: Logged,
        now: Timestamp,
    ) -> Due {
        let State::Cooling { cooling_until, .. } = self.state else { return Due::Never };
        let told_until = decision.approved_at + TOLD_WITHIN;
        let counts = |told: &Told| told.delivered_at >= decision.approved_at && told.delivered_at <= told_until;
        let Some(told) = told.filter(counts) else {
            if now < told_until {
                return Due::Later(told_until);
            }
            let guard = Guard { not_before: Some(told_until), before: None };
            let state = State::Cancelled { reason: CancelReason::Unreachable, by: Actor::Service, at: now };
            return Due::Now(Box::new(self.next(state, EventKind::Cancelled, guard)));
        };
        let over_at = cooling_until.max(told.delivered_at + decision.hold);
        if over_at > cooling_until {
            let state = State::Cooling { decision: decision.clone(), cooling_until: over_at };
            return Due::Now(Box::new(self.next(state, EventKind::Extended, Guard::default())));
        }
        if now < over_at {
            return Due::Later(over_at);
        }
        if logged == Logged::NotYet {
            return Due::Later(now + LOG_WAIT);
        }
        let guard = Guard { not_before: Some(over_at), before: None };
        let redeem_until = now + self.terms.redeem_within;
        let state = State::Released { decision: decision.clone(), told, released_at: now, redeem_until };
        Due::Now(Box::new(self.next(state, EventKind::Released, guard)))
    }
}
