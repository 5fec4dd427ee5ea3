//! An entry read back from its canonical bytes, by whoever has only the log: the verifier, the reports and the SIEM
//! stream. Kinds and facts are texts here, so that an entry of a newer version of this program reads as well.

use serde::Deserialize;
use std::collections::BTreeMap;

use crate::domain::ids::ChangeId;
use crate::domain::time::Timestamp;

/// What canonical bytes say.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Reading {
    /// Version of the form.
    pub v: u8,
    pub id: ChangeId,
    pub at: Timestamp,
    pub kind: String,
    pub actor: ReadActor,
    #[serde(default)]
    pub object: Vec<String>,
    #[serde(default)]
    pub facts: BTreeMap<String, String>,
}

/// Who did it: a kind, and an id where that kind has one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ReadActor {
    pub kind: String,
    #[serde(default)]
    pub id: Option<String>,
}

/// Why bytes aren't an entry.
#[derive(Debug, thiserror::Error)]
pub enum BadEntry {
    #[error("the bytes aren't an audit entry")]
    Shape(#[source] serde_json::Error),
    #[error("version {0} of the form is unknown")]
    Version(u8),
    #[error("the bytes aren't in canonical form")]
    NotCanonical,
}

impl Reading {
    /// Reads canonical bytes, and refuses the same entry in any other spelling (RFC 8785): two texts that say the same
    /// must not have two leaves.
    ///
    /// # Errors
    /// [`BadEntry`].
    pub fn of(canonical: &str) -> Result<Self, BadEntry> {
        let value: serde_json::Value = serde_json::from_str(canonical).map_err(BadEntry::Shape)?;
        let again = serde_json_canonicalizer::to_string(&value).map_err(BadEntry::Shape)?;
        if again != canonical {
            return Err(BadEntry::NotCanonical);
        }
        let reading: Self = serde_json::from_value(value).map_err(BadEntry::Shape)?;
        if reading.v == 1 { Ok(reading) } else { Err(BadEntry::Version(reading.v)) }
    }

    /// The first object whose id has this prefix, for example `apr`.
    pub fn object_of(&self, prefix: &str) -> Option<&str> {
        let has = |id: &&String| id.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('_'));
        self.object.iter().find(has).map(String::as_str)
    }

    /// A fact by its name.
    pub fn fact(&self, name: &str) -> Option<&str> {
        self.facts.get(name).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::approval::Actor;
    use crate::domain::audit::{AuditEntry, AuditEvent, Facts};

    fn entry() -> AuditEntry {
        let event = AuditEvent {
            kind: "approval.cancelled",
            actor: Actor::Link,
            object: vec!["apr_1".into(), "hld_2".into()],
            facts: Facts::from([("reason", "link_stopped".to_owned())]),
        };
        AuditEntry::new(ChangeId::new(Timestamp::EPOCH, [3; 10]), Timestamp::EPOCH, [1; 16], &event).unwrap()
    }

    #[test]
    fn what_was_written_reads_back() {
        let entry = entry();
        let reading = Reading::of(&entry.canonical).unwrap();
        assert_eq!((reading.id, reading.at, reading.kind.as_str()), (entry.id, entry.at, entry.kind));
        assert_eq!(reading.actor, ReadActor { kind: "link".into(), id: None });
        assert_eq!(reading.object_of("hld"), Some("hld_2"));
        assert_eq!(reading.object_of("h"), None);
        assert_eq!(reading.fact("reason"), Some("link_stopped"));
    }

    #[test]
    fn another_spelling_is_refused() {
        let canonical = entry().canonical;
        assert!(matches!(Reading::of(&canonical.replace(':', ": ")), Err(BadEntry::NotCanonical)));
        assert!(matches!(Reading::of(&canonical.replace("\"v\":1", "\"v\":2")), Err(BadEntry::Version(2))));
        assert!(matches!(Reading::of("{}"), Err(BadEntry::Shape(_))));
        assert!(matches!(Reading::of(&canonical[1..]), Err(BadEntry::Shape(_))));
    }
}
