//! Lists, counts and the log.

use std::collections::BTreeMap;
use std::sync::Arc;

use countersign::domain::approval::{Approval, StateName};
use countersign::domain::backend::IdempotencyKey;
use countersign::domain::channel::{About, Turn};
use countersign::domain::details::{Digest, Subject};
use countersign::domain::{ApprovalId, BackendId, EndpointId, HolderId, Timestamp};
use countersign::ports::store::{Backlog, DeliveryNext, DeliveryOutcome, Filter, NoticeOutcome};
use countersign::ports::{Effect, Store};

use super::world::{HOUR, MINUTE, World};

pub async fn nothing_is_found_in_an_empty_store(store: Arc<dyn Store>) {
    let (at, random) = (Timestamp::from_micros(1), [1; 10]);
    let (backend, holder) = (BackendId::new(at, random), HolderId::new(at, random));
    let approval = ApprovalId::new(at, random);
    let key = IdempotencyKey::parse("key").unwrap();
    assert!(store.backends().await.unwrap().is_empty());
    assert!(store.keys(backend).await.unwrap().is_empty());
    assert!(store.remembered(backend, &key).await.unwrap().is_none());
    assert!(store.holder(backend, &Subject::parse("x").unwrap()).await.unwrap().is_none());
    assert!(store.holder_by_id(holder).await.unwrap().is_none());
    assert!(store.channels(holder).await.unwrap().is_empty());
    assert!(store.devices(holder).await.unwrap().is_empty());
    assert!(store.device_by_cookie(&Digest::of(b"x")).await.unwrap().is_none());
    assert!(store.approval(approval).await.unwrap().is_none());
    assert!(store.case(approval).await.unwrap().is_none());
    assert!(store.approvals(backend, &Filter::default(), 10).await.unwrap().is_empty());
    assert!(store.approvals_of_holder(holder, 10).await.unwrap().is_empty());
    assert!(store.notices(approval).await.unwrap().is_empty());
    assert!(store.evidence(approval).await.unwrap().is_empty());
    assert!(store.due_cases(&[approval]).await.unwrap().is_empty());
    assert!(store.claim_notices(10, MINUTE).await.unwrap().is_empty());
    assert!(store.claim_deliveries(10, 10, &[], MINUTE).await.unwrap().is_empty());
    assert!(store.endpoints(backend).await.unwrap().is_empty());
    assert!(store.deliveries(EndpointId::new(at, random), None, 10).await.unwrap().is_empty());
    assert_eq!(store.backlog().await.unwrap(), Backlog::default());
    assert!(store.live_counts().await.unwrap().iter().all(|(_, count)| *count == 0));
    assert!(store.audit_page(None, 10).await.unwrap().is_empty());
    assert_eq!(store.forget_before(at).await.unwrap(), 0);
}

pub async fn a_backends_approvals_are_filtered_and_paged(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let other = world.another_holder("u-78").await;
    let mut expected = vec![
        world.opened_as(world.cooled()).await,
        world.opened().await,
        world.opened_as(world.cancelled()).await,
        world.opened_as(world.cancelled()).await,
    ];
    let theirs = world.drafted(&other, "theirs");
    world.apply(world.open(&theirs)).await;
    expected.push(theirs.clone());
    let quay = world.another_backend().await;
    assert!(world.store.approvals(quay.id, &Filter::default(), 10).await.unwrap().is_empty());
    expected.reverse();

    let list = async |filter: Filter| world.store.approvals(world.backend.id, &filter, 100).await.unwrap();
    let kept = |keep: &dyn Fn(&Approval) -> bool| expected.iter().filter(|a| keep(a)).cloned().collect::<Vec<_>>();
    assert_eq!(list(Filter::default()).await, expected);
    for state in StateName::ALL {
        let filter = Filter { state: Some(state), ..Filter::default() };
        assert_eq!(list(filter).await, kept(&|approval| approval.state.name() == state));
    }
    let filter = Filter { subject: Some(other.subject.clone()), ..Filter::default() };
    assert_eq!(list(filter.clone()).await, [theirs.clone()]);
    assert!(list(Filter { state: Some(StateName::Cancelled), ..filter }).await.is_empty());
    let transfer_id = expected[1].details.transfer().transfer_id.clone();
    let filter = Filter { transfer_id: Some(transfer_id), ..Filter::default() };
    assert_eq!(list(filter).await, [expected[1].clone()]);

    let mut paged: Vec<Approval> = Vec::new();
    for size in [2, 2, 1, 0] {
        let filter = Filter { before: paged.last().map(|approval| approval.id), ..Filter::default() };
        let page = world.store.approvals(world.backend.id, &filter, 2).await.unwrap();
        assert_eq!(page.len(), size);
        paged.extend(page);
    }
    assert_eq!(paged, expected);
}

