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

/// Whoever takes a receipt decides by its issuer, so that a deployment for looking or measuring can't have one that a
/// real deployment could have (design section 8).
pub fn check_issuer(issuer: &str, safe: bool, faults: &mut Vec<Fault>) {
    let url = Url::parse(issuer).ok().filter(|url| url.scheme() == "https");
    if !safe && url.is_some() {
        faults.push(Fault("operator.issuer: the profiles demo and bench can't have an https issuer".into()));
    }
    // Receipts are compared with it letter by letter, so it is written in the one way in which origins are.
    if safe && url.is_none_or(|url| url.origin().ascii_serialization() != issuer) {
        faults.push(Fault("operator.issuer: must be an https origin, such as https://approve.example".into()));
    }
}
