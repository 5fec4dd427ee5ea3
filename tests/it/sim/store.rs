//! A node's way to the record: every call gives way before and after, may fail, and a commit's answer may get lost.
//! What was stored is written down with the clocks of that moment, for the checks.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

use countersign::domain::approval::transitions::Guard;
use countersign::domain::approval::{Approval, StateName, Told};
use countersign::domain::audit::AuditEntry;
use countersign::domain::backend::{ApiKey, Backend, IdempotencyKey, Remembered};
use countersign::domain::channel::Channel;
use countersign::domain::details::{Digest, Subject};
use countersign::domain::device::{Device, Thumbprint};
use countersign::domain::erasure::Erasure;
use countersign::domain::evidence::Evidence;
use countersign::domain::freeze::Freeze;
use countersign::domain::holder::Holder;
use countersign::domain::link::EnrolLink;
use countersign::domain::override_request::OverrideRequest;
use countersign::domain::webhook::Endpoint;
use countersign::domain::{
    ApprovalId, BackendId, ChangeId, DeliveryId, DeviceId, EndpointId, FreezeId, HolderId, KeyId, NoticeId, OverrideId,
    Timestamp,
};
use countersign::ports::erasure::{ErasureStore, Followed};
use countersign::ports::store::{
    Backlog, Case, DeliveryJob, DeliveryOutcome, DeliveryView, DeviceCase, DueCase, Filter, NoticeJob, NoticeOutcome,
    NoticeView, Opening, Outgoing, Pruned, Read, SentNotice,
};
use countersign::ports::{Change, Clock, CommitError, Effect, OverrideStore, Store, StoreError};

use super::faults::{Faults, Plant, broken};
use super::tasks::{TaskId, give_way};
use crate::support::memory_store::MemoryStore;

/// One stored change, with what the clocks said at that moment.
#[derive(Debug, Clone)]
pub struct Stored {
    pub change: Change,
    pub task: TaskId,
    pub by_database: Timestamp,
    pub by_node: Timestamp,
}

/// Everything that was stored, in order.
#[derive(Default)]
pub struct Log {
    stored: Mutex<Vec<Stored>>,
    running: AtomicUsize,
}

impl Log {
    pub fn stored(&self) -> MutexGuard<'_, Vec<Stored>> {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says on whose behalf the ports are called from now on.
    pub fn run(&self, task: TaskId) {
        self.running.store(task, Ordering::Relaxed);
    }
}

/// The store as one node sees it.
pub struct NodeStore {
    pub inner: Arc<MemoryStore>,
    pub log: Arc<Log>,
    pub faults: Arc<Faults>,
    pub database_clock: Arc<dyn Clock>,
    pub node_clock: Arc<dyn Clock>,
}

impl NodeStore {
    async fn read(&self) -> Result<(), StoreError> {
        give_way().await;
        if self.faults.strike(150) {
            return Err(StoreError::Unavailable(broken("a lost connection")));
        }
        Ok(())
    }

    /// The change as a store with the planted bug would take it.
    fn bugged(&self, mut change: Change) -> Change {
        let record = &self.inner;
        if let Effect::Transition { transition, .. } = &mut change.effect {
            match self.faults.plant {
                Plant::NoCompareAndSet => {
                    let id = transition.approval.id;
                    let current = record.look(|record| record.approvals.get(&id).map(|row| row.approval.version));
                    transition.from = current.unwrap_or(transition.from);
                }
                Plant::NoGuard => transition.guard = Guard::default(),
                _ => {}
            }
        }
        match self.faults.plant {
            Plant::NoOutbox => change.deliveries.clear(),
            Plant::NoEvidence => change.evidence = None,
            Plant::TellsOneTwice => {
                if let [first, .., last] = change.notices.as_mut_slice() {
                    last.channel = first.channel;
                }
            }
            _ => {}
        }
        change
    }
}

