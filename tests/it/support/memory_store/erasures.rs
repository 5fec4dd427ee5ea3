//! Erasures: their conditions, their effects, and what the port reads of them.

use std::collections::BTreeMap;

use async_trait::async_trait;
use countersign::domain::audit::reading::Reading;
use countersign::domain::channel::About;
use countersign::domain::details::{Digest, Subject};
use countersign::domain::erasure::{Erasure, Subjects, subjects};
use countersign::domain::webhook::Cause;
use countersign::domain::{ApprovalId, BackendId, ChangeId, HolderId, Timestamp};
use countersign::ports::erasure::{Erase, ErasureStore, ErasureWrite, Followed};
use countersign::ports::{CommitError, StoreError};
use uuid::Uuid;

use super::check::{holds, not_frozen};
use super::{MemoryStore, Record};

/// Erasures with the subject that each holder had.
pub type Erasures = BTreeMap<HolderId, (Erasure, Subject)>;

impl Record {
    /// Whose a thing with this id is.
    fn owner(&self, id: Uuid) -> Option<HolderId> {
        let approvals = self.approvals.iter().map(|(id, row)| (id.uuid(), row.approval.holder));
        let devices = self.devices.iter().map(|(id, device)| (id.uuid(), device.body.holder));
        let links = self.links.iter().map(|(id, link)| (id.uuid(), link.holder));
        let freezes = self.overrides.freezes.iter().map(|(id, row)| (id.uuid(), row.freeze.holder));
        let cases = self.overrides.requests.iter().map(|(id, case)| (id.uuid(), case.request.holder));
        let mut all = approvals.chain(devices).chain(links).chain(freezes).chain(cases);
        all.find(|(other, _)| *other == id).map(|(_, holder)| holder)
    }

    fn about(&self, holder: HolderId) -> impl Iterator<Item = usize> {
        let signed = usize::try_from(self.log_size()).unwrap();
        let texts = self.entries.iter().take(signed).enumerate();
        texts
            .filter(move |(_, entry)| match Reading::of(&entry.canonical).as_ref().map(subjects) {
                Ok(Subjects::Holder(named)) => named == holder,
                Ok(Subjects::Belongings(ids)) => ids.into_iter().any(|id| self.owner(id) == Some(holder)),
                Err(_) => false,
            })
            .map(|(position, _)| position)
    }

    pub fn was_erased(&self, backend: BackendId, subject: &Subject) -> bool {
        self.erasures.values().any(|(erasure, had)| erasure.backend == backend && had == subject)
    }

    pub fn erasure_fits(&self, write: &ErasureWrite) -> Result<(), CommitError> {
        let holder = write.erasure.holder;
        let lives = |row: &super::record::ApprovalRow| !row.approval.state.name().is_final();
        let approvals = || self.approvals.values().filter(|row| row.approval.holder == holder);
        match &write.what {
            Erase::Begin { .. } => {
                holds(self.holders.contains_key(&holder) && !approvals().any(lives))?;
                let cases = self.overrides.requests.values().filter(|case| case.request.holder == holder);
                holds(cases.into_iter().all(|case| case.due_at().is_none()))?;
                return not_frozen(self, holder);
            }
            Erase::Entries(entries) => {
                let has_text = |id: &ChangeId| self.entries.iter().any(|e| e.id == *id && !e.canonical.is_empty());
                holds(entries.iter().all(has_text))?;
            }
            Erase::Approvals(ids) => {
                holds(ids.iter().all(|id| self.approvals.get(id).is_some_and(|row| !lives(row))))?;
            }
            Erase::Finish => holds(approvals().next().is_none())?,
        }
        let known = self.erasures.get(&holder).map(|(erasure, _)| erasure);
        holds(known.is_some_and(|known| known.version + 1 == write.erasure.version && known.finished_at.is_none()))
    }

