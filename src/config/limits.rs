//! Rates, as they are written.

use serde::Deserialize;

use super::{Fault, Limits};

/// Most questions and codes to a holder in a minute (design section 8).
const NOTICES_PER_MINUTE: u32 = 5;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsSection {
    notices_per_minute: Option<u32>,
    tries_per_minute: Option<u32>,
    key_per_minute: Option<u32>,
}

/// Checks the rates. Only a deployment for looking or measuring may tell a holder more often than the design does.
pub fn check(section: &LimitsSection, safe: bool, faults: &mut Vec<Fault>) -> Limits {
    let limits = Limits {
        notices_per_minute: section.notices_per_minute.unwrap_or(NOTICES_PER_MINUTE),
        tries_per_minute: section.tries_per_minute.unwrap_or(30),
        key_per_minute: section.key_per_minute.unwrap_or(60_000),
    };
    if [limits.notices_per_minute, limits.tries_per_minute, limits.key_per_minute].contains(&0) {
        faults.push(Fault("limits: every rate must be at least 1".into()));
    }
    if safe && limits.notices_per_minute > NOTICES_PER_MINUTE {
        let why = "a deployment may only be stricter";
        faults.push(Fault(format!("limits.notices_per_minute: at most {NOTICES_PER_MINUTE}; {why}")));
    }
    limits
}
