//! A service to talk to: the real routes and use cases on a loopback port, over a record in memory.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};
use countersign::adapters::receipts::{Es256Receipts, generate_pem};
use countersign::adapters::storage::postgres::{Committers, PostgresStore};
use countersign::adapters::storage::sqlite::SqliteStore;
use countersign::adapters::timing::{MemoryLimits, MemoryLive, MemoryTimers, OsEntropy};
use countersign::adapters::webauthn::Webauthn;
use countersign::domain::approval::transitions::{Guard, Transition};
use countersign::domain::approval::{Approval, Decider, Decision, Distinct, State, Told};
use countersign::domain::backend::{Scope, Scopes};
use countersign::domain::details::Digest;
use countersign::domain::event::EventKind;
use countersign::domain::policy::{Assurance, Floors, Policy, Tier, Unproved};
use countersign::domain::text::Line;
use countersign::domain::witness::quorum::Quorum;
use countersign::domain::{ApprovalId, BackendId, ChangeId, ChannelId, KeyId, Timestamp};
use countersign::ports::store::NoticeOutcome;
use countersign::ports::{Change, Effect, LogStore, Secrets, StaffStore, Store};
use countersign::service::log::{self, Log, Witnesses};
use countersign::service::{Context, Profile, Settings, backends};
use countersign::web::device::push::PushKey;
use countersign::web::extract::TrustedProxies;
use countersign::web::{guard, request_id, routes};
use countersign::workers::ClockGate;
use ipnet::IpNet;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::call::{Answer, Call};
use crate::storage_sql::make;
use crate::support::approved;
use crate::support::clock::ManualClock;
use crate::support::enrolled;
use crate::support::log::log_at_once;
use crate::support::memory_store::MemoryStore;
use crate::support::servers::postgres::Postgres;

pub const MINUTE: Duration = Duration::from_secs(60);
pub const HOUR: Duration = Duration::from_secs(3600);

/// How the service is set up.
#[derive(Clone)]
pub struct Setup {
    pub profile: Profile,
    pub key_per_minute: u32,
    pub tries_per_minute: u32,
    pub proxies: Vec<IpNet>,
    pub record: Record,
    /// Whom a receipt waits for; what they sign is kept in memory.
    pub quorum: Quorum,
}

/// Where the record is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Record {
    Memory,
    Sqlite,
    /// A server of its own, which judges by its own clock: the stage's stands where that one stood.
    Postgres,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            profile: Profile::Production,
            key_per_minute: 100_000,
            tries_per_minute: 100_000,
            proxies: Vec::new(),
            record: Record::Memory,
            quorum: Quorum::default(),
        }
    }
}

/// A running service, with one backend whose key may do everything.
pub struct Stage {
    pub at: SocketAddr,
    pub cx: Context,
    pub clock: Arc<ManualClock>,
    /// The rows themselves, where they are in memory.
    pub memory: Arc<MemoryStore>,
    pub backend: BackendId,
    /// The secret of that key.
    pub key: String,
    pub key_id: KeyId,
    /// The database, where the record is in one.
    sqlite: Option<Arc<SqliteStore>>,
    server: ServerHandle,
    serial: AtomicU32,
    _folder: TempDir,
    _postgres: Option<(Arc<PostgresStore>, Postgres)>,
}

impl Stage {
    pub async fn new() -> Self {
        Self::with(Setup::default()).await
    }

