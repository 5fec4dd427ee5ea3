//! Security events as lines of JSON: on standard output, at the end of a file, or posted to a SIEM's HTTP way in,
//! through the outbound guard. May import: `ports`, the guard, tokio.

use async_trait::async_trait;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use url::Url;

use super::outbound::{Audience, BODY_LIMIT, Outbound};
use crate::ports::siem::{EventSink, SinkError};

/// Bytes in one batch where nothing else bounds it.
const BATCH: usize = 1 << 20;

/// Standard output, which carries nothing else: logs go to standard error.
#[derive(Debug)]
pub struct StdoutSink;

#[async_trait]
impl EventSink for StdoutSink {
    fn name(&self) -> &str {
        "stdout"
    }

    fn room(&self) -> usize {
        BATCH
    }

    async fn accept(&self, events: &[String]) -> Result<(), SinkError> {
        let text = lines(events);
        blocking(move || {
            let mut out = io::stdout().lock();
            out.write_all(text.as_bytes())?;
            out.flush()
        })
        .await
    }
}

/// A file that is only added to. It is opened anew for each batch, so that it may be moved away at any time.
#[derive(Debug)]
pub struct FileSink {
    name: String,
    path: PathBuf,
}

impl FileSink {
    pub const fn new(name: String, path: PathBuf) -> Self {
        Self { name, path }
    }
}

#[async_trait]
impl EventSink for FileSink {
    fn name(&self) -> &str {
        &self.name
    }

    fn room(&self) -> usize {
        BATCH
    }

    async fn accept(&self, events: &[String]) -> Result<(), SinkError> {
        let (path, text) = (self.path.clone(), lines(events));
        blocking(move || append(&path, &text)).await
    }
}

/// Adds whole lines, and returns when they outlive a power cut. A line that a crash left torn is ended first; what it
/// should have said is told again.
fn append(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o640).open(path)?;
    if !ends_in_a_line_break(&mut file)? {
        file.write_all(b"\n")?;
    }
    file.write_all(text.as_bytes())?;
    file.sync_data()
}

fn ends_in_a_line_break(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

/// A SIEM's HTTP way in: lines of JSON, posted. Any 2xx accepts the batch.
pub struct WebhookSink {
    name: String,
    url: Url,
    authorization: Option<SecretString>,
    outbound: Arc<Outbound>,
}

impl WebhookSink {
    pub const fn new(name: String, url: Url, authorization: Option<SecretString>, outbound: Arc<Outbound>) -> Self {
        Self { name, url, authorization, outbound }
    }
}

#[async_trait]
impl EventSink for WebhookSink {
    fn name(&self) -> &str {
        &self.name
    }

    fn room(&self) -> usize {
        BODY_LIMIT - 1
    }

    async fn accept(&self, events: &[String]) -> Result<(), SinkError> {
        let mut headers = HeaderMap::with_capacity(2);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
        if let Some(authorization) = &self.authorization {
            let mut value = HeaderValue::from_str(authorization.expose_secret())
                .map_err(|_| SinkError { what: "authorization", source: None })?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let body = lines(events).into_bytes();
        match self.outbound.post(Audience::EventSink, &self.url, headers, body).await {
            Ok(status) if status.is_success() => Ok(()),
            Ok(_) => Err(SinkError { what: "status", source: None }),
            Err(error) => Err(SinkError { what: error.as_str(), source: Some(Box::new(error)) }),
        }
    }
}

fn lines(events: &[String]) -> String {
    events.iter().flat_map(|event| [event.as_str(), "\n"]).collect()
}

async fn blocking(work: impl FnOnce() -> io::Result<()> + Send + 'static) -> Result<(), SinkError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(SinkError { what: "write", source: Some(Box::new(error)) }),
        Err(error) => Err(SinkError { what: "write", source: Some(Box::new(error)) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_grows_by_whole_lines_even_after_a_torn_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let sink = FileSink::new("file".into(), path.clone());
        sink.accept(&["{\"a\":1}".into(), "{\"a\":2}".into()]).await.unwrap();
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"a\":").unwrap();
        sink.accept(&["{\"a\":3}".into()]).await.unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "{\"a\":1}\n{\"a\":2}\n{\"a\":\n{\"a\":3}\n");
        // Somebody rotated it away.
        std::fs::rename(&path, folder.path().join("events.1")).unwrap();
        sink.accept(&["{\"a\":4}".into()]).await.unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"a\":4}\n");
    }

    #[tokio::test]
    async fn a_file_that_can_not_be_written_is_said() {
        let sink = FileSink::new("file".into(), "/nonexistent/events".into());
        assert_eq!(sink.accept(&["{}".into()]).await.unwrap_err().what, "write");
    }
}
