//! Webhook deliveries as work, and their log.

use std::sync::Arc;
use std::time::Duration;

use countersign::domain::webhook::{Delivery, DeliveryStatus, Endpoint, EndpointStatus};
use countersign::domain::{DeliveryId, EndpointId};
use countersign::ports::store::{DeliveryJob, DeliveryNext, DeliveryOutcome, DeliveryView};
use countersign::ports::{Effect, Store};

use super::world::{HOUR, MINUTE, World};

/// Stores one delivery for each of these endpoints.
async fn queue(world: &World, endpoints: &[EndpointId]) -> Vec<Delivery> {
    let mut change = world.change(Effect::Noted);
    change.deliveries = endpoints.iter().map(|endpoint| world.delivery(*endpoint)).collect();
    world.store.commit(change.clone()).await.unwrap();
    change.deliveries
}

async fn claim(world: &World) -> Vec<DeliveryJob> {
    let mut jobs = world.store.claim_deliveries(100, 100, &[], MINUTE).await.unwrap();
    jobs.sort_by_key(|job| job.id);
    jobs
}

fn ids(jobs: &[DeliveryJob]) -> Vec<DeliveryId> {
    jobs.iter().map(|job| job.id).collect()
}

async fn settle(world: &World, job: &DeliveryJob, status: Option<u16>, next: DeliveryNext) {
    let error = status.is_none().then_some("timeout");
    let outcome = DeliveryOutcome { at: world.now + MINUTE, status, error, next };
    world.store.settle_deliveries(&[(job.id, job.fence, outcome)]).await.unwrap();
}

async fn log(world: &World) -> Vec<DeliveryView> {
    world.store.deliveries(world.endpoint, None, 100).await.unwrap()
}

pub async fn a_delivery_is_leased_with_what_sending_needs(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let queued = queue(&world, &[world.endpoint]).await.remove(0);
    let jobs = claim(&world).await;
    assert_eq!(ids(&jobs), [queued.id]);
    let job = &jobs[0];
    assert_eq!((&job.message_id, &job.body), (&queued.message_id, &queued.body));
    assert_eq!((job.attempts, job.created_at), (0, queued.created_at));
    assert_eq!(job.endpoint, world.endpoint_of(world.backend.id, world.endpoint));
    assert!(claim(&world).await.is_empty(), "it is leased");
}

pub async fn busy_endpoints_and_shares_are_respected(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let (first, second) = (world.endpoint, world.another_endpoint().await);
    queue(&world, &[first; 5]).await;
    let seconds = queue(&world, &[second; 2]).await;
    let count = |jobs: &[DeliveryJob], of| jobs.iter().filter(|job| job.endpoint.id == of).count();

    let jobs = world.store.claim_deliveries(100, 2, &[second], MINUTE).await.unwrap();
    assert_eq!((count(&jobs, first), count(&jobs, second)), (2, 0));
    let jobs = world.store.claim_deliveries(100, 100, &[first], MINUTE).await.unwrap();
    let mut found = ids(&jobs);
    found.sort();
    assert_eq!(found, seconds.iter().map(|delivery| delivery.id).collect::<Vec<_>>());
    let jobs = world.store.claim_deliveries(1, 100, &[], MINUTE).await.unwrap();
    assert_eq!(jobs.len(), 1, "max is over all");
    assert!(world.store.claim_deliveries(100, 100, &[first, second], MINUTE).await.unwrap().is_empty());
    assert_eq!(claim(&world).await.len(), 2);
}

pub async fn a_settled_delivery_is_in_the_log(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let queued = queue(&world, &[world.endpoint]).await.remove(0);
    let before = log(&world).await.remove(0);
    assert_eq!((before.id, before.endpoint, before.attempts), (queued.id, world.endpoint, 0));
    assert_eq!((&before.message_id, before.created_at), (&queued.message_id, queued.created_at));
    assert_eq!((before.status, before.last_status, before.done_at), (DeliveryStatus::Queued, None, None));
    assert!(before.next_at.is_some());

    let job = claim(&world).await.remove(0);
    settle(&world, &job, Some(204), DeliveryNext::Done).await;
    let after = log(&world).await.remove(0);
    assert_eq!((after.status, after.attempts, after.last_status), (DeliveryStatus::Delivered, 1, Some(204)));
    assert_eq!((after.last_error, after.next_at, after.done_at), (None, None, Some(world.now + MINUTE)));
    assert!(claim(&world).await.is_empty());
}

pub async fn a_failed_try_comes_again_at_its_time(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    queue(&world, &[world.endpoint]).await;
    for attempts in 1..=3 {
        let job = claim(&world).await.remove(0);
        assert_eq!(job.attempts, attempts - 1);
        let again = world.now - MINUTE;
        settle(&world, &job, Some(500), DeliveryNext::RetryAt(again)).await;
        let view = log(&world).await.remove(0);
        assert_eq!((view.status, view.attempts, view.next_at), (DeliveryStatus::Queued, attempts, Some(again)));
        assert_eq!((view.last_status, view.last_error), (Some(500), None));
    }
    let job = claim(&world).await.remove(0);
    settle(&world, &job, None, DeliveryNext::RetryAt(world.now + HOUR)).await;
    assert!(claim(&world).await.is_empty());
    let view = log(&world).await.remove(0);
    assert_eq!((view.last_status, view.last_error.as_deref()), (None, Some("timeout")), "the last try is shown");
    assert_eq!((view.next_at, view.done_at), (Some(world.now + HOUR), None));
}

