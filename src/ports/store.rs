//! The record. Reads say what is there; [`Store::commit`] is the only way to change it. Each method is a fixed small
//! number of round trips, whatever is stored.

use async_trait::async_trait;
use std::time::Duration;
use uuid::Uuid;

use super::change::Change;
use crate::domain::approval::{Approval, StateName, Told};
use crate::domain::audit::AuditEntry;
use crate::domain::backend::{ApiKey, Backend, IdempotencyKey, Remembered};
use crate::domain::channel::{About, Channel, ChannelKind, NoticeStatus, Purpose};
use crate::domain::details::{Digest, Subject, TransferId};
use crate::domain::device::{Device, Thumbprint};
use crate::domain::evidence::Evidence;
use crate::domain::holder::Holder;
use crate::domain::ids::{ApprovalId, BackendId, ChannelId, DeliveryId, EndpointId, HolderId, KeyId, NoticeId};
use crate::domain::link::EnrolLink;
use crate::domain::log::tree::Head;
use crate::domain::time::Timestamp;
use crate::domain::webhook::{DeliveryStatus, Endpoint};

/// Why a read failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database can't be reached, or refused for a reason of its own. Trying again may help.
    #[error("the store is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A row doesn't read back as what it should be. Trying again doesn't help.
    #[error("row {id} of {table} is corrupt")]
    Corrupt {
        table: &'static str,
        id: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A row that carries authority has a wrong seal: somebody wrote it who doesn't have the key.
    #[error("row {id} of {table} is forged")]
    Forged { table: &'static str, id: String },
}

/// One row of many. What tightens goes on with those that can be believed, and raises the others; what loosens refuses.
pub type Read<T> = Result<T, StoreError>;

/// What stood in the way of a unique insert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unique {
    IdempotencyKey,
    TransferId,
    Subject,
    Credential,
    Other,
}

/// Why a change wasn't stored. In every case but `Unknown` nothing of it was.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The record isn't as the change expected: somebody was faster, or a guard on time or device failed.
    #[error("the record has moved on")]
    Conflict,
    /// Something of that name exists.
    #[error("{0:?} is taken")]
    Duplicate(Unique),
    /// A cap would be exceeded (pending approvals of a holder, endpoints of a backend).
    #[error("a cap is reached")]
    Cap,
    /// The holder is frozen.
    #[error("the holder is frozen")]
    Frozen,
    /// The answer to COMMIT was lost and can't be looked up now. The caller answers 503, never a conflict.
    #[error("the outcome is unknown")]
    Unknown(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is read before an approval is opened.
#[derive(Debug, Clone)]
pub struct Opening {
    pub holder: Option<Holder>,
    pub channels: Vec<Channel>,
    /// A stored answer under this idempotency key, for whatever use.
    pub remembered: Option<Remembered>,
    /// Approvals of the holder that wait for an answer.
    pub pending: u32,
    /// Devices of the holder that aren't removed or locked.
    pub devices: u32,
    /// Freezes of the holder that hold: one or none.
    pub freezes: u32,
}

/// An approval with whom its transitions are told to.
#[derive(Debug, Clone)]
pub struct Case {
    pub approval: Approval,
    /// Active webhook endpoints of its backend.
    pub endpoints: Vec<EndpointId>,
    /// The receipt, once redeemed.
    pub receipt: Option<String>,
}

/// A device's request about an approval of its holder's, in one read.
#[derive(Debug, Clone)]
pub struct DeviceCase {
    /// Removed and locked ones too.
    pub device: Device,
    pub case: Case,
    /// The tree of the log's newest checkpoint; nothing before the first.
    pub log: Option<Head>,
}

/// An approval whose time may have come.
#[derive(Debug, Clone)]
pub struct DueCase {
    pub approval: Approval,
    /// The first notice of its cooling-off that counts as having told the holder: delivered at or after the decision,
    /// on a channel whose `counts_from` isn't later than the delivery, and that doesn't live on the deciding device.
    pub told: Option<Told>,
    /// How many leaves the log's newest checkpoint has, once it holds the entry of the decision. It may be
    /// missing where nobody was told, because nothing else waits for it.
    pub logged: Option<u64>,
    pub endpoints: Vec<EndpointId>,
}

/// Which approvals of a backend to list, newest first.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub state: Option<StateName>,
    pub subject: Option<Subject>,
    pub transfer_id: Option<TransferId>,
    /// Only those older than this one (the cursor).
    pub before: Option<ApprovalId>,
}

