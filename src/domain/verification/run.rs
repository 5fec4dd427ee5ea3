//! The run through an export, line by line. It keeps a logarithm of the tree, the id of each entry, and what each
//! approval has become; never the entries themselves.

mod agreement;
mod erased;
mod excused;

use std::collections::{HashMap, HashSet};

use super::devices::Devices;
use super::evidence::{self, Keys, Signer};
use super::freezes::Freezes;
use super::overrides::{Cases, Happened};
use super::register::Register;
use super::standing::{Before, ByStaff, Standings};
use super::tree::{Frontier, leaf};
use super::wrong::{Flaw, Place, Wrong};
use crate::domain::audit::reading::Reading;
use crate::domain::details::Digest;
use crate::domain::export::{CheckpointLine, End, EntryLine, EvidenceLine, FORMAT, Header, Line};
use crate::domain::ids::{ChangeId, HolderId};
use crate::domain::log::tree::Head;
use crate::domain::log::{CheckpointError, LogKeys, NoteError, ProofError, TlogProof};
use erased::Erased;
use excused::Excused;

/// Kinds of entries that are worth nothing without the evidence of their signatures.
const SIGNED: [&str; 5] =
    ["device.enrolled", "approval.approved", "override.signed", "override.signed_twice", "freeze.lift_asked"];

/// What was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    pub entries: u64,
    pub erased: u64,
    pub evidence: u64,
    /// Checkpoints whose signature and root were checked, the last one with them.
    pub checkpoints: u64,
    pub approvals: u64,
    /// Size and root of the tree that was signed last.
    pub size: u64,
    pub root: Digest,
}

/// Goes through an export.
pub struct Verifier {
    /// Keys that the reader trusts; else those that the header names.
    keys: Option<LogKeys>,
    /// Trees that were signed and are kept elsewhere.
    known: Vec<Head>,
    run: Option<Run>,
    ended: Option<Summary>,
}

struct Run {
    keys: LogKeys,
    header: Header,
    /// Whether it is all of the log.
    whole: bool,
    tree: Frontier,
    known: Vec<Head>,
    /// Up to here the tree was signed.
    signed: u64,
    before: Before,
    ids: HashSet<ChangeId>,
    standings: Standings,
    cases: Cases,
    freezes: Freezes,
    devices: Devices,
    register: Register,
    /// What could only follow on entries that were erased.
    excused: Excused,
    /// The public keys of each enrolment.
    enrolled: HashMap<Signer, Keys>,
    /// The entry whose evidence may come next.
    last: Option<Last>,
    erased: Erased,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    entries: u64,
    erased: u64,
    evidence: u64,
    checkpoints: u64,
}

struct Last {
    place: Place,
    entry: Reading,
    needs_evidence: bool,
}

impl Verifier {
    /// `keys` are those that the reader got on a way of their own; without them the export is only checked against
    /// itself.
    pub const fn new(keys: Option<LogKeys>) -> Self {
        Self { keys, known: Vec::new(), run: None, ended: None }
    }

    /// Trees that were signed and are kept elsewhere, such as the high-water mark: the log has to contain each. Those
    /// that end before or after the exported part can't be compared.
    #[must_use]
    pub fn knowing(mut self, known: &[Head]) -> Self {
        self.known = known.to_vec();
        self
    }

    /// Takes an entry that waits for its place in the tree, with its evidence: it comes after the end, and what it says
    /// counts.
    ///
    /// # Errors
    /// [`Wrong`].
    pub fn take_waiting(&mut self, entry: &EntryLine, evidence: Option<&EvidenceLine>) -> Result<(), Wrong> {
        let run = self.run.as_mut().ok_or_else(|| export(Flaw::Header))?;
        let place = Place::Entry { index: entry.index, id: entry.id };
        run.read(entry, place).map_err(|flaw| Wrong { place, flaw })?;
        if let Some(evidence) = evidence {
            run.evidence(evidence)?;
        }
        run.close()
    }

    /// Takes the next line.
    ///
    /// # Errors
    /// [`Wrong`]; nothing more should be taken then.
    pub fn take(&mut self, line: Line) -> Result<(), Wrong> {
        if self.ended.is_some() {
            return Err(export(Flaw::AfterEnd));
        }
        match (line, self.run.as_mut()) {
            (Line::Header(header), None) => {
                self.run = Some(Run::start(*header, self.keys.take(), std::mem::take(&mut self.known))?);
            }
            (Line::Header(_), Some(_)) | (_, None) => return Err(export(Flaw::Header)),
            (Line::Entry(entry), Some(run)) => run.entry(&entry)?,
            (Line::Evidence(evidence), Some(run)) => run.evidence(&evidence)?,
            (Line::Checkpoint(checkpoint), Some(run)) => run.checkpoint(&checkpoint)?,
            (Line::End(end), Some(run)) => self.ended = Some(run.end(&end)?),
        }
        Ok(())
    }

    /// What each approval has become, by the entries.
    pub fn standings(&self) -> Option<&Standings> {
        self.run.as_ref().map(|run| &run.standings)
    }

