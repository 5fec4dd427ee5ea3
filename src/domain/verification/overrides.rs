//! What became of each override request, replayed from the entries and from the texts that were signed: two different
//! people signed the same request, neither of them asked for it, they are of two groups and one is in-house; and
//! nothing was carried out before its hold was over (design section 3, "Dual sign-off").

use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;
use std::time::Duration;

use super::standing::Before;
use crate::domain::approval::Version;
use crate::domain::audit::reading::Reading;
use crate::domain::details::Digest;
use crate::domain::ids::{ApprovalId, FreezeId, HolderId, OverrideId, StaffId};
use crate::domain::override_request::StateName;
use crate::domain::time::Timestamp;

/// The hold after two signatures (design section 3), written down a second time.
const HOLD: Duration = Duration::from_secs(24 * 3600);
/// The hold when a channel is disputed (design section 3).
const DISPUTED_HOLD: Duration = Duration::from_secs(72 * 3600);
const APPROVE: &str = "approve_for_holder";
const IN_HOUSE: &str = "in-house";

/// Where an override stands by the entries read so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    pub state: StateName,
    pub version: Version,
    /// SHA-256 of the canonical request.
    pub request: Digest,
    approval: Option<ApprovalId>,
    /// The freeze that the signed request is about.
    freeze: Option<FreezeId>,
    hands: Vec<Hand>,
    /// Not carried out before.
    until: Timestamp,
}

/// Who signed, in which group and for which employer.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Hand {
    staff: StaffId,
    group: String,
    employer: String,
}

/// What an entry of an override did to something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happened {
    /// A transfer that waits got more time to be signed.
    Prolonged { approval: ApprovalId, version: Version },
    /// Two staff members approved a transfer.
    Approved { approval: ApprovalId, version: Version, digest: Digest, case: OverrideId, request: Digest },
    /// A freeze ended.
    Unfrozen { freeze: FreezeId },
}

/// Why an entry can't follow those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CaseBreak {
    #[error("it names no override request")]
    NoRequest,
    #[error("it lacks its version, its digest, or what it did to the transfer")]
    Facts,
    #[error("the override was never asked for")]
    NeverAsked,
    #[error("it can't follow on an override that is {}", .0.as_str())]
    State(StateName),
    #[error("it has version {found} and should have {expected}")]
    Version { expected: Version, found: Version },
    #[error("it is about another request than was asked for")]
    Request,
    #[error("it was carried out at {at}, before its hold was over at {until}")]
    TooEarly { at: Timestamp, until: Timestamp },
    #[error("{0} signed before it, and it takes one before the second, and none before the first")]
    Signatures(usize),
    #[error("the same person signed twice")]
    SamePerson,
    #[error("who asked for it signed it")]
    Requester,
    #[error("both signers are of one group")]
    SameGroup,
    #[error("neither signer is in-house")]
    NobodyInHouse,
    #[error("what was signed isn't this: {0}")]
    Signed(&'static str),
}

/// Every override met so far.
#[derive(Debug, Default)]
pub struct Cases(HashMap<OverrideId, Case>);

/// The text under a signature, as far as it is looked at.
#[derive(Deserialize)]
struct Statement {
    request: Value,
    version: Version,
}

#[derive(Deserialize)]
struct Request {
    id: OverrideId,
    holder: HolderId,
    requester: StaffId,
    kind: String,
    approval: Option<ApprovalId>,
    digest: Option<Digest>,
    freeze: Option<FreezeId>,
    disputed: Vec<String>,
}

impl Cases {
    pub fn get(&self, id: OverrideId) -> Option<&Case> {
        self.0.get(&id)
    }

