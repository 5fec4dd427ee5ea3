//! A witness of other deployments' logs (`countersign audit witness`): it sees a log grow, and cosigns each tree that
//! contains the one before. It needs no database and shares nothing with what it watches; run it at somebody else's.
//!
//! The rules are `domain::witness`. Here: its key, what it has seen ([`state`]), its addresses ([`serve`]), and how it
//! looks at a log by itself ([`follow`]). May import: `domain`, `ports`.

pub mod follow;
pub mod serve;
pub mod state;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::log::note::Signature;
use crate::domain::log::{LogKeys, Note, Origin, SignatureType, VerifierKey};
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
        self.add(&body.parse()?, now)
    }

    fn add(&self, request: &AddCheckpoint, now: Timestamp) -> Result<Signature, WitnessError> {
        let named = request.checkpoint.text().lines().next().unwrap_or_default();
        let log = self.logs.iter().find(|log| log.origin.as_str() == named).ok_or(Refusal::UnknownLog)?;
        let mut seen = self.seen();
        let last = seen.of(&log.origin);
        let checkpoint = match judge(request, log, last) {
            Ok(checkpoint) => checkpoint,
            Err(refusal) => {
                // Two roots for one size, both signed by the log: no proof could ever join them.
                if let (Ok(newer), Some(last)) = (log.open_of_any_time(&request.checkpoint), last)
                    && (newer.size == last.size && newer.root != last.root)
                {
                    let kept = seen.keep_evidence(&log.origin, &request.checkpoint)?;
                    tracing::error!(log = %log.origin, size = last.size, kept = %kept.display(), "a log signed two roots");
                }
                return Err(refusal.into());
            }
        };
        seen.set(&log.origin, checkpoint.head(), &request.checkpoint)?;
        Ok(self.sign(&request.checkpoint, now))
    }

    /// The checkpoint of a log that was cosigned last, with a cosignature of now; nothing before the first.
    pub fn cosigned(&self, origin: &str, now: Timestamp) -> Option<Note> {
        // What is in the memory was written down before.
        let mut note = self.seen().note_of(origin)?;
        let signature = self.sign(&note, now);
        note.add(signature);
        Some(note)
    }

    fn sign(&self, note: &Note, now: Timestamp) -> Signature {
        let signature = self.pair.sign(cosigned_text(now, note.text()).as_bytes());
        cosignature(&self.key, now, signature.as_ref())
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
