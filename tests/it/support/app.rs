//! A whole service on a free port of loopback, as `countersign serve` would run it, with short holds. Stops when told
//! to; a dropped one is stopped by its token.

use countersign::app::{self, Role, Running};
use countersign::config::witnesses::Witnesses;
use countersign::config::{Config, Http, Keys, Limits, LogSettings, Master, Operator, Push, Storage};
use countersign::domain::backend::{Scope, Scopes};
use countersign::domain::log::Origin;
use countersign::domain::policy::{Assurance, Floors, Policy, Tier, Unproved};
use countersign::domain::text::Line;
use countersign::service::{Profile, backends};
use secrecy::SecretString;
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use url::Url;

/// What a test may choose.
pub struct Options {
    pub hold: Duration,
    pub hold_cap: Duration,
    pub life: Duration,
    pub redeem_within: Duration,
    pub unproved: Unproved,
    pub assurance: Assurance,
    pub new_device_hold: Duration,
    pub role: Role,
    /// A fixed master key, so that several nodes share one record.
    pub master: [u8; 32],
    /// Requests of one key in a minute.
    pub key_per_minute: u32,
    pub tries_per_minute: u32,
    /// Whom the log asks to cosign.
    pub witnesses: Witnesses,
    /// Where it answers the operator's questions.
    pub ops: Option<u16>,
    /// The VAPID key (PKCS#8 PEM), where notices go to browsers.
    pub push: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            hold: Duration::from_secs(1),
            hold_cap: Duration::from_secs(60),
            life: Duration::from_secs(600),
            redeem_within: Duration::from_secs(600),
            unproved: Unproved::Refuse,
            assurance: Assurance::Synced,
            new_device_hold: Duration::ZERO,
            role: Role::All,
            master: *b"0123456789abcdef-test-master-key",
            key_per_minute: 1_000_000,
            tries_per_minute: 100_000,
            witnesses: Witnesses::default(),
            ops: None,
            push: None,
        }
    }
}

/// A running service with one backend.
pub struct TestApp {
    /// Origin, `http://localhost:PORT`.
    pub url: Url,
    /// Secret of a key with every scope.
    pub secret: String,
    running: Option<Running>,
    stop: CancellationToken,
    _folder: TempDir,
}

impl TestApp {
    pub async fn start(options: Options) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a socket that doesn't block");
        let port = listener.local_addr().expect("an address").port();
        let config = config(&options, folder.path().join("countersign.db"), port);
        let stop = CancellationToken::new();
        let running = app::start(config, options.role, listener, stop.clone()).await.expect("a service that starts");
        let cx = &running.cx;
        let name = Line::parse("Test backend").expect("a name");
        let new = backends::add(cx, name, Scopes::of(&Scope::ALL)).await.expect("a backend");
        let secret = new.secret.reveal().to_owned();
        Self { url: running.url.clone(), secret, running: Some(running), stop, _folder: folder }
    }

    /// Messages in a demo inbox.
    pub fn inbox(&self, name: &str) -> Vec<countersign::ports::outward::Message> {
        let inbox = self.running.as_ref().and_then(|running| running.inbox.as_ref());
        inbox.map(|inbox| inbox.messages(name)).unwrap_or_default()
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The configuration that the options ask for.
pub fn config(options: &Options, sqlite: PathBuf, port: u16) -> Config {
    let base = Tier {
        unit: None,
        from: None,
        hold: options.hold,
        life: options.life,
        assurance: options.assurance,
        unproved: options.unproved,
    };
    let policy = Policy::new(base, vec![], options.hold_cap, options.redeem_within, Floors::DEMO).expect("a policy");
    let url: Url = format!("http://localhost:{port}").parse().expect("a URL");
    Config {
        profile: Profile::Demo,
        operator: Operator {
            name: "Harbour".into(),
            contact: "the number on your card".into(),
            issuer: url.origin().ascii_serialization(),
        },
        http: Http {
            listen: ([127, 0, 0, 1], port).into(),
            ops_listen: options.ops.map(|port| ([127, 0, 0, 1], port).into()),
            public_url: url,
            trusted_proxies: vec![],
            tls: None,
        },
        storage: Storage::Embedded { path: sqlite },
        keys: Keys {
            master: Master(options.master),
            receipt_pem: SecretString::from(countersign::adapters::receipts::generate_pem().expect("a key")),
            retired: vec![],
            log_pem: SecretString::from(
                countersign::adapters::log_key::generate_pem(b"a log key for tests: thirty-two!").expect("a key"),
            ),
            log_retired: vec![],
        },
        smtp: None,
        push: options.push.as_ref().map(|pem| Push {
            vapid_pem: SecretString::from(pem.as_str()),
            contact: "mailto:ops@harbour.example".into(),
            hosts: vec![],
        }),
        outbound_allow: vec!["127.0.0.0/8".parse().expect("a network")],
        outbound_authorities: None,
        policy,
        new_device_hold: options.new_device_hold,
        new_channel_hold: Duration::from_secs(24 * 3600),
        override_caps: countersign::domain::override_request::Caps::DEFAULT,
        limits: Limits {
            notices_per_minute: 1000,
            tries_per_minute: options.tries_per_minute,
            key_per_minute: options.key_per_minute,
        },
        keep_sent: Duration::from_secs(90 * 24 * 3600),
        siem: vec![],
        console: None,
        log: LogSettings {
            origin: Origin::parse("localhost/log").expect("a name"),
            high_water: None,
            witnesses: options.witnesses.clone(),
            earlier: vec![],
        },
    }
}
