//! A delivery is sent again. Flow goes on in `service::endpoints`.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, web};

use crate::domain::DeliveryId;
use crate::service::Context;
use crate::service::endpoints::{DeliveryJson, redeliver};
use crate::web::api::answer::{self, Answer};
use crate::web::extract::{Authenticated, NoBody, NoQuery, part};
use crate::web::problem::Kind;

pub const PROBLEMS: &[Kind] = &[Kind::Conflict, Kind::OutcomeUnknown];

/// Send a delivery again
///
/// The same message under the same `webhook-id`, as a delivery of its own.
#[utoipa::path(
    post,
    path = "/v1/webhooks/endpoints/{id}/deliveries/{delivery}/redeliver",
    tag = "webhooks",
    operation_id = "redeliver",
    params(
        ("id" = String, Path, description = "`whe_` and 32 hex digits."),
        ("delivery" = String, Path, description = "`whd_` and 32 hex digits."),
    ),
    responses((status = 202, description = "Queued.", body = DeliveryJson)),
    security(("key" = ["webhooks"])),
)]
pub async fn handle(cx: web::Data<Context>, caller: Authenticated, _: NoQuery, req: HttpRequest, _: NoBody) -> Answer {
    let id = super::named(&req)?;
    let rule = "must be whd_ and 32 lower-case hex digits";
    let delivery: DeliveryId = part(&req, "delivery", |text| text.parse().map_err(|_| rule))?;
    answer::json(StatusCode::ACCEPTED, &redeliver(&cx, &caller.0, id, delivery).await?)
}
