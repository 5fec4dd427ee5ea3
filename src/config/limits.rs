//! Rates, as they are written.

use serde::Deserialize;

use super::{Fault, Limits};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsSection {
    notices_per_minute: Option<u32>,
    tries_per_minute: Option<u32>,
    key_per_minute: Option<u32>,
}

/// Checks the rates.
pub fn check(section: &LimitsSection, faults: &mut Vec<Fault>) -> Limits {
    let limits = Limits {
        notices_per_minute: section.notices_per_minute.unwrap_or(5),
        tries_per_minute: section.tries_per_minute.unwrap_or(30),
        key_per_minute: section.key_per_minute.unwrap_or(60_000),
    };
    if [limits.notices_per_minute, limits.tries_per_minute, limits.key_per_minute].contains(&0) {
        faults.push(Fault("limits: every rate must be at least 1".into()));
    }
    limits
}
