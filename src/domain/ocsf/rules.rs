//! Which OCSF class, activity, severity and outcome each kind of entry has. Kinds written today have a line of their
//! own; a kind whose words are known (`staff.ended`) follows from its words; any other is a Base Event.

/// Class and activity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Base,
    Entity(Change),
    Authentication(Session),
    Finding,
}

/// Activities of Entity Management (3004).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Create,
    Read,
    Update,
    Delete,
    Enroll,
    Disable,
    Suspend,
    Resume,
}

/// Activities of Authentication (3002).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Session {
    Logon,
    Logoff,
    Preauth,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    Informational,
    Low,
    Medium,
    High,
    Critical,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Success,
    Failure,
    /// The entry tells that something was found; it neither succeeded nor failed.
    None,
}

/// What the control did (profile Security Control).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    Approved,
    Blocked,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    pub class: Class,
    pub severity: Severity,
    pub outcome: Outcome,
    pub disposition: Option<Disposition>,
}

const BASE: Rule =
    Rule { class: Class::Base, severity: Severity::Informational, outcome: Outcome::None, disposition: None };

const fn done(change: Change) -> Rule {
    Rule {
        class: Class::Entity(change),
        severity: Severity::Informational,
        outcome: Outcome::Success,
        disposition: None,
    }
}

const fn ends(change: Change, disposition: Disposition) -> Rule {
    Rule { disposition: Some(disposition), ..done(change) }
}

const fn refused(class: Class, severity: Severity) -> Rule {
    Rule { class, severity, outcome: Outcome::Failure, disposition: Some(Disposition::Blocked) }
}

const fn signed(session: Session) -> Rule {
    Rule {
        class: Class::Authentication(session),
        severity: Severity::Informational,
        outcome: Outcome::Success,
        disposition: None,
    }
}

const fn found(severity: Severity, disposition: Option<Disposition>) -> Rule {
    Rule { class: Class::Finding, severity, outcome: Outcome::None, disposition }
}

use Change::{Create, Delete, Disable, Enroll, Read, Resume, Suspend, Update};
use Disposition::{Approved, Blocked};

const LOGON: Class = Class::Authentication(Session::Logon);
const PREAUTH: Class = Class::Authentication(Session::Preauth);

