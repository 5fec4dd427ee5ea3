//! Steps of override requests, and what they do elsewhere.

use countersign::domain::approval::transitions::Guard;
use countersign::domain::approval::{Actor, Approval, Told};
use countersign::domain::channel::{About, Purpose, Turn};
use countersign::domain::freeze::FreezeReason;
use countersign::domain::override_request::transitions::{Due, Step};
use countersign::domain::override_request::{Caps, Kind, OverrideRequest, StateName};
use countersign::domain::{OverrideId, Timestamp};
use countersign::ports::Effect;
use countersign::ports::overrides::{Also, OverrideWrite};
use countersign::ports::store::{NoticeOutcome, Unique};

use super::{Desk, all, write};
use crate::conformance::world::{HOUR, MINUTE, Why, transition};

pub async fn a_request_reads_back_in_every_list(desk: Desk) {
    let store = &desk.world().store;
    let case = desk.asked(Kind::ResetDevices).await;
    assert_eq!(desk.case(case.id()).await, case);
    let (_, other) = desk.about_a_transfer().await;
    assert_eq!(store.overrides(10).await.unwrap(), [other.clone(), case.clone()], "newest first");
    assert_eq!(all(store.overrides_of_holder(desk.holder(), 10).await), [other.clone(), case.clone()]);
    assert_eq!(store.overrides_of_holder(desk.holder(), 1).await.unwrap().len(), 1);
    let due = |before: Timestamp| async move {
        let due = store.overrides_due(before, 10).await.unwrap();
        due.into_iter().map(|case| case.unwrap().id()).collect::<Vec<_>>()
    };
    let ends = case.due_at().unwrap();
    assert!(due(ends).await.is_empty());
    let mut all = due(ends + MINUTE).await;
    all.sort_unstable();
    assert_eq!(all, [case.id(), other.id()]);
    // What is over is due no more, and comes after what lives.
    let stopped = other.stop(Actor::Staff(desk.agent.id), desk.office.now()).unwrap();
    let over = stopped.case.clone();
    desk.apply(write(stopped, Also::Nothing)).await;
    assert_eq!(due(ends + MINUTE).await, [case.id()]);
    assert_eq!(store.overrides(10).await.unwrap(), [case, over]);
    let nobody = OverrideId::new(desk.office.now(), [77; 10]);
    assert_eq!(store.override_request(nobody).await.unwrap(), None);
}

/// However many were asked for and stopped since.
pub async fn what_lives_of_a_holder_comes_before_what_ended(desk: Desk) {
    let lives = desk.asked(Kind::ResetDevices).await;
    for _ in 0..3 {
        let (_, ended) = desk.about_a_transfer().await;
        desk.apply(write(ended.stop(Actor::Link, desk.office.now()).unwrap(), Also::Nothing)).await;
    }
    let read = desk.world().store.overrides_of_holder(desk.holder(), 2).await;
    let read = all(read);
    assert_eq!((read.len(), &read[0]), (2, &lives));
    assert!(read[1].due_at().is_none());
}

pub async fn one_request_lives_for_one_target(desk: Desk) {
    let case = desk.asked(Kind::ResetDevices).await;
    desk.refuses(write(desk.asks(Kind::ResetDevices), Also::Nothing), Why::Duplicate(Unique::Other)).await;
    let stopped = case.stop(Actor::Link, desk.office.now()).unwrap();
    desk.apply(write(stopped, Also::Nothing)).await;
    desk.asked(Kind::ResetDevices).await;
}

pub async fn a_step_moves_from_the_version_that_was_read(desk: Desk) {
    let case = desk.asked(Kind::ResetDevices).await;
    let stop = || case.clone().stop(Actor::Link, desk.office.now()).unwrap();
    desk.refuses(write(Step { from: Some(case.version + 1), ..stop() }, Also::Nothing), Why::Conflict).await;
    desk.apply(write(stop(), Also::Nothing)).await;
    desk.refuses(write(stop(), Also::Nothing), Why::Conflict).await;
    assert_eq!(desk.case(case.id()).await.state.name(), StateName::Stopped);
}

pub async fn nobody_signs_twice_and_no_counter_stands_still(desk: Desk) {
    let case = desk.asked(Kind::ResetDevices).await;
    let (stale, _) = desk.signs(&case, &desk.one, &[], 1).await;
    desk.refuses(Effect::Override(Box::new(stale)), Why::Conflict).await;
    let (first, _) = desk.signs(&case, &desk.one, &[], 2).await;
    let after = first.step.case.clone();
    desk.apply(Effect::Override(Box::new(first))).await;
    // However the request reads to whoever writes: a signature of the same person is there.
    let (again, _) = desk.signs(&case, &desk.one, &[], 3).await;
    let again = Step { from: Some(after.version), ..again.step };
    desk.refuses(write(again, Also::Nothing), Why::Conflict).await;
}

