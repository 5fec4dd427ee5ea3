//! A small log with real signatures, verified whole and in parts; then the same with every lie that the database's
//! owner could tell, each named at the first entry that it makes wrong.

use std::time::Duration;

use super::super::samples::{HONEST, Phone, sites};
use super::super::tree::{Subtree, covering};
use super::*;
use crate::domain::approval::Actor;
use crate::domain::audit::{AuditEntry, AuditEvent, Facts};
use crate::domain::device::Blob;
use crate::domain::erasure::ERASURE;
use crate::domain::evidence::Evidence;
use crate::domain::ids::{ApprovalId, HolderId, LinkId};
use crate::domain::log::Checkpoint;
use crate::domain::log::keys::tests::{keys, signed};
use crate::domain::time::Timestamp;

const NAME: &str = "approve.example/log";
const HOLD: Duration = Duration::from_secs(900);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(1_795_271_520_000_000 + seconds * 1_000_000)
}

struct Log {
    phone: Phone,
    approval: ApprovalId,
    entries: Vec<(AuditEntry, Option<Evidence>)>,
}

impl Log {
    /// An enrolment and a transfer, from its opening to its redemption.
    fn new() -> Self {
        let phone = Phone::new(1);
        let approval = ApprovalId::new(at(0), [1; 10]);
        let mut log = Self { phone, approval, entries: Vec::new() };
        let (holder, link) = (HolderId::new(at(0), [2; 10]), LinkId::new(at(0), [3; 10]));
        let device = Actor::Device(log.phone.id);
        let enrolled = log.phone.enrols(holder, link);
        log.add(1, "holder.added", Actor::Service, &[&holder], &[], None);
        log.add(2, "device.enrolled", device, &[&log.phone.id.to_string(), &holder, &link], &[], Some(enrolled));
        log.step(10, "approval.opened", Actor::Service, 1, None);
        log.step(11, "approval.watched", Actor::Initiator, 2, None);
        let evidence = log.phone.approves(log.phone.preimage(approval, 2, details(), HOLD), &HONEST);
        log.step(20, "approval.approved", device, 3, Some(evidence));
        log.step(920, "approval.released", Actor::Service, 4, None);
        log.step(930, "approval.redeemed", Actor::Service, 5, None);
        log
    }

