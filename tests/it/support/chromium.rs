//! Headless Chromium under ChromeDriver, for tests that need a real browser: processes and profiles. Each browser is a
//! process of its own with an empty profile and a virtual authenticator, so two of them are two devices.
//!
//! Nothing outlives the handle: the kernel kills ChromeDriver with the test process and every browser with
//! ChromeDriver, and all they write is in one temporary directory. What a browser does is in `crate::browser`.

use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use tempfile::TempDir;
use thirtyfour::{ChromiumLikeCapabilities as _, DesiredCapabilities, LoggingPrefsLogLevel, WebDriver};

use super::servers::{Ending, Process, poll, wait_for};

const CHROMIUM: &str = "/usr/bin/chromium";
const CHROMEDRIVER: &str = "/usr/bin/chromedriver";
/// Starts Chromium tied to the life of ChromeDriver.
const TIED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/support/chromium.sh");

/// Root can't use Chromium's sandbox, and no page but ours is opened; the rest keeps it from calling home, and painting
/// and counting while another browser's window is the one in front, and lets a page and the one it reloads to share a
/// frame: with a frame for each (RenderDocument), a picture or a click that falls between the two is never answered.
const FLAGS: &[&str] = &[
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-software-rasterizer",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--disable-breakpad",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--disable-background-timer-throttling",
    "--disable-features=RenderDocument",
    "--window-size=1280,800",
];

/// A running ChromeDriver and the browsers it started.
pub struct Chromium {
    // Declared before the directory, so that the processes are gone before their files are.
    driver: Option<Process>,
    port: u16,
    browsers: AtomicU32,
    directory: TempDir,
}

/// How a passkey reaches the browser (WebAuthn Level 3, section 5.8.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// It lives in the device.
    Internal,
    /// It lives in a phone that scanned a QR code.
    Hybrid,
}

/// Whether a passkey can be copied to other devices (WebAuthn Level 3, section 6.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backup {
    /// It is: both flags, BE and BS, are set.
    Synced,
    /// It never leaves its device.
    DeviceBound,
}

/// A browser session, with the authenticator that was given to it.
pub struct Session {
    pub driver: WebDriver,
    pub authenticator: String,
}

impl Chromium {
    /// Starts ChromeDriver, which takes a free port itself.
    pub fn start() -> Self {
        for program in [CHROMIUM, CHROMEDRIVER] {
            assert!(Path::new(program).exists(), "{program} is missing; `make test-deps` installs it");
        }
        let directory = tempfile::tempdir().expect("a temporary directory");
        let log = directory.path().join("chromedriver.log");
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "--", CHROMEDRIVER, "--port=0"])
            .current_dir(directory.path())
            .env("HOME", directory.path())
            .env("TMPDIR", directory.path());
        let mut driver = Process::start(command, &log, Ending::Killed);
        let port = wait_for("ChromeDriver to listen", || {
            if let Some(status) = driver.ended() {
                panic!("ChromeDriver ended, {status}: {}", driver.last_words());
            }
            let text = fs::read_to_string(&log).ok()?;
            let (_, rest) = text.split_once("successfully on port ")?;
            rest.split_once('.')?.0.parse().ok()
        });
        Self { driver: Some(driver), port, browsers: AtomicU32::new(0), directory }
    }

    /// Starts a browser with an empty profile, whose authenticator makes passkeys of this kind and verifies its user.
    pub async fn browser(&self, transport: Transport, backup: Backup) -> Session {
        let number = self.browsers.fetch_add(1, Ordering::Relaxed);
        let profile = self.directory.path().join(format!("profile-{number}"));
        let mut wanted = DesiredCapabilities::chrome();
        let asked = wanted
            .set_binary(TIED)
            .and_then(|()| wanted.add_arg(&format!("--user-data-dir={}", profile.display())))
            .and_then(|()| FLAGS.iter().try_for_each(|flag| wanted.add_arg(flag)))
            .and_then(|()| wanted.set_browser_log_level(LoggingPrefsLogLevel::All));
        asked.expect("capabilities that are JSON");
        let driver = WebDriver::new(format!("http://127.0.0.1:{}", self.port), wanted).await;
        let driver = driver.expect("Chromium starts");
        // Dropping this handle ends the browsers; the driver's own way would block for a third of a second each.
        driver.clone().leak().expect("a session that was just opened");
        let authenticator = add_authenticator(&driver, transport, backup).await;
        Session { driver, authenticator }
    }

    /// The processes that belong to this handle: they work in its directory or name it in their arguments.
    pub fn processes(&self) -> Vec<u32> {
        let home = self.directory.path();
        let name = home.as_os_str().as_encoded_bytes();
        let belongs = |process: &PathBuf| {
            let arguments = fs::read(process.join("cmdline")).unwrap_or_default();
            fs::read_link(process.join("cwd")).is_ok_and(|place| place == home)
                || arguments.windows(name.len()).any(|part| part == name)
        };
        let entries = fs::read_dir("/proc").expect("a system with /proc");
        let running = entries.flatten().map(|entry| entry.path()).filter(belongs);
        running.filter_map(|process| process.file_name()?.to_str()?.parse().ok()).collect()
    }
}

/// Gives a browser's first tab an authenticator that answers at once.
async fn add_authenticator(driver: &WebDriver, transport: Transport, backup: Backup) -> String {
    let synced = backup == Backup::Synced;
    let options = json!({
        "protocol": "ctap2",
        "transport": match transport { Transport::Internal => "internal", Transport::Hybrid => "hybrid" },
        "hasResidentKey": true,
        "hasUserVerification": true,
        "isUserVerified": true,
        "automaticPresenceSimulation": true,
        "defaultBackupEligibility": synced,
        "defaultBackupState": synced,
    });
    let cdp = driver.cdp();
    cdp.send_raw("WebAuthn.enable", json!({"enableUI": false})).await.expect("the WebAuthn domain");
    let added = cdp.send_raw("WebAuthn.addVirtualAuthenticator", json!({"options": options})).await;
    let added = added.expect("a virtual authenticator");
    added["authenticatorId"].as_str().map(str::to_owned).unwrap_or_else(|| panic!("no authenticator: {added}"))
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // No step may panic, because a failing test may be why this runs.
        let left = self.processes();
        self.driver = None;
        let mut kill = Command::new("sh");
        kill.args(["-c", r#"kill -s KILL "$@" 2>&-"#, "sh"]).args(left.iter().map(u32::to_string));
        drop(kill.output());
        poll(|| self.processes().is_empty().then_some(()));
    }
}

/// An answer of the browser that must be an object with this list in it.
pub fn list<'a>(answer: &'a Value, name: &str) -> &'a [Value] {
    answer[name].as_array().map(Vec::as_slice).unwrap_or_else(|| panic!("no {name}: {answer}"))
}