pub async fn giving_up_ends_it(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    queue(&world, &[world.endpoint]).await;
    let job = claim(&world).await.remove(0);
    settle(&world, &job, Some(302), DeliveryNext::GiveUp).await;
    let view = log(&world).await.remove(0);
    assert_eq!((view.status, view.last_status, view.next_at), (DeliveryStatus::Failed, Some(302), None));
    assert!(claim(&world).await.is_empty());
    let endpoint = world.store.endpoint(world.backend.id, world.endpoint).await.unwrap().unwrap();
    assert_eq!(endpoint.status, EndpointStatus::Active);
}

pub async fn a_gone_endpoint_is_switched_off(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let second = world.another_endpoint().await;
    let approval = world.opened().await;
    let queued = queue(&world, &[world.endpoint, world.endpoint, second]).await;
    let job = world.store.claim_deliveries(1, 1, &[second], MINUTE).await.unwrap().remove(0);
    settle(&world, &job, Some(410), DeliveryNext::Disable).await;
    let endpoint = world.store.endpoint(world.backend.id, world.endpoint).await.unwrap().unwrap();
    assert_eq!(endpoint.status, EndpointStatus::Disabled);
    assert_eq!(world.store.case(approval.id).await.unwrap().unwrap().endpoints, [second]);
    assert_eq!(ids(&claim(&world).await), [queued[2].id], "what is queued for it waits");
    let view = log(&world).await.into_iter().find(|view| view.id == job.id).unwrap();
    assert_eq!((view.status, view.last_status), (DeliveryStatus::Failed, Some(410)));

    world.apply(Effect::SetEndpoint(Endpoint { status: EndpointStatus::Active, ..endpoint })).await;
    assert_eq!(claim(&world).await.len(), 1, "and goes out when its owner switches it on again");
}

pub async fn an_expired_lease_comes_back_and_the_old_fence_changes_nothing(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let queued = queue(&world, &[world.endpoint; 2]).await;
    let mut firsts = world.store.claim_deliveries(10, 10, &[], Duration::ZERO).await.unwrap();
    firsts.sort_by_key(|job| job.id);
    let seconds = claim(&world).await;
    assert_eq!(ids(&seconds), queued.iter().map(|delivery| delivery.id).collect::<Vec<_>>());
    assert!(seconds.iter().all(|job| job.attempts == 0), "a lease that ran out is no try");
    // The old and a new fence in one go: each is judged for itself.
    let outcome = |next| DeliveryOutcome { at: world.now, status: Some(410), error: None, next };
    let outcomes = [
        (firsts[0].id, firsts[0].fence, outcome(DeliveryNext::Disable)),
        (seconds[1].id, seconds[1].fence, outcome(DeliveryNext::Done)),
    ];
    world.store.settle_deliveries(&outcomes).await.unwrap();
    let mut views = log(&world).await;
    views.sort_by_key(|view| view.id);
    let found: Vec<_> = views.iter().map(|view| (view.status, view.attempts)).collect();
    assert_eq!(found, [(DeliveryStatus::Queued, 0), (DeliveryStatus::Delivered, 1)]);
    let endpoint = world.store.endpoint(world.backend.id, world.endpoint).await.unwrap().unwrap();
    assert_eq!(endpoint.status, EndpointStatus::Active, "an old fence switches nothing off");
    settle(&world, &seconds[0], Some(200), DeliveryNext::Done).await;
    assert!(log(&world).await.iter().all(|view| view.status == DeliveryStatus::Delivered));
    world.store.settle_deliveries(&[]).await.unwrap();
}

pub async fn the_log_is_paged_newest_first(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let second = world.another_endpoint().await;
    let mut expected = Vec::new();
    for _ in 0..5 {
        expected.extend(queue(&world, &[world.endpoint]).await.iter().map(|delivery| delivery.id));
        queue(&world, &[second]).await;
    }
    expected.reverse();
    let mut paged: Vec<DeliveryId> = Vec::new();
    for size in [2, 2, 1] {
        let page = world.store.deliveries(world.endpoint, paged.last().copied(), 2).await.unwrap();
        assert_eq!(page.len(), size);
        paged.extend(page.iter().map(|view| view.id));
    }
    assert_eq!(paged, expected);
    assert!(world.store.deliveries(world.endpoint, paged.last().copied(), 2).await.unwrap().is_empty());
}

pub async fn a_message_can_be_sent_again(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let second = world.another_endpoint().await;
    let queued = queue(&world, &[world.endpoint]).await.remove(0);
    let job = claim(&world).await.remove(0);
    settle(&world, &job, Some(200), DeliveryNext::Done).await;
    let message = world.store.delivery_message(world.endpoint, queued.id).await.unwrap();
    assert_eq!(message, Some((queued.message_id.clone(), queued.body.clone())));
    assert_eq!(world.store.delivery_message(second, queued.id).await.unwrap(), None);
    assert_eq!(world.store.delivery_message(world.endpoint, world.id(DeliveryId::new)).await.unwrap(), None);

    // Under the same message id, by which its receiver knows it for a repeat.
    let again = Delivery { id: world.id(DeliveryId::new), ..queued };
    let mut change = world.change(Effect::Noted);
    change.deliveries = vec![again.clone()];
    world.store.commit(change).await.unwrap();
    let jobs = claim(&world).await;
    assert_eq!((ids(&jobs), &jobs[0].message_id), (vec![again.id], &again.message_id));
}
