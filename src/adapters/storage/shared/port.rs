//! The [`Store`] port: each method goes to the module that owns it.

use async_trait::async_trait;
use std::time::Duration;
use uuid::Uuid;

use super::super::claims;
use super::{TheStore, approvals, backends, holders, outbox};
use crate::adapters::storage::write::Write;
use crate::domain::approval::{Approval, StateName};
use crate::domain::audit::AuditEntry;
use crate::domain::backend::{ApiKey, Backend, IdempotencyKey, Remembered};
use crate::domain::channel::Channel;
use crate::domain::details::{Digest, Subject};
use crate::domain::device::{Device, Thumbprint};
use crate::domain::evidence::Evidence;
use crate::domain::holder::Holder;
use crate::domain::ids::{ApprovalId, BackendId, ChannelId, DeliveryId, EndpointId, HolderId, KeyId, NoticeId};
use crate::domain::link::EnrolLink;
use crate::domain::time::Timestamp;
use crate::domain::webhook::Endpoint;
use crate::ports::change::Change;
use crate::ports::store::{
    Backlog, Case, CommitError, DeliveryJob, DeliveryOutcome, DeliveryView, DeviceCase, DueCase, Filter, NoticeJob,
    NoticeOutcome, NoticeView, Opening, Outgoing, Pruned, Read, Store, StoreError,
};

#[async_trait]
impl Store for TheStore {
    async fn commit(&self, change: Change) -> Result<(), CommitError> {
        let write = Write::prepare(change, self.seals(), self.handover().born())?;
        self.committer().commit(write).await
    }

    async fn now(&self) -> Result<Timestamp, StoreError> {
        self.database_now().await
    }

    async fn key_by_hash(&self, hash: &Digest) -> Result<Option<ApiKey>, StoreError> {
        backends::key_by_hash(self, hash).await
    }

    async fn keys(&self, backend: BackendId) -> Result<Vec<ApiKey>, StoreError> {
        backends::keys(self, backend).await
    }

    async fn key(&self, id: KeyId) -> Result<Option<ApiKey>, StoreError> {
        backends::key(self, id).await
    }

    async fn backends(&self) -> Result<Vec<Backend>, StoreError> {
        backends::backends(self).await
    }

    async fn remembered(&self, backend: BackendId, key: &IdempotencyKey) -> Result<Option<Remembered>, StoreError> {
        backends::remembered(self, backend, key).await
    }

    async fn opening(
        &self,
        backend: BackendId,
        subject: &Subject,
        key: &IdempotencyKey,
    ) -> Result<Opening, StoreError> {
        holders::opening(self, backend, subject, key).await
    }

    async fn holder(&self, backend: BackendId, subject: &Subject) -> Result<Option<Holder>, StoreError> {
        holders::holder(self, backend, subject).await
    }

    async fn holder_by_id(&self, id: HolderId) -> Result<Option<Holder>, StoreError> {
        holders::holder_by_id(self, id).await
    }

    async fn channels(&self, holder: HolderId) -> Result<Vec<Channel>, StoreError> {
        holders::channels(self, holder).await
    }
    async fn channels_one_by_one(&self, holder: HolderId) -> Result<Vec<Read<Channel>>, StoreError> {
        holders::channels_one_by_one(self, holder).await
    }

    async fn addresses(&self, holder: HolderId) -> Result<Vec<(ChannelId, Vec<u8>)>, StoreError> {
        holders::addresses(self, holder).await
    }

    async fn devices(&self, holder: HolderId) -> Result<Vec<Device>, StoreError> {
        holders::devices(self, holder).await
    }

    async fn device_by_cookie(&self, hash: &Digest) -> Result<Option<Device>, StoreError> {
        holders::device_by_cookie(self, hash).await
    }

    async fn devices_by_key(&self, thumbprints: &[Thumbprint]) -> Result<Vec<Device>, StoreError> {
        holders::devices_by_key(self, thumbprints).await
    }

    async fn enrol_link(&self, token_hash: &Digest) -> Result<Option<EnrolLink>, StoreError> {
        holders::enrol_link(self, token_hash).await
    }

    async fn approval(&self, id: ApprovalId) -> Result<Option<Approval>, StoreError> {
        approvals::approval(self, id).await
    }

    async fn case(&self, id: ApprovalId) -> Result<Option<Case>, StoreError> {
        approvals::case(self, id).await
    }

    async fn device_case(&self, cookie: &Digest, id: ApprovalId) -> Result<Option<DeviceCase>, StoreError> {
        approvals::device_case(self, cookie, id).await
    }

