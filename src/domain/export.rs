//! The export of the log: JSON Lines, one object a line, in an order in which a reader can check each line when it
//! comes. `docs/audit.md` has the format for readers who write their own.
//!
//! A header; then each entry, followed by the evidence that was stored with it, and each signed checkpoint right after
//! the last entry that it covers; then an end. An export of a part carries the hashes of the subtrees before and after
//! it, from which the signed root is computed all the same.

use serde::{Deserialize, Serialize};

use super::audit::AuditEntry;
use super::details::Digest;
use super::device::Blob;
use super::evidence::Evidence;
use super::ids::ChangeId;
use super::log::LogKeys;
use super::time::Timestamp;
use super::verification::evidence::Sites;
use super::verification::tree::Subtree;

/// Name and version of the format.
pub const FORMAT: &str = "countersign/audit-export/v1";

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case")]
pub enum Line {
    Header(Box<Header>),
    Entry(EntryLine),
    Evidence(Box<EvidenceLine>),
    Checkpoint(CheckpointLine),
    End(End),
}

/// What is exported, and what it is checked against.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    pub format: String,
    /// The log's name and its public keys, as the exporting deployment knows them. Whoever got the keys on another way
    /// checks against those instead.
    pub log: LogKeys,
    pub sites: Sites,
    pub exported_at: Timestamp,
    /// What was asked for; entries are exported in one run from the first to the last that lies in it.
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    /// Index of the first entry.
    pub first: u64,
    /// The subtrees that cover the entries before it.
    pub before: Vec<Subtree>,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntryLine {
    /// Its leaf.
    pub index: u64,
    pub id: ChangeId,
    pub at: Timestamp,
    pub kind: String,
    /// Absent once it was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<Blob>,
    /// The exact text that was committed to; absent once it was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canonical: Option<String>,
    pub leaf_hash: Digest,
    /// The entry that tells of its erasing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erased_by: Option<ChangeId>,
    /// C2SP tlog-proof, when proofs were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<String>,
}

/// Evidence of the entry before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvidenceLine {
    pub change: ChangeId,
    pub evidence: Evidence,
}

/// A signed checkpoint over all entries before this line, from the log's first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointLine {
    /// When it was signed, by the record: which key counts depends on it.
    pub at: Timestamp,
    /// The signed note.
    pub note: String,
}

/// The end, without which an export is cut off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// How many entries there were.
    pub entries: u64,
    /// The subtrees after the last entry, up to the size of the checkpoint.
    pub after: Vec<Subtree>,
    /// The newest checkpoint of the log; absent when nothing was ever signed.
    pub checkpoint: Option<CheckpointLine>,
}

impl EntryLine {
    /// The line of a stored entry that has a leaf.
    pub fn of(index: u64, entry: &AuditEntry) -> Self {
        Self {
            index,
            id: entry.id,
            at: entry.at,
            kind: entry.kind.to_owned(),
            salt: Some(Blob(entry.salt.to_vec())),
            canonical: Some(entry.canonical.clone()),
            leaf_hash: entry.leaf_hash,
            erased_by: None,
            proof: None,
        }
    }
}
