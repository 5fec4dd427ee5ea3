//! A record from before audit entries were under seal is brought up to date once nothing waits for its place.

use std::sync::Arc;

use countersign::adapters::storage::postgres::{Committers, PostgresOptions, PostgresStore};
use countersign::adapters::storage::sqlite::SqliteStore;
use countersign::adapters::timing::SystemClock;
use countersign::domain::linking::length_prefixed;
use countersign::ports::log::Appended;
use countersign::ports::secrets::TagKey;
use countersign::ports::{Effect, LogStore, Store, StoreError};
use secrecy::SecretString;

use super::make;
use crate::conformance::world::World;
use crate::log::work::{drain, next};
use crate::support::owner::Owner;

impl Owner {
    /// Opens it as the next start does.
    async fn starts(&self) -> Result<Arc<dyn Store>, StoreError> {
        match self {
            Self::File(path) => {
                let store = SqliteStore::open(path, make::secrets(), Arc::new(SystemClock)).await?;
                store.migrate().await?;
                Ok(Arc::new(store))
            }
            Self::Server(server) => {
                let url = SecretString::from(server.url("postgres"));
                let store = PostgresStore::connect(&url, &PostgresOptions::default(), make::secrets()).await?;
                store.migrate().await?;
                Ok(Arc::new(store))
            }
        }
    }

    /// Makes it what it was before seals: with the device's seal over its body alone.
    async fn goes_back(&self, world: &World) {
        let body = serde_json::to_string(&world.device.body).unwrap();
        let seal = make::secrets().tag(TagKey::Row, &length_prefixed(&[b"device", body.as_bytes()]));
        let reseal = format!("UPDATE devices SET seal = {}", self.bytes(&seal));
        for sql in [
            reseal.as_str(),
            "ALTER TABLE audit DROP COLUMN seal",
            "ALTER TABLE enrol_links DROP COLUMN seal",
            "DROP TABLE audit_refused",
            "DELETE FROM _sqlx_migrations WHERE version = 11",
        ] {
            self.runs(sql).await;
        }
    }
}

async fn goes_up<S: Store + LogStore + 'static>(store: Arc<S>, database: Owner) {
    let world = World::build(Arc::clone(&store) as Arc<dyn Store>).await;
    assert!(drain(&*store, 1_000).await.0 > 0);
    world.apply(Effect::Noted).await;
    let waiting = next(&*store, 1_000).await.expect("an entry that waits");
    database.goes_back(&world).await;
    // Somebody else could have written what waits.
    let Err(refused) = database.starts().await else { panic!("it started") };
    let text = format!("{refused} {:?}", std::error::Error::source(&refused).map(ToString::to_string));
    assert!(text.contains("audit entries without a seal wait"), "{text}");

    // The version before places it, without looking at seals.
    assert_eq!(store.append(&waiting).await.unwrap(), Appended::Done);
    let store = database.starts().await.unwrap();
    assert_eq!(store.devices(world.holder.id).await.unwrap(), [world.device.clone()]);
    // What was resealed stays.
    drop(store);
    let store = database.starts().await.unwrap();
    assert_eq!(store.devices(world.holder.id).await.unwrap(), [world.device]);
}

#[tokio::test]
async fn a_record_from_before_seals_goes_up_on_sqlite() {
    let (store, directory) = make::sqlite_with(Arc::new(SystemClock)).await;
    goes_up(store, Owner::File(directory.path().join("record.db"))).await;
}

#[tokio::test]
async fn a_record_from_before_seals_goes_up_on_postgres() {
    let server = make::server();
    let store = make::postgres_at(&server.url("postgres"), Committers::One).await;
    goes_up(store, Owner::Server(server)).await;
}
