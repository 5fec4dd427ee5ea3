//! Whether the log tells of every entry that has lost its text: how many, and which, in the order of their places.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::wrong::{Flaw, Place, Wrong};
use crate::domain::audit::reading::Reading;
use crate::domain::details::Digest;
use crate::domain::erasure::{ERASED_ENTRIES, ERASED_LEAVES, ERASURE};
use crate::domain::export::EntryLine;
use crate::domain::ids::ChangeId;
use crate::domain::time::Timestamp;

/// An erasure that began so shortly before the reading may have gone on during it: clocks of nodes differ, and a long
/// log is read in pages.
const MEANWHILE: Duration = Duration::from_secs(60);

/// Entries met without their text, and what the log tells of them.
#[derive(Debug, Default)]
pub struct Erased {
    /// By the entry that should tell of them. Those that name none come first.
    found: BTreeMap<Option<ChangeId>, Found>,
    told: BTreeMap<ChangeId, Told>,
    /// Entries told of without saying which.
    counted: u64,
}

#[derive(Debug)]
struct Found {
    first: Place,
    leaves: Vec<Digest>,
}

impl Found {
    /// What these entries are called together: SHA-256 over their leaf hashes, in the order of their places.
    fn name(&self) -> Digest {
        Digest::of(&self.leaves.iter().flat_map(|leaf| *leaf.bytes()).collect::<Vec<u8>>())
    }
}

#[derive(Debug)]
struct Told {
    at: Timestamp,
    entries: u64,
    leaves: Digest,
}

impl Erased {
    /// An entry has no text.
    pub fn found(&mut self, line: &EntryLine, place: Place) {
        let found = self.found.entry(line.erased_by).or_insert_with(|| Found { first: place, leaves: Vec::new() });
        found.leaves.push(line.leaf_hash);
    }

    /// An entry that may tell of erased ones.
    pub fn told(&mut self, entry: &Reading) {
        if entry.kind != ERASURE {
            return;
        }
        let entries = entry.fact(ERASED_ENTRIES).and_then(|count| count.parse().ok()).unwrap_or(0);
        match entry.fact(ERASED_LEAVES).and_then(|leaves| leaves.parse().ok()) {
            Some(leaves) => drop(self.told.insert(entry.id, Told { at: entry.at, entries, leaves })),
            None => self.counted = self.counted.saturating_add(entries),
        }
    }

    /// Whether everything that was found was told of.
    ///
    /// # Errors
    /// [`Flaw::Erased`], [`Flaw::Untold`], at the first entry of those that weren't.
    pub fn check(&self, read_at: Timestamp) -> Result<(), Wrong> {
        for (by, found) in &self.found {
            let count = found.leaves.len() as u64;
            let flaw = match by {
                None if count > self.counted => Flaw::Erased(count, self.counted),
                None => continue,
                Some(by) => match self.told.get(by) {
                    Some(told) if told.entries == count && told.leaves == found.name() => continue,
                    // Some of them were read while they still had their text.
                    Some(told) if told.entries > count && told.at + MEANWHILE >= read_at => continue,
                    Some(_) | None => Flaw::Untold,
                },
            };
            return Err(Wrong { place: found.first, flaw });
        }
        Ok(())
    }
}
