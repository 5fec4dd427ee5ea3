//! The log's adapters from configuration: its key, its mark, and the witnesses that are asked to cosign it.

use anyhow::Context as _;
use secrecy::ExposeSecret;
use std::sync::Arc;
use tokio::sync::Notify;

use super::Record;
use crate::adapters::high_water::{FileMark, MemoryMark};
use crate::adapters::log_key::{Ed25519Checkpoints, RetiredLogKey};
use crate::adapters::outbound::Outbound;
use crate::adapters::witnesses::HttpWitness;
use crate::config::{Config, RetiredLog};
use crate::ports::{CheckpointSigner as _, Cosigner, MarkFile};
use crate::service::log::{HighWater, Log, Witnesses};
use crate::workers::witnesses::Circle;

/// The log over this record.
///
/// # Errors
/// When its key or its mark can't be used.
pub async fn open(config: &Config, record: &Record) -> anyhow::Result<Log> {
    let retired: Vec<RetiredLogKey> = config.keys.log_retired.iter().map(retired).collect();
    let pem = config.keys.log_pem.expose_secret();
    let signer = Ed25519Checkpoints::new(config.log.origin.clone(), pem, &retired).context("the log's key")?;
    let signer = signer.once_called(&config.log.earlier);
    let file: Arc<dyn MarkFile> = match &config.log.high_water {
        Some(path) => Arc::new(FileMark::new(path.clone())),
        None => Arc::new(MemoryMark::default()),
    };
    let mark = HighWater::open(file, signer.keys()).await.context("log.high_water")?;
    let quorum = config.log.witnesses.quorum.clone();
    let witnesses = (!quorum.witnesses().is_empty()).then(|| Arc::new(Witnesses::new(quorum, record.cosignatures())));
    let wake = Arc::new(Notify::new());
    Ok(Log { store: record.log(), signer: Arc::new(signer), mark: Arc::new(mark), wake, witnesses })
}

/// A retired key of the log as its adapter takes it.
pub fn retired(old: &RetiredLog) -> RetiredLogKey {
    RetiredLogKey { key: old.key.clone(), not_before: old.not_before, not_after: old.not_after }
}

/// Who is asked to cosign; nothing where nobody is.
pub fn circle(config: &Config, record: &Record, log: &Log, outbound: &Arc<Outbound>) -> Option<Circle> {
    let witnesses = Arc::clone(log.witnesses.as_ref()?);
    let cosigner = |witness: &crate::config::witnesses::Witness| -> Arc<dyn Cosigner> {
        let (name, key, url) = (witness.name.clone(), witness.key.clone(), witness.url.clone());
        Arc::new(HttpWitness::new(name, key, url, Arc::clone(outbound)))
    };
    let cosigners = config.log.witnesses.asked.iter().map(cosigner).collect();
    Some(Circle { witnesses, cosigners, leases: record.audit().1 })
}
