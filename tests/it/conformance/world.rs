//! The rows that a case starts from, and the changes it makes: one backend with an endpoint, one holder with a mailbox
//! and an enrolled device, and approvals of theirs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use countersign::domain::approval::transitions::{Guard, Transition};
use countersign::domain::approval::{Actor, Approval, State};
use countersign::domain::audit::{AuditEntry, AuditEvent, Facts};
use countersign::domain::backend::{ApiKey, ApiSecret, Backend, IdempotencyKey, Remembered, Scope, Scopes};
use countersign::domain::channel::{About, Channel, Turn};
use countersign::domain::details::{Digest, Subject};
use countersign::domain::device::Device;
use countersign::domain::event::EventKind;
use countersign::domain::holder::Holder;
use countersign::domain::text::Line;
use countersign::domain::{
    ApprovalId, BackendId, ChangeId, ChannelId, DeviceId, EndpointId, HolderId, KeyId, Timestamp,
};
use countersign::ports::store::{Filter, Unique};
use countersign::ports::{Change, CommitError, Effect, Store};

use super::rows::{device, mailbox};

pub const MINUTE: Duration = Duration::from_secs(60);
pub const HOUR: Duration = Duration::from_secs(3600);

/// Why a change was refused, in a form that compares. A fault of the store itself is none of these.
#[derive(Debug, PartialEq, Eq)]
pub enum Why {
    Conflict,
    Duplicate(Unique),
    Cap,
    Frozen,
}

/// Reads a refusal; panics when the store failed instead.
pub fn why(error: CommitError) -> Why {
    match error {
        CommitError::Conflict => Why::Conflict,
        CommitError::Duplicate(what) => Why::Duplicate(what),
        CommitError::Cap => Why::Cap,
        CommitError::Frozen => Why::Frozen,
        CommitError::Unknown(_) | CommitError::Store(_) => panic!("the store failed: {error:?}"),
    }
}

/// The ids and rows a case starts from.
pub struct World {
    pub store: Arc<dyn Store>,
    /// What the store's clock said when the world was made.
    pub now: Timestamp,
    pub backend: Backend,
    pub key: ApiKey,
    pub holder: Holder,
    /// A channel that counts, and lives on no device.
    pub mailbox: Channel,
    pub device: Device,
    pub endpoint: EndpointId,
    serial: AtomicU32,
}

impl World {
    /// Stores the rows.
    pub async fn build(store: Arc<dyn Store>) -> Self {
        let now = store.now().await.unwrap();
        let (backend, holder) = (BackendId::new(now, [1; 10]), HolderId::new(now, [2; 10]));
        let mut world = Self {
            store,
            now,
            backend: Backend { id: backend, name: Line::parse("Harbour").unwrap(), created_at: now },
            key: ApiKey {
                id: KeyId::new(now, [3; 10]),
                backend,
                hash: ApiSecret::from_random([3; 32]).hash(),
                scopes: Scopes::of(&Scope::ALL),
                created_at: now,
                revoked_at: None,
            },
            holder: Holder {
                id: holder,
                backend,
                subject: Subject::parse("u-77").unwrap(),
                created_at: now - 72 * HOUR,
                enrolled_at: None,
            },
            mailbox: mailbox(ChannelId::new(now, [4; 10]), holder, now - 72 * HOUR),
            device: device(DeviceId::new(now, [5; 10]), holder, 5, now),
            endpoint: EndpointId::new(now, [6; 10]),
            serial: AtomicU32::new(100),
        };
        world.apply(Effect::AddBackend { backend: world.backend.clone(), key: world.key.clone() }).await;
        let channels = vec![world.mailbox.clone()];
        let remember = world.remember();
        world.apply(Effect::AddHolder { holder: world.holder.clone(), channels, remember }).await;
        let (link, remember) = (world.link(holder), world.remember());
        world.apply(Effect::AddLink { link: link.clone(), remember }).await;
        let device = Box::new(world.device.clone());
        world.apply(Effect::EnrolFirst { link: link.id, device, at: now - 48 * HOUR }).await;
        world.holder.enrolled_at = Some(now - 48 * HOUR);
        let (endpoint, remember) = (world.endpoint_of(backend, world.endpoint), world.remember());
        world.apply(Effect::AddEndpoint { endpoint, remember }).await;
        world
    }

