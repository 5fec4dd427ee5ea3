//! A Redis server as docker-compose.yml sets it up: an append-only file that is flushed once a second.

use anyhow::Context as _;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use super::process::{self, Ending, Process};
use crate::clock;

/// A running server.
pub struct Redis {
    process: Process,
    port: u16,
}

impl Redis {
    pub async fn start(folder: &Path) -> anyhow::Result<Self> {
        let home = folder.join("redis");
        std::fs::create_dir(&home)?;
        let port = process::free_port()?;
        let mut server = process::command(Path::new("redis-server"), None);
        server.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--daemonize", "no"]);
        server.args(["--appendonly", "yes", "--appendfsync", "everysec", "--dir"]).arg(&home);
        let process = Process::start(server, &folder.join("redis.log"), Ending::Kill)?;
        let mut started = Self { process, port };
        clock::until("Redis", Duration::from_secs(30), || async { started.command("PING").await.ok() }).await?;
        started.process.check()?;
        Ok(started)
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// Runs one command without arguments that need quoting (Redis, "Inline commands") and gives its answer's text.
    pub async fn command(&self, line: &str) -> anyhow::Result<String> {
        let mut stream = BufReader::new(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await?);
        stream.write_all(format!("{line}\r\n").as_bytes()).await?;
        let mut head = String::new();
        stream.read_line(&mut head).await?;
        let Some(length) = head.trim_end().strip_prefix('$') else { return Ok(head) };
        let mut text = vec![0; length.parse()?];
        stream.read_exact(&mut text).await?;
        Ok(String::from_utf8(text)?)
    }

    /// Bytes that the data and its bookkeeping take.
    pub async fn memory(&self) -> anyhow::Result<f64> {
        let info = self.command("INFO memory").await?;
        let line = info.lines().find_map(|line| line.strip_prefix("used_memory:")).context("no used_memory")?;
        Ok(line.trim().parse()?)
    }
}
