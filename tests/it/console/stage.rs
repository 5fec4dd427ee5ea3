//! A service with a console: both listeners on loopback, one backend, and founders who joined as people do.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};
use countersign::adapters::receipts::{Es256Receipts, generate_pem};
use countersign::adapters::storage::postgres::Committers;
use countersign::adapters::timing::OsEntropy;
use countersign::adapters::webauthn::Webauthn;
use countersign::domain::backend::{Scope, Scopes};
use countersign::domain::policy::{Assurance, Floors, Policy, Tier, Unproved};
use countersign::domain::staff::{Employer, Group, Profile, Role, Roles};
use countersign::domain::text::Line;
use countersign::domain::verification::evidence::{Site, Sites};
use countersign::domain::{BackendId, HolderId, Timestamp};
use countersign::ports::audit::AuditStore;
use countersign::ports::{Effect, LogStore, StaffStore, Store};
use countersign::service::audit::Record;
use countersign::service::{Console, Context, Profile as Deployment, Settings, backends};
use countersign::web::console::routes as console_routes;
use countersign::web::device::push::PushKey;
use countersign::web::extract::TrustedProxies;
use countersign::web::{guard, request_id, routes};
use countersign::workers::ClockGate;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, SqliteConnection};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::timing::Timing;
use crate::storage_sql::make;
use crate::support::clock::ManualClock;
use crate::support::contract;
use crate::support::enrolled;
use crate::support::log::log;
use crate::support::servers::redis::Redis;

pub const MINUTE: Duration = Duration::from_secs(60);
pub const HOUR: Duration = Duration::from_secs(3600);
pub const DAY: Duration = Duration::from_secs(24 * 3600);

/// A running service.
pub struct Stage {
    pub cx: Context,
    pub clock: Arc<ManualClock>,
    /// Where the console listens, and as what it is known.
    pub console: SocketAddr,
    pub console_url: Url,
    pub public: SocketAddr,
    pub backend: BackendId,
    /// The secret of a key that may do everything.
    pub key: String,
    /// The database's file, where it is one.
    pub file: Option<PathBuf>,
    /// Where it is a server: its address.
    database: Option<String>,
    /// Where timers, rates and news are kept, beside a server.
    pub redis: Option<Redis>,
    /// The reads of those who check.
    pub audit: Arc<dyn AuditStore>,
    servers: Vec<ServerHandle>,
    serial: AtomicU32,
}

impl Drop for Stage {
    fn drop(&mut self) {
        for server in &self.servers {
            drop(server.stop(false));
        }
    }
}

pub async fn on_sqlite() -> (Stage, impl Sized) {
    let clock = Arc::new(ManualClock::at(Timestamp::parse_rfc3339("2026-11-21T14:32:00Z").unwrap()));
    let (store, folder) = make::sqlite_with(clock.clone()).await;
    let timing = Timing::in_process(clock.clone());
    let mut stage = Stage::new(clock, timing, store.clone(), store.clone(), store.clone(), store).await;
    stage.file = Some(folder.path().join("record.db"));
    (stage, folder)
}

/// The other combination: PostgreSQL with Redis. Both judge by their own clocks, so the node's goes beside them and no
/// case on it moves far.
pub async fn on_postgres() -> (Stage, impl Sized) {
    let server = make::server();
    let store = make::postgres_at(&server.url("postgres"), Committers::Two).await;
    let clock = Arc::new(ManualClock::going_from(Store::now(&*store).await.unwrap()));
    let redis = Redis::start();
    let timing = Timing::on(&redis, clock.clone());
    let mut stage = Stage::new(clock, timing, store.clone(), store.clone(), store.clone(), store).await;
    stage.database = Some(server.url("postgres"));
    stage.redis = Some(redis);
    (stage, server)
}

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let at = listener.local_addr().unwrap();
    (listener, at)
}

pub fn profile(name: &str, group: &str, employer: &str, roles: &[Role], ends_at: Timestamp) -> Profile {
    Profile {
        name: Line::parse(name).unwrap(),
        group: Group::parse(group).unwrap(),
        employer: Employer::parse(employer).unwrap(),
        roles: Roles::of(roles).unwrap(),
        ends_at,
        user_name: None,
        external_id: None,
        own_holders: Vec::new(),
        mail: None,
    }
}

