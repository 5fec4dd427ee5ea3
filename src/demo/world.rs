//! Both servers of the demo, started and stopped together, in a folder of their own.

use anyhow::Context as _;
use secrecy::SecretString;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::exchange::receipt::Trust;
use super::exchange::{Around, Contract, Exchange, Letter};
use super::{MASTER, http, office};
use crate::adapters::timing::OsEntropy;
use crate::adapters::{log_key, receipts};
use crate::app::{self, Listeners, Role, Running};
use crate::config::{Config, Http, Keys, Limits, LogSettings, Master, Operator, Storage};
use crate::domain::backend::{Scope, Scopes};
use crate::domain::log::Origin;
use crate::domain::policy::{Assurance, Floors, Policy, Tier, Unproved};
use crate::domain::text::Line;
use crate::ports::Entropy;
use crate::ports::outward::Message;
use crate::service::{Context, Profile, backends};

/// `iss` of the demo's receipts: the configuration of a production deployment is refused with it (design section 8).
const ISSUER: &str = "urn:countersign:demo";
/// How many ports are looked at when the usual one is taken.
const PORTS: u16 = 40;

/// How fast things go.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    pub hold: Duration,
    pub new_device_hold: Duration,
    pub life: Duration,
}

/// Which ports to use.
#[derive(Debug, Clone, Copy)]
pub enum Port {
    /// Any that is free.
    Any,
    /// This one, or the next free one.
    From(u16),
    /// This one and no other.
    Only(u16),
}

/// Both servers, running.
pub struct World {
    pub countersign: Url,
    pub exchange: Exchange,
    pub http: reqwest::Client,
    running: Running,
    _folder: Folder,
}

impl World {
    /// Starts both.
    ///
    /// # Errors
    /// Whatever kept one of them from starting. Nothing is left behind.
    pub async fn start(pace: Pace, port: Port, exchange_port: Port, console_port: Port) -> anyhow::Result<Self> {
        let listener = listen(port)?;
        let exchange_listener = listen(exchange_port)?;
        let console_listener = listen(console_port)?;
        let folder = Folder::new()?;
        let mut config = config(pace, &listener, &folder.path)?;
        config.console = Some(office::console(&console_listener)?);
        let countersign = config.http.public_url.clone();
        let stop = CancellationToken::new();
        let listeners = Listeners { holders: listener, console: Some(console_listener) };
        let running = app::start(config, Role::All, listeners, stop).await.context("Countersign didn't start")?;
        let http = http::client()?;
        match start_exchange(&running, &countersign, &http, exchange_listener).await {
            Ok(exchange) => Ok(Self { countersign, exchange, http, running, _folder: folder }),
            Err(error) => {
                running.finish().await?;
                Err(error.context("the sample exchange didn't start"))
            }
        }
    }

    /// The service, for what only its host may do.
    pub fn host(&self) -> &Context {
        &self.running.cx
    }

    /// Says at the terminal when a message comes to an inbox, until the demo ends: neither code nor link, because others
    /// may see it.
    pub fn say_what_arrives(&self) {
        let Some(mut arrivals) = self.running.inbox.as_ref().map(|inbox| inbox.arrivals()) else { return };
        tokio::spawn(async move {
            loop {
                match arrivals.recv().await {
                    Ok(arrival) => println!("  → inbox of {}: {}", arrival.name, arrival.title),
                    Err(RecvError::Lagged(missed)) => println!("  → {missed} more"),
                    Err(RecvError::Closed) => return,
                }
            }
        });
    }

    /// Stops both and removes what they left. The exchange goes last, so that the last webhooks arrive.
    ///
    /// # Errors
    /// When one of them didn't end well; the folder is removed all the same.
    pub async fn finish(self) -> anyhow::Result<()> {
        let finished = self.running.finish().await;
        self.exchange.stop().await.context("the exchange didn't end well")?;
        finished
    }
}

/// A free port of the loopback interface. A browser may reach «localhost» by IPv6 too, so a port that somebody else
/// uses there isn't free.
fn listen(port: Port) -> anyhow::Result<TcpListener> {
    let try_port = |port: u16| {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        match TcpListener::bind((Ipv6Addr::LOCALHOST, listener.local_addr()?.port())) {
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => Err(error),
            Ok(_) | Err(_) => Ok(listener),
        }
    };
    match port {
        Port::Any => try_port(0).context("there is no free port"),
        Port::Only(port) => try_port(port).with_context(|| format!("port {port} is taken")),
        Port::From(first) => (first..first.saturating_add(PORTS))
            .find_map(|port| try_port(port).ok())
            .with_context(|| format!("the ports from {first} on are taken; name one")),
    }
}

