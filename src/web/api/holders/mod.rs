//! Holders: created with the channels their backend knows, shown, invited to enrol a first device, and erased.

pub mod create;
pub mod erase;
pub mod invite;
pub mod show;

use actix_web::HttpRequest;

use crate::domain::details::Subject;
use crate::web::extract::part;
use crate::web::problem::Problem;

/// The holder that the path names.
fn named(req: &HttpRequest) -> Result<Subject, Problem> {
    part(req, "subject", Subject::parse)
}
