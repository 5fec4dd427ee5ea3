//! Freezes and override requests: their conditions, their effects, and what the port reads of them.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use countersign::domain::approval::transitions::Guard;
use countersign::domain::approval::{Actor, StateName, Told};
use countersign::domain::channel::{About, NoticeStatus, Purpose};
use countersign::domain::freeze::{Freeze, FreezeStep, STAFF_FREEZES_A_DAY};
use countersign::domain::override_request::transitions::Event;
use countersign::domain::override_request::{OverrideRequest, draw};
use countersign::domain::{DeviceId, FreezeId, HolderId, OverrideId, StaffId, Timestamp};
use countersign::ports::overrides::{Also, OverrideStore, OverrideWrite};
use countersign::ports::staff::StaffNoticeJob;
use countersign::ports::store::{Read, Unique};
use countersign::ports::{CommitError, StoreError};

use super::check::{holds, not_frozen};
use super::{MemoryStore, Record};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// What is kept of freezes and override requests.
#[derive(Debug, Default)]
pub struct Overrides {
    pub freezes: BTreeMap<FreezeId, FreezeRow>,
    pub requests: BTreeMap<OverrideId, OverrideRequest>,
    pub signatures: Vec<SignatureRow>,
}

#[derive(Debug, Clone)]
pub struct FreezeRow {
    pub freeze: Freeze,
    pub settled: Option<Timestamp>,
    /// The staff member whose daily number it counts in, and when it began to.
    pub staff: Option<(StaffId, Timestamp)>,
}

#[derive(Debug, Clone)]
pub struct SignatureRow {
    pub request: OverrideId,
    pub staff: StaffId,
    pub number: usize,
    pub at: Timestamp,
}

type Checked = Result<(), CommitError>;

fn in_time(guard: Guard, now: Timestamp) -> Checked {
    holds(guard.not_before.is_none_or(|bound| bound <= now))?;
    holds(guard.before.is_none_or(|bound| now < bound))
}

fn below(number: usize, cap: u32) -> Checked {
    if number < cap as usize { Ok(()) } else { Err(CommitError::Cap) }
}

fn staff_of(freeze: &Freeze) -> Option<StaffId> {
    match freeze.by {
        Actor::Staff(staff) => Some(staff),
        _ => None,
    }
}

impl Record {
    pub fn holding(&self, holder: HolderId) -> Option<&Freeze> {
        let mut all = self.overrides.freezes.values().map(|row| &row.freeze);
        all.find(|freeze| freeze.holder == holder && freeze.holds())
    }

    pub fn freeze_fits(&self, step: &FreezeStep, now: Timestamp) -> Checked {
        in_time(step.guard, now)?;
        holds(self.holders.contains_key(&step.freeze.holder))?;
        match step.from {
            None => holds(self.holding(step.freeze.holder).is_none())?,
            Some(from) => {
                holds(self.overrides.freezes.get(&step.freeze.id).is_some_and(|row| row.freeze.version == from))?;
            }
        }
        if let Some(staff) = staff_of(&step.freeze)
            && step.freeze.holds()
        {
            let today = self.overrides.freezes.values().filter_map(|row| row.staff);
            let theirs = today.filter(|(by, at)| *by == staff && *at + DAY > now).count();
            below(theirs, STAFF_FREEZES_A_DAY)?;
        }
        Ok(())
    }

    pub fn put_freeze(&mut self, step: &FreezeStep, now: Timestamp) {
        let known = self.overrides.freezes.get(&step.freeze.id).and_then(|row| row.staff);
        let staff = staff_of(&step.freeze).map(|by| match known {
            Some((before, at)) if before == by => (by, at),
            _ => (by, now),
        });
        let settled = if step.freeze.holds() { None } else { Some(now) };
        self.overrides.freezes.insert(step.freeze.id, FreezeRow { freeze: step.freeze.clone(), settled, staff });
    }