/// A notice as shown with its approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeView {
    pub id: NoticeId,
    pub channel: ChannelId,
    pub kind: ChannelKind,
    pub masked: String,
    pub purpose: Purpose,
    pub status: NoticeStatus,
    pub attempts: u32,
    pub delivered_at: Option<Timestamp>,
}

/// A notice that a worker has leased.
#[derive(Debug, Clone)]
pub struct NoticeJob {
    pub id: NoticeId,
    pub holder: HolderId,
    pub channel: ChannelId,
    pub purpose: Purpose,
    pub about: About,
    pub sealed_address: Vec<u8>,
    pub attempts: u32,
    pub created_at: Timestamp,
    pub useless_after: Timestamp,
    /// Settling is refused once the lease was handed to somebody else.
    pub fence: i64,
}

/// A webhook delivery that a worker has leased.
#[derive(Debug, Clone)]
pub struct DeliveryJob {
    pub id: DeliveryId,
    pub endpoint: Endpoint,
    pub message_id: String,
    pub body: String,
    pub attempts: u32,
    pub created_at: Timestamp,
    pub fence: i64,
}

/// How a leased notice ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoticeOutcome {
    Delivered {
        at: Timestamp,
    },
    RetryAt(Timestamp),
    /// Its turn comes later, and it wasn't tried.
    DeferredTo(Timestamp),
    /// No further try; the next channel in the row has its turn, at once.
    Failed {
        at: Timestamp,
    },
    /// It would mislead by now.
    Dropped,
}

/// How one try of a delivery ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryOutcome {
    pub at: Timestamp,
    /// HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// A short word for the log, never the receiver's text.
    pub error: Option<&'static str>,
    pub next: DeliveryNext,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryNext {
    Done,
    RetryAt(Timestamp),
    GiveUp,
    /// 410 Gone: the endpoint is switched off.
    Disable,
}

/// A delivery as its log shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryView {
    pub id: DeliveryId,
    pub endpoint: EndpointId,
    pub message_id: String,
    pub status: DeliveryStatus,
    pub attempts: u32,
    pub last_status: Option<u16>,
    pub last_error: Option<String>,
    pub created_at: Timestamp,
    pub next_at: Option<Timestamp>,
    pub done_at: Option<Timestamp>,
}

/// Age of the oldest thing that should have gone out by now, and how many such there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    pub notices: u64,
    pub deliveries: u64,
    pub oldest: Option<Timestamp>,
}

/// What goes out, and is kept for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outgoing {
    Notices,
    Deliveries,
    StaffNotices,
}

impl Outgoing {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Notices => "notice",
            Self::Deliveries => "delivery",
            Self::StaffNotices => "staff_notice",
        }
    }
}

/// What became of the rows that were looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    pub deleted: u64,
    /// The last one; nothing when there are none after it.
    pub last: Option<Uuid>,
}

/// The record of everything.
#[async_trait]
pub trait Store: super::overrides::OverrideStore + super::erasure::ErasureStore + Send + Sync {
    /// Stores a change, all of it or nothing. Changes that arrive together may share a transaction; none fails for
    /// another's fault.
    async fn commit(&self, change: Change) -> Result<(), CommitError>;

    /// The database's own clock.
    async fn now(&self) -> Result<Timestamp, StoreError>;

