//! How a failed request looks to a person. `web/error.rs` decides status and slug; here the same failure gets its
//! page. Scripts get the problem document itself.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{StatusCode, header};
use actix_web::middleware::Next;
use actix_web::{FromRequest, HttpMessage, HttpResponse, ResponseError, web};
use std::fmt;
use std::time::Duration;

use super::present;
use super::seen::Seen;
use crate::domain::approval::transitions::Refusal;
use crate::domain::time::Timestamp;
use crate::service::{Context, Error};
use crate::web::pages::Template;
use crate::web::pages::errors::{ErrorPage, Trouble, Way};
use crate::web::pages::undecidable::UnknownBrowserPage;
use crate::web::problem::Problem;
use crate::web::request_id::RequestId;

/// What scripts get: a problem document.
pub type ScriptError = Problem;

/// What people get: a page, rendered by [`pages`] once the request is known.
#[derive(Debug)]
pub struct PageError {
    problem: Problem,
    face: Face,
}

impl From<Error> for PageError {
    fn from(error: Error) -> Self {
        let special = Face::of(&error);
        let problem = Problem::from(error);
        let face = special.unwrap_or(match problem.status_code() {
            StatusCode::CONFLICT => Face::Changed,
            StatusCode::SERVICE_UNAVAILABLE => Face::Unavailable,
            status if status.is_server_error() => Face::Wrong,
            _ => Face::NotFound,
        });
        Self { problem, face }
    }
}

impl fmt::Display for PageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.problem, f)
    }
}

/// Which page a failure gets. Travels in the response to [`pages`].
#[derive(Debug, Clone)]
enum Face {
    UnknownBrowser,
    NotFound,
    LinkEnded,
    Changed,
    TooLate(Timestamp),
    Locked,
    SlowDown(Duration),
    Wrong,
    Unavailable,
}

impl Face {
    /// The page of an error that has one of its own; the others go by their status.
    const fn of(error: &Error) -> Option<Self> {
        match error {
            Error::UnknownDevice => Some(Self::UnknownBrowser),
            Error::Link(_) => Some(Self::LinkEnded),
            Error::Refused(Refusal::Redeemed { at }) => Some(Self::TooLate(*at)),
            Error::DeviceLocked => Some(Self::Locked),
            Error::TooFast(wait) => Some(Self::SlowDown(*wait)),
            _ => None,
        }
    }
}

impl ResponseError for PageError {
    fn status_code(&self) -> StatusCode {
        self.problem.status_code()
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        let mut response = self.problem.error_response();
        response.extensions_mut().insert(self.face.clone());
        response
    }
}

/// Gives every failed page its page. Anything that isn't a [`PageError`] passes through.
pub async fn pages(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let cx = request.app_data::<web::Data<Context>>().cloned();
    let request_id = request.extensions().get::<RequestId>().map(ToString::to_string).unwrap_or_default();
    let mut answered = next.call(request).await?.map_into_boxed_body();
    let face = answered.response().extensions().get::<Face>().cloned();
    let (Some(face), Some(cx)) = (face, cx) else {
        return Ok(answered);
    };
    let status = answered.status();
    let retry_after = answered.headers().get(header::RETRY_AFTER).cloned();
    // Asked only now: nearly every request goes well. The record that just failed isn't asked once more before a person
    // reads whom to call.
    let is_asked = !matches!(face, Face::Unavailable);
    let way = match Seen::extract(answered.request()).await {
        Ok(seen) if is_asked && seen.browser.device(&cx).await.is_ok() => Way::Approvals,
        _ => Way::Nowhere,
    };
    let rendered = render(&cx, face, way, request_id);
    match rendered {
        Ok(text) => {
            let mut page = HttpResponse::build(status);
            page.content_type("text/html; charset=utf-8");
            if let Some(value) = retry_after {
                page.insert_header((header::RETRY_AFTER, value));
            }
            answered = answered.into_response(page.body(text));
        }
        Err(fault) => tracing::error!(error = %fault, "an error page can't be rendered"),
    }
    Ok(answered)
}

fn render(cx: &Context, face: Face, way: Way, request_id: String) -> Result<String, crate::web::pages::RenderError> {
    let now = cx.now();
    let frame = present::frame(cx);
    let trouble = match face {
        Face::UnknownBrowser => {
            return UnknownBrowserPage { frame }.render();
        }
        Face::NotFound => Trouble::NotFound,
        Face::LinkEnded => Trouble::LinkEnded,
        Face::Changed => Trouble::Changed,
        Face::TooLate(at) => Trouble::TooLate { taken: present::at(now, at) },
        Face::Locked => Trouble::Locked,
        Face::SlowDown(wait) => Trouble::SlowDown { again: present::at(now, now + wait) },
        Face::Wrong => Trouble::Wrong { request_id },
        Face::Unavailable => Trouble::Unavailable,
    };
    ErrorPage { frame, trouble, way }.render()
}

/// A page, never kept by anybody.
pub fn html(text: String) -> HttpResponse {
    HttpResponse::Ok().content_type("text/html; charset=utf-8").body(text)
}

/// After a form: look at the page (RFC 9110 section 15.4.4).
pub fn see(path: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, path)).finish()
}

/// The page for an address that leads nowhere.
pub async fn not_found() -> Result<HttpResponse, PageError> {
    Err(Error::NotFound.into())
}
