//! A holder is erased. Flow goes on in `service::erase`.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, web};

use crate::domain::details::Subject;
use crate::domain::ids::HolderId;
use crate::service::Context;
use crate::service::erase::{ErasureView, Named, erase};
use crate::web::api::answer::{self, Answer};
use crate::web::extract::{Authenticated, NoBody, NoQuery, part};
use crate::web::problem::Kind;

pub const PROBLEMS: &[Kind] =
    &[Kind::UnknownHolder, Kind::HolderBusy, Kind::HolderFrozen, Kind::Conflict, Kind::OutcomeUnknown];

/// Erase a holder
///
/// Takes away what is known of the holder as a person: channels, devices, approvals with their details and receipts,
/// evidence, and the text of every entry in the audit log about them. Proofs, checkpoints and receipts that you kept
/// stay valid. The subject is never used again. Repeating it answers the same. This can't be undone.
#[utoipa::path(
    delete,
    path = "/v1/holders/{subject}",
    tag = "holders",
    operation_id = "erase_holder",
    params(("subject" = String, Path, description = "Your own id of the holder, or `hld_…`.")),
    responses((status = 200, description = "Erased, or being erased.", body = ErasureView)),
    security(("key" = ["erase"])),
)]
pub async fn handle(cx: web::Data<Context>, caller: Authenticated, _: NoQuery, req: HttpRequest, _: NoBody) -> Answer {
    let named = match part(&req, "subject", str::parse::<HolderId>) {
        Ok(id) => Named::Id(id),
        Err(_) => Named::Subject(part(&req, "subject", Subject::parse)?),
    };
    answer::json(StatusCode::OK, &erase(&cx, &caller.0, &named).await?)
}
