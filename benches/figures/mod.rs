//! The figures of `make bench`, one a file. Each prepares its own record, prints its lines, and leaves nothing behind.

pub mod creates;
pub mod flat;
pub mod footprint;
pub mod lifecycle;
pub mod log;
pub mod pgbench;
pub mod timers;
pub mod verify;
pub mod webhook;

use std::time::Duration;

/// How long and how far.
#[derive(Debug, Clone, Copy)]
pub struct Extent {
    /// Of each measured stretch that is limited by time.
    pub time: Duration,
    /// A million pending approvals too.
    pub million: bool,
}

/// So much work as a number to divide by.
pub fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::from(u32::MAX), f64::from)
}
