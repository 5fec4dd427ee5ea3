//! The section `[overrides]`: how many override requests a day. A deployment may set lower numbers than the defaults
//! and no higher ones, so nothing written here makes an override easier.

use serde::Deserialize;

use super::Fault;
use crate::domain::override_request::Caps;

/// The section as written. Each is a number a day.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OverridesSection {
    asked_by_one: Option<u32>,
    signed_by_one: Option<u32>,
    signed_by_pair: Option<u32>,
    in_all: Option<u32>,
}

/// Checks the section. Zero is allowed: then there are no overrides of that kind at all.
pub fn check(section: &OverridesSection, faults: &mut Vec<Fault>) -> Caps {
    let most = Caps::DEFAULT;
    let mut cap = |name: &str, set: Option<u32>, most: u32| {
        let cap = set.unwrap_or(most);
        if cap > most {
            faults.push(Fault(format!("overrides.{name}: at most {most} a day; a deployment may only be stricter")));
        }
        cap.min(most)
    };
    Caps {
        asked_by_one: cap("asked_by_one", section.asked_by_one, most.asked_by_one),
        signed_by_one: cap("signed_by_one", section.signed_by_one, most.signed_by_one),
        signed_by_pair: cap("signed_by_pair", section.signed_by_pair, most.signed_by_pair),
        in_all: cap("in_all", section.in_all, most.in_all),
    }
}
