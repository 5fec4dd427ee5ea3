//! What happens when the server, or the way to it, fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use countersign::adapters::storage::postgres::{Committers, PostgresStore};
use countersign::adapters::timing::SystemClock;
use countersign::domain::approval::StateName;
use countersign::domain::approval::transitions::Guard;
use countersign::ports::store::NoticeOutcome;
use countersign::ports::{Change, CommitError, Effect, Store, StoreError};
use futures_util::future::join_all;
use sqlx::{Connection, PgConnection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use super::make;
use crate::conformance::world::{World, transition};
use crate::support::eventually::eventually;
use crate::support::servers::postgres::{Durability, Postgres, PostgresOptions as ServerOptions};

/// What the wire does with what it is given.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Wire {
    Carries,
    /// The next thing that the server says is lost, and the connection with it: what was asked for has been done.
    LosesTheAnswer,
    /// The next thing that the client says is lost, and the connection with it.
    LosesTheQuestion,
    /// No new connection gets through either.
    LosesTheAnswerAndIsCut,
}

/// A wire between a store and its server.
struct Proxy {
    port: u16,
    wire: Arc<AtomicU8>,
}

impl Proxy {
    async fn before(server: &Postgres) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, to) = (listener.local_addr().unwrap().port(), server.port());
        let wire = Arc::new(AtomicU8::new(Wire::Carries as u8));
        let shared = Arc::clone(&wire);
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                if shared.load(Ordering::SeqCst) == Wire::LosesTheAnswerAndIsCut as u8 {
                    continue;
                }
                let server = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                tokio::spawn(carry(from_client, to_server, Arc::clone(&shared), &[Wire::LosesTheQuestion]));
                let lossy = &[Wire::LosesTheAnswer, Wire::LosesTheAnswerAndIsCut];
                tokio::spawn(carry(from_server, to_client, Arc::clone(&shared), lossy));
            }
        });
        Self { port, wire }
    }

    fn set(&self, wire: Wire) {
        self.wire.store(wire as u8, Ordering::SeqCst);
    }

    /// As a role that owns the database and may do nothing else.
    fn url(&self) -> String {
        format!("postgres://clerk@127.0.0.1:{}/record", self.port)
    }
}

