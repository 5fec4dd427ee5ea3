//! Rows of what is only ever added to: audit entries and evidence.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use sqlx::FromRow;
use uuid::Uuid;

use super::{BadRow, corrupt, digest};
use crate::adapters::storage::at::At;
use crate::domain::audit::AuditEntry;
use crate::domain::evidence::Evidence;
use crate::domain::ids::{ApprovalId, ChangeId};
use crate::ports::store::StoreError;

/// More kinds of entries than the service will ever have. What a table says beyond that isn't ours.
const MOST_KINDS: usize = 256;

#[derive(Debug, Clone, FromRow)]
pub struct AuditRow {
    pub place: i64,
    pub id: Uuid,
    pub at: At,
    pub kind: String,
    pub salt: Vec<u8>,
    pub canonical: String,
    pub leaf_hash: Vec<u8>,
}

impl AuditRow {
    /// # Errors
    /// [`StoreError::Corrupt`].
    pub fn read(self) -> Result<(i64, AuditEntry), StoreError> {
        let id = ChangeId::from_uuid(self.id);
        let wrong = |source: BadRow| corrupt("audit", id, source);
        let entry = AuditEntry {
            id,
            at: self.at.into(),
            kind: kind(&self.kind).map_err(wrong)?,
            salt: self.salt.as_slice().try_into().map_err(|_| wrong(BadRow::Range { column: "salt" }))?,
            canonical: self.canonical,
            leaf_hash: digest("leaf_hash", &self.leaf_hash).map_err(wrong)?,
        };
        Ok((self.place, entry))
    }
}

/// The kind of an entry as the domain has it: a text that lives as long as the program. Each kind is kept once.
fn kind(text: &str) -> Result<&'static str, BadRow> {
    static KINDS: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut kinds = KINDS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = kinds.get(text) {
        return Ok(known);
    }
    if kinds.len() >= MOST_KINDS {
        return Err(BadRow::Range { column: "kind" });
    }
    let kept: &'static str = Box::leak(text.to_owned().into_boxed_str());
    kinds.insert(kept);
    Ok(kept)
}

/// The approval that a piece of evidence belongs to, if it belongs to one.
pub const fn approval_of(evidence: &Evidence) -> Option<ApprovalId> {
    match evidence {
        Evidence::Approve { preimage, .. } => Some(preimage.approval),
        Evidence::Staff { approval, .. } => *approval,
        Evidence::Enrol { .. } | Evidence::Lift { .. } => None,
    }
}

/// Reads a piece of evidence.
///
/// # Errors
/// [`StoreError::Corrupt`].
pub fn read_evidence(change: Uuid, body: &str) -> Result<Evidence, StoreError> {
    serde_json::from_str(body).map_err(|source| corrupt("evidence", ChangeId::from_uuid(change), source))
}
