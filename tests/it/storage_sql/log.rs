//! The log on PostgreSQL, where several transactions add to it at once: a reader who goes on from the last place it
//! saw misses no entry.

use countersign::adapters::storage::postgres::Committers;
use countersign::ports::{Change, Effect};
use sqlx::{Connection, PgConnection};

use super::make;
use crate::conformance::world::World;

/// Ids of the entries after a place, and the last place.
async fn after(world: &World, place: Option<i64>) -> (Vec<countersign::domain::ChangeId>, Option<i64>) {
    let page = world.store.audit_page(place, 1_000).await.unwrap();
    (page.iter().map(|(_, entry)| entry.id).collect(), page.last().map(|(place, _)| *place))
}

async fn noted(world: &World) -> Change {
    let change = world.change(Effect::Noted);
    world.store.commit(change.clone()).await.unwrap();
    change
}

#[tokio::test]
async fn an_entry_that_is_committed_late_is_not_missed() {
    let server = make::server();
    let store = make::postgres_at(&server.url("postgres"), Committers::One).await;
    let world = World::build(store).await;
    let (_, place) = after(&world, None).await;

    // A transaction that began first, and has an entry of its own when it ends last.
    let mut elsewhere = PgConnection::connect(&server.url("postgres")).await.unwrap();
    let mut late = elsewhere.begin().await.unwrap();
    sqlx::query("SELECT pg_current_xact_id()").execute(&mut *late).await.unwrap();
    let early = noted(&world).await;
    assert_eq!(after(&world, place).await, (vec![], None), "nothing is shown beyond a transaction that still runs");

    let copy = "INSERT INTO audit (place, id, at, kind, salt, canonical, leaf_hash)
                SELECT pg_current_xact_id()::text::bigint << 20, gen_random_uuid(), at, kind, salt, canonical, leaf_hash
                FROM audit LIMIT 1";
    sqlx::query(copy).execute(&mut *late).await.unwrap();
    late.commit().await.unwrap();
    let (entries, last) = after(&world, place).await;
    assert_eq!((entries.len(), entries[1]), (2, early.entry.id), "the one that began first comes first");
    let next = noted(&world).await;
    assert_eq!(after(&world, last).await.0, [next.entry.id]);
}

/// A dump that is restored into a new cluster, where transactions are counted from the beginning again.
#[tokio::test]
async fn a_restored_log_goes_on_behind_what_it_had() {
    let server = make::server();
    let store = make::postgres_at(&server.url("postgres"), Committers::One).await;
    let world = World::build(std::sync::Arc::clone(&store) as std::sync::Arc<dyn countersign::ports::Store>).await;
    let old = noted(&world).await;
    server.sql("postgres", "UPDATE audit SET place = place + (1000000::bigint << 20)");
    assert_eq!(after(&world, None).await, (vec![], None), "places of transactions to come aren't settled");
    store.migrate().await.unwrap();
    let (entries, last) = after(&world, None).await;
    assert_eq!(entries.last(), Some(&old.entry.id));
    let next = noted(&world).await;
    assert_eq!(after(&world, last).await.0, [next.entry.id]);
    // Another start changes nothing more.
    let base = server.sql("postgres", "SELECT base FROM audit_base");
    store.migrate().await.unwrap();
    assert_eq!(server.sql("postgres", "SELECT base FROM audit_base"), base);
}
