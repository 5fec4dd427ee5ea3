//! What a transfer needs before it may go: how long it waits, how long it may be answered, how strong the passkey must
//! be. Ordered tiers come from configuration; the rule engine will stand behind the same [`Terms`].

use serde::{Deserialize, Serialize};
use std::time::Duration;

use super::details::Transfer;
use super::money::{Amount, Unit};

/// Shortest life of an approval outside demo and bench.
pub const MIN_LIFE: Duration = Duration::from_secs(60);
/// Longest life of an approval (Coinbase Vault: approvals within 24 h).
pub const MAX_LIFE: Duration = Duration::from_secs(24 * 3600);

/// Longest time in which a released transfer may be taken (design section 8). Past it nobody remembers what was approved.
pub const MAX_REDEEM_WITHIN: Duration = Duration::from_secs(24 * 3600);

/// Shortest time between the first delivered notice and a release outside demo and bench: long enough to read it and to
/// stop the transfer.
pub const TOLD_BEFORE: Duration = Duration::from_secs(10 * 60);

const fn told_before() -> Duration {
    TOLD_BEFORE
}

/// How strong a passkey must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Assurance {
    /// A passkey that its maker may sync (WebAuthn L3 section 6.1.3, backup eligible).
    Synced,
    /// A passkey that can't leave its authenticator.
    DeviceBound,
}

/// What happens when nobody opened the waiting page, so that no initiating browser could be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unproved {
    Refuse,
    /// Accept, with this hold instead.
    HoldFor(#[serde(with = "micros")] Duration),
}

/// What one approval needs; fixed when it is created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    #[serde(with = "micros")]
    pub hold: Duration,
    /// After this long without a delivered notice the approval is cancelled; also the end of every extension.
    #[serde(with = "micros")]
    pub hold_cap: Duration,
    #[serde(with = "micros")]
    pub life: Duration,
    #[serde(with = "micros")]
    pub redeem_within: Duration,
    pub assurance: Assurance,
    pub unproved: Unproved,
    /// The holder was told at least so long before a release, or as long as the hold where that is shorter. What was
    /// stored before there was this rule keeps it too.
    #[serde(with = "micros", default = "told_before")]
    pub told_before: Duration,
}

/// One tier: what is needed from an amount up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tier {
    /// `None` matches every unit, and then `from` must be `None` too.
    pub unit: Option<Unit>,
    /// From this amount (inclusive); `None` is from the first cent.
    pub from: Option<Amount>,
    pub hold: Duration,
    pub life: Duration,
    pub assurance: Assurance,
    pub unproved: Unproved,
}

/// The operator's policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    base: Tier,
    tiers: Vec<Tier>,
    hold_cap: Duration,
    redeem_within: Duration,
    told_before: Duration,
}

/// Why a policy was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPolicy {
    #[error("a hold must be at most the hold cap")]
    HoldOverCap,
    #[error("a hold must be at least {0:?}")]
    HoldTooShort(Duration),
    #[error("an approval's life must lie between {0:?} and 24 hours")]
    Life(Duration),
    #[error("a tier with an amount must name its currency or asset")]
    AmountWithoutUnit,
    #[error("the time to redeem must be more than zero and at most 24 hours")]
    RedeemWithin,
    #[error("the holder must be told at least {0:?} before a release")]
    ToldBefore(Duration),
}

/// The shortest hold, life, and time between notice and release that a profile allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Floors {
    pub hold: Duration,
    pub life: Duration,
    pub told_before: Duration,
}

impl Floors {
    /// Production: the design's defaults are also its floors (design section 8: a deployment may be stricter).
    pub const PRODUCTION: Self = Self { hold: Duration::from_secs(15 * 60), life: MIN_LIFE, told_before: TOLD_BEFORE };
    /// Demo and bench: seconds, so that a person or a load generator can watch.
    pub const DEMO: Self =
        Self { hold: Duration::from_millis(1), life: Duration::from_millis(1), told_before: Duration::ZERO };
}

