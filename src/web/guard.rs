//! What stands before every page: headers that keep the page to itself, a check that a POST comes from our own pages,
//! and a rate for senders we don't know. Stopping is never limited.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{HttpResponse, ResponseError, web};
use std::time::Duration;

use super::console::routes as console;
use super::extract::ClientIp;
use super::problem::Problem;
use super::routes;
use super::table::{Kind, kind_of};
use crate::ports::timing::{Quota, Verdict};
use crate::service::{Context, Error};

/// No inline script or style, no frame, nothing from elsewhere (CSP Level 3).
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; manifest-src 'self'; worker-src 'self'; form-action 'self'; frame-ancestors 'none'; \
    base-uri 'none'";

fn set(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    if !headers.contains_key(&name) {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// Security headers on every answer.
pub async fn headers(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let secure = request.app_data::<web::Data<Context>>().is_some_and(|cx| cx.settings.public_url.scheme() == "https");
    let mut answered = next.call(request).await?.map_into_boxed_body();
    let headers = answered.headers_mut();
    set(headers, header::CONTENT_SECURITY_POLICY, POLICY);
    set(headers, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(headers, header::X_FRAME_OPTIONS, "DENY");
    set(headers, header::REFERRER_POLICY, "no-referrer");
    set(headers, header::CACHE_CONTROL, "no-store");
    set(headers, HeaderName::from_static("x-robots-tag"), "noindex");
    set(headers, HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    set(headers, HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    set(
        headers,
        HeaderName::from_static("permissions-policy"),
        "publickey-credentials-get=(self), publickey-credentials-create=(self)",
    );
    if secure {
        set(headers, header::STRICT_TRANSPORT_SECURITY, "max-age=63072000; includeSubDomains");
    }
    Ok(answered)
}

/// Whether a request says that a page of this origin started it: `Sec-Fetch-Site` (Fetch Metadata) says so, or `Origin`
/// does, or neither. Our pages send no referrer, and a form that sends none says `Origin: null` (Fetch, section 3.2):
/// that says nothing, neither for nor against.
pub fn started_here(headers: &HeaderMap, ours: &url::Url) -> Option<bool> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let site = text("sec-fetch-site").map(|site| site == "same-origin");
    let origin = text("origin").filter(|origin| *origin != "null");
    match (site, origin.map(|origin| origin == ours.origin().ascii_serialization())) {
        (None, None) => None,
        (site, origin) => Some(site.unwrap_or(true) && origin.unwrap_or(true)),
    }
}

/// A POST from another site is refused. What a link stops is exempt: it is meant to work from anywhere, and can only
/// stop. A browser that is too old for Fetch Metadata says nothing of where a form of ours comes from; it may stop, too.
pub async fn same_site(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let kind = kind_of(&request, &[routes::PAGES]);
    let acts = request.method() == Method::POST && kind != Kind::StopsByLink;
    if acts && !is_ours(&request, kind) {
        let refused = HttpResponse::build(StatusCode::FORBIDDEN).finish();
        return Ok(request.into_response(refused));
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}

fn is_ours(request: &ServiceRequest, kind: Kind) -> bool {
    let headers = request.headers();
    let said = request.app_data::<web::Data<Context>>().map(|cx| started_here(headers, &cx.settings.public_url));
    match said {
        Some(Some(here)) => here,
        // Neither header: no browser that could be tricked, since those in use send at least one with a POST.
        Some(None) => kind.stops() || !headers.contains_key(header::ORIGIN),
        None => false,
    }
}

/// A rate per sender on everything that could be guessed at. What stops a transfer passes always.
pub async fn rate(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let stops = kind_of(&request, &[routes::PAGES, console::INSIDE]).stops();
    let guesses = request.method() == Method::POST && !stops;
    if let Some(cx) = request.app_data::<web::Data<Context>>().cloned()
        && guesses
    {
        let burst = cx.settings.tries_per_minute;
        let quota = Quota { name: "page", burst, per: Duration::from_secs(60) };
        let who = ClientIp::of(&request).bucket();
        if let Verdict::Wait(wait) = cx.limits.take(quota, &who).await {
            let refused = Problem::from(Error::TooFast(wait)).error_response();
            return Ok(request.into_response(refused));
        }
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}
