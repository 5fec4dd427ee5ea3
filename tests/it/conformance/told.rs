//! When the holder counts as told: design section 2, "Nobody is surprised".

use std::sync::Arc;
use std::time::Duration;

use countersign::domain::approval::{Approval, State, Told};
use countersign::domain::channel::{About, Channel, Notice, Purpose, Turn};
use countersign::domain::{NoticeId, Timestamp};
use countersign::ports::store::NoticeOutcome;
use countersign::ports::{Effect, Store};

use super::states::on;
use super::world::{HOUR, MINUTE, World};

const TICK: Duration = Duration::from_micros(1);

/// A notice about the approval on this channel, handed over at this moment.
async fn delivered(world: &World, approval: &Approval, channel: &Channel, at: Timestamp) -> NoticeId {
    let id = queued(world, approval, channel).await;
    let jobs = world.store.claim_notices(10, MINUTE).await.unwrap();
    let job = jobs.iter().find(|job| job.id == id).expect("it is queued");
    assert!(world.store.settle_notice(id, job.fence, NoticeOutcome::Delivered { at }).await.unwrap());
    id
}

async fn queued(world: &World, approval: &Approval, channel: &Channel) -> NoticeId {
    let mut change = world.change(Effect::Noted);
    change.notices = vec![world.notice(About::Approval(approval.id), channel.id, Turn::Now, 0)];
    world.store.commit(change.clone()).await.unwrap();
    change.notices[0].id
}

impl World {
    /// The holder is told of the approval's decision on the mailbox, now.
    pub async fn told_now(&self, approval: &Approval) {
        delivered(self, approval, &self.mailbox, self.now).await;
    }
}

async fn told(world: &World, approval: &Approval) -> Option<Told> {
    let cases = world.store.due_cases(&[approval.id]).await.unwrap();
    cases[0].as_ref().unwrap().told.clone()
}

/// An approval with a decision, and when that was made. It and whatever is delivered lie ahead of the store's own clock,
/// before which nothing is taken to have been delivered.
async fn cooling(world: &World) -> (Approval, Timestamp) {
    let approved_at = world.now + 10 * HOUR;
    let state = State::Cooling { decision: world.decision(approved_at), cooling_until: approved_at + HOUR };
    (world.opened_as(state).await, approved_at)
}

pub async fn a_notice_delivered_after_the_approval_counts(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let (approval, approved_at) = cooling(&world).await;
    assert_eq!(told(&world, &approval).await, None);
    delivered(&world, &approval, &world.mailbox, approved_at).await;
    assert_eq!(told(&world, &approval).await, Some(on(world.mailbox.id, approved_at)));
}

pub async fn a_notice_delivered_before_the_approval_does_not(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let (approval, approved_at) = cooling(&world).await;
    delivered(&world, &approval, &world.mailbox, approved_at - TICK).await;
    assert_eq!(told(&world, &approval).await, None);
    delivered(&world, &approval, &world.mailbox, approved_at + TICK).await;
    assert_eq!(told(&world, &approval).await, Some(on(world.mailbox.id, approved_at + TICK)));
}

pub async fn a_notice_that_was_not_delivered_does_not(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let (approval, _) = cooling(&world).await;
    let outcomes =
        [NoticeOutcome::RetryAt(world.now + HOUR), NoticeOutcome::Failed { at: world.now }, NoticeOutcome::Dropped];
    for outcome in outcomes {
        let id = queued(&world, &approval, &world.mailbox).await;
        assert_eq!(told(&world, &approval).await, None);
        let jobs = world.store.claim_notices(10, MINUTE).await.unwrap();
        assert_eq!(jobs.iter().map(|job| job.id).collect::<Vec<_>>(), [id]);
        assert_eq!(told(&world, &approval).await, None);
        assert!(world.store.settle_notice(id, jobs[0].fence, outcome).await.unwrap());
        assert_eq!(told(&world, &approval).await, None);
    }
}

pub async fn a_bounced_notice_no_longer_counts(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let (approval, approved_at) = cooling(&world).await;
    let id = delivered(&world, &approval, &world.mailbox, approved_at + MINUTE).await;
    assert!(told(&world, &approval).await.is_some());
    world.apply(Effect::Bounce(id)).await;
    assert_eq!(told(&world, &approval).await, None);
}

