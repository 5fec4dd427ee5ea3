//! A flagged transfer comes in. Flow goes on in `service::request`.

use actix_web::web;

use super::request_body::ApprovalRequest;
use crate::service::Context;
use crate::service::request::{Request, request};
use crate::service::view::ApprovalView;
use crate::web::api::answer::{self, Answer};
use crate::web::extract::{Authenticated, Body, IdempotencyHeader, Key, NoQuery};
use crate::web::problem::Kind;

pub const PROBLEMS: &[Kind] = &[
    Kind::UnknownHolder,
    Kind::NoDevice,
    Kind::NoChannel,
    Kind::TooManyPending,
    Kind::HolderFrozen,
    Kind::DuplicateTransfer,
    Kind::Conflict,
    Kind::OutcomeUnknown,
];

/// Open an approval
///
/// The holder is told at once and decides on an enrolled device. Send the browser that started the transfer to
/// `waiting_url`: it is then known, and can't decide.
#[utoipa::path(
    post,
    path = "/v1/approvals",
    tag = "approvals",
    operation_id = "create_approval",
    params(IdempotencyHeader),
    request_body = ApprovalRequest,
    responses((
        status = 201,
        description = "Waiting for the holder.",
        body = ApprovalView,
        headers(("idempotent-replayed" = String, description = "`true` when this answer was given before.")),
    )),
    security(("key" = ["create"])),
)]
pub async fn handle(cx: web::Data<Context>, caller: Authenticated, _: NoQuery, key: Key, body: Body) -> Answer {
    let (parts, asked) = ApprovalRequest::read(body.fields()?)?.into_parts();
    let ask = Request { key: key.0, fingerprint: body.fingerprint, parts, asked };
    answer::created(request(&cx, &caller.0, ask).await?)
}
