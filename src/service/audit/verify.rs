//! Checks the record itself: the log as its export would be checked, then what isn't in an export: entries that wait
//! for their place, every row under seal, and whether each approval, device, override, freeze, key, holder and member of
//! staff is what the log says it became.

use std::collections::{HashMap, HashSet};
use uuid::Uuid;

use super::export::{Asked, Failure, export};
pub use super::fits::RowFlaw;
use super::fits::{fits, person_fits};
use super::{PAGE, Record};
use crate::domain::export::{EntryLine, EvidenceLine, Line};
use crate::domain::ids::{ApprovalId, ChangeId, ChannelId, DeviceId, FreezeId, HolderId, KeyId, OverrideId, StaffId};
use crate::domain::log::Note;
use crate::domain::log::tree::{Head, TreeError};
use crate::domain::time::Timestamp;
use crate::domain::verification::devices::Devices;
use crate::domain::verification::freezes::Freezes;
use crate::domain::verification::overrides::Cases;
use crate::domain::verification::register::Register;
use crate::domain::verification::run::{Summary, Verifier};
use crate::domain::verification::standing::{Before, Standings};
use crate::domain::verification::wrong::{Flaw, Place, Wrong};
use crate::domain::witness::quorum::Unmet;
use crate::ports::audit::{EntrySeal, SealedRow, SealedTable, StoredEntry};
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
    /// Cosignatures of the witnesses that count, each by its key and over the checkpoint that it lies with.
    pub cosignatures: u64,
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
    if let Some(id) = record.audit.refused_entries(1).await?.first() {
        return Err(Fault::Row { table: "audit_refused", id: id.to_string(), flaw: RowFlaw::Refused });
    }
    let mut rows = Rows { seen: HashSet::new(), channels: HashMap::new(), count: 0 };
    for table in SealedTable::ALL {
        rows.of(record, table, &mut verifier, &mut tail, &mut watch).await?;
    }
    rows.nothing_is_missing(record, &verifier).await?;
    rows.channels_are_there(&verifier)?;
    rows.staff(record, &verifier).await?;
    let sealed_rows = rows.count;
    let log = verifier.finish()?;
    let cosignatures = cosignatures(record).await?;
    Ok(Checked { log, waiting: tail.waiting, sealed_rows, cosignatures })
}

