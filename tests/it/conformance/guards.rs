//! Guards: time is judged by the store's own clock, whatever the node believed when it made the transition.

use std::sync::Arc;
use std::time::Duration;

use countersign::domain::Timestamp;
use countersign::domain::approval::State;
use countersign::domain::approval::transitions::Guard;
use countersign::ports::Store;

use super::world::{HOUR, MINUTE, Why, World, transition};

const fn not_before(at: Timestamp) -> Guard {
    Guard { not_before: Some(at), before: None }
}

const fn before(at: Timestamp) -> Guard {
    Guard { not_before: None, before: Some(at) }
}

/// From one pending approval: a guard that fails leaves it as it was, and then the same one that holds moves it.
async fn fails_then_holds(world: &World, to: State, fails: Guard, holds: Guard) {
    let approval = world.opened().await;
    let refused = transition(world.moved(&approval, to.clone(), fails));
    world.refuses(refused, approval.id, Why::Conflict).await;
    world.apply(transition(world.moved(&approval, to.clone(), holds))).await;
    assert_eq!(world.store.approval(approval.id).await.unwrap().unwrap().state, to);
}

pub async fn nothing_is_released_before_its_time_by_the_stores_clock(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let (ahead, past) = (world.now + HOUR, world.now - MINUTE);
    fails_then_holds(&world, world.released(), not_before(ahead), not_before(past)).await;
    // An exact bound that has just come holds.
    let now = world.store.now().await.unwrap();
    fails_then_holds(&world, world.released(), not_before(now + MINUTE), not_before(now)).await;
}

pub async fn nothing_is_approved_or_redeemed_after_its_time_by_the_stores_clock(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let (ahead, past) = (world.now + HOUR, world.now - MINUTE);
    fails_then_holds(&world, world.cooled(), before(past), before(ahead)).await;
    fails_then_holds(&world, world.redeemed(), before(past), before(ahead)).await;
    // A bound is exclusive: at that very moment the time is over.
    let now = world.store.now().await.unwrap();
    fails_then_holds(&world, world.cooled(), before(now), before(ahead)).await;
}

pub async fn nothing_expires_before_its_time_by_the_stores_clock(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let tick = Duration::from_micros(1);
    fails_then_holds(&world, world.expired(), not_before(world.now + HOUR), not_before(world.now - tick)).await;
}

pub async fn a_guard_may_have_both_ends(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let guard = |from, until| Guard { not_before: Some(from), before: Some(until) };
    let (past, ahead) = (world.now - MINUTE, world.now + HOUR);
    fails_then_holds(&world, world.cancelled(), guard(past - HOUR, past), guard(past, ahead)).await;
    fails_then_holds(&world, world.cancelled(), guard(ahead, ahead + HOUR), guard(past, ahead)).await;
}
