//! Releases wait for the log, and receipts prove their decision to whoever has the keys and nothing else.

use std::process::{Command, Output};
use std::time::Duration;

use countersign::adapters::receipts::{Freshness, verify_offline};
use countersign::authenticator::SoftAuthenticator;
use countersign::domain::ApprovalId;
use countersign::domain::approval::StateName;
use countersign::domain::device::Blob;
use countersign::domain::log::{
    CheckpointError, LogKeys, NoteError, Origin, ProofError, SignatureType, TlogProof, TreeError, VerifierKey,
};
use countersign::domain::receipt::{BadProof, Receipt};
use countersign::service::{Browser, log, redeem};
use countersign::workers::{notices, timers};
use serde_json::json;

use crate::flow::world::{HOLD, World, key};

/// An approved transfer whose holder was told, before the log has seen any of it.
pub async fn approved(world: &World, subject: &str) -> ApprovalId {
    let mut phone = world.enrolled(subject, SoftAuthenticator::device_bound()).await;
    let (id, waiting) = world.create(subject, subject).await.unwrap();
    world.watch(&waiting, &Browser::default(), &[]).await.unwrap();
    world.approve(&mut phone, id).await.unwrap();
    while notices::turn(&world.cx, &world.senders).await.unwrap() > 0 {}
    id
}

#[tokio::test]
async fn a_release_waits_for_the_checkpoint_that_holds_its_decision() {
    let world = World::new().await;
    let id = approved(&world, "u-1").await;
    let wait = Duration::from_millis(50);
    world.clock.advance(HOLD);
    for _ in 0..3 {
        assert_eq!(timers::turn(&world.cx, &world.gate).await.unwrap(), 1);
        world.is(id, StateName::Cooling, None).await;
        assert_eq!(timers::turn(&world.cx, &world.gate).await.unwrap(), 0, "it isn't looked at again at once");
        world.clock.advance(wait);
    }
    assert!(log::turn(&world.cx).await.unwrap() > 0);
    timers::turn(&world.cx, &world.gate).await.unwrap();
    world.is(id, StateName::Released, None).await;
}

/// The receipt of a redeemed transfer: as it came, and its claims.
async fn redeemed(world: &World, subject: &str) -> (String, Receipt) {
    let id = approved(world, subject).await;
    world.settle().await;
    world.later(HOLD).await;
    let digest = world.state(id).await.digest();
    let done = redeem::redeem(&world.cx, &world.caller, id, digest, key(&format!("r-{subject}"))).await.unwrap();
    let keys = world.cx.signer.key_set();
    let receipt = verify_offline(&keys, &done.receipt, None, None, Freshness::WhenIssued).unwrap();
    (done.receipt, receipt)
}

fn with_tlog(receipt: &Receipt, change: impl FnOnce(&mut TlogProof)) -> Receipt {
    let mut proof: TlogProof = receipt.proof.tlog.parse().unwrap();
    change(&mut proof);
    let mut changed = receipt.clone();
    changed.proof.tlog = proof.to_string();
    changed
}

#[tokio::test]
async fn a_receipt_proves_its_own_decision_and_nothing_else() {
    let world = World::new().await;
    let (_, receipt) = redeemed(&world, "u-1").await;
    let (_, other) = redeemed(&world, "u-2").await;
    let keys = world.cx.log.signer.keys().clone();
    receipt.verify_proof(&keys).unwrap();
    let fails = |receipt: &Receipt| receipt.verify_proof(&keys).unwrap_err();

    let swapped = Receipt { proof: other.proof.clone(), ..receipt.clone() };
    assert!(matches!(fails(&swapped), BadProof::OtherEntry("approval")));
    let mut renamed = receipt.clone();
    renamed.proof.entry = other.proof.entry.replace(&other.jti.to_string(), &receipt.jti.to_string());
    assert!(matches!(fails(&renamed), BadProof::OtherEntry("digest")));
    let challenged = Receipt { device: other.device.clone(), ..receipt.clone() };
    assert!(matches!(fails(&challenged), BadProof::OtherEntry("challenge")));

    let mut salted = receipt.clone();
    salted.proof.salt = Blob(vec![0; 16]);
    assert!(matches!(fails(&salted), BadProof::Log(ProofError::Tree(TreeError::OtherRoot))));
    salted.proof.salt = Blob(vec![0; 15]);
    assert!(matches!(fails(&salted), BadProof::Salt));
    let mut backdated = receipt.clone();
    backdated.proof.entry = receipt.proof.entry.replace("2026-11-21T", "2026-11-20T");
    assert!(matches!(fails(&backdated), BadProof::Log(ProofError::Tree(TreeError::OtherRoot))));

    let cut = with_tlog(&receipt, |proof| proof.path.truncate(proof.path.len() - 1));
    assert!(matches!(fails(&cut), BadProof::Log(ProofError::Tree(TreeError::Length))));
    let moved = with_tlog(&receipt, |proof| proof.index += 1);
    assert!(matches!(fails(&moved), BadProof::Log(ProofError::Tree(_))));
    let bigger = Receipt {
        proof: countersign::domain::receipt::ReceiptProof {
            tlog: receipt.proof.tlog.replacen("approve.example/log\n", "approve.example/log\n1", 1),
            ..receipt.proof.clone()
        },
        ..receipt.clone()
    };
    let wrong = BadProof::Log(ProofError::Checkpoint(CheckpointError::Note(NoteError::Signature(keys.origin.clone()))));
    assert_eq!(fails(&bigger).to_string(), wrong.to_string());
}

