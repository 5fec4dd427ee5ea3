//! The policy section of the configuration, read into `domain::policy`.

use serde::Deserialize;
use std::time::Duration;

use super::Fault;
use crate::domain::money::{Amount, Asset, Currency, Unit};
use crate::domain::policy::{Assurance, Floors, Policy, Tier, Unproved};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicySection {
    /// Whole seconds or a part of one, which only demo and bench get past the floor with.
    hold_seconds: f64,
    life_seconds: u64,
    hold_cap_seconds: u64,
    redeem_within_seconds: u64,
    assurance: Assurance,
    unproved_hold_seconds: Option<f64>,
    /// From the first delivered notice to the release, at least; the shortest that the profile allows unless given.
    told_before_seconds: Option<f64>,
    tiers: Vec<TierSection>,
}

impl Default for PolicySection {
    /// The numbers of design section 8.
    fn default() -> Self {
        Self {
            hold_seconds: 900.0,
            life_seconds: 3600,
            hold_cap_seconds: 72 * 3600,
            redeem_within_seconds: 24 * 3600,
            assurance: Assurance::Synced,
            unproved_hold_seconds: None,
            told_before_seconds: None,
            tiers: Vec::new(),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TierSection {
    currency: Option<Currency>,
    asset: Option<Asset>,
    from: Option<String>,
    hold_seconds: Option<u64>,
    life_seconds: Option<u64>,
    assurance: Option<Assurance>,
    unproved_hold_seconds: Option<u64>,
}

impl PolicySection {
    /// The policy, or what is wrong with it.
    pub fn read(self, floors: Floors) -> Result<Policy, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut span = |name: &str, seconds: f64| {
            Duration::try_from_secs_f64(seconds).unwrap_or_else(|error| {
                faults.push(Fault(format!("policy.{name}: {error}")));
                Duration::ZERO
            })
        };
        let base = Tier {
            unit: None,
            from: None,
            hold: span("hold_seconds", self.hold_seconds),
            life: Duration::from_secs(self.life_seconds),
            assurance: self.assurance,
            unproved: unproved(self.unproved_hold_seconds.map(|seconds| span("unproved_hold_seconds", seconds))),
        };
        let told_before =
            self.told_before_seconds.map_or(floors.told_before, |seconds| span("told_before_seconds", seconds));
        let mut tiers = Vec::new();
        for (at, section) in self.tiers.into_iter().enumerate() {
            match section.read(&base) {
                Ok(tier) => tiers.push(tier),
                Err(why) => faults.push(Fault(format!("policy.tiers[{at}]: {why}"))),
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let cap = Duration::from_secs(self.hold_cap_seconds);
        let redeem_within = Duration::from_secs(self.redeem_within_seconds);
        Policy::new(base, tiers, cap, redeem_within, floors)
            .and_then(|policy| policy.with_told_before(told_before, floors))
            .map_err(|error| vec![Fault(format!("policy: {error}"))])
    }
}

// Unproved is refused unless policy gives it a longer hold (design section 2, "A distinct device", rule 3).
fn unproved(hold: Option<Duration>) -> Unproved {
    hold.map_or(Unproved::Refuse, Unproved::HoldFor)
}

impl TierSection {
    fn read(self, base: &Tier) -> Result<Tier, String> {
        let unit = match (self.currency, self.asset) {
            (Some(currency), None) => Some(Unit::Currency(currency)),
            (None, Some(asset)) => Some(Unit::Asset(asset)),
            (None, None) => None,
            (Some(_), Some(_)) => return Err("give either a currency or an asset".into()),
        };
        let from = match (&self.from, &unit) {
            (Some(text), Some(unit)) => Some(Amount::parse(text, unit).map_err(|e| format!("from {e}"))?),
            (Some(_), None) => return Err("an amount needs its currency or asset".into()),
            (None, _) => None,
        };
        Ok(Tier {
            unit,
            from,
            hold: self.hold_seconds.map_or(base.hold, Duration::from_secs),
            life: self.life_seconds.map_or(base.life, Duration::from_secs),
            assurance: self.assurance.unwrap_or(base.assurance),
            unproved: self.unproved_hold_seconds.map_or(base.unproved, |s| unproved(Some(Duration::from_secs(s)))),
        })
    }
}
