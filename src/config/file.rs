//! The file as it is written, and its reading into a checked [`Config`].

use serde::Deserialize;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;
use url::Url;

use super::keys::{self, KeysSection};
use super::log::{self, LogSection};
use super::origin::{check_console, check_issuer, check_origin};
use super::policy::PolicySection;
use super::storage::{self, RedisSection, StorageSection, authorities};
use super::{
    Config, Console, Fault, Faults, Http, Judge, Material, Operator, Purpose, Push, Refused, Smtp, SmtpTls, secret_file,
};
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

/// Checks everything; what only the adapters can judge, by `judge`.
///
/// # Errors
/// Every fault at once.
pub fn check(file: File, purpose: Purpose, judge: Judge) -> Result<Config, Refused> {
    let mut faults = Vec::new();
    let mut material = Material::default();
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
    let keys = keys::check(&file.keys, &mut material, &mut faults);
    if safe && file.smtp.is_none() {
        faults.push(Fault("smtp: without a mail server nobody outside a device can be told; add the section".into()));
    }
    let smtp = file.smtp.and_then(|section| check_smtp(section, safe, &mut material, &mut faults));
    let allow = file.outbound.allow.iter();
    let outbound_allow = allow.filter_map(|net| parsed(&mut faults, "outbound.allow", net)).collect();
    let outbound_authorities = authorities("outbound.ca_file", file.outbound.ca_file.as_deref(), &mut faults);
    material.outbound_authorities.clone_from(&outbound_authorities);
    let push = file.push.and_then(|section| check_push(section, &mut material, &mut faults));
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
    let limits = super::limits::check(&file.limits, safe, &mut faults);
    let override_caps = super::overrides::check(&file.overrides, &mut faults);
    let siem = super::siem::check(file.siem, &mut faults);
    let keep_sent = super::retention::check(&file.retention, policy.as_ref(), &mut faults);
    if let Some(issuer) = &file.operator.issuer {
        check_issuer(issuer, safe, &mut faults);
    }
    let issuer = file.operator.issuer.or_else(|| public_url.map(|url| url.origin().ascii_serialization()));
    let log = log::check(file.log, issuer.as_deref(), safe, &mut faults);
    faults.extend(judge(&material));
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

fn check_push(push: PushSection, material: &mut Material, faults: &mut Vec<Fault>) -> Option<Push> {
    let give = "`countersign keys FOLDER` makes vapid.pem";
    let vapid_pem = required(faults, "push.vapid_file", push.vapid_file, give);
    let vapid_pem = vapid_pem.and_then(|file| take(faults, secret_file(&file)));
    material.vapid_pem.clone_from(&vapid_pem);
    material.push_hosts.clone_from(&push.hosts);
    let contact = required(faults, "push.contact", push.contact, "give a mailto: or https: address");
    let known = |contact: &String| Url::parse(contact).is_ok_and(|url| matches!(url.scheme(), "mailto" | "https"));
    if contact.as_ref().is_some_and(|contact| !known(contact)) {
        faults.push(Fault("push.contact: give a mailto: or https: address".into()));
    }
    Some(Push { vapid_pem: vapid_pem?, contact: contact?, hosts: push.hosts })
}

fn check_smtp(section: SmtpSection, safe: bool, material: &mut Material, faults: &mut Vec<Fault>) -> Option<Smtp> {
    if safe && section.tls == SmtpTlsName::None {
        faults.push(Fault("smtp.tls: must be starttls or tls".into()));
    } else if section.user.is_some() && section.tls == SmtpTlsName::None {
        faults.push(Fault("smtp.tls: a login needs starttls or tls".into()));
    }
    let host = required(faults, "smtp.host", section.host, "name the mail server");
    let port = required(faults, "smtp.port", section.port, "587 for starttls, 465 for tls");
    let from = required(faults, "smtp.from", section.from, "give the address that notices come from");
    let credentials = match (section.user, section.password_file) {
        (Some(user), Some(file)) => take(faults, secret_file(&file)).map(|password| (user, password)),
        (None, None) => None,
        _ => {
            faults.push(Fault("smtp: user and password_file go together".into()));
            None
        }
    };
    let ca_pem = authorities("smtp.ca_file", section.ca_file.as_deref(), faults);
    material.mail_from.clone_from(&from);
    material.mail_authorities.clone_from(&ca_pem);
    let tls = match section.tls {
        SmtpTlsName::StartTls => SmtpTls::StartTls,
        SmtpTlsName::Tls => SmtpTls::Implicit,
        SmtpTlsName::None => SmtpTls::None,
    };
    Some(Smtp { host: host?, port: port?, tls, credentials, ca_pem, from: from? })
}