/// Whatever is kept in the name and key of a witness that counts is by that key, over the checkpoint that it lies with.
/// Lines of others are passed over, as everywhere.
async fn cosignatures(record: &Record) -> Result<u64, Fault> {
    let Some(witnesses) = &record.witnesses else { return Ok(0) };
    let (mut past, mut count) = (0, 0);
    loop {
        let page = record.log.checkpoints(past, PAGE).await?;
        let Some(to) = page.last().map(|signed| signed.head.size) else { return Ok(count) };
        for cosigned in witnesses.store.cosigned_between(past, to).await? {
            let wrong =
                |flaw| Fault::Row { table: "log_cosignatures", id: cosigned.signed.head.size.to_string(), flaw };
            let plain: Note = cosigned.signed.note.parse().map_err(|_| wrong(RowFlaw::Corrupt))?;
            for line in &cosigned.cosignatures {
                let mut note = plain.clone();
                note.add(line.clone());
                match witnesses.quorum.check(&note) {
                    Ok(seen) => count += seen.len() as u64,
                    Err(Unmet::Missing { have, .. }) => count += have as u64,
                    Err(Unmet::Wrong(name)) => return Err(wrong(RowFlaw::Cosignature(name))),
                }
            }
        }
        past = to;
    }
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
            let mut evidence: HashMap<_, _> = record.audit.evidence_with(&changes).await?.into_iter().collect();
            for entry in page {
                let id = entry.id;
                // One that is in the signed tree needs no seal.
                if entry.seal == EntrySeal::Wrong {
                    let place = Place::Entry { index: self.index, id };
                    return Err(Wrong { place, flaw: Flaw::Unsealed }.into());
                }
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
    /// Channels of each holder that live on no device of theirs.
    channels: HashMap<HolderId, u64>,
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
        if let SealedRow::Channel(channel) = &row
            && channel.device.is_none()
        {
            *self.channels.entry(channel.holder).or_default() += 1;
        }
        let mut looks = 0;
        loop {
            let Err(flaw) = fits(&row, verifier) else { return Ok(()) };
            looks += 1;
            let again = reread(record, table, id).await?;
            let moved = again != row;
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
        let there = |holder: &HolderId| verifier.before(*holder) == Before::Known;
        let devices = verifier.devices().into_iter().flat_map(Devices::iter);
        let devices = devices.filter(|(_, known)| there(&known.holder)).map(|(id, _)| id.uuid());
        let told = told.chain(devices.map(|id| (SealedTable::Devices, id)));
        let register = || verifier.register().into_iter();
        let told = told.chain(register().flat_map(Register::keys).map(|id| (SealedTable::Keys, id.uuid())));
        let holders = register().flat_map(Register::holders).map(|(id, _)| id).filter(there);
        let told = told.chain(holders.map(|id| (SealedTable::Holders, id.uuid())));
        let channels = register().flat_map(Register::channels).filter(|(_, holder)| holder.as_ref().is_some_and(there));
        let told = told.chain(channels.map(|(id, _)| (SealedTable::Channels, id.uuid())));
        for (table, id) in told.filter(|(_, id)| !self.seen.contains(id)).collect::<Vec<_>>() {
            reread(record, table, id).await?;
        }
        Ok(())
    }

    /// A holder has at least as many channels as they were added with: none is ever deleted.
    fn channels_are_there(&self, verifier: &Verifier) -> Result<(), Fault> {
        let holders = verifier.register().into_iter().flat_map(Register::holders);
        for (holder, log) in holders.filter(|(holder, _)| verifier.before(*holder) == Before::Known) {
            let row = self.channels.get(&holder).copied().unwrap_or(0);
            // One that was added while this ran is looked at the next time.
            if row < log && self.seen.contains(&holder.uuid()) {
                return Err(fault(SealedTable::Holders, holder.uuid(), RowFlaw::Channels { row, log }));
            }
        }
        Ok(())
    }

    /// Reading somebody of staff checks their seals.
    async fn staff(&mut self, record: &Record, verifier: &Verifier) -> Result<(), Fault> {
        let everybody: HashMap<StaffId, _> =
            record.staff.everybody().await?.into_iter().map(|person| (person.id, person)).collect();
        // Read after the log: whoever is told of is there, and at least as far on.
        for (id, known) in verifier.register().into_iter().flat_map(Register::staff) {
            let wrong = |flaw| Fault::Row { table: "staff", id: id.to_string(), flaw };
            person_fits(everybody.get(&id).ok_or_else(|| wrong(RowFlaw::Missing))?, known).map_err(wrong)?;
        }
        for person in everybody.values() {
            self.count += 1 + record.staff.passkeys(person.id).await?.len() as u64;
        }
        self.count += record.staff.open_invites().await?.len() as u64;
        self.count += record.staff.changes(u32::MAX).await?.len() as u64;
        let keys: HashMap<_, _> = record.staff.directory_keys().await?.into_iter().map(|key| (key.id, key)).collect();
        let register = verifier.register();
        for id in register.into_iter().flat_map(Register::directory_keys) {
            let wrong = |flaw| Fault::Row { table: "directory_keys", id: id.to_string(), flaw };
            let key = keys.get(&id).ok_or_else(|| wrong(RowFlaw::Missing))?;
            let is_revoked = register.is_some_and(|register| register.is_directory_key_revoked(id));
            if is_revoked && key.revoked_at.is_none() {
                return Err(wrong(RowFlaw::Alive));
            }
        }
        self.count += keys.len() as u64;
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
