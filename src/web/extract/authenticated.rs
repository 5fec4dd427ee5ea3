//! Who calls: the API key in `Authorization: Bearer cs_…`, checked before anything else of the request is read.
//!
//! One indexed read for each request and nothing remembered between two, so that a revoked key is dead at once.

use std::future::{Ready, ready};
use std::time::Duration;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::{AUTHORIZATION, CACHE_CONTROL, HeaderMap, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};

use super::client_ip::ClientIp;
use crate::domain::backend::Caller;
use crate::ports::timing::{Quota, Verdict};
use crate::service::{Context, Error, backends};
use crate::web::error::{internal, rate_limited};
use crate::web::problem::Problem;

const MINUTE: Duration = Duration::from_secs(60);

/// The caller, on routes behind [`authenticate`].
#[derive(Debug, Clone, Copy)]
pub struct Authenticated(pub Caller);

impl FromRequest for Authenticated {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        // Only a route that was left outside the middleware lacks it; that one must not answer.
        ready(req.extensions().get::<Self>().copied().ok_or_else(internal))
    }
}

/// The middleware of every route that needs a key.
///
/// # Errors
/// Only what the route itself fails with; a missing key is an answer.
pub async fn authenticate<B: MessageBody + 'static>(
    req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, actix_web::Error> {
    let known = match req.app_data::<web::Data<Context>>() {
        Some(cx) => caller(cx, &req).await,
        None => Err(internal()),
    };
    match known {
        Ok(caller) => {
            req.extensions_mut().insert(Authenticated(caller));
            let mut res = next.call(req).await?;
            res.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            Ok(res.map_into_left_body())
        }
        Err(problem) => Ok(req.error_response(problem).map_into_right_body()),
    }
}

async fn caller(cx: &Context, req: &ServiceRequest) -> Result<Caller, Problem> {
    let known = match bearer(req.headers()) {
        Some(secret) => backends::authenticate(cx, secret).await,
        None => Err(Error::Unauthenticated),
    };
    match known {
        Ok(caller) => {
            let quota = Quota { name: "api", burst: cx.settings.key_per_minute, per: MINUTE };
            take(cx, quota, &caller.key.to_string()).await?;
            Ok(caller)
        }
        Err(error @ Error::Unauthenticated) => {
            let quota = Quota { name: "auth", burst: cx.settings.tries_per_minute, per: MINUTE };
            take(cx, quota, &ClientIp::of(req).bucket()).await?;
            Err(error.into())
        }
        Err(error) => Err(error.into()),
    }
}

async fn take(cx: &Context, quota: Quota, who: &str) -> Result<(), Problem> {
    match cx.limits.take(quota, who).await {
        Verdict::Allowed => Ok(()),
        Verdict::Wait(wait) => Err(rate_limited(wait)),
    }
}

/// The token of the one `Authorization` header. The scheme's name is case-insensitive (RFC 9110 section 11.1).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(AUTHORIZATION);
    let text = all.next()?.to_str().ok()?;
    if all.next().is_some() {
        return None;
    }
    let (scheme, token) = text.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim_start_matches(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer_of(lines: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(AUTHORIZATION, HeaderValue::from_str(line).unwrap());
        }
        bearer(&headers).map(str::to_owned)
    }

    #[test]
    fn takes_one_bearer_token() {
        assert_eq!(bearer_of(&["Bearer cs_x"]).as_deref(), Some("cs_x"));
        assert_eq!(bearer_of(&["bearer  cs_x"]).as_deref(), Some("cs_x"));
        for refused in [&["Basic cs_x"] as &[&str], &["cs_x"], &["Bearer"], &[], &["Bearer cs_x", "Bearer cs_y"]] {
            assert_eq!(bearer_of(refused), None, "{refused:?}");
        }
    }
}
