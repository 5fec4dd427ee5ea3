//! The backend takes a released transfer and gets the receipt. Flow goes on in `service::redeem`.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, web};
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::details::Digest;
use crate::service::redeem::redeem;
use crate::service::view::ApprovalView;
use crate::service::{Context, Error};
use crate::web::api::answer::{self, Answer};
use crate::web::extract::{Authenticated, Body, Fields, IdempotencyHeader, Key, NoQuery};
use crate::web::problem::{Kind, Problem};

pub const PROBLEMS: &[Kind] = &[
    Kind::DigestMismatch,
    Kind::AlreadyRedeemed,
    Kind::Expired,
    Kind::Conflict,
    Kind::OutcomeUnknown,
    Kind::LogRolledBack,
    Kind::AwaitingWitnesses,
];

/// What is about to be executed.
#[derive(Debug, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RedeemRequest {
    /// `digest` of the approval whose details you compared with your own order.
    #[schema(value_type = String, pattern = "^[0-9a-f]{64}$")]
    pub digest: Digest,
}

/// Permission to execute, once.
#[derive(Debug, Serialize, ToSchema)]
pub struct Redemption {
    pub approval: ApprovalView,
    /// A compact JWS (ES256). Check it with the key set, and its claims against your own order.
    pub receipt: String,
}

/// Redeem a released approval
///
/// Only this permits execution. It works once; the same key and digest get the same answer.
#[utoipa::path(
    post,
    path = "/v1/approvals/{id}/redeem",
    tag = "approvals",
    operation_id = "redeem_approval",
    params(("id" = String, Path, description = "`apr_` and 32 hex digits."), IdempotencyHeader),
    request_body = RedeemRequest,
    responses((
        status = 200,
        description = "Execute it.",
        body = Redemption,
        headers(("idempotent-replayed" = String, description = "`true` when this answer was given before.")),
    )),
    security(("key" = ["redeem"])),
)]
pub async fn handle(
    cx: web::Data<Context>,
    caller: Authenticated,
    _: NoQuery,
    req: HttpRequest,
    key: Key,
    body: Body,
) -> Answer {
    let id = super::named(&req)?;
    let RedeemRequest { digest } = RedeemRequest::read(body.fields()?)?;
    let redeemed = redeem(&cx, &caller.0, id, digest, key.0).await?;
    let approval = ApprovalView::of(&redeemed.approval).map_err(Error::internal)?;
    answer::repeatable(StatusCode::OK, &Redemption { approval, receipt: redeemed.receipt }, redeemed.repeat)
}

impl RedeemRequest {
    fn read(mut fields: Fields<'_>) -> Result<Self, Problem> {
        let digest = fields.text("digest", |text| text.parse().map_err(|_| "must be 64 lower-case hex digits"));
        fields.finish(digest.map(|digest| Self { digest }))
    }
}
