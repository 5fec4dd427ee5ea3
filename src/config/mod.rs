//! The only reader of files and environment. What it gives has been checked: every fault is found at once and said in
//! one clear sentence each.
//!
//! A TOML file, then environment variables over it (`COUNTERSIGN__HTTP__PUBLIC_URL`). Secrets stand in files of their
//! own; only their paths are in the configuration.

pub mod file;
mod keys;
mod limits;
mod log;
mod material;
pub mod origin;
mod overrides;
pub mod policy;
mod retention;
pub mod siem;
mod storage;
mod tls;
pub mod witnesses;

use ipnet::IpNet;
use secrecy::SecretString;
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use url::Url;

use crate::domain::log::{Origin, VerifierKey};
use crate::domain::override_request::Caps;
use crate::domain::policy::Policy;
use crate::service::Profile;
pub use material::{Judge, Material};

/// One thing that is wrong, in a sentence that says where and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault(pub String);

/// Everything that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl std::error::Error for Faults {}

impl std::fmt::Display for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let many = if self.0.len() == 1 { "fault" } else { "faults" };
        write!(f, "the configuration has {} {many}:", self.0.len())?;
        self.0.iter().try_for_each(|fault| write!(f, "\n  - {}", fault.0))
    }
}

/// What the configuration is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Serve,
    /// Anything else that an operator does.
    Command,
}

/// A configuration that isn't taken. Where the record is may be known all the same, so that it can be asked as well.
#[derive(Debug)]
pub struct Refused {
    pub faults: Faults,
    pub storage: Option<Storage>,
}

/// A checked configuration.
#[derive(Debug)]
pub struct Config {
    pub profile: Profile,
    pub operator: Operator,
    pub http: Http,
    pub storage: Storage,
    pub keys: Keys,
    pub smtp: Option<Smtp>,
    pub push: Option<Push>,
    /// Networks that the outbound guard lets through although they are private.
    pub outbound_allow: Vec<IpNet>,
    /// Authorities in PEM that outbound requests trust beside the system's.
    pub outbound_authorities: Option<Vec<u8>>,
    pub policy: Policy,
    pub new_device_hold: std::time::Duration,
    pub new_channel_hold: std::time::Duration,
    pub limits: Limits,
    /// Most overrides in a day.
    pub override_caps: Caps,
    pub log: LogSettings,
    /// How long notices and webhook deliveries are kept.
    pub keep_sent: std::time::Duration,
    /// Where security events go.
    pub siem: Vec<siem::SiemSink>,
    /// Where staff work. Without it there is no console.
    pub console: Option<Console>,
}

/// The console: an origin and a listener of its own.
#[derive(Debug, Clone)]
pub struct Console {
    /// Its host is the RP ID of staff's passkeys, which therefore work nowhere else.
    pub url: Url,
    pub listen: SocketAddr,
}

/// The audit log's name, and where its high-water mark is kept.
#[derive(Debug, Clone)]
pub struct LogSettings {
    pub origin: Origin,
    /// Nothing in a deployment that is only for looking: then the mark ends with the process.
    pub high_water: Option<PathBuf>,
    pub witnesses: witnesses::Witnesses,
    /// Names that the log had before it was recovered.
    pub earlier: Vec<Origin>,
}

/// Who runs this.
#[derive(Debug, Clone)]
pub struct Operator {
    pub name: String,
    pub contact: String,
    pub issuer: String,
}

/// Where we listen, and how we are reached.
#[derive(Debug, Clone)]
pub struct Http {
    pub listen: SocketAddr,
    /// Health and metrics; not for the public.
    pub ops_listen: Option<SocketAddr>,
    pub public_url: Url,
    pub trusted_proxies: Vec<IpNet>,
    pub tls: Option<Tls>,
}

/// Certificate chain and key, when no proxy ends TLS for us.
#[derive(Debug, Clone)]
pub struct Tls {
    pub cert_file: PathBuf,
    pub key_file: PathBuf,
}

