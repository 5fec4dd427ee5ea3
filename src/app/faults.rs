//! What is wrong with keys, hosts and addresses. Each adapter is asked whether it could be made, before any is, so that
//! `serve` says it with all else that is wrong.

use secrecy::ExposeSecret;
use std::sync::Arc;

use super::{log, parts};
use crate::adapters::channels::email::{Email, EmailConfig, SmtpTls, TIME_LIMIT};
use crate::adapters::channels::web_push::vapid::Vapid;
use crate::adapters::log_key;
use crate::adapters::outbound::host::HostPattern;
use crate::adapters::outbound::{Outbound, OutboundConfig};
use crate::adapters::receipts::Es256Receipts;
use crate::adapters::timing::SystemClock;
use crate::config::{Fault, Material};
use crate::domain::log::Origin;

/// Stands in where the setting beside the judged one isn't there, or has a fault of its own.
const SOMEBODY: &str = "somebody@example.org";

/// Everything that is wrong.
pub fn faults(material: &Material) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut judged = |setting: &str, result: anyhow::Result<()>| {
        if let Err(error) = result {
            faults.push(Fault(format!("{setting}: {error:#}")));
        }
    };
    if let Some(pem) = &material.receipt_pem {
        judged("keys.receipt_file", made(Es256Receipts::new(pem.expose_secret(), &[])));
    }
    for (at, retired) in &material.retired {
        judged(&format!("keys.retired[{at}]"), made(parts::retired(retired).member()));
    }
    // The log's own name has no say in whether its key is one.
    if let (Some(pem), Ok(name)) = (&material.log_pem, Origin::parse("example.org/log")) {
        judged("keys.log_file", made(log_key::public_key(pem.expose_secret(), name)));
    }
    for (at, retired) in material.log_retired.iter().enumerate() {
        judged(&format!("keys.log_retired[{at}]"), made(log::retired(retired).period()));
    }
    if let Some(pem) = &material.vapid_pem {
        judged("push.vapid_file", made(Vapid::from_pem(pem, &format!("mailto:{SOMEBODY}"))));
    }
    for pattern in &material.push_hosts {
        judged(&format!("push.hosts: {pattern:?}"), made(pattern.parse::<HostPattern>()));
    }
    if let Some(from) = &material.mail_from {
        judged("smtp.from", mail(from, None));
    }
    if material.mail_authorities.is_some() {
        judged("smtp.ca_file", mail(SOMEBODY, material.mail_authorities.clone()));
    }
    if material.outbound_authorities.is_some() {
        let authorities_pem = material.outbound_authorities.clone();
        judged(
            "outbound.ca_file",
            made(Outbound::new(OutboundConfig { authorities_pem, ..OutboundConfig::default() })),
        );
    }
    faults
}

fn made<T, E: std::error::Error + Send + Sync + 'static>(result: Result<T, E>) -> anyhow::Result<()> {
    result.map(drop).map_err(anyhow::Error::from)
}

fn mail(from: &str, authorities_pem: Option<Vec<u8>>) -> anyhow::Result<()> {
    let config = EmailConfig {
        host: "mail.example.org".to_owned(),
        port: 465,
        tls: SmtpTls::Implicit,
        login: None,
        authorities_pem,
        from: from.to_owned(),
        reply_to: None,
        operator: String::new(),
        time_limit: TIME_LIMIT,
    };
    made(Email::new(config, Arc::new(SystemClock)))
}
