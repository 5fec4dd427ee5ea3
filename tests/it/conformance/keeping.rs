//! What was sent goes once it is old; what is to be sent, or what a release may rest on, never does.

use std::sync::Arc;

use countersign::domain::channel::{About, NoticeStatus, Turn};
use countersign::ports::store::{DeliveryNext, DeliveryOutcome, NoticeOutcome, Outgoing, Pruned};
use countersign::ports::{Effect, Store};

use super::world::{HOUR, MINUTE, World};

/// Stores so many deliveries; all but the last are sent.
async fn sent(world: &World, count: usize) {
    let mut change = world.change(Effect::Noted);
    change.deliveries = (0..count).map(|_| world.delivery(world.endpoint)).collect();
    let last = change.deliveries.last().unwrap().id;
    world.store.commit(change).await.unwrap();
    for job in world.store.claim_deliveries(100, 100, &[], MINUTE).await.unwrap() {
        if job.id != last {
            let outcome = DeliveryOutcome { at: world.now, status: Some(200), error: None, next: DeliveryNext::Done };
            world.store.settle_deliveries(&[(job.id, job.fence, outcome)]).await.unwrap();
        }
    }
}

pub async fn deliveries_that_were_made_go_when_they_are_old(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    sent(&world, 4).await;
    let prune = |before, after, limit| world.store.prune(Outgoing::Deliveries, before, after, limit);
    assert_eq!(prune(world.now - HOUR, None, 100).await.unwrap(), Pruned::default());
    assert_eq!(prune(world.now + HOUR, None, 100).await.unwrap(), Pruned { deleted: 3, last: None });
    let left = world.store.deliveries(world.endpoint, None, 100).await.unwrap();
    assert_eq!(left.len(), 1, "it is still to be sent");
    assert_eq!(prune(world.now + HOUR, None, 100).await.unwrap().deleted, 0);
}

pub async fn rows_are_looked_at_in_bounded_numbers_and_once(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    sent(&world, 5).await;
    let before = world.now + HOUR;
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let pruned = world.store.prune(Outgoing::Deliveries, before, after, 2).await.unwrap();
        seen.push(pruned.deleted);
        after = pruned.last;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, [2, 2, 0]);
}

pub async fn a_notice_about_what_lives_stays(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let approval = world.opened_as(world.cooled()).await;
    let mut change = world.change(Effect::Noted);
    change.notices = vec![
        world.notice(About::Approval(approval.id), world.mailbox.id, Turn::Now, 0),
        world.notice(About::Approval(approval.id), world.mailbox.id, Turn::AfterFailure, 1),
    ];
    world.store.commit(change).await.unwrap();
    let far = world.now + 100_000 * HOUR;
    let prune = || world.store.prune(Outgoing::Notices, far, None, 100);
    assert_eq!(prune().await.unwrap().deleted, 0, "one is still to be sent");
    let job = world.store.claim_notices(10, MINUTE).await.unwrap().remove(0);
    let told = [(job.id, job.fence, NoticeOutcome::Delivered { at: world.now })];
    world.store.settle_notices(&told).await.unwrap();
    assert_eq!(prune().await.unwrap().deleted, 0, "a release may rest on it");
    world.put(&approval, world.cancelled()).await;
    let statuses: Vec<NoticeStatus> =
        world.store.notices(approval.id).await.unwrap().into_iter().map(|view| view.status).collect();
    assert_eq!(statuses, [NoticeStatus::Delivered, NoticeStatus::Waiting]);
    assert_eq!(world.store.prune(Outgoing::Notices, world.now, None, 100).await.unwrap().deleted, 0, "it is young");
    assert_eq!(prune().await.unwrap().deleted, 2);
    assert!(world.store.notices(approval.id).await.unwrap().is_empty());
}
