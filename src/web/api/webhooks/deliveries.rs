//! The log of an endpoint. Flow goes on in `service::endpoints`.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, web};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::domain::DeliveryId;
use crate::service::endpoints::{DeliveryJson, log};
use crate::service::{Context, read};
use crate::web::api::answer::{self, Answer, DEFAULT_LIMIT};
use crate::web::extract::{Authenticated, parameters};
use crate::web::problem::{Kind, Problem};

pub const PROBLEMS: &[Kind] = &[];

/// Which page.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    pub cursor: Option<DeliveryId>,
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<u32>,
}

/// One page of deliveries, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryList {
    pub data: Vec<DeliveryJson>,
    /// Send it as `cursor` for the next page; `null` on the last one.
    #[schema(required = true)]
    pub next_cursor: Option<String>,
}

/// Read an endpoint's log
///
/// What was sent and what came of it, newest first.
#[utoipa::path(
    get,
    path = "/v1/webhooks/endpoints/{id}/deliveries",
    tag = "webhooks",
    operation_id = "list_deliveries",
    params(("id" = String, Path, description = "`whe_` and 32 hex digits."), Which),
    responses((status = 200, description = "One page.", body = DeliveryList)),
    security(("key" = ["webhooks"])),
)]
pub async fn handle(cx: web::Data<Context>, caller: Authenticated, req: HttpRequest) -> Answer {
    let id = super::named(&req)?;
    let Which { cursor, limit } = Which::read(&req)?;
    let (data, next) = log(&cx, &caller.0, id, cursor, limit.unwrap_or(DEFAULT_LIMIT)).await?;
    answer::json(StatusCode::OK, &DeliveryList { data, next_cursor: next.map(|id| id.to_string()) })
}

impl Which {
    fn read(req: &HttpRequest) -> Result<Self, Problem> {
        let mut query = parameters(req)?;
        let cursor = query.maybe_text("cursor", |text| text.parse().map_err(|_| "isn't a `next_cursor` of ours"));
        let limit = query.maybe_whole("limit", 1..=read::MAX_LIMIT);
        query.finish(Some(Self { cursor, limit }))
    }
}