    pub async fn with(setup: Setup) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::parse_rfc3339("2026-11-21T14:32:00Z").unwrap()));
        let secrets = make::secrets();
        let memory = Arc::new(MemoryStore::new(clock.clone()));
        let folder = tempfile::tempdir().unwrap();
        let mut postgres = None;
        let sqlite = match setup.record {
            Record::Memory => None,
            Record::Postgres => {
                let server = make::server();
                let store = make::postgres_at(&server.url("postgres"), Committers::Two).await;
                clock.set(Store::now(&*store).await.unwrap());
                postgres = Some((store, server));
                None
            }
            Record::Sqlite => {
                let path = folder.path().join("record.db");
                let sqlite = SqliteStore::open(&path, Arc::clone(&secrets), clock.clone()).await.unwrap();
                sqlite.migrate().await.unwrap();
                Some(Arc::new(sqlite))
            }
        };
        let (store, log, staff): (Arc<dyn Store>, Arc<dyn LogStore>, Arc<dyn StaffStore>) = match (&sqlite, &postgres) {
            (Some(sqlite), _) => (sqlite.clone(), sqlite.clone(), sqlite.clone()),
            (None, Some((postgres, _))) => (postgres.clone(), postgres.clone(), postgres.clone()),
            (None, None) => (memory.clone(), memory.clone(), memory.clone()),
        };
        let mut log = log_at_once(log);
        log.witnesses = Some(Arc::new(Witnesses::new(setup.quorum.clone(), memory.clone())));
        let mut cx = context(&setup, &clock, store, log, secrets);
        cx.staff = staff;
        let new = backends::add(&cx, Line::parse("Harbour").unwrap(), Scopes::of(&Scope::ALL)).await.unwrap();
        let (at, server) = serve(cx.clone(), setup.proxies);
        let key = new.secret.reveal().to_owned();
        let (backend, key_id, serial) = (new.backend, new.key, AtomicU32::new(0));
        Self {
            at,
            cx,
            clock,
            memory,
            backend,
            key,
            key_id,
            sqlite,
            server,
            serial,
            _folder: folder,
            _postgres: postgres,
        }
    }

    /// A new name, so that nothing collides.
    pub fn name(&self, kind: &str) -> String {
        format!("{kind}-{}", self.serial.fetch_add(1, Ordering::Relaxed))
    }

    /// Sends a call with the stage's own key.
    pub async fn send(&self, call: Call) -> Answer {
        call.key(&self.key).send(self.at).await
    }

    /// Sends a call with the stage's own key and a new idempotency key.
    pub async fn send_once(&self, call: Call) -> Answer {
        self.send(call.once(&self.name("idem"))).await
    }

    /// The secret of a further key of the stage's backend.
    pub async fn further_key(&self, scopes: &[Scope]) -> (KeyId, String) {
        let new = backends::add_key(&self.cx, self.backend, Scopes::of(scopes)).await.unwrap();
        (new.key, new.secret.reveal().to_owned())
    }

    /// The secret of a key of another backend that may do everything.
    pub async fn stranger(&self) -> String {
        let new = backends::add(&self.cx, Line::parse("Quay").unwrap(), Scopes::of(&Scope::ALL)).await.unwrap();
        new.secret.reveal().to_owned()
    }

    /// A holder with a mailbox and no device.
    pub async fn holder(&self) -> String {
        let subject = self.name("u");
        let body = json!({"subject": subject, "channels": [{"kind": "email", "address": "marta@example.org"}]});
        self.send_once(Call::post("/v1/holders").json(&body)).await.expect(201);
        subject
    }

    /// A holder with a mailbox and an enrolled device, which is past its hold.
    pub async fn enrolled(&self) -> String {
        let subject = self.holder().await;
        enrolled::enrol(&self.cx, self.backend, &subject, &subject, &self.name("link")).await;
        subject
    }

    /// Takes the database away.
    pub async fn lose_record(&self) {
        self.sqlite.as_ref().expect("a record in a database").close().await;
    }

    /// A body for a create.
    pub fn transfer(&self, subject: &str) -> Value {
        json!({
            "subject": subject,
            "transfer_id": self.name("wd"),
            "amount": "12500.00",
            "currency": "EUR",
            "payee": {"name": "Marta Nowak", "account": "PL61109010140000071219812874"},
            "payee_history": "new",
            "source_account": {"id": "acc-4471", "label": "Everyday account, ending 4471"},
            "reference": "Invoice 2231",
            "initiator": {
                "started_on": "website",
                "started_at": "2026-11-21T14:31:02Z",
                "from": "a computer near Leeds",
            },
        })
    }

    /// An approval that waits, of a holder of its own.
    pub async fn pending(&self) -> Value {
        let subject = self.enrolled().await;
        self.pending_of(&subject).await
    }

    pub async fn pending_of(&self, subject: &str) -> Value {
        self.send_once(Call::post("/v1/approvals").json(&self.transfer(subject))).await.expect(201)
    }

    /// The id of a notice that its channel accepted.
    pub async fn delivered_notice(&self) -> String {
        let approval: ApprovalId = self.pending().await["id"].as_str().unwrap().parse().unwrap();
        let notice = self.cx.store.notices(approval).await.unwrap().remove(0).id;
        let jobs = self.cx.store.claim_notices(1000, MINUTE).await.unwrap();
        let fence = jobs.iter().find(|job| job.id == notice).expect("it waits to be sent").fence;
        let delivered = NoticeOutcome::Delivered { at: self.cx.now() };
        assert!(self.cx.store.settle_notice(notice, fence, delivered).await.unwrap());
        notice.to_string()
    }

    /// A released approval, by the shortest way: what leads there is tested elsewhere.
    pub async fn released(&self) -> Value {
        let pending = self.pending().await;
        let now = self.cx.now();
        let (decision, told) = (self.decision(&pending, now).await, self.told(now));
        let state = State::Released { decision, told, released_at: now, redeem_until: now + 24 * HOUR };
        self.put(&pending, state).await
    }

    pub async fn cooling(&self) -> Value {
        let pending = self.pending().await;
        let now = self.cx.now();
        let state = State::Cooling { decision: self.decision(&pending, now).await, cooling_until: now + 15 * MINUTE };
        self.put(&pending, state).await
    }

    async fn decision(&self, approval: &Value, now: Timestamp) -> Decision {
        let id: ApprovalId = approval["id"].as_str().unwrap().parse().unwrap();
        let holder = self.cx.store.approval(id).await.unwrap().unwrap().holder;
        Decision {
            by: Decider::Device {
                device: self.cx.store.devices(holder).await.unwrap()[0].body.id,
                device_enrolled_at: now - 48 * HOUR,
                assurance: Assurance::DeviceBound,
                distinct: Distinct::Observed,
            },
            approved_at: now,
            hold: 15 * MINUTE,
            challenge: Digest::of(b"challenge"),
        }
    }

    fn told(&self, now: Timestamp) -> Told {
        Told { channel: self.cx.id(ChannelId::new, now), delivered_at: now }
    }

    /// Puts an approval into a state and tells who waits.
    pub async fn put(&self, approval: &Value, state: State) -> Value {
        let id: ApprovalId = approval["id"].as_str().unwrap().parse().unwrap();
        let from = self.cx.store.approval(id).await.unwrap().unwrap();
        let next = Approval { version: from.version + 1, state, ..from.clone() };
        let transition = Transition {
            approval: next.clone(),
            from: from.version,
            event: EventKind::Cooling,
            guard: Guard::default(),
        };
        let effect = Effect::Transition { transition: Box::new(transition), proof: None, receipt: None };
        match next.state.decision() {
            Some(decision) => {
                let now = self.cx.now();
                let mut change =
                    Change::new(approved::entry(self.cx.id(ChangeId::new, now), now, &next, decision), effect);
                change.evidence = Some(approved::evidence(&next, decision));
                self.cx.store.commit(change).await.unwrap();
                while log::turn(&self.cx).await.unwrap() > 0 {}
            }
            None => enrolled::apply(&self.cx, effect).await,
        }
        self.cx.live.publish(&[(id, next.version)]).await;
        let view = countersign::service::view::ApprovalView::of(&next).unwrap();
        serde_json::to_value(view).unwrap()
    }

    /// An endpoint of the stage's backend.
    pub async fn endpoint(&self) -> Value {
        let body = json!({"url": "https://hooks.example.com/in"});
        self.send_once(Call::post("/v1/webhooks/endpoints").json(&body)).await.expect(201)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        drop(self.server.stop(false));
    }
}

