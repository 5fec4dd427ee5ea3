//! How many witnesses have to have seen a tree before a receipt may rest on it, and which.
//!
//! A log's owner names the witnesses whose word counts, and so does whoever checks a receipt, each for themselves.
//! Signatures of others are passed over; a wrong one under the name and key of a witness that counts spoils the note,
//! as it does for the log's own keys. Next: `service::log` asks it before a receipt is made.

use super::cosigned_at;
use crate::domain::log::{Note, Origin, SignatureType, VerifierKey};
use crate::domain::time::Timestamp;

/// Most witnesses of one log. A note with all of them and the log's own keys still reads everywhere (C2SP signed-note
/// asks readers for 16 signatures at least).
pub const MOST: usize = 12;

/// Witnesses, and how many of them have to have cosigned.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Quorum {
    witnesses: Vec<VerifierKey>,
    least: usize,
}

/// Why keys and a number make no quorum.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadQuorum {
    #[error("the key of {0} doesn't cosign; a witness's key begins with the byte 4 (C2SP tlog-cosignature)")]
    NotAWitness(Origin),
    /// Two keys of one name, or one key under two names: they would count for two and be one.
    #[error("{0} is there twice, by its name or by its key")]
    Twice(Origin),
    #[error("{least} cosignatures can't come from {witnesses} witnesses")]
    TooFew { least: usize, witnesses: usize },
    #[error("at most {MOST} witnesses")]
    TooMany,
}

/// Why a checkpoint doesn't count as seen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unmet {
    #[error("it is cosigned by {have} of the witnesses that count, and {least} are needed")]
    Missing { have: usize, least: usize },
    #[error("the cosignature in the name of {0} is wrong")]
    Wrong(Origin),
}

/// A witness that has seen a tree, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Witnessed<'a> {
    pub by: &'a VerifierKey,
    pub at: Timestamp,
}

impl Quorum {
    /// At least so many of these witnesses.
    ///
    /// # Errors
    /// [`BadQuorum`].
    pub fn new(witnesses: Vec<VerifierKey>, least: usize) -> Result<Self, BadQuorum> {
        if witnesses.len() > MOST {
            return Err(BadQuorum::TooMany);
        }
        for (at, key) in witnesses.iter().enumerate() {
            if key.signs != SignatureType::Cosignature {
                return Err(BadQuorum::NotAWitness(key.name.clone()));
            }
            if witnesses[..at].iter().any(|other| other.name == key.name || other.public == key.public) {
                return Err(BadQuorum::Twice(key.name.clone()));
            }
        }
        if least > witnesses.len() {
            return Err(BadQuorum::TooFew { least, witnesses: witnesses.len() });
        }
        Ok(Self { witnesses, least })
    }

    pub fn witnesses(&self) -> &[VerifierKey] {
        &self.witnesses
    }

    /// How many have to have cosigned.
    pub const fn least(&self) -> usize {
        self.least
    }

