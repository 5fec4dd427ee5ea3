//! What stands before every page of the console: only requests to its own host, and only acts from its own pages.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::Next;
use actix_web::{ResponseError, web};

use crate::service::{Context, Error};
use crate::web::guard::started_here;
use crate::web::problem::{Kind, Problem};

/// Refuses a request under another host name (it came by DNS rebinding, or to the wrong listener), and every act that
/// our own page didn't start: Fetch Metadata says so, or `Origin` does. One of them must be there; any browser that
/// knows passkeys sends both.
pub async fn own_origin(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let console = request.app_data::<web::Data<Context>>().and_then(|cx| cx.console.clone());
    let Some(console) = console else { return Ok(refuse(request, Problem::from(Error::NoConsole))) };
    let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let host = request.uri().authority().map(ToString::to_string).or_else(|| text("host").map(str::to_owned));
    let ours = &console.url[url::Position::BeforeHost..url::Position::AfterPort];
    if host.as_deref() != Some(ours) {
        return Ok(refuse(request, Problem::new(Kind::BadRequest, "The console isn't known by this host name.")));
    }
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if reads || started_here(request.headers(), &console.url) == Some(true) {
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    Ok(refuse(request, Problem::new(Kind::Forbidden, "This didn't come from a page of the console.")))
}

fn refuse(request: ServiceRequest, problem: Problem) -> ServiceResponse<BoxBody> {
    request.into_response(problem.error_response())
}
