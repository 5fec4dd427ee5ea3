//! The log as an auditor reads it on the console: entries, newest first, and one entry with the proof that the signed
//! tree has it. Whoever reads is written down first, like everybody of staff who looks at anything.
//!
//! A page costs the same however long the log is: it walks the index of places from where the page before ended, and
//! looks at so many entries at the most; what is rarer than that goes on at the next page.

use std::time::Duration;

use super::Record;
use crate::domain::audit::filter::Filter;
use crate::domain::audit::reading::Reading;
use crate::domain::audit::{Facts, commits_to};
use crate::domain::ids::ChangeId;
use crate::domain::log::tree::Head;
use crate::domain::log::{ProofError, TileAt, TlogProof, tree};
use crate::domain::report::{Range, ThirdParty};
use crate::domain::staff::{Role, Staff};
use crate::domain::time::Timestamp;
use crate::ports::audit::StoredEntry;
use crate::ports::log::Signed;
use crate::ports::{Change, Effect};
use crate::service::staff::SignedIn;
use crate::service::{Context, Error};

/// Entries on a page.
pub const SHOWN: usize = 50;
/// Entries that a page looks at, at the most.
pub const LOOKED_AT: usize = 2_000;
/// Entries read at once while most of them aren't asked for.
const AT_ONCE: u32 = 500;
/// Entries get their place when they are stored, a moment after their time, and clocks of nodes differ a little.
const SLACK: Duration = Duration::from_secs(60);

/// An entry of a page.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its leaf in the tree, from 0. Nothing while it waits for its place.
    pub index: Option<u64>,
    pub entry: StoredEntry,
    /// What it says; nothing once that was erased, or when it doesn't read.
    pub reading: Option<Reading>,
}

/// A page of the log.
#[derive(Debug, Clone)]
pub struct Page {
    pub rows: Vec<Row>,
    /// Where the next page begins, if there may be one.
    pub older: Option<i64>,
    /// When the last entry that was looked at was made.
    pub back_to: Option<Timestamp>,
    pub newest: Option<Signed>,
    /// Everybody of staff, for their names.
    pub people: Vec<Staff>,
}

/// Entries before a place, or the newest.
///
/// # Errors
/// [`Error::NotInRole`], [`Error::Store`].
pub async fn page(
    cx: &Context,
    record: &Record,
    by: &SignedIn,
    filter: &Filter,
    before: Option<i64>,
) -> Result<Page, Error> {
    noted(cx, by, "log.viewed", filter.facts(), None).await?;
    let newest = record.log.newest().await?;
    let mut place = match (before, filter.to) {
        (Some(place), _) => Some(place),
        (None, Some(to)) => record.audit.place_from(to + SLACK).await?,
        (None, None) => None,
    };
    let mut page = Page { rows: Vec::new(), older: None, back_to: None, newest, people: cx.staff.everybody().await? };
    let mut number = Numbers { signed_up_to: page.newest.as_ref().map(|signed| signed.place), next: None };
    let shown = u32::try_from(SHOWN).unwrap_or(u32::MAX);
    let at_once = if filter.takes_all() { shown } else { AT_ONCE };
    let mut looked_at = 0;
    while looked_at < LOOKED_AT {
        let entries = record.audit.entries_before(place, at_once).await?;
        let last = entries.len() < at_once as usize;
        for entry in entries {
            if filter.from.is_some_and(|from| entry.at < from - SLACK) {
                return Ok(Page { older: None, ..page });
            }
            let index = number.of(record, &entry).await?;
            (place, page.back_to) = (Some(entry.place), Some(entry.at));
            looked_at += 1;
            let reading = entry.canonical.as_deref().and_then(|text| Reading::of(text).ok());
            if filter.takes(entry.at, &entry.kind, reading.as_ref()) {
                page.rows.push(Row { index, entry, reading });
            }
            if page.rows.len() == SHOWN {
                return Ok(Page { older: place, ..page });
            }
        }
        if last {
            return Ok(page);
        }
    }
    Ok(Page { older: place, ..page })
}

/// Counts leaves down from the first entry that has one: between two entries that follow each other there is nothing.
struct Numbers {
    signed_up_to: Option<i64>,
    next: Option<u64>,
}

