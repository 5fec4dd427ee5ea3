//! The body: JSON, bounded, and known by a hash of the request it came in.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use actix_web::web::{Bytes, BytesMut};
use actix_web::{FromRequest, HttpRequest};
use aws_lc_rs::digest::{Context as Hash, SHA256};
use futures_util::StreamExt as _;

use super::fields::Fields;
use super::json;
use crate::domain::details::Digest;
use crate::web::error::internal;
use crate::web::problem::{Kind, Problem};

/// Most bytes of a body.
pub const MAX_BYTES: usize = 16 * 1024;

/// A JSON body, not yet parsed.
#[derive(Debug)]
pub struct Body {
    bytes: Bytes,
    /// SHA-256 over method, path and raw body: another request under the same Idempotency-Key is known by it.
    pub fingerprint: Digest,
}

/// No body, or an empty object: what an action without parameters takes.
#[derive(Debug)]
pub struct NoBody {
    /// As [`Body::fingerprint`].
    pub fingerprint: Digest,
}

impl Body {
    /// The fields of the object.
    ///
    /// # Errors
    /// `malformed-json`, or `invalid-request` for a name that is there twice.
    pub fn fields(&self) -> Result<Fields<'_>, Problem> {
        json::object(&self.bytes).map(Fields::of)
    }
}

impl FromRequest for Body {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (req, payload) = (req.clone(), payload.take());
        Box::pin(async move {
            Media::Json.check(&req)?;
            let bytes = read(&req, payload).await?;
            let fingerprint = fingerprint(&req, &bytes)?;
            Ok(Self { bytes, fingerprint })
        })
    }
}

impl FromRequest for NoBody {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (req, payload) = (req.clone(), payload.take());
        Box::pin(async move {
            let bytes = read(&req, payload).await?;
            if !bytes.is_empty() {
                Media::Json.check(&req)?;
                Fields::of(json::object(&bytes)?).finish(Some(()))?;
            }
            Ok(Self { fingerprint: fingerprint(&req, &bytes)? })
        })
    }
}

/// How a body of JSON may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    /// `application/json`.
    Json,
    /// `application/scim+json` too (RFC 7644 section 3.1).
    Scim,
}

impl Media {
    /// One of these, in UTF-8 if it says (RFC 8259 section 11 defines no parameter), and not compressed.
    ///
    /// # Errors
    /// `unsupported-media-type`.
    pub fn check(self, req: &HttpRequest) -> Result<(), Problem> {
        let text = req.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (essence, parameters) = text.split_once(';').unwrap_or((text, ""));
        let (essence, parameter) = (essence.trim(), parameters.trim());
        let utf8 = parameter.is_empty()
            || parameter.split_once('=').is_some_and(|(name, value)| {
                name.eq_ignore_ascii_case("charset") && value.trim_matches('"').eq_ignore_ascii_case("utf-8")
            });
        let named = essence.eq_ignore_ascii_case("application/json")
            || self == Self::Scim && essence.eq_ignore_ascii_case("application/scim+json");
        if named && utf8 && !req.headers().contains_key(CONTENT_ENCODING) {
            Ok(())
        } else {
            Err(Problem::new(Kind::UnsupportedMediaType, "Send `Content-Type: application/json`, not compressed."))
        }
    }
}

/// The bytes of a body, of which there are at most [`MAX_BYTES`].
///
/// # Errors
/// `too-large`, and `bad-request` for one that ends early.
pub async fn read(req: &HttpRequest, mut payload: Payload) -> Result<Bytes, Problem> {
    let announced = req.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > MAX_BYTES) {
        return Err(too_large());
    }
    // Nearly every body arrives in one piece, which is then not copied.
    let Some(first) = payload.next().await else { return Ok(Bytes::new()) };
    let first = first.map_err(unread)?;
    if first.len() > MAX_BYTES {
        return Err(too_large());
    }
    let Some(second) = payload.next().await else { return Ok(first) };
    let mut whole = BytesMut::with_capacity(announced.unwrap_or(2 * first.len()).max(first.len()));
    whole.extend_from_slice(&first);
    let mut next = Some(second);
    while let Some(piece) = next {
        let piece = piece.map_err(unread)?;
        if whole.len() + piece.len() > MAX_BYTES {
            return Err(too_large());
        }
        whole.extend_from_slice(&piece);
        next = payload.next().await;
    }
    Ok(whole.freeze())
}

fn too_large() -> Problem {
    Problem::new(Kind::TooLarge, "A body has at most 16384 bytes.")
}

fn unread(error: PayloadError) -> Problem {
    tracing::debug!(error = %error, "the body could not be read");
    Problem::new(Kind::BadRequest, "The body ended early or couldn't be read.")
}

fn fingerprint(req: &HttpRequest, body: &[u8]) -> Result<Digest, Problem> {
    let mut hash = Hash::new(&SHA256);
    for part in [req.method().as_str().as_bytes(), req.path().as_bytes(), body] {
        // Lengths keep the parts from running into each other.
        hash.update(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        hash.update(part);
    }
    // SHA-256 always has 32 bytes.
    let bytes = hash.finish().as_ref().try_into().map_err(|_| internal())?;
    Ok(Digest::from_bytes(bytes))
}
