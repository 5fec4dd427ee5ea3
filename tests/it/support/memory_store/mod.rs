//! The record in memory: the plainest possible reading of `ports::change` and `ports::store`, against which the SQL
//! adapters and the services are measured. One lock, ordered maps, and an injected clock in the database's place.
//!
//! `record` owns the rows, `check` the conditions of a change, `write` its effects, `work` the leases of notices and
//! deliveries; this file joins them to the port.

mod check;
mod erasures;
mod log;
mod overrides;
mod read;
mod record;
mod staff;
mod work;
mod write;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

use countersign::domain::approval::{Approval, StateName};
use countersign::domain::audit::AuditEntry;
use countersign::domain::backend::{ApiKey, Backend, IdempotencyKey, Remembered};
use countersign::domain::channel::Channel;
use countersign::domain::details::{Digest, Subject};
use countersign::domain::device::{Device, Thumbprint};
use countersign::domain::evidence::Evidence;
use countersign::domain::holder::Holder;
use countersign::domain::link::EnrolLink;
use countersign::domain::webhook::Endpoint;
use countersign::domain::{
    ApprovalId, BackendId, ChannelId, DeliveryId, EndpointId, HolderId, KeyId, NoticeId, Timestamp,
};
use countersign::ports::store::{
    Backlog, Case, DeliveryJob, DeliveryOutcome, DeliveryView, DeviceCase, DueCase, Filter, NoticeJob, NoticeOutcome,
    NoticeView, Opening, Outgoing, Pruned, Read,
};
use countersign::ports::{Change, Clock, CommitError, Store, StoreError};

pub use record::Record;

/// A [`Store`] that forgets everything with its process.
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    record: Mutex<Record>,
}

