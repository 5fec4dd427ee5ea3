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
use countersign::adapters::timing::{MemoryLimits, MemoryLive, MemoryTimers, OsEntropy};
use countersign::adapters::webauthn::Webauthn;
use countersign::domain::backend::{Scope, Scopes};
use countersign::domain::policy::{Assurance, Floors, Policy, Tier, Unproved};
use countersign::domain::staff::{Employer, Group, Profile, Role, Roles};
use countersign::domain::text::Line;
use countersign::domain::verification::evidence::{Site, Sites};
use countersign::domain::{BackendId, HolderId, Timestamp};
use countersign::ports::audit::AuditStore;
use countersign::ports::{LogStore, StaffStore, Store};
use countersign::service::audit::Record;
use countersign::service::staff::invite::{self, Invited};
use countersign::service::{Console, Context, Error, Profile as Deployment, Settings, backends};
use countersign::web::console::routes as console_routes;
use countersign::web::device::push::PushKey;
use countersign::web::extract::TrustedProxies;
use countersign::web::{guard, request_id, routes};
use countersign::workers::ClockGate;
use serde_json::{Value, json};
use url::Url;

use super::desk::Desk;
use crate::storage_sql::make;
use crate::support::clock::ManualClock;
use crate::support::enrolled;
use crate::support::log::log;

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
    let mut stage = Stage::new(clock, store.clone(), store.clone(), store.clone(), store).await;
    stage.file = Some(folder.path().join("record.db"));
    (stage, folder)
}

/// PostgreSQL judges by its own clock, so the node's stands at the same time and no case on it moves far.
pub async fn on_postgres() -> (Stage, impl Sized) {
    let server = make::server();
    let store = make::postgres_at(&server.url("postgres"), Committers::Two).await;
    let clock = Arc::new(ManualClock::at(Store::now(&*store).await.unwrap()));
    (Stage::new(clock, store.clone(), store.clone(), store.clone(), store).await, server)
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
        mail: None,
    }
}

impl Stage {
    async fn new(
        clock: Arc<ManualClock>,
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
            timers: Arc::new(MemoryTimers::new(clock.clone())),
            limits: Arc::new(MemoryLimits::new(clock.clone())),
            live: Arc::new(MemoryLive::new()),
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
            audit,
            servers,
            serial: AtomicU32::new(0),
        }
    }

    pub fn in_a_year(&self) -> Timestamp {
        self.cx.now() + 365 * DAY
    }

    /// Invites from the host.
    pub async fn invite(&self, name: &str, roles: &[Role]) -> Result<Invited, Error> {
        invite::from_host(&self.cx, profile(name, "office", "in-house", roles, self.in_a_year())).await
    }

    /// Two admins who joined over the console and are signed in.
    pub async fn founders(&self) -> (Desk, Desk) {
        let mut both = Vec::new();
        for name in ["Ada Lind", "Ben Ortiz"] {
            let invited = self.invite(name, &[Role::Admin]).await.unwrap();
            let mut desk = Desk::new(self);
            desk.join(invited.url.as_str(), None).await;
            desk.sign_in().await.expect(200);
            both.push(desk);
        }
        let second = both.pop().unwrap();
        (both.pop().unwrap(), second)
    }

    /// Somebody whom the two admins add, who joins and signs in.
    pub async fn hire(
        &self,
        admins: &mut (Desk, Desk),
        name: &str,
        group: &str,
        employer: &str,
        roles: &[&str],
    ) -> Desk {
        let form = self.form(name, group, employer, roles);
        self.hire_by(admins, form).await
    }

    pub fn form(&self, name: &str, group: &str, employer: &str, roles: &[&str]) -> Value {
        json!({
            "name": name, "group": group, "employer": employer, "roles": roles,
            "ends": self.in_a_year().rfc3339(), "reason": "joins the night shift",
        })
    }

    pub async fn hire_by(&self, (one, two): &mut (Desk, Desk), form: Value) -> Desk {
        let proposed = one.signed("/staff/draft", &form, "/staff/propose").await.expect(200);
        let at = proposed["location"].as_str().unwrap().to_owned();
        let signed = two.signed(&format!("{at}/prompt"), &json!({}), &format!("{at}/sign")).await.expect(200);
        let code = one.get(&at).await.between(r#"<p class="acct">"#, "</p>");
        let mut desk = Desk::new(self);
        desk.join(signed["link"].as_str().unwrap(), Some(&code)).await;
        desk.sign_in().await.expect(200);
        desk
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

    async fn api(&self, path: &str, body: &Value) -> Value {
        let sent = super::desk::client(&self.console_url, self.console)
            .post(format!("http://{}{path}", self.public))
            .bearer_auth(&self.key)
            .header("Idempotency-Key", self.name("a-key-of-sixteen"))
            .json(body)
            .send()
            .await
            .unwrap();
        let (status, answer) = (sent.status(), sent.json::<Value>().await.unwrap());
        assert_eq!(status, 201, "{answer}");
        answer
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
            .app_data(web::Data::new(ClockGate::default()))
            .app_data(web::Data::new(PushKey(None)))
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