    /// Overrides met, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (OverrideId, &Case)> {
        self.0.iter().map(|(id, case)| (*id, case))
    }

    /// Takes the next entry of kind `override.…`. Attempts that were refused, and any other kind, are let be.
    ///
    /// # Errors
    /// [`CaseBreak`].
    pub fn take(&mut self, entry: &Reading, before: Before) -> Result<Option<Happened>, CaseBreak> {
        let Some(step) = entry.kind.strip_prefix("override.").filter(|step| *step != "refused") else {
            return Ok(None);
        };
        let id: OverrideId = object(entry, "ovr").ok_or(CaseBreak::NoRequest)?;
        let version: Version = fact(entry, "version").ok_or(CaseBreak::Facts)?;
        let request: Digest = fact(entry, "digest").ok_or(CaseBreak::Facts)?;
        let approval = object(entry, "apr");
        if (entry.fact("kind") == Some(APPROVE)) != approval.is_some() {
            return Err(CaseBreak::Facts);
        }
        let new = Case {
            state: StateName::Requested,
            version,
            request,
            approval,
            freeze: None,
            hands: Vec::new(),
            until: Timestamp::EPOCH,
        };
        let mut case = match (self.0.get(&id).cloned(), step) {
            (None, "asked") if version == 1 => {
                self.0.insert(id, new);
                return prolonged(entry, approval);
            }
            (Some(case), "asked") => return Err(CaseBreak::State(case.state)),
            (None, "asked") => return Err(CaseBreak::Version { expected: 1, found: version }),
            (None, _) if before == Before::Known => return Err(CaseBreak::NeverAsked),
            // What came before isn't known: it stands one step earlier.
            (None, _) => Case { version: version.saturating_sub(1), state: earlier(step), ..new },
            (Some(case), _) => case,
        };
        if (case.request, case.approval) != (request, approval) {
            return Err(CaseBreak::Request);
        }
        let expected = case.version + 1;
        if version != expected && (before == Before::Known || version < expected) {
            return Err(CaseBreak::Version { expected, found: version });
        }
        case.state = follow(&case, step, before)?;
        case.version = version;
        if matches!(step, "signed" | "signed_twice") {
            case.sign(entry, step, before)?;
        }
        if step == "carried_out" && entry.at < case.until {
            return Err(CaseBreak::TooEarly { at: entry.at, until: case.until });
        }
        let happened = match (step, case.approval) {
            ("signed_twice", Some(approval)) => {
                let version = fact(entry, "approval_version").ok_or(CaseBreak::Facts)?;
                let digest = fact(entry, "approval_digest").ok_or(CaseBreak::Facts)?;
                Some(Happened::Approved { approval, version, digest, case: id, request })
            }
            ("carried_out", None) => case.freeze.map(|freeze| Happened::Unfrozen { freeze }),
            _ => None,
        };
        self.0.insert(id, case);
        Ok(happened)
    }

    /// Takes the text under the signature of an entry, whose own signature was checked, and gives the transfer that it
    /// approves with the hold that was signed.
    ///
    /// # Errors
    /// [`CaseBreak`] when the text is about something else than the entry.
    pub fn signed(
        &mut self,
        entry: &Reading,
        signer: StaffId,
        about: [u8; 16],
        text: &str,
    ) -> Result<Option<(ApprovalId, Duration)>, CaseBreak> {
        let other = |what| Err(CaseBreak::Signed(what));
        let statement: Statement = serde_json::from_str(text).map_err(|_| CaseBreak::Signed("it doesn't read"))?;
        let canonical = serde_json_canonicalizer::to_string(&statement.request)
            .map_err(|_| CaseBreak::Signed("it doesn't read"))?;
        let request: Request =
            serde_json::from_value(statement.request).map_err(|_| CaseBreak::Signed("it doesn't read"))?;
        let id: OverrideId = object(entry, "ovr").ok_or(CaseBreak::NoRequest)?;
        if request.id != id || *id.bytes() != about {
            return other("another override");
        }
        if fact(entry, "digest") != Some(Digest::of(canonical.as_bytes())) {
            return other("another request");
        }
        if fact(entry, "version") != statement.version.checked_add(1) {
            return other("another version");
        }
        if object(entry, "hld") != Some(request.holder) || object(entry, "apr") != request.approval {
            return other("another holder or transfer");
        }
        if entry.fact("kind") != Some(request.kind.as_str()) {
            return other("another kind");
        }
        if request.requester == signer {
            return Err(CaseBreak::Requester);
        }
        if entry.kind != "override.signed_twice" {
            return Ok(None);
        }
        if fact(entry, "approval_digest") != request.digest {
            return other("another digest of the transfer");
        }
        let hold = if request.disputed.is_empty() { HOLD } else { DISPUTED_HOLD };
        // A transfer's own terms may have demanded a longer one, and the entry says so. It can't say a shorter one.
        let longer = match entry.fact("hold_micros").map(str::parse) {
            Some(Ok(micros)) => Duration::from_micros(micros),
            Some(Err(_)) => return Err(CaseBreak::Facts),
            None => Duration::ZERO,
        };
        let hold = hold.max(longer);
        if let Some(case) = self.0.get_mut(&id) {
            case.until = entry.at + hold;
            case.freeze = request.freeze;
        }
        Ok(request.approval.map(|approval| (approval, hold)))
    }
}

