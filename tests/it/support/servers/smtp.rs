//! An SMTP server of a test's own, which keeps what it is given. It is Python's aiosmtpd, so that the mails are judged
//! by an implementation other than the one that sends them.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::certificates::Certificates;
use super::{Account, Ending, Process, start_until_ready, text, wait_for};

/// How a client may speak to the server.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SmtpMode {
    /// In the clear, without a login.
    Plain,
    /// Only after STARTTLS, with a certificate of a private authority, and a login.
    StartTlsAuth,
}

/// A mail as it arrived.
pub struct Mail {
    /// The sender of the envelope.
    pub from: String,
    /// The recipients of the envelope.
    pub to: Vec<String>,
    /// Headers and body, byte for byte but for what isn't UTF-8.
    pub source: String,
}

/// A running server. A recipient that begins with `refused` gets a permanent error, one with `later` a temporary one.
pub struct Smtp {
    // Declared before the directory, so that the server is gone before its files are.
    process: Option<Process>,
    port: u16,
    certificates: Option<Certificates>,
    directory: TempDir,
}

impl Smtp {
    pub const USER: &str = "countersign";
    pub const PASSWORD: &str = "a password of the tests";

    pub fn start(mode: SmtpMode) -> Self {
        let directory = tempfile::Builder::new().prefix("countersign-smtp-").tempdir().expect("a temporary directory");
        fs::create_dir(mails(&directory)).expect("a directory for the mails");
        let certificates = (mode == SmtpMode::StartTlsAuth).then(|| Certificates::issue(directory.path()));
        let (process, port) = serve(&directory, certificates.as_ref(), None);
        Self { process: Some(process), port, certificates, directory }
    }

    /// The name to connect to; the certificate is made out to it.
    pub fn host(&self) -> &'static str {
        "localhost"
    }

    pub fn address(&self) -> (Ipv4Addr, u16) {
        (Ipv4Addr::LOCALHOST, self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process id of the server, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::pid)
    }

    /// The authority that a client has to trust, if the server speaks TLS.
    pub fn ca_pem_path(&self) -> Option<&Path> {
        self.certificates.as_ref().map(|certificates| certificates.authority.as_path())
    }

    /// Every mail so far, the oldest first.
    pub fn messages(&self) -> Vec<Mail> {
        let mut files: Vec<PathBuf> = fs::read_dir(mails(&self.directory))
            .expect("the directory of the mails")
            .map(|entry| entry.expect("a file in it").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "eml"))
            .collect();
        files.sort();
        files.iter().map(|path| read(path)).collect()
    }

    /// Waits until there are at least so many mails.
    pub fn wait_for_messages(&self, count: usize) -> Vec<Mail> {
        wait_for("mails to arrive", || Some(self.messages()).filter(|mails| mails.len() >= count))
    }

    /// Kills the server; what it caught is kept.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Starts a killed server on the port that it had.
    pub fn start_again(&mut self) {
        if self.process.is_none() {
            let (process, _) = serve(&self.directory, self.certificates.as_ref(), Some(self.port));
            self.process = Some(process);
        }
    }
}

fn mails(directory: &TempDir) -> PathBuf {
    directory.path().join("mails")
}

fn read(path: &Path) -> Mail {
    let outside = fs::read(path.with_extension("json")).expect("an envelope beside the mail");
    let outside: serde_json::Value = serde_json::from_slice(&outside).expect("an envelope in JSON");
    let address = |value: &serde_json::Value| value.as_str().expect("an address").to_owned();
    let source = fs::read(path).expect("the mail");
    Mail {
        from: address(&outside["from"]),
        to: outside["to"].as_array().expect("a list of recipients").iter().map(address).collect(),
        source: String::from_utf8_lossy(&source).into_owned(),
    }
}

fn serve(directory: &TempDir, certificates: Option<&Certificates>, fixed: Option<u16>) -> (Process, u16) {
    let mails = mails(directory);
    let open = mails.join("open");
    let start = |port: u16| {
        // The file of an earlier run would be read as the new server's.
        drop(fs::remove_file(&open));
        // The system's interpreter: another one earlier in PATH doesn't see the packages of the system.
        let mut command = Account::Own.server(Path::new("/usr/bin/python3"));
        command.args(["-c", include_str!("smtp_catcher.py"), text(&mails), &port.to_string()]);
        if let Some(certificates) = certificates {
            command.args([text(&certificates.certificate), text(&certificates.key), Smtp::USER, Smtp::PASSWORD]);
        }
        Process::start(command, &directory.path().join("log"), Ending::Killed)
    };
    start_until_ready("the SMTP server", fixed, start, |_, _| open.exists())
}
