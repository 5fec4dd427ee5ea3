//! A witness of other deployments' logs (`countersign audit witness`): it sees a log grow, and cosigns each tree that
//! contains the one before. It needs no database and shares nothing with what it watches; run it at somebody else's.
//!
//! The rules are `domain::witness`. Here: its key, what it has seen ([`state`]), and its one address ([`serve`]). May
//! import: `domain`.

pub mod serve;
pub mod state;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use std::path::Path;
use std::sync::Mutex;

use crate::domain::log::note::Signature;
use crate::domain::log::{LogKeys, Origin, SignatureType, VerifierKey};
use crate::domain::time::Timestamp;
use crate::domain::witness::{AddCheckpoint, BadRequest, Refusal, cosignature, cosigned_text, judge};
use state::{Seen, StateError};

/// The key isn't one.
#[derive(Debug, thiserror::Error)]
#[error("not an Ed25519 key in PKCS#8")]
pub struct BadKey;

/// Why there is no cosignature.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    #[error(transparent)]
    Request(#[from] BadRequest),
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    State(#[from] StateError),
}

/// One witness.
pub struct Witness {
    pair: Ed25519KeyPair,
    key: VerifierKey,
    logs: Vec<LogKeys>,
    /// Held while a tree is judged and written down, so that two requests can't both go on from the same tree.
    seen: Mutex<Seen>,
}

impl Witness {
    /// A witness of these logs, whose memory lies in a file.
    ///
    /// # Errors
    /// [`BadKey`]; [`StateError`] when there is a memory that doesn't read: a witness that forgot would cosign anything.
    pub fn open(name: Origin, pkcs8: &[u8], logs: Vec<LogKeys>, memory: &Path) -> anyhow::Result<Self> {
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8).map_err(|_| BadKey)?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| BadKey)?;
        let key = VerifierKey { name, signs: SignatureType::Cosignature, public };
        Ok(Self { pair, key, logs, seen: Mutex::new(Seen::open(memory)?) })
    }

    /// Its public key, to be given to whoever counts its cosignatures.
    pub const fn key(&self) -> &VerifierKey {
        &self.key
    }

    /// Judges a request, writes the new tree down for good, and only then cosigns it.
    ///
    /// # Errors
    /// [`WitnessError`]; nothing was signed then.
    pub fn add_checkpoint(&self, body: &str, now: Timestamp) -> Result<Signature, WitnessError> {
        let request: AddCheckpoint = body.parse()?;
        let named = request.checkpoint.text().lines().next().unwrap_or_default();
        let log = self.logs.iter().find(|log| log.origin.as_str() == named).ok_or(Refusal::UnknownLog)?;
        let mut seen = self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let checkpoint = judge(&request, log, seen.of(&log.origin))?;
        seen.set(&log.origin, checkpoint.head())?;
        let signature = self.pair.sign(cosigned_text(now, request.checkpoint.text()).as_bytes());
        Ok(cosignature(&self.key, now, signature.as_ref()))
    }
}