    pub fn override_fits(&self, write: &OverrideWrite, now: Timestamp) -> Checked {
        let (step, case) = (&write.step, &write.step.case);
        in_time(step.guard, now)?;
        if let Some(proof) = &write.proof {
            self.staff.proves(proof, now)?;
        }
        if matches!(step.event, Event::Signed | Event::SignedTwice | Event::CarriedOut) {
            self.signatures_stand(case, now)?;
        }
        if matches!(step.event, Event::Asked | Event::Signed | Event::SignedTwice) {
            self.within_caps(write, now)?;
        }
        let others: Vec<OverrideRequest> = self.overrides.requests.values().cloned().collect();
        match step.event {
            Event::Asked => match draw::standing(&others, &case.request, now) {
                Ok(stands) => holds(stands.is_none_or(|stands| stands == case.draw()))?,
                Err(_) => return Err(CommitError::Cap),
            },
            Event::Redrawn => holds(!draw::redrawn_elsewhere(&others, &case.request, now))?,
            _ => {}
        }
        match step.from {
            None => {
                let same = |other: &&OverrideRequest| {
                    let (a, b) = (&other.request, &case.request);
                    a.kind == b.kind && a.holder == b.holder && other.due_at().is_some()
                };
                if self.overrides.requests.values().any(|other| same(&other)) {
                    return Err(CommitError::Duplicate(Unique::Other));
                }
            }
            Some(from) => {
                holds(self.overrides.requests.get(&case.id()).is_some_and(|known| known.version == from))?;
            }
        }
        match &write.also {
            Also::Nothing => Ok(()),
            Also::Approval(transition) => {
                in_time(transition.guard, now)?;
                if transition.approval.state.name() != StateName::Pending {
                    not_frozen(self, transition.approval.holder)?;
                }
                let row = self.approvals.get(&transition.approval.id).ok_or(CommitError::Conflict)?;
                holds(row.approval.version == transition.from)
            }
            Also::Freeze(step) => self.freeze_fits(step, now),
            Also::ResetDevices(carry) => {
                holds(carry.devices_of().is_some_and(|holder| self.holders.contains_key(&holder)))
            }
        }
    }

    /// Every signature counts as its person is now.
    pub fn signatures_stand(&self, case: &OverrideRequest, now: Timestamp) -> Checked {
        let people: Vec<_> = self.staff.people.values().cloned().collect();
        holds(case.signatures_stand(&people, now))
    }

    fn within_caps(&self, write: &OverrideWrite, now: Timestamp) -> Checked {
        let (case, caps) = (&write.step.case, &write.caps);
        let today = |at: Timestamp| at + DAY > now;
        let signatures = case.state.signatures();
        let Some((last, earlier)) = signatures.split_last() else {
            let by = case.request.requester;
            let asked = self.overrides.requests.values().map(|other| &other.request);
            return below(asked.filter(|r| r.requester == by && today(r.created_at)).count(), caps.asked_by_one);
        };
        let given: Vec<&SignatureRow> = self.overrides.signatures.iter().collect();
        holds(!given.iter().any(|row| row.request == case.id() && row.staff == last.staff))?;
        let of = |staff: StaffId| given.iter().filter(move |row| row.staff == staff);
        below(of(last.staff).filter(|row| today(row.at)).count(), caps.signed_by_one)?;
        if let Some(first) = earlier.first() {
            let both = of(first.staff)
                .filter(|a| of(last.staff).any(|b| b.request == a.request && (today(a.at) || today(b.at))));
            below(both.count(), caps.signed_by_pair)?;
            below(given.iter().filter(|row| row.number == 2 && today(row.at)).count(), caps.in_all)?;
        }
        Ok(())
    }

    pub fn put_override(&mut self, write: OverrideWrite, now: Timestamp) {
        if let Some(proof) = &write.proof {
            self.staff.count_passkey(proof);
        }
        let case = write.step.case;
        if matches!(write.step.event, Event::Signed | Event::SignedTwice)
            && let Some(last) = case.state.signatures().last()
        {
            let number = case.state.signatures().len();
            let row = SignatureRow { request: case.id(), staff: last.staff, number, at: last.at };
            self.overrides.signatures.push(row);
        }
        self.overrides.requests.insert(case.id(), case);
        let tell = write.tell.into_iter().map(|notice| {
            let at = notice.created_at;
            (StaffNoticeJob { notice, attempts: 0, fence: 0 }, Some(at))
        });
        self.staff.notices.extend(tell);
        match write.also {
            Also::Nothing => {}
            Also::Approval(transition) => {
                if let Some(row) = self.approvals.get_mut(&transition.approval.id) {
                    row.approval = transition.approval;
                }
            }
            Also::Freeze(step) => self.put_freeze(&step, now),
            Also::ResetDevices(carry) => {
                let theirs = self.devices.values_mut().filter(|device| device.body.holder == carry.holder());
                for device in theirs {
                    device.removed_at.get_or_insert(now);
                }
                self.channels.retain(|_, new| new.holder != carry.holder() || new.device.is_none());
                if let Some(holder) = self.holders.get_mut(&carry.holder()) {
                    holder.enrolled_at = None;
                }
            }
        }
    }

