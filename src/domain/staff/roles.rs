//! Roles. Who decides who signs must not sign: admin and signer exclude each other, and no value holds both.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What a staff member may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Looks up a holder, cancels, extends, freezes, asks for overrides.
    Agent,
    /// Signs overrides.
    Signer,
    /// Reads the audit log.
    Auditor,
    /// Decides with another admin who belongs to staff; ends anybody alone.
    Admin,
}

/// The roles of one person.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "Vec<Role>", into = "Vec<Role>")]
pub struct Roles {
    agent: Held,
    auditor: Held,
    seat: Seat,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
enum Held {
    #[default]
    No,
    Yes,
}

/// The two roles of which nobody has both: one field, so that there is no place for the other.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
enum Seat {
    #[default]
    Neither,
    Signer,
    Admin,
}

/// The roles don't go together, or aren't roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadRoles {
    #[error("an admin can't be a signer")]
    AdminSigner,
    #[error("at least one role is needed")]
    Empty,
    #[error("the roles are agent, signer, auditor and admin")]
    Unknown,
}

impl Role {
    pub const ALL: [Self; 4] = [Self::Agent, Self::Signer, Self::Auditor, Self::Admin];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Signer => "signer",
            Self::Auditor => "auditor",
            Self::Admin => "admin",
        }
    }
}

impl FromStr for Role {
    type Err = BadRoles;

    fn from_str(text: &str) -> Result<Self, BadRoles> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(BadRoles::Unknown)
    }
}

impl Roles {
    /// # Errors
    /// [`BadRoles::Empty`] and [`BadRoles::AdminSigner`].
    pub fn of(roles: &[Role]) -> Result<Self, BadRoles> {
        let mut all = Self::default();
        for role in roles {
            match (role, all.seat) {
                (Role::Agent, _) => all.agent = Held::Yes,
                (Role::Auditor, _) => all.auditor = Held::Yes,
                (Role::Signer, Seat::Admin) | (Role::Admin, Seat::Signer) => return Err(BadRoles::AdminSigner),
                (Role::Signer, _) => all.seat = Seat::Signer,
                (Role::Admin, _) => all.seat = Seat::Admin,
            }
        }
        if roles.is_empty() { Err(BadRoles::Empty) } else { Ok(all) }
    }

    pub const fn has(&self, role: Role) -> bool {
        match role {
            Role::Agent => matches!(self.agent, Held::Yes),
            Role::Auditor => matches!(self.auditor, Held::Yes),
            Role::Signer => matches!(self.seat, Seat::Signer),
            Role::Admin => matches!(self.seat, Seat::Admin),
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = Role> + '_ {
        Role::ALL.into_iter().filter(|role| self.has(*role))
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, role) in self.iter().enumerate() {
            if at > 0 {
                f.write_str(", ")?;
            }
            f.write_str(role.as_str())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl TryFrom<Vec<Role>> for Roles {
    type Error = BadRoles;

    fn try_from(roles: Vec<Role>) -> Result<Self, BadRoles> {
        Self::of(&roles)
    }
}

impl From<Roles> for Vec<Role> {
    fn from(roles: Roles) -> Self {
        roles.iter().collect()
    }
}
