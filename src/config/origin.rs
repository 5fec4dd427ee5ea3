//! The origins that we are reached at: of the holders' pages, and of the console.

use url::{Host, Url};

use super::Fault;

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// A passkey is bound to a host, and a cookie too: staff and holders must not share one.
pub fn check_console(url: &Url, public_url: Option<&Url>, safe: bool, faults: &mut Vec<Fault>) {
    check_origin("console.url", url, safe, faults);
    if public_url.is_some_and(|public_url| url.host() == public_url.host()) {
        faults.push(Fault("console.url: the console needs a host of its own, not that of http.public_url".into()));
    }
}

pub fn check_origin(name: &str, url: &Url, safe: bool, faults: &mut Vec<Fault>) {
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() {
        faults.push(Fault(format!("{name}: give an origin only, such as https://approve.example")));
    }
    if matches!(url.host(), Some(Host::Ipv4(_) | Host::Ipv6(_)) | None) {
        faults.push(Fault(format!("{name}: passkeys need a host name, not an address")));
    }
    if safe && url.scheme() != "https" {
        faults.push(Fault(format!("{name}: must be https; passkeys and cookies are worth nothing without it")));
    }
    if !safe && !is_loopback(url) {
        faults.push(Fault(format!("{name}: the profiles demo and bench refuse a public origin; use http://localhost")));
    }
}
