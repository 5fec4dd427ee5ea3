//! Every command in every state, with the exact approval, event and guard that come out of it.

use super::super::transitions::{Due, Guard, Refusal, Transition};
use super::*;
use crate::domain::event::EventKind;

/// What a command has to give.
#[derive(Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "a table of expectations, made once for each case")]
enum Cell {
    /// This state, this event and this guard; the version one higher and all else as it was.
    Becomes(State, EventKind, Guard),
    Refused(Refusal),
    /// A timer finds nothing yet.
    Later(Timestamp),
    /// A timer finds nothing, ever.
    Never,
}

use Cell::{Becomes, Later, Never, Refused};

const COOLING_UNTIL: Timestamp = Timestamp::from_micros(APPROVED.micros() + 4 * 3_600_000_000);
const REDEEM_UNTIL: Timestamp = Timestamp::from_micros(COOLING_UNTIL.micros() + 24 * 3_600_000_000);
const GIVEN_UP: Timestamp = Timestamp::from_micros(APPROVED.micros() + 72 * 3_600_000_000);

/// Compares a transition with the cell. Returning the cell that was found keeps the table below a list of equations.
fn cell(before: &Approval, found: Result<Transition, Refusal>) -> Cell {
    match found {
        Err(refusal) => Refused(refusal),
        Ok(transition) => {
            assert_eq!(transition.from, before.version);
            let Transition { approval: after, event, guard, .. } = transition;
            let unchanged = Approval {
                version: before.version + 1,
                state: after.state.clone(),
                watcher: after.watcher.clone(),
                ..before.clone()
            };
            assert_eq!(after, unchanged, "a transition touches the state, the version and the watcher only");
            if event != EventKind::Watched {
                assert_eq!(after.watcher, before.watcher);
            }
            Becomes(after.state, event, guard)
        }
    }
}

fn due(before: &Approval, told: Option<Told>, now: Timestamp) -> Cell {
    match before.clone().fall_due(told, Logged::Yes, now) {
        Due::Now(transition) => cell(before, Ok(*transition)),
        Due::Later(at) => Later(at),
        Due::Never => Never,
    }
}

fn every_state(command: impl Fn(Approval) -> Result<Transition, Refusal>, expected: impl Fn(StateName) -> Cell) {
    for name in StateName::ALL {
        let before = in_state(name);
        assert_eq!(cell(&before, command(before.clone())), expected(name), "{name:?}");
    }
}

const NO_GUARD: Guard = Guard { not_before: None, before: None };

const fn not_before(at: Timestamp) -> Guard {
    Guard { not_before: Some(at), before: None }
}

const fn before(at: Timestamp) -> Guard {
    Guard { not_before: None, before: Some(at) }
}

#[test]
fn watch_marks_a_pending_one_once() {
    every_state(
        |approval| approval.watch(mark(), vec![device(2).body.id], vec![], CREATED + SECOND),
        |name| match name {
            StateName::Pending => Becomes(State::Pending, EventKind::Watched, NO_GUARD),
            other => Refused(Refusal::State(other)),
        },
    );
    let keys = vec![device(2).body.key.thumbprint()];
    let watched = opened().watch(mark(), vec![device(2).body.id], keys.clone(), CREATED + SECOND).unwrap().approval;
    let expected = Watcher::Browser { at: CREATED + SECOND, mark: mark(), devices: vec![device(2).body.id], keys };
    assert_eq!(watched.watcher, expected);
    let again = watched.watch(mark(), vec![], vec![], CREATED + MINUTE);
    assert_eq!(again.unwrap_err(), Refusal::AlreadyWatched);
}

#[test]
fn approve_starts_the_hold_from_pending_only() {
    let cooling = || State::Cooling { decision: decision(), cooling_until: COOLING_UNTIL };
    every_state(
        |approval| approval.approve(&by(&device(1)), challenge(), APPROVED),
        |name| match name {
            StateName::Pending => Becomes(cooling(), EventKind::Cooling, before(APPROVED + 2 * SECOND)),
            other => Refused(Refusal::State(other)),
        },
    );
    let late = |at| opened().approve(&by(&device(1)), challenge(), at).map(|done| done.approval.state.name());
    assert_eq!(late(CREATED + HOUR - TICK), Ok(StateName::Cooling));
    assert_eq!(late(CREATED + HOUR), Err(Refusal::TimeOver));
}

