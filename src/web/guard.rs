//! What stands before every page: headers that keep the page to itself, a check that a POST comes from our own pages,
//! and a rate for senders we don't know. Stopping is never limited.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{HttpResponse, ResponseError, web};
use std::time::Duration;

use super::extract::ClientIp;
use super::problem::Problem;
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

/// A POST from another site is refused (Fetch Metadata; where a browser doesn't send it, `Origin`). The cancel link is
/// exempt: it is meant to work from anywhere, and can only stop.
pub async fn same_site(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let acts = request.method() == Method::POST && !request.path().starts_with("/c/");
    if acts && !is_ours(&request) {
        let refused = HttpResponse::build(StatusCode::FORBIDDEN).finish();
        return Ok(request.into_response(refused));
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}

fn is_ours(request: &ServiceRequest) -> bool {
    let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return matches!(site, "same-origin" | "none");
    }
    match (text("origin"), request.app_data::<web::Data<Context>>()) {
        (Some(origin), Some(cx)) => origin == cx.settings.public_url.origin().ascii_serialization(),
        // Neither header: no browser that could be tricked, since those in use send at least one with a POST.
        (None, _) => true,
        (Some(_), None) => false,
    }
}

/// A rate per sender on everything that could be guessed at. What stops a transfer passes always.
pub async fn rate(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let path = request.path();
    let by_link = ["/c/", "/l/", "/o/"].iter().any(|kind| path.starts_with(kind));
    let on_device = path == "/lock" || ["/cancel", "/reject", "/stop"].iter().any(|verb| path.ends_with(verb));
    let stops = by_link || on_device;
    let guesses = request.method() == Method::POST && !stops;
    if let Some(cx) = request.app_data::<web::Data<Context>>().cloned()
        && guesses
    {
        let burst = cx.settings.tries_per_minute;
        let quota = Quota { name: "page", burst, per: Duration::from_secs(60) };
        let who = ClientIp::of(&request).0.to_string();
        if let Verdict::Wait(wait) = cx.limits.take(quota, &who).await {
            let refused = Problem::from(Error::TooFast(wait)).error_response();
            return Ok(request.into_response(refused));
        }
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}
