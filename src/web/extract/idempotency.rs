//! The header `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header-07), needed on every create.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::HeaderName;
use actix_web::{FromRequest, HttpRequest};
use utoipa::IntoParams;

use crate::domain::backend::IdempotencyKey;
use crate::web::problem::{Kind, Problem};

/// The header's name.
pub const HEADER: HeaderName = HeaderName::from_static("idempotency-key");

/// The header, for the document.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
pub struct IdempotencyHeader {
    /// New for each new request, and the same when you repeat one: the same key gets the same answer.
    #[param(rename = "Idempotency-Key", min_length = 1, max_length = 128, pattern = "^[!-~]+$")]
    pub key: String,
}

/// The key of this request.
#[derive(Debug, Clone)]
pub struct Key(pub IdempotencyKey);

impl FromRequest for Key {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(key(req))
    }
}

fn key(req: &HttpRequest) -> Result<Key, Problem> {
    let mut all = req.headers().get_all(HEADER);
    let Some(value) = all.next() else {
        let detail = "Send the header `Idempotency-Key`, new for each new request and the same when you repeat one.";
        return Err(Problem::new(Kind::IdempotencyKeyMissing, detail));
    };
    let invalid = |detail| Problem::new(Kind::IdempotencyKeyInvalid, detail);
    if all.next().is_some() {
        return Err(invalid("There is more than one."));
    }
    let text = value.to_str().unwrap_or_default();
    IdempotencyKey::parse(text).map(Key).map_err(|_| invalid("It has 1 to 128 visible ASCII characters."))
}
