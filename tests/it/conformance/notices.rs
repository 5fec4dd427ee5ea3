//! Notices as work: leased, settled, retried, and handed on to the next channel in the row.

use std::sync::Arc;
use std::time::Duration;

use countersign::domain::channel::{About, Notice, NoticeStatus, Turn};
use countersign::domain::{ApprovalId, NoticeId};
use countersign::ports::store::{NoticeJob, NoticeOutcome, NoticeView};
use countersign::ports::{Change, Effect, Store};

use super::world::{HOUR, MINUTE, Why, World};

/// Stores a row of notices about a new approval, all on the mailbox, with these turns.
async fn row(world: &World, turns: &[Turn]) -> (ApprovalId, Vec<Notice>) {
    let about = world.opened().await.id;
    let mut change = world.change(Effect::Noted);
    let notice = |(rank, turn): (u16, &Turn)| world.notice(About::Approval(about), world.mailbox.id, *turn, rank);
    change.notices = (0..).zip(turns).map(notice).collect();
    world.store.commit(change.clone()).await.unwrap();
    (about, change.notices)
}

async fn claim(world: &World) -> Vec<NoticeJob> {
    let mut jobs = world.store.claim_notices(100, MINUTE).await.unwrap();
    jobs.sort_by_key(|job| job.id);
    jobs
}

fn ids(jobs: &[NoticeJob]) -> Vec<NoticeId> {
    jobs.iter().map(|job| job.id).collect()
}

async fn settle(world: &World, job: &NoticeJob, outcome: NoticeOutcome) -> bool {
    world.store.settle_notice(job.id, job.fence, outcome).await.unwrap()
}

async fn views(world: &World, about: ApprovalId) -> Vec<NoticeView> {
    let mut views = world.store.notices(about).await.unwrap();
    views.sort_by_key(|view| view.id);
    views
}

async fn statuses(world: &World, about: ApprovalId) -> Vec<NoticeStatus> {
    views(world, about).await.into_iter().map(|view| view.status).collect()
}

pub async fn a_queued_notice_is_leased_with_what_sending_needs(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let (_, notices) = row(&world, &[Turn::Now, Turn::AfterFailure]).await;
    let (notice, jobs) = (&notices[0], claim(&world).await);
    assert_eq!(ids(&jobs), [notice.id]);
    let job = &jobs[0];
    assert_eq!((job.holder, job.channel, job.about), (notice.holder, notice.channel, notice.about));
    assert_eq!((job.purpose, job.attempts), (notice.purpose, 0));
    assert_eq!((job.created_at, job.useless_after), (notice.created_at, notice.useless_after));
    assert_eq!(job.address.bytes(), world.mailbox.id.bytes());
}

pub async fn a_leased_notice_is_not_leased_again(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    row(&world, &[Turn::Now]).await;
    assert_eq!(claim(&world).await.len(), 1);
    assert!(claim(&world).await.is_empty());
    let (_, second) = row(&world, &[Turn::Now]).await;
    assert_eq!(ids(&claim(&world).await), [second[0].id]);
}

pub async fn an_expired_lease_comes_back_and_the_old_fence_is_refused(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let (about, _) = row(&world, &[Turn::Now]).await;
    let first = world.store.claim_notices(10, Duration::ZERO).await.unwrap().remove(0);
    let second = claim(&world).await.remove(0);
    assert_eq!((second.id, second.attempts), (first.id, 0), "a lease that ran out is no try");
    assert_ne!(second.fence, first.fence);
    let at = world.now;
    for outcome in [NoticeOutcome::Delivered { at }, NoticeOutcome::Failed { at }, NoticeOutcome::Dropped] {
        assert!(!settle(&world, &first, outcome).await);
        assert_eq!(statuses(&world, about).await, [NoticeStatus::Queued]);
    }
    assert!(settle(&world, &second, NoticeOutcome::Delivered { at }).await);
    assert!(!settle(&world, &first, NoticeOutcome::Failed { at }).await);
    assert_eq!(statuses(&world, about).await, [NoticeStatus::Delivered]);
}

pub async fn a_delivered_notice_is_done(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let (about, _) = row(&world, &[Turn::Now]).await;
    // A lease may run out while nobody else takes it; what was sent was sent, and its holder may still say so.
    let job = world.store.claim_notices(10, Duration::ZERO).await.unwrap().remove(0);
    let at = world.now + MINUTE;
    assert!(settle(&world, &job, NoticeOutcome::Delivered { at }).await);
    let view = views(&world, about).await.remove(0);
    assert_eq!((view.status, view.attempts, view.delivered_at), (NoticeStatus::Delivered, 1, Some(at)));
    assert!(claim(&world).await.is_empty());
    assert!(!settle(&world, &job, NoticeOutcome::Failed { at }).await, "it was settled");
    assert_eq!(statuses(&world, about).await, [NoticeStatus::Delivered]);
    assert!(!world.store.settle_notice(world.id(NoticeId::new), 1, NoticeOutcome::Dropped).await.unwrap());
}

pub async fn a_retried_notice_waits_its_time(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let (about, _) = row(&world, &[Turn::Now, Turn::AfterFailure]).await;
    for attempts in 1..=3 {
        let job = claim(&world).await.remove(0);
        assert_eq!(job.attempts, attempts - 1);
        assert!(settle(&world, &job, NoticeOutcome::RetryAt(world.now - MINUTE)).await);
        assert_eq!(views(&world, about).await[0].attempts, attempts);
    }
    let job = claim(&world).await.remove(0);
    assert!(settle(&world, &job, NoticeOutcome::RetryAt(world.now + HOUR)).await);
    assert!(claim(&world).await.is_empty());
    assert_eq!(statuses(&world, about).await, [NoticeStatus::Queued, NoticeStatus::Waiting]);
}

