//! Who may decide: each rule of design section 2, "A distinct device", broken alone, and the first of two.

use super::super::transitions::Refusal;
use super::*;

/// Asks for the sample approval after `edit`, and checks that `approve` says the same as `may_decide`.
fn ask(approval: Approval, who: &Deciding<'_>, now: Timestamp) -> Result<(Distinct, Duration), Refusal> {
    let answer = approval.may_decide(who, now);
    let approved = approval.approve(who, challenge(), now);
    assert_eq!(answer.err(), approved.as_ref().err().copied(), "asking and doing differ");
    if let (Ok((distinct, hold)), Ok(done)) = (answer, approved) {
        let decision = done.approval.state.decision().expect("it is cooling");
        assert_eq!((decision.distinct(), decision.hold, decision.approved_at), (Some(distinct), hold, now));
    }
    answer
}

fn with_device(edit: impl FnOnce(&mut Device)) -> Result<(Distinct, Duration), Refusal> {
    let mut device = device(1);
    edit(&mut device);
    ask(opened(), &by(&device), APPROVED)
}

fn watched(mark: Digest, devices: Vec<DeviceId>, keys: Vec<Thumbprint>) -> Approval {
    opened().watch(mark, devices, keys, CREATED).unwrap().approval
}

#[test]
fn the_sample_device_may() {
    assert_eq!(with_device(|_| ()), Ok((Distinct::Unproved, 4 * HOUR)));
}

#[test]
fn another_holders_device_may_not() {
    let refused = with_device(|device| device.body.holder = HolderId::new(CREATED, [99; 10]));
    assert_eq!(refused, Err(Refusal::OtherHolder));
}

#[test]
fn a_locked_or_removed_device_may_not() {
    assert_eq!(with_device(|device| device.locked_at = Some(CREATED)), Err(Refusal::DeviceDead));
    assert_eq!(with_device(|device| device.removed_at = Some(CREATED)), Err(Refusal::DeviceDead));
    let later = APPROVED + HOUR;
    assert_eq!(with_device(|device| device.locked_at = Some(later)), Err(Refusal::DeviceDead));
}

#[test]
fn a_device_from_the_moment_of_creation_or_later_may_not() {
    let enrolled = |at| with_device(|device| device.body.enrolled_at = at);
    assert!(enrolled(CREATED - TICK).is_ok());
    assert_eq!(enrolled(CREATED), Err(Refusal::DeviceTooNew));
    assert_eq!(enrolled(CREATED + TICK), Err(Refusal::DeviceTooNew));
}

#[test]
fn a_device_on_hold_at_creation_may_not_even_when_its_hold_is_over_by_now() {
    let usable = |from| with_device(|device| device.body.usable_from = from);
    assert!(usable(CREATED).is_ok());
    assert_eq!(usable(CREATED + TICK), Err(Refusal::DeviceTooNew));
    assert_eq!(usable(APPROVED - TICK), Err(Refusal::DeviceTooNew));
}

#[test]
fn the_browser_that_started_it_may_not_whichever_way_it_is_known() {
    let device = device(1);
    let other = Digest::of(b"another mark");
    let marked = Deciding { device: &device, mark: Some(mark()) };
    let by_mark = ask(watched(mark(), vec![], vec![]), &marked, APPROVED);
    assert_eq!(by_mark, Err(Refusal::SameBrowser));
    let by_cookie = ask(watched(other, vec![device.body.id], vec![]), &by(&device), APPROVED);
    assert_eq!(by_cookie, Err(Refusal::SameBrowser));
    let by_key = ask(watched(other, vec![], vec![device.body.key.thumbprint()]), &by(&device), APPROVED);
    assert_eq!(by_key, Err(Refusal::SameBrowser));
}

#[test]
fn another_browser_may_and_a_mark_of_another_transfer_does_not_count() {
    let (device, other) = (device(1), super::device(2));
    let approval = watched(mark(), vec![other.body.id], vec![other.body.key.thumbprint()]);
    let elsewhere = Deciding { device: &device, mark: Some(Digest::of(b"the mark of another transfer")) };
    assert_eq!(ask(approval, &elsewhere, APPROVED), Ok((Distinct::Observed, 15 * MINUTE)));
}

#[test]
fn unproved_is_refused_where_policy_says_so_and_observed_is_not() {
    let strict = |watcher| {
        let terms = Terms { unproved: Unproved::Refuse, ..terms() };
        Approval { terms, watcher, ..opened() }
    };
    assert_eq!(strict(Watcher::Nobody).distinct(), None);
    assert_eq!(ask(strict(Watcher::Nobody), &by(&device(1)), APPROVED), Err(Refusal::Unproved));
    let seen = watched(mark(), vec![], vec![]).watcher;
    assert_eq!(ask(strict(seen), &by(&device(1)), APPROVED), Ok((Distinct::Observed, 15 * MINUTE)));
}

#[test]
fn a_synced_passkey_may_not_where_policy_asks_for_one_that_stays() {
    let asked = |asked: Assurance, has: Assurance| {
        let mut device = device(1);
        device.body.assurance = has;
        let approval = Approval { terms: Terms { assurance: asked, ..terms() }, ..opened() };
        ask(approval, &by(&device), APPROVED).err()
    };
    assert_eq!(asked(Assurance::Synced, Assurance::Synced), None);
    assert_eq!(asked(Assurance::Synced, Assurance::DeviceBound), None);
    assert_eq!(asked(Assurance::DeviceBound, Assurance::DeviceBound), None);
    assert_eq!(asked(Assurance::DeviceBound, Assurance::Synced), Some(Refusal::AssuranceTooLow));
}

#[test]
fn a_stranger_learns_neither_hold_nor_strength_only_that_it_is_a_stranger() {
    let mut stranger = device(1);
    stranger.body.holder = HolderId::new(CREATED, [99; 10]);
    stranger.body.assurance = Assurance::Synced;
    stranger.body.usable_from = CREATED + HOUR;
    stranger.locked_at = Some(CREATED);
    let approval = Approval { terms: Terms { assurance: Assurance::DeviceBound, ..terms() }, ..opened() };
    assert_eq!(ask(approval, &by(&stranger), APPROVED), Err(Refusal::OtherHolder));
}