impl Policy {
    /// A policy of a base tier and further ones.
    ///
    /// # Errors
    /// The first rule of [`BadPolicy`] that a tier breaks.
    pub fn new(
        base: Tier,
        tiers: Vec<Tier>,
        hold_cap: Duration,
        redeem_within: Duration,
        floors: Floors,
    ) -> Result<Self, BadPolicy> {
        for tier in std::iter::once(&base).chain(&tiers) {
            let unproved = match tier.unproved {
                Unproved::Refuse => tier.hold,
                Unproved::HoldFor(hold) => hold,
            };
            if tier.hold > hold_cap || unproved > hold_cap {
                return Err(BadPolicy::HoldOverCap);
            }
            if tier.hold < floors.hold || unproved < tier.hold {
                return Err(BadPolicy::HoldTooShort(floors.hold.max(tier.hold)));
            }
            if tier.life < floors.life || tier.life > MAX_LIFE {
                return Err(BadPolicy::Life(floors.life));
            }
            if tier.from.is_some() && tier.unit.is_none() {
                return Err(BadPolicy::AmountWithoutUnit);
            }
        }
        if redeem_within.is_zero() || redeem_within > MAX_REDEEM_WITHIN {
            return Err(BadPolicy::RedeemWithin);
        }
        Ok(Self { base, tiers, hold_cap, redeem_within, told_before: floors.told_before })
    }

    /// The same with another time between the first delivered notice and a release.
    ///
    /// # Errors
    /// [`BadPolicy::ToldBefore`] when it is shorter than the profile allows.
    pub fn with_told_before(self, told_before: Duration, floors: Floors) -> Result<Self, BadPolicy> {
        if told_before < floors.told_before {
            return Err(BadPolicy::ToldBefore(floors.told_before));
        }
        Ok(Self { told_before, ..self })
    }

    /// The strictest of every tier that matches, part by part, and of what the backend asked for. A request can only
    /// make the hold longer and the life shorter.
    pub fn terms(&self, transfer: &Transfer, asked: Asked) -> Terms {
        let unit = transfer.unit();
        let start = Terms {
            hold: self.base.hold.max(asked.hold.unwrap_or_default()).min(self.hold_cap.max(self.base.hold)),
            hold_cap: self.hold_cap,
            life: self.base.life.min(asked.life.unwrap_or(self.base.life)),
            redeem_within: self.redeem_within,
            assurance: self.base.assurance,
            unproved: self.base.unproved,
            told_before: self.told_before,
        };
        let matching = self.tiers.iter().filter(|tier| tier.matches(unit.as_ref(), &transfer.amount));
        let mut terms = matching.fold(start, |terms, tier| Terms {
            hold: terms.hold.max(tier.hold),
            life: terms.life.min(tier.life),
            assurance: terms.assurance.max(tier.assurance),
            unproved: terms.unproved.stricter(tier.unproved),
            ..terms
        });
        if let Unproved::HoldFor(hold) = terms.unproved {
            terms.unproved = Unproved::HoldFor(hold.max(terms.hold));
        }
        terms
    }

    /// No transfer that this policy gave its terms cools off for less.
    pub fn least_hold(&self) -> Duration {
        self.base.hold
    }

    /// The longest hold a backend may ask for.
    pub fn hold_cap(&self) -> Duration {
        self.hold_cap
    }
}

/// What the backend asked for on top of the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Asked {
    pub hold: Option<Duration>,
    pub life: Option<Duration>,
}

impl Tier {
    fn matches(&self, unit: Option<&Unit>, amount: &Amount) -> bool {
        let same_unit = self.unit.as_ref().is_none_or(|mine| Some(mine) == unit);
        same_unit && self.from.as_ref().is_none_or(|from| amount.cmp_value(from).is_ge())
    }
}

