//! Which entries an auditor asks for. A filter is made of typed ids and fixed words only, because it is written into
//! the log itself with the look: nothing in it can be somebody's name.

use std::fmt;
use std::str::FromStr;

use super::Facts;
use super::reading::Reading;
use crate::domain::time::Timestamp;

/// The text isn't an id of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("should read like apr_ and 32 lower-case hex digits")]
pub struct NotAnId;

/// An id of whatever kind: three letters, and the sixteen bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnyId(String);

impl FromStr for AnyId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let (prefix, hex) = text.split_once('_').ok_or(NotAnId)?;
        let letters = prefix.len() == 3 && prefix.bytes().all(|byte| byte.is_ascii_lowercase());
        let digits = hex.len() == 32 && hex.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        if letters && digits { Ok(Self(text.to_owned())) } else { Err(NotAnId) }
    }
}

impl fmt::Display for AnyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A family of kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum What {
    #[default]
    Everything,
    /// Approvals, from the first question to the receipt.
    Transfers,
    /// What two of staff decide instead of the holder.
    Overrides,
    /// Whatever staff looked at: holders, the log, reports.
    Looks,
    /// Who belongs to staff, and who came and went.
    Staff,
    /// Holders, their devices and channels, freezes.
    Holders,
    /// Attempts that were refused or failed.
    Refused,
    /// Backends, keys, webhook endpoints.
    Settings,
}

impl What {
    pub const ALL: [Self; 8] = [
        Self::Everything,
        Self::Transfers,
        Self::Overrides,
        Self::Looks,
        Self::Staff,
        Self::Holders,
        Self::Refused,
        Self::Settings,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Everything => "everything",
            Self::Transfers => "transfers",
            Self::Overrides => "overrides",
            Self::Looks => "looks",
            Self::Staff => "staff",
            Self::Holders => "holders",
            Self::Refused => "refused",
            Self::Settings => "settings",
        }
    }

    /// Whether an entry of this kind belongs to it.
    pub fn has(self, kind: &str) -> bool {
        let (thing, deed) = kind.split_once('.').unwrap_or((kind, ""));
        match self {
            Self::Everything => true,
            Self::Transfers => thing == "approval",
            Self::Overrides => thing == "override",
            Self::Looks => ["viewed", "revealed", "view_refused"].contains(&deed),
            Self::Staff => ["staff", "staff_change", "session", "directory_key", "invite"].contains(&thing),
            Self::Holders => ["holder", "device", "channel", "enrolment", "enrol", "freeze", "lift"].contains(&thing),
            Self::Refused => ["refused", "failed", "wrong"].iter().any(|word| deed.ends_with(word)),
            Self::Settings => ["backend", "key", "endpoint", "delivery"].contains(&thing),
        }
    }
}

impl FromStr for What {
    type Err = UnknownWhat;

    fn from_str(text: &str) -> Result<Self, UnknownWhat> {
        Self::ALL.into_iter().find(|what| what.as_str() == text).ok_or(UnknownWhat)
    }
}

/// The word isn't a family of kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("isn't a family of entries")]
pub struct UnknownWhat;

/// What is asked for. Every part narrows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// What it happened to.
    pub about: Option<AnyId>,
    /// Who did it.
    pub by: Option<AnyId>,
    pub what: What,
    /// From this moment on.
    pub from: Option<Timestamp>,
    /// Up to this moment, which isn't in it any more.
    pub to: Option<Timestamp>,
}

impl Filter {
    /// Whether it takes everything from the newest on, so that a page of entries is a page of what is asked for.
    pub fn takes_all(&self) -> bool {
        *self == Self { to: self.to, ..Self::default() }
    }

