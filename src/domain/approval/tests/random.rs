//! Random histories: any commands by anybody, in any order, on a clock that jumps both ways. What must hold after
//! each step is stated here a second time, from the design and not from the code.

use proptest::prelude::*;
use proptest::sample::select;

use super::super::transitions::{Due, Refusal, Transition};
use super::*;

/// Who tries to decide. The browser that may be watching is the one of device 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hand {
    Good,
    Watching,
    /// The good device's key and passkey, in a browser that carries the waiting page's mark.
    GoodButMarked,
    Foreign,
    Locked,
    Removed,
    EnrolledLater,
    OnHold,
    Synced,
}

const HANDS: [Hand; 9] = [
    Hand::Good,
    Hand::Watching,
    Hand::GoodButMarked,
    Hand::Foreign,
    Hand::Locked,
    Hand::Removed,
    Hand::EnrolledLater,
    Hand::OnHold,
    Hand::Synced,
];

#[derive(Debug, Clone)]
enum Step {
    Watch,
    Approve(Hand),
    Reject,
    Cancel,
    /// This long after now.
    Extend(Duration),
    /// With a notice delivered this long before now, or none.
    FallDue(Option<Duration>),
    Redeem {
        right_digest: bool,
        key: &'static str,
    },
}

/// Where time goes before a step.
#[derive(Debug, Clone, Copy)]
enum Jump {
    Ahead(Duration),
    /// A stepped clock.
    Back(Duration),
    /// To the tick before, at or after whatever is due.
    Due(i64),
}

fn hand(hand: Hand) -> (Device, Option<Digest>) {
    let mut device = device(1);
    match hand {
        Hand::Good | Hand::GoodButMarked => {}
        Hand::Watching => device = super::device(2),
        Hand::Foreign => device.body.holder = HolderId::new(CREATED, [99; 10]),
        Hand::Locked => device.locked_at = Some(CREATED),
        Hand::Removed => device.removed_at = Some(CREATED),
        Hand::EnrolledLater => device.body.enrolled_at = CREATED,
        Hand::OnHold => device.body.usable_from = CREATED + TICK,
        Hand::Synced => device.body.assurance = Assurance::Synced,
    }
    (device, (hand == Hand::GoodButMarked).then(mark))
}

/// Whether design section 2 lets this hand decide.
fn entitled(hand: Hand, approval: &Approval) -> bool {
    let watched = approval.watcher != Watcher::Nobody;
    match hand {
        Hand::Good => true,
        Hand::Watching | Hand::GoodButMarked => !watched,
        Hand::Synced => approval.terms.assurance == Assurance::Synced,
        Hand::Foreign | Hand::Locked | Hand::Removed | Hand::EnrolledLater | Hand::OnHold => false,
    }
}

fn span() -> impl Strategy<Value = Duration> {
    let fixed = [Duration::ZERO, TICK, SECOND, MINUTE, 15 * MINUTE, HOUR, 24 * HOUR, 73 * HOUR];
    prop_oneof![select(fixed.to_vec()), (0..400_000_u64).prop_map(Duration::from_secs)]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => Just(Step::Watch),
        4 => select(HANDS.to_vec()).prop_map(Step::Approve),
        1 => Just(Step::Reject),
        1 => Just(Step::Cancel),
        3 => span().prop_map(Step::Extend),
        6 => proptest::option::of(span()).prop_map(Step::FallDue),
        4 => (any::<bool>(), select(vec!["one", "two"]))
            .prop_map(|(right_digest, key)| Step::Redeem { right_digest, key }),
    ]
}

fn jump() -> impl Strategy<Value = Jump> {
    prop_oneof![
        6 => select(vec![Duration::ZERO, TICK, SECOND, MINUTE]).prop_map(Jump::Ahead),
        1 => span().prop_map(Jump::Ahead),
        1 => span().prop_map(Jump::Back),
        2 => (-1..=1_i64).prop_map(Jump::Due),
    ]
}