    async fn key_by_hash(&self, hash: &Digest) -> Result<Option<ApiKey>, StoreError>;
    async fn keys(&self, backend: BackendId) -> Result<Vec<ApiKey>, StoreError>;
    async fn key(&self, id: KeyId) -> Result<Option<ApiKey>, StoreError>;
    async fn backends(&self) -> Result<Vec<Backend>, StoreError>;

    async fn remembered(&self, backend: BackendId, key: &IdempotencyKey) -> Result<Option<Remembered>, StoreError>;
    async fn opening(&self, backend: BackendId, subject: &Subject, key: &IdempotencyKey)
    -> Result<Opening, StoreError>;

    async fn holder(&self, backend: BackendId, subject: &Subject) -> Result<Option<Holder>, StoreError>;
    async fn holder_by_id(&self, id: HolderId) -> Result<Option<Holder>, StoreError>;
    async fn channels(&self, holder: HolderId) -> Result<Vec<Channel>, StoreError>;
    /// The same, where a forged or corrupt row doesn't hide its neighbours: for what must not wait for it. A store whose
    /// rows nobody else can write reads them as they are.
    async fn channels_one_by_one(&self, holder: HolderId) -> Result<Vec<Read<Channel>>, StoreError> {
        Ok(self.channels(holder).await?.into_iter().map(Ok).collect())
    }
    /// Where a holder's channels lead, sealed.
    async fn addresses(&self, holder: HolderId) -> Result<Vec<(ChannelId, Vec<u8>)>, StoreError>;
    async fn devices(&self, holder: HolderId) -> Result<Vec<Device>, StoreError>;
    /// The device whose cookie hashes to this; removed and locked ones too.
    async fn device_by_cookie(&self, hash: &Digest) -> Result<Option<Device>, StoreError>;
    /// Devices with one of these keys; at most 16 are asked for.
    async fn devices_by_key(&self, thumbprints: &[Thumbprint]) -> Result<Vec<Device>, StoreError>;

    async fn enrol_link(&self, token_hash: &Digest) -> Result<Option<EnrolLink>, StoreError>;

    async fn approval(&self, id: ApprovalId) -> Result<Option<Approval>, StoreError>;
    async fn case(&self, id: ApprovalId) -> Result<Option<Case>, StoreError>;
    /// The device whose cookie hashes to this with this approval, if both are one holder's.
    async fn device_case(&self, cookie: &Digest, id: ApprovalId) -> Result<Option<DeviceCase>, StoreError>;
    /// Approvals of one backend, newest first, `limit` at most.
    async fn approvals(&self, backend: BackendId, filter: &Filter, limit: u32) -> Result<Vec<Approval>, StoreError>;
    /// Approvals of one holder that live, and the newest ended ones, `limit` in all. A forged or corrupt row doesn't hide
    /// its neighbours.
    async fn approvals_of_holder(&self, holder: HolderId, limit: u32) -> Result<Vec<Read<Approval>>, StoreError>;
    async fn notices(&self, approval: ApprovalId) -> Result<Vec<NoticeView>, StoreError>;
    async fn evidence(&self, approval: ApprovalId) -> Result<Vec<Evidence>, StoreError>;

    /// Reads many approvals whose timers fired. Ids that don't exist are left out; a forged or corrupt row doesn't
    /// hide its neighbours and comes back as an error of its own.
    async fn due_cases(&self, ids: &[ApprovalId]) -> Result<Vec<Result<DueCase, StoreError>>, StoreError>;
    /// What falls due before `before`, oldest first, `limit` at most. `before` is on the database's clock. The order
    /// and an exclusive lower bound allow paging.
    async fn due_before(
        &self,
        before: Timestamp,
        after: Option<(Timestamp, ApprovalId)>,
        limit: u32,
    ) -> Result<Vec<(ApprovalId, Timestamp)>, StoreError>;

