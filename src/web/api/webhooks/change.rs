//! An endpoint gets another address, or is switched off or on. Flow goes on in `service::endpoints`.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, web};
use url::Url;
use utoipa::ToSchema;

use super::target;
use crate::domain::webhook::EndpointStatus;
use crate::service::endpoints::{EndpointView, set};
use crate::service::{Context, Profile};
use crate::web::api::answer::{self, Answer};
use crate::web::extract::{Authenticated, Body, Fields, NoQuery};
use crate::web::problem::{Kind, Problem};

pub const PROBLEMS: &[Kind] = &[Kind::Conflict, Kind::OutcomeUnknown];

/// What to change; what isn't there stays.
#[derive(Debug, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EndpointChange {
    #[schema(value_type = Option<String>, format = "uri", max_length = 1024)]
    pub url: Option<Url>,
    /// `disabled` stops messages; what was queued before waits.
    #[schema(value_type = Option<EndpointStatusBody>)]
    pub status: Option<EndpointStatus>,
}

/// Whether an endpoint gets messages.
#[derive(Debug, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = EndpointStatus)]
pub enum EndpointStatusBody {
    Active,
    Disabled,
}

/// Change an endpoint
#[utoipa::path(
    patch,
    path = "/v1/webhooks/endpoints/{id}",
    tag = "webhooks",
    operation_id = "change_endpoint",
    params(("id" = String, Path, description = "`whe_` and 32 hex digits.")),
    request_body = EndpointChange,
    responses((status = 200, description = "Changed.", body = EndpointView)),
    security(("key" = ["webhooks"])),
)]
pub async fn handle(cx: web::Data<Context>, caller: Authenticated, _: NoQuery, req: HttpRequest, body: Body) -> Answer {
    let id = super::named(&req)?;
    let EndpointChange { url, status } = EndpointChange::read(body.fields()?, cx.settings.profile)?;
    answer::json(StatusCode::OK, &set(&cx, &caller.0, id, url, status).await?)
}

impl EndpointChange {
    fn read(mut fields: Fields<'_>, profile: Profile) -> Result<Self, Problem> {
        let url = fields.maybe_text("url", |text| target::parse(text, profile));
        let status = fields.maybe_text("status", status);
        fields.finish(Some(Self { url, status }))
    }
}

fn status(text: &str) -> Result<EndpointStatus, &'static str> {
    match text {
        "active" => Ok(EndpointStatus::Active),
        "disabled" => Ok(EndpointStatus::Disabled),
        _ => Err("must be active or disabled"),
    }
}