impl Stage {
    async fn new(
        clock: Arc<ManualClock>,
        timing: Timing,
        store: Arc<dyn Store>,
        staff: Arc<dyn StaffStore>,
        entries: Arc<dyn LogStore>,
        audit: Arc<dyn AuditStore>,
    ) -> Self {
        let ((public, public_at), (console, console_at)) = (listener(), listener());
        let public_url: Url = format!("http://localhost:{}", public_at.port()).parse().unwrap();
        let console_url: Url = format!("http://console.localhost:{}", console_at.port()).parse().unwrap();
        let base = Tier {
            unit: None,
            from: None,
            hold: 15 * MINUTE,
            life: HOUR,
            assurance: Assurance::Synced,
            unproved: Unproved::HoldFor(HOUR),
        };
        let settings = Settings {
            profile: Deployment::Production,
            operator: "Harbour".to_owned(),
            contact: "the number on your card".to_owned(),
            public_url: public_url.clone(),
            issuer: "https://countersign.example".to_owned(),
            policy: Policy::new(base, Vec::new(), 72 * HOUR, 24 * HOUR, Floors::PRODUCTION).unwrap(),
            new_device_hold: 12 * HOUR,
            new_channel_hold: 24 * HOUR,
            notices_per_minute: 5,
            override_caps: countersign::domain::override_request::Caps::DEFAULT,
            tries_per_minute: 100_000,
            key_per_minute: 100_000,
        };
        let ceremonies = Webauthn::new("console.localhost", &console_url, "Harbour console").unwrap();
        let cx = Context {
            clock: clock.clone(),
            entropy: Arc::new(OsEntropy),
            store,
            timers: timing.timers,
            limits: timing.limits,
            live: timing.live,
            ceremonies: Arc::new(Webauthn::new("localhost", &public_url, "Harbour").unwrap()),
            secrets: make::secrets(),
            signer: Arc::new(Es256Receipts::new(&generate_pem().unwrap(), &[]).unwrap()),
            settings: Arc::new(settings),
            log: log(entries).await,
            staff,
            console: Some(Console { url: console_url.clone(), ceremonies: Arc::new(ceremonies) }),
        };
        let new = backends::add(&cx, Line::parse("Harbour").unwrap(), Scopes::of(&Scope::ALL)).await.unwrap();
        let servers = vec![serve_public(cx.clone(), public), serve_console(cx.clone(), record(&cx, &audit), console)];
        Self {
            cx,
            clock,
            console: console_at,
            console_url,
            public: public_at,
            backend: new.backend,
            key: new.secret.reveal().to_owned(),
            file: None,
            database: None,
            redis: None,
            audit,
            servers,
            serial: AtomicU32::new(0),
        }
    }

    /// Lets time go by for the rates. Redis counts by a clock of its own, so that there what comes back is given back.
    pub fn wait_for_rates(&self, time: Duration) {
        self.clock.advance(time);
        if let Some(redis) = &self.redis {
            redis.flush_all();
        }
    }

    /// A database that is a server has a clock of its own, which went on while the node's stood still: a decision is worth
    /// something for two seconds only.
    pub async fn catch_up(&self) {
        let apart = self.cx.store.now().await.unwrap().since(self.cx.now());
        self.clock.advance(apart);
    }

    /// What the database's owner does to it.
    pub async fn owner_runs(&self, sql: &str) {
        let sql = AssertSqlSafe(sql);
        if let Some(file) = &self.file {
            let mut file: SqliteConnection = SqliteConnectOptions::new().filename(file).connect().await.unwrap();
            sqlx::raw_sql(sql).execute(&mut file).await.unwrap();
        } else {
            let mut server = PgConnection::connect(self.database.as_ref().unwrap()).await.unwrap();
            sqlx::raw_sql(sql).execute(&mut server).await.unwrap();
        }
    }

    fn name(&self, kind: &str) -> String {
        format!("{kind}-{}", self.serial.fetch_add(1, Ordering::Relaxed))
    }

