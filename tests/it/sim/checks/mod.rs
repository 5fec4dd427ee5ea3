//! The invariants of design section 9, told a second time: from what was stored, with the clocks of that moment, from
//! the answers that were given, and from what the run knows and the services don't: who sat where, and who has which key.
//!
//! `moves` judges each stored transition, `answers` what callers were told, `rest` what must hold once all is calm.

mod answers;
mod moves;
mod rest;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use countersign::domain::approval::{Approval, StateName};
use countersign::domain::channel::Notice;
use countersign::domain::freeze::{Freeze, FreezeStep};
use countersign::domain::holder::PENDING_AT_ONCE;
use countersign::domain::{ApprovalId, BackendId, ChannelId, DeviceId, FreezeId, HolderId, Timestamp};
use countersign::ports::Effect;

use super::acts::Act;
use super::run::Run;
use super::store::Stored;

/// An invariant that doesn't hold.
#[derive(Debug)]
pub struct Broken {
    /// Number and gist in design section 9.
    pub rule: &'static str,
    pub what: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.what)
    }
}

pub const EARLY: &str = "1 never released early";
pub const EVIDENCE: &str = "2 never released without evidence of a device that may decide";
pub const ONCE: &str = "3 redeemed at most once, by one key and digest";
pub const FINAL: &str = "4 a final state stays";
pub const STOPPED: &str = "5 what was stopped is never redeemed";
pub const WHOLE: &str = "6 a transition and its consequences exist together or not at all";
pub const STUCK: &str = "7 nothing is stuck";
pub const ENTITLED: &str = "8 only who may do it does it";
pub const SECRET: &str = "9 no secret in the log";
pub const LOST: &str = "10 nothing acknowledged is lost";
/// Design section 5.
pub const LOG: &str = "the log has every entry once, and only grows";
/// Design section 2, "Nobody is surprised".
pub const TOLD: &str = "the holder was told";
/// Design section 2 and 8: versions, caps, unique transfers.
pub const ORDER: &str = "versions rise by one, caps and names hold";

/// Breaks the rule unless the condition holds.
pub fn must(condition: bool, rule: &'static str, what: impl FnOnce() -> String) -> Result<(), Broken> {
    if condition { Ok(()) } else { Err(Broken { rule, what: what() }) }
}

/// What is known of one approval.
#[derive(Debug, Clone)]
pub struct Life {
    pub approval: Approval,
    /// How many changes had been stored when it was opened.
    pub opened_after: usize,
    /// Who opened the waiting page first, and how many changes had been stored by then.
    pub watched_from: Option<usize>,
    pub watched_after: usize,
    /// When the approve was stored, by the database's clock.
    pub approved_at: Option<Timestamp>,
    pub receipt: Option<String>,
    /// Versions that backends are told of.
    pub public: Vec<u32>,
}

/// Everything the checks remember.
#[derive(Default)]
pub struct Checks {
    seen: usize,
    evidence: usize,
    lives: BTreeMap<ApprovalId, Life>,
    /// Devices that failed too often.
    locked: BTreeSet<DeviceId>,
    /// Channels that were removed, and how many changes had been stored with it.
    removed: BTreeMap<ChannelId, usize>,
    /// Approvals whose stopping was answered with success.
    stopped: BTreeSet<ApprovalId>,
    /// Every freeze as it was stored last.
    freezes: BTreeMap<FreezeId, Freeze>,
    /// Answers to creates, by backend and idempotency key.
    created: BTreeMap<(BackendId, String), (Timestamp, String)>,
}

