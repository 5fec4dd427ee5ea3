//! Changes that share a transaction: each is answered for itself, and none is stored or refused for another's sake.

use std::sync::Arc;
use std::time::Duration;

use countersign::adapters::storage::postgres::Committers;
use countersign::adapters::timing::SystemClock;
use countersign::domain::approval::StateName;
use countersign::domain::approval::transitions::Guard;
use countersign::domain::holder::PENDING_AT_ONCE;
use countersign::ports::change::DeviceProof;
use countersign::ports::store::Unique;
use countersign::ports::{Change, CommitError, Effect, Store, StoreError};
use futures_util::future::join_all;
use sqlx::{Connection, PgConnection};

use super::make;
use crate::conformance::world::{Why, World, transition, why};
use crate::support::clock::ManualClock;
use crate::support::eventually::eventually;
use crate::support::servers::postgres::Postgres;

/// Queues all changes before the committer runs once: on a runtime with one thread it can't in between.
async fn queued_together(world: &World, changes: &[Change]) -> Vec<Result<(), CommitError>> {
    join_all(changes.iter().map(|change| world.store.commit(change.clone()))).await
}

async fn on_sqlite() -> (World, tempfile::TempDir) {
    let (store, directory) = make::sqlite_with(Arc::new(SystemClock)).await;
    (World::build(store).await, directory)
}

async fn on_postgres() -> (World, Postgres) {
    let server = make::server();
    let store = make::postgres_at(&server.url("postgres"), Committers::One).await;
    (World::build(store).await, server)
}

/// The transaction in which a change was stored on PostgreSQL: what its place is made of.
async fn transaction(world: &World, change: &Change) -> Option<i64> {
    let entries = world.store.audit_page(None, 10_000).await.unwrap();
    entries.into_iter().find(|(_, entry)| entry.id == change.entry.id).map(|(place, _)| place >> 20)
}

struct Mixed {
    changes: Vec<Change>,
    expected: Vec<Result<(), Why>>,
}

/// One of every kind that may meet in a batch.
async fn mixed(world: &World) -> Mixed {
    let taken = world.remember();
    world.apply(Effect::Open { approval: Box::new(world.draft()), remember: taken.clone() }).await;
    let (one, two) = (world.opened().await, world.opened().await);
    let (three, four) = (world.opened().await, world.opened().await);
    let twice = world.remember();
    let holders = [world.another_holder("a").await, world.another_holder("b").await, world.another_holder("c").await];
    let open = |number: usize, id: &str, remember| {
        let approval = Box::new(world.drafted(&holders[number], id));
        world.change(Effect::Open { approval, remember })
    };
    let proof = |counter| Some(DeviceProof { device: world.device.body.id, counter });
    let decide = |approval, counter| {
        let transition = Box::new(world.moved(approval, world.cooled(), Guard::default()));
        world.change(Effect::Transition { transition, proof: proof(counter), receipt: None })
    };
    let mut stale = four.clone();
    stale.version = 9;
    let transfer = four.details.transfer().transfer_id.as_str();
    let changes = vec![
        world.loaded(world.open(&world.drafted(&holders[0], "fresh")), one.id),
        open(0, "existing-key", taken),
        open(1, "first-of-two", twice.clone()),
        open(2, "second-of-two", twice),
        open(2, transfer, world.remember()),
        world.loaded(Effect::Noted, one.id),
        world.loaded(transition(world.moved(&stale, world.cancelled(), Guard::default())), four.id),
        decide(&one, 3),
        decide(&two, 3),
        world.loaded(transition(world.moved(&three, world.rejected(), Guard::default())), three.id),
        world.change(transition(world.moved(&three, world.cooled(), Guard::default()))),
    ];
    let key = || Err(Why::Duplicate(Unique::IdempotencyKey));
    let expected = vec![
        Ok(()),
        key(),
        Ok(()),
        key(),
        Err(Why::Duplicate(Unique::TransferId)),
        Ok(()),
        Err(Why::Conflict),
        Ok(()),
        Err(Why::Conflict),
        Ok(()),
        Err(Why::Conflict),
    ];
    Mixed { changes, expected }
}