pub async fn a_failed_notice_gives_the_next_its_turn(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let (about, notices) = row(&world, &[Turn::Now, Turn::AfterFailure, Turn::AfterFailure]).await;
    let (other, others) = row(&world, &[Turn::AfterFailure]).await;
    for notice in &notices {
        let jobs = claim(&world).await;
        assert_eq!(ids(&jobs), [notice.id]);
        assert!(settle(&world, &jobs[0], NoticeOutcome::Failed { at: world.now }).await);
    }
    assert!(claim(&world).await.is_empty());
    assert_eq!(statuses(&world, about).await, [NoticeStatus::Failed; 3]);
    assert_eq!(views(&world, about).await[0].delivered_at, None);
    assert_eq!(others.len(), 1);
    assert_eq!(statuses(&world, other).await, [NoticeStatus::Waiting], "another row has its own turns");
}

pub async fn a_turn_waits_for_every_notice_before_it(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let (about, notices) = row(&world, &[Turn::Now, Turn::Now, Turn::AfterFailure]).await;
    let jobs = claim(&world).await;
    assert_eq!(ids(&jobs), [notices[0].id, notices[1].id]);
    assert!(settle(&world, &jobs[0], NoticeOutcome::Failed { at: world.now }).await);
    assert!(claim(&world).await.is_empty(), "the second is still on its way");
    assert!(settle(&world, &jobs[1], NoticeOutcome::Failed { at: world.now }).await);
    assert_eq!(ids(&claim(&world).await), [notices[2].id]);
    assert_eq!(statuses(&world, about).await[2], NoticeStatus::Queued);

    let (_, notices) = row(&world, &[Turn::Now, Turn::Now, Turn::AfterFailure]).await;
    let jobs = claim(&world).await;
    assert!(settle(&world, &jobs[1], NoticeOutcome::Delivered { at: world.now }).await);
    assert!(settle(&world, &jobs[0], NoticeOutcome::Failed { at: world.now }).await);
    assert!(claim(&world).await.is_empty(), "one of them got there, {:?} isn't needed", notices[2].id);
}

pub async fn a_dropped_notice_gives_nobody_a_turn(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let (about, _) = row(&world, &[Turn::Now, Turn::AfterFailure]).await;
    let job = claim(&world).await.remove(0);
    assert!(settle(&world, &job, NoticeOutcome::Dropped).await);
    assert!(claim(&world).await.is_empty());
    assert_eq!(statuses(&world, about).await, [NoticeStatus::Dropped, NoticeStatus::Waiting]);
}

pub async fn only_a_delivered_notice_bounces(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let (about, notices) = row(&world, &[Turn::Now]).await;
    let bounce = || Effect::Bounce(notices[0].id);
    world.refuses(bounce(), about, Why::Conflict).await;
    let job = claim(&world).await.remove(0);
    world.refuses(bounce(), about, Why::Conflict).await;
    assert!(settle(&world, &job, NoticeOutcome::Delivered { at: world.now }).await);
    world.apply(bounce()).await;
    let view = views(&world, about).await.remove(0);
    assert_eq!((view.status, view.delivered_at), (NoticeStatus::Failed, None));
    world.refuses(bounce(), about, Why::Conflict).await;
    world.refuses(Effect::Bounce(world.id(NoticeId::new)), about, Why::Conflict).await;
    assert!(claim(&world).await.is_empty());
}

pub async fn a_bounced_notice_gives_the_next_its_turn(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let (about, notices) = row(&world, &[Turn::Now, Turn::AfterFailure]).await;
    let job = claim(&world).await.remove(0);
    assert!(settle(&world, &job, NoticeOutcome::Delivered { at: world.now }).await);
    assert!(claim(&world).await.is_empty());
    world.apply(Effect::Bounce(notices[0].id)).await;
    assert_eq!(statuses(&world, about).await, [NoticeStatus::Failed, NoticeStatus::Queued]);
    assert_eq!(ids(&claim(&world).await), [notices[1].id]);
}

pub async fn a_notice_tells_whose_it_is(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let (_, notices) = row(&world, &[Turn::Now, Turn::AfterFailure]).await;
    for (notice, status) in notices.iter().zip([NoticeStatus::Queued, NoticeStatus::Waiting]) {
        let found = world.store.notice(notice.id).await.unwrap().unwrap();
        assert_eq!((found.backend, found.holder), (world.backend.id, notice.holder));
        assert_eq!((found.about, found.purpose, found.status), (notice.about, notice.purpose, status));
    }
    assert!(world.store.notice(world.id(NoticeId::new)).await.unwrap().is_none());
}

pub async fn the_claim_is_bounded(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let mut change: Change = world.change(Effect::Noted);
    let about = world.opened().await.id;
    let notice = |_| world.notice(About::Approval(about), world.mailbox.id, Turn::Now, 0);
    change.notices = (0..5).map(notice).collect();
    world.store.commit(change).await.unwrap();
    for expected in [2, 2, 1, 0] {
        assert_eq!(world.store.claim_notices(2, MINUTE).await.unwrap().len(), expected);
    }
}