    fn lift_told(&self, id: FreezeId, by: DeviceId, since: Timestamp) -> Option<Told> {
        let asked = |row: &&super::record::NoticeRow| {
            row.notice.about == About::Freeze(id) && row.notice.purpose == Purpose::LiftAsked
        };
        let told = self.notices.values().filter(asked).filter_map(|row| {
            let channel = self.channels.get(&row.notice.channel)?;
            let delivered_at = row.delivered_at.filter(|at| *at >= since && channel.counts_from <= *at)?;
            let counts = row.status == NoticeStatus::Delivered && channel.device != Some(by);
            counts.then_some(Told { channel: channel.id, delivered_at })
        });
        told.min_by_key(|told| (told.delivered_at, told.channel))
    }

    fn override_told(&self, id: OverrideId) -> Option<Told> {
        let mut counting: Vec<Told> = Vec::new();
        let about = |row: &&super::record::NoticeRow| row.notice.about == About::Override(id);
        for row in self.notices.values().filter(about) {
            let (Some(delivered_at), Some(new)) = (row.delivered_at, self.channels.get(&row.notice.channel)) else {
                continue;
            };
            let counts = row.notice.purpose == Purpose::OverrideCooling && row.status == NoticeStatus::Delivered;
            if counts && new.counts_from <= delivered_at {
                counting.push(Told { channel: new.id, delivered_at });
            }
        }
        counting.into_iter().min_by_key(|told| (told.delivered_at, told.channel))
    }
}

#[async_trait]
impl OverrideStore for MemoryStore {
    async fn freeze(&self, holder: HolderId) -> Result<Option<Freeze>, StoreError> {
        Ok(self.record().holding(holder).cloned())
    }

    async fn freezes_due(&self, before: Timestamp, limit: u32) -> Result<Vec<Read<Freeze>>, StoreError> {
        let record = self.record();
        let all = record.overrides.freezes.values().map(|row| &row.freeze);
        let due = all.filter(|freeze| freeze.due_at().is_some_and(|due| due < before));
        Ok(due.take(limit as usize).cloned().map(Ok).collect())
    }

    async fn freezes_unsettled(&self, limit: u32) -> Result<Vec<Read<Freeze>>, StoreError> {
        let record = self.record();
        let all = record.overrides.freezes.values().filter(|row| row.settled.is_none());
        Ok(all.take(limit as usize).map(|row| Ok(row.freeze.clone())).collect())
    }

    async fn settle_freeze(&self, id: FreezeId, at: Timestamp) -> Result<(), StoreError> {
        if let Some(row) = self.record().overrides.freezes.get_mut(&id) {
            row.settled.get_or_insert(at);
        }
        Ok(())
    }

    async fn lift_told(&self, id: FreezeId, by: DeviceId, since: Timestamp) -> Result<Option<Told>, StoreError> {
        Ok(self.record().lift_told(id, by, since))
    }

    async fn override_request(&self, id: OverrideId) -> Result<Option<OverrideRequest>, StoreError> {
        Ok(self.record().overrides.requests.get(&id).cloned())
    }

    async fn overrides(&self, limit: u32) -> Result<Vec<OverrideRequest>, StoreError> {
        let record = self.record();
        let newest = || record.overrides.requests.values().rev();
        let live = newest().filter(|case| case.due_at().is_some()).take(limit as usize);
        let ended = newest().filter(|case| case.due_at().is_none()).take(limit as usize);
        Ok(live.chain(ended).cloned().collect())
    }

    async fn overrides_of_holder(
        &self,
        holder: HolderId,
        limit: u32,
    ) -> Result<Vec<Read<OverrideRequest>>, StoreError> {
        let record = self.record();
        let theirs = record.overrides.requests.values().rev().filter(|case| case.request.holder == holder);
        Ok(theirs.take(limit as usize).cloned().map(Ok).collect())
    }

    async fn overrides_due(
        &self,
        before: Timestamp,
        limit: u32,
    ) -> Result<Vec<Result<OverrideRequest, StoreError>>, StoreError> {
        let record = self.record();
        let due = record.overrides.requests.values().filter(|case| case.due_at().is_some_and(|due| due < before));
        Ok(due.take(limit as usize).cloned().map(Ok).collect())
    }

    async fn override_told(&self, id: OverrideId) -> Result<Option<Told>, StoreError> {
        Ok(self.record().override_told(id))
    }
}
