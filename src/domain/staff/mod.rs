//! Staff: people at the operator of the service. What each is, what they may do, and when that ends.
//!
//! A person's whole record is one body, which is sealed: whoever can write to the database but doesn't have the key
//! can't make a signer. Read on in [`roles`], [`change`] (what two admins decide), [`signing`] (what a signature of
//! staff covers), [`eligible`] (who may sign an override) and [`view`] (what looking at a holder leaves behind).

pub mod change;
pub mod directory;
pub mod eligible;
pub mod invite;
pub mod notice;
pub mod passkey;
pub mod roles;
pub mod session;
pub mod signing;
pub mod view;

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::approval::Actor;
use super::audit::Facts;
use super::ids::{HolderId, StaffId};
use super::text::{BadText, Line, Token};
use super::time::Timestamp;
pub use roles::{BadRoles, Role, Roles};

/// A person's name. Staff are named in full to each other, and never to holders.
pub type StaffName = Line<80>;
/// Why somebody of staff did something, in one line. Required, never prefilled.
pub type Reason = Line<200>;

/// The part of the operator that a person works in. Two signers come from two groups.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Group(Token<40>);

impl Group {
    /// # Errors
    /// [`BadText`] when it isn't a plain token of at most 40 characters.
    pub fn parse(text: &str) -> Result<Self, BadText> {
        Token::parse(&text.to_ascii_lowercase()).map(Self)
    }

    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl std::fmt::Display for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who pays a person.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", content = "name", rename_all = "snake_case")]
pub enum Employer {
    InHouse,
    /// A contractor's firm, by name.
    Vendor(Line<60>),
}

impl Employer {
    /// The word for somebody of the operator's own, in forms and on the command line.
    pub const IN_HOUSE: &'static str = "in-house";

    /// Reads `in-house`, or the name of a vendor.
    ///
    /// # Errors
    /// [`BadText`] of the vendor's name.
    pub fn parse(text: &str) -> Result<Self, BadText> {
        if text.eq_ignore_ascii_case(Self::IN_HOUSE) { Ok(Self::InHouse) } else { Line::parse(text).map(Self::Vendor) }
    }

    pub const fn is_in_house(&self) -> bool {
        matches!(self, Self::InHouse)
    }
}

impl std::fmt::Display for Employer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::InHouse => f.write_str(Self::IN_HOUSE),
            Self::Vendor(name) => write!(f, "{name}"),
        }
    }
}

/// A person's name at the identity provider (`userName` of SCIM, RFC 7643 section 4.1.1, which ignores case).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserName(Token<120>);

impl UserName {
    /// # Errors
    /// [`BadText`] when it isn't a plain token of at most 120 characters.
    pub fn parse(text: &str) -> Result<Self, BadText> {
        Token::parse(&text.to_ascii_lowercase()).map(Self)
    }

    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// The identity provider's own id of a person (`externalId`, RFC 7643 section 3.1).
pub type ExternalId = Token<120>;

/// What two admins decide about a person: everything but the passkey.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    pub name: StaffName,
    pub group: Group,
    pub employer: Employer,
    pub roles: Roles,
    /// The last moment of the contract. Nothing that the person does counts from then on.
    pub ends_at: Timestamp,
    /// By which an identity provider knows the person, if one does.
    pub user_name: Option<UserName>,
    pub external_id: Option<ExternalId>,
    /// Holders who are this person. They look at none of them, and do and decide nothing about them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub own_holders: Vec<HolderId>,
    /// Where the person is told that a case waits for them, if anywhere. Records from before have none. Boxed, because
    /// most have none and a proposal holds two profiles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<Box<notice::Mailbox>>,
}

/// More accounts than one person has.
pub const MAX_OWN_HOLDERS: usize = 10;

impl Profile {
    /// Whether this holder is the person themself.
    pub fn is(&self, holder: HolderId) -> bool {
        self.own_holders.contains(&holder)
    }
}

/// How far a person has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Status {
    /// No passkey yet.
    Invited,
    Active {
        enrolled_at: Timestamp,
    },
    /// For good. Somebody who comes back is added anew, as another person.
    Ended {
        at: Timestamp,
        by: Actor,
        why: EndReason,
        enrolled_at: Option<Timestamp>,
    },
}

/// Why somebody was ended before the end date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// An admin's click.
    Admin,
    /// The identity provider switched them off.
    Directory,
    /// The identity provider deleted them.
    Deleted,
}