    pub fn serial(&self) -> u32 {
        self.serial.fetch_add(1, Ordering::Relaxed)
    }

    /// A new id; later ones sort after earlier ones, whatever the precision of a database's clock.
    pub fn id<I>(&self, make: fn(Timestamp, [u8; 10]) -> I) -> I {
        let serial = self.serial();
        let mut random = [9; 10];
        random[..4].copy_from_slice(&serial.to_be_bytes());
        make(self.now + Duration::from_millis(u64::from(serial)), random)
    }

    pub fn idempotency_key(&self) -> IdempotencyKey {
        IdempotencyKey::parse(&format!("key-{}", self.serial())).unwrap()
    }

    pub fn remember_as(&self, backend: BackendId, key: IdempotencyKey) -> Remembered {
        let answer = format!(r#"{{"answer":"{}"}}"#, key.as_str());
        Remembered { backend, key, request: Digest::of(b"request"), answer, created_at: self.now }
    }

    pub fn remember(&self) -> Remembered {
        self.remember_as(self.backend.id, self.idempotency_key())
    }

    pub fn entry(&self) -> AuditEntry {
        let facts = Facts::from([("serial", self.serial().to_string())]);
        let event =
            AuditEvent { kind: "approval.opened", actor: Actor::Service, object: vec!["apr_1".to_owned()], facts };
        AuditEntry::new(self.id(ChangeId::new), self.now, [7; 16], &event).unwrap()
    }

    pub fn change(&self, effect: Effect) -> Change {
        Change::new(self.entry(), effect)
    }

    /// Stores an effect that must hold.
    pub async fn apply(&self, effect: Effect) {
        self.store.commit(self.change(effect)).await.unwrap();
    }

    /// The change with one of each consequence, about the approval.
    pub fn loaded(&self, effect: Effect, about: ApprovalId) -> Change {
        let mut change = self.change(effect);
        change.notices = vec![self.notice(About::Approval(about), self.mailbox.id, Turn::Now, 0)];
        change.deliveries = vec![self.delivery(self.endpoint)];
        change.evidence = Some(self.evidence(about));
        change
    }

    /// The effect must be refused for this reason, and leave no trace of itself or of its consequences.
    pub async fn refuses(&self, effect: Effect, about: ApprovalId, expected: Why) {
        let before = self.snapshot().await;
        let change = self.loaded(effect, about);
        let answer = self.store.commit(change.clone()).await;
        let refusal = why(answer.expect_err(&format!("it was stored: {:?}", change.effect)));
        assert_eq!(refusal, expected, "for {:?}", change.effect);
        let after = self.snapshot().await;
        assert_eq!(after, before, "a refused change left a trace: {:?}", change.effect);
    }

    /// Everything that can be read about this world, as text, so that any trace shows.
    pub async fn snapshot(&self) -> Vec<String> {
        let store = &self.store;
        let far = self.now + 100_000 * HOUR;
        let mut seen = vec![
            format!("{:?}", store.audit_page(None, 10_000).await.unwrap()),
            format!("{:?}", store.backends().await.unwrap()),
            format!("{:?}", store.holder_by_id(self.holder.id).await.unwrap()),
            format!("{:?}", store.due_before(far, None, 10_000).await.unwrap()),
            format!("{:?}", store.live_counts().await.unwrap()),
            format!("{:?}", store.deliveries(self.endpoint, None, 10_000).await.unwrap()),
        ];
        let backlog = store.backlog().await.unwrap();
        seen.push(format!("{} notices, {} deliveries", backlog.notices, backlog.deliveries));
        seen.extend(store.keys(self.backend.id).await.unwrap().iter().map(|key| format!("{key:?}")));
        seen.extend(store.devices(self.holder.id).await.unwrap().iter().map(|device| format!("{device:?}")));
        seen.extend(store.channels(self.holder.id).await.unwrap().iter().map(|channel| format!("{channel:?}")));
        seen.extend(store.endpoints(self.backend.id).await.unwrap().iter().map(|endpoint| format!("{endpoint:?}")));
        for approval in store.approvals(self.backend.id, &Filter::default(), 10_000).await.unwrap() {
            seen.push(format!("{:?}", store.case(approval.id).await.unwrap()));
            seen.push(format!("{:?}", store.notices(approval.id).await.unwrap()));
            seen.push(format!("{:?}", store.evidence(approval.id).await.unwrap()));
        }
        seen.sort();
        seen
    }

    pub fn draft(&self) -> Approval {
        self.drafted(&self.holder, &format!("wd-{}", self.serial()))
    }

    pub fn open(&self, approval: &Approval) -> Effect {
        let remember = self.remember_as(approval.backend, self.idempotency_key());
        Effect::Open { approval: Box::new(approval.clone()), remember }
    }

    /// A stored pending approval.
    pub async fn opened(&self) -> Approval {
        let approval = self.draft();
        self.apply(self.open(&approval)).await;
        approval
    }

    /// A stored approval in this state.
    pub async fn opened_as(&self, state: State) -> Approval {
        let approval = self.opened().await;
        self.put(&approval, state).await
    }

    /// Stores the approval in this state without asking the domain: how a case gets to where it begins.
    pub async fn put(&self, approval: &Approval, state: State) -> Approval {
        let next = Approval { version: approval.version + 1, state, ..approval.clone() };
        self.apply(transition(self.moved(approval, next.state.clone(), Guard::default()))).await;
        next
    }

    /// A bare transition with this guard.
    pub fn moved(&self, approval: &Approval, state: State, guard: Guard) -> Transition {
        let next = Approval { version: approval.version + 1, state, ..approval.clone() };
        Transition { approval: next, from: approval.version, event: EventKind::Cancelled, guard }
    }

    /// A stored further holder of the same backend.
    pub async fn another_holder(&self, subject: &str) -> Holder {
        let holder = Holder {
            id: self.id(HolderId::new),
            backend: self.backend.id,
            subject: Subject::parse(subject).unwrap(),
            created_at: self.now,
            enrolled_at: None,
        };
        let remember = self.remember();
        self.apply(Effect::AddHolder { holder: holder.clone(), channels: Vec::new(), remember }).await;
        holder
    }

    /// A stored further backend.
    pub async fn another_backend(&self) -> Backend {
        let id = self.id(BackendId::new);
        let backend = Backend { id, name: Line::parse("Quay").unwrap(), created_at: self.now };
        let key = self.another_key(id);
        self.apply(Effect::AddBackend { backend: backend.clone(), key }).await;
        backend
    }

    /// A stored further channel of the holder.
    pub async fn added_channel(&self, on: Option<DeviceId>, counts_from: Timestamp) -> Channel {
        let channel = self.another_channel(on, counts_from);
        self.apply(Effect::AddChannel(channel.clone())).await;
        channel
    }

    /// A stored further endpoint of the backend.
    pub async fn another_endpoint(&self) -> EndpointId {
        let id = self.id(EndpointId::new);
        let (endpoint, remember) = (self.endpoint_of(self.backend.id, id), self.remember());
        self.apply(Effect::AddEndpoint { endpoint, remember }).await;
        id
    }
}

/// The plain effect of a transition.
pub fn transition(transition: Transition) -> Effect {
    Effect::Transition { transition: Box::new(transition), proof: None, receipt: None }
}
