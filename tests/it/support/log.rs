//! A log for contexts that are made by hand: a key that is always the same, and a mark that ends with the test.

use std::sync::Arc;

use countersign::adapters::high_water::MemoryMark;
use countersign::adapters::log_key::{Ed25519Checkpoints, generate_pem};
use countersign::domain::log::Origin;
use countersign::ports::log::{CheckpointSigner, LogStore, MarkFile};
use countersign::service::log::{HighWater, Log};

/// The key of every test's log.
pub fn pem() -> String {
    generate_pem(&[5; 32]).expect("a key")
}

/// Signs as the log of `approve.example`.
pub fn signer() -> Ed25519Checkpoints {
    Ed25519Checkpoints::new(Origin::parse("approve.example/log").expect("a name"), &pem(), &[]).expect("a signer")
}

/// A log over this store, whose mark is kept here.
pub async fn log_with(store: Arc<dyn LogStore>, mark: Arc<dyn MarkFile>) -> Log {
    let signer = signer();
    let mark = HighWater::open(mark, signer.keys()).await.expect("a mark that reads");
    Log { store, signer: Arc::new(signer), mark: Arc::new(mark), wake: Arc::default(), witnesses: None }
}

/// The same log under a new name, as its operator names it when it is recovered.
pub async fn log_renamed(store: Arc<dyn LogStore>, mark: Arc<dyn MarkFile>) -> Log {
    let name = Origin::parse("approve.example/log-2").expect("a name");
    let signer = Ed25519Checkpoints::new(name, &pem(), &[]).expect("a signer");
    let signer = signer.once_called(&[Origin::parse("approve.example/log").expect("a name")]);
    let mark = HighWater::open(mark, signer.keys()).await.expect("a mark that reads");
    Log { store, signer: Arc::new(signer), mark: Arc::new(mark), wake: Arc::default(), witnesses: None }
}

/// As [`log`], for where nothing can wait: a mark in memory is there at once.
pub fn log_at_once(store: Arc<dyn LogStore>) -> Log {
    let mut made = std::pin::pin!(log(store));
    match made.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        std::task::Poll::Ready(log) => log,
        std::task::Poll::Pending => panic!("a mark in memory waits for nothing"),
    }
}

/// A log over this store.
pub async fn log(store: Arc<dyn LogStore>) -> Log {
    log_with(store, Arc::new(MemoryMark::default())).await
}