    /// The witnesses that have cosigned, if they are enough.
    ///
    /// # Errors
    /// [`Unmet`].
    pub fn check(&self, note: &Note) -> Result<Vec<Witnessed<'_>>, Unmet> {
        let mut seen = Vec::with_capacity(self.witnesses.len());
        for by in &self.witnesses {
            match cosigned_at(note, by) {
                Some(at) => seen.push(Witnessed { by, at }),
                None if note.signatures_of(by).next().is_some() => return Err(Unmet::Wrong(by.name.clone())),
                None => {}
            }
        }
        if seen.len() < self.least {
            return Err(Unmet::Missing { have: seen.len(), least: self.least });
        }
        Ok(seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::details::Digest;
    use crate::domain::log::Checkpoint;
    use crate::domain::log::keys::tests::{NOW, checkpoint, pair, public, signed};
    use crate::domain::log::note::Signature;
    use crate::domain::witness::{cosignature, cosigned_text};

    const LOG: &str = "a.example/log";

    fn witness(seed: u8) -> VerifierKey {
        VerifierKey { signs: SignatureType::Cosignature, ..public(seed, &format!("w{seed}.example")) }
    }

    fn seen_by(seed: u8, text: &str) -> Signature {
        cosignature(&witness(seed), NOW, pair(seed).sign(cosigned_text(NOW, text).as_bytes()).as_ref())
    }

    fn note(cosigners: &[u8]) -> Note {
        let mut note = signed(1, LOG, &checkpoint(LOG));
        for seed in cosigners {
            note.add(seen_by(*seed, &checkpoint(LOG).to_string()));
        }
        note
    }

    fn quorum(seeds: &[u8], least: usize) -> Quorum {
        Quorum::new(seeds.iter().map(|seed| witness(*seed)).collect(), least).unwrap()
    }

    #[test]
    fn enough_distinct_witnesses_are_needed() {
        let two_of_three = quorum(&[2, 3, 4], 2);
        let seen = two_of_three.check(&note(&[4, 2])).map(|seen| seen.len());
        assert_eq!(seen, Ok(2));
        for too_few in [&[][..], &[3], &[3, 3, 3]] {
            let have = usize::from(!too_few.is_empty());
            assert_eq!(two_of_three.check(&note(too_few)), Err(Unmet::Missing { have, least: 2 }), "{too_few:?}");
        }
        assert_eq!(quorum(&[2, 3, 4], 0).check(&note(&[])), Ok(vec![]));
    }

    #[test]
    fn cosigners_that_nobody_asked_for_are_passed_over() {
        assert_eq!(quorum(&[2], 1).check(&note(&[9, 8, 2])).map(|seen| seen.len()), Ok(1));
        assert_eq!(quorum(&[2], 1).check(&note(&[9, 8])), Err(Unmet::Missing { have: 0, least: 1 }));
        // The log's own signature is no witness's.
        assert_eq!(quorum(&[1], 1).check(&note(&[])), Err(Unmet::Missing { have: 0, least: 1 }));
    }

    #[test]
    fn a_wrong_cosignature_of_a_witness_that_counts_spoils_the_note() {
        let other = Checkpoint { root: Digest::of(b"other"), ..checkpoint(LOG) };
        let wrong = Err(Unmet::Wrong(witness(2).name));
        let mut of_another_root = note(&[3]);
        of_another_root.add(seen_by(2, &other.to_string()));
        assert_eq!(quorum(&[2, 3], 1).check(&of_another_root), wrong);
        // Another's signature in the witness's name.
        let mut forged = note(&[3]);
        forged.add(Signature { name: witness(2).name, id: witness(2).id(), ..seen_by(9, forged.text()) });
        assert_eq!(quorum(&[2, 3], 1).check(&forged), wrong);
        // Without a time, and moved to another time.
        for change in [
            |bytes: &mut Vec<u8>| bytes[..8].fill(0),
            |bytes: &mut Vec<u8>| bytes[7] ^= 1,
            |bytes: &mut Vec<u8>| bytes.truncate(8),
        ] {
            let mut bad = note(&[3]);
            let mut line = seen_by(2, bad.text());
            change(&mut line.bytes);
            bad.add(line);
            assert_eq!(quorum(&[2, 3], 1).check(&bad), wrong);
        }
    }

    #[test]
    fn what_would_count_one_witness_twice_is_no_quorum() {
        let renamed = VerifierKey { name: Origin::parse("w9.example").unwrap(), ..witness(2) };
        assert_eq!(Quorum::new(vec![witness(2), renamed.clone()], 1), Err(BadQuorum::Twice(renamed.name)));
        let rekeyed = VerifierKey { name: witness(2).name, ..witness(3) };
        assert_eq!(Quorum::new(vec![witness(2), rekeyed], 1), Err(BadQuorum::Twice(witness(2).name)));
        let logs = public(2, "w2.example");
        assert_eq!(Quorum::new(vec![logs.clone()], 1), Err(BadQuorum::NotAWitness(logs.name)));
        assert_eq!(Quorum::new(vec![witness(2)], 2), Err(BadQuorum::TooFew { least: 2, witnesses: 1 }));
        assert_eq!(Quorum::new((0..13).map(witness).collect(), 1), Err(BadQuorum::TooMany));
    }
}
