//! What became of each freeze, replayed from the entries: a holder has one that holds, at most; a link's ends when its
//! time or the hold of a device's lift is over, any other only by an override; and while one holds nothing is opened,
//! approved, enrolled, released or redeemed (design section 3).

use std::collections::HashMap;
use std::time::Duration;

use super::SETTLED;
use super::standing::Before;
use crate::domain::approval::Version;
use crate::domain::audit::reading::Reading;
use crate::domain::ids::{FreezeId, HolderId};
use crate::domain::time::Timestamp;

/// How long a freeze from a link lasts (design section 3), written down a second time.
const LINK_FREEZE: Duration = Duration::from_secs(24 * 3600);
/// The hold of a lift (design section 3).
const LIFT_HOLD: Duration = Duration::from_secs(3600);

/// Where a freeze stands by the entries read so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frozen {
    pub holder: HolderId,
    pub version: Version,
    pub began: Timestamp,
    pub until: Until,
}

/// What it takes to end it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// The time, or the end of a lift's hold.
    Time {
        since: Timestamp,
        lift_asked: Option<Timestamp>,
    },
    Override,
    /// It doesn't hold any more.
    Ended,
}

/// Why an entry can't follow those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FreezeBreak {
    #[error("it names no holder or no freeze")]
    NoFreeze,
    #[error("it lacks why or how, or its version")]
    Facts,
    #[error("nothing was frozen")]
    NotFrozen,
    #[error("another freeze of the holder holds")]
    Another,
    #[error("only an override ends this freeze")]
    NeedsOverride,
    #[error("it has version {found} and should have {expected}")]
    Version { expected: Version, found: Version },
    #[error("it ended at {at}, before {until}")]
    TooEarly { at: Timestamp, until: Timestamp },
    #[error("it was cancelled for a freeze that the log doesn't know")]
    Unknown,
    #[error("the holder has been frozen since {0}")]
    Forbidden(Timestamp),
}

/// Every freeze met so far.
#[derive(Debug, Default)]
pub struct Freezes {
    all: HashMap<FreezeId, Frozen>,
    holding: HashMap<HolderId, FreezeId>,
}

impl Freezes {
    pub fn get(&self, id: FreezeId) -> Option<&Frozen> {
        self.all.get(&id)
    }

    /// Freezes met, in no order.
    pub fn ids(&self) -> impl Iterator<Item = FreezeId> {
        self.all.keys().copied()
    }

    /// Takes the next entry about a freeze. Any other kind is let be.
    ///
    /// # Errors
    /// [`FreezeBreak`].
    pub fn take(&mut self, entry: &Reading, before: Before) -> Result<(), FreezeBreak> {
        match entry.kind.as_str() {
            "holder.frozen" => self.begin(entry, before),
            "freeze.lift_asked" => self.lift(entry, before),
            "holder.unfrozen" => self.end(entry, before),
            "approval.cancelled" if entry.fact("reason") == Some("holder_frozen") => {
                let id = entry.fact("freeze").and_then(|id| id.parse().ok()).ok_or(FreezeBreak::Facts)?;
                let known = self.all.contains_key(&id) || before == Before::Unknown;
                if known { Ok(()) } else { Err(FreezeBreak::Unknown) }
            }
            "approval.opened" | "approval.approved" | "approval.released" | "approval.redeemed" | "device.enrolled"
                if before == Before::Known =>
            {
                self.allows(entry)
            }
            // The second signature approves a transfer; other overrides lead out of a freeze.
            "override.signed_twice" if before == Before::Known && entry.object_of("apr").is_some() => {
                self.allows(entry)
            }
            _ => Ok(()),
        }
    }

    /// Nothing of a frozen holder goes on.
    fn allows(&self, entry: &Reading) -> Result<(), FreezeBreak> {
        let holder = entry.object_of("hld").and_then(|id| id.parse().ok());
        let holding = holder.and_then(|holder: HolderId| self.holding.get(&holder)).and_then(|id| self.all.get(id));
        match holding.map(|frozen| frozen.began) {
            Some(began) if entry.at > began + SETTLED => Err(FreezeBreak::Forbidden(began)),
            Some(_) | None => Ok(()),
        }
    }

