//! Holders, their channels, and the link that enrols the first device.

use std::sync::Arc;

use countersign::domain::details::Digest;
use countersign::domain::device::DeviceBody;
use countersign::domain::holder::Holder;
use countersign::domain::link::{CODE_TRIES, EnrolLink};
use countersign::domain::{HolderId, LinkId};
use countersign::ports::store::Unique;
use countersign::ports::{Effect, Store};

use super::world::{HOUR, MINUTE, Why, World};

async fn read(world: &World, link: &EnrolLink) -> EnrolLink {
    world.store.enrol_link(&link.token_hash).await.unwrap().unwrap()
}

/// A stored link of a holder who never enrolled.
async fn invited(world: &World) -> (Holder, EnrolLink) {
    let holder = world.another_holder(&format!("invited-{}", world.serial())).await;
    let link = added(world, holder.id).await;
    (holder, link)
}

async fn added(world: &World, holder: HolderId) -> EnrolLink {
    let (link, remember) = (world.link(holder), world.remember());
    world.apply(Effect::AddLink { link: link.clone(), remember }).await;
    link
}

pub async fn a_holder_reads_back_with_its_channels(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let (backend, subject) = (world.backend.id, &world.holder.subject);
    assert_eq!(world.store.holder(backend, subject).await.unwrap(), Some(world.holder.clone()));
    assert_eq!(world.store.holder_by_id(world.holder.id).await.unwrap(), Some(world.holder.clone()));
    assert_eq!(world.store.channels(world.holder.id).await.unwrap(), [world.mailbox.clone()]);
    let quay = world.another_backend().await;
    assert_eq!(world.store.holder(quay.id, subject).await.unwrap(), None);
}

pub async fn a_subject_is_one_backends_for_ever(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let approval = world.opened().await;
    let twin = |backend| Holder { id: world.id(HolderId::new), backend, enrolled_at: None, ..world.holder.clone() };
    let channels = vec![world.another_channel(None, world.now)];
    let again = Effect::AddHolder { holder: twin(world.backend.id), channels, remember: world.remember() };
    world.refuses(again, approval.id, Why::Duplicate(Unique::Subject)).await;
    let quay = world.another_backend().await;
    let remember = world.remember_as(quay.id, world.idempotency_key());
    let theirs = twin(quay.id);
    world.apply(Effect::AddHolder { holder: theirs.clone(), channels: Vec::new(), remember }).await;
    assert_eq!(world.store.holder(quay.id, &theirs.subject).await.unwrap(), Some(theirs));
}

pub async fn a_further_channel_joins_the_others(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let push = world.added_channel(Some(world.device.body.id), world.now + 24 * HOUR).await;
    let mut expected = vec![world.mailbox.clone(), push];
    expected.sort_by_key(|channel| channel.id);
    let mut channels = world.store.channels(world.holder.id).await.unwrap();
    channels.sort_by_key(|channel| channel.id);
    assert_eq!(channels, expected);
}

pub async fn a_new_link_ends_the_earlier_ones(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let (holder, first) = invited(&world).await;
    let (_, stranger) = invited(&world).await;
    assert_eq!(read(&world, &first).await, first);
    let second = added(&world, holder.id).await;
    assert!(read(&world, &first).await.ended_at.is_some());
    assert_eq!(read(&world, &second).await, second);
    assert_eq!(read(&world, &stranger).await, stranger, "another holder's link is left alone");
    assert_eq!(world.store.enrol_link(&Digest::of(b"no such token")).await.unwrap(), None);
}