    /// Whether an entry is asked for. One whose text was erased has no subject and no actor any more.
    pub fn takes(&self, at: Timestamp, kind: &str, reading: Option<&Reading>) -> bool {
        let about = |id: &AnyId| reading.is_some_and(|reading| reading.object.contains(&id.0));
        let by = |id: &AnyId| reading.is_some_and(|reading| reading.actor.id.as_ref() == Some(&id.0));
        self.what.has(kind)
            && self.from.is_none_or(|from| from <= at)
            && self.to.is_none_or(|to| at < to)
            && self.about.as_ref().is_none_or(about)
            && self.by.as_ref().is_none_or(by)
    }

    /// What a look with this filter says about itself.
    pub fn facts(&self) -> Facts {
        let mut facts = Facts::from([("what", self.what.as_str().to_owned())]);
        facts.extend(self.about.iter().map(|id| ("about", id.to_string())));
        facts.extend(self.by.iter().map(|id| ("by", id.to_string())));
        facts.extend(self.from.iter().map(|at| ("from", at.to_string())));
        facts.extend(self.to.iter().map(|at| ("to", at.to_string())));
        facts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::audit::reading::ReadActor;
    use crate::domain::ids::{ApprovalId, ChangeId, StaffId};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn every_part_narrows() {
        let (approval, staff) = (ApprovalId::new(at(1), [1; 10]), StaffId::new(at(1), [2; 10]));
        let reading = Reading {
            v: 1,
            id: ChangeId::new(at(5), [0; 10]),
            at: at(5),
            kind: "approval.cancelled".into(),
            actor: ReadActor { kind: "staff".into(), id: Some(staff.to_string()) },
            object: vec![approval.to_string()],
            facts: std::collections::BTreeMap::new(),
        };
        let takes = |filter: &Filter| filter.takes(reading.at, &reading.kind, Some(&reading));
        let all = Filter::default();
        assert!(takes(&all) && all.takes_all());
        let (own, other) = (Some(approval.to_string().parse().unwrap()), Some(staff.to_string().parse().unwrap()));
        for (filter, taken) in [
            (Filter { about: own.clone(), ..all.clone() }, true),
            (Filter { about: other.clone(), ..all.clone() }, false),
            (Filter { by: other, ..all.clone() }, true),
            (Filter { by: own.clone(), ..all.clone() }, false),
            (Filter { what: What::Transfers, ..all.clone() }, true),
            (Filter { what: What::Looks, ..all.clone() }, false),
            (Filter { from: Some(at(5)), to: Some(at(6)), ..all.clone() }, true),
            (Filter { from: Some(at(6)), ..all.clone() }, false),
            (Filter { to: Some(at(5)), ..all.clone() }, false),
        ] {
            assert_eq!(takes(&filter), taken, "{filter:?}");
        }
        let erased = Filter { about: own, ..all };
        assert!(!erased.takes(at(5), "approval.cancelled", None) && !erased.takes_all());
    }

    #[test]
    fn nothing_in_it_can_be_a_name() {
        for text in ["", "Marta", "apr_", "apr_marta", "marta@example.org", "APR_00000000000000000000000000000000"] {
            assert_eq!(text.parse::<AnyId>(), Err(NotAnId), "{text}");
            assert_eq!(text.parse::<What>(), Err(UnknownWhat), "{text}");
        }
    }

    #[test]
    fn families_are_told_apart_by_the_words_of_a_kind() {
        let of = |kind: &str| -> Vec<&str> {
            What::ALL.into_iter().skip(1).filter(|what| what.has(kind)).map(What::as_str).collect()
        };
        assert_eq!(of("approval.approved"), ["transfers"]);
        assert_eq!(of("holder.revealed"), ["looks", "holders"]);
        assert_eq!(of("log.viewed"), ["looks"]);
        assert_eq!(of("staff.sign_in_refused"), ["staff", "refused"]);
        assert_eq!(of("enrol.code_wrong"), ["holders", "refused"]);
        assert_eq!(of("override.refused_by_signer"), ["overrides"]);
        assert_eq!(of("key.revoked"), ["settings"]);
    }
}