    fn add(
        &mut self,
        seconds: i64,
        kind: &'static str,
        actor: Actor,
        object: &[&dyn std::fmt::Display],
        facts: &[(&'static str, String)],
        evidence: Option<Evidence>,
    ) {
        let number = u8::try_from(self.entries.len()).unwrap();
        let id = ChangeId::new(at(seconds), [number; 10]);
        let object = object.iter().map(ToString::to_string).collect();
        let event = AuditEvent { kind, actor, object, facts: facts.iter().cloned().collect::<Facts>() };
        self.entries.push((AuditEntry::new(id, at(seconds), [number; 16], &event).unwrap(), evidence));
    }

    fn step(&mut self, seconds: i64, kind: &'static str, actor: Actor, version: u32, evidence: Option<Evidence>) {
        let mut facts = vec![("version", version.to_string()), ("digest", details().to_string())];
        if let Some(Evidence::Approve { preimage, .. }) = &evidence {
            facts.push(("challenge", preimage.challenge().to_string()));
        }
        let approval = self.approval;
        self.add(seconds, kind, actor, &[&approval], &facts, evidence);
    }

    fn leaves(&self) -> Vec<Digest> {
        self.entries.iter().map(|(entry, _)| entry.leaf_hash).collect()
    }

    fn checkpoint(&self, size: usize) -> CheckpointLine {
        let mut tree = Frontier::default();
        self.leaves()[..size].iter().for_each(|leaf| tree.push(*leaf));
        let log = crate::domain::log::Origin::parse(NAME).unwrap();
        let checkpoint = Checkpoint { origin: log, size: size as u64, root: tree.root() };
        CheckpointLine { at: at(1000), note: signed(1, NAME, &checkpoint).to_string() }
    }

    fn subtrees(&self, from: usize, to: usize) -> Vec<Subtree> {
        let leaves = self.leaves();
        let hash = |(first, level): (u64, u8)| {
            let first = usize::try_from(first).unwrap();
            let mut tree = Frontier::default();
            leaves[first..first + (1 << level)].iter().for_each(|leaf| tree.push(*leaf));
            Subtree { level, hash: tree.root() }
        };
        covering(from as u64, to as u64).into_iter().map(hash).collect()
    }

    /// The export of a part.
    fn export(&self, from: usize, to: usize) -> Vec<Line> {
        let mut lines = vec![Line::Header(Box::new(Header {
            format: FORMAT.into(),
            log: keys(NAME, &[1]),
            sites: sites(),
            exported_at: at(1000),
            from: None,
            to: None,
            first: from as u64,
            before: self.subtrees(0, from),
        }))];
        for (index, (entry, evidence)) in self.entries.iter().enumerate().take(to).skip(from) {
            lines.push(Line::Entry(EntryLine::of(index as u64, entry)));
            let line = |evidence: &Evidence| EvidenceLine { change: entry.id, evidence: evidence.clone() };
            lines.extend(evidence.as_ref().map(|evidence| Line::Evidence(Box::new(line(evidence)))));
            if index % 3 == 2 {
                lines.push(Line::Checkpoint(self.checkpoint(index + 1)));
            }
        }
        let all = self.entries.len();
        lines.push(Line::End(End {
            entries: (to - from) as u64,
            after: self.subtrees(to, all),
            checkpoint: Some(self.checkpoint(all)),
        }));
        lines
    }
}

fn details() -> Digest {
    Digest::of(b"details")
}

fn verify(lines: Vec<Line>) -> Result<Summary, Wrong> {
    let mut verifier = Verifier::new(Some(keys(NAME, &[1])));
    for line in lines {
        // Each line is read from its text, as from a file.
        let text = serde_json::to_string(&line).unwrap();
        let again: Line = serde_json::from_str(&text).unwrap();
        assert_eq!(again, line, "{text}");
        verifier.take(again)?;
    }
    verifier.finish()
}

/// The index of the first entry that is wrong, and what is wrong with it.
fn wrong(lines: Vec<Line>) -> (Option<u64>, String) {
    let wrong = verify(lines).unwrap_err();
    let index = match wrong.place {
        Place::Entry { index, .. } => Some(index),
        Place::Checkpoint { .. } | Place::Export => None,
    };
    (index, wrong.flaw.to_string())
}

fn entry_mut(lines: &mut [Line], index: u64) -> &mut EntryLine {
    let found = lines.iter_mut().find_map(|line| match line {
        Line::Entry(entry) if entry.index == index => Some(entry),
        _ => None,
    });
    found.unwrap()
}

/// Writes an entry anew, with its leaf: what somebody does who can write anything but can't sign.
fn rewrite(line: &mut EntryLine, from: &str, to: &str) {
    let canonical = line.canonical.as_mut().unwrap();
    assert!(canonical.contains(from), "{canonical}");
    *canonical = canonical.replace(from, to);
    line.leaf_hash = leaf(&line.salt.as_ref().unwrap().0, canonical);
}

#[test]
fn an_honest_log_verifies_whole_and_in_every_part() {
    let log = Log::new();
    let summary = verify(log.export(0, 7)).unwrap();
    assert_eq!((summary.entries, summary.evidence, summary.checkpoints, summary.approvals), (7, 2, 3, 1));
    assert_eq!((summary.size, summary.erased), (7, 0));
    for from in 0..7 {
        for to in from..=7 {
            let part = verify(log.export(from, to)).unwrap_or_else(|wrong| panic!("{from}..{to}: {wrong}"));
            assert_eq!((part.size, part.root), (7, summary.root));
        }
    }
}

#[test]
fn a_flipped_byte_is_named_where_it_is() {
    let log = Log::new();
    for index in 0..7 {
        let mut lines = log.export(0, 7);
        let canonical = entry_mut(&mut lines, index).canonical.as_mut().unwrap();
        *canonical = canonical.replacen("\"v\":1", "\"v\":2", 1);
        assert_eq!(wrong(lines).0, Some(index));
        let mut lines = log.export(0, 7);
        entry_mut(&mut lines, index).salt = Some(Blob(vec![9; 16]));
        assert_eq!(wrong(lines), (Some(index), Flaw::Leaf.to_string()));
        let mut lines = log.export(0, 7);
        entry_mut(&mut lines, index).kind = "approval.other".into();
        assert_eq!(wrong(lines), (Some(index), Flaw::Columns.to_string()));
    }
}

#[test]
fn an_entry_rewritten_with_its_leaf_is_found_by_the_signed_root() {
    let log = Log::new();
    let mut lines = log.export(0, 7);
    rewrite(entry_mut(&mut lines, 0), "\"service\"", "\"operator\"");
    let wrong = verify(lines).unwrap_err();
    assert!(matches!(wrong.place, Place::Checkpoint { size: 3, from: 0 }), "{wrong}");
    assert!(matches!(wrong.flaw, Flaw::Root), "{wrong}");
}

#[test]
fn the_newest_entries_can_not_be_left_out() {
    let log = Log::new();
    let mut lines = log.export(0, 7);
    lines.retain(|line| !matches!(line, Line::Entry(entry) if entry.index == 6));
    assert_eq!(wrong(lines), (None, Flaw::Count { said: 7, found: 6 }.to_string()));
    let mut lines = log.export(0, 7);
    lines.retain(|line| !matches!(line, Line::Entry(entry) if entry.index == 6));
    let Some(Line::End(end)) = lines.last_mut() else { panic!() };
    end.entries = 6;
    let found = verify(lines).unwrap_err();
    assert!(matches!((found.place, &found.flaw), (Place::Checkpoint { size: 6, .. }, Flaw::Size(None))), "{found}");
    let mut lines = log.export(0, 7);
    lines.pop();
    assert_eq!(wrong(lines).1, Flaw::CutOff.to_string());
}

#[test]
fn entries_neither_move_nor_repeat() {
    let log = Log::new();
    let mut lines = log.export(0, 7);
    lines.swap(1, 2);
    assert_eq!(wrong(lines).1, Flaw::OutOfOrder { expected: 0 }.to_string());
    let mut lines = log.export(0, 7);
    let mut again = entry_mut(&mut lines, 0).clone();
    again.index = 1;
    lines.insert(2, Line::Entry(again));
    assert_eq!(wrong(lines), (Some(1), Flaw::Repeated.to_string()));
}

#[test]
fn an_approval_without_its_evidence_is_named() {
    let log = Log::new();
    let mut lines = log.export(0, 7);
    lines.retain(|line| !matches!(line, Line::Evidence(e) if matches!(e.evidence, Evidence::Approve { .. })));
    assert_eq!(wrong(lines), (Some(4), Flaw::NoEvidence.to_string()));
}

#[test]
fn evidence_of_another_phone_is_named() {
    // The thief's own phone signs the very same preimage; its device never enrolled.
    let mut log = Log::new();
    let thief = Phone::new(9);
    let preimage = thief.preimage(log.approval, 2, details(), HOLD);
    let challenge = preimage.challenge();
    let mut evidence = thief.approves(preimage, &HONEST);
    let Evidence::Approve { device, .. } = &mut evidence else { panic!() };
    *device = log.phone.id;
    log.entries.truncate(4);
    let mut facts = vec![("version", "3".to_owned()), ("digest", details().to_string())];
    facts.push(("challenge", challenge.to_string()));
    let (approval, by) = (log.approval, Actor::Device(log.phone.id));
    log.add(20, "approval.approved", by, &[&approval], &facts, Some(evidence));
    assert_eq!(wrong(log.export(0, 5)), (Some(4), Flaw::OtherKeys.to_string()));
    // Without the enrolment in the log, nobody vouches for the keys.
    log.entries.remove(1);
    assert_eq!(wrong(log.export(0, 4)), (Some(3), Flaw::NeverEnrolled.to_string()));
}

#[test]
fn evidence_of_another_amount_or_hold_is_named() {
    let log = Log::new();
    for (version, digest, hold) in [(2, Digest::of(b"other"), HOLD), (1, details(), HOLD)] {
        let mut lines = log.export(0, 7);
        let other = log.phone.approves(log.phone.preimage(log.approval, version, digest, hold), &HONEST);
        for line in &mut lines {
            match line {
                Line::Evidence(line) if matches!(line.evidence, Evidence::Approve { .. }) => {
                    line.evidence = other.clone()
                }
                _ => {}
            }
        }
        let (index, flaw) = wrong(lines);
        assert_eq!(index, Some(4));
        assert!(flaw.contains("something else"), "{flaw}");
    }
}

#[test]
fn a_release_before_the_signed_hold_is_named() {
    let mut log = Log::new();
    log.entries.truncate(5);
    log.step(919, "approval.released", Actor::Service, 4, None);
    let (index, flaw) = wrong(log.export(0, 6));
    assert_eq!(index, Some(5));
    assert!(flaw.contains("before its hold was over"), "{flaw}");
}

#[test]
fn nothing_comes_back_from_a_final_state() {
    let mut log = Log::new();
    log.step(940, "approval.released", Actor::Service, 6, None);
    assert_eq!(wrong(log.export(0, 8)).0, Some(7));
}

#[test]
fn erased_entries_keep_every_proof_valid_if_the_log_tells_of_them() {
    let mut log = Log::new();
    let erase = |lines: &mut Vec<Line>| {
        for index in 0..7 {
            let entry = entry_mut(lines, index);
            (entry.salt, entry.canonical) = (None, None);
        }
        lines.retain(|line| !matches!(line, Line::Evidence(_)));
    };
    let mut silent = log.export(0, 7);
    erase(&mut silent);
    assert_eq!(wrong(silent), (Some(0), Flaw::Erased(7, 0).to_string()));
    log.add(2000, ERASURE, Actor::Operator, &[], &[("entries", "7".to_owned())], None);
    let mut told = log.export(0, 8);
    erase(&mut told);
    let summary = verify(told).unwrap();
    assert_eq!((summary.entries, summary.erased), (8, 7));
    let mut half = log.export(0, 8);
    entry_mut(&mut half, 3).salt = None;
    assert_eq!(wrong(half), (Some(3), Flaw::HalfErased.to_string()));
}

#[test]
fn only_the_keys_that_the_reader_trusts_count() {
    let log = Log::new();
    let run = |trusted: Option<LogKeys>| {
        let mut verifier = Verifier::new(trusted);
        log.export(0, 7).into_iter().try_for_each(|line| verifier.take(line))?;
        verifier.finish()
    };
    assert!(run(None).is_ok());
    assert!(matches!(run(Some(keys(NAME, &[2]))).unwrap_err().flaw, Flaw::Checkpoint(_)));
    assert!(matches!(run(Some(keys("other.example/log", &[1]))).unwrap_err().place, Place::Export));
}

#[test]
fn what_is_no_export_is_refused() {
    let log = Log::new();
    let mut lines = log.export(0, 7);
    let Line::Header(header) = &mut lines[0] else { panic!() };
    header.format = "countersign/audit-export/v2".into();
    assert_eq!(wrong(lines).1, Flaw::Format.to_string());
    let mut lines = log.export(0, 7);
    lines.remove(0);
    assert_eq!(wrong(lines).1, Flaw::Header.to_string());
    let mut lines = log.export(0, 7);
    lines.push(lines[1].clone());
    assert_eq!(wrong(lines).1, Flaw::AfterEnd.to_string());
    // Subtrees around a part that were made up give another root.
    let mut lines = log.export(3, 5);
    let Line::Header(header) = &mut lines[0] else { panic!() };
    header.before[0].hash = Digest::of(b"made up");
    assert!(matches!(verify(lines).unwrap_err().flaw, Flaw::Root));
}
