//! What became of notices after a channel had accepted them.

pub mod bounced;

use actix_web::HttpRequest;

use crate::domain::NoticeId;
use crate::web::extract::part;
use crate::web::problem::Problem;

/// The notice that the path names.
fn named(req: &HttpRequest) -> Result<NoticeId, Problem> {
    part(req, "id", |text| text.parse().map_err(|_| "must be ntc_ and 32 lower-case hex digits"))
}
