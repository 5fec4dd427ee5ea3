//! What leaves the service: webhooks, mail, web push and the demo's inbox, each against a server of its own kind, and
//! the guard in front of hosts that somebody else named.

mod channel_suite;
mod email;
mod guard;
mod inbox;
pub mod receiver;
mod scripted_smtp;
mod web_push;
mod webhooks;

use std::error::Error;
use std::time::Duration;

use countersign::adapters::outbound::{Outbound, OutboundConfig, PlainHttp};
use countersign::domain::Timestamp;
use countersign::domain::ids::{ApprovalId, NoticeId};
use countersign::ports::outward::{Message, SendError};

/// The time at which the tests of this module stand.
pub fn noon() -> Timestamp {
    Timestamp::parse_rfc3339("2026-11-21T12:00:00Z").unwrap()
}

/// A message as the service words one. Its links hold a token that no error may show.
pub fn message(number: u8) -> Message {
    Message {
        notice: NoticeId::new(noon(), [number; 10]),
        reader: countersign::ports::outward::Reader::Holder,
        approval: Some(ApprovalId::new(noon(), [number; 10])),
        title: "Harbour: a transfer is waiting for you".to_owned(),
        body: vec!["This money has not been sent.".to_owned(), "If you didn’t start it, stop it.".to_owned()],
        open: Some("https://approve.harbour.example/a/apr_0123456789abcdef0123456789abcdef".parse().unwrap()),
        stop: Some("https://approve.harbour.example/c/tokenthatstops".parse().unwrap()),
        code: None,
        useless_after: noon() + Duration::from_secs(15 * 60),
    }
}

/// A guard for which this machine is an allowed network, with and without TLS.
pub fn allowing_loopback() -> OutboundConfig {
    OutboundConfig {
        allow: vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()],
        plain_http: PlainHttp::ToAllowed,
        ..OutboundConfig::default()
    }
}

pub fn guard(config: OutboundConfig) -> std::sync::Arc<Outbound> {
    std::sync::Arc::new(Outbound::new(config).unwrap())
}

/// Everything that logging an error could print: all of its chain, for people and for developers.
pub fn everything_said(error: &SendError) -> String {
    let mut said = format!("{error} {error:?} {error:#?}");
    let mut next = error.source();
    while let Some(source) = next {
        said.push_str(&format!(" {source} {source:?}"));
        next = source.source();
    }
    said
}
