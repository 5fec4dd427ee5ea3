//! Whose signature on a checkpoint counts, and when. A key that retired stays in the set with the time in which it
//! signed, so that what it signed then can be checked for ever, and nothing that it signs later is believed.

use serde::{Deserialize, Serialize};

use super::checkpoint::{Checkpoint, CheckpointError};
use super::note::{Note, NoteError, Origin, SignatureType, VerifierKey};
use crate::domain::time::Timestamp;

/// A key of the log and when it signs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyPeriod {
    pub key: VerifierKey,
    /// Before this it signed nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// From this on it signs nothing. The key in use has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<Timestamp>,
}

impl KeyPeriod {
    /// A key whose time isn't known to be bounded.
    pub const fn always(key: VerifierKey) -> Self {
        Self { key, not_before: None, not_after: None }
    }

    fn holds(&self, at: Timestamp) -> bool {
        self.not_before.is_none_or(|from| from <= at) && self.not_after.is_none_or(|until| at < until)
    }
}

/// The keys of one log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogKeys {
    /// The log's name.
    #[serde(with = "origin")]
    pub origin: Origin,
    /// The one in use first.
    pub keys: Vec<KeyPeriod>,
    /// Names that the log had before, with the same keys: it gets a new one when it is recovered, because what was
    /// signed and then lost can't be signed again under the old one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<EarlierName>,
}

/// A name that the log had before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EarlierName(#[serde(with = "origin")] pub Origin);

mod origin {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::Origin;

    pub fn serialize<S: Serializer>(origin: &Origin, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(origin.as_str())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Origin, D::Error> {
        let text = String::deserialize(deserializer)?;
        Origin::parse(&text).map_err(serde::de::Error::custom)
    }
}

impl LogKeys {
    /// The log of these keys, for as long as they are known. It has the name of the first; what the others are called
    /// was its name before.
    pub fn of(keys: &[VerifierKey]) -> Option<Self> {
        let origin = keys.first()?.name.clone();
        let mut earlier: Vec<EarlierName> = Vec::new();
        for name in keys.iter().map(|key| &key.name).filter(|name| **name != origin) {
            if !earlier.iter().any(|EarlierName(known)| known == name) {
                earlier.push(EarlierName(name.clone()));
            }
        }
        Some(Self { origin, keys: keys.iter().cloned().map(KeyPeriod::always).collect(), earlier })
    }

    /// Checks who signed a checkpoint, and reads it. `at` is when it was signed, as far as that is known: a checkpoint
    /// doesn't say it itself.
    ///
    /// # Errors
    /// [`CheckpointError`]: nothing that the note says may be believed.
    pub fn open(&self, note: &Note, at: Timestamp) -> Result<Checkpoint, CheckpointError> {
        self.read(note, |period| period.holds(at))
    }

    /// As [`LogKeys::open`], for a checkpoint that may have been signed at any time, by a retired key too. Good for
    /// growing more careful, and for nothing else.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn open_of_any_time(&self, note: &Note) -> Result<Checkpoint, CheckpointError> {
        self.read(note, |_| true)
    }

    /// What is signed under a name has to be the checkpoint of the log of that very name.
    fn read(&self, note: &Note, holds: impl Fn(&KeyPeriod) -> bool) -> Result<Checkpoint, CheckpointError> {
        let unsigned = Err(CheckpointError::Note(NoteError::Unsigned));
        let names = std::iter::once(&self.origin).chain(self.earlier.iter().map(|EarlierName(name)| name));
        let mut read = names.map(|name| self.signed_as(name, note, &holds));
        read.find(|read| *read != unsigned).unwrap_or(unsigned.clone())
    }

    fn signed_as(
        &self,
        name: &Origin,
        note: &Note,
        holds: impl Fn(&KeyPeriod) -> bool,
    ) -> Result<Checkpoint, CheckpointError> {
        let mut signed = Err(NoteError::Unsigned);
        for period in self.keys.iter().filter(|period| period.key.signs == SignatureType::Ed25519) {
            let key = VerifierKey { name: name.clone(), ..period.key.clone() };
            for signature in note.signatures_of(&key) {
                // A wrong signature under a known key's name spoils the note, whatever else it carries.
                if !key.verifies(note.text().as_bytes(), &signature.bytes) {
                    return Err(NoteError::Signature(signature.name.clone()).into());
                }
                if holds(period) {
                    signed = Ok(());
                } else if signed.is_err() {
                    signed = Err(NoteError::KeyPeriod(signature.name.clone()));
                }
            }
        }
        signed?;
        let checkpoint: Checkpoint = note.text().parse()?;
        if checkpoint.origin == *name { Ok(checkpoint) } else { Err(CheckpointError::OtherLog(checkpoint.origin)) }
    }
}

