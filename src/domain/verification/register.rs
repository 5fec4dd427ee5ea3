//! Who and what there is by the log, and what of it was ended: staff, keys, holders and their channels. An old row of
//! one of them has a seal that fits, so that only the log knows that it was revoked, ended or changed since.

use std::collections::{HashMap, HashSet};

use crate::domain::audit::reading::Reading;
use crate::domain::ids::{ChannelId, DirectoryKeyId, HolderId, KeyId, StaffId};

/// Somebody of staff, by the entries read so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Person {
    pub has_ended: bool,
    /// The newest version that an entry tells.
    pub version: u32,
}

/// Why an entry can't follow those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it counts try {found} of a code, and {counted} were counted before: somebody wound the counter back")]
pub struct WoundBack {
    pub counted: u32,
    pub found: u32,
}

/// Everybody and everything met so far.
#[derive(Debug, Default)]
pub struct Register {
    staff: HashMap<StaffId, Person>,
    keys: HashSet<KeyId>,
    revoked: HashSet<KeyId>,
    directory_keys: HashSet<DirectoryKeyId>,
    revoked_directory_keys: HashSet<DirectoryKeyId>,
    /// With how many channels.
    holders: HashMap<HolderId, u64>,
    channels: HashMap<ChannelId, Option<HolderId>>,
    /// Tries counted, by link or invite.
    tries: HashMap<String, u32>,
}

impl Register {
    pub fn staff(&self) -> impl Iterator<Item = (StaffId, Person)> {
        self.staff.iter().map(|(id, person)| (*id, *person))
    }

    pub fn keys(&self) -> impl Iterator<Item = KeyId> {
        self.keys.iter().copied()
    }

    pub fn is_revoked(&self, key: KeyId) -> bool {
        self.revoked.contains(&key)
    }

    pub fn directory_keys(&self) -> impl Iterator<Item = DirectoryKeyId> {
        self.directory_keys.iter().copied()
    }

    pub fn is_directory_key_revoked(&self, key: DirectoryKeyId) -> bool {
        self.revoked_directory_keys.contains(&key)
    }

    /// Holders, and how many channels each was added with.
    pub fn holders(&self) -> impl Iterator<Item = (HolderId, u64)> {
        self.holders.iter().map(|(id, channels)| (*id, *channels))
    }

    /// Channels that were added later, with their holder.
    pub fn channels(&self) -> impl Iterator<Item = (ChannelId, Option<HolderId>)> {
        self.channels.iter().map(|(id, holder)| (*id, *holder))
    }

    /// Takes the next entry.
    ///
    /// # Errors
    /// [`WoundBack`].
    pub fn take(&mut self, entry: &Reading) -> Result<(), WoundBack> {
        if let Some(tries) = entry.fact("tries").and_then(|tries| tries.parse().ok()) {
            return self.tried(entry, tries);
        }
        match entry.kind.as_str() {
            "key.added" | "backend.added" => self.keys.extend(named::<KeyId>(entry, KeyId::PREFIX)),
            "key.revoked" => self.revoked.extend(named::<KeyId>(entry, KeyId::PREFIX)),
            "directory_key.added" => self.directory_keys.extend(named::<DirectoryKeyId>(entry, DirectoryKeyId::PREFIX)),
            "directory_key.revoked" => {
                self.revoked_directory_keys.extend(named::<DirectoryKeyId>(entry, DirectoryKeyId::PREFIX));
            }
            "holder.added" => {
                let channels = entry.fact("channels").and_then(|count| count.parse().ok()).unwrap_or(0);
                self.holders.extend(named(entry, HolderId::PREFIX).map(|holder: HolderId| (holder, channels)));
            }
            "channel.added" => {
                let holder = named(entry, HolderId::PREFIX);
                self.channels.extend(named(entry, ChannelId::PREFIX).map(|channel: ChannelId| (channel, holder)));
            }
            "staff.founder_invited" | "staff.invited_from_host" | "staff.joined" | "staff_change.carried_out" => {
                self.person(entry);
            }
            "staff.ended" => {
                if let Some(person) = self.person(entry) {
                    person.has_ended = true;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn person(&mut self, entry: &Reading) -> Option<&mut Person> {
        let person = self.staff.entry(named(entry, StaffId::PREFIX)?).or_default();
        let version = entry.fact("staff_version").and_then(|version| version.parse().ok());
        person.version = person.version.max(version.unwrap_or(0));
        Some(person)
    }

    /// Tries are counted in the commit that tells of them, each once.
    fn tried(&mut self, entry: &Reading, found: u32) -> Result<(), WoundBack> {
        let about = entry.object.iter().find(|id| id.starts_with("lnk_") || id.starts_with("inv_"));
        let Some(about) = about else { return Ok(()) };
        let counted = self.tries.entry(about.clone()).or_default();
        if found <= *counted {
            return Err(WoundBack { counted: *counted, found });
        }
        *counted = found;
        Ok(())
    }
}

fn named<T: std::str::FromStr>(entry: &Reading, prefix: &str) -> Option<T> {
    entry.object_of(prefix).and_then(|id| id.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::audit::reading::ReadActor;
    use crate::domain::ids::LinkId;
    use crate::domain::time::Timestamp;
    use crate::domain::verification::samples::reading;

    fn entry(kind: &str, object: &[&dyn std::fmt::Display], facts: &[(&str, &str)]) -> Reading {
        let object = object.iter().map(ToString::to_string).collect();
        reading(kind, 0, ReadActor { kind: "operator".into(), id: None }, object, facts)
    }

    #[test]
    fn what_was_ended_stays_known_and_versions_only_rise() {
        let (staff, key) = (StaffId::new(Timestamp::EPOCH, [1; 10]), KeyId::new(Timestamp::EPOCH, [2; 10]));
        let mut register = Register::default();
        for entry in [
            entry("staff.joined", &[&staff], &[("staff_version", "2")]),
            entry("staff_change.carried_out", &[&staff], &[("staff_version", "3")]),
            entry("staff.ended", &[&staff], &[]),
            entry("key.added", &[&key], &[]),
            entry("key.revoked", &[&key], &[]),
        ] {
            register.take(&entry).unwrap();
        }
        assert_eq!(register.staff().collect::<Vec<_>>(), [(staff, Person { has_ended: true, version: 3 })]);
        assert_eq!((register.keys().count(), register.is_revoked(key)), (1, true));
    }

    #[test]
    fn a_counter_of_tries_never_goes_back() {
        let (link, other) = (LinkId::new(Timestamp::EPOCH, [1; 10]), LinkId::new(Timestamp::EPOCH, [2; 10]));
        let mut register = Register::default();
        let mut tried = |link: &LinkId, tries| register.take(&entry("enrol.code_wrong", &[link], &[("tries", tries)]));
        assert_eq!((tried(&link, "1"), tried(&link, "2"), tried(&other, "1")), (Ok(()), Ok(()), Ok(())));
        assert_eq!(tried(&link, "2"), Err(WoundBack { counted: 2, found: 2 }));
    }
}
