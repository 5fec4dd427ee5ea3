//! The backend stops a transfer. Flow goes on in `service::cancel`.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, web};

use crate::service::view::ApprovalView;
use crate::service::{Context, Error, cancel};
use crate::web::api::answer::{self, Answer};
use crate::web::extract::{Authenticated, NoBody, NoQuery};
use crate::web::problem::Kind;

pub const PROBLEMS: &[Kind] = &[Kind::AlreadyRedeemed, Kind::Conflict, Kind::OutcomeUnknown];

/// Cancel an approval
///
/// Takes effect at once and wins until a redeem was committed. Cancelling a cancelled one is fine.
#[utoipa::path(
    post,
    path = "/v1/approvals/{id}/cancel",
    tag = "approvals",
    operation_id = "cancel_approval",
    params(("id" = String, Path, description = "`apr_` and 32 hex digits.")),
    responses((status = 200, description = "It is cancelled.", body = ApprovalView)),
    security(("key" = ["cancel"])),
)]
pub async fn handle(cx: web::Data<Context>, caller: Authenticated, _: NoQuery, req: HttpRequest, _: NoBody) -> Answer {
    let id = super::named(&req)?;
    let approval = cancel::by_backend(&cx, &caller.0, id).await?;
    answer::json(StatusCode::OK, &ApprovalView::of(&approval).map_err(Error::internal)?)
}