    /// What each override has become, by the entries.
    pub fn cases(&self) -> Option<&Cases> {
        self.run.as_ref().map(|run| &run.cases)
    }

    /// What each freeze has become, by the entries.
    pub fn freezes(&self) -> Option<&Freezes> {
        self.run.as_ref().map(|run| &run.freezes)
    }

    /// What became of each device, by the entries.
    pub fn devices(&self) -> Option<&Devices> {
        self.run.as_ref().map(|run| &run.devices)
    }

    /// Who and what there is, by the entries.
    pub fn register(&self) -> Option<&Register> {
        self.run.as_ref().map(|run| &run.register)
    }

    /// Whether entries about a holder may be unknown to the run: in a part of the log, or when the log tells that the
    /// holder was erased.
    pub fn before(&self, holder: HolderId) -> Before {
        match &self.run {
            Some(run) if run.before == Before::Known && !run.excused.is_erased(holder) => Before::Known,
            Some(_) | None => Before::Unknown,
        }
    }

    /// Keys by which somebody enrolled, by the evidence.
    pub fn enrolled(&self, signer: Signer) -> Option<&Keys> {
        self.run.as_ref().and_then(|run| run.enrolled.get(&signer))
    }

    /// # Errors
    /// [`Flaw::CutOff`] when the end wasn't there; [`Flaw::Erased`] and [`Flaw::Untold`] when the log doesn't tell of
    /// every erased entry, and what could only follow on one, and isn't about a holder whose erasing it tells. Asked
    /// last, because what tells of one may still wait for its place.
    pub fn finish(self) -> Result<Summary, Wrong> {
        let summary = self.ended.ok_or_else(|| export(Flaw::CutOff))?;
        if let Some(run) = self.run {
            // Of a part of the log, the erasures may lie in another part.
            if run.whole {
                run.erased.check(run.header.exported_at)?;
            }
            run.excused.check()?;
        }
        Ok(summary)
    }
}

const fn export(flaw: Flaw) -> Wrong {
    Wrong { place: Place::Export, flaw }
}

impl Run {
    fn start(header: Header, trusted: Option<LogKeys>, known: Vec<Head>) -> Result<Self, Wrong> {
        if header.format != FORMAT {
            return Err(export(Flaw::Format));
        }
        let keys = trusted.unwrap_or_else(|| header.log.clone());
        if keys.origin != header.log.origin {
            return Err(export(Flaw::Checkpoint(CheckpointError::OtherLog(header.log.origin.clone()))));
        }
        let tree = Frontier::of(&header.before).map_err(|e| export(Flaw::Size(Some(e))))?;
        if tree.size() != header.first {
            return Err(export(Flaw::Size(None)));
        }
        Ok(Self {
            keys,
            before: if header.first == 0 { Before::Known } else { Before::Unknown },
            signed: tree.size(),
            tree,
            known,
            header,
            whole: false,
            ids: HashSet::new(),
            standings: Standings::default(),
            cases: Cases::default(),
            freezes: Freezes::default(),
            devices: Devices::default(),
            register: Register::default(),
            excused: Excused::default(),
            enrolled: HashMap::new(),
            last: None,
            erased: Erased::default(),
            counts: Counts::default(),
        })
    }

    /// The entry before is over: its evidence should have come by now.
    fn close(&mut self) -> Result<(), Wrong> {
        match self.last.take() {
            Some(Last { place, needs_evidence: true, .. }) => Err(Wrong { place, flaw: Flaw::NoEvidence }),
            _ => Ok(()),
        }
    }

    fn entry(&mut self, line: &EntryLine) -> Result<(), Wrong> {
        self.close()?;
        let place = Place::Entry { index: line.index, id: line.id };
        if line.index != self.tree.size() {
            return Err(Wrong { place, flaw: Flaw::OutOfOrder { expected: self.tree.size() } });
        }
        self.read(line, place).map_err(|flaw| Wrong { place, flaw })?;
        self.tree.push(line.leaf_hash);
        self.counts.entries += 1;
        self.is_what_is_known(self.tree.size())
    }

    /// Compares with the trees that are kept elsewhere.
    fn is_what_is_known(&self, size: u64) -> Result<(), Wrong> {
        let root = self.tree.root();
        let other = self.known.iter().any(|head| head.size == size && head.root != root);
        let place = Place::Checkpoint { size, from: self.signed };
        if other { Err(Wrong { place, flaw: Flaw::Rewritten }) } else { Ok(()) }
    }

