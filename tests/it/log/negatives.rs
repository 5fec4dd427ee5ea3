//! What must not be believed, one test for each: checkpoints, proofs and receipts with one thing wrong. Each begins with
//! one that is right, and each is signed again after the change where whoever forges it could have signed it.

use std::time::Duration;

use aws_lc_rs::signature::Ed25519KeyPair;
use countersign::adapters::receipts::{Freshness, verify_offline};
use countersign::adapters::timing::SystemClock;
use countersign::domain::details::Digest;
use countersign::domain::log::{
    Checkpoint, CheckpointError, LogKeys, Note, NoteError, Origin, ProofError, SignatureType, TlogProof, TreeError,
    VerifierKey,
};
use countersign::domain::receipt::{BadProof, Receipt};
use countersign::domain::witness::quorum::{Quorum, Unmet};
use countersign::domain::witness::{cosignature, cosigned_text};
use countersign::ports::{CheckpointSigner, Clock as _};
use countersign::service::{log, redeem};

use crate::flow::world::{HOLD, World, key};
use crate::support::log::signer;

/// A receipt that is right, cosigned by two witnesses.
struct Good {
    receipt: Receipt,
    keys: LogKeys,
    /// The newest checkpoint of the log.
    checkpoint: Note,
}

fn witness(seed: u8) -> (Ed25519KeyPair, VerifierKey) {
    use aws_lc_rs::signature::KeyPair as _;
    let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
    let public = pair.public_key().as_ref().try_into().unwrap();
    let name = Origin::parse(&format!("w{seed}.example")).unwrap();
    (pair, VerifierKey { name, signs: SignatureType::Cosignature, public })
}

fn cosigned_by(note: &mut Note, seed: u8, text: &str) {
    let ((pair, key), now) = (witness(seed), SystemClock.now());
    note.add(cosignature(&key, now, pair.sign(cosigned_text(now, text).as_bytes()).as_ref()));
}

fn quorum(seeds: &[u8], least: usize) -> Quorum {
    Quorum::new(seeds.iter().map(|seed| witness(*seed).1).collect(), least).unwrap()
}

impl Good {
    async fn new() -> Self {
        let world = World::new().await;
        let id = super::receipts::approved(&world, "u-1").await;
        world.settle().await;
        world.later(HOLD).await;
        let digest = world.state(id).await.digest();
        let done = redeem::redeem(&world.cx, &world.caller, id, digest, key("redeem")).await.unwrap();
        let receipt = verify_offline(&world.cx.signer.key_set(), &done.receipt, None, None, Freshness::WhenIssued);
        while log::turn(&world.cx).await.unwrap() > 0 {}
        let checkpoint = world.cx.log.store.newest().await.unwrap().unwrap().note.parse().unwrap();
        let mut good = Self { receipt: receipt.unwrap(), keys: signer().keys().clone(), checkpoint };
        good.receipt = good.with(|proof| {
            let text = proof.checkpoint.text().to_owned();
            cosigned_by(&mut proof.checkpoint, 1, &text);
            cosigned_by(&mut proof.checkpoint, 2, &text);
        });
        good.receipt.verify_proof(&good.keys).unwrap();
        good.receipt.verify_witnesses(&quorum(&[1, 2], 2)).unwrap();
        good
    }

    fn proof(&self) -> TlogProof {
        self.receipt.proof.tlog.parse().unwrap()
    }

    fn with(&self, change: impl FnOnce(&mut TlogProof)) -> Receipt {
        let mut proof = self.proof();
        change(&mut proof);
        let mut receipt = self.receipt.clone();
        receipt.proof.tlog = proof.to_string();
        receipt
    }

    /// The checkpoint of a receipt, changed and signed by the log's own key under a name.
    fn signed_as(&self, name: &str, change: impl FnOnce(&mut Checkpoint)) -> Note {
        let mut checkpoint: Checkpoint = self.proof().checkpoint.text().parse().unwrap();
        change(&mut checkpoint);
        let name = Origin::parse(name).unwrap();
        let pem = crate::support::log::pem();
        let signer = countersign::adapters::log_key::Ed25519Checkpoints::new(name, &pem, &[]).unwrap();
        signer.sign(&checkpoint).unwrap()
    }

    fn why(&self, receipt: &Receipt) -> ProofError {
        match receipt.verify_proof(&self.keys) {
            Err(BadProof::Log(error)) => error,
            other => panic!("{other:?}"),
        }
    }
}

const LOG: &str = "approve.example/log";

#[tokio::test]
async fn a_receipt_over_a_wrong_root_is_refused_although_the_log_signed_it() {
    let good = Good::new().await;
    let wrong = good.signed_as(LOG, |checkpoint| checkpoint.root = Digest::of(b"another"));
    assert_eq!(good.why(&good.with(|proof| proof.checkpoint = wrong)), TreeError::OtherRoot.into());
}

