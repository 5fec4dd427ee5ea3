//! The override request: what staff ask for when the holder can't act, signed by two of them (design section 3, "Dual
//! sign-off"). An aggregate of its own beside the approval: it never releases anything. Carried out, it starts a
//! transfer's cooling-off, ends a freeze, or lets a holder enrol anew, and nothing else in the crate can.
//!
//! [`draw`] picks the signers, [`transitions`] has every step, [`signing`] says what a signature covers.

pub mod draw;
pub mod event;
pub mod signing;
#[cfg(test)]
mod tests;
pub mod transitions;

use serde::{Deserialize, Serialize};
use std::time::Duration;

use super::approval::{Actor, Told, Version};
use super::details::{Digest, Salt};
use super::device::Blob;
use super::ids::{ApprovalId, ChannelId, FreezeId, HolderId, OverrideId, StaffId};
use super::staff::eligible::Ineligible;
use super::staff::{Employer, Group};
use super::text::Line;
use super::time::Timestamp;

/// Silence this long ends a request (design section 3).
pub const SIGN_WITHIN: Duration = Duration::from_secs(4 * 3600);
/// The hold after the first delivered notice (design section 3).
pub const HOLD: Duration = Duration::from_secs(24 * 3600);
/// The hold when a channel is disputed (design section 3).
pub const DISPUTED_HOLD: Duration = Duration::from_secs(72 * 3600);
/// Within this a first notice must be delivered, or nobody was told (design section 3).
pub const TOLD_WITHIN: Duration = Duration::from_secs(24 * 3600);
/// A channel added or changed within this doesn't count as delivery (design section 3).
pub const SETTLED_CHANNEL: Duration = Duration::from_secs(7 * 24 * 3600);
/// Shortest text of a reason and of what a signer checked, so that neither is a key pressed twice.
pub const MIN_WORDS: usize = 20;

/// Text in a staff member's own words, in one line.
pub type Words = Line<500>;

/// Whether somebody took the trouble to say what they mean.
///
/// # Errors
/// [`Refusal::TooFewWords`].
pub fn enough(words: &Words) -> Result<(), Refusal> {
    let letters = words.as_str().chars().filter(|c| c.is_alphanumeric()).count();
    if letters >= MIN_WORDS { Ok(()) } else { Err(Refusal::TooFewWords) }
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Kind {
    /// Two staff members approve one pending transfer instead of the holder. It cools off after that.
    ApproveForHolder { approval: ApprovalId, digest: Digest },
    /// Ends a freeze.
    Unfreeze { freeze: FreezeId },
    /// Every device of the holder is removed, and one may be enrolled as the first.
    ResetDevices,
}

/// The name of a [`Kind`], on the wire and in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KindName {
    ApproveForHolder,
    Unfreeze,
    ResetDevices,
}

/// Everything that is asked, as it is signed. Never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    pub id: OverrideId,
    pub holder: HolderId,
    pub requester: StaffId,
    #[serde(flatten)]
    pub kind: Kind,
    /// Why, in the requester's own words. Checked by nobody, and marked so.
    pub reason: Words,
    /// Channels that are said to be in wrong hands. They get notice without veto, and tell nobody; the hold is longer.
    pub disputed: Vec<ChannelId>,
    pub created_at: Timestamp,
    /// Unguessable, so that the digest gives nothing away.
    pub nonce: Salt,
}

/// One signature, as it stands in the record once it was verified. It counts for the group and the employer in which it
/// was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    pub staff: StaffId,
    pub group: Group,
    pub employer: Employer,
    pub credential_id: Blob,
    pub challenge: Digest,
    /// What the signer checked, and how.
    pub checked: Words,
    pub at: Timestamp,
}

/// An override request with where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverrideRequest {
    pub version: Version,
    pub request: Request,
    /// The two who may sign.
    pub drawn: [StaffId; 2],
    /// Who was drawn before, after the one redraw.
    pub earlier: Option<[StaffId; 2]>,
    pub expires_at: Timestamp,
    pub state: State,
}