impl Numbers {
    async fn of(&mut self, record: &Record, entry: &StoredEntry) -> Result<Option<u64>, Error> {
        if self.signed_up_to.is_none_or(|place| entry.place > place) {
            return Ok(None);
        }
        let index = match self.next {
            Some(index) => Some(index),
            None => record.audit.leaf_index(entry.place).await?,
        };
        self.next = index.and_then(|index| index.checked_sub(1));
        Ok(index)
    }
}

/// Whether the text is what its leaf commits to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Text {
    Fits,
    /// Erased with somebody's personal data. The leaf stays.
    Erased,
    Changed,
}

/// Whether the signed tree has the leaf.
#[derive(Debug, Clone)]
pub enum InTree {
    /// Stored, and not signed yet: that takes a fraction of a second.
    Waits,
    Proven {
        index: u64,
        head: Head,
        signed_at: Timestamp,
        /// The proof and its checkpoint (C2SP tlog-proof).
        proof: String,
    },
    /// The tree that was signed has something else at this place.
    Not { index: u64, why: ProofError },
}

/// One entry.
#[derive(Debug, Clone)]
pub struct Shown {
    pub entry: StoredEntry,
    pub reading: Option<Reading>,
    pub text: Text,
    pub tree: InTree,
    pub people: Vec<Staff>,
}

/// One entry, checked here and now.
///
/// # Errors
/// [`Error::NotInRole`], [`Error::NotFound`], [`Error::Store`].
pub async fn entry(cx: &Context, record: &Record, by: &SignedIn, id: ChangeId) -> Result<Shown, Error> {
    by.needs(Role::Auditor)?;
    let entry = record.audit.stored_entry(id).await?.ok_or(Error::NotFound)?;
    noted(cx, by, "log.viewed", Facts::new(), Some(id)).await?;
    let reading = entry.canonical.as_deref().and_then(|text| Reading::of(text).ok());
    let text = match (&entry.salt, &entry.canonical) {
        (None, None) => Text::Erased,
        (Some(salt), Some(text)) if commits_to(&entry.leaf_hash, &salt.0, text) => Text::Fits,
        _ => Text::Changed,
    };
    let tree = in_tree(record, &entry).await?;
    Ok(Shown { entry, reading, text, tree, people: cx.staff.everybody().await? })
}

async fn in_tree(record: &Record, entry: &StoredEntry) -> Result<InTree, Error> {
    let Some(newest) = record.log.newest().await? else { return Ok(InTree::Waits) };
    let Some(index) = record.audit.leaf_index(entry.place).await? else { return Ok(InTree::Waits) };
    let head = newest.head;
    // A proof out of tiles that aren't there is none, whoever took them away.
    let tiles = record.log.tiles(&TileAt::all_of(&tree::inclusion_nodes(index, head.size))).await?;
    let path = match tree::inclusion(index, head.size, &tiles) {
        Ok(path) => path,
        Err(why) => return Ok(InTree::Not { index, why: why.into() }),
    };
    let checkpoint = match newest.note.parse() {
        Ok(note) => note,
        Err(_) => return Ok(InTree::Not { index, why: ProofError::Form }),
    };
    let proof = TlogProof { extra: None, index, path, checkpoint };
    Ok(match proof.verify(&entry.leaf_hash, &record.keys, newest.signed_at) {
        Ok(_) => InTree::Proven { index, head, signed_at: newest.signed_at, proof: proof.to_string() },
        Err(why) => InTree::Not { index, why },
    })
}

/// What third parties did in a range, for an auditor.
///
/// # Errors
/// [`Error::NotInRole`], [`Error::Store`].
pub async fn third_party(cx: &Context, record: &Record, by: &SignedIn, range: Range) -> Result<ThirdParty, Error> {
    let facts = Facts::from([("from", range.from.to_string()), ("to", range.to.to_string())]);
    noted(cx, by, "report.viewed", facts, None).await?;
    Ok(super::third_party::of_range(record, range, SLACK).await?)
}

/// Writes down who reads what, before it is read.
async fn noted(
    cx: &Context,
    by: &SignedIn,
    kind: &'static str,
    facts: Facts,
    entry: Option<ChangeId>,
) -> Result<(), Error> {
    by.needs(Role::Auditor)?;
    let mut objects: Vec<&(dyn std::fmt::Display + Sync)> = vec![&by.person.id];
    if let Some(entry) = &entry {
        objects.push(entry);
    }
    let entry = cx.entry(kind, by.actor(), &objects, by.facts(facts), cx.now())?;
    Ok(cx.store.commit(Change::new(entry, Effect::Noted)).await?)
}
