//! A link for a holder's first device. Flow goes on in `service::invite`.

use actix_web::{HttpRequest, web};

use crate::service::Context;
use crate::service::invite::{EnrolmentView, invite};
use crate::web::api::answer::{self, Answer};
use crate::web::extract::{Authenticated, IdempotencyHeader, Key, NoBody, NoQuery};
use crate::web::problem::Kind;
use crate::web::qr::qr_svg;

pub const PROBLEMS: &[Kind] = &[
    Kind::UnknownHolder,
    Kind::AlreadyEnrolled,
    Kind::NoChannel,
    Kind::HolderFrozen,
    Kind::DailyCap,
    Kind::Conflict,
    Kind::OutcomeUnknown,
];

/// Ask for an enrolment
///
/// Show the link to the signed-in holder, best as the QR code. It works once and for ten minutes, and only with the
/// code that goes out on a channel you registered. Only the first device is enrolled like this.
#[utoipa::path(
    post,
    path = "/v1/holders/{subject}/enrolments",
    tag = "holders",
    operation_id = "create_enrolment",
    params(("subject" = String, Path, description = "Your own id of the holder."), IdempotencyHeader),
    responses((
        status = 201,
        description = "A link, and the code is on its way.",
        body = EnrolmentView,
        headers(("idempotent-replayed" = String, description = "`true` when this answer was given before.")),
    )),
    security(("key" = ["enrol"])),
)]
pub async fn handle(
    cx: web::Data<Context>,
    caller: Authenticated,
    _: NoQuery,
    req: HttpRequest,
    key: Key,
    body: NoBody,
) -> Answer {
    let subject = super::named(&req)?;
    answer::created(invite(&cx, &caller.0, &subject, key.0, body.fingerprint, qr_svg).await?)
}