async fn answers_each_for_itself(world: &World) -> Vec<Change> {
    let Mixed { changes, expected } = mixed(world).await;
    let answers = queued_together(world, &changes).await;
    let answers: Vec<_> = answers.into_iter().map(|answer| answer.map_err(why)).collect();
    assert_eq!(answers, expected);
    let entries = world.store.audit_page(None, 10_000).await.unwrap();
    for (change, answer) in changes.iter().zip(&answers) {
        let stored = entries.iter().filter(|(_, entry)| entry.id == change.entry.id).count();
        assert_eq!(stored, usize::from(answer.is_ok()), "{:?}", change.effect);
    }
    let log = world.store.deliveries(world.endpoint, None, 100).await.unwrap();
    assert_eq!(log.len(), 3, "what goes out with a change goes out with it alone");
    assert_eq!(world.store.devices(world.holder.id).await.unwrap()[0].counter, 3);
    changes.into_iter().zip(expected).filter(|(_, expected)| expected.is_ok()).map(|(change, _)| change).collect()
}

#[tokio::test]
async fn each_is_answered_for_itself_on_sqlite() {
    let (world, _directory) = on_sqlite().await;
    answers_each_for_itself(&world).await;
}

#[tokio::test]
async fn each_is_answered_for_itself_on_postgres() {
    let (world, _server) = on_postgres().await;
    let stored = answers_each_for_itself(&world).await;
    let shared = transaction(&world, &stored[0]).await;
    let mut in_it = 0;
    for change in &stored {
        in_it += usize::from(transaction(&world, change).await == shared);
    }
    assert_eq!(in_it, stored.len(), "all of them shared one transaction");
}

/// A body that PostgreSQL can't store fails the whole statement.
#[tokio::test]
async fn nobody_fails_for_anothers_input() {
    let (world, _server) = on_postgres().await;
    let approval = world.opened().await;
    let mut changes = vec![
        world.loaded(world.open(&world.draft()), approval.id),
        world.loaded(Effect::Noted, approval.id),
        world.loaded(transition(world.moved(&approval, world.cancelled(), Guard::default())), approval.id),
        world.loaded(Effect::Noted, approval.id),
    ];
    changes[1].deliveries[0].body = "\0".to_owned();
    let answers = queued_together(&world, &changes).await;
    assert!(matches!(&answers[1], Err(CommitError::Store(StoreError::Unavailable(_)))), "{answers:?}");
    for number in [0, 2, 3] {
        assert!(answers[number].is_ok(), "{answers:?}");
    }
    assert_eq!(transaction(&world, &changes[1]).await, None);
}

/// Whoever came first in the queue, the brake wins.
#[tokio::test]
async fn tightening_goes_before_loosening() {
    let (sqlite, _directory) = on_sqlite().await;
    let (postgres, _server) = on_postgres().await;
    for world in [sqlite, postgres] {
        let released = world.opened_as(world.released()).await;
        let redeem = transition(world.moved(&released, world.redeemed(), Guard::default()));
        let cancel = transition(world.moved(&released, world.cancelled(), Guard::default()));
        let answers = queued_together(&world, &[world.change(redeem), world.change(cancel)]).await;
        assert!(matches!(answers[..], [Err(CommitError::Conflict), Ok(())]), "{answers:?}");
        let now = world.store.approval(released.id).await.unwrap().unwrap();
        assert_eq!(now.state.name(), StateName::Cancelled);
    }
}

/// Two nodes on one database: the worlds share rows and ids.
async fn two_nodes() -> (World, Arc<dyn Store>, Postgres) {
    let server = make::server();
    let one = make::postgres_at(&server.url("postgres"), Committers::Two).await;
    let other = make::postgres_at(&server.url("postgres"), Committers::Two).await;
    (World::build(one).await, other, server)
}

