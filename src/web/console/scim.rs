//! SCIM 2.0 at `/scim/v2`: an identity provider finds one person and ends them, at once. It adds and raises nobody:
//! two admins do that, and the answer says so.

use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use actix_web::web::{self, Payload};
use actix_web::{FromRequest, HttpRequest, HttpResponse, Scope};
use serde::Deserialize;
use serde_json::{Value, json};
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use super::scim_body::{self as body, Asked, Filter};
use crate::domain::ids::{DirectoryKeyId, StaffId};
use crate::domain::staff::{EndReason, Staff, Status};
use crate::ports::timing::{Quota, Verdict};
use crate::service::staff::{directory, end};
use crate::service::{Context, Error};
use crate::web::extract::body::{Media, read};
use crate::web::extract::{ClientIp, posted};
use crate::web::problem::{Kind, Problem};
use crate::web::table::table;

const TWO_ADMINS: &str =
    "Two admins decide this on the console. An identity provider may find and end staff, nothing more.";

table! {
/// Below `/scim/v2`.
ROUTES, routes {
    "/ServiceProviderConfig" => [GET configuration];
    "/Users" => [GET find, POST create];
    "/Users/{id}" => [GET show, PATCH patch, PUT put, DELETE delete];
}
}

/// The routes.
pub fn scope() -> Scope {
    web::scope("/scim/v2").configure(routes).default_service(web::route().to(nothing))
}

/// The identity provider, by its key.
pub struct Provider(DirectoryKeyId);

impl FromRequest for Provider {
    type Error = ScimError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ScimError>>>>;

    fn from_request(request: &HttpRequest, _: &mut actix_web::dev::Payload) -> Self::Future {
        let cx = request.app_data::<web::Data<Context>>().cloned();
        let text = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token =
            text.and_then(|text| text.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let token = token.map(|(_, token)| token.trim().to_owned());
        let from = ClientIp::extract(request);
        Box::pin(async move {
            let cx = cx.ok_or_else(|| Error::internal("the application has no context"))?;
            let known = match &token {
                Some(token) => directory::authenticate(&cx, token).await,
                None => Err(Error::Unauthenticated),
            };
            match known {
                Ok(key) => Ok(Self(key)),
                Err(Error::Unauthenticated) => {
                    let burst = cx.settings.tries_per_minute;
                    let quota = Quota { name: "scim", burst, per: Duration::from_secs(60) };
                    let who = from.await.map(|ip| ip.bucket()).unwrap_or_default();
                    match cx.limits.take(quota, &who).await {
                        Verdict::Allowed => Err(Error::Unauthenticated.into()),
                        Verdict::Wait(wait) => Err(Error::TooFast(wait).into()),
                    }
                }
                Err(error) => Err(error.into()),
            }
        })
    }
}

/// An error in SCIM's own form. Which status an error of a use case has is decided in `web/error.rs`.
#[derive(Debug)]
pub struct ScimError {
    status: StatusCode,
    kind: Option<&'static str>,
    detail: String,
}

impl ScimError {
    fn new(status: StatusCode, kind: Option<&'static str>, detail: &str) -> Self {
        Self { status, kind, detail: detail.to_owned() }
    }

    /// What is asked for needs two admins (RFC 7644 section 3.12, `mutability`).
    fn two_admins() -> Self {
        Self::new(StatusCode::BAD_REQUEST, Some("mutability"), TWO_ADMINS)
    }
}

impl From<Error> for ScimError {
    fn from(error: Error) -> Self {
        let problem = Problem::from(error);
        Self { status: problem.status(), kind: None, detail: problem.detail.into_owned() }
    }
}

impl From<Problem> for ScimError {
    /// What is wrong with the request as such (RFC 7644 section 3.12, `invalidSyntax`).
    fn from(problem: Problem) -> Self {
        let kind = matches!(problem.kind, Kind::MalformedJson | Kind::InvalidRequest).then_some("invalidSyntax");
        let detail = problem.errors.first().map(|error| format!("{} {}.", error.field, error.message));
        Self { status: problem.status(), kind, detail: detail.unwrap_or_else(|| problem.detail.into_owned()) }
    }
}

impl std::fmt::Display for ScimError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.status, self.detail)
    }
}

impl actix_web::ResponseError for ScimError {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut answer = answer(self.status, &body::error(self.status.as_u16(), self.kind, &self.detail));
        if self.status == StatusCode::UNAUTHORIZED {
            answer.headers_mut().insert(WWW_AUTHENTICATE, actix_web::http::header::HeaderValue::from_static("Bearer"));
        }
        answer
    }
}

fn answer(status: StatusCode, value: &Value) -> HttpResponse {
    HttpResponse::build(status).content_type("application/scim+json").body(value.to_string())
}