macro_rules! node_store {
    ($(fn $read:ident($($argument:ident: $type:ty),*) -> $out:ty;)* ---- $($rest:tt)*) => {
        #[async_trait]
        impl Store for NodeStore {
            $(async fn $read(&self, $($argument: $type),*) -> Result<$out, StoreError> {
                self.read().await?;
                let answer = self.inner.$read($($argument),*).await?;
                give_way().await;
                Ok(answer)
            })*
            $($rest)*
        }
    };
}

node_store! {
    fn now() -> Timestamp;
    fn key_by_hash(hash: &Digest) -> Option<ApiKey>;
    fn keys(backend: BackendId) -> Vec<ApiKey>;
    fn key(id: KeyId) -> Option<ApiKey>;
    fn backends() -> Vec<Backend>;
    fn remembered(backend: BackendId, key: &IdempotencyKey) -> Option<Remembered>;
    fn opening(backend: BackendId, subject: &Subject, key: &IdempotencyKey) -> Opening;
    fn holder(backend: BackendId, subject: &Subject) -> Option<Holder>;
    fn holder_by_id(id: HolderId) -> Option<Holder>;
    fn channels(holder: HolderId) -> Vec<Channel>;
    fn devices(holder: HolderId) -> Vec<Device>;
    fn device_by_cookie(hash: &Digest) -> Option<Device>;
    fn devices_by_key(thumbprints: &[Thumbprint]) -> Vec<Device>;
    fn enrol_link(token_hash: &Digest) -> Option<EnrolLink>;
    fn approval(id: ApprovalId) -> Option<Approval>;
    fn case(id: ApprovalId) -> Option<Case>;
    fn device_case(cookie: &Digest, id: ApprovalId) -> Option<DeviceCase>;
    fn approvals(backend: BackendId, filter: &Filter, limit: u32) -> Vec<Approval>;
    fn notices(approval: ApprovalId) -> Vec<NoticeView>;
    fn evidence(approval: ApprovalId) -> Vec<Evidence>;
    fn claim_notices(max: u32, lease: Duration) -> Vec<NoticeJob>;
    fn settle_notices(outcomes: &[(NoticeId, i64, NoticeOutcome)]) -> Vec<NoticeId>;
    fn past_hold(ids: &[ApprovalId]) -> Vec<ApprovalId>;
    fn notice(id: NoticeId) -> Option<SentNotice>;
    fn claim_deliveries(max: u32, per_endpoint: u32, busy: &[EndpointId], lease: Duration) -> Vec<DeliveryJob>;
    fn settle_deliveries(outcomes: &[(DeliveryId, i64, DeliveryOutcome)]) -> ();
    fn endpoints(backend: BackendId) -> Vec<Endpoint>;
    fn endpoint(backend: BackendId, id: EndpointId) -> Option<Endpoint>;
    fn deliveries(endpoint: EndpointId, before: Option<DeliveryId>, limit: u32) -> Vec<DeliveryView>;
    fn delivery_message(endpoint: EndpointId, id: DeliveryId) -> Option<(String, String)>;
    fn backlog() -> Backlog;
    fn live_counts() -> Vec<(StateName, u64)>;
    fn audit_page(after: Option<i64>, limit: u32) -> Vec<(i64, AuditEntry)>;
    fn forget_before(before: Timestamp) -> u64;
    fn durability_faults() -> Vec<String>;
    fn prune(what: Outgoing, before: Timestamp, after: Option<Uuid>, limit: u32) -> Pruned;
    ----
    async fn commit(&self, change: Change) -> Result<(), CommitError> {
        self.read().await?;
        if self.faults.plant == Plant::AnswersTooSoon && self.faults.strike(20) {
            return Ok(());
        }
        let change = self.bugged(change);
        let kept = change.clone();
        let by_database = self.database_clock.now();
        self.inner.commit(change).await?;
        let (task, by_node) = (self.log.running.load(Ordering::Relaxed), self.node_clock.now());
        self.log.stored().push(Stored { change: kept, task, by_database, by_node });
        give_way().await;
        if self.faults.strike(40) {
            return Err(CommitError::Unknown(broken("the answer to COMMIT was lost")));
        }
        Ok(())
    }

    async fn approvals_of_holder(&self, holder: HolderId, limit: u32) -> Result<Vec<Read<Approval>>, StoreError> {
        self.read().await?;
        if self.faults.plant == Plant::FreezeSeesNothing {
            return Ok(Vec::new());
        }
        let theirs = self.inner.approvals_of_holder(holder, limit).await?;
        give_way().await;
        Ok(theirs)
    }

    async fn due_before(
        &self,
        before: Timestamp,
        after: Option<(Timestamp, ApprovalId)>,
        limit: u32,
    ) -> Result<Vec<(ApprovalId, Timestamp)>, StoreError> {
        self.read().await?;
        if self.faults.plant == Plant::NoSweep {
            return Ok(Vec::new());
        }
        self.inner.due_before(before, after, limit).await
    }

    async fn due_cases(&self, ids: &[ApprovalId]) -> Result<Vec<Result<DueCase, StoreError>>, StoreError> {
        self.read().await?;
        let mut cases = self.inner.due_cases(ids).await?;
        if self.faults.plant == Plant::EverybodyWasTold {
            for case in cases.iter_mut().flatten() {
                let channels = self.inner.channels(case.approval.holder).await?;
                let decided = case.approval.state.decision().map(|decision| decision.approved_at);
                let delivered_at = decided.unwrap_or_else(|| self.node_clock.now());
                let told = |channel: &Channel| Told { channel: channel.id, delivered_at };
                case.told = channels.first().map(told);
            }
        }
        give_way().await;
        Ok(cases)
    }
}

