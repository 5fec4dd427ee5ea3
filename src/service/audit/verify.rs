//! Checks the record itself: the log as its export would be checked, then what isn't in an export: entries that wait
//! for their place, every row under seal, and whether each approval and device is what the log says it became.

use std::collections::HashSet;
use uuid::Uuid;

use super::export::{Asked, Failure, export};
use super::{PAGE, Record};
use crate::domain::approval::{Approval, StateName, Version};
use crate::domain::device::Device;
use crate::domain::export::{EntryLine, EvidenceLine, Line};
use crate::domain::ids::{ApprovalId, ChangeId};
use crate::domain::log::tree::{Head, TreeError};
use crate::domain::time::Timestamp;
use crate::domain::verification::evidence::Signer;
use crate::domain::verification::run::{Summary, Verifier};
use crate::domain::verification::standing::{Before, Standing};
use crate::domain::verification::wrong::{Flaw, Place, Wrong};
use crate::ports::audit::{SealedRow, SealedTable, StoredEntry};
use crate::ports::store::StoreError;

/// How often an approval that moved while it was looked at is looked at again.
const LOOKS: usize = 5;

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowFlaw {
    #[error("its seal is wrong: somebody wrote it who doesn't have the key")]
    Forged,
    #[error("it doesn't read")]
    Corrupt,
    #[error("the log knows nothing of it")]
    NotInLog,
    #[error("it is {row} with version {row_version}, and by the log it is {log} with version {log_version}", row = .row.as_str(), log = .log.as_str())]
    State { row: StateName, row_version: Version, log: StateName, log_version: Version },
    #[error("it has other details than it was opened with")]
    Digest,
    #[error("its decision isn't the one that the log has")]
    Decision,
    #[error("its hold ends before what was signed")]
    Hold,
    #[error("the log has it, and it is gone")]
    Missing,
    #[error("it has another device key than it was enrolled with")]
    Key,
}

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
        proof: None,
    }
}

/// The rows under seal.
struct Rows {
    seen: HashSet<ApprovalId>,
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
                match row? {
                    SealedRow::Approval(approval) => self.approval(record, *approval, id, verifier, tail).await?,
                    SealedRow::Device(device) => device_fits(&device, verifier)?,
                    SealedRow::Other => {}
                }
                self.count += 1;
            }
            watch(Step::Rows { table, done });
        }
    }

    /// Compares an approval with the log. One that moved meanwhile is read again, together with the log.
    async fn approval(
        &mut self,
        record: &Record,
        mut approval: Approval,
        id: Uuid,
        verifier: &mut Verifier,
        tail: &mut Tail,
    ) -> Result<(), Fault> {
        self.seen.insert(approval.id);
        let mut looks = 0;
        loop {
            let standing = verifier.standings().and_then(|standings| standings.get(approval.id));
            let Err(flaw) = fits(&approval, standing, verifier.before()) else { return Ok(()) };
            looks += 1;
            let again = reread(record, id).await?;
            let moved = again.version != approval.version;
            if looks == LOOKS || !moved {
                return Err(Fault::Row { table: "approvals", id: approval.id.to_string(), flaw });
            }
            approval = again;
            tail.read(record, verifier).await?;
        }
    }

    /// Every approval that the log tells of is there; one that was opened meanwhile is looked for by itself.
    async fn nothing_is_missing(&self, record: &Record, verifier: &Verifier) -> Result<(), Fault> {
        let Some(standings) = verifier.standings() else { return Ok(()) };
        for (id, _) in standings.iter().filter(|(id, _)| !self.seen.contains(id)) {
            reread(record, id.uuid()).await?;
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

async fn reread(record: &Record, id: Uuid) -> Result<Approval, Fault> {
    // The row after the id before this one is this one.
    let before = Uuid::from_u128(id.as_u128().saturating_sub(1));
    let page = record.audit.sealed_rows(SealedTable::Approvals, Some(before), 1).await?;
    let missing =
        || Fault::Row { table: "approvals", id: ApprovalId::from_uuid(id).to_string(), flaw: RowFlaw::Missing };
    match page.into_iter().next() {
        Some((found, row)) if found == id => match row? {
            SealedRow::Approval(approval) => Ok(*approval),
            SealedRow::Device(_) | SealedRow::Other => Err(missing()),
        },
        Some(_) | None => Err(missing()),
    }
}

/// Whether an approval is what the log says it became.
fn fits(approval: &Approval, standing: Option<&Standing>, before: Before) -> Result<(), RowFlaw> {
    let Some(standing) = standing else {
        return if before == Before::Known { Err(RowFlaw::NotInLog) } else { Ok(()) };
    };
    let row = approval.state.name();
    if (row, approval.version) != (standing.state, standing.version) {
        return Err(RowFlaw::State {
            row,
            row_version: approval.version,
            log: standing.state,
            log_version: standing.version,
        });
    }
    if approval.digest() != standing.digest {
        return Err(RowFlaw::Digest);
    }
    let decided = approval.state.decision().map(|decision| decision.challenge);
    if decided.is_some() && decided != standing.challenge {
        return Err(RowFlaw::Decision);
    }
    let ends_early = match approval.state {
        crate::domain::approval::State::Cooling { cooling_until, .. } => cooling_until < standing.until,
        _ => false,
    };
    if ends_early { Err(RowFlaw::Hold) } else { Ok(()) }
}

fn device_fits(device: &Device, verifier: &Verifier) -> Result<(), Fault> {
    let flaw = match verifier.enrolled(Signer::Device(device.body.id)) {
        Some(keys) if keys.device == Some(crate::domain::details::Digest::of(device.body.key.bytes())) => return Ok(()),
        Some(_) => RowFlaw::Key,
        None if verifier.before() == Before::Unknown => return Ok(()),
        None => RowFlaw::NotInLog,
    };
    Err(Fault::Row { table: "devices", id: device.body.id.to_string(), flaw })
}
