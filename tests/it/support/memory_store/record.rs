//! The rows.

use std::collections::BTreeMap;

use countersign::domain::approval::Approval;
use countersign::domain::audit::AuditEntry;
use countersign::domain::backend::{ApiKey, Backend, Remembered};
use countersign::domain::channel::{Channel, Notice, NoticeStatus};
use countersign::domain::device::Device;
use countersign::domain::evidence::Evidence;
use countersign::domain::holder::Holder;
use countersign::domain::link::EnrolLink;
use countersign::domain::log::Tiles;
use countersign::domain::log::note::Signature;
use countersign::domain::webhook::{Delivery, DeliveryStatus, Endpoint};
use countersign::domain::{
    ApprovalId, BackendId, ChangeId, ChannelId, DeliveryId, DeviceId, EndpointId, HolderId, KeyId, LinkId, NoticeId,
    Timestamp,
};
use countersign::ports::log::Signed;

/// Everything that is stored.
#[derive(Debug, Default)]
pub struct Record {
    pub backends: BTreeMap<BackendId, Backend>,
    pub overrides: super::overrides::Overrides,
    pub keys: BTreeMap<KeyId, ApiKey>,
    /// By backend and the text of the idempotency key.
    pub remembered: BTreeMap<(BackendId, String), Remembered>,
    pub holders: BTreeMap<HolderId, Holder>,
    pub channels: BTreeMap<ChannelId, Channel>,
    pub devices: BTreeMap<DeviceId, Device>,
    pub links: BTreeMap<LinkId, EnrolLink>,
    pub approvals: BTreeMap<ApprovalId, ApprovalRow>,
    pub notices: BTreeMap<NoticeId, NoticeRow>,
    pub endpoints: BTreeMap<EndpointId, Endpoint>,
    pub deliveries: BTreeMap<DeliveryId, DeliveryRow>,
    /// With the approval that it is about and the change that brought it; evidence of an enrolment is about none.
    pub evidence: Vec<(Option<ApprovalId>, ChangeId, Evidence)>,
    /// In the order in which they were stored; the first has the number 1.
    pub entries: Vec<AuditEntry>,
    /// The log's checkpoints, smallest first, and its tiles.
    pub checkpoints: Vec<Signed>,
    pub tiles: Tiles,
    /// Cosignatures by the size of their checkpoint, and by name and id of their key.
    pub cosignatures: BTreeMap<(u64, String, u32), Signature>,
    /// The last fence that was handed out.
    pub fence: i64,
    pub staff: super::staff::StaffRecord,
    pub erasures: super::erasures::Erasures,
}

#[derive(Debug, Clone)]
pub struct ApprovalRow {
    pub approval: Approval,
    pub receipt: Option<String>,
}

#[derive(Debug, Clone)]
pub struct NoticeRow {
    pub notice: Notice,
    pub status: NoticeStatus,
    /// Tries that were settled; a lease that ran out counts for none.
    pub attempts: u32,
    pub next_at: Timestamp,
    pub lease: Option<Lease>,
    pub delivered_at: Option<Timestamp>,
}

#[derive(Debug, Clone)]
pub struct DeliveryRow {
    pub delivery: Delivery,
    pub status: DeliveryStatus,
    /// Tries that were settled; a lease that ran out counts for none.
    pub attempts: u32,
    pub next_at: Option<Timestamp>,
    pub lease: Option<Lease>,
    pub last_status: Option<u16>,
    pub last_error: Option<String>,
    pub done_at: Option<Timestamp>,
}

/// Who may settle, and until when nobody else may claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    pub fence: i64,
    pub until: Timestamp,
}

impl Lease {
    /// Whether somebody else may claim what it holds.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.until <= now
    }
}
