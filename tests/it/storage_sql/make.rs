//! Fresh stores on fresh databases.

use std::sync::Arc;

use countersign::adapters::secrets::MasterSecrets;
use countersign::adapters::storage::postgres::{Committers, PostgresOptions, PostgresStore};
use countersign::adapters::storage::sqlite::SqliteStore;
use countersign::adapters::timing::{OsEntropy, SystemClock};
use countersign::ports::{Clock, Secrets, StaffStore, Store};
use secrecy::SecretString;
use tempfile::TempDir;

use crate::support::servers::postgres::{Durability, Postgres, PostgresOptions as ServerOptions};

/// The same keys everywhere, so that two stores on one database believe each other.
pub fn secrets() -> Arc<dyn Secrets> {
    Arc::new(MasterSecrets::new(b"a master key for tests: 32 bytes", Arc::new(OsEntropy)).unwrap())
}

/// A SQLite store whose clock is this one.
pub async fn sqlite_with(clock: Arc<dyn Clock>) -> (Arc<SqliteStore>, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&directory.path().join("record.db"), secrets(), clock).await.unwrap();
    store.migrate().await.unwrap();
    (Arc::new(store), directory)
}

pub async fn sqlite() -> (Arc<dyn Store>, TempDir) {
    let (store, directory) = sqlite_with(Arc::new(SystemClock)).await;
    (store, directory)
}

/// A server that forgets what the kernel hadn't written when the power is cut: nothing here cuts it.
pub fn server() -> Postgres {
    Postgres::start_with(ServerOptions { durability: Durability::KernelOnly, ..ServerOptions::default() })
}

/// A store on this database, which has its tables afterwards.
pub async fn postgres_at(url: &str, committers: Committers) -> Arc<PostgresStore> {
    let options = PostgresOptions { committers, ..PostgresOptions::default() };
    let store = PostgresStore::connect(&SecretString::from(url), &options, secrets()).await.unwrap();
    store.migrate().await.unwrap();
    Arc::new(store)
}

/// A store with both committers at work, because two can do more wrong than one.
pub async fn postgres() -> (Arc<dyn Store>, Postgres) {
    let server = server();
    let store = postgres_at(&server.url("postgres"), Committers::Two).await;
    (store, server)
}

/// One store under both of its ports.
type Both = (Arc<dyn Store>, Arc<dyn StaffStore>);

pub async fn sqlite_staff() -> (Both, TempDir) {
    let (store, directory) = sqlite_with(Arc::new(SystemClock)).await;
    ((store.clone(), store), directory)
}

pub async fn postgres_staff() -> (Both, Postgres) {
    let server = server();
    let store = postgres_at(&server.url("postgres"), Committers::Two).await;
    ((store.clone(), store), server)
}
