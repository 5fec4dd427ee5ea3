//! Checks the record itself: the log as its export would be checked, then what isn't in an export: entries that wait
//! for their place, every row under seal, and whether each approval, device, override and freeze is what the log says it became.

use std::collections::HashSet;
use uuid::Uuid;

use super::export::{Asked, Failure, export};
pub use super::fits::RowFlaw;
use super::fits::{fits, version};
use super::{PAGE, Record};
use crate::domain::export::{EntryLine, EvidenceLine, Line};
use crate::domain::ids::{ApprovalId, ChangeId, ChannelId, DeviceId, FreezeId, HolderId, KeyId, OverrideId};
use crate::domain::log::tree::{Head, TreeError};
use crate::domain::time::Timestamp;
use crate::domain::verification::freezes::Freezes;
use crate::domain::verification::overrides::Cases;
use crate::domain::verification::run::{Summary, Verifier};
use crate::domain::verification::standing::Standings;
use crate::domain::verification::wrong::{Flaw, Place, Wrong};
use crate::ports::audit::{SealedRow, SealedTable, StoredEntry};
use crate::ports::store::StoreError;

/// How often a row that moved while it was looked at is looked at again.
const LOOKS: usize = 5;

/// The first thing that is wrong, or why it couldn't be found out.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("{0}")]
    Log(#[from] Wrong),
    #[error("row {id} of {table}: {flaw}")]
    Row { table: &'static str, id: String, flaw: RowFlaw },
    #[error("the stored tree isn't whole")]
    Tree(#[source] TreeError),
    #[error(transparent)]
    Store(StoreError),
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Forged { table, id } => Self::Row { table, id, flaw: RowFlaw::Forged },
            StoreError::Corrupt { table, id, .. } => Self::Row { table, id, flaw: RowFlaw::Corrupt },
            error @ StoreError::Unavailable(_) => Self::Store(error),
        }
    }
}

/// What was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    pub log: Summary,
    /// Entries that wait for their place in the tree.
    pub waiting: u64,
    pub sealed_rows: u64,
}

/// What is being done, for whoever watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Entries { done: u64, of: u64 },
    Rows { table: SealedTable, done: u64 },
}

/// Checks everything. `known` are trees that were signed and are kept elsewhere: the high-water mark, a witness's.
///
/// # Errors
/// The first [`Fault`].
pub async fn verify(
    record: &Record,
    known: &[Head],
    now: Timestamp,
    mut watch: impl FnMut(Step) + Send,
) -> Result<Checked, Fault> {
    let of = record.log.newest().await?.map_or(0, |signed| signed.head.size);
    let mut verifier = Verifier::new(Some(record.keys.clone())).knowing(known);
    let exported = export(record, &Asked::EVERYTHING, now, |out| {
        if let Line::Entry(entry) = &out.line {
            let place = Place::Entry { index: entry.index, id: entry.id };
            if out.row_leaf.is_some_and(|leaf| leaf != entry.leaf_hash) {
                return Err(Wrong { place, flaw: Flaw::Leaf });
            }
            watch(Step::Entries { done: entry.index + 1, of });
        }
        verifier.take(out.line)
    });
    let exported = exported.await.map_err(|failure| match failure {
        Failure::Store(error) => error.into(),
        Failure::Tree(error) => Fault::Tree(error),
        Failure::Note(error) => Wrong { place: Place::Export, flaw: Flaw::Checkpoint(error.into()) }.into(),
        Failure::Reader(wrong) => wrong.into(),
    })?;
    let mut tail = Tail { place: exported.signed_place, index: of, waiting: 0 };
    tail.read(record, &mut verifier).await?;
    let mut rows = Rows { seen: HashSet::new(), count: 0 };
    for table in SealedTable::ALL {
        rows.of(record, table, &mut verifier, &mut tail, &mut watch).await?;
    }
    rows.nothing_is_missing(record, &verifier).await?;
    rows.staff(record).await?;
    let sealed_rows = rows.count;
    let log = verifier.finish()?;
    Ok(Checked { log, waiting: tail.waiting, sealed_rows })
}

/// Entries after the newest checkpoint. They have no leaf yet; what they say counts all the same.
struct Tail {
    place: Option<i64>,
    index: u64,
    waiting: u64,
}

