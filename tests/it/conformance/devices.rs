//! The device that signed is checked again in the commit: alive, and with a counter that rose.

use std::sync::Arc;

use countersign::domain::DeviceId;
use countersign::domain::approval::transitions::Guard;
use countersign::domain::details::Digest;
use countersign::domain::device::{Device, MAX_FAILURES, Thumbprint};
use countersign::ports::change::DeviceProof;
use countersign::ports::{CommitError, Effect, Store};

use super::world::{Why, World};

async fn device(world: &World) -> Device {
    world.store.device_by_cookie(&world.device.body.cookie_hash).await.unwrap().unwrap()
}

/// Decides a fresh approval with this counter; `Err` tells why the store refused.
async fn sign(world: &World, device: DeviceId, counter: u32, refused: Option<Why>) {
    let approval = world.opened().await;
    let transition = Box::new(world.moved(&approval, world.cooled(), Guard::default()));
    let proof = Some(DeviceProof { device, counter });
    let effect = Effect::Transition { transition, proof, receipt: None };
    match refused {
        Some(why) => world.refuses(effect, approval.id, why).await,
        None => world.apply(effect).await,
    }
    let current = world.store.approval(approval.id).await.unwrap().unwrap();
    world.put(&current, world.cancelled()).await;
}

pub async fn a_counter_must_rise(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let id = world.device.body.id;
    sign(&world, id, 5, None).await;
    assert_eq!(device(&world).await, Device { counter: 5, ..world.device.clone() });
    for replayed in [5, 4, 0] {
        sign(&world, id, replayed, Some(Why::Conflict)).await;
    }
    sign(&world, id, 6, None).await;
    sign(&world, id, u32::MAX, None).await;
    assert_eq!(device(&world).await.counter, u32::MAX);
}

pub async fn an_authenticator_without_a_counter_stays_at_zero(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    for _ in 0..3 {
        sign(&world, world.device.body.id, 0, None).await;
    }
    assert_eq!(device(&world).await.counter, 0);
}

pub async fn a_locked_or_unknown_device_signs_nothing(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let id = world.device.body.id;
    sign(&world, world.id(DeviceId::new), 1, Some(Why::Conflict)).await;
    world.apply(Effect::CountFailure { device: id, failures: 0, lock_at: Some(world.now) }).await;
    sign(&world, id, 1, Some(Why::Conflict)).await;
    assert_eq!(device(&world).await.counter, 0);
}

pub async fn failures_are_counted_from_what_was_read(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let (id, approval) = (world.device.body.id, world.opened().await);
    let count = |failures| Effect::CountFailure { device: id, failures, lock_at: None };
    world.apply(count(0)).await;
    world.refuses(count(0), approval.id, Why::Conflict).await;
    world.refuses(count(2), approval.id, Why::Conflict).await;
    world.apply(count(1)).await;
    assert_eq!(device(&world).await, Device { failures: 2, ..world.device.clone() });
    let unknown = Effect::CountFailure { device: world.id(DeviceId::new), failures: 0, lock_at: None };
    world.refuses(unknown, approval.id, Why::Conflict).await;
}

pub async fn the_last_failure_locks(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    for failures in 0..MAX_FAILURES {
        let lock_at = (failures + 1 == MAX_FAILURES).then_some(world.now);
        assert!(device(&world).await.is_live());
        world.apply(Effect::CountFailure { device: world.device.body.id, failures, lock_at }).await;
    }
    let locked = Device { failures: MAX_FAILURES, locked_at: Some(world.now), ..world.device.clone() };
    assert_eq!(device(&world).await, locked);
    assert_eq!(world.store.devices(world.holder.id).await.unwrap(), [locked]);
}

pub async fn a_signature_ends_the_row_of_failures(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let id = world.device.body.id;
    for failures in 0..MAX_FAILURES - 1 {
        world.apply(Effect::CountFailure { device: id, failures, lock_at: None }).await;
    }
    sign(&world, id, 1, None).await;
    assert_eq!(device(&world).await.failures, 0, "five in a row lock, not five in a life");
}

pub async fn a_device_is_found_by_cookie_and_by_key(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let other_holder = world.another_holder("u-78").await;
    let link = world.link(other_holder.id);
    let remember = world.remember();
    world.apply(Effect::AddLink { link: link.clone(), remember }).await;
    let other = world.another_device(other_holder.id);
    world.apply(Effect::EnrolFirst { link: link.id, device: Box::new(other.clone()), at: world.now }).await;

    assert_eq!(device(&world).await, world.device);
    assert_eq!(world.store.device_by_cookie(&Digest::of(b"nobody's")).await.unwrap(), None);
    assert_eq!(world.store.devices(world.holder.id).await.unwrap(), [world.device.clone()]);
    let keys = [Thumbprint([1; 32]), other.body.key.thumbprint(), world.device.body.key.thumbprint()];
    let mut found = world.store.devices_by_key(&keys).await.unwrap();
    found.sort_by_key(|device| device.body.id);
    assert_eq!(found, [world.device.clone(), other]);
    assert!(world.store.devices_by_key(&keys[..1]).await.unwrap().is_empty());
    assert!(world.store.devices_by_key(&[]).await.unwrap().is_empty());
}

pub async fn only_a_living_device_gets_a_channel(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let on = |device| world.change(Effect::AddChannel(world.another_channel(Some(device), world.now)));
    let unknown = world.another_device(world.holder.id).body.id;
    assert!(matches!(world.store.commit(on(unknown)).await, Err(CommitError::Conflict)));
    let mine = world.device.body.id;
    world.store.commit(on(mine)).await.unwrap();
    world.apply(Effect::CountFailure { device: mine, failures: 0, lock_at: Some(world.now) }).await;
    assert!(matches!(world.store.commit(on(mine)).await, Err(CommitError::Conflict)));
    assert_eq!(world.store.channels(world.holder.id).await.unwrap().len(), 2, "the mailbox, and that of before");
}

pub async fn a_devices_channel_is_removed_once_and_no_other_is(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let channel = world.added_channel(Some(world.device.body.id), world.now).await;
    let led = async || {
        let channels = world.store.channels(world.holder.id).await.unwrap();
        let mut ids: Vec<_> = channels.iter().map(|channel| channel.id).collect();
        assert!(channels.iter().all(|channel| channel.address.bytes() == channel.id.bytes()), "as they were given");
        ids.sort_unstable();
        ids
    };
    let mut both = [world.mailbox.id, channel.id];
    both.sort_unstable();
    assert_eq!(led().await, both);
    let remove = |channel| world.change(Effect::RemoveChannel { channel, at: world.now });
    // What the backend registered is the backend's.
    assert!(matches!(world.store.commit(remove(world.mailbox.id)).await, Err(CommitError::Conflict)));
    world.store.commit(remove(channel.id)).await.unwrap();
    assert!(matches!(world.store.commit(remove(channel.id)).await, Err(CommitError::Conflict)));
    assert_eq!(led().await, [world.mailbox.id]);
    let left: Vec<_> = world.store.channels(world.holder.id).await.unwrap().iter().map(|left| left.id).collect();
    assert_eq!(left, [world.mailbox.id]);
}
