//! Webhook endpoints of a backend, and the log of what was sent to them.

pub mod change;
pub mod create;
pub mod deliveries;
pub mod list;
pub mod redeliver;
pub mod remove;
pub mod rotate;
pub mod show;
pub mod target;
pub mod test;

use actix_web::HttpRequest;

use crate::domain::EndpointId;
use crate::web::extract::part;
use crate::web::problem::Problem;

/// The endpoint that the path names.
fn named(req: &HttpRequest) -> Result<EndpointId, Problem> {
    part(req, "id", |text| text.parse().map_err(|_| "must be whe_ and 32 lower-case hex digits"))
}