    fn begin(&mut self, entry: &Reading, before: Before) -> Result<(), FreezeBreak> {
        let (holder, id) = named(entry)?;
        let until = match entry.fact("why") {
            Some("link") => Until::Time { since: entry.at, lift_asked: None },
            Some("device" | "staff" | "erasure") => Until::Override,
            _ => return Err(FreezeBreak::Facts),
        };
        let known = self.holding.get(&holder).copied();
        if known.is_some_and(|known| known != id) && before == Before::Known {
            return Err(FreezeBreak::Another);
        }
        let version = match self.all.get(&id).map(|frozen| (frozen.until, frozen.version)) {
            None => 1,
            // It is said again, at least as strongly.
            Some((Until::Time { .. }, version)) => version + 1,
            Some((Until::Override, _)) => return Err(FreezeBreak::NeedsOverride),
            Some((Until::Ended, _)) => return Err(FreezeBreak::NotFrozen),
        };
        let began = self.all.get(&id).map_or(entry.at, |frozen| frozen.began);
        self.all.insert(id, Frozen { holder, version, began, until });
        self.holding.insert(holder, id);
        Ok(())
    }

    fn lift(&mut self, entry: &Reading, before: Before) -> Result<(), FreezeBreak> {
        let (_, id) = named(entry)?;
        let found: Version = entry.fact("version").and_then(|text| text.parse().ok()).ok_or(FreezeBreak::Facts)?;
        let Some(frozen) = self.all.get_mut(&id) else { return missing(before) };
        let Until::Time { since, lift_asked: None } = frozen.until else { return Err(FreezeBreak::NeedsOverride) };
        let expected = frozen.version + 1;
        if found != expected && (before == Before::Known || found < expected) {
            return Err(FreezeBreak::Version { expected, found });
        }
        frozen.version = found;
        frozen.until = Until::Time { since, lift_asked: Some(entry.at) };
        Ok(())
    }

    fn end(&mut self, entry: &Reading, before: Before) -> Result<(), FreezeBreak> {
        let (holder, id) = named(entry)?;
        let Some(frozen) = self.all.get_mut(&id) else { return missing(before) };
        let until = match (frozen.until, entry.fact("how")) {
            (Until::Time { since, .. }, Some("time_over")) => since + LINK_FREEZE,
            (Until::Time { lift_asked: Some(asked), .. }, Some("lifted")) => asked + LIFT_HOLD,
            (Until::Time { since, lift_asked: None }, Some("lifted")) if before == Before::Unknown => since,
            (Until::Override, _) => return Err(FreezeBreak::NeedsOverride),
            (Until::Ended, _) => return Err(FreezeBreak::NotFrozen),
            (Until::Time { .. }, _) => return Err(FreezeBreak::Facts),
        };
        if entry.at < until {
            return Err(FreezeBreak::TooEarly { at: entry.at, until });
        }
        frozen.version += 1;
        frozen.until = Until::Ended;
        self.holding.remove(&holder);
        Ok(())
    }

    /// An override ended it.
    ///
    /// # Errors
    /// [`FreezeBreak::NotFrozen`].
    pub fn unfrozen(&mut self, id: FreezeId, before: Before) -> Result<(), FreezeBreak> {
        let Some(frozen) = self.all.get_mut(&id) else { return missing(before) };
        if frozen.until == Until::Ended {
            return Err(FreezeBreak::NotFrozen);
        }
        frozen.version += 1;
        frozen.until = Until::Ended;
        self.holding.remove(&frozen.holder);
        Ok(())
    }
}

const fn missing(before: Before) -> Result<(), FreezeBreak> {
    match before {
        Before::Known => Err(FreezeBreak::NotFrozen),
        Before::Unknown => Ok(()),
    }
}

