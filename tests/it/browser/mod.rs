//! The holder's pages in real browsers: headless Chromium processes with their own profiles and virtual
//! authenticators, against the whole service on loopback. One is where a transfer was started and shows the waiting
//! page, the other is the holder's enrolled device.
//!
//! [`Browser`] is one of them; `page` acts on it, `look` checks and photographs what it shows, `world` sets the scene.
//! Every page that a test comes to is looked at, so the rules of all pages are checked on real ones. The pictures are
//! in `target/screenshots`.

mod cancel_link;
mod console;
mod distinct;
mod ends;
mod enrolling;
mod exchange;
mod faces;
mod keyboard;
mod live;
mod locking;
mod look;
mod notices;
mod office;
mod page;
mod passkey;
mod relayed;
mod scripts_off;
mod staff;
mod storage_cleared;
mod times;
mod transfer;
mod world;

use serde_json::Value;
use std::time::Duration;
use thirtyfour::WebDriver;
use thirtyfour::error::WebDriverResult;
use tokio::time::{sleep, timeout};
use url::Url;

use crate::support::chromium::{Backup, Chromium, Transport};
use world::World;

/// What no page here takes even on a busy machine, and a person still waits for.
const BOUND: Duration = Duration::from_secs(60);
/// A hold that nobody waits out, and that outlasts every picture taken in it.
const MINUTES: Duration = Duration::from_secs(600);
const PROBE_EVERY: Duration = Duration::from_millis(20);

/// One browser with its own profile: a device.
pub struct Browser {
    driver: WebDriver,
    authenticator: String,
    /// What a failing test calls it.
    name: &'static str,
    origin: Url,
    screen: Screen,
}

/// The size of what a browser shows, in CSS pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Screen {
    /// 390 × 844
    Phone,
    /// 1280 × 800
    Desk,
}

/// A browser whose pages are at this origin.
async fn browser_at(
    chromium: &Chromium,
    origin: Url,
    name: &'static str,
    screen: Screen,
    transport: Transport,
    backup: Backup,
) -> Browser {
    let session = chromium.browser(transport, backup).await;
    let (driver, authenticator) = (session.driver, session.authenticator);
    let browser = Browser { driver, authenticator, name, origin, screen };
    browser.show_on(screen).await;
    browser
}

impl Browser {
    /// Runs a script in the page and gives what it returns.
    async fn script(&self, source: &str, arguments: Vec<Value>) -> WebDriverResult<Value> {
        Ok(self.driver.execute(source, arguments).await?.json().clone())
    }

    /// Runs an asynchronous function in the page and gives what it comes to; panics when it fails.
    async fn run(&self, body: &str, arguments: Vec<Value>) -> Value {
        let source = format!(
            "const [done, given] = [arguments[arguments.length - 1], [...arguments].slice(0, -1)];
            (async (...given) => {{ {body} }})(...given).then(
                (value) => done({{ value: value ?? null }}),
                (error) => done({{ error: `${{error?.name}}: ${{error?.message}}` }}),
            );"
        );
        let answer = self.driver.execute_async(source, arguments).await;
        let mut answer = answer.unwrap_or_else(|error| panic!("{}: {error}", self.name)).json().clone();
        if let Some(error) = answer["error"].as_str() {
            panic!("{}: {error}, in: {body}", self.name);
        }
        answer["value"].take()
    }

    /// Sends a command of the DevTools protocol.
    async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let answer = self.driver.cdp().send_raw(command, parameters).await;
        answer.unwrap_or_else(|error| panic!("{}: {command}: {error}", self.name))
    }

    /// Looks until `probe` has an answer, and panics with what the browser shows when it never had one. A probe may
    /// fail while one page goes and the next one comes.
    async fn until<T>(&self, what: &str, mut probe: impl AsyncFnMut() -> WebDriverResult<Option<T>>) -> T {
        let looking = async {
            loop {
                if let Ok(Some(found)) = probe().await {
                    return found;
                }
                sleep(PROBE_EVERY).await;
            }
        };
        match timeout(BOUND, looking).await {
            Ok(found) => found,
            Err(_) => panic!("{} never showed {what}; {}", self.name, self.shown().await),
        }
    }

    /// What the browser shows, for the message of a test that fails.
    async fn shown(&self) -> String {
        let source = "return `${location.href}, «${document.title}»:\\n${document.body.innerText}`";
        let page = self.script(source, Vec::new()).await;
        let page = page.map_or_else(|error| error.to_string(), |text| text.as_str().unwrap_or_default().to_owned());
        format!("it shows {page}\nand says {:?}", self.complaints().await)
    }

    /// What the browser has complained of since it was asked last: scripts that failed, what the policy of content
    /// forbade, requests that were refused.
    async fn complaints(&self) -> Vec<String> {
        let entries = self.driver.browser_log().await.unwrap_or_else(|error| panic!("{}: {error}", self.name));
        let loud = entries.into_iter().filter(|entry| matches!(entry.level.as_str(), "WARNING" | "SEVERE"));
        loud.map(|entry| entry.message).collect()
    }

    /// Panics when the browser complained of anything but these; each must have been complained of.
    async fn complained_only_of(&self, expected: &[&str]) {
        let complaints = self.complaints().await;
        let unexpected = complaints.iter().any(|line| !expected.iter().any(|part| line.contains(part)));
        let missing = expected.iter().any(|part| !complaints.iter().any(|line| line.contains(part)));
        assert!(!unexpected && !missing, "{} complained of {complaints:#?}, not of {expected:?}", self.name);
    }

    /// Panics when the browser complained of anything.
    async fn was_quiet(&self) {
        self.complained_only_of(&[]).await;
    }
}