    async fn approvals(&self, backend: BackendId, filter: &Filter, limit: u32) -> Result<Vec<Approval>, StoreError> {
        approvals::approvals(self, backend, filter, limit).await
    }

    async fn approvals_of_holder(&self, holder: HolderId, limit: u32) -> Result<Vec<Read<Approval>>, StoreError> {
        approvals::approvals_of_holder(self, holder, limit).await
    }

    async fn notices(&self, approval: ApprovalId) -> Result<Vec<NoticeView>, StoreError> {
        approvals::notices(self, approval).await
    }

    async fn evidence(&self, approval: ApprovalId) -> Result<Vec<Evidence>, StoreError> {
        approvals::evidence(self, approval).await
    }

    async fn due_cases(&self, ids: &[ApprovalId]) -> Result<Vec<Result<DueCase, StoreError>>, StoreError> {
        approvals::due_cases(self, ids).await
    }

    async fn due_before(
        &self,
        before: Timestamp,
        after: Option<(Timestamp, ApprovalId)>,
        limit: u32,
    ) -> Result<Vec<(ApprovalId, Timestamp)>, StoreError> {
        approvals::due_before(self, before, after, limit).await
    }

    async fn claim_notices(&self, max: u32, lease: Duration) -> Result<Vec<NoticeJob>, StoreError> {
        outbox::claim_notices(self, max, lease).await
    }

    async fn fresh_notices(&self, max: u32, lease: Duration) -> Result<Vec<NoticeJob>, StoreError> {
        outbox::fresh_notices(self, max, lease).await
    }

    async fn settle_notices(&self, outcomes: &[(NoticeId, i64, NoticeOutcome)]) -> Result<Vec<NoticeId>, StoreError> {
        outbox::settle_notices(self, outcomes).await
    }

    async fn past_hold(&self, ids: &[ApprovalId]) -> Result<Vec<ApprovalId>, StoreError> {
        claims::past_hold(self, ids).await
    }

    async fn notice_bounced(&self, id: NoticeId) -> Result<bool, StoreError> {
        outbox::notice_bounced(self, id).await
    }

    async fn claim_deliveries(
        &self,
        max: u32,
        per_endpoint: u32,
        busy: &[EndpointId],
        lease: Duration,
    ) -> Result<Vec<DeliveryJob>, StoreError> {
        outbox::claim_deliveries(self, max, per_endpoint, busy, lease).await
    }

    async fn fresh_deliveries(
        &self,
        max: u32,
        per_endpoint: u32,
        busy: &[EndpointId],
        lease: Duration,
    ) -> Result<Vec<DeliveryJob>, StoreError> {
        outbox::fresh_deliveries(self, max, per_endpoint, busy, lease).await
    }

    async fn settle_deliveries(&self, outcomes: &[(DeliveryId, i64, DeliveryOutcome)]) -> Result<(), StoreError> {
        claims::settle_deliveries(self, outcomes).await
    }

    async fn endpoints(&self, backend: BackendId) -> Result<Vec<Endpoint>, StoreError> {
        outbox::endpoints(self, backend).await
    }

    async fn endpoint(&self, backend: BackendId, id: EndpointId) -> Result<Option<Endpoint>, StoreError> {
        outbox::endpoint(self, backend, id).await
    }

    async fn deliveries(
        &self,
        endpoint: EndpointId,
        before: Option<DeliveryId>,
        limit: u32,
    ) -> Result<Vec<DeliveryView>, StoreError> {
        outbox::deliveries(self, endpoint, before, limit).await
    }

    async fn delivery_message(
        &self,
        endpoint: EndpointId,
        id: DeliveryId,
    ) -> Result<Option<(String, String)>, StoreError> {
        outbox::delivery_message(self, endpoint, id).await
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        backends::backlog(self).await
    }

    async fn live_counts(&self) -> Result<Vec<(StateName, u64)>, StoreError> {
        backends::live_counts(self).await
    }

    async fn audit_page(&self, after: Option<i64>, limit: u32) -> Result<Vec<(i64, AuditEntry)>, StoreError> {
        self.log_page(after, limit).await
    }

    async fn forget_before(&self, before: Timestamp) -> Result<u64, StoreError> {
        backends::forget_before(self, before).await
    }

    async fn prune(
        &self,
        what: Outgoing,
        before: Timestamp,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Pruned, StoreError> {
        outbox::prune(self, what, before, after, limit).await
    }

    async fn durability_faults(&self) -> Result<Vec<String>, StoreError> {
        self.faults().await
    }
}