#[tokio::test]
async fn a_receipt_is_believed_with_the_logs_keys_in_their_time_only() {
    let world = World::new().await;
    let (_, receipt) = redeemed(&world, "u-1").await;
    let keys = world.cx.log.signer.keys().clone();
    let refused = |keys: &LogKeys| match receipt.verify_proof(keys) {
        Err(BadProof::Log(ProofError::Checkpoint(CheckpointError::Note(error)))) => error,
        other => panic!("{other:?}"),
    };
    let name = |text: &str| Origin::parse(text).unwrap();
    let stranger = VerifierKey { name: keys.origin.clone(), signs: SignatureType::Ed25519, public: [9; 32] };
    let of_stranger = LogKeys::of(&[stranger]).unwrap();
    assert_eq!(refused(&of_stranger), NoteError::Unsigned);
    let mut of_other = keys.clone();
    of_other.origin = name("other.example/log");
    of_other.keys[0].key.name = name("other.example/log");
    assert_eq!(refused(&of_other), NoteError::Unsigned);
    // Retired before the receipt was issued, and after.
    let mut retired = keys.clone();
    retired.keys[0].not_after = Some(receipt.redeemed_at - Duration::from_secs(1));
    assert_eq!(refused(&retired), NoteError::KeyPeriod(keys.origin.clone()));
    retired.keys[0].not_after = Some(receipt.redeemed_at + Duration::from_secs(1));
    receipt.verify_proof(&retired).unwrap();
}

fn verify(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command.args(["receipt", "verify"]).args(arguments).output().unwrap()
}

#[tokio::test]
async fn the_command_line_verifies_a_receipt_offline() {
    let world = World::new().await;
    let (jws, receipt) = redeemed(&world, "u-1").await;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let keys = world.cx.log.signer.keys();
    let (given, jwks) =
        (file("receipt.jws", &format!("{jws}\n")), file("jwks.json", &world.cx.signer.key_set().to_string()));
    let log_keys = file("log-keys.json", &json!(keys).to_string());
    let key = keys.keys[0].key.to_string();

    let good = verify(&[&given, "--jwks", &jwks, "--log-key", &key, "--age", "archived"]);
    let said = String::from_utf8(good.stdout).unwrap();
    assert!(good.status.success(), "{}", String::from_utf8_lossy(&good.stderr));
    for line in
        ["the signature is by a key of https://approve.example", "12500.00 EUR", "approve.example/log has the entry"]
    {
        assert!(said.contains(line), "{line} isn't in:\n{said}");
    }
    assert!(said.contains(&receipt.jti.to_string()), "{said}");
    assert!(verify(&[&given, "--jwks", &jwks, "--log-keys", &log_keys, "--age", "archived"]).status.success());

    let other = VerifierKey { public: [9; 32], ..keys.keys[0].key.clone() }.to_string();
    let (rest, signature) = jws.rsplit_once('.').unwrap();
    let mirrored: String = signature.chars().rev().collect();
    let bad_jws = file("bad.jws", &format!("{rest}.{mirrored}"));
    let of_other = format!("--audience=bkd_{}", "0".repeat(32));
    for (arguments, why) in [
        (vec![given.as_str(), "--jwks", &jwks, "--log-key", &other, "--age", "archived"], "known key"),
        (vec![bad_jws.as_str(), "--jwks", &jwks, "--log-key", &key, "--age", "archived"], "is wrong"),
        (vec![given.as_str(), "--jwks", &log_keys, "--log-key", &key, "--age", "archived"], "kid"),
        (vec![given.as_str(), "--jwks", &jwks, "--log-key", &key, "--age", "archived", &of_other], "is wrong"),
        (
            vec![given.as_str(), "--jwks", &jwks, "--log-key", &key, "--age", "archived", "--issuer=https://x"],
            "is wrong",
        ),
        (vec![given.as_str(), "--jwks", &jwks], "--log-key"),
    ] {
        let bad = verify(&arguments);
        let said = String::from_utf8(bad.stderr).unwrap();
        assert!(!bad.status.success() && said.contains(why), "{arguments:?} said {said}");
    }
}

/// Runs the program that docs/audit.md gives to people who don't want to trust our tool.
pub fn run_documented(receipt: &Receipt, key: &VerifierKey) -> Output {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/audit.md")).unwrap();
    let (_, rest) = page.split_once("```python\n").unwrap();
    let (program, _) = rest.split_once("```").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let claims = folder.path().join("claims.json");
    std::fs::write(&claims, json!(receipt).to_string()).unwrap();
    Command::new("/usr/bin/python3").args(["-c", program]).arg(&claims).arg(key.to_string()).output().unwrap()
}

#[tokio::test]
async fn the_program_in_the_documentation_verifies_a_receipt() {
    let world = World::new().await;
    redeemed(&world, "u-0").await;
    let (_, receipt) = redeemed(&world, "u-1").await;
    let key = world.cx.log.signer.keys().keys[0].key.clone();
    let run = run_documented;
    let good = run(&receipt, &key);
    assert!(good.status.success(), "{}", String::from_utf8_lossy(&good.stderr));
    let mut other = receipt.clone();
    other.proof.salt = Blob(vec![0; 16]);
    assert!(!run(&other, &key).status.success(), "another salt");
    assert!(!run(&with_tlog(&receipt, |proof| proof.index -= 1), &key).status.success(), "another index");
    let stranger = VerifierKey { public: [9; 32], ..key.clone() };
    assert!(!run(&receipt, &stranger).status.success(), "another key");
}