    /// A holder of the backend with an enrolled device, whose cookie is returned.
    pub async fn holder(&self, subject: &str) -> (HolderId, String) {
        let body = json!({"subject": subject, "channels": [{"kind": "email", "address": "marta@example.org"}]});
        self.api("/v1/holders", &body).await;
        let cookie = format!("cookie-of-{subject}");
        let once = self.name("a-key-of-sixteen");
        (enrolled::enrol(&self.cx, self.backend, subject, &cookie, &once).await, cookie)
    }

    /// A transfer that waits; its id.
    pub async fn transfer(&self, subject: &str) -> String {
        let body = json!({
            "subject": subject, "transfer_id": self.name("wd"), "amount": "12500.00", "currency": "EUR",
            "payee": {"name": "Marta Nowak", "account": "PL61109010140000071219812874"},
            "source_account": {"id": "acc-4471", "label": "Everyday account, ending 4471"},
            "initiator": {"started_on": "website"},
        });
        self.api("/v1/approvals", &body).await["id"].as_str().unwrap().to_owned()
    }

    /// What the backend gets made.
    pub async fn api(&self, path: &str, body: &Value) -> Value {
        let sent = super::desk::client(&self.console_url, self.console)
            .post(format!("http://{}{path}", self.public))
            .bearer_auth(&self.key)
            .header("Idempotency-Key", self.name("a-key-of-sixteen"))
            .json(body)
            .send()
            .await
            .unwrap();
        let status = sent.status().as_u16();
        let text = sent.text().await.unwrap();
        assert_eq!(status, 201, "{text}");
        contract::check_exchange("POST", path, Some(body), status, Some("application/json"), &text);
        serde_json::from_str(&text).unwrap()
    }

    /// Stores an effect past the services, with an entry that says nothing.
    pub async fn apply(&self, effect: Effect) {
        enrolled::apply(&self.cx, effect).await;
    }

    /// The audit entries of one kind, oldest first.
    pub async fn entries(&self, kind: &str) -> Vec<Value> {
        let all = self.cx.store.audit_page(None, 10_000).await.unwrap();
        let of_kind = all.iter().filter(|(_, entry)| entry.kind == kind);
        of_kind.map(|(_, entry)| serde_json::from_str(&entry.canonical).unwrap()).collect()
    }
}

fn serve_public(cx: Context, listener: TcpListener) -> ServerHandle {
    let build = move || {
        App::new()
            .app_data(web::Data::new(cx.clone()))
            .app_data(web::Data::new(ClockGate::open()))
            .app_data(web::Data::new(PushKey(None)))
            .app_data(web::Data::new(CancellationToken::new()))
            .app_data(web::Data::new(TrustedProxies::default()))
            .configure(routes::configure)
            .wrap(from_fn(guard::headers))
            .wrap(from_fn(request_id::trace))
    };
    let server = HttpServer::new(build).workers(1).disable_signals().listen(listener).unwrap().run();
    let handle = server.handle();
    tokio::spawn(server);
    handle
}

/// The record as those read it who check it.
pub fn record(cx: &Context, audit: &Arc<dyn AuditStore>) -> Record {
    let site = |rp: &str, url: &Url| Site { rp_id: rp.into(), origin: url.origin().ascii_serialization() };
    Record {
        audit: Arc::clone(audit),
        log: Arc::clone(&cx.log.store),
        staff: Arc::clone(&cx.staff),
        keys: cx.log.signer.keys().clone(),
        sites: Sites {
            holders: site("localhost", &cx.settings.public_url),
            console: cx.console.as_ref().map(|console| site("console.localhost", &console.url)),
        },
        witnesses: cx.log.witnesses.clone(),
    }
}

fn serve_console(cx: Context, record: Record, listener: TcpListener) -> ServerHandle {
    let build = move || {
        App::new()
            .app_data(web::Data::new(cx.clone()))
            .app_data(web::Data::new(record.clone()))
            .app_data(web::Data::new(TrustedProxies::default()))
            .configure(console_routes::configure)
            .wrap(from_fn(guard::headers))
            .wrap(from_fn(request_id::trace))
    };
    let server = HttpServer::new(build).workers(1).disable_signals().listen(listener).unwrap().run();
    let handle = server.handle();
    tokio::spawn(server);
    handle
}