pub async fn wrong_codes_are_counted_from_what_was_read(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let approval = world.opened().await;
    let (_, link) = invited(&world).await;
    let count = |tries| Effect::CountTry { link: link.id, tries };
    for tries in 0..CODE_TRIES {
        world.refuses(count(tries + 1), approval.id, Why::Conflict).await;
        world.apply(count(tries)).await;
        world.refuses(count(tries), approval.id, Why::Conflict).await;
        assert_eq!(read(&world, &link).await, EnrolLink { tries: tries + 1, ..link.clone() });
    }
    world.apply(Effect::EndLink { link: link.id, at: world.now }).await;
    world.refuses(count(CODE_TRIES), approval.id, Why::Conflict).await;
    let unknown = Effect::CountTry { link: world.id(LinkId::new), tries: 0 };
    world.refuses(unknown, approval.id, Why::Conflict).await;
}

pub async fn a_link_ends_once(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let approval = world.opened().await;
    let (_, link) = invited(&world).await;
    world.apply(Effect::EndLink { link: link.id, at: world.now }).await;
    assert_eq!(read(&world, &link).await, EnrolLink { ended_at: Some(world.now), ..link.clone() });
    let again = Effect::EndLink { link: link.id, at: world.now + MINUTE };
    world.refuses(again, approval.id, Why::Conflict).await;
    assert_eq!(read(&world, &link).await.ended_at, Some(world.now));
    let unknown = Effect::EndLink { link: world.id(LinkId::new), at: world.now };
    world.refuses(unknown, approval.id, Why::Conflict).await;
}

pub async fn the_first_device_spends_the_link(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let (holder, link) = invited(&world).await;
    let device = world.another_device(holder.id);
    world.apply(Effect::EnrolFirst { link: link.id, device: Box::new(device.clone()), at: world.now }).await;
    assert_eq!(world.store.devices(holder.id).await.unwrap(), [device]);
    assert_eq!(read(&world, &link).await.ended_at, Some(world.now));
    let enrolled = world.store.holder_by_id(holder.id).await.unwrap().unwrap();
    assert_eq!(enrolled, Holder { enrolled_at: Some(world.now), ..holder });
}

pub async fn an_ended_or_late_link_enrols_nothing(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let approval = world.opened().await;
    let enrol = |holder: &Holder, link| {
        let device = Box::new(world.another_device(holder.id));
        Effect::EnrolFirst { link, device, at: world.now }
    };
    let (holder, ended) = invited(&world).await;
    world.apply(Effect::EndLink { link: ended.id, at: world.now }).await;
    world.refuses(enrol(&holder, ended.id), approval.id, Why::Conflict).await;
    world.refuses(enrol(&holder, world.id(LinkId::new)), approval.id, Why::Conflict).await;

    let late = EnrolLink { expires_at: world.now - MINUTE, ..world.link(holder.id) };
    let remember = world.remember();
    world.apply(Effect::AddLink { link: late.clone(), remember }).await;
    world.refuses(enrol(&holder, late.id), approval.id, Why::Conflict).await;
    assert_eq!(world.store.devices(holder.id).await.unwrap(), []);
    assert_eq!(world.store.holder_by_id(holder.id).await.unwrap().unwrap().enrolled_at, None);
}

pub async fn nobody_enrols_a_first_device_twice(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let approval = world.opened().await;
    let link = added(&world, world.holder.id).await;
    let device = Box::new(world.another_device(world.holder.id));
    let again = Effect::EnrolFirst { link: link.id, device, at: world.now };
    world.refuses(again, approval.id, Why::Conflict).await;
    assert_eq!(read(&world, &link).await, link, "the link wasn't spent");
}

pub async fn a_credential_belongs_to_one_device(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let approval = world.opened().await;
    let (holder, link) = invited(&world).await;
    let mut device = world.another_device(holder.id);
    device.body = DeviceBody { credential_id: world.device.body.credential_id.clone(), ..device.body };
    let copy = Effect::EnrolFirst { link: link.id, device: Box::new(device), at: world.now };
    world.refuses(copy, approval.id, Why::Duplicate(Unique::Credential)).await;
    assert_eq!(read(&world, &link).await, link, "the link wasn't spent");
    assert_eq!(world.store.devices(holder.id).await.unwrap(), []);
}
