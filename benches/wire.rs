//! HTTP/1.1 over one kept connection, and no more of it than the load needs: what the generator spends is taken from
//! the service on the same machine.

use anyhow::{Context as _, bail};
use serde_json::Value;
use std::net::Ipv4Addr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A connection to the service.
pub struct Wire {
    stream: TcpStream,
    host: String,
    buffer: Vec<u8>,
}

/// An answer.
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

/// A head and its body, as they came.
pub struct Message {
    pub first_line: String,
    pub body: Vec<u8>,
}

impl Wire {
    pub async fn to(port: u16) -> anyhow::Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, host: format!("localhost:{port}"), buffer: Vec::with_capacity(16 * 1024) })
    }

    /// Sends a request and reads its answer.
    pub async fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> anyhow::Result<Answer> {
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n", self.host);
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        if method != "GET" {
            request.push_str(&format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len()));
        }
        request.push_str("\r\n");
        let mut bytes = request.into_bytes();
        bytes.extend_from_slice(body);
        self.stream.write_all(&bytes).await?;
        let message = read(&mut self.stream, &mut self.buffer).await?.context("the service closed the connection")?;
        let status = message.first_line.split(' ').nth(1).and_then(|code| code.parse().ok());
        Ok(Answer { status: status.context("no status line")?, body: message.body })
    }
}

impl Answer {
    /// The body, when the request was granted.
    pub fn granted(self, what: &str) -> anyhow::Result<Vec<u8>> {
        if (200..300).contains(&self.status) {
            return Ok(self.body);
        }
        bail!("{what}: {} {}", self.status, String::from_utf8_lossy(&self.body))
    }

    /// The same, as JSON.
    pub fn json(self, what: &str) -> anyhow::Result<Value> {
        serde_json::from_slice(&self.granted(what)?).context("an answer that isn't JSON")
    }
}

/// Reads one message; nothing when the other side closed between two.
pub async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> anyhow::Result<Option<Message>> {
    let mut looked = 0;
    let head = loop {
        let from = looked.min(buffer.len());
        if let Some(at) = buffer[from..].windows(4).position(|four| four == b"\r\n\r\n") {
            break from + at + 4;
        }
        looked = buffer.len().saturating_sub(3);
        if stream.read_buf(buffer).await? == 0 {
            return if buffer.is_empty() { Ok(None) } else { bail!("a message was cut off") };
        }
    };
    let text = String::from_utf8_lossy(&buffer[..head]);
    let first_line = text.lines().next().unwrap_or_default().to_owned();
    let mut length = 0;
    for line in text.lines().skip(1) {
        let Some((name, value)) = line.split_once(':') else { continue };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse()?;
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            bail!("a body in pieces isn't understood here");
        }
    }
    while buffer.len() < head + length {
        if stream.read_buf(buffer).await? == 0 {
            bail!("a message was cut off");
        }
    }
    let body = buffer[head..head + length].to_vec();
    buffer.drain(..head + length);
    Ok(Some(Message { first_line, body }))
}