/// Every kind that has a rule of its own.
pub const KNOWN: &[(&str, Rule)] = &[
    ("approval.opened", done(Create)),
    ("approval.watched", done(Update)),
    ("approval.approved", ends(Update, Approved)),
    ("approval.extended", done(Update)),
    ("approval.prolonged", done(Update)),
    ("approval.released", ends(Update, Approved)),
    ("approval.redeemed", ends(Update, Approved)),
    ("approval.rejected", ends(Disable, Blocked)),
    ("approval.cancelled", ends(Disable, Blocked)),
    ("approval.expired", ends(Disable, Blocked)),
    ("backend.added", done(Create)),
    ("key.added", done(Create)),
    ("key.revoked", done(Disable)),
    ("holder.added", done(Create)),
    ("channel.added", done(Create)),
    ("channel.removed", done(Delete)),
    ("notice.bounced", done(Update)),
    ("enrolment.invited", done(Create)),
    ("enrolment.declined", done(Delete)),
    ("device.enrolled", done(Enroll)),
    ("device.removed", done(Delete)),
    ("endpoint.added", done(Create)),
    ("endpoint.changed", done(Update)),
    ("endpoint.rotated", done(Update)),
    ("endpoint.removed", done(Delete)),
    ("endpoint.tested", done(Read)),
    ("delivery.repeated", done(Update)),
    ("enrol.code_right", signed(Session::Preauth)),
    ("enrol.code_wrong", refused(PREAUTH, Severity::Low)),
    ("enrol.refused", refused(PREAUTH, Severity::Medium)),
    ("decide.failed", refused(LOGON, Severity::Medium)),
    ("decide.refused", refused(LOGON, Severity::Medium)),
    ("redeem.refused", refused(Class::Entity(Update), Severity::Medium)),
    ("device.locked", found(Severity::High, Some(Blocked))),
    ("holder.frozen", found(Severity::High, Some(Blocked))),
    ("row.forged", found(Severity::Critical, Some(Blocked))),
    ("row.corrupt", found(Severity::High, Some(Blocked))),
    ("staff.joined", done(Enroll)),
    ("staff.founder_invited", Rule { severity: Severity::Medium, ..done(Create) }),
    ("staff.invited_from_host", Rule { severity: Severity::Medium, ..done(Create) }),
    ("staff.code_right", signed(Session::Preauth)),
    ("staff.code_wrong", refused(PREAUTH, Severity::Low)),
    ("holder.view_refused", refused(Class::Entity(Read), Severity::Medium)),
    ("holder.erased", Rule { severity: Severity::Medium, ..done(Delete) }),
    ("log.shrunk", found(Severity::Critical, Some(Blocked))),
    // What two staff members decide instead of the holder is never a mere piece of information.
    ("override.asked", Rule { severity: Severity::Medium, ..done(Create) }),
    ("override.redrawn", Rule { severity: Severity::Low, ..done(Update) }),
    ("override.signed", Rule { severity: Severity::Medium, ..ends(Update, Approved) }),
    ("override.signed_twice", Rule { severity: Severity::High, ..ends(Update, Approved) }),
    ("override.told", done(Update)),
    ("override.carried_out", Rule { severity: Severity::High, ..ends(Update, Approved) }),
    ("override.refused_by_signer", Rule { severity: Severity::Medium, ..ends(Disable, Blocked) }),
    ("override.expired", ends(Disable, Blocked)),
    ("override.stopped", Rule { severity: Severity::Medium, ..ends(Disable, Blocked) }),
    ("override.unreachable", Rule { severity: Severity::Medium, ..ends(Disable, Blocked) }),
    ("override.void", Rule { severity: Severity::Medium, ..ends(Disable, Blocked) }),
    ("override.refused", refused(Class::Entity(Update), Severity::Medium)),
    ("holder.unfrozen", Rule { severity: Severity::Medium, ..done(Resume) }),
    ("freeze.lift_asked", Rule { severity: Severity::Medium, ..done(Update) }),
    ("freeze.refused", refused(Class::Entity(Suspend), Severity::Medium)),
    ("lift.refused", refused(LOGON, Severity::Medium)),
    ("lift.failed", refused(LOGON, Severity::Medium)),
    ("staff.refused", refused(Class::Entity(Read), Severity::Medium)),
    ("staff.join_refused", refused(PREAUTH, Severity::Medium)),
    ("staff_change.sign_refused", refused(Class::Entity(Update), Severity::Medium)),
];

/// First words of kinds about things that staff and operators manage.
const THINGS: &[&str] = &[
    "approval",
    "backend",
    "key",
    "holder",
    "channel",
    "device",
    "enrolment",
    "endpoint",
    "staff",
    "group",
    "role",
    "case",
    "override",
    "session",
    "policy",
    "export",
    "report",
    "invite",
    "passkey",
    "scim",
    "log",
    "record",
    "staff_change",
    "directory_key",
    "freeze",
    "lift",
];

