//! A one-use link on which a person of staff makes their passkey.

use serde::{Deserialize, Serialize};
use std::time::Duration;

use crate::domain::details::Digest;
use crate::domain::ids::{InviteId, StaffChangeId, StaffId};
use crate::domain::link::{CODE_TRIES, LinkRefusal};
use crate::domain::time::Timestamp;

/// How long an invite from the host waits once two admins have been, while every admin sees it.
pub const HOST_WAIT: Duration = Duration::from_secs(72 * 3600);
/// Life of an invite once it is open.
pub const INVITE_LIFE: Duration = Duration::from_secs(24 * 3600);
/// Past this many admins who have ever been, the host alone adds nobody at once.
pub const FOUNDERS: u64 = 2;

/// Who caused an invite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "change", rename_all = "snake_case")]
pub enum Origin {
    /// The host's command line, before there were two admins. Worth nothing once there have been two.
    Founding,
    /// The host's command line, later: it waits.
    Host,
    /// Two admins.
    Admins(StaffChangeId),
}

/// An invite as stored, under seal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invite {
    pub id: InviteId,
    pub staff: StaffId,
    pub origin: Origin,
    /// SHA-256 of the link's 16 bytes, of which 112 bits or more are random.
    pub token_hash: Digest,
    pub created_at: Timestamp,
    /// It does nothing before.
    pub opens_at: Timestamp,
    pub expires_at: Timestamp,
    /// Codes typed so far.
    pub tries: u32,
    pub ended_at: Option<Timestamp>,
}

/// Why an invite can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InviteRefusal {
    #[error("{0}")]
    Link(#[from] LinkRefusal),
    #[error("the invite isn't open yet")]
    NotYet { opens_at: Timestamp },
    /// Two admins have been meanwhile.
    #[error("the founding is over")]
    Founded,
}

impl Invite {
    /// When an invite made on the host opens, after so many admins have ever been.
    pub fn from_host(admins_ever: u64, now: Timestamp) -> (Origin, Timestamp) {
        if admins_ever < FOUNDERS { (Origin::Founding, now) } else { (Origin::Host, now + HOST_WAIT) }
    }

    /// Whether a code may still be typed on it.
    ///
    /// # Errors
    /// [`LinkRefusal::CodeUsedUp`].
    pub fn check_tries(&self) -> Result<(), InviteRefusal> {
        if self.tries >= CODE_TRIES { Err(LinkRefusal::CodeUsedUp.into()) } else { Ok(()) }
    }

    /// Whether its time is now, for somebody who has given the right code.
    ///
    /// # Errors
    /// Why not.
    pub fn check_open(&self, now: Timestamp) -> Result<(), InviteRefusal> {
        if self.ended_at.is_some() {
            return Err(LinkRefusal::Ended.into());
        }
        if now >= self.expires_at {
            return Err(LinkRefusal::Expired.into());
        }
        if now < self.opens_at {
            return Err(InviteRefusal::NotYet { opens_at: self.opens_at });
        }
        Ok(())
    }

    /// Whether it was kept from the founding until that was over.
    pub fn is_founding_after(&self, admins_ever: u64) -> bool {
        self.origin == Origin::Founding && admins_ever >= FOUNDERS
    }

    /// Whether a code is typed on it: whoever got the link from one admin gets the code from the other.
    pub const fn needs_code(&self) -> bool {
        matches!(self.origin, Origin::Admins(_))
    }
}