/// One of the two supported combinations.
#[derive(Debug)]
pub enum Storage {
    /// SQLite and in-process timers: one binary, one node.
    Embedded { path: PathBuf },
    /// PostgreSQL and Redis: any number of nodes.
    Servers { postgres: SecretString, redis: Box<RedisPlace> },
}

/// Where Redis is.
#[derive(Debug)]
pub struct RedisPlace {
    pub url: SecretString,
    /// Further nodes, of a cluster.
    pub cluster: Vec<SecretString>,
    /// What every key begins with; none for the usual.
    pub prefix: Option<String>,
    /// Whom a server with TLS is checked against instead of the system's authorities.
    pub authorities_pem: Option<Vec<u8>>,
}

/// Key material.
#[derive(Debug)]
pub struct Keys {
    pub master: Master,
    /// PKCS#8 PEM of the receipt key.
    pub receipt_pem: SecretString,
    /// Public keys that signed earlier receipts: (PEM, valid until as RFC 3339).
    pub retired: Vec<Retired>,
    /// PKCS#8 PEM of the key that signs the log's checkpoints.
    pub log_pem: SecretString,
    /// Keys that signed earlier checkpoints.
    pub log_retired: Vec<RetiredLog>,
}

/// A key of the log that signs no more.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetiredLog {
    #[serde(rename = "public_key")]
    pub key: VerifierKey,
    pub not_before: crate::domain::Timestamp,
    pub not_after: crate::domain::Timestamp,
}

/// A receipt key that signs no more.
#[derive(Debug, Clone)]
pub struct Retired {
    pub public_pem: String,
    pub not_before: crate::domain::Timestamp,
    pub not_after: crate::domain::Timestamp,
}

/// The master key, from which every other symmetric key is derived.
pub struct Master(pub [u8; 32]);

impl std::fmt::Debug for Master {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Master(..)")
    }
}

/// A mail server.
#[derive(Debug)]
pub struct Smtp {
    pub host: String,
    pub port: u16,
    pub tls: SmtpTls,
    pub credentials: Option<(String, SecretString)>,
    pub ca_pem: Option<Vec<u8>>,
    pub from: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpTls {
    StartTls,
    Implicit,
    /// Only for a catcher in demo and tests.
    None,
}

/// Web push.
#[derive(Debug)]
pub struct Push {
    /// PKCS#8 PEM of the VAPID key.
    pub vapid_pem: SecretString,
    /// `mailto:` or https URL for the push services (RFC 8292 section 2.1).
    pub contact: String,
    /// Push hosts beside the well-known ones.
    pub hosts: Vec<String>,
}

/// Rates.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub notices_per_minute: u32,
    pub tries_per_minute: u32,
    pub key_per_minute: u32,
}

impl Config {
    /// Reads and checks the configuration.
    ///
    /// # Errors
    /// Every fault at once.
    pub fn load(path: Option<&Path>) -> Result<Self, Faults> {
        Self::load_for(path, Purpose::Command, |_| Vec::new()).map_err(|refused| refused.faults)
    }

    /// Reads and checks the configuration for a purpose; what only the adapters can judge, by `judge`.
    ///
    /// # Errors
    /// Every fault at once, and where the record is, if that much reads.
    pub fn load_for(path: Option<&Path>, purpose: Purpose, judge: Judge) -> Result<Self, Refused> {
        let unread =
            |error: ::config::ConfigError| Refused { faults: Faults(vec![Fault(error.to_string())]), storage: None };
        file::check(file::read(path).map_err(unread)?, purpose, judge)
    }
}

/// Reads a small secret file, without its last line break.
pub(crate) fn secret_file(path: &Path) -> Result<SecretString, Fault> {
    let text =
        std::fs::read_to_string(path).map_err(|error| Fault(format!("{} can't be read: {error}", path.display())))?;
    let text = text.trim_end_matches(['\n', '\r']).to_owned();
    if text.is_empty() {
        return Err(Fault(format!("{} is empty", path.display())));
    }
    Ok(SecretString::from(text))
}