impl Case {
    /// The state as a row of the record has it.
    pub const fn stands(&self) -> (StateName, Version, Digest) {
        (self.state, self.version, self.request)
    }

    fn sign(&mut self, entry: &Reading, step: &str, before: Before) -> Result<(), CaseBreak> {
        let staff = entry.actor.id.as_deref().filter(|_| entry.actor.kind == "staff");
        let staff = staff.and_then(|id| id.parse().ok()).ok_or(CaseBreak::Facts)?;
        let said = |name| entry.fact(name).map(str::to_owned).ok_or(CaseBreak::Facts);
        let hand = Hand { staff, group: said("group")?, employer: said("employer")? };
        let needed = usize::from(step == "signed_twice");
        if self.hands.len() > needed || (self.hands.len() < needed && before == Before::Known) {
            return Err(CaseBreak::Signatures(self.hands.len()));
        }
        for first in &self.hands {
            if first.staff == hand.staff {
                return Err(CaseBreak::SamePerson);
            }
            if first.group == hand.group {
                return Err(CaseBreak::SameGroup);
            }
            if first.employer != IN_HOUSE && hand.employer != IN_HOUSE {
                return Err(CaseBreak::NobodyInHouse);
            }
        }
        self.hands.push(hand);
        Ok(())
    }
}

fn object<T: std::str::FromStr>(entry: &Reading, prefix: &str) -> Option<T> {
    entry.object_of(prefix).and_then(|id| id.parse().ok())
}

fn fact<T: std::str::FromStr>(entry: &Reading, name: &str) -> Option<T> {
    entry.fact(name).and_then(|text| text.parse().ok())
}

/// Asking gives a transfer more time, once; the entry says so by the transfer's new version.
fn prolonged(entry: &Reading, approval: Option<ApprovalId>) -> Result<Option<Happened>, CaseBreak> {
    match (entry.fact("approval_version"), approval) {
        (None, _) => Ok(None),
        (Some(version), Some(approval)) => {
            let version = version.parse().map_err(|_| CaseBreak::Facts)?;
            Ok(Some(Happened::Prolonged { approval, version }))
        }
        (Some(_), None) => Err(CaseBreak::Facts),
    }
}

/// Where an override must have stood for a step.
fn earlier(step: &str) -> StateName {
    match step {
        "told" | "carried_out" | "unreachable" => StateName::Cooling,
        _ => StateName::Requested,
    }
}

fn follow(case: &Case, step: &str, before: Before) -> Result<StateName, CaseBreak> {
    use StateName::{CarriedOut, Cooling, Expired, Refused, Requested, Stopped, Unreachable, Void};
    // A transfer cools off itself.
    let signed = if case.approval.is_some() { CarriedOut } else { Cooling };
    Ok(match (case.state, step) {
        (Requested, "redrawn" | "signed") => Requested,
        (Requested, "signed_twice") => signed,
        (Requested, "refused_by_signer") => Refused,
        (Requested, "expired") => Expired,
        (Requested | Cooling, "stopped") => Stopped,
        (Requested | Cooling, "void") => Void,
        (Cooling, "told") => Cooling,
        (Cooling, "unreachable") => Unreachable,
        (Cooling, "carried_out") => CarriedOut,
        // The entry of the second signature may have been erased.
        (Requested, "told") if before == Before::Unknown => Cooling,
        (Requested, "unreachable") if before == Before::Unknown => Unreachable,
        (Requested, "carried_out") if before == Before::Unknown => CarriedOut,
        (from, _) => return Err(CaseBreak::State(from)),
    })
}

#[cfg(test)]
mod tests;