/// Where a request stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// Waits for one or two signatures.
    Requested {
        first: Option<Signature>,
    },
    /// Signed twice; the holder is told and can stop it. Not for transfers, which cool off themselves.
    Cooling {
        signatures: [Signature; 2],
        since: Timestamp,
        /// The first notice that counts, once it was delivered. The hold begins with it.
        told: Option<Told>,
        cooling_until: Timestamp,
    },
    CarriedOut {
        signatures: [Signature; 2],
        told: Option<Told>,
        at: Timestamp,
    },
    Refused {
        by: StaffId,
        why: Words,
        at: Timestamp,
    },
    Expired {
        at: Timestamp,
    },
    /// By the holder, or by a staff member.
    Stopped {
        by: Actor,
        at: Timestamp,
    },
    /// Nobody was told in time.
    Unreachable {
        at: Timestamp,
    },
    /// A signature stopped counting, or what was asked for is gone.
    Void {
        why: VoidReason,
        at: Timestamp,
    },
}

/// Why a request came to nothing by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VoidReason {
    /// A signer left, was moved, or lost the role.
    SignerGone,
    /// The transfer, the freeze, or the digest isn't what was signed any more.
    TargetGone,
}

/// The name of a [`State`], on the wire and in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StateName {
    Requested,
    Cooling,
    CarriedOut,
    Refused,
    Expired,
    Stopped,
    Unreachable,
    Void,
}

/// Most of each in a day, so that two who work together can't take one holder after the other. Enforced by the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    /// Requests of one requester.
    pub asked_by_one: u32,
    /// Signatures of one signer.
    pub signed_by_one: u32,
    /// Requests signed by the same two.
    pub signed_by_pair: u32,
    /// Requests signed by any two.
    pub in_all: u32,
}

impl Caps {
    /// Enough for a support centre on a bad day, and few enough to notice. A deployment may set lower ones.
    pub const DEFAULT: Self = Self { asked_by_one: 10, signed_by_one: 10, signed_by_pair: 3, in_all: 50 };
}

/// Why a step isn't allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the request is {}", .0.as_str())]
    State(StateName),
    #[error("its time is over")]
    TimeOver,
    #[error("this person may not sign: {0}")]
    Ineligible(#[from] Ineligible),
    #[error("this person wasn't drawn")]
    NotDrawn,
    #[error("this person has signed")]
    SignedAlready,
    #[error("the two signers are of one group")]
    SameGroup,
    #[error("neither signer is in-house")]
    NobodyInHouse,
    #[error("nobody else can be drawn")]
    NobodyToDraw,
    #[error("it was redrawn before")]
    RedrawnAlready,
    #[error("a signer refused the same within the last day")]
    RefusedBefore,
    #[error("who asks needs the role of an agent or a signer")]
    MayNotAsk,
    #[error("the reason is too short")]
    TooFewWords,
    #[error("a channel that is disputed isn't the holder's")]
    UnknownChannel,
}

impl Kind {
    pub const fn name(&self) -> KindName {
        match self {
            Self::ApproveForHolder { .. } => KindName::ApproveForHolder,
            Self::Unfreeze { .. } => KindName::Unfreeze,
            Self::ResetDevices => KindName::ResetDevices,
        }
    }

    /// The transfer that it is about, if it is about one.
    pub const fn approval(&self) -> Option<ApprovalId> {
        match self {
            Self::ApproveForHolder { approval, .. } => Some(*approval),
            Self::Unfreeze { .. } | Self::ResetDevices => None,
        }
    }
}

impl KindName {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ApproveForHolder => "approve_for_holder",
            Self::Unfreeze => "unfreeze",
            Self::ResetDevices => "reset_devices",
        }
    }
}