    fn read(&mut self, line: &EntryLine, place: Place) -> Result<(), Flaw> {
        if !self.ids.insert(line.id) {
            return Err(Flaw::Repeated);
        }
        if let Some(proof) = &line.proof {
            let proof: TlogProof = proof.parse().map_err(Flaw::Proof)?;
            if proof.index != line.index {
                return Err(Flaw::Proof(ProofError::Form));
            }
            // The checkpoint of a proof is newer than the entry; the key in use at export is the one that counts.
            proof.verify(&line.leaf_hash, &self.keys, self.header.exported_at).map_err(Flaw::Proof)?;
        }
        let (salt, canonical) = match (&line.salt, &line.canonical) {
            (Some(salt), Some(canonical)) => (salt, canonical),
            (None, None) => {
                // Nothing in it can be read, but its leaf stands.
                self.counts.erased += 1;
                self.erased.found(line, place);
                return Ok(());
            }
            _ => return Err(Flaw::HalfErased),
        };
        if leaf(&salt.0, canonical) != line.leaf_hash {
            return Err(Flaw::Leaf);
        }
        let entry = Reading::of(canonical).map_err(Flaw::Text)?;
        if (entry.id, entry.at, entry.kind.as_str()) != (line.id, line.at, line.kind.as_str()) {
            return Err(Flaw::Columns);
        }
        self.replay(&entry, place)?;
        self.erased.told(&entry);
        self.excused.told(&entry);
        let needs_evidence = SIGNED.contains(&entry.kind.as_str());
        self.last = Some(Last { place, entry, needs_evidence });
        Ok(())
    }

    /// What the entry did to approvals, overrides and freezes.
    fn replay(&mut self, entry: &Reading, place: Place) -> Result<(), Flaw> {
        let (before, erased) = (self.before, self.counts.erased);
        let Self { standings, freezes, cases, devices, register, excused, .. } = self;
        register.take(entry)?;
        let mut lenient = excused.about(entry, place, before, erased);
        lenient.takes(|before| devices.take(entry, before))?;
        lenient.takes(|before| freezes.take(entry, before))?;
        lenient.takes(|before| standings.take(entry, before))?;
        match lenient.takes(|before| cases.take(entry, before))? {
            None => {}
            Some(Happened::Prolonged { approval, version }) => {
                lenient.takes(|before| standings.prolonged(approval, version, entry.at, before))?;
            }
            Some(Happened::Approved { approval, version, digest, case, request }) => {
                let by = ByStaff { case, request, version, digest, at: entry.at };
                lenient.takes(|before| standings.approved_by_staff(approval, &by, before))?;
            }
            Some(Happened::Unfrozen { freeze }) => lenient.takes(|before| freezes.unfrozen(freeze, before))?,
        }
        Ok(())
    }

    fn evidence(&mut self, line: &EvidenceLine) -> Result<(), Wrong> {
        let Some(last) = self.last.take() else {
            // Evidence of an entry that was erased says nothing that could be compared.
            return if self.counts.erased > 0 { Ok(()) } else { Err(export(Flaw::StrayEvidence)) };
        };
        let place = last.place;
        let checked = if last.entry.id == line.change {
            evidence::check(&line.evidence, &self.header.sites).map_err(Flaw::from)
        } else {
            Err(Flaw::StrayEvidence)
        };
        let checked = checked.and_then(|proven| self.agrees(&last.entry, place, &proven));
        self.counts.evidence += 1;
        checked.map_err(|flaw| Wrong { place, flaw })
    }

    fn checkpoint(&mut self, line: &CheckpointLine) -> Result<(), Wrong> {
        self.close()?;
        let place = Place::Checkpoint { size: self.tree.size(), from: self.signed };
        self.signed_by(line).map_err(|flaw| Wrong { place, flaw })?;
        self.signed = self.tree.size();
        Ok(())
    }

    fn signed_by(&mut self, line: &CheckpointLine) -> Result<(), Flaw> {
        let note = line.note.parse().map_err(|e: NoteError| Flaw::Checkpoint(e.into()))?;
        let checkpoint = self.keys.open(&note, line.at)?;
        if checkpoint.size != self.tree.size() {
            return Err(Flaw::Size(None));
        }
        if checkpoint.root != self.tree.root() {
            return Err(Flaw::Root);
        }
        self.counts.checkpoints += 1;
        Ok(())
    }

    fn end(&mut self, line: &End) -> Result<Summary, Wrong> {
        self.close()?;
        if line.entries != self.counts.entries {
            return Err(export(Flaw::Count { said: line.entries, found: self.counts.entries }));
        }
        for subtree in &line.after {
            self.tree.put(*subtree).map_err(|e| export(Flaw::Size(Some(e))))?;
        }
        let size = self.tree.size();
        if let Some(known) = self.known.iter().map(|head| head.size).max().filter(|known| *known > size) {
            return Err(export(Flaw::RolledBack { size, known }));
        }
        self.is_what_is_known(size)?;
        match &line.checkpoint {
            Some(last) => self.checkpoint(last)?,
            None if self.tree.size() == 0 => {}
            None => return Err(export(Flaw::Unsigned)),
        }
        self.whole = self.header.first == 0 && line.after.is_empty();
        Ok(Summary {
            entries: self.counts.entries,
            erased: self.counts.erased,
            evidence: self.counts.evidence,
            checkpoints: self.counts.checkpoints,
            approvals: self.standings.len() as u64,
            size: self.tree.size(),
            root: self.tree.root(),
        })
    }
}

#[cfg(test)]
mod tests;