fn base(cx: &Context) -> Result<String, Error> {
    Ok(format!("{}/scim/v2", cx.console()?.url.origin().ascii_serialization()))
}

async fn configuration(_: Provider) -> HttpResponse {
    let no = json!({"supported": false});
    let value = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": {"supported": true},
        "bulk": {"supported": false, "maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": true, "maxResults": 1},
        "changePassword": no, "sort": no, "etag": no,
        "authenticationSchemes": [{"type": "oauthbearertoken", "name": "Bearer token",
            "description": "A key made with `countersign staff directory-key`."}],
    });
    answer(StatusCode::OK, &value)
}

async fn nothing() -> Result<HttpResponse, ScimError> {
    Err(Error::NotFound.into())
}

#[derive(Deserialize)]
struct Query {
    filter: Option<String>,
}

/// One person by an exact name, or nobody. Without a filter it would be a list, and there is none.
async fn find(cx: web::Data<Context>, _: Provider, query: web::Query<Query>) -> Result<HttpResponse, ScimError> {
    let filter = query.filter.as_deref().and_then(body::filter).ok_or_else(|| {
        let detail = "Staff aren't listed. Ask for one with `userName eq` or `externalId eq`.";
        ScimError::new(StatusCode::BAD_REQUEST, Some("invalidFilter"), detail)
    })?;
    let found = match filter {
        Filter::UserName(name) => match name.as_str().parse::<StaffId>() {
            // Somebody without a name there goes by our id.
            Ok(id) => cx.staff.person(id).await.map_err(Error::from)?.filter(|p| p.profile.user_name.is_none()),
            Err(_) => cx.staff.person_by_user_name(&name).await.map_err(Error::from)?,
        },
        Filter::ExternalId(id) => cx.staff.person_by_external_id(&id).await.map_err(Error::from)?,
        Filter::Nobody => None,
    };
    let base = base(&cx)?;
    let now = cx.now();
    let user = found.filter(is_there).map(|person| body::user(&person, &base, now));
    Ok(answer(StatusCode::OK, &body::list(user)))
}

/// Somebody whom the provider deleted isn't there for it any more (RFC 7644 section 3.6).
fn is_there(person: &Staff) -> bool {
    !matches!(person.status, Status::Ended { why: EndReason::Deleted, .. })
}

async fn person(cx: &Context, path: &str) -> Result<Staff, Error> {
    let id: StaffId = path.parse().map_err(|_| Error::NotFound)?;
    cx.staff.person(id).await?.filter(is_there).ok_or(Error::NotFound)
}

async fn show(cx: web::Data<Context>, _: Provider, path: web::Path<String>) -> Result<HttpResponse, ScimError> {
    let person = person(&cx, &path).await?;
    Ok(answer(StatusCode::OK, &body::user(&person, &base(&cx)?, cx.now())))
}

async fn create(_: Provider) -> Result<HttpResponse, ScimError> {
    Err(ScimError::new(StatusCode::FORBIDDEN, None, TWO_ADMINS))
}

/// The body, read once it is known who sends it.
async fn json(request: &HttpRequest, payload: Payload) -> Result<Value, ScimError> {
    Media::Scim.check(request)?;
    Ok(posted::value(&read(request, payload.into_inner()).await?)?)
}

async fn patch(
    cx: web::Data<Context>,
    by: Provider,
    path: web::Path<String>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ScimError> {
    changed(&cx, &by, &path, body::patch(&json(&request, payload).await?)).await
}

async fn put(
    cx: web::Data<Context>,
    by: Provider,
    path: web::Path<String>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ScimError> {
    changed(&cx, &by, &path, body::put(&json(&request, payload).await?)).await
}

async fn changed(cx: &Context, by: &Provider, path: &str, asked: Asked) -> Result<HttpResponse, ScimError> {
    let person = person(cx, path).await?;
    let ended = matches!(person.status, Status::Ended { .. });
    let now = match asked {
        Asked::End => end::by_directory(cx, by.0, person.id, EndReason::Directory).await?,
        Asked::Stay if !ended => person,
        // Whoever was ended comes back as somebody new.
        Asked::Stay | Asked::Other => return Err(ScimError::two_admins()),
        Asked::Malformed => {
            let detail = "A PATCH replaces `active` with true or false.";
            return Err(ScimError::new(StatusCode::BAD_REQUEST, Some("invalidValue"), detail));
        }
    };
    Ok(answer(StatusCode::OK, &body::user(&now, &base(cx)?, cx.now())))
}

async fn delete(cx: web::Data<Context>, by: Provider, path: web::Path<String>) -> Result<HttpResponse, ScimError> {
    let person = person(&cx, &path).await?;
    end::by_directory(&cx, by.0, person.id, EndReason::Deleted).await?;
    Ok(HttpResponse::NoContent().finish())
}
