//! Approvals: opened, read, listed, cancelled and redeemed by their backend.

pub mod cancel;
pub mod create;
pub mod details;
pub mod list;
pub mod redeem;
pub mod request_body;
pub mod show;

use actix_web::HttpRequest;

use crate::domain::ApprovalId;
use crate::service::about;
use crate::web::extract::part;
use crate::web::problem::Problem;

/// The approval that the path names; also noted in the request's span.
fn named(req: &HttpRequest) -> Result<ApprovalId, Problem> {
    let id: ApprovalId = part(req, "id", |text| text.parse().map_err(|_| "must be apr_ and 32 lower-case hex digits"))?;
    about(id);
    Ok(id)
}
