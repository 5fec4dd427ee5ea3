//! What a witness cosigns, and every reason for which it doesn't.

use super::*;
use crate::domain::log::Origin;
use crate::domain::log::keys::tests::{NOW, keys, pair, public, signed};
use crate::domain::log::tile::{Edge, Tiles};
use crate::domain::log::tree::consistency;

const LOG: &str = "approve.example/log";

/// A log of `size` leaves, of one of two histories.
fn log(size: u32, history: &[u8]) -> (Tiles, Checkpoint) {
    let leaves: Vec<Digest> = (0..size).map(|n| Digest::of(&[history, &n.to_be_bytes()].concat())).collect();
    let mut edge = Edge::read(0, &Tiles::default()).unwrap();
    let tiles = edge.append(&leaves);
    let root = edge.root().unwrap();
    (tiles, Checkpoint { origin: Origin::parse(LOG).unwrap(), size: size.into(), root })
}

fn request(old: u64, size: u32, history: &[u8]) -> AddCheckpoint {
    let (tiles, checkpoint) = log(size, history);
    let proof = consistency(old, size.into(), &tiles).unwrap_or_default();
    AddCheckpoint { old, proof, checkpoint: signed(1, LOG, &checkpoint) }
}

fn head(size: u32) -> Option<Head> {
    Some(log(size, b"a").1.head())
}

#[test]
fn a_log_that_grows_is_cosigned() {
    let keys = keys(LOG, &[1]);
    assert_eq!(judge(&request(0, 5, b"a"), &keys, None).unwrap().size, 5);
    for (old, new) in [(5, 5), (5, 6), (5, 300), (256, 257)] {
        let checkpoint = judge(&request(u64::from(old), new, b"a"), &keys, head(old)).unwrap();
        assert_eq!(checkpoint.head(), log(new, b"a").1.head());
    }
}

#[test]
fn another_history_is_not() {
    let keys = keys(LOG, &[1]);
    let forked = judge(&request(5, 9, b"b"), &keys, head(5));
    assert_eq!(forked, Err(Refusal::Inconsistent(TreeError::OtherRoot)));
    // The same size with another root.
    assert_eq!(judge(&request(5, 5, b"b"), &keys, head(5)), Err(Refusal::Conflict(5)));
    let mut cut = request(5, 9, b"a");
    cut.proof.pop();
    assert!(matches!(judge(&cut, &keys, head(5)), Err(Refusal::Inconsistent(_))));
}

#[test]
fn a_wrong_size_is_told_the_right_one() {
    let keys = keys(LOG, &[1]);
    assert_eq!(judge(&request(4, 9, b"a"), &keys, head(5)), Err(Refusal::Conflict(5)));
    assert_eq!(judge(&request(0, 9, b"a"), &keys, head(5)), Err(Refusal::Conflict(5)));
    assert_eq!(judge(&request(3, 4, b"a"), &keys, head(5)), Err(Refusal::Conflict(5)), "a smaller tree");
    assert_eq!(judge(&request(9, 5, b"a"), &keys, head(9)), Err(Refusal::OldIsLarger));
}

#[test]
fn only_the_logs_own_signature_counts() {
    let refused = judge(&request(0, 5, b"a"), &keys(LOG, &[2]), None);
    assert_eq!(refused, Err(Refusal::NotSigned(CheckpointError::Note(NoteError::Unsigned))));
    let mut changed = request(0, 5, b"a");
    changed.checkpoint = changed.checkpoint.to_string().replace("\n5\n", "\n6\n").parse().unwrap();
    assert!(matches!(judge(&changed, &keys(LOG, &[1]), None), Err(Refusal::NotSigned(_))));
}

#[test]
fn a_request_reads_back_and_nothing_else_is_one() {
    let request = request(5, 300, b"a");
    assert!(!request.proof.is_empty());
    let text = request.to_string();
    assert_eq!(text.parse::<AddCheckpoint>(), Ok(request));
    for bad in [
        String::new(),
        text.replacen("old 5", "old 05", 1),
        text.replacen("old 5", "old -5", 1),
        text.replacen("old 5", "5", 1),
        text.replacen("old 5\n", "old 5\nnothash\n", 1),
        text.replacen("\n\n", "\n", 1),
        format!("old 5\n{}\n{text}", "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n".repeat(64)),
    ] {
        assert_eq!(bad.parse::<AddCheckpoint>(), Err(BadRequest), "{bad}");
    }
}

#[test]
fn a_cosignature_covers_time_and_tree() {
    let (_, checkpoint) = log(5, b"a");
    let mut note = signed(1, LOG, &checkpoint);
    let key = VerifierKey { signs: SignatureType::Cosignature, ..public(7, "witness.example") };
    assert_eq!(cosigned_at(&note, &key), None);
    let signature = pair(7).sign(cosigned_text(NOW, note.text()).as_bytes());
    note.add(cosignature(&key, NOW, signature.as_ref()));
    let note: Note = note.to_string().parse().unwrap();
    assert_eq!(cosigned_at(&note, &key), Some(Timestamp::from_micros(NOW.seconds() * 1_000_000)));
    assert!(keys(LOG, &[1]).open(&note, NOW).is_ok(), "the log's own signature stays");
    let other = VerifierKey { signs: SignatureType::Cosignature, ..public(8, "witness.example") };
    assert_eq!(cosigned_at(&note, &other), None);
    // Another time, another tree, or the plain note's signature don't do.
    let mut moved = signed(1, LOG, &checkpoint);
    moved.add(cosignature(&key, NOW + std::time::Duration::from_secs(1), signature.as_ref()));
    assert_eq!(cosigned_at(&moved, &key), None);
    let mut larger = signed(1, LOG, &log(6, b"a").1);
    larger.add(cosignature(&key, NOW, signature.as_ref()));
    assert_eq!(cosigned_at(&larger, &key), None);
    let mut plain = signed(1, LOG, &checkpoint);
    plain.add(cosignature(&key, NOW, pair(7).sign(plain.text().as_bytes()).as_ref()));
    assert_eq!(cosigned_at(&plain, &key), None);
}
