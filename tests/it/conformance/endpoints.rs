//! Webhook endpoints.

use std::sync::Arc;

use countersign::domain::EndpointId;
use countersign::domain::approval::transitions::Guard;
use countersign::domain::webhook::{Endpoint, EndpointStatus, MAX_ENDPOINTS};
use countersign::ports::store::Unique;
use countersign::ports::{Effect, Store};

use super::world::{HOUR, MINUTE, Why, World, transition};

async fn ids(world: &World) -> Vec<EndpointId> {
    let mut ids: Vec<_> = world.store.endpoints(world.backend.id).await.unwrap().iter().map(|e| e.id).collect();
    ids.sort();
    ids
}

pub async fn an_endpoint_reads_back_to_its_own_backend(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let endpoint = world.endpoint_of(world.backend.id, world.endpoint);
    assert_eq!(world.store.endpoints(world.backend.id).await.unwrap(), [endpoint.clone()]);
    assert_eq!(world.store.endpoint(world.backend.id, world.endpoint).await.unwrap(), Some(endpoint));
    let quay = world.another_backend().await;
    assert_eq!(world.store.endpoint(quay.id, world.endpoint).await.unwrap(), None);
    assert_eq!(world.store.endpoints(quay.id).await.unwrap(), []);
}

pub async fn a_backend_has_eight_endpoints_and_no_more(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let approval = world.opened().await;
    let mut expected = vec![world.endpoint];
    for _ in 1..MAX_ENDPOINTS {
        expected.push(world.another_endpoint().await);
    }
    expected.sort();
    let one_more = world.endpoint_of(world.backend.id, world.id(EndpointId::new));
    let add = |endpoint: &Endpoint| {
        let remember = world.remember_as(endpoint.backend, world.idempotency_key());
        Effect::AddEndpoint { endpoint: endpoint.clone(), remember }
    };
    world.refuses(add(&one_more), approval.id, Why::Cap).await;
    assert_eq!(ids(&world).await, expected);
    let quay = world.another_backend().await;
    world.apply(add(&world.endpoint_of(quay.id, world.id(EndpointId::new)))).await;
    world.apply(Effect::RemoveEndpoint(expected[3])).await;
    world.apply(add(&one_more)).await;
    // A key that was used makes nothing, whatever it was used for.
    world.apply(Effect::RemoveEndpoint(one_more.id)).await;
    let remember = world.remember();
    world.apply(Effect::AddEndpoint { endpoint: one_more.clone(), remember: remember.clone() }).await;
    world.apply(Effect::RemoveEndpoint(one_more.id)).await;
    let again = Effect::AddEndpoint { endpoint: one_more, remember };
    world.refuses(again, approval.id, Why::Duplicate(Unique::IdempotencyKey)).await;
}

pub async fn an_endpoint_is_rewritten_in_place(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let approval = world.opened().await;
    let rotated = Endpoint {
        url: "https://elsewhere.example/in".parse().unwrap(),
        secret: vec![9; 41],
        previous: Some((vec![6; 40], world.now + 24 * HOUR)),
        ..world.endpoint_of(world.backend.id, world.endpoint)
    };
    world.apply(Effect::SetEndpoint(rotated.clone())).await;
    assert_eq!(world.store.endpoint(world.backend.id, world.endpoint).await.unwrap(), Some(rotated.clone()));
    let off = Endpoint { status: EndpointStatus::Disabled, previous: None, ..rotated };
    world.apply(Effect::SetEndpoint(off.clone())).await;
    assert_eq!(world.store.endpoint(world.backend.id, world.endpoint).await.unwrap(), Some(off.clone()));
    let told = world.store.case(approval.id).await.unwrap().unwrap().endpoints;
    assert_eq!(told, [], "one that was switched off is told nothing");
    world.apply(Effect::SetEndpoint(Endpoint { status: EndpointStatus::Active, ..off })).await;
    assert_eq!(world.store.case(approval.id).await.unwrap().unwrap().endpoints, [world.endpoint]);
}

pub async fn an_endpoint_that_is_not_there_is_not_rewritten(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let approval = world.opened().await;
    let unknown = world.endpoint_of(world.backend.id, world.id(EndpointId::new));
    world.refuses(Effect::SetEndpoint(unknown), approval.id, Why::Conflict).await;
}

pub async fn a_removed_endpoint_takes_its_queue_along(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let approval = world.opened().await;
    let second = world.another_endpoint().await;
    let mut change = world.change(Effect::Noted);
    change.deliveries = vec![world.delivery(world.endpoint), world.delivery(second)];
    world.store.commit(change.clone()).await.unwrap();
    world.apply(Effect::RemoveEndpoint(world.endpoint)).await;
    assert_eq!(ids(&world).await, [second]);
    assert_eq!(world.store.endpoint(world.backend.id, world.endpoint).await.unwrap(), None);
    assert_eq!(world.store.case(approval.id).await.unwrap().unwrap().endpoints, [second]);
    assert_eq!(world.store.backlog().await.unwrap().deliveries, 1);
    let jobs = world.store.claim_deliveries(10, 10, &[], MINUTE).await.unwrap();
    assert_eq!(jobs.iter().map(|job| job.id).collect::<Vec<_>>(), [change.deliveries[1].id]);
}

/// The endpoints of a change are read before it is stored. One that is removed in between must not undo a release or,
/// worse, a cancel; only its message is lost, and nobody is there to miss it.
pub async fn a_removed_endpoint_does_not_hold_up_a_transition(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let approval = world.opened().await;
    let second = world.another_endpoint().await;
    let mut change = world.change(transition(world.moved(&approval, world.cancelled(), Guard::default())));
    change.deliveries = vec![world.delivery(world.endpoint), world.delivery(second)];
    world.apply(Effect::RemoveEndpoint(world.endpoint)).await;
    world.store.commit(change.clone()).await.unwrap();
    assert_eq!(world.store.backlog().await.unwrap().deliveries, 1);
    let jobs = world.store.claim_deliveries(10, 10, &[], MINUTE).await.unwrap();
    assert_eq!(jobs.iter().map(|job| job.id).collect::<Vec<_>>(), [change.deliveries[1].id]);
}
