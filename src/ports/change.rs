//! One write. A use case ends in a [`Change`], which is stored whole or not at all: the effect, its audit entry, what
//! goes out because of it, and its evidence.

use crate::domain::approval::Approval;
use crate::domain::approval::transitions::Transition;
use crate::domain::audit::AuditEntry;
use crate::domain::backend::{ApiKey, Backend, Remembered};
use crate::domain::channel::{Channel, Notice};
use crate::domain::device::Device;
use crate::domain::evidence::Evidence;
use crate::domain::freeze::FreezeStep;
use crate::domain::holder::Holder;
use crate::domain::ids::{ChannelId, DeviceId, EndpointId, KeyId, LinkId, NoticeId};
use crate::domain::link::EnrolLink;
use crate::domain::override_request::OverrideRequest;
use crate::domain::time::Timestamp;
use crate::domain::webhook::{Delivery, Endpoint};
use crate::ports::staff::StaffEffect;

/// One write, all of it or nothing. Its id is the id of its audit entry: when the answer to COMMIT is lost, that id is
/// looked up.
#[derive(Debug, Clone)]
pub struct Change {
    pub entry: AuditEntry,
    pub effect: Effect,
    pub notices: Vec<Notice>,
    pub deliveries: Vec<Delivery>,
    pub evidence: Option<Evidence>,
}

impl Change {
    /// A change that so far has no consequences beside its effect.
    pub fn new(entry: AuditEntry, effect: Effect) -> Self {
        Self { entry, effect, notices: Vec::new(), deliveries: Vec::new(), evidence: None }
    }
}

/// What a change does to the record. Each variant names the condition under which it holds; when the condition fails
/// nothing is written and [`super::CommitError`] says which.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Only the audit entry and what goes out with it (a refused attempt, a redelivery).
    Noted,
    /// Inserts an approval. Conditions: the idempotency key is new, `transfer_id` is unique among this backend's
    /// approvals that live or were redeemed, the holder has fewer than `PENDING_AT_ONCE` pending ones and isn't frozen.
    Open { approval: Box<Approval>, remember: Remembered },
    /// Stores a transition by compare-and-set on (`id`, `version`), with its guard on the database's clock and, where
    /// a device decided, that device still live and its counter risen. Into `cooling`, `released` and `redeemed` only
    /// while nothing of the holder is frozen; into the last two only while the device that decided isn't removed.
    Transition { transition: Box<Transition>, proof: Option<DeviceProof>, receipt: Option<String> },
    /// Releases or redeems what two staff members approved. Conditions: those of any transition, and that both signatures
    /// of the override still count in this very commit, by the database's clock: whoever ends or moves a signer comes
    /// before it, and then it fails, or after it.
    MoveSigned { transition: Box<Transition>, case: Box<OverrideRequest>, receipt: Option<String> },
    /// Inserts a holder with the channels the backend knows. Condition: the subject is new for this backend; that of an
    /// erased holder isn't.
    AddHolder { holder: Holder, channels: Vec<Channel>, remember: Remembered },
    /// Adds one channel. Condition: the device on which it lives, if it lives on one, is neither removed nor locked.
    AddChannel(Channel),
    /// Removes a channel that lives on a device. Condition: it wasn't removed.
    RemoveChannel { channel: ChannelId, at: Timestamp },
    /// Inserts an enrolment link and ends every earlier one of the holder. Conditions: the idempotency key is new, the
    /// holder isn't frozen and had fewer than `LINKS_A_DAY` since a day ago.
    AddLink { link: EnrolLink, remember: Remembered },
    /// Takes one of a link's tries. Condition: `tries` were taken before, and it hadn't ended.
    CountTry { link: LinkId, tries: u32 },
    /// Ends a link. Condition: it hadn't ended.
    EndLink { link: LinkId, at: Timestamp },
    /// Spends the link and inserts the holder's first device. Conditions: the link hasn't ended, its time by the
    /// database's clock isn't over, the holder never enrolled and isn't frozen, the credential is new.
    EnrolFirst { link: LinkId, device: Box<Device>, at: Timestamp },
    /// Counts a failure that carried the device's own signature, and locks the device at the last one. Condition: the
    /// device had `failures` so far.
    CountFailure { device: DeviceId, failures: u32, lock_at: Option<Timestamp> },
    /// Inserts a webhook endpoint. Conditions: the idempotency key is new, the backend has fewer than `MAX_ENDPOINTS`.
    AddEndpoint { endpoint: Endpoint, remember: Remembered },
    /// Writes an endpoint's url, status and secrets. Condition: it exists.
    SetEndpoint(Endpoint),
    /// Removes an endpoint and what is queued for it.
    RemoveEndpoint(EndpointId),
    /// A delivered notice came back: it no longer counts as delivered, and the next one of its row has its turn.
    /// Condition: it was delivered.
    Bounce(NoticeId),
    /// Inserts a backend with its first key.
    AddBackend { backend: Backend, key: ApiKey },
    /// Adds a key to a backend.
    AddKey(ApiKey),
    /// Revokes a key. Condition: it wasn't revoked.
    RevokeKey { key: KeyId, at: Timestamp },
    /// What concerns staff.
    Staff(Box<StaffEffect>),
    /// A freeze begins, is said again, or ends. Conditions: the version, or that no other holds; the guard on the
    /// database's clock; where a device asked, that device still live and its counter risen; where a staff member
    /// asked, fewer than `STAFF_FREEZES_A_DAY` of theirs since a day ago.
    Freeze { step: Box<FreezeStep>, proof: Option<DeviceProof> },
    /// A step of an override request. Conditions: the version, or that none lives for the same target; the guard; the
    /// daily caps; nobody signed it before; and those of what it does elsewhere.
    Override(Box<super::overrides::OverrideWrite>),
    /// A step of an erasure. Conditions: those of [`super::erasure::Erase`].
    Erase(Box<super::erasure::ErasureWrite>),
}

/// The device that signed, to be checked again in the same commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceProof {
    pub device: DeviceId,
    /// The authenticator's new counter. Condition: above the stored one, or both 0 (WebAuthn L3 section 6.1.1).
    pub counter: u32,
}