macro_rules! node_reads {
    ($port:ident: $(fn $read:ident($($argument:ident: $type:ty),*) -> $out:ty;)*) => {
        #[async_trait]
        impl $port for NodeStore {
            $(async fn $read(&self, $($argument: $type),*) -> Result<$out, StoreError> {
                self.read().await?;
                let answer = self.inner.$read($($argument),*).await?;
                give_way().await;
                Ok(answer)
            })*
        }
    };
}

node_reads! {
    OverrideStore:
    fn freeze(holder: HolderId) -> Option<Freeze>;
    fn freezes_due(before: Timestamp, limit: u32) -> Vec<Result<Freeze, StoreError>>;
    fn freezes_unsettled(limit: u32) -> Vec<Result<Freeze, StoreError>>;
    fn settle_freeze(id: FreezeId, at: Timestamp) -> ();
    fn override_request(id: OverrideId) -> Option<OverrideRequest>;
    fn overrides(limit: u32) -> Vec<OverrideRequest>;
    fn overrides_of_holder(holder: HolderId, limit: u32) -> Vec<Result<OverrideRequest, StoreError>>;
    fn overrides_due(before: Timestamp, limit: u32) -> Vec<Result<OverrideRequest, StoreError>>;
    fn override_ids_due(before: Timestamp, after: Option<(Timestamp, OverrideId)>, limit: u32) -> Vec<(OverrideId, Timestamp)>;
    fn override_told(id: OverrideId) -> Option<Told>;
    fn lift_told(id: FreezeId, by: DeviceId, since: Timestamp) -> Option<Told>;
}

node_reads! {
    ErasureStore:
    fn erasure(holder: HolderId) -> Option<Erasure>;
    fn erasure_of(backend: BackendId, subject: &Subject) -> Option<Erasure>;
    fn erasures_open(limit: u32) -> Vec<Result<Erasure, StoreError>>;
    fn follow_entries(limit: u32) -> Followed;
    fn entries_about(holder: HolderId, limit: u32) -> Vec<(ChangeId, Digest)>;
    fn ended_approvals(holder: HolderId, limit: u32) -> Vec<ApprovalId>;
}
