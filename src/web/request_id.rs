//! Every request gets an id, a span and, when it fails, a problem that carries the id.
//!
//! The outermost middleware. The id is made here and never taken from the client; it is in the header `x-request-id`,
//! in every line of the log, and in every problem. The log names the route's pattern, never the path, and no query:
//! paths and queries carry tokens.

use std::fmt;
use std::future::{Ready, ready};

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, HttpResponse, web};
use tokio::time::Instant;
use tracing::Instrument;
use tracing::field::Empty;
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
    let span = tracing::info_span!("request", request.id = %id, http.method = method(&req), approval.id = Empty);
    req.extensions_mut().insert(id);
    let began = Instant::now();
    async move {
        match next.call(req).await {
            Ok(res) => {
                let res = finish(res, id);
                say(&res, began);
                Ok(res)
            }
            Err(error) => {
                let problem = of_error(&error);
                let mut res = HttpResponse::build(problem.status()).body(problem.text(Some(id.to_string())));
                problem.dress(res.headers_mut());
                mark(res.headers_mut(), id);
                Err(InternalError::from_response(error, res).into())
            }
        }
    }
    .instrument(span)
    .await
}

/// One line for each request; what went well is for whoever looks closely.
fn say<B>(res: &ServiceResponse<B>, began: Instant) {
    let route = res.request().match_pattern();
    let (route, status) = (route.as_deref().unwrap_or("none"), res.status().as_u16());
    let latency_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    if status < 400 {
        tracing::debug!(http.route = route, http.status = status, latency_us, "answered");
    } else {
        tracing::info!(http.route = route, http.status = status, latency_us, "refused");
    }
}

fn millis(cx: &Context) -> u64 {
    u64::try_from(cx.now().millis()).unwrap_or(0)
}

/// A client may invent methods; the log names only known ones.
fn method(req: &ServiceRequest) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "OPTIONS"];
    KNOWN.into_iter().find(|known| *known == req.method().as_str()).unwrap_or("other")
}

/// Puts the id on the answer, and makes a problem of what failed without having become one. Headers stay.
fn finish<B: MessageBody + 'static>(res: ServiceResponse<B>, id: RequestId) -> ServiceResponse<EitherBody<B>> {
    let mut res = match problem_in(&res) {
        None => res.map_into_left_body(),
        Some(problem) => {
            let text = problem.text(Some(id.to_string()));
            let mut res = res.map_body(|_, _| EitherBody::right(BoxBody::new(text)));
            *res.response_mut().status_mut() = problem.status();
            problem.dress(res.headers_mut());
            res
        }
    };
    mark(res.headers_mut(), id);
    res
}

fn mark(headers: &mut HeaderMap, id: RequestId) {
    let mut buffer = Uuid::encode_buffer();
    // A UUID's text is always a header value.
    if let Ok(value) = HeaderValue::from_str(id.0.as_hyphenated().encode_lower(&mut buffer)) {
        headers.insert(HEADER, value);
    }
}

/// The problem that this answer stands for. Failures that somebody else has written a body for (pages do) stay as they
/// are; what the framework answers of its own accord is plain text or nothing.
fn problem_in<B>(res: &ServiceResponse<B>) -> Option<Problem> {
    if let Some(problem) = res.response().extensions().get::<Problem>() {
        return Some(problem.clone());
    }
    let bare = res.headers().get(header::CONTENT_TYPE).is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"));
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
