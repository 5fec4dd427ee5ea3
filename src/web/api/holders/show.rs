//! One holder is shown. Flow goes on in `service::holders`.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, web};

use crate::service::Context;
use crate::service::holders::{HolderView, show};
use crate::web::api::answer::{self, Answer};
use crate::web::extract::{Authenticated, NoQuery};
use crate::web::problem::Kind;

pub const PROBLEMS: &[Kind] = &[Kind::UnknownHolder];

/// Read a holder
///
/// With channels, masked, and devices.
#[utoipa::path(
    get,
    path = "/v1/holders/{subject}",
    tag = "holders",
    operation_id = "read_holder",
    params(("subject" = String, Path, description = "Your own id of the holder.")),
    responses((status = 200, description = "As it stands.", body = HolderView)),
    security(("key" = ["enrol"])),
)]
pub async fn handle(cx: web::Data<Context>, caller: Authenticated, _: NoQuery, req: HttpRequest) -> Answer {
    let subject = super::named(&req)?;
    answer::json(StatusCode::OK, &show(&cx, &caller.0, &subject).await?)
}