/// How an undisturbed transfer begins; a history starts with the first few of these, so that the later states are
/// visited as often as the first.
fn undisturbed() -> Vec<(Jump, Step)> {
    vec![
        (Jump::Ahead(SECOND), Step::Watch),
        (Jump::Ahead(SECOND), Step::Approve(Hand::Good)),
        (Jump::Due(0), Step::FallDue(Some(SECOND))),
    ]
}

fn start() -> impl Strategy<Value = Approval> {
    let unproved = select(vec![Unproved::Refuse, Unproved::HoldFor(4 * HOUR), Unproved::HoldFor(72 * HOUR)]);
    (unproved, select(vec![Assurance::Synced, Assurance::DeviceBound]))
        .prop_map(|(unproved, assurance)| Approval { terms: Terms { unproved, assurance, ..terms() }, ..opened() })
}

fn take(approval: Approval, step: &Step, now: Timestamp) -> Result<Option<Transition>, Refusal> {
    match step {
        Step::Watch => {
            let watching = device(2).body;
            approval.watch(mark(), vec![watching.id], vec![watching.key.thumbprint()], now).map(Some)
        }
        Step::Approve(who) => {
            let (device, mark) = hand(*who);
            approval.approve(&Deciding { device: &device, mark }, challenge(), now).map(Some)
        }
        Step::Reject => approval.reject(Actor::Unknown, now).map(Some),
        Step::Cancel => approval.cancel(CancelReason::BackendCancelled, Actor::Backend(redeem_key()), now).map(Some),
        Step::Extend(by) => approval.extend(now + *by, now).map(Some),
        Step::FallDue(told) => match approval.fall_due(told.map(|ago| told_at(now - ago)), Logged::Yes, now) {
            Due::Now(transition) => Ok(Some(*transition)),
            Due::Later(_) | Due::Never => Ok(None),
        },
        Step::Redeem { right_digest, key } => {
            let digest = if *right_digest { approval.digest() } else { Digest::of(b"another") };
            approval.redeem(digest, redeem_key(), idempotency_key(key), now).map(Some)
        }
    }
}

/// What every stored transition must keep.
fn check(before: &Approval, step: &Step, done: &Transition, now: Timestamp) -> Result<(), TestCaseError> {
    let after = &done.approval;
    prop_assert_eq!(done.from, before.version);
    prop_assert_eq!(after.version, before.version + 1);
    prop_assert!(!before.state.name().is_final(), "{:?} moved on", before.state);
    let kept = Approval {
        version: after.version,
        watcher: after.watcher.clone(),
        state: after.state.clone(),
        ..before.clone()
    };
    prop_assert_eq!(after, &kept);
    prop_assert!(before.watcher == Watcher::Nobody || after.watcher == before.watcher);
    prop_assert!(done.guard.not_before.is_none_or(|bound| now >= bound), "its own guard would refuse it");
    prop_assert!(done.guard.before.is_none_or(|bound| now < bound), "its own guard would refuse it");
    match (&before.state, &after.state) {
        (State::Pending, State::Pending) => prop_assert!(matches!(step, Step::Watch)),
        (State::Pending, State::Cooling { decision, cooling_until }) => {
            let Step::Approve(who) = step else { return Err(TestCaseError::fail("approved by nobody")) };
            prop_assert!(entitled(*who, before), "{:?} decided", who);
            prop_assert!(now < before.expires_at);
            prop_assert_eq!(done.guard.before, Some(before.expires_at.min(now + 2 * SECOND)));
            let watched = before.watcher != Watcher::Nobody;
            prop_assert_eq!(decision.distinct() == Some(Distinct::Observed), watched);
            prop_assert!(watched || before.terms.unproved != Unproved::Refuse);
            prop_assert!(decision.hold >= before.terms.hold);
            prop_assert_eq!(*cooling_until, now + decision.hold);
            prop_assert_eq!((decision.approved_at, decision.challenge), (now, challenge()));
        }
        (State::Cooling { decision, cooling_until }, State::Cooling { decision: still, cooling_until: later }) => {
            prop_assert_eq!(decision, still);
            prop_assert!(later > cooling_until && *later <= decision.approved_at + before.terms.hold_cap);
        }
        (State::Cooling { decision, cooling_until }, State::Released { decision: still, told, .. }) => {
            prop_assert_eq!(decision, still);
            prop_assert!(now >= *cooling_until);
            prop_assert!(told.delivered_at >= decision.approved_at);
            let time = decision.hold.min(before.terms.told_before);
            prop_assert!(now >= told.delivered_at + time, "told just before it went");
            // By the database's clock too.
            prop_assert_eq!(done.guard.not_before, Some((told.delivered_at + time).max(*cooling_until)));
        }
        (State::Released { decision, redeem_until, .. }, State::Redeemed { decision: still, .. }) => {
            prop_assert_eq!(decision, still);
            prop_assert!(now < *redeem_until);
            prop_assert_eq!(done.guard.before, Some(*redeem_until));
            let named_it = matches!(step, Step::Redeem { right_digest: true, .. });
            prop_assert!(named_it);
        }
        (State::Cooling { decision, .. }, State::Cancelled { reason: CancelReason::Unreachable, .. }) => {
            prop_assert!(now >= decision.approved_at + before.terms.hold_cap);
        }
        (State::Pending, State::Rejected { .. }) => prop_assert!(matches!(step, Step::Reject)),
        (_, State::Cancelled { reason, .. }) => {
            prop_assert!(matches!(step, Step::Cancel));
            prop_assert_eq!(*reason, CancelReason::BackendCancelled);
        }
        (State::Pending, State::Expired { reason: ExpireReason::Unanswered, .. }) => {
            prop_assert!(now >= before.expires_at);
        }
        (State::Released { redeem_until, .. }, State::Expired { reason: ExpireReason::NotRedeemed, .. }) => {
            prop_assert!(now >= *redeem_until);
        }
        (from, to) => return Err(TestCaseError::fail(format!("{from:?} became {to:?}"))),
    }
    Ok(())
}