#[tokio::test]
async fn a_receipt_whose_proof_is_truncated_anywhere_is_refused() {
    let good = Good::new().await;
    let whole = &good.receipt.proof.tlog;
    // The end of a signature line that isn't the log's own may be gone: then the line doesn't read, and nothing does.
    for cut in (0..whole.len()).filter(|cut| whole.is_char_boundary(*cut)) {
        let mut receipt = good.receipt.clone();
        receipt.proof.tlog.truncate(cut);
        let believed =
            receipt.verify_proof(&good.keys).is_ok() && receipt.verify_witnesses(&quorum(&[1, 2], 2)).is_ok();
        assert!(!believed, "cut at {cut}");
    }
    for hashes in 0..good.proof().path.len() {
        let short = good.with(|proof| proof.path.truncate(hashes));
        assert_eq!(good.why(&short), TreeError::Length.into());
    }
}

#[tokio::test]
async fn a_receipt_of_another_log_is_refused() {
    let good = Good::new().await;
    let unsigned = ProofError::Checkpoint(CheckpointError::Note(NoteError::Unsigned));
    let other = |checkpoint: &mut Checkpoint| checkpoint.origin = Origin::parse("other.example/log").unwrap();
    let note = good.signed_as("other.example/log", other);
    assert_eq!(good.why(&good.with(|proof| proof.checkpoint = note)), unsigned, "its name, its key");
    let note = good.signed_as(LOG, other);
    let of_other = CheckpointError::OtherLog(Origin::parse("other.example/log").unwrap());
    assert_eq!(good.why(&good.with(|proof| proof.checkpoint = note)), of_other.into(), "our key under our name");
}

#[tokio::test]
async fn a_receipt_without_a_cosigner_that_is_asked_for_is_refused() {
    let good = Good::new().await;
    let refused = |receipt: &Receipt, quorum: &Quorum| match receipt.verify_witnesses(quorum) {
        Err(BadProof::Witnesses(unmet)) => unmet,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(&good.receipt, &quorum(&[1, 3], 2)), Unmet::Missing { have: 1, least: 2 });
    assert_eq!(refused(&good.receipt, &quorum(&[3], 1)), Unmet::Missing { have: 0, least: 1 });
    let bare = good.with(|proof| proof.checkpoint = good.signed_as(LOG, |_| {}));
    assert_eq!(refused(&bare, &quorum(&[1, 2], 1)), Unmet::Missing { have: 0, least: 1 });
    bare.verify_proof(&good.keys).unwrap();
    // The cosignature of an earlier tree, put beside this one.
    let earlier = good.signed_as(LOG, |checkpoint| checkpoint.size -= 1);
    let moved = good.with(|proof| {
        proof.checkpoint = good.signed_as(LOG, |_| {});
        cosigned_by(&mut proof.checkpoint, 1, earlier.text());
    });
    assert_eq!(refused(&moved, &quorum(&[1, 2], 1)), Unmet::Wrong(witness(1).1.name));
    // Cosigners that nobody asked for do no harm, and no good.
    let more = good.with(|proof| {
        let text = proof.checkpoint.text().to_owned();
        cosigned_by(&mut proof.checkpoint, 7, &text);
        cosigned_by(&mut proof.checkpoint, 8, "nonsense\n");
    });
    assert_eq!(more.verify_witnesses(&quorum(&[1, 2], 2)).unwrap().len(), 2);
    more.verify_proof(&good.keys).unwrap();
}

#[tokio::test]
async fn a_receipt_signed_with_a_retired_key_after_its_time_is_refused() {
    let good = Good::new().await;
    let mut keys = good.keys.clone();
    keys.keys[0].not_after = Some(good.receipt.redeemed_at - Duration::from_secs(1));
    let over = CheckpointError::Note(NoteError::KeyPeriod(keys.origin.clone()));
    let why = good.receipt.verify_proof(&keys).unwrap_err().to_string();
    assert_eq!(why, BadProof::Log(over.into()).to_string());
    keys.keys[0].not_after = Some(good.receipt.redeemed_at + Duration::from_secs(1));
    good.receipt.verify_proof(&keys).unwrap();
}

#[tokio::test]
async fn a_checkpoint_that_is_truncated_anywhere_is_refused() {
    let good = Good::new().await;
    let whole = good.checkpoint.to_string();
    let at = SystemClock.now();
    assert!(good.keys.open(&good.checkpoint, at).is_ok());
    for cut in (0..whole.len()).filter(|cut| whole.is_char_boundary(*cut)) {
        let believed = whole[..cut].parse::<Note>().ok().and_then(|note| good.keys.open(&note, at).ok());
        assert_eq!(believed, None, "cut at {cut}");
    }
}

#[tokio::test]
async fn a_checkpoint_with_one_bit_changed_is_refused() {
    let good = Good::new().await;
    let whole = good.checkpoint.to_string();
    for at in 0..whole.len() {
        let mut bytes = whole.clone().into_bytes();
        bytes[at] ^= 1;
        let Ok(text) = String::from_utf8(bytes) else { continue };
        let believed = text.parse::<Note>().ok().and_then(|note| good.keys.open(&note, SystemClock.now()).ok());
        assert_eq!(believed, None, "bit of byte {at}");
    }
}

#[tokio::test]
async fn a_proof_with_one_hash_changed_is_refused() {
    let good = Good::new().await;
    for at in 0..good.proof().path.len() {
        let changed = good.with(|proof| proof.path[at] = Digest::of(b"another"));
        assert_eq!(good.why(&changed), TreeError::OtherRoot.into());
    }
    let longer = good.with(|proof| proof.path.push(Digest::of(b"another")));
    assert_eq!(good.why(&longer), TreeError::Length.into());
}