impl Tail {
    async fn read(&mut self, record: &Record, verifier: &mut Verifier) -> Result<(), Fault> {
        loop {
            let page = record.audit.stored_entries(self.place, None, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            self.place = Some(last.place);
            let changes: Vec<ChangeId> = page.iter().map(|entry| entry.id).collect();
            let mut evidence: std::collections::HashMap<_, _> =
                record.audit.evidence_with(&changes).await?.into_iter().collect();
            for entry in page {
                let id = entry.id;
                let evidence = match evidence.remove(&id) {
                    Some(evidence) => Some(EvidenceLine { change: id, evidence: evidence? }),
                    None => None,
                };
                verifier.take_waiting(&line(entry, self.index), evidence.as_ref())?;
                self.index += 1;
                self.waiting += 1;
            }
        }
    }
}

fn line(entry: StoredEntry, index: u64) -> EntryLine {
    EntryLine {
        index,
        id: entry.id,
        at: entry.at,
        kind: entry.kind,
        salt: entry.salt,
        canonical: entry.canonical,
        leaf_hash: entry.leaf_hash,
        erased_by: entry.erased_by,
        proof: None,
    }
}

/// The rows under seal.
struct Rows {
    seen: HashSet<Uuid>,
    count: u64,
}

impl Rows {
    async fn of(
        &mut self,
        record: &Record,
        table: SealedTable,
        verifier: &mut Verifier,
        tail: &mut Tail,
        watch: &mut (impl FnMut(Step) + Send),
    ) -> Result<(), Fault> {
        let (mut after, mut done) = (None, 0);
        loop {
            let page = record.audit.sealed_rows(table, after, PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = Some(*last);
            done += page.len() as u64;
            // Read after the rows, so that the log is at least as new as they are.
            tail.read(record, verifier).await?;
            for (id, row) in page {
                self.row(record, table, (id, row?), verifier, tail).await?;
                self.count += 1;
            }
            watch(Step::Rows { table, done });
        }
    }

    /// Compares a row with the log. One that moved meanwhile is read again, together with the log.
    async fn row(
        &mut self,
        record: &Record,
        table: SealedTable,
        (id, mut row): (Uuid, SealedRow),
        verifier: &mut Verifier,
        tail: &mut Tail,
    ) -> Result<(), Fault> {
        self.seen.insert(id);
        let mut looks = 0;
        loop {
            let Err(flaw) = fits(&row, verifier) else { return Ok(()) };
            looks += 1;
            let again = reread(record, table, id).await?;
            let moved = version(&again) != version(&row);
            if looks == LOOKS || !moved {
                return Err(fault(table, id, flaw));
            }
            row = again;
            tail.read(record, verifier).await?;
        }
    }

    /// Everything that the log tells of is there; what came to be meanwhile is looked for by itself.
    async fn nothing_is_missing(&self, record: &Record, verifier: &Verifier) -> Result<(), Fault> {
        let approvals = verifier.standings().into_iter().flat_map(Standings::iter).map(|(id, _)| id.uuid());
        let cases = verifier.cases().into_iter().flat_map(Cases::iter).map(|(id, _)| id.uuid());
        let freezes = verifier.freezes().into_iter().flat_map(Freezes::ids).map(|id| id.uuid());
        let told = approvals.map(|id| (SealedTable::Approvals, id));
        let told = told.chain(cases.map(|id| (SealedTable::Overrides, id)));
        let told = told.chain(freezes.map(|id| (SealedTable::Freezes, id)));
        for (table, id) in told.filter(|(_, id)| !self.seen.contains(id)).collect::<Vec<_>>() {
            reread(record, table, id).await?;
        }
        Ok(())
    }

    /// Reading somebody of staff checks their seals.
    async fn staff(&mut self, record: &Record) -> Result<(), Fault> {
        let everybody = record.staff.everybody().await?;
        for person in &everybody {
            self.count += 1 + record.staff.passkeys(person.id).await?.len() as u64;
        }
        self.count += record.staff.open_invites().await?.len() as u64;
        self.count += record.staff.changes(u32::MAX).await?.len() as u64;
        self.count += record.staff.directory_keys().await?.len() as u64;
        Ok(())
    }
}

async fn reread(record: &Record, table: SealedTable, id: Uuid) -> Result<SealedRow, Fault> {
    // The row after the id before this one is this one.
    let before = Uuid::from_u128(id.as_u128().saturating_sub(1));
    let page = record.audit.sealed_rows(table, Some(before), 1).await?;
    match page.into_iter().next() {
        Some((found, row)) if found == id => Ok(row?),
        Some(_) | None => Err(fault(table, id, RowFlaw::Missing)),
    }
}

fn fault(table: SealedTable, id: Uuid, flaw: RowFlaw) -> Fault {
    let (table, id) = match table {
        SealedTable::Keys => ("api_keys", KeyId::from_uuid(id).to_string()),
        SealedTable::Holders => ("holders", HolderId::from_uuid(id).to_string()),
        SealedTable::Channels => ("channels", ChannelId::from_uuid(id).to_string()),
        SealedTable::Devices => ("devices", DeviceId::from_uuid(id).to_string()),
        SealedTable::Approvals => ("approvals", ApprovalId::from_uuid(id).to_string()),
        SealedTable::Freezes => ("freezes", FreezeId::from_uuid(id).to_string()),
        SealedTable::Overrides => ("overrides", OverrideId::from_uuid(id).to_string()),
        SealedTable::Erasures => ("erasures", HolderId::from_uuid(id).to_string()),
    };
    Fault::Row { table, id, flaw }
}
