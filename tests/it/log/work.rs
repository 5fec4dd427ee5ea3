//! Batches made by hand, so that a test chooses their size and what happens between reading and storing.

use countersign::domain::Timestamp;
use countersign::domain::details::Digest;
use countersign::domain::log::tree::{Head, empty_root};
use countersign::domain::log::{Checkpoint, Edge};
use countersign::ports::log::{Appended, Batch, CheckpointSigner, LogStore, Signed, Waiting};

use crate::support::log::signer;

/// When test batches are signed.
pub const SIGNED_AT: Timestamp = Timestamp::from_micros(1_795_271_520_123_456);

/// The next batch of at most `limit` entries, as a sequencer makes it; nothing when none waits.
pub async fn next(log: &dyn LogStore, limit: u32) -> Option<Batch> {
    let newest = log.newest().await.unwrap();
    let waiting = log.waiting(newest.as_ref().map(|signed| signed.place), limit).await.unwrap();
    let ours = |waiting: &Waiting| match *waiting {
        Waiting::Ours { place, leaf } => (place, leaf),
        Waiting::Forged { place, id } => panic!("{id} at {place} was written without the key"),
    };
    let leaves: Vec<(i64, Digest)> = waiting.iter().map(ours).collect();
    let (place, _) = *leaves.last()?;
    let before = newest.map_or(Head { size: 0, root: empty_root() }, |signed| signed.head);
    let tiles = log.tiles(&Edge::places(before.size)).await.unwrap();
    let mut edge = Edge::read(before.size, &tiles).unwrap();
    assert_eq!(edge.root().unwrap(), before.root);
    let tiles = edge.append(&leaves.iter().map(|(_, leaf)| *leaf).collect::<Vec<_>>());
    let signer = signer();
    let checkpoint = Checkpoint { origin: signer.keys().origin.clone(), size: edge.size(), root: edge.root().unwrap() };
    let note = signer.sign(&checkpoint).unwrap().to_string();
    let signed = Signed { head: checkpoint.head(), place, note, signed_at: SIGNED_AT };
    Some(Batch { previous: before.size, signed, tiles })
}

/// Places everything that waits, in batches of this size. Gives how many batches it won and lost.
pub async fn drain(log: &dyn LogStore, limit: u32) -> (u32, u32) {
    let (mut won, mut lost) = (0, 0);
    while let Some(batch) = next(log, limit).await {
        match log.append(&batch).await.unwrap() {
            Appended::Done => won += 1,
            Appended::Lost => lost += 1,
        }
    }
    (won, lost)
}