    /// Leases notices whose turn has come.
    async fn claim_notices(&self, max: u32, lease: Duration) -> Result<Vec<NoticeJob>, StoreError>;
    /// Notices that commits on this node left, and leased as they were stored, so that nothing needs to be searched. A
    /// store that hands nothing over searches.
    async fn fresh_notices(&self, max: u32, lease: Duration) -> Result<Vec<NoticeJob>, StoreError> {
        self.claim_notices(max, lease).await
    }
    /// Settles many in one go: (notice, fence, outcome). Gives those that were settled; for the others the lease had
    /// passed to somebody else.
    async fn settle_notices(&self, outcomes: &[(NoticeId, i64, NoticeOutcome)]) -> Result<Vec<NoticeId>, StoreError>;
    /// Settles one; `false` when the lease had passed to somebody else.
    async fn settle_notice(&self, id: NoticeId, fence: i64, outcome: NoticeOutcome) -> Result<bool, StoreError> {
        Ok(self.settle_notices(&[(id, fence, outcome)]).await?.contains(&id))
    }
    /// Those of these approvals that still cool although their hold is over by the database's clock.
    async fn past_hold(&self, ids: &[ApprovalId]) -> Result<Vec<ApprovalId>, StoreError>;
    /// A delivered notice bounced: it no longer counts as delivered.
    async fn notice_bounced(&self, id: NoticeId) -> Result<bool, StoreError>;

    /// Leases deliveries whose time has come, none for the endpoints in `busy`, and at most `per_endpoint` for one.
    async fn claim_deliveries(
        &self,
        max: u32,
        per_endpoint: u32,
        busy: &[EndpointId],
        lease: Duration,
    ) -> Result<Vec<DeliveryJob>, StoreError>;
    /// Deliveries that commits on this node left, and leased as they were stored; else as
    /// [`Store::claim_deliveries`].
    async fn fresh_deliveries(
        &self,
        max: u32,
        per_endpoint: u32,
        busy: &[EndpointId],
        lease: Duration,
    ) -> Result<Vec<DeliveryJob>, StoreError> {
        self.claim_deliveries(max, per_endpoint, busy, lease).await
    }
    /// Settles many tries in one go: (delivery, fence, outcome).
    async fn settle_deliveries(&self, outcomes: &[(DeliveryId, i64, DeliveryOutcome)]) -> Result<(), StoreError>;

    async fn endpoints(&self, backend: BackendId) -> Result<Vec<Endpoint>, StoreError>;
    async fn endpoint(&self, backend: BackendId, id: EndpointId) -> Result<Option<Endpoint>, StoreError>;
    /// The log of an endpoint, newest first.
    async fn deliveries(
        &self,
        endpoint: EndpointId,
        before: Option<DeliveryId>,
        limit: u32,
    ) -> Result<Vec<DeliveryView>, StoreError>;
    /// One delivery's message id and body, for sending it again.
    async fn delivery_message(
        &self,
        endpoint: EndpointId,
        id: DeliveryId,
    ) -> Result<Option<(String, String)>, StoreError>;

    async fn backlog(&self) -> Result<Backlog, StoreError>;
    /// Live approvals by state.
    async fn live_counts(&self) -> Result<Vec<(StateName, u64)>, StoreError>;
    /// Entries in the order in which they were stored, after the given id; those whose text was erased are left out.
    async fn audit_page(&self, after: Option<i64>, limit: u32) -> Result<Vec<(i64, AuditEntry)>, StoreError>;
    /// Deletes remembered answers older than this.
    async fn forget_before(&self, before: Timestamp) -> Result<u64, StoreError>;
    /// Looks at rows made before a time, `limit` at most, in the order of their ids after the given one, and deletes
    /// those that nobody needs: what is still to be sent stays, and so does a notice that may be, or that is about an
    /// approval or an override request that lives.
    async fn prune(
        &self,
        what: Outgoing,
        before: Timestamp,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Pruned, StoreError>;
    /// Faults of the database's own settings that would break the promise, each a sentence: none on SQLite; on
    /// PostgreSQL a standby that commits asynchronously, or `synchronous_commit` or `fsync` off.
    async fn durability_faults(&self) -> Result<Vec<String>, StoreError>;
}
