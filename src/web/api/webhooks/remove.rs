//! An endpoint is removed. Flow goes on in `service::endpoints`.

use actix_web::{HttpRequest, HttpResponse, web};

use crate::service::Context;
use crate::service::endpoints::remove;
use crate::web::api::answer::Answer;
use crate::web::extract::{Authenticated, NoBody, NoQuery};
use crate::web::problem::Kind;

pub const PROBLEMS: &[Kind] = &[Kind::Conflict, Kind::OutcomeUnknown];

/// Remove an endpoint
///
/// What is queued for it goes with it.
#[utoipa::path(
    delete,
    path = "/v1/webhooks/endpoints/{id}",
    tag = "webhooks",
    operation_id = "remove_endpoint",
    params(("id" = String, Path, description = "`whe_` and 32 hex digits.")),
    responses((status = 204, description = "Removed.")),
    security(("key" = ["webhooks"])),
)]
pub async fn handle(cx: web::Data<Context>, caller: Authenticated, _: NoQuery, req: HttpRequest, _: NoBody) -> Answer {
    let id = super::named(&req)?;
    remove(&cx, &caller.0, id).await?;
    Ok(HttpResponse::NoContent().finish())
}