impl Unproved {
    fn stricter(self, other: Self) -> Self {
        match (self, other) {
            (Self::HoldFor(a), Self::HoldFor(b)) => Self::HoldFor(a.max(b)),
            _ => Self::Refuse,
        }
    }
}

/// Durations as whole microseconds.
pub mod micros {
    use serde::{Deserialize, Deserializer, Serializer};
    use std::time::Duration;

    pub fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(value.as_micros()).unwrap_or(u64::MAX))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_micros)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::details::tests::parts;
    use super::super::details::{Salt, Transfer};
    use super::super::money::Currency;
    use super::*;

    const MIN: Duration = Duration::from_secs(60);

    pub(crate) fn base() -> Tier {
        Tier {
            unit: None,
            from: None,
            hold: 15 * MIN,
            life: 60 * MIN,
            assurance: Assurance::Synced,
            unproved: Unproved::HoldFor(60 * MIN),
        }
    }

    fn large() -> Tier {
        let unit = Unit::Currency(Currency::parse("EUR").unwrap());
        Tier {
            from: Some(Amount::parse("10000", &unit).unwrap()),
            unit: Some(unit),
            hold: 24 * 60 * MIN,
            life: 30 * MIN,
            assurance: Assurance::DeviceBound,
            unproved: Unproved::Refuse,
        }
    }

    fn policy() -> Policy {
        Policy::new(base(), vec![large()], 72 * 60 * MIN, 24 * 60 * MIN, Floors::PRODUCTION).unwrap()
    }

    #[test]
    fn the_strictest_matching_tier_wins_part_by_part() {
        let transfer = Transfer::new(parts(), Salt([0; 16])).unwrap();
        let terms = policy().terms(&transfer, Asked { hold: Some(MIN), life: Some(600 * MIN) });
        assert_eq!(terms.hold, 24 * 60 * MIN);
        assert!(policy().least_hold() <= terms.hold);
        assert_eq!(terms.life, 30 * MIN);
        assert_eq!(terms.assurance, Assurance::DeviceBound);
        assert_eq!(terms.unproved, Unproved::Refuse);
    }

    #[test]
    fn a_request_can_only_tighten() {
        let mut small = parts();
        small.amount = "9999.99".into();
        let transfer = Transfer::new(small, Salt([0; 16])).unwrap();
        let plain = policy().terms(&transfer, Asked::default());
        assert_eq!(plain.hold, 15 * MIN);
        let tight = policy().terms(&transfer, Asked { hold: Some(90 * MIN), life: Some(10 * MIN) });
        assert_eq!(tight.hold, 90 * MIN);
        assert_eq!(tight.life, 10 * MIN);
        assert_eq!(tight.unproved, Unproved::HoldFor(90 * MIN));
    }

    #[test]
    fn unsafe_policies_are_refused() {
        let short = Tier { hold: MIN, ..base() };
        let new = |tier| Policy::new(tier, vec![], 72 * 60 * MIN, MIN, Floors::PRODUCTION);
        assert!(matches!(new(short.clone()), Err(BadPolicy::HoldTooShort(_))));
        assert!(Policy::new(short, vec![], 72 * 60 * MIN, MIN, Floors::DEMO).is_ok());
        assert_eq!(new(Tier { hold: 100 * 60 * MIN, ..base() }), Err(BadPolicy::HoldOverCap));
        assert!(matches!(new(Tier { life: 25 * 60 * MIN, ..base() }), Err(BadPolicy::Life(_))));
        let hasty = policy().with_told_before(MIN, Floors::PRODUCTION);
        assert_eq!(hasty, Err(BadPolicy::ToldBefore(TOLD_BEFORE)));
        assert!(policy().with_told_before(MIN, Floors::DEMO).is_ok());
        let loose = Tier { unproved: Unproved::HoldFor(MIN), ..base() };
        assert!(matches!(new(loose), Err(BadPolicy::HoldTooShort(_))));
    }
}
