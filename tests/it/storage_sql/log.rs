//! The log on PostgreSQL, where several transactions add to it at once: a reader who goes on from the last place it
//! saw misses no entry.

use countersign::adapters::storage::postgres::Committers;
use countersign::domain::linking::length_prefixed;
use countersign::ports::log::Waiting;
use countersign::ports::secrets::TagKey;
use countersign::ports::{Change, Effect, LogStore as _};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::make;
use crate::conformance::world::World;
use crate::log::work::drain;

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

/// Adds an entry that was erased, and so needs no text to its leaf, with the seal that the store would give it.
async fn sealed(transaction: &mut PgConnection, leaf: [u8; 32]) -> [u8; 32] {
    let id = Uuid::from_bytes(leaf[..16].try_into().unwrap());
    let covered = length_prefixed(&[b"audit", id.as_bytes(), &0_i64.to_be_bytes(), b"test", &leaf]);
    let add = "INSERT INTO audit (place, id, at, kind, salt, canonical, leaf_hash, seal)
               VALUES (pg_current_xact_id()::text::bigint << 20, $1, 'epoch', 'test', '', '', $2, $3)";
    let seal = make::secrets().tag(TagKey::Row, &covered);
    sqlx::query(add).bind(id).bind(leaf.to_vec()).bind(seal.to_vec()).execute(transaction).await.unwrap();
    leaf
}

/// As above, for the tree: an entry of a transaction that began first and ends last is placed, once.
#[tokio::test]
async fn an_entry_that_is_committed_late_gets_its_place_in_the_tree() {
    let server = make::server();
    let store = make::postgres_at(&server.url("postgres"), Committers::One).await;
    let world = World::build(std::sync::Arc::clone(&store) as std::sync::Arc<dyn countersign::ports::Store>).await;
    drain(&*store, 1_000).await;
    let before = store.newest().await.unwrap().unwrap();

    // Two transactions that run at once, each with an entry; the one that began first ends last.
    let mut one = PgConnection::connect(&server.url("postgres")).await.unwrap();
    let mut first = one.begin().await.unwrap();
    let mut other = PgConnection::connect(&server.url("postgres")).await.unwrap();
    let mut second = other.begin().await.unwrap();
    let leaf_of_first = sealed(&mut first, [1; 32]).await;
    let leaf_of_second = sealed(&mut second, [2; 32]).await;
    noted(&world).await;
    second.commit().await.unwrap();
    drain(&*store, 1_000).await;
    assert_eq!(
        store.newest().await.unwrap().unwrap(),
        before,
        "nothing is placed beyond a transaction that still runs"
    );
    first.commit().await.unwrap();
    drain(&*store, 1).await;
    let after = store.newest().await.unwrap().unwrap();
    assert_eq!(after.head.size, before.head.size + 3);
    let leaves = store.waiting(Some(before.place), 10).await.unwrap();
    let leaf = |waiting: &Waiting| match waiting {
        Waiting::Ours { leaf, .. } => *leaf.bytes(),
        Waiting::Forged { id, .. } => panic!("{id} has its seal"),
    };
    let ends: Vec<[u8; 32]> = leaves.iter().map(leaf).collect();
    assert_eq!((ends.len(), ends[0], ends[1]), (3, leaf_of_first, leaf_of_second));
    assert_eq!(drain(&*store, 1_000).await, (0, 0), "and once only");
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