fn config(pace: Pace, listener: &TcpListener, folder: &Path) -> anyhow::Result<Config> {
    let listen = listener.local_addr()?;
    let entropy: &dyn Entropy = &OsEntropy;
    let base = Tier {
        unit: None,
        from: None,
        hold: pace.hold,
        life: pace.life,
        assurance: Assurance::Synced,
        unproved: Unproved::Refuse,
    };
    Ok(Config {
        profile: Profile::Demo,
        operator: Operator { name: "Harbour".into(), contact: "the number on your card".into(), issuer: ISSUER.into() },
        http: Http {
            listen,
            ops_listen: None,
            public_url: Url::parse(&format!("http://localhost:{}/", listen.port()))?,
            trusted_proxies: Vec::new(),
            tls: None,
        },
        storage: Storage::Embedded { path: folder.join("countersign.db") },
        keys: Keys {
            master: Master(*MASTER),
            receipt_pem: SecretString::from(receipts::generate_pem()?),
            retired: Vec::new(),
            log_pem: SecretString::from(log_key::generate_pem(&entropy.bytes())?),
            log_retired: Vec::new(),
        },
        smtp: None,
        push: None,
        // The exchange stands on this machine, where webhooks don't go otherwise.
        outbound_allow: vec!["127.0.0.0/8".parse()?],
        outbound_authorities: None,
        policy: Policy::new(base, Vec::new(), pace.life, pace.life, Floors::DEMO)?,
        new_device_hold: pace.new_device_hold,
        new_channel_hold: Duration::ZERO,
        // One person, one address and one key do in a minute what many do in production.
        override_caps: crate::domain::override_request::Caps::DEFAULT,
        limits: Limits { notices_per_minute: 600, tries_per_minute: 600, key_per_minute: 60_000 },
        keep_sent: Duration::from_secs(90 * 24 * 3600),
        siem: vec![],
        console: None,
        log: LogSettings {
            origin: Origin::of_issuer(ISSUER)?,
            high_water: Some(folder.join("high-water")),
            witnesses: Default::default(),
            earlier: vec![],
        },
    })
}

async fn start_exchange(
    running: &Running,
    countersign: &Url,
    http: &reqwest::Client,
    listener: TcpListener,
) -> anyhow::Result<Exchange> {
    let cx = &running.cx;
    let key = backends::add(cx, Line::parse("Harbour Exchange")?, Scopes::of(&Scope::ALL)).await?;
    let contract = Contract {
        origin: countersign.clone(),
        api_key: key.secret.reveal().to_owned(),
        trust: Trust { issuer: ISSUER.into(), audience: key.backend.to_string() },
    };
    let inbox = running.inbox.clone().context("this profile has no inbox")?;
    let (clock, chance): (Context, Context) = (cx.clone(), cx.clone());
    let around = Around {
        now: Arc::new(move || clock.now().seconds()),
        chance: Arc::new(move || chance.random()),
        letters: Arc::new(move |name| inbox.messages(name).into_iter().map(letter).collect()),
    };
    Ok(Exchange::start(contract, around, http.clone(), listener).await?)
}

fn letter(message: Message) -> Letter {
    Letter { title: message.title, lines: message.body, code: message.code, open: message.open, stop: message.stop }
}

/// A folder that only its owner may read, and that goes away with the demo.
struct Folder {
    path: PathBuf,
}

impl Folder {
    fn new() -> anyhow::Result<Self> {
        // The process id alone would be easy to occupy beforehand; then the next name is tried, never an existing folder.
        let base = std::env::temp_dir();
        let mut number = 0;
        loop {
            let path = base.join(format!("countersign-demo-{}-{number}", std::process::id()));
            match std::fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self { path }),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && number < 100 => number += 1,
                Err(error) => return Err(error).with_context(|| format!("{} can't be made", path.display())),
            }
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.path) {
            tracing::warn!(error = %error, folder = %self.path.display(), "the demo's folder could not be removed");
        }
    }
}
