//! One endpoint is shown. Flow goes on in `service::endpoints`.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, web};

use crate::service::Context;
use crate::service::endpoints::{EndpointView, show};
use crate::web::api::answer::{self, Answer};
use crate::web::extract::{Authenticated, NoQuery};
use crate::web::problem::Kind;

pub const PROBLEMS: &[Kind] = &[];

/// Read an endpoint
#[utoipa::path(
    get,
    path = "/v1/webhooks/endpoints/{id}",
    tag = "webhooks",
    operation_id = "read_endpoint",
    params(("id" = String, Path, description = "`whe_` and 32 hex digits.")),
    responses((status = 200, description = "As it stands.", body = EndpointView)),
    security(("key" = ["webhooks"])),
)]
pub async fn handle(cx: web::Data<Context>, caller: Authenticated, _: NoQuery, req: HttpRequest) -> Answer {
    let id = super::named(&req)?;
    answer::json(StatusCode::OK, &show(&cx, &caller.0, id).await?)
}