fn named(entry: &Reading) -> Result<(HolderId, FreezeId), FreezeBreak> {
    let holder = entry.object_of("hld").and_then(|id| id.parse().ok());
    let freeze = entry.object_of("frz").and_then(|id| id.parse().ok());
    holder.zip(freeze).ok_or(FreezeBreak::NoFreeze)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::audit::reading::ReadActor;
    use crate::domain::verification::samples::reading;

    const HOUR: i64 = 3600;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn freeze(number: u8) -> FreezeId {
        FreezeId::new(Timestamp::EPOCH, [number; 10])
    }

    fn entry(kind: &str, seconds: i64, number: u8, facts: &[(&str, &str)]) -> Reading {
        let object = vec![HolderId::new(Timestamp::EPOCH, [1; 10]).to_string(), freeze(number).to_string()];
        reading(kind, seconds, ReadActor { kind: "service".into(), id: None }, object, facts)
    }

    fn frozen(seconds: i64, number: u8, why: &str) -> Reading {
        entry("holder.frozen", seconds, number, &[("why", why)])
    }

    fn unfrozen(seconds: i64, how: &str) -> Reading {
        entry("holder.unfrozen", seconds, 1, &[("how", how)])
    }

    fn replay(entries: &[Reading]) -> Result<Freezes, FreezeBreak> {
        let mut freezes = Freezes::default();
        entries.iter().try_for_each(|entry| freezes.take(entry, Before::Known))?;
        Ok(freezes)
    }

    #[test]
    fn what_the_rules_allow_replays() {
        let lift = entry("freeze.lift_asked", 10, 1, &[("version", "2")]);
        let lifted = replay(&[frozen(0, 1, "link"), lift.clone(), unfrozen(10 + HOUR, "lifted")]).unwrap();
        assert_eq!((lifted.get(freeze(1)).unwrap().version, lifted.get(freeze(1)).unwrap().until), (3, Until::Ended));
        assert!(
            replay(&[frozen(0, 1, "link"), unfrozen(24 * HOUR, "time_over"), frozen(25 * HOUR, 2, "device")]).is_ok()
        );
        let mut strong = replay(&[frozen(0, 1, "link"), lift, frozen(20, 1, "staff")]).unwrap();
        assert_eq!(strong.get(freeze(1)).unwrap().until, Until::Override);
        strong.unfrozen(freeze(1), Before::Known).unwrap();
        assert_eq!(strong.unfrozen(freeze(1), Before::Known), Err(FreezeBreak::NotFrozen));
        let cancelled = [("reason", "holder_frozen".to_owned()), ("freeze", freeze(1).to_string())];
        let facts: Vec<_> = cancelled.iter().map(|(name, fact)| (*name, fact.as_str())).collect();
        assert!(replay(&[frozen(0, 1, "link"), entry("approval.cancelled", 1, 1, &facts)]).is_ok());
        let stray = replay(&[entry("approval.cancelled", 1, 1, &facts)]).map(|_| ());
        assert_eq!(stray, Err(FreezeBreak::Unknown));
    }

    #[test]
    fn nothing_of_a_frozen_holder_goes_on() {
        let of = |entries: &[Reading]| replay(entries).map(|_| ());
        let kinds =
            ["approval.opened", "approval.approved", "approval.released", "approval.redeemed", "device.enrolled"];
        for kind in kinds {
            let then = |seconds| entry(kind, seconds, 1, &[]);
            assert_eq!(of(&[frozen(0, 1, "device"), then(60)]), Ok(()), "what was under way");
            assert_eq!(of(&[frozen(0, 1, "device"), then(61)]), Err(FreezeBreak::Forbidden(at(0))), "{kind}");
            // Saying it again doesn't begin it anew.
            let again = [frozen(0, 1, "link"), frozen(90, 1, "link"), then(100)];
            assert_eq!(of(&again), Err(FreezeBreak::Forbidden(at(0))), "{kind}");
            assert_eq!(of(&[frozen(0, 1, "link"), unfrozen(24 * HOUR, "time_over"), then(25 * HOUR)]), Ok(()));
        }
        assert_eq!(of(&[frozen(0, 1, "device"), entry("approval.cancelled", 90, 1, &[])]), Ok(()));
    }

    #[test]
    fn no_freeze_ends_early_or_by_a_weaker_way() {
        let of = |entries: &[Reading]| replay(entries).map(|_| ()).unwrap_err();
        let lift = entry("freeze.lift_asked", 10, 1, &[("version", "2")]);
        let early = of(&[frozen(0, 1, "link"), unfrozen(24 * HOUR - 1, "time_over")]);
        assert!(matches!(early, FreezeBreak::TooEarly { .. }), "{early}");
        let early = of(&[frozen(0, 1, "link"), lift.clone(), unfrozen(9 + HOUR, "lifted")]);
        assert!(matches!(early, FreezeBreak::TooEarly { .. }), "{early}");
        // Saying it again puts the lift off, and starts the time anew.
        let again = of(&[frozen(0, 1, "link"), lift.clone(), frozen(20, 1, "link"), unfrozen(10 + HOUR, "lifted")]);
        assert_eq!(again, FreezeBreak::Facts);
        for why in ["device", "staff"] {
            assert_eq!(of(&[frozen(0, 1, why), unfrozen(90 * HOUR, "time_over")]), FreezeBreak::NeedsOverride);
            assert_eq!(of(&[frozen(0, 1, why), lift.clone()]), FreezeBreak::NeedsOverride);
        }
        assert_eq!(of(&[unfrozen(1, "time_over")]), FreezeBreak::NotFrozen);
        assert_eq!(of(&[frozen(0, 1, "link"), frozen(1, 2, "link")]), FreezeBreak::Another);
        let skipped = entry("freeze.lift_asked", 10, 1, &[("version", "3")]);
        assert_eq!(of(&[frozen(0, 1, "link"), skipped]), FreezeBreak::Version { expected: 2, found: 3 });
    }
}