impl MemoryStore {
    /// An empty record whose own clock is `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, record: Mutex::default() }
    }

    /// Looks at the rows themselves, past the port.
    pub fn look<T>(&self, look: impl FnOnce(&Record) -> T) -> T {
        look(&self.record())
    }

    /// Puts rows in place that no change makes, for what begins in the middle of things.
    pub fn set_up(&self, edit: impl FnOnce(&mut Record)) {
        edit(&mut self.record());
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn commit(&self, change: Change) -> Result<(), CommitError> {
        let mut record = self.record();
        let now = self.clock.now();
        check::change(&record, &change, now)?;
        write::change(&mut record, change, now);
        Ok(())
    }

    async fn now(&self) -> Result<Timestamp, StoreError> {
        Ok(self.clock.now())
    }

    async fn key_by_hash(&self, hash: &Digest) -> Result<Option<ApiKey>, StoreError> {
        Ok(self.record().keys.values().find(|key| key.hash == *hash).cloned())
    }

    async fn keys(&self, backend: BackendId) -> Result<Vec<ApiKey>, StoreError> {
        Ok(self.record().keys.values().filter(|key| key.backend == backend).cloned().collect())
    }

    async fn key(&self, id: KeyId) -> Result<Option<ApiKey>, StoreError> {
        Ok(self.record().keys.get(&id).cloned())
    }

    async fn backends(&self) -> Result<Vec<Backend>, StoreError> {
        Ok(self.record().backends.values().cloned().collect())
    }

    async fn remembered(&self, backend: BackendId, key: &IdempotencyKey) -> Result<Option<Remembered>, StoreError> {
        Ok(self.record().remembered(backend, key).cloned())
    }

    async fn opening(
        &self,
        backend: BackendId,
        subject: &Subject,
        key: &IdempotencyKey,
    ) -> Result<Opening, StoreError> {
        Ok(self.record().opening(backend, subject, key))
    }

    async fn holder(&self, backend: BackendId, subject: &Subject) -> Result<Option<Holder>, StoreError> {
        Ok(self.record().holder(backend, subject).cloned())
    }

    async fn holder_by_id(&self, id: HolderId) -> Result<Option<Holder>, StoreError> {
        Ok(self.record().holders.get(&id).cloned())
    }

    async fn channels(&self, holder: HolderId) -> Result<Vec<Channel>, StoreError> {
        Ok(self.record().channels_of(holder))
    }

    async fn addresses(&self, holder: HolderId) -> Result<Vec<(ChannelId, Vec<u8>)>, StoreError> {
        let record = self.record();
        let theirs = record.channels.values().filter(|row| row.channel.holder == holder);
        Ok(theirs.map(|row| (row.channel.id, row.sealed_address.clone())).collect())
    }

    async fn devices(&self, holder: HolderId) -> Result<Vec<Device>, StoreError> {
        Ok(self.record().devices.values().filter(|device| device.body.holder == holder).cloned().collect())
    }

    async fn device_by_cookie(&self, hash: &Digest) -> Result<Option<Device>, StoreError> {
        Ok(self.record().devices.values().find(|device| device.body.cookie_hash == *hash).cloned())
    }

    async fn devices_by_key(&self, thumbprints: &[Thumbprint]) -> Result<Vec<Device>, StoreError> {
        let record = self.record();
        let asked = |device: &&Device| thumbprints.contains(&device.body.key.thumbprint());
        Ok(record.devices.values().filter(asked).cloned().collect())
    }

    async fn enrol_link(&self, token_hash: &Digest) -> Result<Option<EnrolLink>, StoreError> {
        Ok(self.record().links.values().find(|link| link.token_hash == *token_hash).cloned())
    }

    async fn approval(&self, id: ApprovalId) -> Result<Option<Approval>, StoreError> {
        Ok(self.record().approvals.get(&id).map(|row| row.approval.clone()))
    }

    async fn case(&self, id: ApprovalId) -> Result<Option<Case>, StoreError> {
        Ok(self.record().case(id))
    }

    async fn device_case(&self, cookie: &Digest, id: ApprovalId) -> Result<Option<DeviceCase>, StoreError> {
        let record = self.record();
        let device = record.devices.values().find(|device| device.body.cookie_hash == *cookie);
        let both = device.cloned().zip(record.case(id));
        let both = both.filter(|(device, case)| device.body.holder == case.approval.holder);
        let log = record.checkpoints.last().map(|signed| signed.head);
        Ok(both.map(|(device, case)| DeviceCase { device, case, log }))
    }

    async fn approvals(&self, backend: BackendId, filter: &Filter, limit: u32) -> Result<Vec<Approval>, StoreError> {
        Ok(self.record().list(backend, filter, limit))
    }

    async fn approvals_of_holder(&self, holder: HolderId, limit: u32) -> Result<Vec<Read<Approval>>, StoreError> {
        Ok(self.record().list_of_holder(holder, limit).into_iter().map(Ok).collect())
    }

    async fn notices(&self, approval: ApprovalId) -> Result<Vec<NoticeView>, StoreError> {
        Ok(self.record().notice_views(approval))
    }

    async fn evidence(&self, approval: ApprovalId) -> Result<Vec<Evidence>, StoreError> {
        let record = self.record();
        let of_it = record.evidence.iter().filter(|(about, ..)| *about == Some(approval));
        Ok(of_it.map(|(.., evidence)| evidence.clone()).collect())
    }

    async fn due_cases(&self, ids: &[ApprovalId]) -> Result<Vec<Result<DueCase, StoreError>>, StoreError> {
        let record = self.record();
        Ok(ids.iter().filter_map(|id| record.due_case(*id)).map(Ok).collect())
    }

    async fn due_before(
        &self,
        before: Timestamp,
        after: Option<(Timestamp, ApprovalId)>,
        limit: u32,
    ) -> Result<Vec<(ApprovalId, Timestamp)>, StoreError> {
        Ok(self.record().due_before(before, after, limit))
    }

    async fn claim_notices(&self, max: u32, lease: Duration) -> Result<Vec<NoticeJob>, StoreError> {
        let now = self.clock.now();
        Ok(self.record().claim_notices(max, lease, now))
    }

    async fn settle_notices(&self, outcomes: &[(NoticeId, i64, NoticeOutcome)]) -> Result<Vec<NoticeId>, StoreError> {
        let now = self.clock.now();
        let mut record = self.record();
        let settled = outcomes.iter().filter(|(id, fence, outcome)| record.settle_notice(*id, *fence, outcome, now));
        Ok(settled.map(|(id, ..)| *id).collect())
    }

    async fn past_hold(&self, ids: &[ApprovalId]) -> Result<Vec<ApprovalId>, StoreError> {
        let now = self.clock.now();
        Ok(self.record().past_hold(ids, now))
    }

    async fn notice_bounced(&self, id: NoticeId) -> Result<bool, StoreError> {
        let now = self.clock.now();
        Ok(self.record().notice_bounced(id, now))
    }

    async fn claim_deliveries(
        &self,
        max: u32,
        per_endpoint: u32,
        busy: &[EndpointId],
        lease: Duration,
    ) -> Result<Vec<DeliveryJob>, StoreError> {
        let now = self.clock.now();
        Ok(self.record().claim_deliveries(max, per_endpoint, busy, lease, now))
    }

    async fn settle_deliveries(&self, outcomes: &[(DeliveryId, i64, DeliveryOutcome)]) -> Result<(), StoreError> {
        let mut record = self.record();
        for (id, fence, outcome) in outcomes {
            record.settle_delivery(*id, *fence, outcome);
        }
        Ok(())
    }

    async fn endpoints(&self, backend: BackendId) -> Result<Vec<Endpoint>, StoreError> {
        Ok(self.record().endpoints.values().filter(|endpoint| endpoint.backend == backend).cloned().collect())
    }

    async fn endpoint(&self, backend: BackendId, id: EndpointId) -> Result<Option<Endpoint>, StoreError> {
        Ok(self.record().endpoints.get(&id).filter(|endpoint| endpoint.backend == backend).cloned())
    }

    async fn deliveries(
        &self,
        endpoint: EndpointId,
        before: Option<DeliveryId>,
        limit: u32,
    ) -> Result<Vec<DeliveryView>, StoreError> {
        Ok(self.record().delivery_views(endpoint, before, limit))
    }

    async fn delivery_message(
        &self,
        endpoint: EndpointId,
        id: DeliveryId,
    ) -> Result<Option<(String, String)>, StoreError> {
        let record = self.record();
        let row = record.deliveries.get(&id).filter(|row| row.delivery.endpoint == endpoint);
        Ok(row.map(|row| (row.delivery.message_id.clone(), row.delivery.body.clone())))
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        let now = self.clock.now();
        Ok(self.record().backlog(now))
    }

    async fn live_counts(&self) -> Result<Vec<(StateName, u64)>, StoreError> {
        Ok(self.record().live_counts())
    }

    async fn audit_page(&self, after: Option<i64>, limit: u32) -> Result<Vec<(i64, AuditEntry)>, StoreError> {
        let record = self.record();
        let numbered = record.entries.iter().zip(1_i64..).map(|(entry, number)| (number, entry.clone()));
        let numbered = numbered.filter(|(_, entry)| !entry.canonical.is_empty());
        Ok(numbered.filter(|(number, _)| after.is_none_or(|after| *number > after)).take(limit as usize).collect())
    }

    async fn forget_before(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut record = self.record();
        let count = record.remembered.len();
        record.remembered.retain(|_, remembered| remembered.created_at >= before);
        Ok((count - record.remembered.len()) as u64)
    }

    async fn prune(
        &self,
        what: Outgoing,
        before: Timestamp,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Pruned, StoreError> {
        Ok(self.record().prune(what, before, after, limit))
    }

    async fn durability_faults(&self) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }
}
