//! Witnesses over HTTP, from both sides: whom our log asks to cosign (C2SP tlog-witness), and somebody else's log as a
//! witness reads it (C2SP tlog-tiles). Both go out through the guard.
//!
//! May import: `domain`, `ports`, the guard. Nothing that comes back is believed here.

use async_trait::async_trait;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use std::sync::Arc;
use url::Url;

use super::outbound::{Answer, Audience, Outbound};
use crate::domain::log::{Note, Tile, VerifierKey};
use crate::domain::witness::{AddCheckpoint, read_answer};
use crate::ports::witness::{Cosigner, CosignerAnswer, CosignerError, PublishedError, PublishedLog};

/// What a 409 says the body is (C2SP tlog-witness).
const SIZE: &str = "text/x.tlog.size";
/// A checkpoint with many signatures, or a full tile of 8192 bytes.
const LARGEST: usize = 64 * 1024;

/// `base` with one more part; the operator may or may not have ended it in a slash.
fn under(base: &Url, part: &str) -> Option<Url> {
    let base = format!("{}/{part}", base.as_str().trim_end_matches('/'));
    base.parse().ok()
}

/// A witness at an address that the operator was given.
pub struct HttpWitness {
    name: String,
    key: VerifierKey,
    /// What `/add-checkpoint` stands under.
    url: Url,
    outbound: Arc<Outbound>,
}

impl HttpWitness {
    pub const fn new(name: String, key: VerifierKey, url: Url, outbound: Arc<Outbound>) -> Self {
        Self { name, key, url, outbound }
    }
}

#[async_trait]
impl Cosigner for HttpWitness {
    fn name(&self) -> &str {
        &self.name
    }

    fn key(&self) -> &VerifierKey {
        &self.key
    }

    async fn add_checkpoint(&self, request: &AddCheckpoint) -> Result<CosignerAnswer, CosignerError> {
        let url = under(&self.url, "add-checkpoint").ok_or(CosignerError::Form)?;
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"))]);
        let body = request.to_string().into_bytes();
        let answer = self.outbound.ask(Audience::Witness, &url, headers, body).await;
        read(&answer.map_err(|error| CosignerError::Unreachable(error.as_str()))?)
    }
}

fn read(answer: &Answer) -> Result<CosignerAnswer, CosignerError> {
    let text = || std::str::from_utf8(&answer.body).map_err(|_| CosignerError::Form);
    match answer.status {
        StatusCode::OK => Ok(CosignerAnswer::Cosigned(read_answer(text()?).map_err(|_| CosignerError::Form)?)),
        StatusCode::CONFLICT if answer.content_type.as_deref() == Some(SIZE) => {
            let size = text()?.strip_suffix('\n').and_then(|size| size.parse().ok());
            size.map(CosignerAnswer::Last).ok_or(CosignerError::Form)
        }
        StatusCode::UNPROCESSABLE_ENTITY => Ok(CosignerAnswer::Inconsistent),
        other => Err(CosignerError::Status(other.as_u16())),
    }
}

/// A log under the address that it is published at, such as `https://approve.example/log`.
pub struct HttpLog {
    url: Url,
    outbound: Arc<Outbound>,
}

impl HttpLog {
    pub const fn new(url: Url, outbound: Arc<Outbound>) -> Self {
        Self { url, outbound }
    }

    async fn get(&self, part: &str) -> Result<Vec<u8>, PublishedError> {
        let url = under(&self.url, part).ok_or(PublishedError::Form)?;
        let answer = self.outbound.fetch(Audience::Witness, &url, LARGEST).await;
        let answer = answer.map_err(|error| PublishedError::Unreachable(error.as_str()))?;
        match answer.status {
            StatusCode::OK => Ok(answer.body),
            other => Err(PublishedError::Status(other.as_u16())),
        }
    }
}

#[async_trait]
impl PublishedLog for HttpLog {
    async fn checkpoint(&self) -> Result<Note, PublishedError> {
        let text = String::from_utf8(self.get("checkpoint").await?).map_err(|_| PublishedError::Form)?;
        text.parse().map_err(|_| PublishedError::Form)
    }

    async fn tile(&self, tile: Tile) -> Result<Vec<u8>, PublishedError> {
        self.get(&format!("tile/{tile}")).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, content_type: &str, body: &str) -> Answer {
        let status = StatusCode::from_u16(status).unwrap();
        Answer { status, content_type: Some(content_type.to_owned()), body: body.as_bytes().to_vec() }
    }

    #[test]
    fn answers_are_read_as_the_standard_has_them() {
        let cosigned = read(&answer(200, "text/plain", "\u{2014} witness.example AAAAAQID\n"));
        assert!(matches!(&cosigned, Ok(CosignerAnswer::Cosigned(lines)) if lines.len() == 1), "{cosigned:?}");
        let two = "\u{2014} witness.example AAAAAQID\n\u{2014} other.example AAAAAQID\n";
        assert!(matches!(read(&answer(200, "", two)), Ok(CosignerAnswer::Cosigned(lines)) if lines.len() == 2));
        assert_eq!(read(&answer(409, SIZE, "300\n")), Ok(CosignerAnswer::Last(300)));
        assert_eq!(read(&answer(422, "text/plain", "")), Ok(CosignerAnswer::Inconsistent));
        for (bad, why) in [
            (answer(200, "text/plain", ""), CosignerError::Form),
            (answer(200, "text/plain", "\n"), CosignerError::Form),
            (answer(200, "text/plain", "\u{2014} witness.example AAAAAQID"), CosignerError::Form),
            (answer(409, SIZE, "300"), CosignerError::Form),
            (answer(409, SIZE, "-1\n"), CosignerError::Form),
            (answer(409, "text/plain", "300\n"), CosignerError::Status(409)),
            (answer(404, "text/plain", ""), CosignerError::Status(404)),
            (answer(301, "text/plain", ""), CosignerError::Status(301)),
        ] {
            assert_eq!(read(&bad), Err(why), "{bad:?}");
        }
    }

    #[test]
    fn addresses_may_end_in_a_slash_or_not() {
        for base in ["https://w.example/log", "https://w.example/log/"] {
            assert_eq!(
                under(&base.parse().unwrap(), "checkpoint").unwrap().as_str(),
                "https://w.example/log/checkpoint"
            );
        }
        assert_eq!(under(&"https://w.example".parse().unwrap(), "a/b").unwrap().as_str(), "https://w.example/a/b");
    }
}