#[test]
fn a_watched_approval_is_signed_with_the_shorter_hold_and_says_so() {
    let watched = opened().watch(mark(), vec![], vec![], CREATED).unwrap().approval;
    let State::Cooling { decision, cooling_until } =
        watched.approve(&by(&device(1)), challenge(), APPROVED).unwrap().approval.state
    else {
        panic!("it isn't cooling");
    };
    assert_eq!((decision.distinct(), decision.hold), (Some(Distinct::Observed), 15 * MINUTE));
    assert_eq!(cooling_until, APPROVED + 15 * MINUTE);
}

#[test]
fn reject_ends_a_pending_one_only() {
    let who = Actor::Device(device(1).body.id);
    let at = CREATED + 2 * HOUR;
    every_state(
        |approval| approval.reject(who, at),
        |name| match name {
            StateName::Pending => {
                let rejected = State::Rejected { reason: RejectReason::HolderRejected, by: who, at };
                Becomes(rejected, EventKind::Rejected, NO_GUARD)
            }
            other => Refused(Refusal::State(other)),
        },
    );
}

#[test]
fn cancel_wins_until_redeemed() {
    let at = REDEEM_UNTIL + HOUR;
    every_state(
        |approval| approval.cancel(CancelReason::HolderStopped, Actor::Link, at),
        |name| match name {
            StateName::Pending | StateName::Cooling | StateName::Released => {
                let cancelled = State::Cancelled { reason: CancelReason::HolderStopped, by: Actor::Link, at };
                Becomes(cancelled, EventKind::Cancelled, NO_GUARD)
            }
            StateName::Redeemed => Refused(Refusal::Redeemed { at: COOLING_UNTIL + HOUR }),
            other => Refused(Refusal::State(other)),
        },
    );
}

#[test]
fn extend_makes_a_cooling_one_longer_up_to_the_cap() {
    let longer = COOLING_UNTIL + HOUR;
    every_state(
        |approval| approval.extend(longer, APPROVED + HOUR),
        |name| match name {
            StateName::Cooling => {
                let extended = State::Cooling { decision: decision(), cooling_until: longer };
                Becomes(extended, EventKind::Extended, NO_GUARD)
            }
            other => Refused(Refusal::State(other)),
        },
    );
    let until = |until, now| in_state(StateName::Cooling).extend(until, now).map(|done| done.approval.due_at());
    assert_eq!(until(COOLING_UNTIL, APPROVED), Err(Refusal::NotLonger));
    assert_eq!(until(COOLING_UNTIL - TICK, APPROVED), Err(Refusal::NotLonger));
    assert_eq!(until(longer, longer), Err(Refusal::NotLonger), "an end that lies behind now lengthens nothing");
    assert_eq!(until(GIVEN_UP, APPROVED), Ok(Some(GIVEN_UP)));
    assert_eq!(until(GIVEN_UP + TICK, APPROVED), Err(Refusal::PastCap));
}

#[test]
fn a_timer_ends_what_is_over_and_releases_what_has_cooled() {
    let told = || Some(told_at(APPROVED + MINUTE));
    let after_all = GIVEN_UP + 100 * HOUR;
    for name in StateName::ALL {
        let before = in_state(name);
        let expected = match name {
            StateName::Pending => {
                let expired = State::Expired { reason: ExpireReason::Unanswered, at: after_all };
                Becomes(expired, EventKind::Expired, not_before(CREATED + HOUR))
            }
            StateName::Cooling => {
                let released = State::Released {
                    decision: decision(),
                    told: told_at(APPROVED + MINUTE),
                    released_at: after_all,
                    redeem_until: after_all + 24 * HOUR,
                };
                Becomes(released, EventKind::Released, not_before(COOLING_UNTIL))
            }
            StateName::Released => {
                let expired = State::Expired { reason: ExpireReason::NotRedeemed, at: after_all };
                Becomes(expired, EventKind::Expired, not_before(REDEEM_UNTIL))
            }
            _ => Never,
        };
        assert_eq!(due(&before, told(), after_all), expected, "{name:?}");
        let too_early = before.due_at().map(|at| due(&before, told(), at - TICK));
        assert_eq!(too_early, before.due_at().map(Later), "{name:?} a tick before its time");
        let on_time = before.due_at().map(|at| due(&before, told(), at));
        assert!(on_time.is_none_or(|found| matches!(found, Becomes(..))), "{name:?} at its time");
    }
}