/// Carries bytes one way until it has to lose some. Dropping both halves breaks the connection on both sides.
async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, wire: Arc<AtomicU8>, lossy: &'static [Wire]) {
    let mut buffer = vec![0; 65_536];
    loop {
        let read = from.read(&mut buffer).await.unwrap_or(0);
        let lost = lossy.iter().find(|loss| **loss as u8 == wire.load(Ordering::SeqCst));
        if let Some(loss) = lost.filter(|_| read > 0) {
            if *loss != Wire::LosesTheAnswerAndIsCut {
                wire.store(Wire::Carries as u8, Ordering::SeqCst);
            }
            return;
        }
        if read == 0 || to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

async fn behind_a_wire() -> (World, Arc<PostgresStore>, Proxy, Postgres) {
    let server = make::server();
    server.sql("postgres", "CREATE ROLE clerk LOGIN");
    server.sql("postgres", "CREATE DATABASE record OWNER clerk");
    let proxy = Proxy::before(&server).await;
    let store = make::postgres_at(&proxy.url(), Committers::One).await;
    (World::build(Arc::clone(&store) as Arc<dyn Store>).await, store, proxy, server)
}

/// A change of each kind that takes a path of its own.
async fn one_of_each(world: &World) -> Vec<Change> {
    let approval = world.opened().await;
    vec![
        world.loaded(world.open(&world.draft()), approval.id),
        world.loaded(transition(world.moved(&approval, world.cancelled(), Guard::default())), approval.id),
        world.loaded(Effect::Noted, approval.id),
        world.loaded(Effect::AddKey(world.another_key(world.backend.id)), approval.id),
    ]
}

async fn stored(world: &World, change: &Change) -> usize {
    let entries = world.store.audit_page(None, 10_000).await.unwrap();
    entries.iter().filter(|(_, entry)| entry.id == change.entry.id).count()
}

/// Each change is committed while the wire does this, and must be answered as stored, and be stored once.
async fn survives(wire: Wire) {
    let (world, _store, proxy, _server) = behind_a_wire().await;
    for change in one_of_each(&world).await {
        proxy.set(wire);
        let answer = world.store.commit(change.clone()).await;
        assert!(answer.is_ok(), "{:?}: {answer:?}", change.effect);
        proxy.set(Wire::Carries);
        assert_eq!(stored(&world, &change).await, 1, "{:?}", change.effect);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_is_looked_up() {
    survives(Wire::LosesTheAnswer).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_question_is_asked_again() {
    survives(Wire::LosesTheQuestion).await;
}

#[tokio::test]
async fn a_lost_answer_to_a_batch_is_looked_up_for_each() {
    let (world, _store, proxy, _server) = behind_a_wire().await;
    let mut changes = one_of_each(&world).await;
    let gone = world.drafted(&world.holder, "gone");
    changes.insert(1, world.change(transition(world.moved(&gone, world.cancelled(), Guard::default()))));
    // The one that has a transaction of its own would otherwise be the first to lose its answer.
    changes.pop();
    proxy.set(Wire::LosesTheAnswer);
    let answers = join_all(changes.iter().map(|change| world.store.commit(change.clone()))).await;
    proxy.set(Wire::Carries);
    for (number, (change, answer)) in changes.iter().zip(&answers).enumerate() {
        let refused = number == 1;
        assert_eq!(matches!(answer, Err(CommitError::Conflict)), refused, "{answers:?}");
        assert_eq!(stored(&world, change).await, usize::from(!refused));
    }
}

/// The server has it, and nobody can ask: the caller isn't told that it failed, nor that somebody else was faster.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_not_be_looked_up_is_unknown() {
    let (world, _store, proxy, _server) = behind_a_wire().await;
    let approval = world.opened().await;
    let cancel = world.change(transition(world.moved(&approval, world.cancelled(), Guard::default())));
    proxy.set(Wire::LosesTheAnswerAndIsCut);
    let answer = world.store.commit(cancel.clone()).await;
    assert!(matches!(answer, Err(CommitError::Unknown(_))), "{answer:?}");
    proxy.set(Wire::Carries);
    let now = eventually("reads to work again", async || world.store.approval(approval.id).await.ok()).await;
    assert_eq!(now.unwrap().state.name(), StateName::Cancelled);
    assert_eq!(stored(&world, &cancel).await, 1);
    world.store.commit(world.change(Effect::Noted)).await.unwrap();
}

/// A server process that an operator ends while a change waits in it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_survives_the_end_of_its_server_process() {
    let server = make::server();
    let store = make::postgres_at(&server.url("postgres"), Committers::One).await;
    let world = World::build(store).await;
    let approval = world.opened().await;
    let mut elsewhere = PgConnection::connect(&server.url("postgres")).await.unwrap();
    let mut holding = elsewhere.begin().await.unwrap();
    sqlx::query("SELECT id FROM approvals FOR UPDATE").execute(&mut *holding).await.unwrap();

    let cancel = world.change(transition(world.moved(&approval, world.cancelled(), Guard::default())));
    let (store, change) = (Arc::clone(&world.store), cancel.clone());
    let committing = tokio::spawn(async move { store.commit(change).await });
    let waiting = "FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'countersign'";
    let count = async || server.sql("postgres", &format!("SELECT count(*) {waiting}")) == "1";
    eventually("the change to wait for the row", async || count().await.then_some(())).await;
    let first = server.sql("postgres", &format!("SELECT pid {waiting}"));
    server.sql("postgres", &format!("SELECT pg_terminate_backend({first}, 5000)"));
    eventually("the change to wait again, elsewhere", async || {
        (server.sql("postgres", &format!("SELECT pid {waiting}")) != first && count().await).then_some(())
    })
    .await;
    holding.commit().await.unwrap();
    committing.await.unwrap().unwrap();
    assert_eq!(stored(&world, &cancel).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_server_is_used_again() {
    let mut server = Postgres::start_with(ServerOptions { durability: Durability::Full, ..ServerOptions::default() });
    let store = make::postgres_at(&server.url("postgres"), Committers::One).await;
    let world = World::build(store).await;
    let approval = world.opened().await;
    server.restart_immediate();
    // The first change after it finds a dead connection, and is stored all the same.
    world.put(&approval, world.cooled()).await;
    eventually("reads to work again", async || world.store.approval(approval.id).await.ok()).await;

    server.stop();
    let change = world.change(Effect::Noted);
    let down = world.store.commit(change.clone()).await;
    let honest = matches!(down, Err(CommitError::Store(StoreError::Unavailable(_)) | CommitError::Unknown(_)));
    assert!(honest, "{down:?}");
    let next = world.store.commit(world.change(Effect::Noted)).await;
    assert!(matches!(next, Err(CommitError::Store(StoreError::Unavailable(_)))), "nothing was sent: {next:?}");
    assert!(matches!(world.store.approval(approval.id).await, Err(StoreError::Unavailable(_))));
    server.start_again();
    eventually("commits to work again", async || world.store.commit(world.change(Effect::Noted)).await.ok()).await;
    eventually("reads to work again", async || world.store.approval(approval.id).await.ok()).await;
    assert_eq!(stored(&world, &change).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_of_durability_are_named() {
    let lax = make::server();
    let store = make::postgres_at(&lax.url("postgres"), Committers::One).await;
    let faults = store.durability_faults().await.unwrap();
    assert_eq!(faults.len(), 1);
    assert!(faults[0].starts_with("fsync is off"), "{faults:?}");

    let server = Postgres::start();
    let store = make::postgres_at(&server.url("postgres"), Committers::One).await;
    assert!(store.durability_faults().await.unwrap().is_empty());
    let standby = server.standby();
    let faults = eventually("the standby to stream", async || {
        let faults = store.durability_faults().await.unwrap();
        (!faults.is_empty()).then_some(faults)
    })
    .await;
    assert!(faults[0].contains("asynchronously"), "{faults:?}");
    server.require_standby();
    eventually("the standby to be synchronous", async || {
        store.durability_faults().await.unwrap().is_empty().then_some(())
    })
    .await;
    drop(standby);
    let (store, _directory) = make::sqlite_with(Arc::new(SystemClock)).await;
    assert!(store.durability_faults().await.unwrap().is_empty());
}

#[tokio::test]
async fn closing_writes_what_was_queued() {
    let (sqlite, _directory) = make::sqlite_with(Arc::new(SystemClock)).await;
    let world = World::build(Arc::clone(&sqlite) as Arc<dyn Store>).await;
    let changes: Vec<Change> = (0..20).map(|_| world.change(Effect::Noted)).collect();
    let commits = join_all(changes.iter().map(|change| sqlite.commit(change.clone())));
    let (answers, ()) = tokio::join!(commits, sqlite.close());
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    let late = sqlite.commit(world.change(Effect::Noted)).await;
    assert!(matches!(late, Err(CommitError::Store(StoreError::Unavailable(_)))), "{late:?}");
}

/// What a commit hands over is leased from its first moment, so that nobody else takes it; what is left at the end is
/// given back at once.
#[tokio::test]
async fn what_is_handed_over_is_nobody_elses_until_it_is_given_back() {
    let server = Postgres::start();
    let postgres = make::postgres_at(&server.url("postgres"), Committers::One).await;
    hands_over(Arc::clone(&postgres) as Arc<dyn Store>, || postgres.hand_over()).await;
    let (sqlite, _directory) = make::sqlite_with(Arc::new(SystemClock)).await;
    hands_over(Arc::clone(&sqlite) as Arc<dyn Store>, || sqlite.hand_over()).await;
}

async fn hands_over(store: Arc<dyn Store>, open: impl Fn()) {
    let minute = Duration::from_secs(60);
    let world = World::build(Arc::clone(&store)).await;
    let approval = world.opened().await;
    open();
    store.commit(world.loaded(Effect::Noted, approval.id)).await.unwrap();
    assert!(store.claim_notices(10, minute).await.unwrap().is_empty(), "leased as it was stored");
    assert!(store.claim_deliveries(10, 10, &[], minute).await.unwrap().is_empty(), "leased as it was stored");
    let notices = store.fresh_notices(10, minute).await.unwrap();
    let deliveries = store.fresh_deliveries(10, 10, &[], minute).await.unwrap();
    assert_eq!((notices.len(), deliveries.len()), (1, 1));
    assert!(store.fresh_notices(10, minute).await.unwrap().is_empty());
    let at = store.now().await.unwrap();
    let outcome = NoticeOutcome::Delivered { at };
    assert!(store.settle_notice(notices[0].id, notices[0].fence, outcome.clone()).await.unwrap());
    assert!(!store.settle_notice(notices[0].id, notices[0].fence, outcome).await.unwrap(), "settled once");
}

/// Whoever sends waits for a signal, and hears of everything that is there to send.
#[tokio::test]
async fn the_outbox_signals_what_there_is_to_send() {
    let (store, _directory) = make::sqlite_with(Arc::new(SystemClock)).await;
    let signal = store.outbox_signal();
    let world = World::build(Arc::clone(&store) as Arc<dyn Store>).await;
    let approval = world.opened().await;
    let quiet = tokio::time::timeout(Duration::from_millis(1), signal.notified()).await;
    assert!(quiet.is_err(), "nothing to send yet");
    world.store.commit(world.loaded(Effect::Noted, approval.id)).await.unwrap();
    tokio::time::timeout(Duration::from_secs(30), signal.notified()).await.expect("a commit that left something");
}
