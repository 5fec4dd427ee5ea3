//! An endpoint gets a new secret. Flow goes on in `service::endpoints`.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, web};

use crate::service::Context;
use crate::service::endpoints::{EndpointView, rotate};
use crate::web::api::answer::{self, Answer};
use crate::web::extract::{Authenticated, NoBody, NoQuery};
use crate::web::problem::Kind;

pub const PROBLEMS: &[Kind] = &[Kind::Conflict, Kind::OutcomeUnknown];

/// Rotate an endpoint's secret
///
/// The answer holds the new one. For a day messages carry signatures by both.
#[utoipa::path(
    post,
    path = "/v1/webhooks/endpoints/{id}/rotate",
    tag = "webhooks",
    operation_id = "rotate_endpoint_secret",
    params(("id" = String, Path, description = "`whe_` and 32 hex digits.")),
    responses((status = 200, description = "Rotated.", body = EndpointView)),
    security(("key" = ["webhooks"])),
)]
pub async fn handle(cx: web::Data<Context>, caller: Authenticated, _: NoQuery, req: HttpRequest, _: NoBody) -> Answer {
    let id = super::named(&req)?;
    answer::json(StatusCode::OK, &rotate(&cx, &caller.0, id).await?)
}
