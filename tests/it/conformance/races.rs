//! Many at once: of changes that exclude each other one is stored, and changes that don't are all stored.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use countersign::domain::approval::StateName;
use countersign::domain::approval::transitions::Guard;
use countersign::domain::channel::About;
use countersign::domain::channel::Turn;
use countersign::domain::holder::PENDING_AT_ONCE;
use countersign::ports::store::Unique;
use countersign::ports::{Change, Effect, Store};

use super::world::{MINUTE, Why, World, transition, why};

/// Commits all of them at the same time, each from a task of its own, and gives the answers in the given order.
async fn all_at_once(world: &World, changes: &[Change]) -> Vec<Result<(), Why>> {
    let commit = |change: &Change| {
        let (store, change) = (Arc::clone(&world.store), change.clone());
        tokio::spawn(async move { store.commit(change).await })
    };
    let answers = join_all(changes.iter().map(commit)).await;
    answers.into_iter().map(|answer| answer.unwrap().map_err(why)).collect()
}

/// That exactly `expected` of the changes were stored, as their answers and their audit entries both say, and that the
/// others were refused for this reason. Gives those that were.
async fn exactly<'a>(world: &World, changes: &'a [Change], expected: usize, refusal: Why) -> Vec<&'a Change> {
    let answers = all_at_once(world, changes).await;
    let (won, lost): (Vec<_>, Vec<_>) = changes.iter().zip(&answers).partition(|(_, answer)| answer.is_ok());
    assert_eq!(won.len(), expected, "{answers:?}");
    for (_, answer) in lost {
        assert_eq!(answer.as_ref().unwrap_err(), &refusal);
    }
    let won: Vec<_> = won.into_iter().map(|(change, _)| change).collect();
    let entries = world.store.audit_page(None, 10_000).await.unwrap();
    let count = |change: &&Change| entries.iter().filter(|(_, entry)| entry.id == change.entry.id).count();
    assert!(won.iter().all(|change| count(change) == 1), "each is in the log once");
    assert_eq!(changes.iter().map(|change| count(&change)).sum::<usize>(), expected, "and nothing else is");
    won
}

pub async fn of_twenty_transitions_from_one_version_one_wins(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let approval = world.opened().await;
    let to = [world.cooled(), world.cancelled(), world.rejected(), world.expired()];
    let changes: Vec<Change> = (0..20)
        .map(|number| {
            let to = to[number % to.len()].clone();
            world.loaded(transition(world.moved(&approval, to, Guard::default())), approval.id)
        })
        .collect();
    let won = exactly(&world, &changes, 1, Why::Conflict).await;
    let Effect::Transition { transition, .. } = &won[0].effect else { panic!("another effect") };
    assert_eq!(world.store.approval(approval.id).await.unwrap(), Some(transition.approval.clone()));
    let notices = world.store.notices(approval.id).await.unwrap();
    assert_eq!(notices.iter().map(|notice| notice.id).collect::<Vec<_>>(), [won[0].notices[0].id]);
    let log = world.store.deliveries(world.endpoint, None, 100).await.unwrap();
    assert_eq!(log.iter().map(|delivery| delivery.id).collect::<Vec<_>>(), [won[0].deliveries[0].id]);
    let evidence = world.store.evidence(approval.id).await.unwrap();
    assert_eq!(Some(&evidence[..]), won[0].evidence.as_ref().map(std::slice::from_ref));
}

pub async fn cancel_and_redeem_never_both_win(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    for _ in 0..10 {
        let released = world.opened_as(world.released()).await;
        let cancel = world.moved(&released, world.cancelled(), Guard::default());
        let redeem = world.moved(&released, world.redeemed(), Guard::default());
        let receipt = Some("receipt".to_owned());
        let redeem = Effect::Transition { transition: Box::new(redeem), proof: None, receipt };
        let changes = [world.change(redeem), world.change(transition(cancel))];
        let won = exactly(&world, &changes, 1, Why::Conflict).await;
        let redeemed = won[0].entry.id == changes[0].entry.id;
        let case = world.store.case(released.id).await.unwrap().unwrap();
        let name = if redeemed { StateName::Redeemed } else { StateName::Cancelled };
        assert_eq!((case.approval.state.name(), case.receipt.is_some()), (name, redeemed));
    }
}

