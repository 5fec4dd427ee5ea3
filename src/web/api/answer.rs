//! How answers are put together: JSON, and the headers that go with it.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{ContentType, HeaderName, HeaderValue};
use serde::Serialize;

use crate::service::request::{Answered, Repeat};
use crate::web::problem::Problem;

/// Says that the answer was given before.
pub const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Rows of a page when the request doesn't say.
pub const DEFAULT_LIMIT: u32 = 20;

/// What a handler gives.
pub type Answer = Result<HttpResponse, Problem>;

/// A value as JSON.
pub fn json(status: StatusCode, value: &impl Serialize) -> Answer {
    let body = serde_json::to_string(value).map_err(crate::service::Error::internal)?;
    Ok(HttpResponse::build(status).insert_header(ContentType::json()).body(body))
}

/// The stored answer to a create: the same bytes the second time.
pub fn created(answered: Answered) -> Answer {
    Ok(replayed(StatusCode::CREATED, answered.repeat, answered.body))
}

/// A value as JSON, in answer to what may be repeated.
pub fn repeatable(status: StatusCode, value: &impl Serialize, repeat: Repeat) -> Answer {
    Ok(replayed(status, repeat, serde_json::to_string(value).map_err(crate::service::Error::internal)?))
}

fn replayed(status: StatusCode, repeat: Repeat, body: String) -> HttpResponse {
    let mut answer = HttpResponse::build(status);
    answer.insert_header(ContentType::json());
    if repeat == Repeat::Earlier {
        answer.insert_header((REPLAYED, HeaderValue::from_static("true")));
    }
    answer.body(body)
}
