//! Erasing what is known of a holder as a person (design sections 1 and 5). The record keeps a tombstone, so that the
//! subject is never used again, and the log keeps every leaf: entries about the holder lose salt and text, and an entry
//! [`ERASURE`] says how many and which.
//!
//! It is begun in one commit, after which nobody can reach the holder any more, and finished by a worker in bounded
//! steps. The next is [`crate::service::erase`].

use std::time::Duration;

use super::audit::reading::Reading;
use super::details::{Digest, Subject};
use super::ids::{BackendId, ChangeId, HolderId, KeyId};
use super::linking::length_prefixed;
use super::time::Timestamp;

/// Kind of the entry that tells of a step of an erasure. Entries of this kind are never emptied themselves.
pub const ERASURE: &str = "holder.erased";
/// Its fact that says how many entries the step emptied.
pub const ERASED_ENTRIES: &str = "entries";
/// Its fact that says which: [`leaves`] of them.
pub const ERASED_LEAVES: &str = "leaves";
/// No statement takes longer than this: what was under way when the erasure began has ended by then.
pub const SETTLED_AFTER: Duration = Duration::from_secs(60);

/// How far a holder is erased; afterwards the tombstone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Erasure {
    pub holder: HolderId,
    pub backend: BackendId,
    pub version: u32,
    /// The API key by which it was asked for.
    pub by: KeyId,
    pub begun_at: Timestamp,
    /// The newest entry about the holder that is known of. Rows go once the log has signed it: it has signed everything
    /// before it then.
    pub last: ChangeId,
    pub finished_at: Option<Timestamp>,
}

impl Erasure {
    /// Begins one, in the change with the id `entry`.
    pub const fn begin(holder: HolderId, backend: BackendId, by: KeyId, entry: ChangeId, now: Timestamp) -> Self {
        Self { holder, backend, version: 1, by, begun_at: now, last: entry, finished_at: None }
    }

    /// Entries were emptied, in the change with the id `entry`.
    #[must_use]
    pub const fn emptied(self, entry: ChangeId) -> Self {
        Self { version: self.version + 1, last: entry, ..self }
    }

    /// Rows went.
    #[must_use]
    pub const fn cleared(self) -> Self {
        Self { version: self.version + 1, ..self }
    }

    /// Nothing of the holder is left.
    #[must_use]
    pub const fn finished(self, now: Timestamp) -> Self {
        Self { version: self.version + 1, finished_at: Some(now), ..self }
    }

    /// Whether nothing that was under way when it began can still come.
    pub fn is_settled(&self, now: Timestamp) -> bool {
        now >= self.begun_at + SETTLED_AFTER
    }
}

/// What the tombstone's tag is made over.
pub fn tombstone(backend: BackendId, subject: &Subject) -> Vec<u8> {
    length_prefixed(&[b"countersign/erased-subject/v1", backend.bytes(), subject.as_str().as_bytes()])
}

/// Names emptied entries: SHA-256 over their leaf hashes, in the order of their places.
pub fn leaves<'a>(hashes: impl IntoIterator<Item = &'a Digest>) -> Digest {
    let bytes: Vec<u8> = hashes.into_iter().flat_map(|hash| *hash.bytes()).collect();
    Digest::of(&bytes)
}

/// Whom an entry is about, as far as the entry says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subjects {
    /// It names the holder.
    Holder(HolderId),
    /// It names only what belongs to one: the record knows whose.
    Belongings(Vec<uuid::Uuid>),
}

/// Prefixes of ids that belong to one holder.
const BELONGINGS: [&str; 6] = ["apr_", "dev_", "lnk_", "frz_", "ovr_", "vew_"];

/// Whom an entry is about.
pub fn subjects(entry: &Reading) -> Subjects {
    if entry.kind == ERASURE {
        return Subjects::Belongings(Vec::new());
    }
    if let Some(holder) = entry.object_of(HolderId::PREFIX).and_then(|id| id.parse().ok()) {
        return Subjects::Holder(holder);
    }
    let belonging = |id: &String| {
        let hex = BELONGINGS.iter().find_map(|prefix| id.strip_prefix(prefix))?;
        uuid::Uuid::try_parse(hex).ok()
    };
    Subjects::Belongings(entry.object.iter().filter_map(belonging).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::audit::reading::ReadActor;
    use crate::domain::ids::{ApprovalId, BackendId, DeviceId, FreezeId, LinkId, OverrideId, ViewId};

    fn entry(kind: &str, object: Vec<String>) -> Reading {
        let at = Timestamp::EPOCH;
        let actor = ReadActor { kind: "service".into(), id: None };
        Reading { v: 1, id: ChangeId::new(at, [0; 10]), at, kind: kind.into(), actor, object, facts: [].into() }
    }

    #[test]
    fn an_entry_is_about_the_holder_it_names_or_whose_things_it_names() {
        let at = Timestamp::EPOCH;
        let holder = HolderId::new(at, [1; 10]);
        let approval = ApprovalId::new(at, [2; 10]);
        let both = entry("approval.opened", vec![approval.to_string(), holder.to_string()]);
        assert_eq!(subjects(&both), Subjects::Holder(holder));
        let alone = entry("approval.refused", vec![approval.to_string(), BackendId::new(at, [3; 10]).to_string()]);
        assert_eq!(subjects(&alone), Subjects::Belongings(vec![approval.uuid()]));
        assert_eq!(subjects(&entry(ERASURE, vec![holder.to_string()])), Subjects::Belongings(vec![]));
    }

    #[test]
    fn every_kind_of_belonging_is_known_by_its_prefix() {
        let prefixes = [
            ApprovalId::PREFIX,
            DeviceId::PREFIX,
            LinkId::PREFIX,
            FreezeId::PREFIX,
            OverrideId::PREFIX,
            ViewId::PREFIX,
        ];
        assert_eq!(prefixes.map(|prefix| format!("{prefix}_")), BELONGINGS);
    }

    #[test]
    fn the_order_of_leaves_counts() {
        let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
        assert_ne!(leaves([&a, &b]), leaves([&b, &a]));
        assert_eq!(leaves([&a, &b]), Digest::of(&[*a.bytes(), *b.bytes()].concat()));
    }

    #[test]
    fn one_subject_of_two_backends_has_two_tombstones() {
        let subject = Subject::parse("u-1").unwrap();
        let of = |byte| tombstone(BackendId::new(Timestamp::EPOCH, [byte; 10]), &subject);
        assert_ne!(of(1), of(2));
    }
}
