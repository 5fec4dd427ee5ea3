//! The names under which timers, rates and news are kept. Imports `domain`.
//!
//! Timers lie in sixteen shards. What is in braces is the hash tag of Redis Cluster ("Redis cluster specification",
//! Hash tags): the three keys of a shard are on one node, so that a script may change them together, and the shards
//! spread over the nodes.

use aws_lc_rs::digest::{SHA256, digest};
use std::fmt;
use std::str::FromStr;

use crate::domain::ids::ApprovalId;

/// What every key begins with, so that several deployments can share a server: 1 to 32 of `a-z0-9_-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPrefix(Box<str>);

/// The text is no key prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key prefix has 1 to 32 lower-case letters, digits, hyphens and underscores")]
pub struct BadKeyPrefix;

impl Default for KeyPrefix {
    fn default() -> Self {
        Self(Box::from("cs"))
    }
}

impl FromStr for KeyPrefix {
    type Err = BadKeyPrefix;

    fn from_str(text: &str) -> Result<Self, BadKeyPrefix> {
        // A brace would move every key to one slot, a colon would let two prefixes meet.
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-');
        if (1..=32).contains(&text.len()) && text.bytes().all(is_plain) {
            Ok(Self(Box::from(text)))
        } else {
            Err(BadKeyPrefix)
        }
    }
}

impl fmt::Display for KeyPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl KeyPrefix {
    /// The channel on which nodes tell each other of changes.
    pub(super) fn live(&self) -> String {
        format!("{self}:live")
    }

    /// The key of one taker of a quota. The taker, which may be an address, is hashed: a key has a bounded length, and
    /// who looks at the server doesn't read who came.
    pub(super) fn rate(&self, quota: &str, who: &str) -> String {
        let hash = digest(&SHA256, who.as_bytes());
        let (half, _) = hash.as_ref().split_at(16);
        format!("{self}:rl:{quota}:{}", data_encoding::HEXLOWER.encode(half))
    }
}

/// One of the sixteen parts that timers are spread over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shard(u8);

impl Shard {
    pub const COUNT: u8 = 16;

    /// All of them, beginning where `turn` says, so that none is always served last.
    pub fn all(turn: u8) -> impl Iterator<Item = Self> {
        (0..Self::COUNT).map(move |n| Self(turn.wrapping_add(n) % Self::COUNT))
    }

    /// Where the timer of an approval lies: by the last four bits of its id, which are random (RFC 9562 section 5.7,
    /// rand_b).
    pub fn of(id: &ApprovalId) -> Self {
        Self(id.bytes()[15] % Self::COUNT)
    }

    /// Its place among all of them.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    /// The set of ids by due time, the set of leased ids by end of the lease, and when the leased ones were due.
    pub fn keys(self, prefix: &KeyPrefix) -> [String; 3] {
        ["due", "lease", "at"].map(|part| format!("{{{prefix}:tm:{}}}:{part}", self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_can_not_break_out_of_its_place() {
        assert!("cs".parse::<KeyPrefix>().is_ok());
        assert!("bank-2_b".parse::<KeyPrefix>().is_ok());
        for bad in ["", "a{b}", "a:b", "A", "ä", &"a".repeat(33)] {
            assert_eq!(bad.parse::<KeyPrefix>(), Err(BadKeyPrefix), "{bad}");
        }
    }

    #[test]
    fn keys_of_a_shard_share_a_hash_tag() {
        let prefix = KeyPrefix::default();
        let shards: Vec<Shard> = Shard::all(5).collect();
        assert_eq!(shards.len(), 16);
        assert_eq!(shards[0].keys(&prefix), ["{cs:tm:5}:due", "{cs:tm:5}:lease", "{cs:tm:5}:at"]);
        assert_eq!(shards[15].keys(&prefix)[0], "{cs:tm:4}:due");
    }

    #[test]
    fn a_taker_is_not_read_from_its_key() {
        let key = KeyPrefix::default().rate("notice", "203.0.113.7");
        assert!(key.starts_with("cs:rl:notice:"));
        assert!(!key.contains("203"));
        assert_eq!(key.len(), "cs:rl:notice:".len() + 32);
    }
}