#[test]
fn a_hold_that_nobody_was_told_of_is_given_up_at_its_cap_and_never_released() {
    let cooling = in_state(StateName::Cooling);
    let too_early_told = told_at(APPROVED - TICK);
    for untold in [None, Some(too_early_told)] {
        assert_eq!(due(&cooling, untold.clone(), COOLING_UNTIL), Later(GIVEN_UP));
        assert_eq!(due(&cooling, untold.clone(), GIVEN_UP - TICK), Later(GIVEN_UP));
        let given_up = State::Cancelled { reason: CancelReason::Unreachable, by: Actor::Service, at: GIVEN_UP };
        let expected = Becomes(given_up, EventKind::Cancelled, not_before(GIVEN_UP));
        assert_eq!(due(&cooling, untold, GIVEN_UP), expected);
    }
    let told = Some(told_at(APPROVED));
    assert!(matches!(due(&cooling, told, COOLING_UNTIL), Becomes(State::Released { .. }, EventKind::Released, _)));
    assert_eq!(cooling.given_up_at(), Some(GIVEN_UP));
    assert_eq!(in_state(StateName::Released).given_up_at(), None);
}

#[test]
fn a_holder_who_is_told_late_has_the_time_to_stop_it_all_the_same() {
    let cooling = in_state(StateName::Cooling);
    let late = COOLING_UNTIL + HOUR;
    let longer = State::Cooling { decision: decision(), cooling_until: late + 10 * MINUTE };
    let told = || Some(told_at(late));
    assert_eq!(due(&cooling, told(), late), Becomes(longer.clone(), EventKind::Extended, NO_GUARD));
    let extended = Approval { state: longer, ..cooling.clone() };
    assert_eq!(due(&extended, told(), late + 10 * MINUTE - TICK), Later(late + 10 * MINUTE));
    let released = due(&extended, told(), late + 10 * MINUTE);
    assert!(matches!(released, Becomes(State::Released { .. }, EventKind::Released, _)), "{released:?}");
    // In time by a tick, and too late by one: the hold never passes its cap.
    let last = GIVEN_UP - 10 * MINUTE;
    let extended = due(&cooling, Some(told_at(last)), GIVEN_UP - TICK);
    assert!(matches!(extended, Becomes(State::Cooling { cooling_until: GIVEN_UP, .. }, EventKind::Extended, _)));
    let given_up = due(&cooling, Some(told_at(last + TICK)), GIVEN_UP);
    assert!(matches!(given_up, Becomes(State::Cancelled { reason: CancelReason::Unreachable, .. }, _, _)));
    // A hold that is shorter than that is all the time there is.
    let short = Approval { terms: Terms { told_before: 100 * HOUR, ..terms() }, ..cooling };
    let whole = State::Cooling { decision: decision(), cooling_until: late + 4 * HOUR };
    assert_eq!(due(&short, told(), late), Becomes(whole, EventKind::Extended, NO_GUARD));
}

#[test]
fn redeem_takes_a_released_one_once_by_its_digest() {
    let at = COOLING_UNTIL + HOUR;
    let digest = opened().digest();
    let take = |approval: Approval, digest, at| approval.redeem(digest, redeem_key(), idempotency_key("first"), at);
    every_state(
        |approval| take(approval, digest, at),
        |name| match name {
            StateName::Released => {
                Becomes(in_state(StateName::Redeemed).state, EventKind::Redeemed, before(REDEEM_UNTIL))
            }
            StateName::Redeemed => Refused(Refusal::OtherKey),
            other => Refused(Refusal::State(other)),
        },
    );
    every_state(|approval| take(approval, Digest::of(b"another"), at), |_| Refused(Refusal::OtherDigest));
    let released = || in_state(StateName::Released);
    assert!(take(released(), digest, REDEEM_UNTIL - TICK).is_ok());
    assert_eq!(take(released(), digest, REDEEM_UNTIL).unwrap_err(), Refusal::TimeOver);
}