pub async fn many_changes_at_once_do_not_fail_for_each_other(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let taken = world.remember();
    world.apply(Effect::Open { approval: Box::new(world.draft()), remember: taken.clone() }).await;
    let mut changes = Vec::new();
    for number in 0..60 {
        let holder = world.another_holder(&format!("many-{number}")).await;
        let draft = world.drafted(&holder, &format!("many-{number}"));
        let effect = match number % 20 {
            // One whose key is taken, one that knows an old version of nothing, between eighteen good ones.
            7 => Effect::Open { approval: Box::new(draft), remember: taken.clone() },
            13 => transition(world.moved(&draft, world.cancelled(), Guard::default())),
            _ => world.open(&draft),
        };
        changes.push(world.change(effect));
    }
    let answers = all_at_once(&world, &changes).await;
    for (number, answer) in answers.into_iter().enumerate() {
        let expected = match number % 20 {
            7 => Err(Why::Duplicate(Unique::IdempotencyKey)),
            13 => Err(Why::Conflict),
            _ => Ok(()),
        };
        assert_eq!(answer, expected, "change {number}");
    }
}

pub async fn one_key_opens_one_approval(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let remember = world.remember();
    let open = |_| Effect::Open { approval: Box::new(world.draft()), remember: remember.clone() };
    let changes: Vec<Change> = (0..10).map(|number| world.change(open(number))).collect();
    exactly(&world, &changes, 1, Why::Duplicate(Unique::IdempotencyKey)).await;
    let pending = world.store.opening(world.backend.id, &world.holder.subject, &remember.key).await.unwrap();
    assert_eq!((pending.pending, pending.remembered), (1, Some(remember)));
}

pub async fn one_transfer_lives_once(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let mut changes = Vec::new();
    for number in 0..10 {
        let holder = world.another_holder(&format!("one-{number}")).await;
        changes.push(world.change(world.open(&world.drafted(&holder, "the-same"))));
    }
    exactly(&world, &changes, 1, Why::Duplicate(Unique::TransferId)).await;
}

pub async fn the_cap_on_waiting_approvals_holds(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let changes: Vec<Change> = (0..12).map(|_| world.change(world.open(&world.draft()))).collect();
    let cap = PENDING_AT_ONCE as usize;
    exactly(&world, &changes, cap, Why::Cap).await;
    assert_eq!(world.store.approvals_of_holder(world.holder.id, 100).await.unwrap().len(), cap);
}

pub async fn one_link_enrols_one_device(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let holder = world.another_holder("u-78").await;
    let (link, remember) = (world.link(holder.id), world.remember());
    world.apply(Effect::AddLink { link: link.clone(), remember }).await;
    let enrol = |_| {
        let device = Box::new(world.another_device(holder.id));
        world.change(Effect::EnrolFirst { link: link.id, device, at: world.now })
    };
    let changes: Vec<Change> = (0..8).map(enrol).collect();
    let won = exactly(&world, &changes, 1, Why::Conflict).await;
    let Effect::EnrolFirst { device, .. } = &won[0].effect else { panic!("another effect") };
    assert_eq!(world.store.devices(holder.id).await.unwrap(), [*device.clone()]);
}

pub async fn a_failure_is_counted_once_from_each_reading(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let device = world.device.body.id;
    for failures in 0..3 {
        let count = |_| world.change(Effect::CountFailure { device, failures, lock_at: None });
        let changes: Vec<Change> = (0..6).map(count).collect();
        exactly(&world, &changes, 1, Why::Conflict).await;
    }
    assert_eq!(world.store.devices(world.holder.id).await.unwrap()[0].failures, 3);
}

pub async fn a_notice_is_leased_to_one_worker(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let approval = world.opened().await;
    let mut change = world.change(Effect::Noted);
    let notice = |_| world.notice(About::Approval(approval.id), world.mailbox.id, Turn::Now, 0);
    change.notices = (0..40).map(notice).collect();
    world.store.commit(change).await.unwrap();
    let claim = |_| {
        let store = Arc::clone(&world.store);
        tokio::spawn(async move { store.claim_notices(15, MINUTE).await.unwrap() })
    };
    let mut claimed: Vec<_> = join_all((0..8).map(claim)).await.into_iter().flat_map(Result::unwrap).collect();
    claimed.extend(world.store.claim_notices(100, MINUTE).await.unwrap());
    let mut ids: Vec<_> = claimed.iter().map(|job| job.id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!((ids.len(), claimed.len()), (40, 40), "every one to somebody, and none to two");
}

pub async fn a_delivery_is_leased_to_one_worker(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let mut change = world.change(Effect::Noted);
    change.deliveries = (0..40).map(|_| world.delivery(world.endpoint)).collect();
    world.store.commit(change).await.unwrap();
    let claim = |_| {
        let store = Arc::clone(&world.store);
        tokio::spawn(async move { store.claim_deliveries(15, 15, &[], Duration::from_secs(60)).await.unwrap() })
    };
    let mut claimed: Vec<_> = join_all((0..8).map(claim)).await.into_iter().flat_map(Result::unwrap).collect();
    claimed.extend(world.store.claim_deliveries(100, 100, &[], MINUTE).await.unwrap());
    let mut ids: Vec<_> = claimed.iter().map(|job| job.id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!((ids.len(), claimed.len()), (40, 40), "every one to somebody, and none to two");
}
