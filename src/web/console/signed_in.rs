//! Who is asking. Every route behind [`required`] has a person; the middleware reads the session anew for each request.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::cookie::{Cookie, SameSite};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::Next;
use actix_web::{FromRequest, HttpMessage, HttpRequest, ResponseError, web};
use std::future::{Ready, ready};

use super::routes::INSIDE;
use crate::service::staff::SignedIn as Person;
use crate::service::staff::session::{self, Visit};
use crate::service::{Context, Error};
use crate::web::device::failure::see;
use crate::web::error::internal;
use crate::web::problem::{Extra, Problem};
use crate::web::table::{Kind, kind_of};

/// The person, on routes behind [`required`].
#[derive(Debug, Clone)]
pub struct SignedIn(pub Person);

impl std::ops::Deref for SignedIn {
    type Target = Person;

    fn deref(&self) -> &Person {
        &self.0
    }
}

impl FromRequest for SignedIn {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        // Only a route that was left outside the middleware lacks it; that one must not answer.
        ready(request.extensions().get::<Self>().cloned().ok_or_else(internal))
    }
}

/// The name of the cookie. With TLS it carries the `__Host-` prefix (RFC 6265bis section 4.1.3.2).
fn name(cx: &Context) -> &'static str {
    if is_secure(cx) { "__Host-cs-staff" } else { "cs-staff" }
}

fn is_secure(cx: &Context) -> bool {
    cx.console.as_ref().is_some_and(|console| console.url.scheme() == "https")
}

/// The cookie of a session. It ends with the browser; the record ends it sooner.
pub fn cookie(cx: &Context, value: String) -> Cookie<'static> {
    let secure = is_secure(cx);
    Cookie::build(name(cx), value).path("/").http_only(true).secure(secure).same_site(SameSite::Strict).finish()
}

/// The cookie that takes the other one away.
pub fn no_cookie(cx: &Context) -> Cookie<'static> {
    let mut gone = cookie(cx, String::new());
    gone.make_removal();
    gone
}

/// The middleware: a page or a form without a session leads to the sign-in, a script is told so. What a page asks by
/// itself doesn't keep the session alive, and what somebody's roles don't open is written down.
///
/// # Errors
/// Only what the route itself fails with.
pub async fn required(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let known = match request.app_data::<web::Data<Context>>() {
        Some(cx) => match request.cookie(name(cx)) {
            Some(cookie) => session::of(cx, cookie.value(), visit(&request)).await,
            None => Err(Error::SignedOut),
        },
        None => Err(Error::internal("the application has no context")),
    };
    match known {
        Ok(person) => {
            request.extensions_mut().insert(SignedIn(person.clone()));
            let answered = next.call(request).await?.map_into_boxed_body();
            let problem = answered.response().extensions().get::<Problem>().and_then(|problem| problem.extra);
            let cx = answered.request().app_data::<web::Data<Context>>().cloned();
            if let (Some(Extra::Role(role)), Some(cx)) = (problem, cx) {
                session::lacked(&cx, &person, role).await;
            }
            Ok(answered)
        }
        Err(Error::SignedOut) if wants_page(&request) => Ok(request.into_response(see("/sign-in"))),
        Err(error) => Ok(request.into_response(Problem::from(error).error_response())),
    }
}

/// Whether somebody did something, or their page looked by itself whether it is still true. One that loads itself again
/// because it isn't says so in its address.
fn visit(request: &ServiceRequest) -> Visit {
    let by_itself = *request.method() == Method::GET && request.query_string() == "live";
    if by_itself || kind_of(request, &[INSIDE]) == Kind::Watches { Visit::Watches } else { Visit::Acts }
}

fn wants_page(request: &ServiceRequest) -> bool {
    let accept = request.headers().get("accept").and_then(|value| value.to_str().ok());
    accept.is_some_and(|kinds| kinds.contains("text/html"))
}