/// Left alone with its timer and no notice, it must come to an end.
fn check_not_stuck(mut approval: Approval) -> Result<(), TestCaseError> {
    for _ in 0..3 {
        prop_assert_eq!(approval.due_at().is_none(), approval.state.name().is_final());
        let Some(at) = approval.due_at() else { return Ok(()) };
        let at = approval.given_up_at().map_or(at, |given_up| at.max(given_up));
        let Due::Now(done) = approval.clone().fall_due(None, Logged::Yes, at) else {
            return Err(TestCaseError::fail(format!("stuck: {approval:?}")));
        };
        approval = done.approval;
    }
    Err(TestCaseError::fail("it never ends"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn no_history_breaks_the_rules(
        mut approval in start(),
        head_start in 0..=3_usize,
        steps in proptest::collection::vec((jump(), step()), 1..24),
    ) {
        let mut now = CREATED + SECOND;
        let mut redeems = 0;
        for (jump, step) in undisturbed().iter().take(head_start).chain(&steps) {
            now = match jump {
                Jump::Ahead(by) => now + *by,
                Jump::Back(by) => now - *by,
                Jump::Due(ticks) => {
                    let due = approval.given_up_at().filter(|at| now > *at - HOUR).or(approval.due_at());
                    due.map_or(now, |at| Timestamp::from_micros(at.micros() + ticks))
                }
            };
            match take(approval.clone(), step, now) {
                Ok(Some(done)) => {
                    check(&approval, step, &done, now)?;
                    redeems += i32::from(matches!(done.approval.state, State::Redeemed { .. }));
                    approval = done.approval;
                }
                Ok(None) => {}
                Err(refusal) => {
                    let good = matches!(step, Step::Approve(Hand::Good)) && approval.state == State::Pending;
                    let reason = matches!(refusal, Refusal::TimeOver | Refusal::Unproved);
                    prop_assert!(!good || reason, "the good device was refused: {}", refusal);
                }
            }
            prop_assert!(redeems <= 1);
            check_not_stuck(approval.clone())?;
        }
    }
}
