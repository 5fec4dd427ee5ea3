//! Every request gets an id, a span and, when it fails, a problem that carries the id.
//!
//! The outermost middleware. The id is made here and never taken from the client; it is in the header `x-request-id`,
//! in every line of the log, and in every problem. The span names the route's pattern, never the path, and no query:
//! paths and queries carry tokens.

use std::fmt;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, HttpResponse, web};
use std::future::{Ready, ready};
use tracing::field::Empty;
use tracing::{Instrument, Span};
use uuid::Uuid;

use super::error::{internal, not_found};
use super::problem::{Kind, Problem};
use crate::service::Context;

/// The header that carries the id.
pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The id of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestId(pub Uuid);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromRequest for RequestId {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(req.extensions().get::<Self>().copied().ok_or_else(internal))
    }
}

/// The middleware. Wrap the whole application in it: `App::new().wrap(from_fn(request_id::trace))`.
///
/// # Errors
/// Only what an inner middleware fails with, already as a problem.
pub async fn trace<B: MessageBody + 'static>(
    req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let Some(cx) = req.app_data::<web::Data<Context>>() else {
        tracing::error!("the application has no context");
        return Ok(req.error_response(internal()).map_into_right_body());
    };
    let id = RequestId(uuid::Builder::from_unix_timestamp_millis(millis(cx), &cx.random()).into_uuid());
    let span = tracing::info_span!(
        "request",
        request.id = %id,
        http.method = method(&req),
        http.route = Empty,
        http.status = Empty,
        latency_us = Empty,
        approval.id = Empty,
    );
    req.extensions_mut().insert(id);
    let began = tokio::time::Instant::now();
    async move {
        let answered = next.call(req).await;
        let answered = match answered {
            Ok(res) => Ok(finish(res, id)),
            Err(error) => {
                let mut res = of_error(&error).response(Some(id.to_string()));
                mark(&mut res, id);
                Err(InternalError::from_response(error, res).into())
            }
        };
        if let Ok(res) = &answered {
            let span = Span::current();
            span.record("http.route", res.request().match_pattern().as_deref().unwrap_or("none"));
            span.record("http.status", res.status().as_u16());
            span.record("latency_us", u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX));
            tracing::info!("answered");
        }
        answered
    }
    .instrument(span)
    .await
}

fn millis(cx: &Context) -> u64 {
    u64::try_from(cx.now().millis()).unwrap_or(0)
}

/// A client may invent methods; the log names only known ones.
fn method(req: &ServiceRequest) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "OPTIONS"];
    KNOWN.into_iter().find(|known| *known == req.method().as_str()).unwrap_or("other")
}

/// Puts the id on the answer, and makes a problem of what failed without having become one.
fn finish<B: MessageBody + 'static>(res: ServiceResponse<B>, id: RequestId) -> ServiceResponse<EitherBody<B>> {
    let Some(problem) = problem_in(&res) else {
        let mut res = res.map_into_left_body();
        mark(res.response_mut(), id);
        return res;
    };
    let allowed = res.headers().get(header::ALLOW).cloned();
    let (req, _) = res.into_parts();
    let mut answer = problem.response(Some(id.to_string()));
    mark(&mut answer, id);
    if let Some(allowed) = allowed {
        answer.headers_mut().insert(header::ALLOW, allowed);
    }
    ServiceResponse::new(req, answer).map_into_right_body()
}

fn mark<B>(res: &mut HttpResponse<B>, id: RequestId) {
    let mut buffer = Uuid::encode_buffer();
    // A UUID's text is always a header value.
    if let Ok(value) = HeaderValue::from_str(id.0.as_hyphenated().encode_lower(&mut buffer)) {
        res.headers_mut().insert(HEADER, value);
    }
}

/// The problem that this answer stands for. Failures that somebody else has written a body for (pages do) stay as they
/// are; what the framework answers of its own accord is plain text or nothing.
fn problem_in<B>(res: &ServiceResponse<B>) -> Option<Problem> {
    if let Some(problem) = res.response().extensions().get::<Problem>() {
        return Some(problem.clone());
    }
    let bare =
        res.headers().get(header::CONTENT_TYPE).is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"));
    match res.response().error() {
        _ if !bare => None,
        Some(error) => Some(of_error(error)),
        None => of_status(res.status()),
    }
}

/// An error that isn't one of ours: the framework's, whose texts may tell of the inside.
fn of_error(error: &Error) -> Problem {
    if let Some(problem) = error.as_error::<Problem>() {
        return problem.clone();
    }
    let status = error.as_response_error().status_code();
    if status.is_server_error() {
        tracing::error!(error = %error, "a fault of our own");
    }
    of_status(status).unwrap_or_else(internal)
}

fn of_status(status: StatusCode) -> Option<Problem> {
    Some(match status {
        StatusCode::FORBIDDEN => Problem::new(Kind::Forbidden, "It came from where such requests don't come from."),
        StatusCode::NOT_FOUND => not_found(),
        StatusCode::METHOD_NOT_ALLOWED => Problem::new(Kind::MethodNotAllowed, "See the header `Allow`."),
        StatusCode::REQUEST_TIMEOUT => Problem::new(Kind::RequestTimeout, "Send it again, faster."),
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(Kind::TooLarge, "Send less."),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Problem::new(Kind::UnsupportedMediaType, "Send application/json."),
        status if status.is_server_error() => internal(),
        status if status.is_client_error() => {
            Problem::new(Kind::BadRequest, "It isn't a request as this place expects it.")
        }
        _ => return None,
    })
}

/// The answer to every path that has no route.
///
/// # Errors
/// Always: there is nothing here.
pub async fn no_route() -> Result<HttpResponse, Problem> {
    Err(not_found())
}