pub async fn a_holder_sees_the_living_and_the_newest_ended(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let mut ended = Vec::new();
    let living = [world.opened_as(world.released()).await, world.opened_as(world.cooled()).await];
    for end in world.ends() {
        ended.push(world.opened_as(end).await);
    }
    let mut living: Vec<ApprovalId> = living.iter().map(|approval| approval.id).collect();
    living.push(world.opened().await.id);
    let other = world.another_holder("u-78").await;
    world.apply(world.open(&world.drafted(&other, "theirs"))).await;

    for (limit, of_ended) in [(3, 0), (5, 2), (7, 4), (100, 4)] {
        let found = world.store.approvals_of_holder(world.holder.id, limit).await.unwrap();
        let found: Vec<_> = found.into_iter().map(Result::unwrap).collect();
        let (mut done, mut live): (Vec<_>, Vec<_>) = found.into_iter().partition(|a| a.state.name().is_final());
        live.sort_by_key(|approval| approval.id);
        assert_eq!(live.iter().map(|approval| approval.id).collect::<Vec<_>>(), living, "limit {limit}");
        done.sort_by_key(|approval| approval.id);
        assert_eq!(done, ended[ended.len() - of_ended..], "limit {limit}");
    }
}

pub async fn living_approvals_are_counted_by_state(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    for state in [world.cooled(), world.cooled(), world.released(), world.cancelled(), world.redeemed()] {
        world.opened_as(state).await;
    }
    world.opened().await;
    let counts: BTreeMap<_, _> = world.store.live_counts().await.unwrap().into_iter().collect();
    let count = |name| counts.get(&name).copied().unwrap_or_default();
    let found = [StateName::Pending, StateName::Cooling, StateName::Released].map(count);
    assert_eq!(found, [1, 2, 1]);
    assert_eq!([StateName::Cancelled, StateName::Redeemed].map(count), [0, 0]);
}

pub async fn the_backlog_is_what_should_have_gone_out(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    assert_eq!(world.store.backlog().await.unwrap(), Backlog::default());
    let about = About::Approval(world.opened().await.id);
    let mut change = world.change(Effect::Noted);
    let turns = [Turn::Now, Turn::Now, Turn::AfterFailure];
    change.notices = (0..).zip(turns).map(|(rank, turn)| world.notice(about, world.mailbox.id, turn, rank)).collect();
    change.deliveries = (0..3).map(|_| world.delivery(world.endpoint)).collect();
    world.store.commit(change).await.unwrap();
    let backlog = world.store.backlog().await.unwrap();
    assert_eq!((backlog.notices, backlog.deliveries), (2, 3));
    let oldest = backlog.oldest.expect("something waits");
    assert!(oldest <= world.store.now().await.unwrap() && oldest >= world.now - MINUTE);

    // What is done, or has its next try ahead, is no backlog.
    let notices = world.store.claim_notices(10, MINUTE).await.unwrap();
    let outcomes = [NoticeOutcome::Delivered { at: world.now }, NoticeOutcome::RetryAt(world.now + HOUR)];
    for (job, outcome) in notices.iter().zip(outcomes) {
        assert!(world.store.settle_notice(job.id, job.fence, outcome).await.unwrap());
    }
    let deliveries = world.store.claim_deliveries(10, 10, &[], MINUTE).await.unwrap();
    let nexts = [DeliveryNext::Done, DeliveryNext::RetryAt(world.now + HOUR), DeliveryNext::RetryAt(world.now - HOUR)];
    let outcome = |next| DeliveryOutcome { at: world.now, status: Some(200), error: None, next };
    let outcomes: Vec<_> = deliveries.iter().zip(nexts).map(|(job, next)| (job.id, job.fence, outcome(next))).collect();
    world.store.settle_deliveries(&outcomes).await.unwrap();
    let backlog = world.store.backlog().await.unwrap();
    assert_eq!((backlog.notices, backlog.deliveries), (0, 1));
    assert_eq!(backlog.oldest, Some(world.now - HOUR));
}

