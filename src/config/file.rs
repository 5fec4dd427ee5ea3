//! The file as it is written, and its reading into a checked [`Config`].

use secrecy::ExposeSecret;
use serde::Deserialize;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;
use url::Url;

use super::log::{self, LogSection};
use super::origin::{check_console, check_origin};
use super::policy::PolicySection;
use super::storage::{self, RedisSection, StorageSection, authorities};
use super::{
    Config, Console, Fault, Faults, Http, Keys, Master, Operator, Purpose, Push, Refused, Retired, RetiredLog, Smtp,
    SmtpTls, secret_file,
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
    #[serde(default)]
    http: HttpSection,
    #[serde(default)]
    storage: StorageSection,
    redis: Option<RedisSection>,
    #[serde(default)]
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
    console: Option<ConsoleSection>,
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

// What has to be there is optional here, so that one that is missing or doesn't read is a fault among the others.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct HttpSection {
    listen: Option<String>,
    ops_listen: Option<String>,
    public_url: Option<String>,
    trusted_proxies: Vec<String>,
    tls_cert_file: Option<PathBuf>,
    tls_key_file: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ConsoleSection {
    url: Option<String>,
    listen: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct KeysSection {
    master_file: Option<PathBuf>,
    receipt_file: Option<PathBuf>,
    retired: Vec<RetiredSection>,
    log_file: Option<PathBuf>,
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
    host: Option<String>,
    port: Option<u16>,
    #[serde(default)]
    tls: SmtpTlsName,
    user: Option<String>,
    password_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
    from: Option<String>,
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
    vapid_file: Option<PathBuf>,
    contact: Option<String>,
    #[serde(default)]
    hosts: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct OutboundSection {
    allow: Vec<String>,
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

/// Takes what has to be there, or notes that it is missing.
pub(super) fn required<T>(faults: &mut Vec<Fault>, name: &str, value: Option<T>, give: &str) -> Option<T> {
    if value.is_none() {
        faults.push(Fault(format!("{name}: is missing; {give}")));
    }
    value
}

/// Reads an address, or notes why it doesn't read.
fn parsed<T: FromStr<Err: Display>>(faults: &mut Vec<Fault>, name: &str, text: &str) -> Option<T> {
    take(faults, text.parse().map_err(|error| Fault(format!("{name}: {text:?} can't be used: {error}"))))
}

/// Checks everything.
///
/// # Errors
/// Every fault at once.
pub fn check(file: File, purpose: Purpose) -> Result<Config, Refused> {
    let mut faults = Vec::new();
    let profile = match file.profile {
        ProfileName::Production => Profile::Production,
        ProfileName::Demo => Profile::Demo,
        ProfileName::Bench => Profile::Bench,
    };
    let refused = purpose == Purpose::Serve && profile == Profile::Demo;
    if refused {
        faults.push(Fault("profile: serve refuses the profile demo; use `countersign demo`".into()));
    }
    // What serve refuses as a demo is judged as what it would have to be.
    let safe = profile == Profile::Production || refused;
    let http = check_http(&file.http, safe, &mut faults);
    let public_url = http.as_ref().map(|http| &http.public_url);
    let console = file.console.and_then(|section| check_console_section(&section, public_url, safe, &mut faults));
    let storage = storage::check(file.storage, file.redis, &mut faults);
    let keys = check_keys(&file.keys, &mut faults);
    if safe && file.smtp.is_none() {
        faults.push(Fault("smtp: without a mail server nobody outside a device can be told; add the section".into()));
    }
    let smtp = file.smtp.and_then(|section| check_smtp(section, safe, &mut faults));
    let allow = file.outbound.allow.iter();
    let outbound_allow = allow.filter_map(|net| parsed(&mut faults, "outbound.allow", net)).collect();
    let outbound_authorities = authorities("outbound.ca_file", file.outbound.ca_file.as_deref(), &mut faults);
    let push = file.push.and_then(|section| check_push(section, &mut faults));
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
    let issuer = file.operator.issuer.or_else(|| public_url.map(|url| url.origin().ascii_serialization()));
    let log = log::check(file.log, issuer.as_deref(), safe, &mut faults);
    let rest = (http, keys, policy, issuer, log);
    let ((Some(http), Some(keys), Some(policy), Some(issuer), Some(log)), true) = (rest, faults.is_empty()) else {
        return Err(Refused { faults: Faults(faults), storage });
    };
    let Some(storage) = storage else { return Err(Refused { faults: Faults(faults), storage }) };
    Ok(Config {
        profile,
        operator: Operator { name: file.operator.name, contact: file.operator.contact, issuer },
        http,
        storage,
        keys,
        smtp,
        push,
        outbound_allow,
        outbound_authorities,
        policy,
        new_device_hold,
        new_channel_hold,
        limits,
        override_caps,
        keep_sent,
        siem,
        console,
        log,
    })
}

fn check_http(http: &HttpSection, safe: bool, faults: &mut Vec<Fault>) -> Option<Http> {
    let listen = required(faults, "http.listen", http.listen.as_deref(), "give an address such as 0.0.0.0:8080");
    let listen = listen.and_then(|text| parsed(faults, "http.listen", text));
    let ops_listen = http.ops_listen.as_deref().and_then(|text| parsed(faults, "http.ops_listen", text));
    let give = "give the origin at which holders reach you";
    let public_url = required(faults, "http.public_url", http.public_url.as_deref(), give);
    let public_url: Option<Url> = public_url.and_then(|text| parsed(faults, "http.public_url", text));
    if let Some(url) = &public_url {
        check_origin("http.public_url", url, safe, faults);
    }
    let proxies = http.trusted_proxies.iter();
    let trusted_proxies = proxies.filter_map(|net| parsed(faults, "http.trusted_proxies", net)).collect();
    let tls = super::tls::check(http.tls_cert_file.as_deref(), http.tls_key_file.as_deref(), faults);
    Some(Http { listen: listen?, ops_listen, public_url: public_url?, trusted_proxies, tls })
}

fn check_console_section(
    console: &ConsoleSection,
    public_url: Option<&Url>,
    safe: bool,
    faults: &mut Vec<Fault>,
) -> Option<Console> {
    let url = required(faults, "console.url", console.url.as_deref(), "give the origin at which staff reach you");
    let url: Option<Url> = url.and_then(|text| parsed(faults, "console.url", text));
    if let Some(url) = &url {
        check_console(url, public_url, safe, faults);
    }
    let listen = required(faults, "console.listen", console.listen.as_deref(), "give an address such as 0.0.0.0:8444");
    let listen = listen.and_then(|text| parsed(faults, "console.listen", text));
    Some(Console { url: url?, listen: listen? })
}

fn check_push(push: PushSection, faults: &mut Vec<Fault>) -> Option<Push> {
    let give = "`countersign keys FOLDER` makes vapid.pem";
    let vapid_pem = required(faults, "push.vapid_file", push.vapid_file, give);
    let vapid_pem = vapid_pem.and_then(|file| take(faults, secret_file(&file)));
    let contact = required(faults, "push.contact", push.contact, "give a mailto: or https: address");
    if contact.as_ref().is_some_and(|contact| !(contact.starts_with("mailto:") || contact.starts_with("https://"))) {
        faults.push(Fault("push.contact: give a mailto: or https: address".into()));
    }
    Some(Push { vapid_pem: vapid_pem?, contact: contact?, hosts: push.hosts })
}

fn check_keys(keys: &KeysSection, faults: &mut Vec<Fault>) -> Option<Keys> {
    let master_file = keys.master_file.as_deref();
    let master_file = required(faults, "keys.master_file", master_file, "`countersign keys FOLDER` makes master.key");
    let master = master_file.and_then(|file| take(faults, master(file)));
    let receipt_file = keys.receipt_file.as_deref();
    let receipt_file =
        required(faults, "keys.receipt_file", receipt_file, "`countersign keys FOLDER` makes receipt.pem");
    let receipt_pem = receipt_file.and_then(|file| take(faults, secret_file(file)));
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
    let host = required(faults, "smtp.host", section.host, "name the mail server");
    let port = required(faults, "smtp.port", section.port, "587 for starttls, 465 for tls");
    let from = required(faults, "smtp.from", section.from, "give the address that notices come from");
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
    Some(Smtp { host: host?, port: port?, tls, credentials, ca_pem, from: from? })
}
