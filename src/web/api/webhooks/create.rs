//! An endpoint is added. Flow goes on in `service::endpoints`.

use actix_web::web;
use url::Url;
use utoipa::ToSchema;

use super::target;
use crate::service::endpoints::{EndpointView, add};
use crate::service::{Context, Profile};
use crate::web::api::answer::{self, Answer};
use crate::web::extract::{Authenticated, Body, Fields, IdempotencyHeader, Key, NoQuery};
use crate::web::problem::{Kind, Problem};

pub const PROBLEMS: &[Kind] = &[Kind::TooManyEndpoints, Kind::Conflict, Kind::OutcomeUnknown];

/// Where webhooks should go.
#[derive(Debug, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EndpointRequest {
    /// An https address. Private networks are refused unless the operator allows them.
    #[schema(value_type = String, format = "uri", max_length = 1024, example = "https://hooks.example.com/countersign")]
    pub url: Url,
}

/// Add an endpoint
///
/// The answer holds the secret that signs its messages (Standard Webhooks), and no later one does, but for the answer
/// to a repeat under the same key.
#[utoipa::path(
    post,
    path = "/v1/webhooks/endpoints",
    tag = "webhooks",
    operation_id = "create_endpoint",
    params(IdempotencyHeader),
    request_body = EndpointRequest,
    responses((
        status = 201,
        description = "Added.",
        body = EndpointView,
        headers(("idempotent-replayed" = String, description = "`true` when this answer was given before.")),
    )),
    security(("key" = ["webhooks"])),
)]
pub async fn handle(cx: web::Data<Context>, caller: Authenticated, _: NoQuery, key: Key, body: Body) -> Answer {
    let EndpointRequest { url } = EndpointRequest::read(body.fields()?, cx.settings.profile)?;
    answer::created(add(&cx, &caller.0, url, key.0, body.fingerprint).await?)
}

impl EndpointRequest {
    fn read(mut fields: Fields<'_>, profile: Profile) -> Result<Self, Problem> {
        let url = fields.text("url", |text| target::parse(text, profile));
        fields.finish(url.map(|url| Self { url }))
    }
}