/// Last words, and what they do.
const DEEDS: &[(&str, Rule)] = &[
    ("added", done(Create)),
    ("created", done(Create)),
    ("opened", done(Create)),
    ("invited", done(Create)),
    ("requested", done(Create)),
    ("proposed", done(Create)),
    ("viewed", done(Read)),
    ("read", done(Read)),
    ("looked_up", done(Read)),
    ("exported", done(Read)),
    ("revealed", Rule { severity: Severity::Low, ..done(Read) }),
    ("changed", done(Update)),
    ("extended", done(Update)),
    ("assigned", done(Update)),
    ("drawn", done(Update)),
    ("redrawn", done(Update)),
    ("rotated", done(Update)),
    ("recovered", Rule { severity: Severity::High, ..done(Resume) }),
    ("signed", ends(Update, Approved)),
    ("carried_out", Rule { severity: Severity::Medium, ..ends(Update, Approved) }),
    ("accepted", done(Enroll)),
    ("enrolled", done(Enroll)),
    ("removed", done(Delete)),
    ("deleted", done(Delete)),
    ("ended", done(Disable)),
    ("revoked", done(Disable)),
    ("closed", done(Disable)),
    ("stopped", ends(Disable, Blocked)),
    ("cancelled", ends(Disable, Blocked)),
    ("declined", ends(Disable, Blocked)),
    ("void", ends(Disable, Blocked)),
    ("voided", ends(Disable, Blocked)),
    ("unreachable", ends(Disable, Blocked)),
    ("expired", ends(Disable, Blocked)),
    ("frozen", Rule { severity: Severity::Medium, ..done(Suspend) }),
    ("locked", Rule { severity: Severity::Medium, ..done(Suspend) }),
    ("unfrozen", Rule { severity: Severity::Medium, ..done(Resume) }),
    ("signed_in", signed(Session::Logon)),
    ("signed_out", signed(Session::Logoff)),
    ("sign_in_refused", refused(LOGON, Severity::Medium)),
    ("sign_in_failed", refused(LOGON, Severity::Medium)),
    ("refused", refused(Class::Entity(Update), Severity::Medium)),
    ("failed", refused(Class::Entity(Update), Severity::Medium)),
];

/// The rule of a kind.
pub fn of(kind: &str) -> Rule {
    if let Some((_, rule)) = KNOWN.iter().find(|(known, _)| *known == kind) {
        return *rule;
    }
    let Some((thing, deed)) = kind.rsplit_once('.') else { return BASE };
    let thing = thing.split('.').next().unwrap_or(thing);
    let managed = THINGS.contains(&thing);
    DEEDS.iter().find(|(word, _)| managed && *word == deed).map_or(BASE, |(_, rule)| *rule)
}

impl Class {
    pub const fn uid(self) -> (u32, &'static str) {
        match self {
            Self::Base => (0, "Base Event"),
            Self::Entity(_) => (3004, "Entity Management"),
            Self::Authentication(_) => (3002, "Authentication"),
            Self::Finding => (2004, "Detection Finding"),
        }
    }

    pub const fn category(self) -> (u32, &'static str) {
        match self {
            Self::Base => (0, "Uncategorized"),
            Self::Entity(_) | Self::Authentication(_) => (3, "Identity & Access Management"),
            Self::Finding => (2, "Findings"),
        }
    }

    pub const fn activity(self) -> (u32, &'static str) {
        match self {
            Self::Base => (99, "Other"),
            Self::Entity(Create) | Self::Finding => (1, "Create"),
            Self::Entity(Read) => (2, "Read"),
            Self::Entity(Update) => (3, "Update"),
            Self::Entity(Delete) => (4, "Delete"),
            Self::Entity(Enroll) => (6, "Enroll"),
            Self::Entity(Disable) => (9, "Disable"),
            Self::Entity(Suspend) => (12, "Suspend"),
            Self::Entity(Resume) => (13, "Resume"),
            Self::Authentication(Session::Logon) => (1, "Logon"),
            Self::Authentication(Session::Logoff) => (2, "Logoff"),
            Self::Authentication(Session::Preauth) => (6, "Preauth"),
        }
    }
}

impl Severity {
    pub const fn id(self) -> (u32, &'static str) {
        match self {
            Self::Informational => (1, "Informational"),
            Self::Low => (2, "Low"),
            Self::Medium => (3, "Medium"),
            Self::High => (4, "High"),
            Self::Critical => (5, "Critical"),
        }
    }
}

impl Outcome {
    pub const fn status(self) -> Option<(u32, &'static str)> {
        match self {
            Self::Success => Some((1, "Success")),
            Self::Failure => Some((2, "Failure")),
            Self::None => None,
        }
    }
}

impl Disposition {
    pub const fn id(self) -> (u32, &'static str) {
        match self {
            Self::Approved => (8, "Approved"),
            Self::Blocked => (2, "Blocked"),
        }
    }

    pub const fn action(self) -> (u32, &'static str) {
        match self {
            Self::Approved => (1, "Allowed"),
            Self::Blocked => (2, "Denied"),
        }
    }
}
