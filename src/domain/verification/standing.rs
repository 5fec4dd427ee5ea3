//! What became of each approval, replayed from the entries alone: no transition that the rules don't know, no version
//! left out or taken twice, no other digest, and no release before the signed hold was over (design section 9,
//! invariants 1, 2 and 4).

use std::collections::HashMap;
use std::time::Duration;

use crate::domain::approval::{StateName, Version};
use crate::domain::audit::reading::Reading;
use crate::domain::details::Digest;
use crate::domain::ids::{ApprovalId, OverrideId};
use crate::domain::time::Timestamp;

/// Where an approval stands by the entries read so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    pub state: StateName,
    pub version: Version,
    pub digest: Digest,
    /// What the deciding signatures cover, once there are any.
    pub challenge: Option<Digest>,
    /// The override by which two staff members approved it, if they did.
    pub by_staff: Option<OverrideId>,
    /// Not released before.
    pub until: Timestamp,
}

/// How sure it is that every earlier entry was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    Known,
    /// The export begins later, or entries were erased.
    Unknown,
}

/// Why an entry can't follow those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Break {
    #[error("it names no approval")]
    NoApproval,
    #[error("it lacks its version or digest")]
    Facts,
    #[error("the approval was never opened")]
    NeverOpened,
    #[error("it can't follow on {}", .0.as_str())]
    State(StateName),
    #[error("it has version {found} and should have {expected}")]
    Version { expected: Version, found: Version },
    #[error("it names another digest than the approval was opened with")]
    Digest,
    #[error("it ended because a signature of staff was void, and no staff had approved it")]
    NoStaff,
    #[error("it was released at {at}, before its hold was over at {until}")]
    TooEarly { at: Timestamp, until: Timestamp },
}

/// Every approval met so far.
#[derive(Debug, Default)]
pub struct Standings(HashMap<ApprovalId, Standing>);

impl Standings {
    pub fn get(&self, id: ApprovalId) -> Option<&Standing> {
        self.0.get(&id)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Approvals met, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (ApprovalId, Standing)> {
        self.0.iter().map(|(id, standing)| (*id, *standing))
    }

    /// Takes the next entry of kind `approval.…`. Any other kind is let be.
    ///
    /// # Errors
    /// [`Break`].
    pub fn take(&mut self, entry: &Reading, before: Before) -> Result<Option<ApprovalId>, Break> {
        let Some(to) = leads_to(&entry.kind) else { return Ok(None) };
        let id: ApprovalId = entry.object_of("apr").and_then(|id| id.parse().ok()).ok_or(Break::NoApproval)?;
        let version: Version = entry.fact("version").and_then(|text| text.parse().ok()).ok_or(Break::Facts)?;
        let digest: Digest = entry.fact("digest").and_then(|text| text.parse().ok()).ok_or(Break::Facts)?;
        let challenge = entry.fact("challenge").and_then(|text| text.parse().ok());
        let first = Standing::new(version, digest, challenge);
        let next = match (self.0.get(&id), to) {
            (None, To::Opened) if version == 1 => first,
            (None, To::Opened) => return Err(Break::Version { expected: 1, found: version }),
            (None, _) if before == Before::Known => return Err(Break::NeverOpened),
            (None, To::Same) => first,
            (None, To::Extended) => Standing { state: StateName::Cooling, ..first },
            (None, To::State(state)) => Standing { state, ..first },
            (Some(known), to) => follow(known, to, entry.at, version, before)?.checked(digest)?.with(challenge),
        };
        let void = to == To::State(StateName::Cancelled) && entry.fact("reason") == Some("signature_void");
        if void && next.by_staff.is_none() && before == Before::Known {
            return Err(Break::NoStaff);
        }
        self.0.insert(id, next);
        Ok(Some(id))
    }

    /// Staff asked to approve it, which gave it more time.
    ///
    /// # Errors
    /// [`Break`].
    pub fn prolonged(&mut self, id: ApprovalId, version: Version, at: Timestamp, before: Before) -> Result<(), Break> {
        match self.0.get(&id) {
            Some(known) => {
                let next = follow(known, To::Same, at, version, before)?;
                self.0.insert(id, next);
                Ok(())
            }
            None if before == Before::Unknown => Ok(()),
            None => Err(Break::NeverOpened),
        }
    }

    /// Two staff members approved it. What they signed is the challenge of the decision.
    ///
    /// # Errors
    /// [`Break`].
    pub fn approved_by_staff(&mut self, id: ApprovalId, by: &ByStaff, before: Before) -> Result<(), Break> {
        let to = To::State(StateName::Cooling);
        let next = match self.0.get(&id) {
            Some(known) => follow(known, to, by.at, by.version, before)?.checked(by.digest)?,
            None if before == Before::Unknown => {
                Standing { state: StateName::Cooling, ..Standing::new(by.version, by.digest, None) }
            }
            None => return Err(Break::NeverOpened),
        };
        self.0.insert(id, Standing { by_staff: Some(by.case), ..next.with(Some(by.request)) });
        Ok(())
    }

    /// The deciding signatures cover this hold: nothing is released before it is over.
    pub fn decided(&mut self, id: ApprovalId, at: Timestamp, hold: Duration) {
        if let Some(standing) = self.0.get_mut(&id) {
            standing.until = at + hold;
        }
    }
}

/// A decision by two staff members, as its entry tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByStaff {
    pub case: OverrideId,
    /// SHA-256 of the request that both signed.
    pub request: Digest,
    pub version: Version,
    /// The transfer's digest.
    pub digest: Digest,
    pub at: Timestamp,
}