impl Request {
    /// RFC 8785 JSON.
    ///
    /// # Errors
    /// When it can't be written as JSON, which no value of this type should cause.
    pub fn canonical(&self) -> Result<String, serde_json::Error> {
        serde_json_canonicalizer::to_string(self)
    }

    /// SHA-256 of the canonical request.
    ///
    /// # Errors
    /// As [`Request::canonical`].
    pub fn digest(&self) -> Result<Digest, serde_json::Error> {
        Ok(Digest::of(self.canonical()?.as_bytes()))
    }

    /// How long it cools off after the first delivered notice.
    pub fn hold(&self) -> Duration {
        if self.disputed.is_empty() { HOLD } else { DISPUTED_HOLD }
    }
}

impl State {
    pub const fn name(&self) -> StateName {
        match self {
            Self::Requested { .. } => StateName::Requested,
            Self::Cooling { .. } => StateName::Cooling,
            Self::CarriedOut { .. } => StateName::CarriedOut,
            Self::Refused { .. } => StateName::Refused,
            Self::Expired { .. } => StateName::Expired,
            Self::Stopped { .. } => StateName::Stopped,
            Self::Unreachable { .. } => StateName::Unreachable,
            Self::Void { .. } => StateName::Void,
        }
    }

    /// The signatures given so far, the first one first. An end that came before both forgets them; the evidence keeps
    /// them.
    pub fn signatures(&self) -> &[Signature] {
        match self {
            Self::Requested { first } => first.as_slice(),
            Self::Cooling { signatures, .. } | Self::CarriedOut { signatures, .. } => signatures,
            Self::Refused { .. }
            | Self::Expired { .. }
            | Self::Stopped { .. }
            | Self::Unreachable { .. }
            | Self::Void { .. } => &[],
        }
    }
}

impl StateName {
    pub const ALL: [Self; 8] = [
        Self::Requested,
        Self::Cooling,
        Self::CarriedOut,
        Self::Refused,
        Self::Expired,
        Self::Stopped,
        Self::Unreachable,
        Self::Void,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Cooling => "cooling",
            Self::CarriedOut => "carried_out",
            Self::Refused => "refused",
            Self::Expired => "expired",
            Self::Stopped => "stopped",
            Self::Unreachable => "unreachable",
            Self::Void => "void",
        }
    }

    /// Whether nothing follows.
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Requested | Self::Cooling)
    }
}

impl Refusal {
    /// A stable short name for audit entries and pages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::State(_) => "state",
            Self::TimeOver => "time_over",
            Self::Ineligible(why) => why.as_str(),
            Self::NotDrawn => "not_drawn",
            Self::SignedAlready => "signed_already",
            Self::SameGroup => "same_group",
            Self::NobodyInHouse => "nobody_in_house",
            Self::NobodyToDraw => "nobody_to_draw",
            Self::RedrawnAlready => "redrawn_already",
            Self::RefusedBefore => "refused_before",
            Self::MayNotAsk => "may_not_ask",
            Self::TooFewWords => "too_few_words",
            Self::UnknownChannel => "unknown_channel",
        }
    }
}

impl OverrideRequest {
    pub const fn id(&self) -> OverrideId {
        self.request.id
    }

    /// Who was drawn for it, and before.
    pub const fn draw(&self) -> draw::Stands {
        draw::Stands { drawn: self.drawn, earlier: self.earlier }
    }

    /// When a worker should look at it next. `None` for a final one.
    pub fn due_at(&self) -> Option<Timestamp> {
        match &self.state {
            State::Requested { .. } => Some(self.expires_at),
            // Nobody was told yet: it is looked at until somebody was.
            State::Cooling { since, told: None, .. } => Some(*since),
            State::Cooling { cooling_until, told: Some(_), .. } => Some(*cooling_until),
            State::CarriedOut { .. }
            | State::Refused { .. }
            | State::Expired { .. }
            | State::Stopped { .. }
            | State::Unreachable { .. }
            | State::Void { .. } => None,
        }
    }
}