    pub fn put_erasure(&mut self, write: ErasureWrite, now: Timestamp) {
        let holder = write.erasure.holder;
        match write.what {
            Erase::Begin { freeze } => {
                let subject = self.holders[&holder].subject.clone();
                self.erasures.insert(holder, (write.erasure, subject));
                self.put_freeze(&freeze, now);
                let named = holder.to_string();
                self.remembered.retain(|_, answer| !answer.answer.contains(&named));
                for link in self.links.values().filter(|link| link.holder == holder) {
                    let sealed = |answer: &str| !answer.starts_with('{');
                    self.remembered.retain(|_, r| !(r.created_at == link.created_at && sealed(&r.answer)));
                }
                self.drop_person(holder);
            }
            Erase::Entries(entries) => {
                for entry in self.entries.iter_mut().filter(|entry| entries.contains(&entry.id)) {
                    (entry.salt, entry.canonical) = ([0; 16], String::new());
                }
                self.evidence.retain(|(_, change, _)| !entries.contains(change));
            }
            Erase::Approvals(ids) => {
                for id in ids {
                    self.approvals.remove(&id);
                    self.evidence.retain(|(about, ..)| *about != Some(id));
                    self.notices.retain(|_, row| row.notice.about != About::Approval(id));
                    let of_it = |cause: &Cause| matches!(cause, Cause::Approval { id: other, .. } if *other == id);
                    self.deliveries.retain(|_, row| !of_it(&row.delivery.cause));
                    self.remembered.retain(|_, answer| !answer.answer.contains(&id.to_string()));
                }
            }
            Erase::Finish => {
                self.drop_person(holder);
                self.notices.retain(|_, row| row.notice.holder != holder);
                self.overrides.requests.retain(|_, case| case.request.holder != holder);
                self.overrides.freezes.retain(|_, row| row.freeze.holder != holder);
            }
        }
        if let Some((known, _)) = self.erasures.get_mut(&holder) {
            *known = write.erasure;
        }
    }

    fn drop_person(&mut self, holder: HolderId) {
        let theirs = |about: &About| match about {
            About::Device(id) => self.devices.get(id).is_some_and(|device| device.body.holder == holder),
            About::Link(id) => self.links.get(id).is_some_and(|link| link.holder == holder),
            About::Approval(_) | About::Freeze(_) | About::Override(_) => false,
        };
        self.notices.retain(|_, row| !theirs(&row.notice.about));
        self.channels.retain(|_, new| new.holder != holder);
        self.devices.retain(|_, device| device.body.holder != holder);
        self.links.retain(|_, link| link.holder != holder);
        self.staff.forget_views(holder);
        self.holders.remove(&holder);
    }
}

#[async_trait]
impl ErasureStore for MemoryStore {
    async fn erasure(&self, holder: HolderId) -> Result<Option<Erasure>, StoreError> {
        Ok(self.record().erasures.get(&holder).map(|(erasure, _)| *erasure))
    }

    async fn erasure_of(&self, backend: BackendId, subject: &Subject) -> Result<Option<Erasure>, StoreError> {
        let record = self.record();
        let of_it = record.erasures.values().find(|(erasure, had)| erasure.backend == backend && had == subject);
        Ok(of_it.map(|(erasure, _)| *erasure))
    }

    async fn erasures_open(&self, limit: u32) -> Result<Vec<Result<Erasure, StoreError>>, StoreError> {
        let record = self.record();
        let open = record.erasures.values().map(|(erasure, _)| *erasure).filter(|e| e.finished_at.is_none());
        Ok(open.take(limit as usize).map(Ok).collect())
    }

    async fn follow_entries(&self, _limit: u32) -> Result<Followed, StoreError> {
        Ok(Followed::ToTheEnd)
    }

    async fn entries_about(&self, holder: HolderId, limit: u32) -> Result<Vec<(ChangeId, Digest)>, StoreError> {
        let record = self.record();
        let entries = record.about(holder).map(|position| &record.entries[position]);
        Ok(entries.take(limit as usize).map(|entry| (entry.id, entry.leaf_hash)).collect())
    }

    async fn ended_approvals(&self, holder: HolderId, limit: u32) -> Result<Vec<ApprovalId>, StoreError> {
        let record = self.record();
        let theirs = record.approvals.values().map(|row| &row.approval).filter(|a| a.holder == holder);
        Ok(theirs.filter(|a| a.state.name().is_final()).take(limit as usize).map(|a| a.id).collect())
    }
}