impl Standing {
    const fn new(version: Version, digest: Digest, challenge: Option<Digest>) -> Self {
        let state = StateName::Pending;
        Self { state, version, digest, challenge, by_staff: None, until: Timestamp::EPOCH }
    }

    fn checked(self, digest: Digest) -> Result<Self, Break> {
        if self.digest == digest { Ok(self) } else { Err(Break::Digest) }
    }

    fn with(self, challenge: Option<Digest>) -> Self {
        Self { challenge: challenge.or(self.challenge), ..self }
    }
}

/// Where an entry of an approval leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum To {
    Opened,
    /// Watched: still pending.
    Same,
    Extended,
    State(StateName),
}

fn leads_to(kind: &str) -> Option<To> {
    Some(match kind {
        "approval.opened" => To::Opened,
        "approval.watched" => To::Same,
        "approval.extended" => To::Extended,
        "approval.approved" => To::State(StateName::Cooling),
        "approval.released" => To::State(StateName::Released),
        "approval.redeemed" => To::State(StateName::Redeemed),
        "approval.rejected" => To::State(StateName::Rejected),
        "approval.cancelled" => To::State(StateName::Cancelled),
        "approval.expired" => To::State(StateName::Expired),
        _ => return None,
    })
}

fn follow(known: &Standing, to: To, at: Timestamp, version: Version, before: Before) -> Result<Standing, Break> {
    use StateName::{Cancelled, Cooling, Expired, Pending, Redeemed, Rejected, Released};
    let state = match (known.state, to) {
        (Pending, To::Same) => Pending,
        (Pending, To::State(state @ (Cooling | Rejected | Cancelled | Expired)))
        | (Cooling, To::State(state @ (Released | Cancelled)))
        | (Released, To::State(state @ (Redeemed | Cancelled | Expired))) => state,
        (Cooling, To::Extended) => Cooling,
        // Entries between may have been erased; what is over stays over all the same.
        (from, To::State(state)) if before == Before::Unknown && !from.is_final() => state,
        (from, _) => return Err(Break::State(from)),
    };
    let expected = known.version + 1;
    let fits = version == expected || (before == Before::Unknown && version > expected);
    if !fits {
        return Err(Break::Version { expected, found: version });
    }
    if state == Released && at < known.until {
        return Err(Break::TooEarly { at, until: known.until });
    }
    Ok(Standing { state, version, ..*known })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::audit::reading::ReadActor;
    use crate::domain::ids::ChangeId;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn entry(kind: &str, version: u32, seconds: i64) -> Reading {
        let id = ApprovalId::new(Timestamp::EPOCH, [1; 10]);
        let facts = [("version", version.to_string()), ("digest", Digest::of(b"details").to_string())];
        Reading {
            v: 1,
            id: ChangeId::new(at(seconds), [0; 10]),
            at: at(seconds),
            kind: format!("approval.{kind}"),
            actor: ReadActor { kind: "service".into(), id: None },
            object: vec![id.to_string()],
            facts: facts.into_iter().map(|(name, fact)| (name.to_owned(), fact)).collect(),
        }
    }

    fn replay(kinds: &[&str], before: Before) -> Result<Standings, Break> {
        let mut standings = Standings::default();
        for (at, kind) in (1..).zip(kinds) {
            standings.take(&entry(kind, at, i64::from(at)), before)?;
        }
        Ok(standings)
    }

    #[test]
    fn what_the_rules_allow_replays() {
        for kinds in [
            &["opened", "watched", "approved", "extended", "released", "redeemed"][..],
            &["opened", "rejected"],
            &["opened", "approved", "cancelled"],
            &["opened", "approved", "released", "expired"],
            &["opened", "approved", "released", "cancelled"],
            &["opened", "expired"],
        ] {
            let standings = replay(kinds, Before::Known).unwrap();
            assert_eq!(standings.len(), 1);
        }
    }

    #[test]
    fn what_they_do_not_is_named() {
        use StateName::{Cancelled, Pending, Redeemed};
        let of = |kinds: &[&str]| replay(kinds, Before::Known).map(|_| ()).unwrap_err();
        assert_eq!(of(&["opened", "released"]), Break::State(Pending));
        assert_eq!(of(&["opened", "cancelled", "approved"]), Break::State(Cancelled));
        assert_eq!(of(&["opened", "approved", "released", "redeemed", "cancelled"]), Break::State(Redeemed));
        assert_eq!(of(&["approved"]), Break::NeverOpened);
        assert_eq!(of(&["opened", "opened"]), Break::State(Pending));
    }

    #[test]
    fn a_final_state_stays_whatever_is_missing() {
        let ended = replay(&["opened", "cancelled", "released"], Before::Unknown).map(|_| ());
        assert_eq!(ended, Err(Break::State(StateName::Cancelled)));
        assert!(replay(&["released", "redeemed"], Before::Unknown).is_ok());
    }

    #[test]
    fn versions_neither_skip_nor_repeat() {
        let mut standings = Standings::default();
        standings.take(&entry("opened", 1, 1), Before::Known).unwrap();
        let skipped = standings.take(&entry("approved", 3, 2), Before::Known);
        assert_eq!(skipped, Err(Break::Version { expected: 2, found: 3 }));
        let repeated = standings.take(&entry("approved", 1, 2), Before::Unknown);
        assert_eq!(repeated, Err(Break::Version { expected: 2, found: 1 }));
        assert_eq!(replay(&["watched"], Before::Known).map(|_| ()), Err(Break::NeverOpened));
    }

    #[test]
    fn nothing_is_released_before_its_hold_is_over() {
        let mut standings = Standings::default();
        standings.take(&entry("opened", 1, 1), Before::Known).unwrap();
        let id = standings.take(&entry("approved", 2, 2), Before::Known).unwrap().unwrap();
        standings.decided(id, at(2), Duration::from_secs(900));
        let early = standings.take(&entry("released", 3, 901), Before::Known);
        assert_eq!(early, Err(Break::TooEarly { at: at(901), until: at(902) }));
        assert!(standings.take(&entry("released", 3, 902), Before::Known).is_ok());
    }

    #[test]
    fn another_digest_is_another_transfer() {
        let mut standings = Standings::default();
        standings.take(&entry("opened", 1, 1), Before::Known).unwrap();
        let mut other = entry("approved", 2, 2);
        other.facts.insert("digest".into(), Digest::of(b"other").to_string());
        assert_eq!(standings.take(&other, Before::Known), Err(Break::Digest));
    }
}
