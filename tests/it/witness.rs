//! A witness over HTTP: what it cosigns, what it answers otherwise, and that it remembers across a restart.

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use countersign::domain::details::Digest;
use countersign::domain::log::tile::{Edge, Tiles};
use countersign::domain::log::tree::consistency;
use countersign::domain::log::{Checkpoint, LogKeys, Note, Origin, SignatureType, VerifierKey};
use countersign::domain::time::Timestamp;
use countersign::domain::witness::{AddCheckpoint, cosigned_at};
use countersign::witness::{Witness, serve};

const NOW: Timestamp = Timestamp::from_micros(1_795_271_520_000_000);

struct Log {
    pair: Ed25519KeyPair,
    key: VerifierKey,
}

impl Log {
    fn new() -> Self {
        let pair = Ed25519KeyPair::generate().unwrap();
        let public = pair.public_key().as_ref().try_into().unwrap();
        let name = Origin::parse("approve.example/log").unwrap();
        Self { pair, key: VerifierKey { name, signs: SignatureType::Ed25519, public } }
    }

    fn keys(&self) -> LogKeys {
        LogKeys::of(std::slice::from_ref(&self.key)).unwrap()
    }

    fn request(&self, old: u64, size: u32, history: u8) -> AddCheckpoint {
        let leaves: Vec<Digest> = (0..size).map(|n| Digest::of(&[&[history][..], &n.to_be_bytes()].concat())).collect();
        let mut edge = Edge::read(0, &Tiles::default()).unwrap();
        let tiles = edge.append(&leaves);
        let root = edge.root().unwrap();
        let text = Checkpoint { origin: self.key.name.clone(), size: size.into(), root }.to_string();
        let signature = self.pair.sign(text.as_bytes());
        let checkpoint = Note::signed(text, &self.key, signature.as_ref()).unwrap();
        AddCheckpoint { old, proof: consistency(old, size.into(), &tiles).unwrap(), checkpoint }
    }
}

struct Running {
    url: String,
    key: VerifierKey,
    handle: actix_web::dev::ServerHandle,
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
    }
}

fn start(pkcs8: &[u8], log: &Log, memory: &Path) -> Running {
    let name = Origin::parse("witness.example").unwrap();
    let witness = Arc::new(Witness::open(name, pkcs8, vec![log.keys()], memory).unwrap());
    let key = witness.key().clone();
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}/add-checkpoint", listener.local_addr().unwrap());
    let server = serve::server(witness, Arc::new(|| NOW), listener).unwrap();
    let handle = server.handle();
    tokio::spawn(server);
    Running { url, key, handle }
}

async fn asks(running: &Running, body: String) -> (u16, String) {
    #[expect(clippy::disallowed_methods, reason = "a test speaks to its own loopback server")]
    let client = reqwest::Client::new();
    let answer = client.post(&running.url).body(body).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn a_witness_cosigns_what_grows_and_remembers_it_across_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let memory = folder.path().join("seen.json");
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    let log = Log::new();
    let first = log.request(0, 5, 1);
    {
        let running = start(pkcs8.as_ref(), &log, &memory);
        let (status, line) = asks(&running, first.to_string()).await;
        assert_eq!(status, 200, "{line}");
        let cosigned: Note = format!("{}{line}", first.checkpoint).parse().unwrap();
        assert_eq!(cosigned_at(&cosigned, &running.key), Some(NOW));
    }
    let running = start(pkcs8.as_ref(), &log, &memory);
    // Behind: it is told the size to go on from.
    assert_eq!(asks(&running, log.request(0, 9, 1).to_string()).await, (409, "5\n".into()));
    assert_eq!(asks(&running, log.request(5, 9, 1).to_string()).await.0, 200);
    assert_eq!(asks(&running, log.request(9, 300, 1).to_string()).await.0, 200);
    // Another history, a smaller tree, another root of the same size.
    assert_eq!(asks(&running, log.request(300, 400, 2).to_string()).await.0, 422);
    assert_eq!(asks(&running, log.request(9, 9, 1).to_string()).await, (409, "300\n".into()));
    assert_eq!(asks(&running, log.request(300, 300, 2).to_string()).await, (409, "300\n".into()));
    assert_eq!(asks(&running, log.request(300, 301, 1).to_string()).await.0, 200, "refusals changed nothing");
}

#[tokio::test]
async fn other_logs_other_keys_and_no_requests_have_the_standards_answers() {
    let folder = tempfile::tempdir().unwrap();
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    let log = Log::new();
    let running = start(pkcs8.as_ref(), &log, &folder.path().join("seen.json"));
    let request = log.request(0, 5, 1).to_string();
    assert_eq!(asks(&running, request.replace("approve.example/log\n5", "other.example/log\n5")).await.0, 404);
    assert_eq!(asks(&running, Log::new().request(0, 5, 1).to_string()).await.0, 403);
    assert_eq!(asks(&running, "old 0\n".into()).await.0, 400);
    assert_eq!(asks(&running, request.replacen("old 0", "old 6", 1)).await.0, 400);
    assert_eq!(asks(&running, request).await.0, 200);
}

#[tokio::test]
async fn nothing_is_cosigned_that_can_not_be_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    let log = Log::new();
    let gone = folder.path().join("gone");
    std::fs::create_dir(&gone).unwrap();
    let running = start(pkcs8.as_ref(), &log, &gone.join("seen.json"));
    std::fs::remove_dir(&gone).unwrap();
    let (status, body) = asks(&running, log.request(0, 5, 1).to_string()).await;
    assert_eq!((status, body.as_str()), (500, ""));
    std::fs::create_dir(&gone).unwrap();
    assert_eq!(asks(&running, log.request(0, 7, 1).to_string()).await.0, 200, "the tree before it was never cosigned");
    // A memory that doesn't read isn't taken for an empty one.
    std::fs::write(gone.join("seen.json"), "{").unwrap();
    let name = Origin::parse("witness.example").unwrap();
    assert!(Witness::open(name, pkcs8.as_ref(), vec![log.keys()], &gone.join("seen.json")).is_err());
}