impl Checks {
    /// Judges what was stored since the last look, and the record as a whole.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn stored(&mut self, run: &Run) -> Result<(), Broken> {
        let fresh: Vec<Stored> = run.log.stored()[self.seen..].to_vec();
        if fresh.is_empty() {
            return Ok(());
        }
        for stored in &fresh {
            self.seen += 1;
            self.evidence += usize::from(stored.change.evidence.is_some());
            let act = &run.acts[&stored.task];
            match &stored.change.effect {
                Effect::Open { approval, .. } => self.opened(run, act, stored, approval)?,
                Effect::Transition { transition, receipt, .. } => {
                    self.moved(run, act, stored, transition, receipt.as_ref())?;
                }
                Effect::CountFailure { device, lock_at: Some(_), .. } => {
                    self.locked.insert(*device);
                }
                Effect::CountFailure { .. } | Effect::Noted => {}
                Effect::Freeze { step, .. } => self.froze(run, act, stored, step)?,
                // Its push service said that there is nobody: of those that the cast has, only a device's own may go so.
                Effect::RemoveChannel { channel, .. }
                    if matches!(act, Act::Notices)
                        && run.cast.channels.iter().any(|one| one.id == *channel && one.device.is_some()) =>
                {
                    self.removed.insert(*channel, self.seen);
                }
                other => return Err(Broken { rule: ENTITLED, what: format!("nobody asked for {other:?}") }),
            }
        }
        self.record(run)
    }

    /// Judges whom a change tells: every channel of the holder's that is left, each once, and none that was gone when the
    /// task began. One may go between its reading and its commit.
    fn tells(&self, run: &Run, stored: &Stored, holder: HolderId, notices: &[&Notice]) -> Result<(), Broken> {
        let began = run.began[&stored.task];
        let theirs = run.cast.channels.iter().filter(|channel| channel.holder == holder).map(|channel| channel.id);
        let (gone, left): (BTreeSet<ChannelId>, BTreeSet<ChannelId>) =
            theirs.partition(|id| self.removed.contains_key(id));
        let told: BTreeSet<ChannelId> = notices.iter().map(|notice| notice.channel).collect();
        let was_there = |id: &ChannelId| self.removed.get(id).is_some_and(|removed| *removed > began);
        let fits = told.len() == notices.len()
            && told.is_superset(&left)
            && told.difference(&left).all(|id| gone.contains(id) && was_there(id));
        must(fits, WHOLE, || format!("{told:?} are told, {left:?} are left, {gone:?} are gone"))
    }

    fn opened(&mut self, run: &Run, act: &Act, stored: &Stored, approval: &Approval) -> Result<(), Broken> {
        let Act::Request { caller, holder, number, amount, .. } = act else {
            return Err(Broken { rule: ENTITLED, what: format!("{act:?} opened an approval") });
        };
        let (caller, holder) = (&run.cast.callers[*caller], &run.cast.holders[*holder]);
        let transfer = approval.details.transfer();
        let as_asked = approval.backend == caller.backend
            && approval.holder == holder.id
            && holder.backend == caller.backend
            && transfer.amount.as_str() == *amount
            && transfer.transfer_id.as_str() == format!("t-{number}");
        must(as_asked, ENTITLED, || format!("{act:?} opened {approval:?}"))?;
        must(!self.is_frozen(approval.holder), STOPPED, || format!("{act:?} opened for a frozen holder"))?;
        must(approval.version == 1, ORDER, || "an approval begins at version 1".to_owned())?;
        let holds_name = |life: &&Life| {
            let name = life.approval.state.name();
            (!name.is_final() || name == StateName::Redeemed)
                && life.approval.details.transfer().transfer_id == transfer.transfer_id
        };
        let taken = self.lives.values().find(holds_name);
        must(taken.is_none(), ORDER, || format!("{} lives twice", transfer.transfer_id.as_str()))?;
        self.tells(run, stored, approval.holder, &stored.change.notices.iter().collect::<Vec<_>>())?;
        let life = Life {
            approval: approval.clone(),
            opened_after: self.seen,
            watched_from: None,
            watched_after: 0,
            approved_at: None,
            receipt: None,
            public: Vec::new(),
        };
        self.lives.insert(approval.id, life);
        let pending =
            |life: &&Life| life.approval.holder == approval.holder && life.approval.state.name() == StateName::Pending;
        let waiting = self.lives.values().filter(pending).count();
        must(waiting <= PENDING_AT_ONCE as usize, ORDER, || format!("{waiting} wait at once"))
    }

    fn is_frozen(&self, holder: HolderId) -> bool {
        self.freezes.values().any(|freeze| freeze.holder == holder && freeze.holds())
    }

    /// Judges a step of a freeze: begun or said again by whoever may, ended by nobody but time.
    fn froze(&mut self, run: &Run, act: &Act, stored: &Stored, step: &FreezeStep) -> Result<(), Broken> {
        let freeze = &step.freeze;
        let known = self.freezes.get(&freeze.id);
        let version = known.map_or(1, |known| known.version + 1);
        must(freeze.version == version, ORDER, || format!("{} came after version {version}", freeze.version))?;
        must(known.is_some() || !self.is_frozen(freeze.holder), ORDER, || "two freezes hold at once".to_owned())?;
        must(known.is_none_or(Freeze::holds), FINAL, || format!("{freeze:?} had ended"))?;
        if freeze.holds() {
            let entitled = match act {
                Act::FreezeByLink { holder, .. } => *holder == freeze.holder,
                Act::FreezeOnDevice { seat } => {
                    let gear = run.cast.seats[*seat].gear.map(|gear| &run.cast.gear[gear]);
                    gear.is_some_and(|gear| run.cast.holders[gear.holder].id == freeze.holder)
                }
                _ => false,
            };
            must(entitled, ENTITLED, || format!("{act:?} froze {}", freeze.holder))?;
        } else {
            let due = known.and_then(Freeze::due_at);
            let over = matches!(act, Act::Freezes) && due.is_some_and(|due| stored.by_database >= due);
            must(over, EARLY, || format!("{act:?} ended a freeze that is due at {due:?}"))?;
        }
        self.freezes.insert(freeze.id, freeze.clone());
        Ok(())
    }

    /// That the record is what the stored changes add up to, and nothing else.
    fn record(&self, run: &Run) -> Result<(), Broken> {
        run.store.look(|record| {
            must(record.entries.len() == self.seen, WHOLE, || {
                format!("{} audit entries for {} changes", record.entries.len(), self.seen)
            })?;
            must(record.evidence.len() == self.evidence, WHOLE, || "evidence without its change".to_owned())?;
            must(record.approvals.len() == self.lives.len(), WHOLE, || "an approval from nowhere".to_owned())?;
            for (id, row) in &record.approvals {
                let same = self.lives.get(id).is_some_and(|life| {
                    life.approval.version == row.approval.version
                        && life.approval.state == row.approval.state
                        && life.receipt == row.receipt
                });
                must(same, WHOLE, || format!("{id} isn't as its transitions left it"))?;
            }
            Ok(())
        })
    }
}
