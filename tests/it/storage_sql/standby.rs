//! A synchronous standby that is gone while something is committed: what it doesn't have nobody is shown, so that a
//! failover takes nothing back that somebody was told.

use std::sync::Arc;
use std::time::Duration;

use countersign::adapters::storage::postgres::{PostgresOptions, PostgresStore};
use countersign::domain::ApprovalId;
use countersign::domain::approval::transitions::Guard;
use countersign::domain::approval::{Approval, State};
use countersign::ports::store::StoreError;
use countersign::ports::{CommitError, Effect, Store};
use secrecy::SecretString;

use super::make;
use crate::conformance::world::{World, transition};
use crate::support::eventually::eventually;
use crate::support::servers::postgres::Postgres;

/// Gives up early.
fn impatient() -> PostgresOptions {
    PostgresOptions { statement_timeout: Duration::from_millis(1_500), ..PostgresOptions::default() }
}

async fn store_on(server: &Postgres, options: PostgresOptions) -> Arc<PostgresStore> {
    let url = SecretString::from(server.url("postgres"));
    Arc::new(PostgresStore::connect(&url, &options, make::secrets()).await.unwrap())
}

fn streaming(primary: &Postgres) -> String {
    primary
        .sql("postgres", "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync' AND state = 'streaming'")
}

async fn state(store: &dyn Store, id: ApprovalId) -> &'static str {
    store.approval(id).await.unwrap().unwrap().state.name().as_str()
}

/// The caller is told that nobody knows.
fn unknown(answer: Result<(), CommitError>) {
    let honest = matches!(answer, Err(CommitError::Unknown(_) | CommitError::Store(StoreError::Unavailable(_))));
    assert!(honest, "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_standby_does_not_have_is_shown_to_nobody_and_a_failover_takes_nothing_back() {
    let mut primary = Postgres::start();
    let store = store_on(&primary, PostgresOptions::default()).await;
    store.migrate().await.unwrap();
    let world = World::build(store.clone()).await;
    let (taken, stopped) = (world.opened_as(world.released()).await, world.opened_as(world.released()).await);
    let standby = primary.standby();
    primary.require_standby();
    eventually("a synchronous standby", async || (streaming(&primary) == "1").then_some(())).await;
    // With it everything is as ever.
    world.apply(Effect::Noted).await;

    standby.sql("postgres", "ALTER SYSTEM SET primary_conninfo = ''");
    standby.sql("postgres", "SELECT pg_reload_conf()");
    eventually("the link to break", async || (streaming(&primary) == "0").then_some(())).await;
    let store = store_on(&primary, impatient()).await;
    let moves = |from: &Approval, to: State| world.change(transition(world.moved(from, to, Guard::default())));
    for (approval, to) in [(&taken, world.redeemed()), (&stopped, world.cancelled())] {
        unknown(store.commit(moves(approval, to.clone())).await);
        // Who asks again is told no more than before: the first isn't there for anybody to see.
        assert_eq!(state(&*store, approval.id).await, "released", "a failover would take it back");
        unknown(store.commit(moves(approval, to)).await);
        assert_eq!(state(&*store, approval.id).await, "released");
    }

    primary.stop();
    standby.promote();
    let after = store_on(&standby, PostgresOptions::default()).await;
    for (approval, to) in [(&taken, world.redeemed()), (&stopped, world.cancelled())] {
        assert_eq!(state(&*after, approval.id).await, "released");
        let first = moves(approval, to.clone());
        eventually("the new primary to write", async || match after.commit(first.clone()).await {
            Ok(()) => Some(()),
            Err(CommitError::Store(_) | CommitError::Unknown(_)) => None,
            Err(error) => panic!("{error:?}"),
        })
        .await;
        let again = after.commit(moves(approval, to)).await;
        assert!(matches!(again, Err(CommitError::Conflict)), "{again:?}");
    }
}