pub async fn a_notice_on_the_deciding_device_does_not(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let (approval, approved_at) = cooling(&world).await;
    let own = world.added_channel(Some(world.device.body.id), world.now - 72 * HOUR).await;
    delivered(&world, &approval, &own, approved_at + MINUTE).await;
    assert_eq!(told(&world, &approval).await, None);
    delivered(&world, &approval, &world.mailbox, approved_at + 2 * MINUTE).await;
    assert_eq!(told(&world, &approval).await, Some(on(world.mailbox.id, approved_at + 2 * MINUTE)));
}

pub async fn a_notice_on_a_channel_that_is_too_new_does_not(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let (approval, approved_at) = cooling(&world).await;
    let counts_from = approved_at + 10 * MINUTE;
    let new = world.added_channel(None, counts_from).await;
    delivered(&world, &approval, &new, counts_from - TICK).await;
    assert_eq!(told(&world, &approval).await, None, "it counts now, but it didn't when it was delivered");
    delivered(&world, &approval, &new, counts_from).await;
    assert_eq!(told(&world, &approval).await, Some(on(new.id, counts_from)));
}

pub async fn a_notice_about_another_approval_does_not(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let ((one, approved_at), (other, _)) = (cooling(&world).await, cooling(&world).await);
    delivered(&world, &other, &world.mailbox, approved_at + MINUTE).await;
    assert_eq!(told(&world, &one).await, None);
    assert!(told(&world, &other).await.is_some());
    let mut change = world.change(Effect::Noted);
    let about = About::Device(world.device.body.id);
    change.notices = vec![world.notice(about, world.mailbox.id, Turn::Now, 0)];
    world.store.commit(change.clone()).await.unwrap();
    let jobs = world.store.claim_notices(10, MINUTE).await.unwrap();
    let outcome = NoticeOutcome::Delivered { at: approved_at + MINUTE };
    assert!(world.store.settle_notice(jobs[0].id, jobs[0].fence, outcome).await.unwrap());
    assert_eq!(told(&world, &one).await, None);
}

pub async fn a_notice_that_asks_for_an_answer_does_not(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let (approval, approved_at) = cooling(&world).await;
    let mut change = world.change(Effect::Noted);
    let asked = world.notice(About::Approval(approval.id), world.mailbox.id, Turn::Now, 0);
    change.notices = vec![Notice { purpose: Purpose::Asked, ..asked }];
    world.store.commit(change).await.unwrap();
    let job = world.store.claim_notices(10, MINUTE).await.unwrap().remove(0);
    let outcome = NoticeOutcome::Delivered { at: approved_at + MINUTE };
    assert!(world.store.settle_notice(job.id, job.fence, outcome).await.unwrap());
    assert_eq!(told(&world, &approval).await, None, "it tells of a question, not of an approval");
}

pub async fn the_first_that_counts_is_named(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let (approval, approved_at) = cooling(&world).await;
    let second = world.added_channel(None, world.now - 72 * HOUR).await;
    let own = world.added_channel(Some(world.device.body.id), world.now - 72 * HOUR).await;
    delivered(&world, &approval, &world.mailbox, approved_at + 5 * MINUTE).await;
    delivered(&world, &approval, &second, approved_at + 3 * MINUTE).await;
    delivered(&world, &approval, &second, approved_at + 4 * MINUTE).await;
    delivered(&world, &approval, &own, approved_at + MINUTE).await;
    delivered(&world, &approval, &world.mailbox, approved_at - MINUTE).await;
    assert_eq!(told(&world, &approval).await, Some(on(second.id, approved_at + 3 * MINUTE)));
}

/// Holds count from it: a node whose clock is behind, or that lies, makes none of them shorter.
pub async fn nothing_was_delivered_before_the_stores_own_clock(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let approval = world.opened_as(world.cooled()).await;
    let before = world.store.now().await.unwrap();
    let id = delivered(&world, &approval, &world.mailbox, before - HOUR).await;
    let views = world.store.notices(approval.id).await.unwrap();
    let view = views.iter().find(|view| view.id == id).unwrap();
    assert!(view.delivered_at >= Some(before) && view.delivered_at < Some(before + HOUR), "{view:?}");
    let told = told(&world, &approval).await.unwrap();
    assert_eq!(Some(told.delivered_at), view.delivered_at);
    // A node ahead is believed: later is the safe side.
    let id = delivered(&world, &approval, &world.mailbox, before + HOUR).await;
    let views = world.store.notices(approval.id).await.unwrap();
    assert_eq!(views.iter().find(|view| view.id == id).unwrap().delivered_at, Some(before + HOUR));
}
