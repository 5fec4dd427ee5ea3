//! A flagged transfer comes in. Flow goes on in `service::request`.

use actix_web::web;

use super::request_body::ApprovalRequest;
use crate::service::Context;
use crate::service::request::{Request, request};
use crate::service::view::ApprovalView;
use crate::web::api::answer::{self, Answer, Created};
use crate::web::extract::{Authenticated, Body, IdempotencyHeader, Key};

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
    responses(
        (status = 201, description = "Waiting for the holder.", body = ApprovalView,
            headers(("Idempotent-Replayed" = String, description = "`true` when this answer was given before."))),
        (status = 404, description = "`unknown-holder`.", content_type = "application/problem+json", body = ProblemBody),
        (status = 409, description = "`no-device`, `no-channel`, `too-many-pending`, `duplicate-transfer`.", content_type = "application/problem+json", body = ProblemBody),
        (status = 422, description = "`idempotency-mismatch`.", content_type = "application/problem+json", body = ProblemBody),
    ),
    security(("key" = ["create"])),
)]
pub async fn create(cx: web::Data<Context>, caller: Authenticated, key: Key, body: Body) -> Answer {
    let (parts, asked) = ApprovalRequest::read(body.fields()?)?.into_parts();
    let ask = Request { key: key.0, fingerprint: body.fingerprint, parts, asked };
    answer::created(request(&cx, &caller.0, ask).await?)
}

