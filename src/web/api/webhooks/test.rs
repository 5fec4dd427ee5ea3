//! A test event is queued. Flow goes on in `service::endpoints`.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, web};

use crate::service::Context;
use crate::service::endpoints::{DeliveryJson, test};
use crate::web::api::answer::{self, Answer};
use crate::web::extract::{Authenticated, NoBody, NoQuery};
use crate::web::problem::Kind;

pub const PROBLEMS: &[Kind] = &[Kind::Conflict, Kind::OutcomeUnknown];

/// Send a test event
///
/// An event `endpoint.test` is queued; the log says how it went.
#[utoipa::path(
    post,
    path = "/v1/webhooks/endpoints/{id}/test",
    tag = "webhooks",
    operation_id = "test_endpoint",
    params(("id" = String, Path, description = "`whe_` and 32 hex digits.")),
    responses((status = 202, description = "Queued.", body = DeliveryJson)),
    security(("key" = ["webhooks"])),
)]
pub async fn handle(cx: web::Data<Context>, caller: Authenticated, _: NoQuery, req: HttpRequest, _: NoBody) -> Answer {
    let id = super::named(&req)?;
    answer::json(StatusCode::ACCEPTED, &test(&cx, &caller.0, id).await?)
}
