//! The service: a configuration file, and the process that `make bench` has just built.

use anyhow::{Context as _, bail};
use countersign::config::Config;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::process::{self, Ending, Process};
use crate::clock;
use crate::wire::Wire;

/// The hold of every figure that doesn't say otherwise.
pub const HOLD: Duration = Duration::from_millis(500);

/// A configuration, and what a node of it is called.
pub struct Setup {
    pub name: String,
    config: PathBuf,
    log: PathBuf,
    pub port: u16,
    ops_port: u16,
}

/// A running node.
pub struct Node {
    process: Process,
    pub port: u16,
    /// From the start of the process to the first answer that it is healthy.
    pub cold_start: Duration,
}

impl Setup {
    /// Writes the configuration of a node. Limits are out of reach: one sender stands for many.
    pub fn write(folder: &Path, name: &str, backing: &str) -> anyhow::Result<Self> {
        let (port, ops_port) = (process::free_port()?, process::free_port()?);
        let keys = folder.join("keys");
        let keys = keys.display();
        let hold = HOLD.as_secs_f64();
        let text = format!(
            r#"profile = "bench"
[operator]
name = "Harbour"
[http]
listen = "127.0.0.1:{port}"
ops_listen = "127.0.0.1:{ops_port}"
public_url = "http://localhost:{port}"
{backing}
[keys]
master_file = "{keys}/master.key"
receipt_file = "{keys}/receipt.pem"
log_file = "{keys}/log.pem"
[outbound]
allow = ["127.0.0.0/8"]
[policy]
hold_seconds = {hold}
unproved_hold_seconds = {hold}
[holds]
new_device_seconds = 0
new_channel_seconds = 0
[limits]
notices_per_minute = 60000000
tries_per_minute = 60000000
key_per_minute = 60000000
"#
        );
        let config = folder.join(format!("{name}.toml"));
        std::fs::write(&config, text)?;
        let log = folder.join(format!("{name}.log"));
        Ok(Self { name: name.to_owned(), config, log, port, ops_port })
    }

    /// The configuration as the service itself reads it: for preparing a record in this process.
    pub fn config(&self) -> anyhow::Result<Config> {
        Config::load(Some(&self.config)).map_err(anyhow::Error::from)
    }

    /// Starts a node and waits until it answers.
    pub async fn start(&self) -> anyhow::Result<Node> {
        let mut command = process::command(&service()?, None);
        command.arg("--config").arg(&self.config).args(["--log", "warn", "serve"]);
        let begun = clock::now();
        let mut process = Process::start(command, &self.log, Ending::Kill)?;
        let answered = clock::until("the service", Duration::from_secs(30), || self.healthy()).await;
        process.check()?;
        let at: Instant = answered?;
        Ok(Node { process, port: self.port, cold_start: at - begun })
    }

    async fn healthy(&self) -> Option<Instant> {
        let mut wire = Wire::to(self.ops_port).await.ok()?;
        let answer = wire.send("GET", "/healthz", &[], &[]).await.ok()?;
        (answer.status == 200).then(clock::now)
    }
}

impl Node {
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Fails when it has ended by itself.
    pub fn check(&mut self) -> anyhow::Result<()> {
        self.process.check()
    }
}

/// The service's binary, built beside this one.
pub fn service() -> anyhow::Result<PathBuf> {
    let here = std::env::current_exe()?;
    let service = here.parent().context("no folder")?.join("countersign");
    if !service.is_file() {
        bail!("{} isn't there: build it with the same profile, as `make bench` does", service.display());
    }
    Ok(service)
}
