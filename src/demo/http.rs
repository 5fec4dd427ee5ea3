//! The HTTP client of everything in the demo that stands outside Countersign: the exchange, and the browsers of
//! `demo --auto`. The service itself has another, guarded one.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Long enough for a busy machine, short enough for a person who waits.
const LIMIT: Duration = Duration::from_secs(10);

/// A client that keeps no cookies, follows no redirects and uses no proxy: who holds what is part of the story.
pub fn client() -> Result<reqwest::Client, reqwest::Error> {
    // What «localhost» means is left to no resolver: both servers are on the loopback interface of this machine.
    let here = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
    #[expect(clippy::disallowed_methods, reason = "this stands for programs outside Countersign, which have their own")]
    let builder = reqwest::Client::builder();
    builder.resolve("localhost", here).no_proxy().redirect(reqwest::redirect::Policy::none()).timeout(LIMIT).build()
}
