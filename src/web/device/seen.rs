//! What a browser brought with it: its cookies, read into `service::Browser`, and the cookies we leave.

use actix_web::cookie::{Cookie, SameSite, time::Duration};
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use std::future::{Ready, ready};

use crate::domain::details::Digest;
use crate::service::watch::Mark;
use crate::service::{Browser, Context};

/// Browsers keep no cookie longer than 400 days (RFC 6265bis section 5.5).
const KEEP: Duration = Duration::days(400);

/// The two cookies. With TLS they carry the `__Host-` prefix (RFC 6265bis section 4.1.3.2), so that no other host can
/// set them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name {
    Device,
    Mark,
}

impl Name {
    fn text(self, secure: bool) -> &'static str {
        match (self, secure) {
            (Self::Device, true) => "__Host-cs-device",
            (Self::Device, false) => "cs-device",
            (Self::Mark, true) => "__Host-cs-browser",
            (Self::Mark, false) => "cs-browser",
        }
    }
}

/// A browser with its cookies.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    pub browser: Browser,
    /// The mark itself, so that a second waiting page keeps using it.
    pub mark: Option<Mark>,
}

fn is_secure(cx: &Context) -> bool {
    cx.settings.public_url.scheme() == "https"
}

impl FromRequest for Seen {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let Some(cx) = request.app_data::<web::Data<Context>>() else {
            return ready(Ok(Self::default()));
        };
        let read = |name: Name| request.cookie(name.text(is_secure(cx))).map(|cookie| cookie.value().to_owned());
        let hash = |text: &String| Digest::of(text.as_bytes());
        let mark_text = read(Name::Mark);
        let mark = mark_text.as_ref().and_then(|text| {
            let bytes = data_encoding::BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
            Some(Mark(bytes.try_into().ok()?))
        });
        let browser = Browser { cookie: read(Name::Device).as_ref().map(hash), mark: mark_text.as_ref().map(hash) };
        ready(Ok(Self { browser, mark }))
    }
}

/// A cookie to leave in the browser.
pub fn cookie(cx: &Context, name: Name, value: String) -> Cookie<'static> {
    let secure = is_secure(cx);
    Cookie::build(name.text(secure), value)
        .path("/")
        .http_only(true)
        .secure(secure)
        // Lax, because the page is opened from a link in a message; every act is a POST, which Lax keeps to this site.
        .same_site(SameSite::Lax)
        .max_age(KEEP)
        .finish()
}
