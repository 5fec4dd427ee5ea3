//! Audit entries in their final form: canonical bytes, a salted commitment, and the leaf hash of an RFC 6962 tree.
//!
//! The commitment is SHA-256 over a domain tag, the salt and the canonical bytes; the leaf is what RFC 6962 section 2.1
//! makes of the commitment. Erasing salt and text later leaves every leaf in place.

pub mod filter;
pub mod reading;

use serde::Serialize;

use super::approval::Actor;
use super::details::Digest;
use super::ids::ChangeId;
use super::linking::length_prefixed;
use super::time::Timestamp;

/// What an entry says. Ids, states, reasons and digests only: no name, address, secret, link or code.
#[derive(Debug, Clone, Serialize)]
pub struct AuditEvent {
    /// What happened, for example `approval.released` or `decide.refused`.
    pub kind: &'static str,
    pub actor: Actor,
    /// What it happened to, as typed ids.
    pub object: Vec<String>,
    /// Further facts.
    pub facts: Facts,
}

/// Facts of an entry, in the order of their names.
pub type Facts = std::collections::BTreeMap<&'static str, String>;

/// An entry ready to be stored. Its id is the change's id, by which the fate of a lost COMMIT is looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    pub id: ChangeId,
    pub at: Timestamp,
    pub kind: &'static str,
    pub salt: [u8; 16],
    /// RFC 8785 JSON.
    pub canonical: String,
    pub leaf_hash: Digest,
}

#[derive(Serialize)]
struct Canonical<'a> {
    v: u8,
    id: ChangeId,
    at: Timestamp,
    #[serde(flatten)]
    event: &'a AuditEvent,
}

impl AuditEntry {
    /// Writes the entry canonically and commits to it.
    ///
    /// # Errors
    /// When it can't be written as JSON, which no value of this type should cause.
    pub fn new(id: ChangeId, at: Timestamp, salt: [u8; 16], event: &AuditEvent) -> Result<Self, serde_json::Error> {
        let canonical = serde_json_canonicalizer::to_string(&Canonical { v: 1, id, at, event })?;
        let leaf_hash = leaf_hash(&commitment(&salt, canonical.as_bytes()));
        Ok(Self { id, at, kind: event.kind, salt, canonical, leaf_hash })
    }
}

/// The salted commitment to canonical bytes.
pub fn commitment(salt: &[u8; 16], canonical: &[u8]) -> Digest {
    Digest::of(&length_prefixed(&[b"countersign/audit/v1", salt, canonical]))
}

/// RFC 6962 section 2.1: SHA-256 of 0x00 and the leaf's data, which here is the commitment.
pub fn leaf_hash(commitment: &Digest) -> Digest {
    let mut leaf = [0; 33];
    leaf[1..].copy_from_slice(commitment.bytes());
    Digest::of(&leaf)
}

/// Whether a leaf is the one over the commitment to this salt and text.
pub fn commits_to(leaf: &Digest, salt: &[u8], text: &str) -> bool {
    <&[u8; 16]>::try_from(salt).is_ok_and(|salt| leaf_hash(&commitment(salt, text.as_bytes())) == *leaf)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_changed_byte_changes_the_leaf() {
        let id = ChangeId::new(Timestamp::EPOCH, [0; 10]);
        let event = |kind| AuditEvent { kind, actor: Actor::Service, object: vec![], facts: Facts::new() };
        let entry = AuditEntry::new(id, Timestamp::EPOCH, [1; 16], &event("approval.released")).unwrap();
        let other = AuditEntry::new(id, Timestamp::EPOCH, [1; 16], &event("approval.expired")).unwrap();
        let salted = AuditEntry::new(id, Timestamp::EPOCH, [2; 16], &event("approval.released")).unwrap();
        assert_ne!(entry.leaf_hash, other.leaf_hash);
        assert_ne!(entry.leaf_hash, salted.leaf_hash);
        assert_eq!(entry.leaf_hash, leaf_hash(&commitment(&entry.salt, entry.canonical.as_bytes())));
        assert!(
            entry
                .canonical
                .starts_with(r#"{"actor":{"kind":"service"},"at":"1970-01-01T00:00:00Z","facts":{},"id":"chg_"#)
        );
    }
}
