//! Witnesses: somebody else who has seen the log grow, and says so with a signature. A log that shows two histories
//! would need all of its witnesses to help it.
//!
//! Both sides of C2SP tlog-witness (`add-checkpoint`) and the signatures of C2SP tlog-cosignature (v1, Ed25519). A
//! witness remembers one tree for each log and cosigns only trees that contain it; it writes down what it is about to
//! cosign before it does. How many of them a checkpoint needs is said by a [`quorum`].

pub mod quorum;

use data_encoding::BASE64;

use super::details::Digest;
use super::log::note::Signature;
use super::log::tree::{Head, TreeError, empty_root, verify_consistency};
use super::log::{Checkpoint, CheckpointError, LogKeys, Note, NoteError, SignatureType, VerifierKey};
use super::time::Timestamp;

/// Most hashes that a consistency proof has (C2SP tlog-witness).
const LONGEST_PROOF: usize = 63;
/// What a cosignature covers before the checkpoint's text.
const COSIGNATURE: &str = "cosignature/v1";

/// A request to cosign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// Size of the tree that the witness is thought to have cosigned last.
    pub old: u64,
    /// That the new tree contains it.
    pub proof: Vec<Digest>,
    pub checkpoint: Note,
}

/// The body isn't a request to cosign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a request to cosign a checkpoint")]
pub struct BadRequest;

impl std::fmt::Display for AddCheckpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "old {}", self.old)?;
        self.proof.iter().try_for_each(|hash| writeln!(f, "{}", BASE64.encode(hash.bytes())))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

impl std::str::FromStr for AddCheckpoint {
    type Err = BadRequest;
    fn from_str(text: &str) -> Result<Self, BadRequest> {
        let (head, checkpoint) = text.split_once("\n\n").ok_or(BadRequest)?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old ")).ok_or(BadRequest)?;
        let old = old.parse::<u64>().ok().filter(|number| number.to_string() == old).ok_or(BadRequest)?;
        let hash = |line: &str| {
            let bytes: [u8; 32] = BASE64.decode(line.as_bytes()).ok()?.try_into().ok()?;
            Some(Digest::from_bytes(bytes))
        };
        let proof: Vec<Digest> = lines.map(hash).collect::<Option<_>>().ok_or(BadRequest)?;
        if proof.len() > LONGEST_PROOF {
            return Err(BadRequest);
        }
        Ok(Self { old, proof, checkpoint: checkpoint.parse().map_err(|_: NoteError| BadRequest)? })
    }
}

/// Why a witness doesn't cosign. Each has its HTTP status in C2SP tlog-witness.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// 404.
    #[error("this log isn't witnessed here")]
    UnknownLog,
    /// 403.
    #[error("the checkpoint isn't the log's: {0}")]
    NotSigned(CheckpointError),
    /// 400.
    #[error("the old tree can't be larger than the new one")]
    OldIsLarger,
    /// 409, with the size as the body.
    #[error("another tree was cosigned last, of {0} entries")]
    Conflict(u64),
    /// 422.
    #[error("the new tree doesn't contain the old one: {0}")]
    Inconsistent(TreeError),
}

/// Judges a request against the tree that was cosigned last. What comes back is to be written down for good, and then
/// cosigned.
///
/// # Errors
/// [`Refusal`].
pub fn judge(request: &AddCheckpoint, keys: &LogKeys, last: Option<Head>) -> Result<Checkpoint, Refusal> {
    let checkpoint = keys.open_of_any_time(&request.checkpoint).map_err(Refusal::NotSigned)?;
    if request.old > checkpoint.size {
        return Err(Refusal::OldIsLarger);
    }
    let last = last.unwrap_or(Head { size: 0, root: empty_root() });
    if request.old != last.size {
        return Err(Refusal::Conflict(last.size));
    }
    match verify_consistency(&last, &checkpoint.head(), &request.proof) {
        Ok(()) => Ok(checkpoint),
        // The same size with another root: no proof could help.
        Err(_) if checkpoint.size == last.size && checkpoint.root != last.root => Err(Refusal::Conflict(last.size)),
        Err(error) => Err(Refusal::Inconsistent(error)),
    }
}

/// What a witness signs: the tag, its time in whole seconds, and the checkpoint's text.
pub fn cosigned_text(at: Timestamp, checkpoint: &str) -> String {
    format!("{COSIGNATURE}\ntime {}\n{checkpoint}", at.seconds())
}

/// The signature line's content for a witness's Ed25519 signature over [`cosigned_text`]: the time, then the signature.
pub fn cosignature(key: &VerifierKey, at: Timestamp, signature: &[u8]) -> Signature {
    let seconds = u64::try_from(at.seconds()).unwrap_or(0);
    let bytes = [&seconds.to_be_bytes()[..], signature].concat();
    Signature { name: key.name.clone(), id: key.id(), bytes }
}

/// When a witness's key cosigned a note; nothing when it didn't, or its signature is wrong.
pub fn cosigned_at(note: &Note, key: &VerifierKey) -> Option<Timestamp> {
    if key.signs != SignatureType::Cosignature {
        return None;
    }
    note.signatures_of(key).find_map(|line| {
        let (seconds, signature) = line.bytes.split_first_chunk::<8>()?;
        let seconds = i64::try_from(u64::from_be_bytes(*seconds)).ok()?;
        let at = Timestamp::from_micros(seconds.checked_mul(1_000_000)?);
        // A witness that doesn't say when says nothing (C2SP tlog-cosignature).
        (seconds > 0 && key.verifies(cosigned_text(at, note.text()).as_bytes(), signature)).then_some(at)
    })
}

/// Reads the answer to a request that was granted: one signature line for each key of the witness.
///
/// # Errors
/// [`NoteError::Form`].
pub fn read_answer(body: &str) -> Result<Vec<Signature>, NoteError> {
    body.strip_suffix('\n').ok_or(NoteError::Form)?.split('\n').map(str::parse).collect()
}

#[cfg(test)]
mod tests;
