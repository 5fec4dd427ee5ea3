//! Links. A link in a notice can only stop; a waiting link only watches and stops; an enrolment link enrols once.
//!
//! Cancel and waiting links carry the approval's id and a keyed tag over it, so that they need no row of their own. An
//! enrolment link is 128 random bits, of which only the hash is stored.

use serde::{Deserialize, Serialize};
use std::time::Duration;

use super::details::Digest;
use super::ids::{HolderId, LinkId};
use super::time::Timestamp;

/// Life of an enrolment link and of its code (NIST SP 800-63B-4 section 4.1.2.1, at most 10 minutes).
pub const ENROL_LINK_LIFE: Duration = Duration::from_secs(600);
/// Tries of a code, counted in SQL.
pub const CODE_TRIES: u32 = 5;

/// Enrolment links of one holder in a day. Each has a code of its own with [`CODE_TRIES`], so this bounds how often a code
/// can be guessed: 50 times a day. An honest holder needs one or two.
pub const LINKS_A_DAY: u32 = 10;
/// What that day is: the last 24 hours.
pub const LINKS_DAY: Duration = Duration::from_secs(24 * 3600);

/// An enrolment link as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolLink {
    pub id: LinkId,
    pub holder: HolderId,
    pub token_hash: Digest,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    /// Codes typed so far, the right one too.
    pub tries: u32,
    pub ended_at: Option<Timestamp>,
}

/// Why an enrolment link can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum LinkRefusal {
    #[error("the link was used or ended")]
    Ended,
    #[error("the link's time is over")]
    Expired,
    #[error("the code was tried too often")]
    CodeUsedUp,
}

impl EnrolLink {
    /// Whether the link can still be used.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, now: Timestamp) -> Result<(), LinkRefusal> {
        self.check_open(now)?;
        if self.tries >= CODE_TRIES {
            return Err(LinkRefusal::CodeUsedUp);
        }
        Ok(())
    }

    /// Whether an enrolment that has given the right code may go on.
    ///
    /// # Errors
    /// Why not.
    pub fn check_open(&self, now: Timestamp) -> Result<(), LinkRefusal> {
        if self.ended_at.is_some() {
            return Err(LinkRefusal::Ended);
        }
        if now >= self.expires_at {
            return Err(LinkRefusal::Expired);
        }
        Ok(())
    }
}

/// Six decimal digits from a keyed hash, by dynamic truncation (RFC 4226 section 5.3).
pub fn six_digits(tag: &[u8; 32]) -> String {
    let offset = usize::from(tag[31] & 0x0f);
    let word = tag[offset..offset + 4].iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte));
    format!("{:06}", (word & 0x7fff_ffff) % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_ends_by_use_time_and_tries() {
        let now = Timestamp::from_micros(10);
        let link = EnrolLink {
            id: LinkId::new(now, [0; 10]),
            holder: HolderId::new(now, [0; 10]),
            token_hash: Digest::of(b"x"),
            created_at: now,
            expires_at: now + ENROL_LINK_LIFE,
            tries: 0,
            ended_at: None,
        };
        assert_eq!(link.check(now), Ok(()));
        assert_eq!(link.check(now + ENROL_LINK_LIFE), Err(LinkRefusal::Expired));
        assert_eq!(EnrolLink { tries: CODE_TRIES, ..link.clone() }.check(now), Err(LinkRefusal::CodeUsedUp));
        assert_eq!(EnrolLink { ended_at: Some(now), ..link }.check(now), Err(LinkRefusal::Ended));
    }

    #[test]
    fn codes_have_six_digits() {
        assert_eq!(six_digits(&[0; 32]), "000000");
        let mut tag = [0xff; 32];
        tag[31] = 0;
        assert_eq!(six_digits(&tag), format!("{:06}", 0x7fff_ffff_u32 % 1_000_000));
    }
}
