//! The holder's pages and what their scripts call, one verb per file. Handlers read the request, call a use case, and
//! fill a view model of `web::pages`.
//!
//! May import `service` and `domain`. Pages never act on GET.

pub mod assets;
pub mod cancel;
pub mod decide;
pub mod enrol;
pub mod failure;
pub mod home;
pub mod link;
pub mod live;
pub mod lock;
pub mod present;
pub mod prompt;
pub mod push;
pub mod reject;
pub mod seen;
pub mod show;
pub mod views;
pub mod waiting;

use crate::domain::ids::ApprovalId;
use crate::service::{Error, about};

/// The approval that a path names; also noted for the log.
fn named(path: &str) -> Result<ApprovalId, Error> {
    let id: ApprovalId = path.parse().map_err(|_| Error::NotFound)?;
    about(id);
    Ok(id)
}
