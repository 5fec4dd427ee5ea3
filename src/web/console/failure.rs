//! How a failed request looks to staff. `web/error.rs` decides status and slug; here it gets a page in the console's
//! frame. Scripts get the problem itself.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header;
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpResponse, ResponseError, web};
use std::fmt;

use super::present;
use super::signed_in::SignedIn;
use crate::service::{Context, Error};
use crate::web::pages::Template;
use crate::web::pages::console::failure::{ErrorPage, Trouble};
use crate::web::problem::{Kind, Problem};

/// What people get: a page, rendered by [`pages`].
#[derive(Debug)]
pub struct PageError(Problem);

impl From<Error> for PageError {
    fn from(error: Error) -> Self {
        Self(error.into())
    }
}

impl From<Problem> for PageError {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl fmt::Display for PageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Travels in the response to [`pages`].
#[derive(Debug, Clone, Copy)]
struct Face(Trouble);

/// What a kind of problem is called on the console.
pub const fn trouble(kind: Kind) -> Trouble {
    match kind {
        Kind::NotFound | Kind::UnknownHolder => Trouble::NotFound,
        Kind::Forbidden => Trouble::NotAllowed,
        Kind::LookCap => Trouble::LookCap,
        Kind::DailyCap => Trouble::DailyCap,
        Kind::HolderFrozen => Trouble::Locked,
        Kind::RefusedBefore => Trouble::RefusedBefore,
        Kind::RateLimited => Trouble::SlowDown,
        Kind::LinkEnded | Kind::CodeUsedUp => Trouble::InviteEnded,
        Kind::TooEarly => Trouble::NotYet,
        Kind::InvalidRequest | Kind::BadRequest | Kind::TooLarge => Trouble::Invalid,
        Kind::AlreadyRedeemed => Trouble::TooLate,
        Kind::PastCap | Kind::NotLonger => Trouble::PastCap,
        Kind::Unavailable | Kind::OutcomeUnknown => Trouble::Unavailable,
        Kind::Internal => Trouble::Wrong,
        _ => Trouble::Changed,
    }
}

impl ResponseError for PageError {
    fn status_code(&self) -> actix_web::http::StatusCode {
        self.0.status_code()
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        let mut response = self.0.error_response();
        response.extensions_mut().insert(Face(trouble(self.0.kind)));
        response
    }
}

/// Gives every failed page its page. Anything that isn't a [`PageError`] passes through.
pub async fn pages(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let cx = request.app_data::<web::Data<Context>>().cloned();
    let answered = next.call(request).await?.map_into_boxed_body();
    let face = answered.response().extensions().get::<Face>().copied().or_else(|| of_form(&answered));
    let (Some(Face(trouble)), Some(cx)) = (face, cx) else {
        return Ok(answered);
    };
    let person = answered.request().extensions().get::<SignedIn>().cloned();
    let frame = match &person {
        Some(person) => present::frame(&cx, person, None),
        None => present::outside(&cx),
    };
    match (ErrorPage { frame, trouble }).render() {
        Ok(text) => {
            let mut page = HttpResponse::build(answered.status());
            page.content_type("text/html; charset=utf-8");
            if let Some(value) = answered.headers().get(header::RETRY_AFTER).cloned() {
                page.insert_header((header::RETRY_AFTER, value));
            }
            Ok(answered.into_response(page.body(text)))
        }
        Err(fault) => {
            tracing::error!(error = %fault, "an error page can't be rendered");
            Ok(answered)
        }
    }
}

/// A form that can't be read fails before its handler, which would have said that a person sent it.
fn of_form(answered: &ServiceResponse<BoxBody>) -> Option<Face> {
    let sent = answered.request().headers().get(header::CONTENT_TYPE)?;
    let problem = answered.response().extensions().get::<Problem>().cloned()?;
    let unread = matches!(problem.kind, Kind::InvalidRequest | Kind::TooLarge | Kind::BadRequest);
    (unread && sent.as_bytes().starts_with(b"application/x-www-form-urlencoded")).then(|| Face(trouble(problem.kind)))
}

/// The page for an address that leads nowhere.
pub async fn not_found() -> Result<HttpResponse, PageError> {
    Err(Error::NotFound.into())
}