fn context(
    setup: &Setup,
    clock: &Arc<ManualClock>,
    store: Arc<dyn Store>,
    log: Log,
    secrets: Arc<dyn Secrets>,
) -> Context {
    let public_url: url::Url = "http://localhost".parse().unwrap();
    let base = Tier {
        unit: None,
        from: None,
        hold: 15 * MINUTE,
        life: HOUR,
        assurance: Assurance::Synced,
        unproved: Unproved::HoldFor(HOUR),
    };
    let settings = Settings {
        profile: setup.profile,
        operator: "Harbour".to_owned(),
        contact: "the number on your card".to_owned(),
        public_url: public_url.clone(),
        issuer: "https://countersign.example".to_owned(),
        policy: Policy::new(base, Vec::new(), 72 * HOUR, 24 * HOUR, Floors::PRODUCTION).unwrap(),
        new_device_hold: 12 * HOUR,
        new_channel_hold: 24 * HOUR,
        notices_per_minute: 5,
        override_caps: countersign::domain::override_request::Caps::DEFAULT,
        tries_per_minute: setup.tries_per_minute,
        key_per_minute: setup.key_per_minute,
    };
    Context {
        clock: clock.clone(),
        entropy: Arc::new(OsEntropy),
        store,
        timers: Arc::new(MemoryTimers::new(clock.clone())),
        limits: Arc::new(MemoryLimits::new(clock.clone())),
        live: Arc::new(MemoryLive::new()),
        ceremonies: Arc::new(Webauthn::new("localhost", &public_url, "Harbour").unwrap()),
        secrets,
        signer: Arc::new(Es256Receipts::new(&generate_pem().unwrap(), &[]).unwrap()),
        settings: Arc::new(settings),
        staff: Arc::new(MemoryStore::new(clock.clone())),
        console: None,
        log,
    }
}

fn serve(cx: Context, proxies: Vec<IpNet>) -> (SocketAddr, ServerHandle) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let at = listener.local_addr().unwrap();
    let build = move || {
        App::new()
            .app_data(web::Data::new(cx.clone()))
            .app_data(web::Data::new(ClockGate::open()))
            .app_data(web::Data::new(PushKey(None)))
            .app_data(web::Data::new(TrustedProxies(proxies.clone())))
            .configure(routes::configure)
            .wrap(from_fn(guard::headers))
            .wrap(from_fn(request_id::trace))
    };
    let server = HttpServer::new(build).workers(2).disable_signals().listen(listener).unwrap().run();
    let handle = server.handle();
    tokio::spawn(server);
    (at, handle)
}