pub async fn a_signer_who_left_since_the_reading_signs_nothing(desk: Desk) {
    let case = desk.asked(Kind::ResetDevices).await;
    let (signs, _) = desk.signs(&case, &desk.one, &[], 2).await;
    desk.apply(desk.leaves(&desk.one)).await;
    desk.refuses(Effect::Override(Box::new(signs)), Why::Conflict).await;
}

pub async fn a_first_signature_stops_counting_with_its_signer(desk: Desk) {
    let case = desk.asked(Kind::ResetDevices).await;
    let (first, _) = desk.signs(&case, &desk.one, &[], 2).await;
    let case = first.step.case.clone();
    desk.apply(Effect::Override(Box::new(first))).await;
    let (second, _) = desk.signs(&case, &desk.other, std::slice::from_ref(&desk.one), 2).await;
    desk.apply(desk.leaves(&desk.one)).await;
    desk.refuses(Effect::Override(Box::new(second)), Why::Conflict).await;
}

pub async fn the_daily_caps_hold(desk: Desk) {
    let capped = |step: Step, caps: Caps| {
        Effect::Override(Box::new(OverrideWrite { step, caps, proof: None, also: Also::Nothing, tell: Vec::new() }))
    };
    let asked = Caps { asked_by_one: 2, ..Caps::DEFAULT };
    let (_, transfer) = desk.about_a_transfer().await;
    desk.apply(capped(desk.asks(Kind::ResetDevices), asked)).await;
    let next = desk.world().opened().await;
    let third = desk.asks(Kind::ApproveForHolder { approval: next.id, digest: next.digest() });
    desk.refuses(capped(third, asked), Why::Cap).await;

    let by_one = Caps { signed_by_one: 0, ..Caps::DEFAULT };
    // A signature is for now, so each is made anew.
    let (refused, _) = desk.signs(&transfer, &desk.one, &[], 2).await;
    desk.refuses(capped(refused.step, by_one), Why::Cap).await;
    let (first, _) = desk.signs(&transfer, &desk.one, &[], 2).await;
    let after = first.step.case.clone();
    desk.apply(Effect::Override(Box::new(first))).await;
    for caps in [Caps { signed_by_pair: 0, ..Caps::DEFAULT }, Caps { in_all: 0, ..Caps::DEFAULT }] {
        let (second, _) = desk.signs(&after, &desk.other, std::slice::from_ref(&desk.one), 2).await;
        desk.refuses(capped(second.step, caps), Why::Cap).await;
    }
}

pub async fn nothing_expires_before_its_time_by_the_stores_clock(desk: Desk) {
    let case = desk.asked(Kind::ResetDevices).await;
    let ahead = case.expires_at + MINUTE;
    let Due::Now(step, None) = case.clone().fall_due(&[], None, ahead) else { panic!("it is over by then") };
    desk.refuses(write(*step, Also::Nothing), Why::Conflict).await;
    // Nor does its hold end by a clock that is ahead.
    let held = desk.signed_twice(&case).await;
    let told = Told { channel: desk.world().mailbox.id, delivered_at: desk.now().await };
    let people = [desk.one.clone(), desk.other.clone()];
    let Due::Now(step, None) = held.fall_due(&people, Some(told.clone()), desk.now().await) else { panic!("told") };
    let held = step.case.clone();
    desk.apply(write(*step, Also::Nothing)).await;
    let Due::Now(step, Some(carry)) = held.fall_due(&people, Some(told), desk.now().await + 30 * HOUR) else {
        panic!("its hold is over by then")
    };
    desk.refuses(write(*step, Also::ResetDevices(carry)), Why::Conflict).await;
}

pub async fn the_first_delivered_notice_of_its_hold_counts(desk: Desk) {
    let (world, now) = (desk.world(), desk.office.now());
    let case = desk.asked(Kind::ResetDevices).await;
    let late = world.added_channel(None, now + HOUR).await;
    let second = world.added_channel(None, now - 48 * HOUR).await;
    let mut change = world.change(Effect::Noted);
    for (channel, purpose) in [
        (late.id, Purpose::OverrideCooling),
        (second.id, Purpose::OverrideOnNew),
        (world.mailbox.id, Purpose::OverrideCooling),
    ] {
        let mut notice = world.notice(About::Override(case.id()), channel, Turn::Now, 0);
        notice.purpose = purpose;
        change.notices.push(notice);
    }
    world.store.commit(change).await.unwrap();
    assert_eq!(world.store.override_told(case.id()).await.unwrap(), None);
    for job in world.store.claim_notices(10, MINUTE).await.unwrap() {
        let at = now + MINUTE;
        assert!(world.store.settle_notice(job.id, job.fence, NoticeOutcome::Delivered { at }).await.unwrap());
    }
    let told = world.store.override_told(case.id()).await.unwrap();
    assert_eq!(told, Some(Told { channel: world.mailbox.id, delivered_at: now + MINUTE }));
}

