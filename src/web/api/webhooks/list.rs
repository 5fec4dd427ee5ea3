//! Endpoints are listed. Flow goes on in `service::endpoints`.

use actix_web::http::StatusCode;
use actix_web::web;
use serde::Serialize;
use utoipa::ToSchema;

use crate::service::Context;
use crate::service::endpoints::{EndpointView, list};
use crate::web::api::answer::{self, Answer};
use crate::web::extract::{Authenticated, NoQuery};
use crate::web::problem::Kind;

pub const PROBLEMS: &[Kind] = &[];

/// All endpoints; a backend has at most eight.
#[derive(Debug, Serialize, ToSchema)]
pub struct Endpoints {
    pub data: Vec<EndpointView>,
}

/// List endpoints
///
/// All of yours, without their secrets.
#[utoipa::path(
    get,
    path = "/v1/webhooks/endpoints",
    tag = "webhooks",
    operation_id = "list_endpoints",
    responses((status = 200, description = "All of them.", body = Endpoints)),
    security(("key" = ["webhooks"])),
)]
pub async fn handle(cx: web::Data<Context>, caller: Authenticated, _: NoQuery) -> Answer {
    let data = list(&cx, &caller.0).await?;
    answer::json(StatusCode::OK, &Endpoints { data })
}