#[cfg(test)]
pub mod tests {
    use std::time::Duration;

    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};

    use super::*;
    use crate::domain::details::Digest;

    pub const NOW: Timestamp = Timestamp::from_micros(1_795_271_520_000_000);

    pub fn pair(seed: u8) -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
    }

    pub fn public(seed: u8, name: &str) -> VerifierKey {
        let public = pair(seed).public_key().as_ref().try_into().unwrap();
        VerifierKey { name: Origin::parse(name).unwrap(), signs: SignatureType::Ed25519, public }
    }

    /// A checkpoint of this tree, signed under a name.
    pub fn signed(seed: u8, name: &str, checkpoint: &Checkpoint) -> Note {
        let text = checkpoint.to_string();
        let signature = pair(seed).sign(text.as_bytes());
        Note::signed(text, &public(seed, name), signature.as_ref()).unwrap()
    }

    pub fn keys(name: &str, seeds: &[u8]) -> LogKeys {
        let keys = seeds.iter().map(|seed| KeyPeriod::always(public(*seed, name))).collect();
        LogKeys { origin: Origin::parse(name).unwrap(), keys, earlier: Vec::new() }
    }

    pub fn checkpoint(name: &str) -> Checkpoint {
        Checkpoint { origin: Origin::parse(name).unwrap(), size: 3, root: Digest::of(b"root") }
    }

    #[test]
    fn the_logs_own_signature_is_believed_and_no_other() {
        let ours = checkpoint("a.example/log");
        let note = signed(1, "a.example/log", &ours);
        let reread: Note = note.to_string().parse().unwrap();
        assert_eq!(keys("a.example/log", &[1]).open(&reread, NOW), Ok(ours.clone()));
        assert_eq!(keys("a.example/log", &[2, 1]).open(&note, NOW), Ok(ours.clone()));
        let unsigned = Err(CheckpointError::Note(NoteError::Unsigned));
        assert_eq!(keys("a.example/log", &[2]).open(&note, NOW), unsigned, "another key");
        assert_eq!(keys("b.example/log", &[1]).open(&note, NOW), unsigned, "another name");
        assert_eq!(keys("a.example/log", &[]).open(&note, NOW), unsigned);
        // The right key under the right name, over the checkpoint of another log.
        let theirs = signed(1, "a.example/log", &checkpoint("b.example/log"));
        let other = Err(CheckpointError::OtherLog(Origin::parse("b.example/log").unwrap()));
        assert_eq!(keys("a.example/log", &[1]).open(&theirs, NOW), other);
    }

    #[test]
    fn a_changed_text_or_signature_spoils_the_note() {
        let keys = keys("a.example/log", &[1, 2]);
        let note = signed(1, "a.example/log", &checkpoint("a.example/log"));
        let wrong = Err(CheckpointError::Note(NoteError::Signature(keys.origin.clone())));
        let bigger: Note = note.to_string().replace("\n3\n", "\n4\n").parse().unwrap();
        assert_eq!(keys.open(&bigger, NOW), wrong);
        // A good signature by one known key doesn't make up for a bad one by another.
        let mut both = note.clone();
        let mut bad = signed(2, "a.example/log", &checkpoint("a.example/log")).signatures()[0].clone();
        bad.bytes[0] ^= 1;
        both.add(bad);
        assert_eq!(keys.open(&both, NOW), wrong);
        // Signatures by keys that nobody knows are passed over.
        let mut witnessed = note;
        witnessed.add(signed(3, "witness.example", &checkpoint("a.example/log")).signatures()[0].clone());
        assert!(keys.open(&witnessed, NOW).is_ok());
    }

    #[test]
    fn a_retired_key_is_believed_for_its_time_only() {
        let mut keys = keys("a.example/log", &[2, 1]);
        keys.keys[1].not_before = Some(NOW - Duration::from_secs(60));
        keys.keys[1].not_after = Some(NOW);
        let note = signed(1, "a.example/log", &checkpoint("a.example/log"));
        assert!(keys.open(&note, NOW - Duration::from_secs(1)).is_ok());
        let over = Err(CheckpointError::Note(NoteError::KeyPeriod(keys.origin.clone())));
        assert_eq!(keys.open(&note, NOW), over);
        assert_eq!(keys.open(&note, NOW - Duration::from_secs(61)), over);
        let json = serde_json::to_string(&keys).unwrap();
        assert_eq!(serde_json::from_str::<LogKeys>(&json).unwrap(), keys);
    }

    #[test]
    fn a_log_that_was_renamed_is_believed_under_each_of_its_names() {
        let old = signed(1, "a.example/log", &checkpoint("a.example/log"));
        let new = signed(1, "a.example/log-2", &checkpoint("a.example/log-2"));
        let mut renamed = keys("a.example/log-2", &[1]);
        assert_eq!(renamed.open(&old, NOW), Err(CheckpointError::Note(NoteError::Unsigned)));
        renamed.earlier.push(EarlierName(Origin::parse("a.example/log").unwrap()));
        assert_eq!(renamed.open(&old, NOW), Ok(checkpoint("a.example/log")));
        assert_eq!(renamed.open(&new, NOW), Ok(checkpoint("a.example/log-2")));
        // Under the one name the checkpoint of the other, and of a third.
        for (name, of) in [("a.example/log", "a.example/log-2"), ("a.example/log", "b.example/log")] {
            let other = Err(CheckpointError::OtherLog(Origin::parse(of).unwrap()));
            assert_eq!(renamed.open(&signed(1, name, &checkpoint(of)), NOW), other);
        }
        assert_eq!(renamed.open(&signed(2, "a.example/log", &checkpoint("a.example/log")), NOW).ok(), None);
        let json = serde_json::to_string(&renamed).unwrap();
        assert_eq!(serde_json::from_str::<LogKeys>(&json).unwrap(), renamed);
        let given = LogKeys::of(&[public(1, "a.example/log-2"), public(1, "a.example/log")]).unwrap();
        assert_eq!((given.open(&old, NOW), given.open(&new, NOW)), (renamed.open(&old, NOW), renamed.open(&new, NOW)));
        assert_eq!(LogKeys::of(&[]), None);
    }

    #[test]
    fn a_witnesss_key_is_not_the_logs() {
        let mut keys = keys("a.example/log", &[1]);
        keys.keys[0].key.signs = SignatureType::Cosignature;
        let note = signed(1, "a.example/log", &checkpoint("a.example/log"));
        assert_eq!(keys.open(&note, NOW), Err(CheckpointError::Note(NoteError::Unsigned)));
    }
}