pub async fn the_second_signature_starts_the_hold_of_the_transfer(desk: Desk) {
    let (approval, case) = desk.about_a_transfer().await;
    let case = desk.signed_twice(&case).await;
    assert_eq!(desk.case(case.id()).await, case);
    assert_eq!(case.state.name(), StateName::CarriedOut);
    let stored = desk.world().store.approval(approval.id).await.unwrap().unwrap();
    assert_eq!(stored.version, approval.version + 1);
    assert_eq!(stored.state.decision().and_then(|decision| decision.override_request()), Some(case.id()));
}

/// What a worker would store at the end of a case's hold.
fn carries(
    desk: &Desk,
    case: &OverrideRequest,
) -> (Step, Box<countersign::domain::override_request::transitions::Carry>) {
    let people = [desk.one.clone(), desk.other.clone()];
    let told = desk.world().told(25 * HOUR);
    match case.clone().fall_due(&people, Some(told), desk.office.now()) {
        Due::Now(step, Some(carry)) => (*step, carry),
        other => panic!("{other:?}"),
    }
}

pub async fn a_reset_removes_every_device_and_nothing_else_does(desk: Desk) {
    let (store, holder) = (&desk.world().store, desk.holder());
    let case = desk.held(&desk.asked(Kind::ResetDevices).await).await;
    assert!(store.devices(holder).await.unwrap().iter().all(|device| device.is_live()));
    let (step, carry) = carries(&desk, &case);
    desk.apply(write(step, Also::ResetDevices(carry))).await;
    assert!(store.devices(holder).await.unwrap().iter().all(|device| !device.is_live()));
    assert_eq!(store.holder_by_id(holder).await.unwrap().unwrap().enrolled_at, None);
    assert_eq!(desk.case(case.id()).await.state.name(), StateName::CarriedOut);
}

/// Whatever cancels it besides, and whether that ever runs.
pub async fn what_a_removed_device_decided_is_neither_released_nor_redeemed(desk: Desk) {
    let world = desk.world();
    let (cooling, released) = (world.opened_as(world.cooled()).await, world.opened_as(world.released()).await);
    let (goes, taken) = (world.opened_as(world.cooled()).await, world.opened_as(world.released()).await);
    let moved = |from: &Approval, to| transition(world.moved(from, to, Guard::default()));
    desk.apply(moved(&goes, world.released())).await;
    desk.apply(moved(&taken, world.redeemed())).await;
    let case = desk.held(&desk.asked(Kind::ResetDevices).await).await;
    let (step, carry) = carries(&desk, &case);
    desk.apply(write(step, Also::ResetDevices(carry))).await;
    for (from, to) in [(&cooling, world.released()), (&released, world.redeemed())] {
        world.refuses(moved(from, to), from.id, Why::Conflict).await;
        // What tightens goes on.
        desk.apply(moved(from, world.cancelled())).await;
    }
}

pub async fn an_unfreeze_ends_the_freeze_with_its_case(desk: Desk) {
    let store = &desk.world().store;
    let freeze = desk.frozen(FreezeReason::Staff, desk.office.now() - 30 * HOUR).await;
    let case = desk.held(&desk.asked(Kind::Unfreeze { freeze: freeze.id }).await).await;
    let (step, carry) = carries(&desk, &case);
    let ends = freeze.clone().unfreeze(&carry, desk.office.now()).unwrap();
    // A freeze that moved meanwhile keeps its case from being carried out.
    let mut moved = ends.clone();
    moved.from = Some(freeze.version + 1);
    desk.refuses(write(step.clone(), Also::Freeze(Box::new(moved))), Why::Conflict).await;
    desk.apply(write(step, Also::Freeze(Box::new(ends)))).await;
    assert_eq!(store.freeze(desk.holder()).await.unwrap(), None);
    assert_eq!(desk.case(case.id()).await.state.name(), StateName::CarriedOut);
}

pub async fn a_signer_who_left_since_the_reading_carries_nothing_out(desk: Desk) {
    let case = desk.held(&desk.asked(Kind::ResetDevices).await).await;
    let (step, carry) = carries(&desk, &case);
    desk.apply(desk.leaves(&desk.other)).await;
    desk.refuses(write(step, Also::ResetDevices(carry)), Why::Conflict).await;
}
