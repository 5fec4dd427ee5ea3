//! The file as it is written, and its reading into a checked [`Config`].

use ipnet::IpNet;
use secrecy::ExposeSecret;
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use url::Url;

use super::log::{self, LogSection};
use super::origin::{check_console, check_origin};
use super::policy::PolicySection;
use super::storage::{self, RedisSection, StorageSection, authorities};
use super::{
    Config, Console, Fault, Faults, Http, Keys, Master, Operator, Push, Retired, RetiredLog, Smtp, SmtpTls, secret_file,
};
use crate::domain::Timestamp;
use crate::domain::channel::NEW_CHANNEL_HOLD;
use crate::domain::device::NEW_DEVICE_HOLD;
use crate::domain::policy::Floors;
use crate::service::Profile;

/// The configuration as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    #[serde(default)]
    profile: ProfileName,
    #[serde(default)]
    operator: OperatorSection,
    http: HttpSection,
    storage: StorageSection,
    redis: Option<RedisSection>,
    keys: KeysSection,
    smtp: Option<SmtpSection>,
    push: Option<PushSection>,
    #[serde(default)]
    outbound: OutboundSection,
    #[serde(default)]
    policy: PolicySection,
    #[serde(default)]
    holds: HoldsSection,
    #[serde(default)]
    limits: super::limits::LimitsSection,
    #[serde(default)]
    overrides: super::overrides::OverridesSection,
    #[serde(default)]
    log: LogSection,
    #[serde(default)]
    siem: Vec<super::siem::SiemSection>,
    console: Option<Console>,
    #[serde(default)]
    retention: super::retention::RetentionSection,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ProfileName {
    #[default]
    Production,
    Demo,
    Bench,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct OperatorSection {
    name: String,
    contact: String,
    issuer: Option<String>,
}

impl Default for OperatorSection {
    fn default() -> Self {
        Self { name: "Countersign".into(), contact: "the number on your card".into(), issuer: None }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct HttpSection {
    listen: SocketAddr,
    ops_listen: Option<SocketAddr>,
    public_url: Url,
    #[serde(default)]
    trusted_proxies: Vec<IpNet>,
    tls_cert_file: Option<PathBuf>,
    tls_key_file: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeysSection {
    master_file: PathBuf,
    receipt_file: PathBuf,
    #[serde(default)]
    retired: Vec<RetiredSection>,
    log_file: Option<PathBuf>,
    #[serde(default)]
    log_retired: Vec<RetiredLog>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RetiredSection {
    public_file: PathBuf,
    not_before: Timestamp,
    not_after: Timestamp,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SmtpSection {
    host: String,
    port: u16,
    #[serde(default)]
    tls: SmtpTlsName,
    user: Option<String>,
    password_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
    from: String,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum SmtpTlsName {
    #[default]
    StartTls,
    Tls,
    None,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PushSection {
    vapid_file: PathBuf,
    contact: String,
    #[serde(default)]
    hosts: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct OutboundSection {
    allow: Vec<IpNet>,
    ca_file: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct HoldsSection {
    new_device_seconds: Option<u64>,
    new_channel_seconds: Option<u64>,
}

/// Reads the file, then the environment over it.
///
/// # Errors
/// What the reader says of the first thing that doesn't fit.
pub fn read(path: Option<&Path>) -> Result<File, config::ConfigError> {
    let mut builder = config::Config::builder();
    if let Some(path) = path {
        builder = builder.add_source(config::File::from(path).format(config::FileFormat::Toml));
    }
    let environment = config::Environment::with_prefix("COUNTERSIGN").prefix_separator("__").separator("__");
    builder.add_source(environment.try_parsing(false)).build()?.try_deserialize()
}

/// Takes a value, or notes why there is none.
pub(super) fn take<T>(faults: &mut Vec<Fault>, result: Result<T, Fault>) -> Option<T> {
    result.map_err(|fault| faults.push(fault)).ok()
}

/// Checks everything.
///
/// # Errors
/// Every fault at once.
pub fn check(file: File) -> Result<Config, Faults> {
    let mut faults = Vec::new();
    let profile = match file.profile {
        ProfileName::Production => Profile::Production,
        ProfileName::Demo => Profile::Demo,
        ProfileName::Bench => Profile::Bench,
    };
    let safe = profile == Profile::Production;
    check_origin("http.public_url", &file.http.public_url, safe, &mut faults);
    if let Some(console) = &file.console {
        check_console(&console.url, &file.http.public_url, safe, &mut faults);
    }
    let (cert, key) = (file.http.tls_cert_file.as_deref(), file.http.tls_key_file.as_deref());
    let tls = super::tls::check(cert, key, &mut faults);
    let storage = storage::check(&file.storage, file.redis, &mut faults);
    let keys = check_keys(&file.keys, &mut faults);
    let smtp = file.smtp.and_then(|section| check_smtp(section, safe, &mut faults));
    let outbound_authorities = authorities("outbound.ca_file", file.outbound.ca_file.as_deref(), &mut faults);
    let push = file.push.and_then(|section| {
        let vapid_pem = take(&mut faults, secret_file(&section.vapid_file))?;
        if !(section.contact.starts_with("mailto:") || section.contact.starts_with("https://")) {
            faults.push(Fault("push.contact: give a mailto: or https: address".into()));
        }
        Some(Push { vapid_pem, contact: section.contact, hosts: section.hosts })
    });
    if safe && smtp.is_none() {
        faults.push(Fault("smtp: without a mail server nobody outside a device can be told; add the section".into()));
    }
    let floors = if safe { Floors::PRODUCTION } else { Floors::DEMO };
    let policy = file.policy.read(floors).map_err(|more| faults.extend(more)).ok();
    let mut hold = |name: &str, asked: Option<u64>, least: Duration| {
        let hold = asked.map_or(least, Duration::from_secs);
        if safe && hold < least {
            faults.push(Fault(format!("holds.{name}: at least {} outside demo", least.as_secs())));
        }
        hold
    };
    let new_device_hold = hold("new_device_seconds", file.holds.new_device_seconds, NEW_DEVICE_HOLD);
    let new_channel_hold = hold("new_channel_seconds", file.holds.new_channel_seconds, NEW_CHANNEL_HOLD);
    let limits = super::limits::check(&file.limits, &mut faults);
    let override_caps = super::overrides::check(&file.overrides, &mut faults);
    let siem = super::siem::check(file.siem, &mut faults);
    let keep_sent = super::retention::check(&file.retention, policy.as_ref(), &mut faults);
    let issuer = file.operator.issuer.unwrap_or_else(|| file.http.public_url.origin().ascii_serialization());
    let named = log::check(file.log, &issuer, safe, &mut faults);
    match (storage, keys, policy, named) {
        (Some(storage), Some(keys), Some(policy), Some(log)) if faults.is_empty() => Ok(Config {
            profile,
            operator: Operator { name: file.operator.name, contact: file.operator.contact, issuer },
            http: Http {
                listen: file.http.listen,
                ops_listen: file.http.ops_listen,
                public_url: file.http.public_url,
                trusted_proxies: file.http.trusted_proxies,
                tls,
            },
            storage,
            keys,
            smtp,
            push,
            outbound_allow: file.outbound.allow,
            outbound_authorities,
            policy,
            new_device_hold,
            new_channel_hold,
            limits,
            override_caps,
            keep_sent,
            siem,
            console: file.console,
            log,
        }),
        _ => Err(Faults(faults)),
    }
}

fn check_keys(keys: &KeysSection, faults: &mut Vec<Fault>) -> Option<Keys> {
    let master = take(faults, master(&keys.master_file));
    let receipt_pem = take(faults, secret_file(&keys.receipt_file));
    let retired: Option<Vec<Retired>> = keys
        .retired
        .iter()
        .map(|section| {
            let public_pem = take(faults, secret_file(&section.public_file))?.expose_secret().to_owned();
            Some(Retired { public_pem, not_before: section.not_before, not_after: section.not_after })
        })
        .collect();
    let log_pem = take(faults, log::key(keys.log_file.as_deref()));
    let log_retired = keys.log_retired.clone();
    Some(Keys { master: master?, receipt_pem: receipt_pem?, retired: retired?, log_pem: log_pem?, log_retired })
}

fn master(path: &Path) -> Result<Master, Fault> {
    let text = secret_file(path)?;
    let bytes = data_encoding::BASE64
        .decode(text.expose_secret().as_bytes())
        .ok()
        .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())
        .ok_or_else(|| Fault(format!("{}: not 32 bytes in base64; make it with `countersign keys`", path.display())))?;
    // A key of one repeated byte, or one that counts up, was typed by somebody and is no key.
    let repeated = bytes.iter().all(|byte| *byte == bytes[0]);
    let counting = bytes.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1));
    if repeated || counting || &bytes == crate::demo::MASTER {
        return Err(Fault(format!("{}: a default or made-up key; make one with `countersign keys`", path.display())));
    }
    Ok(Master(bytes))
}

fn check_smtp(section: SmtpSection, safe: bool, faults: &mut Vec<Fault>) -> Option<Smtp> {
    if safe && section.tls == SmtpTlsName::None {
        faults.push(Fault("smtp.tls: must be starttls or tls".into()));
    }
    let credentials = match (section.user, section.password_file) {
        (Some(user), Some(file)) => Some((user, take(faults, secret_file(&file))?)),
        (None, None) => None,
        _ => {
            faults.push(Fault("smtp: user and password_file go together".into()));
            None
        }
    };
    let ca_pem = match section.ca_file {
        Some(file) => Some(take(faults, secret_file(&file))?.expose_secret().as_bytes().to_vec()),
        None => None,
    };
    let tls = match section.tls {
        SmtpTlsName::StartTls => SmtpTls::StartTls,
        SmtpTlsName::Tls => SmtpTls::Implicit,
        SmtpTlsName::None => SmtpTls::None,
    };
    Some(Smtp { host: section.host, port: section.port, tls, credentials, ca_pem, from: section.from })
}
