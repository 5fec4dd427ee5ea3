//! Erasing a holder: what stands in the way, what goes at once, and that each step is taken once.

use std::sync::Arc;

use countersign::domain::approval::Actor;
use countersign::domain::erasure::Erasure;
use countersign::domain::freeze::{Freeze, FreezeReason};
use countersign::domain::holder::Holder;
use countersign::domain::{ChangeId, FreezeId, HolderId};
use countersign::ports::erasure::{Erase, ErasureWrite};
use countersign::ports::store::Unique;
use countersign::ports::{Effect, Store};

use super::world::{Why, World};

fn begin(world: &World) -> (Erasure, Effect) {
    let (id, by) = (world.id(FreezeId::new), Actor::Backend(world.key.id));
    let freeze = Box::new(Freeze::begin(id, world.holder.id, FreezeReason::Erasure, by, world.now));
    let entry = world.id(ChangeId::new);
    let erasure = Erasure::begin(world.holder.id, world.backend.id, world.key.id, entry, world.now);
    (erasure, step(erasure, Erase::Begin { freeze }))
}

fn step(erasure: Erasure, what: Erase) -> Effect {
    Effect::Erase(Box::new(ErasureWrite { erasure, what }))
}

pub async fn a_holder_of_whom_something_lives_is_not_erased(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let pending = world.opened().await;
    world.refuses(begin(&world).1, pending.id, Why::Conflict).await;
    let cooling = world.put(&pending, world.cooled()).await;
    world.refuses(begin(&world).1, pending.id, Why::Conflict).await;
    let released = world.put(&cooling, world.released()).await;
    world.refuses(begin(&world).1, pending.id, Why::Conflict).await;
    world.put(&released, world.cancelled()).await;
    let freeze = Freeze::begin(world.id(FreezeId::new), world.holder.id, FreezeReason::Link, Actor::Link, world.now);
    world.apply(Effect::Freeze { step: Box::new(freeze), proof: None }).await;
    world.refuses(begin(&world).1, pending.id, Why::Frozen).await;
    let nobody = Holder { id: world.id(HolderId::new), ..world.holder.clone() };
    let by = Actor::Backend(world.key.id);
    let freeze = Box::new(Freeze::begin(world.id(FreezeId::new), nobody.id, FreezeReason::Erasure, by, world.now));
    let entry = world.id(ChangeId::new);
    let erasure = Erasure::begin(nobody.id, world.backend.id, world.key.id, entry, world.now);
    world.refuses(step(erasure, Erase::Begin { freeze }), pending.id, Why::Conflict).await;
}

pub async fn an_erased_holder_is_gone_at_once_and_for_ever(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let (store, holder) = (world.store.clone(), world.holder.clone());
    let ended = world.opened_as(world.cancelled()).await;
    let (erasure, effect) = begin(&world);
    world.apply(effect).await;
    assert_eq!(store.holder(world.backend.id, &holder.subject).await.unwrap(), None);
    assert_eq!(store.holder_by_id(holder.id).await.unwrap(), None);
    assert_eq!(store.channels(holder.id).await.unwrap(), []);
    assert_eq!(store.devices(holder.id).await.unwrap(), []);
    assert_eq!(store.device_by_cookie(&world.device.body.cookie_hash).await.unwrap(), None);
    assert_eq!(store.erasure(holder.id).await.unwrap(), Some(erasure));
    assert_eq!(store.erasure_of(world.backend.id, &holder.subject).await.unwrap(), Some(erasure));
    let quay = world.another_backend().await;
    assert_eq!(store.erasure_of(quay.id, &holder.subject).await.unwrap(), None);
    let open: Vec<Erasure> = store.erasures_open(10).await.unwrap().into_iter().map(Result::unwrap).collect();
    assert_eq!(open, [erasure]);
    // Nothing of theirs begins again: not even what had read them before.
    world.refuses(world.open(&world.draft()), ended.id, Why::Frozen).await;
    let (link, remember) = (world.link(holder.id), world.remember());
    world.refuses(Effect::AddLink { link, remember }, ended.id, Why::Frozen).await;
    world.refuses(begin(&world).1, ended.id, Why::Conflict).await;
    let twin = Holder { id: world.id(HolderId::new), enrolled_at: None, ..holder.clone() };
    let again = Effect::AddHolder { holder: twin.clone(), channels: Vec::new(), remember: world.remember() };
    world.refuses(again, ended.id, Why::Duplicate(Unique::Subject)).await;
    // Of another backend it is another subject.
    let remember = world.remember_as(quay.id, world.idempotency_key());
    world
        .apply(Effect::AddHolder { holder: Holder { backend: quay.id, ..twin }, channels: Vec::new(), remember })
        .await;
}

pub async fn each_step_of_an_erasure_is_taken_once(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let (store, holder) = (world.store.clone(), world.holder.id);
    let bystander = world.another_holder("u-78").await;
    let theirs = world.drafted(&bystander, "wd-theirs");
    world.apply(world.open(&theirs)).await;
    let ended = [world.opened_as(world.cancelled()).await, world.opened_as(world.expired()).await];
    let (erasure, effect) = begin(&world);
    world.apply(effect).await;
    let ids = store.ended_approvals(holder, 10).await.unwrap();
    assert_eq!(ids, ended.clone().map(|approval| approval.id));
    assert_eq!(store.ended_approvals(holder, 1).await.unwrap(), ids[..1]);
    assert_eq!(store.ended_approvals(bystander.id, 10).await.unwrap(), []);

    let finish = |from: Erasure| step(from.finished(world.now), Erase::Finish);
    world.refuses(finish(erasure), theirs.id, Why::Conflict).await;
    // One that lives, or is somebody else's, doesn't go with the others.
    let with_theirs = vec![ids[0], theirs.id];
    world.refuses(step(erasure.cleared(), Erase::Approvals(with_theirs)), theirs.id, Why::Conflict).await;
    world.apply(step(erasure.cleared(), Erase::Approvals(vec![ids[0]]))).await;
    assert_eq!(store.approval(ids[0]).await.unwrap(), None);
    // Whoever read the erasure before comes too late.
    world.refuses(step(erasure.cleared(), Erase::Approvals(vec![ids[1]])), theirs.id, Why::Conflict).await;
    let second = erasure.cleared();
    world.apply(step(second.cleared(), Erase::Approvals(vec![ids[1]]))).await;
    let third = second.cleared();
    world.apply(finish(third)).await;
    assert_eq!(store.erasure(holder).await.unwrap(), Some(third.finished(world.now)));
    assert!(store.erasures_open(10).await.unwrap().is_empty());
    assert_eq!(store.freeze(holder).await.unwrap(), None);
    world.refuses(finish(third.finished(world.now)), theirs.id, Why::Conflict).await;
    assert!(store.approval(theirs.id).await.unwrap().is_some());
    assert_eq!(store.holder_by_id(bystander.id).await.unwrap(), Some(bystander));
}
