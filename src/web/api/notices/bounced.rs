//! The operator's mail system says that a mail came back. Flow goes on in `service::bounce`.

use actix_web::{HttpRequest, HttpResponse, web};

use crate::service::Context;
use crate::service::bounce::bounced;
use crate::web::api::answer::Answer;
use crate::web::extract::{Authenticated, NoBody, NoQuery};
use crate::web::problem::Kind;

pub const PROBLEMS: &[Kind] = &[Kind::Conflict, Kind::OutcomeUnknown];

/// Say that a notice bounced
///
/// A mail was accepted and came back later. Its notice no longer counts as delivered: the next channel has its turn, and
/// a transfer that cools off isn't released before another notice was delivered. What was released before stays so.
/// The id is what stands before the `@` of the mail's `Message-ID`. Saying it again is fine; while the notice is still
/// on its way the answer is 409, and it is said again later.
#[utoipa::path(
    post,
    path = "/v1/notices/{id}/bounced",
    tag = "notices",
    operation_id = "notice_bounced",
    params(("id" = String, Path, description = "`ntc_` and 32 hex digits.")),
    responses((status = 204, description = "It counts as not delivered.")),
    security(("key" = ["cancel"])),
)]
pub async fn handle(cx: web::Data<Context>, caller: Authenticated, _: NoQuery, req: HttpRequest, _: NoBody) -> Answer {
    let id = super::named(&req)?;
    bounced(&cx, &caller.0, id).await?;
    Ok(HttpResponse::NoContent().finish())
}