impl EndReason {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Directory => "directory",
            Self::Deleted => "deleted",
        }
    }
}

/// One person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Staff {
    pub id: StaffId,
    /// Rises with every change; the record is stored by compare-and-set on it.
    pub version: u32,
    pub profile: Profile,
    /// Since when the person holds each role, in this group and for this employer.
    pub in_role_since: BTreeMap<Role, Timestamp>,
    pub created_at: Timestamp,
    /// When the person first was an admin with a passkey. Never forgotten: the host may add staff at once only until
    /// two have been.
    pub first_admin_at: Option<Timestamp>,
    pub status: Status,
}

/// Why a person may do nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Gone {
    #[error("there is no passkey yet")]
    NotEnrolled,
    #[error("the person was ended")]
    Ended,
    #[error("the person's time is over")]
    Expired,
}

impl Staff {
    /// A person whom nobody has seen yet.
    pub fn new(id: StaffId, profile: Profile, now: Timestamp) -> Self {
        let in_role_since = profile.roles.iter().map(|role| (role, now)).collect();
        Self { id, version: 1, profile, in_role_since, created_at: now, first_admin_at: None, status: Status::Invited }
    }

    /// Whether the person may act at all. Asked on every request and at every use of a signature, so that an end needs
    /// no job to take effect.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, now: Timestamp) -> Result<(), Gone> {
        match self.status {
            Status::Ended { .. } => Err(Gone::Ended),
            _ if now >= self.profile.ends_at => Err(Gone::Expired),
            Status::Invited => Err(Gone::NotEnrolled),
            Status::Active { .. } => Ok(()),
        }
    }

    /// Whether the person may act in this role now.
    pub fn may(&self, role: Role, now: Timestamp) -> bool {
        self.check(now).is_ok() && self.profile.roles.has(role)
    }

    /// The person with their passkey made.
    pub fn enrolled(&self, now: Timestamp) -> Self {
        let mut next = self.next();
        next.status = Status::Active { enrolled_at: now };
        // Time in a role counts from when the person could use it.
        next.in_role_since.values_mut().for_each(|since| *since = now);
        next.note_admin(now);
        next
    }

    /// The person as if they had been in their roles long enough to sign. For a demo, whose people can't wait.
    pub fn seasoned(mut self) -> Self {
        self.in_role_since.values_mut().for_each(|since| *since = *since - eligible::SIGNER_AFTER);
        self
    }

    /// The person as two admins decided. A role that is kept keeps its time, unless group or employer changes: then
    /// all begin anew, so that nobody is moved into the group that a case still needs.
    pub fn changed(&self, profile: Profile, now: Timestamp) -> Self {
        let mut next = self.next();
        let moved = self.profile.group != profile.group || self.profile.employer != profile.employer;
        let since = |role| match self.in_role_since.get(&role) {
            Some(since) if !moved => *since,
            _ => now,
        };
        next.in_role_since = profile.roles.iter().map(|role| (role, since(role))).collect();
        next.profile = profile;
        if matches!(next.status, Status::Active { .. }) {
            next.note_admin(now);
        }
        next
    }

    /// The person ended. `None` when they were ended before.
    pub fn ended(&self, by: Actor, why: EndReason, now: Timestamp) -> Option<Self> {
        let enrolled_at = match self.status {
            Status::Ended { .. } => return None,
            Status::Invited => None,
            Status::Active { enrolled_at } => Some(enrolled_at),
        };
        let mut next = self.next();
        next.status = Status::Ended { at: now, by, why, enrolled_at };
        Some(next)
    }

    /// What every audit entry of this person says beside what happened.
    pub fn facts(&self) -> Facts {
        Facts::from([
            ("employer", self.profile.employer.to_string()),
            ("group", self.profile.group.to_string()),
            ("roles", self.profile.roles.to_string()),
        ])
    }

    fn next(&self) -> Self {
        let mut next = self.clone();
        next.version += 1;
        next
    }

    fn note_admin(&mut self, now: Timestamp) {
        if self.profile.roles.has(Role::Admin) {
            self.first_admin_at.get_or_insert(now);
        }
    }
}

/// How many admins with a passkey have ever been.
pub fn admins_ever(everybody: &[Staff]) -> u64 {
    everybody.iter().map(|person| u64::from(person.first_admin_at.is_some())).sum()
}

#[cfg(test)]
mod tests;
