//! Freezes: who begins one, what it keeps from happening, and when it ends.

use countersign::domain::approval::Actor;
use countersign::domain::approval::transitions::Guard;
use countersign::domain::details::Digest;
use countersign::domain::freeze::{FreezeReason, FreezeStep, STAFF_FREEZES_A_DAY};
use countersign::domain::holder::Holder;
use countersign::ports::Effect;
use countersign::ports::change::DeviceProof;

use super::{Desk, all, freeze_of};
use crate::conformance::world::{HOUR, MINUTE, Why, transition};

pub async fn a_freeze_reads_back_until_it_ends(desk: Desk) {
    let (store, now) = (&desk.world().store, desk.office.now());
    assert_eq!(store.freeze(desk.holder()).await.unwrap(), None);
    let freeze = desk.frozen(FreezeReason::Link, now - 25 * HOUR).await;
    assert_eq!(store.freeze(desk.holder()).await.unwrap(), Some(freeze.clone()));
    assert_eq!(all(store.freezes_due(now, 10).await), std::slice::from_ref(&freeze));
    assert!(store.freezes_due(now - 2 * HOUR, 10).await.unwrap().is_empty());
    assert_eq!(all(store.freezes_unsettled(10).await), std::slice::from_ref(&freeze));
    store.settle_freeze(freeze.id, now).await.unwrap();
    assert!(store.freezes_unsettled(10).await.unwrap().is_empty());
    // One that is said again is looked at anew.
    let again = freeze.again(FreezeReason::Link, Actor::Link, now - 25 * HOUR + MINUTE).unwrap();
    let freeze = again.freeze.clone();
    desk.apply(freeze_of(again)).await;
    assert_eq!(all(store.freezes_unsettled(10).await), std::slice::from_ref(&freeze));
    desk.apply(freeze_of(freeze.fall_due(None, now).unwrap())).await;
    assert_eq!(store.freeze(desk.holder()).await.unwrap(), None);
    assert!(store.freezes_due(now, 10).await.unwrap().is_empty());
    assert!(store.freezes_unsettled(10).await.unwrap().is_empty());
    let next = desk.frozen(FreezeReason::Device, now).await;
    assert_eq!(store.freeze(desk.holder()).await.unwrap(), Some(next));
}

pub async fn one_freeze_holds_a_holder(desk: Desk) {
    desk.frozen(FreezeReason::Link, desk.office.now()).await;
    let second = desk.freezes(desk.holder(), FreezeReason::Device, Actor::Link, desk.office.now());
    desk.refuses(freeze_of(second), Why::Conflict).await;
    let nobody = desk.freezes(
        countersign::domain::HolderId::new(desk.office.now(), [77; 10]),
        FreezeReason::Link,
        Actor::Link,
        desk.office.now(),
    );
    desk.refuses(freeze_of(nobody), Why::Conflict).await;
}

pub async fn a_freeze_moves_from_the_version_that_was_read(desk: Desk) {
    let freeze = desk.frozen(FreezeReason::Link, desk.office.now()).await;
    let again = |why| freeze.clone().again(why, Actor::Link, desk.office.now() + MINUTE).unwrap();
    desk.apply(freeze_of(again(FreezeReason::Link))).await;
    desk.refuses(freeze_of(again(FreezeReason::Device)), Why::Conflict).await;
}

pub async fn a_freeze_does_not_end_before_its_time_by_the_stores_clock(desk: Desk) {
    let freeze = desk.frozen(FreezeReason::Link, desk.office.now()).await;
    let early = freeze.fall_due(None, desk.office.now() + 25 * HOUR).unwrap();
    desk.refuses(freeze_of(early), Why::Conflict).await;
}

pub async fn nothing_of_a_frozen_holder_opens_or_goes_on(desk: Desk) {
    let world = desk.world();
    let pending = world.opened().await;
    let cooling = world.opened_as(world.cooled()).await;
    let released = world.opened_as(world.released()).await;
    desk.frozen(FreezeReason::Link, desk.office.now()).await;
    desk.refuses(world.open(&world.draft()), Why::Frozen).await;
    let link = Effect::AddLink { link: world.link(desk.holder()), remember: world.remember() };
    desk.refuses(link, Why::Frozen).await;
    for (approval, state) in [(&pending, world.cooled()), (&cooling, world.released()), (&released, world.redeemed())] {
        let on = transition(world.moved(approval, state, Guard::default()));
        desk.refuses(on, Why::Conflict).await;
    }
    // Whatever tightens goes through.
    for approval in [pending, cooling, released] {
        let stop = approval
            .cancel(countersign::domain::approval::CancelReason::HolderFrozen, Actor::Link, desk.office.now())
            .unwrap();
        desk.apply(transition(stop)).await;
    }
}

pub async fn one_of_staff_freezes_so_many_in_a_day(desk: Desk) {
    let mut holders: Vec<Holder> = Vec::new();
    for number in 0..=STAFF_FREEZES_A_DAY {
        holders.push(desk.world().another_holder(&format!("victim-{number}")).await);
    }
    let by = |holder: &Holder, who| desk.freezes(holder.id, FreezeReason::Staff, Actor::Staff(who), desk.office.now());
    let (last, first) = holders.split_last().unwrap();
    for holder in first {
        desk.apply(freeze_of(by(holder, desk.agent.id))).await;
    }
    desk.refuses(freeze_of(by(last, desk.agent.id)), Why::Cap).await;
    // Another's are their own.
    desk.apply(freeze_of(by(last, desk.one.id))).await;
}

pub async fn a_lift_needs_its_device_and_a_counter_that_rises(desk: Desk) {
    let device = desk.world().device.clone();
    let freeze = desk.frozen(FreezeReason::Link, desk.office.now()).await;
    let lifts = |step: FreezeStep, counter| {
        let proof = Some(DeviceProof { device: device.body.id, counter });
        Effect::Freeze { step: Box::new(step), proof }
    };
    let now = desk.now().await;
    let asked = freeze.ask_lift(&device, Digest::of(b"challenge"), now).unwrap();
    desk.apply(lifts(asked.clone(), 5)).await;
    let again = asked.freeze.again(FreezeReason::Link, Actor::Link, now).unwrap();
    let freeze = again.freeze.clone();
    desk.apply(freeze_of(again)).await;
    let asked = freeze.ask_lift(&device, Digest::of(b"another"), desk.now().await).unwrap();
    desk.refuses(lifts(asked.clone(), 5), Why::Conflict).await;
    let lock = Effect::CountFailure { device: device.body.id, failures: 0, lock_at: Some(now) };
    desk.apply(lock).await;
    desk.refuses(lifts(asked, 6), Why::Conflict).await;
}
