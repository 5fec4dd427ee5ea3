//! How long what was sent is kept, as it is written.

use serde::Deserialize;
use std::time::Duration;

use super::Fault;
use crate::domain::policy::Policy;

/// Days that notices and deliveries are kept, unless the operator says otherwise.
const DAYS: u32 = 90;
/// Notices are kept at least so much longer than an approval can live, so that no release ever lacks one.
const MARGIN: Duration = Duration::from_secs(3 * 24 * 3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionSection {
    sent_days: Option<u32>,
}

/// Checks the time against the longest hold.
pub fn check(section: &RetentionSection, policy: Option<&Policy>, faults: &mut Vec<Fault>) -> Duration {
    let days = section.sent_days.unwrap_or(DAYS);
    let keep = DAY * days;
    if let Some(policy) = policy {
        let least = policy.hold_cap() + MARGIN;
        if keep < least {
            let least = least.as_secs().div_ceil(DAY.as_secs());
            faults.push(Fault(format!("retention.sent_days: at least {least}, which is the longest hold and 3 days")));
        }
    }
    keep
}
