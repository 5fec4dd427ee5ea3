//! Commands that have a file of their own. `main` reads the arguments and hands over to these.
//!
//! May import: everything but `demo`; it stands beside `main`, above `app`.

pub mod audit;
pub mod receipt;
pub mod recover;
pub mod report;
pub mod staff;
pub mod witness;

use std::process::ExitCode;

use crate::witness::follow::FollowError;

/// Status for a log that showed another history: not to be mistaken for a network that was down.
const OTHER_HISTORY: u8 = 3;

/// What a failed command ends with.
pub fn exit_code(error: &anyhow::Error) -> ExitCode {
    match error.downcast_ref() {
        Some(FollowError::History(_)) => ExitCode::from(OTHER_HISTORY),
        _ => ExitCode::FAILURE,
    }
}