pub async fn audit_entries_come_in_the_order_they_were_stored(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let before = world.store.audit_page(None, 1_000).await.unwrap();
    let mut expected: Vec<_> = before.iter().map(|(_, entry)| entry.clone()).collect();
    // Stored in another order than their ids and times say.
    let mut changes: Vec<_> = (0..6).map(|_| world.change(Effect::Noted)).collect();
    changes.reverse();
    changes[2].entry.at = world.now - HOUR;
    for change in changes {
        expected.push(change.entry.clone());
        world.store.commit(change).await.unwrap();
    }
    let all = world.store.audit_page(None, 1_000).await.unwrap();
    assert_eq!(all.iter().map(|(_, entry)| entry.clone()).collect::<Vec<_>>(), expected);
    assert!(all.is_sorted_by(|(one, _), (next, _)| one < next), "each number is above the one before");
    assert_eq!(all[..before.len()], before);

    let mut paged = Vec::new();
    for _ in 0..=all.len() {
        let after = paged.last().map(|(number, _)| *number);
        let page = world.store.audit_page(after, 4).await.unwrap();
        if page.is_empty() {
            break;
        }
        paged.extend(page);
    }
    assert_eq!(paged, all);
}

pub async fn the_stores_clock_goes_forward(store: Arc<dyn Store>) {
    let mut last = store.now().await.unwrap();
    for _ in 0..10 {
        let now = store.now().await.unwrap();
        assert!(now >= last);
        last = now;
    }
}

/// Everything that a request looks up first, for one number: most of it there, some of it not.
async fn looked_up(world: &World, approvals: &[Approval], number: usize) -> String {
    let (store, of) = (&world.store, |text: &str| Digest::of(format!("{text}{number}").as_bytes()));
    let missing = number % 5 == 4;
    let id = if missing { world.id(ApprovalId::new) } else { approvals[number % approvals.len()].id };
    let hash = if number % 7 == 6 { of("key") } else { world.key.hash };
    let cookie = if number % 3 == 2 { of("cookie") } else { world.device.body.cookie_hash };
    let subject = ["u-77", "u-78", "u-79"][number % 3];
    let (subject, key) = (Subject::parse(subject).unwrap(), IdempotencyKey::parse("key-unused").unwrap());
    let (one, case, device, opening) = tokio::join!(
        store.key_by_hash(&hash),
        store.case(id),
        store.device_case(&cookie, id),
        store.opening(world.backend.id, &subject, &key),
    );
    format!("{:?} {:?} {:?} {:?}", one.unwrap(), case.unwrap(), device.unwrap(), opening.unwrap())
}

pub async fn what_is_looked_up_at_the_same_time_is_answered_each_for_itself(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    world.added_channel(Some(world.device.body.id), world.now - HOUR).await;
    world.added_channel(None, world.now).await;
    world.another_holder("u-78").await;
    let approvals = [world.opened().await, world.opened_as(world.cooled()).await, world.opened().await];
    let mut expected = Vec::new();
    for number in 0..105 {
        expected.push(looked_up(&world, &approvals, number).await);
    }
    assert!(expected[0].matches("SealedAddress").count() >= 6 && expected[4] != expected[0], "{:#?}", &expected[..5]);
    let at_once = (0..105).map(|number| looked_up(&world, &approvals, number));
    assert_eq!(futures_util::future::join_all(at_once).await, expected);
}
