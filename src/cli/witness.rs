//! `countersign audit witness`: cosigns other deployments' logs, for those who ask and by looking itself.

use anyhow::{Context as _, bail};
use ipnet::IpNet;
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use url::Url;

use crate::adapters::log_key;
use crate::adapters::outbound::{Outbound, OutboundConfig, PlainHttp};
use crate::adapters::timing::{OsEntropy, SystemClock};
use crate::adapters::witnesses::HttpLog;
use crate::domain::log::{KeyPeriod, LogKeys, Origin, VerifierKey};
use crate::ports::{Clock as _, Entropy};
use crate::witness::follow::FollowError;
use crate::witness::{Witness, serve};

/// What `audit witness` is given.
#[derive(Debug, clap::Args)]
pub struct Witnessing {
    /// The witness's name, for example witness.example.
    #[arg(long)]
    name: String,
    /// Its key, an Ed25519 key in PKCS#8 PEM; made when the file isn't there.
    #[arg(long)]
    key: PathBuf,
    /// What it has seen. Keep it: a witness that forgets is none. Evidence of logs that showed two histories is put
    /// beside it.
    #[arg(long)]
    memory: PathBuf,
    /// A public key of a log to witness (`name+id+key`); may be given more than once.
    #[arg(long = "log-key", required = true)]
    log_key: Vec<VerifierKey>,
    #[arg(long, default_value = "127.0.0.1:7080")]
    listen: SocketAddr,
    /// A log to look at by itself, as NAME=URL (approve.example/log=https://approve.example/log); may be given more
    /// than once. Without any, the witness waits to be asked.
    #[arg(long)]
    follow: Vec<Followed>,
    /// Seconds between two looks at a log.
    #[arg(long, default_value = "60", value_parser = clap::value_parser!(u64).range(1..))]
    period: u64,
    /// Look at each log once, write down what was cosigned to standard output, and end: with status 3 when a log showed
    /// another history than before. Listens nowhere.
    #[arg(long, requires = "follow")]
    once: bool,
    /// A network that logs may be in although it is private, plain HTTP included; may be given more than once.
    #[arg(long)]
    allow: Vec<IpNet>,
}

/// A log and where it is published.
#[derive(Debug, Clone)]
struct Followed {
    origin: Origin,
    url: Url,
}

impl FromStr for Followed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, url) = text.split_once('=').ok_or("it should read NAME=URL")?;
        let origin = Origin::parse(name).map_err(|error| error.to_string())?;
        Ok(Self { origin, url: url.parse().map_err(|error| format!("the URL: {error}"))? })
    }
}

/// Witnesses until it is told to stop, or once.
///
/// # Errors
/// Whatever keeps it from it; with `--once` also what it saw of a log.
pub async fn run(given: &Witnessing) -> anyhow::Result<()> {
    let witness = Arc::new(open(given)?);
    if let Some(unknown) = given.follow.iter().find(|log| !given.log_key.iter().any(|key| key.name == log.origin)) {
        bail!("--follow {}: no --log-key is of this log", unknown.origin);
    }
    let guard = OutboundConfig {
        allow: given.allow.clone(),
        plain_http: if given.allow.is_empty() { PlainHttp::Never } else { PlainHttp::ToAllowed },
        ..OutboundConfig::default()
    };
    let outbound = Arc::new(Outbound::new(guard).context("the outbound client can't be made")?);
    if given.once {
        return once(&witness, &given.follow, &outbound).await;
    }
    println!("{}", witness.key());
    let listener = TcpListener::bind(given.listen).with_context(|| format!("{} can't be listened on", given.listen))?;
    listener.set_nonblocking(true)?;
    println!("http://{}", listener.local_addr()?);
    let mut looking = JoinSet::new();
    for log in given.follow.clone() {
        let (witness, outbound) = (Arc::clone(&witness), Arc::clone(&outbound));
        looking.spawn(follow(witness, log, outbound, Duration::from_secs(given.period)));
    }
    let server = serve::server(witness, Arc::new(|| SystemClock.now()), listener)?;
    let handle = server.handle();
    let stopped = tokio::spawn(server);
    tokio::signal::ctrl_c().await?;
    looking.shutdown().await;
    handle.stop(true).await;
    stopped.await??;
    Ok(())
}

fn open(given: &Witnessing) -> anyhow::Result<Witness> {
    if !given.key.exists() {
        let entropy: &dyn Entropy = &OsEntropy;
        let pem = log_key::generate_pem(&entropy.bytes())?;
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&given.key);
        file.with_context(|| format!("{} can't be made", given.key.display()))?.write_all(pem.as_bytes())?;
    }
    let key = PrivatePkcs8KeyDer::from_pem_file(&given.key).context("the witness's key")?;
    let mut logs: Vec<LogKeys> = Vec::new();
    for key in &given.log_key {
        match logs.iter_mut().find(|log| log.origin == key.name) {
            Some(log) => log.keys.push(KeyPeriod::always(key.clone())),
            // A log that was renamed is another log to a witness: it starts anew.
            None => logs.extend(LogKeys::of(std::slice::from_ref(key))),
        }
    }
    let name = Origin::parse(&given.name).context("--name")?;
    Witness::open(name, key.secret_pkcs8_der(), logs, &given.memory)
}

/// All logs are looked at, whatever comes of one; the worst is what is told in the end.
async fn once(witness: &Witness, logs: &[Followed], outbound: &Arc<Outbound>) -> anyhow::Result<()> {
    let mut worst: Option<FollowError> = None;
    for log in logs {
        let published = HttpLog::new(log.url.clone(), Arc::clone(outbound));
        match witness.follow(&log.origin, &published, SystemClock.now()).await {
            Ok(cosigned) => println!("{cosigned}"),
            Err(error) => {
                eprintln!("{}: {error}", log.origin);
                if !matches!(worst, Some(FollowError::History(_))) {
                    worst = Some(error);
                }
            }
        }
    }
    worst.map_or(Ok(()), |error| Err(error.into()))
}

/// Looks at one log until the process ends.
async fn follow(witness: Arc<Witness>, log: Followed, outbound: Arc<Outbound>, period: Duration) {
    let published = HttpLog::new(log.url, outbound);
    loop {
        match witness.follow(&log.origin, &published, SystemClock.now()).await {
            Ok(_) => tracing::debug!(log = %log.origin, "cosigned"),
            Err(error @ FollowError::History(_)) => {
                tracing::error!(log = %log.origin, error = %error, "a log showed another history; its tree isn't cosigned");
            }
            Err(error) => tracing::warn!(log = %log.origin, error = %error, "a log wasn't looked at"),
        }
        tokio::time::sleep(period).await;
    }
}