async fn on_alternating_nodes(world: &World, other: &Arc<dyn Store>, changes: &[Change]) -> Vec<Result<(), Why>> {
    let commit = |(number, change): (usize, &Change)| {
        let store = Arc::clone(if number % 2 == 0 { &world.store } else { other });
        let change = change.clone();
        tokio::spawn(async move { store.commit(change).await })
    };
    let answers = join_all(changes.iter().enumerate().map(commit)).await;
    answers.into_iter().map(|answer| answer.unwrap().map_err(why)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_fifty_redeems_on_two_nodes_one_wins() {
    let (world, other, _server) = two_nodes().await;
    for _ in 0..5 {
        let released = world.opened_as(world.released()).await;
        let redeem = |_| {
            let transition = Box::new(world.moved(&released, world.redeemed(), Guard::default()));
            world.change(Effect::Transition { transition, proof: None, receipt: Some("receipt".to_owned()) })
        };
        let changes: Vec<Change> = (0..50).map(redeem).collect();
        let answers = on_alternating_nodes(&world, &other, &changes).await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
        assert!(answers.iter().all(|answer| matches!(answer, Ok(()) | Err(Why::Conflict))), "{answers:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cap_on_waiting_approvals_holds_on_two_nodes() {
    let (world, other, server) = two_nodes().await;
    for round in 0..10 {
        let holder = world.another_holder(&format!("round-{round}")).await;
        let open = |number| world.change(world.open(&world.drafted(&holder, &format!("{round}-{number}"))));
        let changes: Vec<Change> = (0..16).map(open).collect();
        let answers = on_alternating_nodes(&world, &other, &changes).await;
        let opened = answers.iter().filter(|answer| answer.is_ok()).count();
        assert_eq!(opened, PENDING_AT_ONCE as usize, "{answers:?}");
        assert!(answers.iter().all(|answer| matches!(answer, Ok(()) | Err(Why::Cap))), "{answers:?}");
        assert_eq!(world.store.approvals_of_holder(holder.id, 100).await.unwrap().len(), opened);
    }
    assert_eq!(server.sql("postgres", "SELECT max(slot), min(slot) FROM approvals"), "4|0");
}

/// The statement's own look at the device is as old as the statement. A device that changes while it waits must count.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_changes_meanwhile_signs_nothing() {
    let (world, _other, server) = two_nodes().await;
    let url = server.url("postgres");
    for (number, meanwhile) in ["counter = 7", "locked_at = now()", "removed_at = now()"].into_iter().enumerate() {
        let approval = world.opened().await;
        let mut elsewhere = PgConnection::connect(&url).await.unwrap();
        let mut transaction = elsewhere.begin().await.unwrap();
        let sql = format!("UPDATE devices SET counter = {number}, locked_at = NULL, removed_at = NULL");
        server.sql("postgres", &sql);
        let sql = format!("UPDATE devices SET {meanwhile}");
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut *transaction).await.unwrap();

        let moved = Box::new(world.moved(&approval, world.cooled(), Guard::default()));
        let proof = Some(DeviceProof { device: world.device.body.id, counter: 7 });
        let decide = world.change(Effect::Transition { transition: moved, proof, receipt: None });
        let store = Arc::clone(&world.store);
        let deciding = tokio::spawn(async move { store.commit(decide).await });
        eventually("the decision to wait for the device's row", async || {
            let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
            (server.sql("postgres", waiting) == "1").then_some(())
        })
        .await;
        transaction.commit().await.unwrap();
        assert_eq!(deciding.await.unwrap().map_err(why), Err(Why::Conflict), "{meanwhile}");
        assert_eq!(world.store.approval(approval.id).await.unwrap(), Some(approval));
    }
}

/// On SQLite the guards ask the clock that the store was given.
#[tokio::test]
async fn a_guard_asks_the_clock_at_the_moment_of_the_write() {
    let clock = Arc::new(ManualClock::at(countersign::domain::Timestamp::from_micros(1_795_271_520_123_456)));
    let (store, _directory) = make::sqlite_with(Arc::clone(&clock) as Arc<dyn countersign::ports::Clock>).await;
    let world = World::build(store).await;
    let approval = world.opened().await;
    let at = world.now + Duration::from_secs(900);
    let guard = Guard { not_before: Some(at), before: None };
    let release = || world.change(transition(world.moved(&approval, world.released(), guard)));
    clock.set(at - Duration::from_micros(1));
    assert_eq!(world.store.commit(release()).await.map_err(why), Err(Why::Conflict));
    clock.set(at);
    world.store.commit(release()).await.unwrap();
}
