//! `countersign audit witness` as it is run: a process of its own on loopback, with a memory on the disk. It is asked
//! over HTTP by a log that waits for it, and it follows a log by itself.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpServer, web};
use countersign::adapters::outbound::{Outbound, OutboundConfig, PlainHttp};
use countersign::adapters::witnesses::HttpWitness;
use countersign::config::witnesses::{Witness as Asked, Witnesses as Configured};
use countersign::domain::log::{Note, VerifierKey};
use countersign::domain::witness::cosigned_at;
use countersign::domain::witness::quorum::Quorum;
use countersign::ports::CheckpointSigner;
use countersign::ports::witness::Cosigner;
use countersign::service::Context;
use countersign::service::log;
use serde_json::json;
use tempfile::TempDir;

use super::witnessed::{Known, Manner, Scene};
use crate::support::app::{Options, TestApp};
use crate::support::eventually::eventually;
use crate::support::log::signer;
use crate::support::servers::free_port;

/// A witness of the logs with these keys, in a folder of its own.
struct Place {
    folder: TempDir,
    name: String,
    logs: Vec<VerifierKey>,
}

/// A running witness. Dropping it kills it.
struct Process {
    child: Child,
    at: SocketAddr,
    key: VerifierKey,
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().expect("a process of ours");
        self.child.wait().expect("its end");
    }
}

impl Place {
    fn new(name: &str, logs: &[VerifierKey]) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), name: name.to_owned(), logs: logs.to_vec() }
    }

    fn memory(&self) -> PathBuf {
        self.folder.path().join("seen.json")
    }

    fn command(&self, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command.args(["audit", "witness", "--name", &self.name, "--allow", "127.0.0.0/8", "--memory"]);
        command.arg(self.memory()).arg("--key").arg(self.folder.path().join("witness.pem"));
        for key in &self.logs {
            command.args(["--log-key", &key.to_string()]);
        }
        command.args(more);
        command
    }

    fn start(&self, at: SocketAddr, more: &[&str]) -> Process {
        let mut command = self.command(more);
        command.args(["--listen", &at.to_string()]).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let key = lines.next().unwrap().parse().unwrap();
        let at = lines.next().unwrap().strip_prefix("http://").unwrap().parse().unwrap();
        Process { child, at, key }
    }

    fn evidence(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.folder.path()).unwrap().map(|file| file.unwrap().path());
        let of_evidence = |path: &PathBuf| path.to_string_lossy().contains("evidence-");
        files.filter(of_evidence).map(|path| std::fs::read_to_string(path).unwrap()).collect()
    }
}

/// A place that is its own again when it comes back.
fn anywhere() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()))
}

fn log_key() -> VerifierKey {
    signer().keys().keys[0].key.clone()
}

fn asked(name: &str, key: &VerifierKey, at: SocketAddr) -> Arc<dyn Cosigner> {
    let allow = vec!["127.0.0.0/8".parse().unwrap()];
    let guard = OutboundConfig { allow, plain_http: PlainHttp::ToAllowed, ..OutboundConfig::default() };
    let outbound = Arc::new(Outbound::new(guard).unwrap());
    Arc::new(HttpWitness::new(name.into(), key.clone(), format!("http://{at}/").parse().unwrap(), outbound))
}

async fn get(url: String) -> (u16, String) {
    #[expect(clippy::disallowed_methods, reason = "a test speaks to its own loopback server")]
    let answer = reqwest::get(url).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receipt_waits_for_a_witness_that_is_down_and_nothing_is_lost() {
    let place = Place::new("witness.example", &[log_key()]);
    let process = place.start(anywhere(), &[]);
    let (key, at) = (process.key.clone(), process.at);
    let scene = Scene::asking(vec![asked("harbourmaster", &key, at)], 1).await;
    let first = scene.released("u-1").await;
    let (jws, receipt) = scene.receipt(first).await;
    let quorum = Quorum::new(vec![key.clone()], 1).unwrap();
    assert_eq!(receipt.verify_witnesses(&quorum).unwrap()[0].by, &key);

    drop(process);
    let second = scene.released("u-2").await;
    scene.waits_with(second, 0).await;
    // It comes back with its memory, at its old address.
    let _process = place.start(at, &[]);
    let (_, receipt) = scene.receipt(second).await;
    receipt.verify_witnesses(&quorum).unwrap();
    assert_eq!(place.evidence(), Vec::<String>::new());
    // What it cosigned last, for whoever wants to compare.
    let (status, text) = get(format!("http://{at}/checkpoint/{}", log_key().name)).await;
    let note: Note = text.parse().unwrap();
    assert!(status == 200 && cosigned_at(&note, &key).is_some(), "{text}");
    assert_eq!(get(format!("http://{at}/checkpoint/other.example/log")).await.0, 404);

    let verify = |witness: &VerifierKey, more: &[&str]| {
        let file = |name: &str, text: String| {
            let path = place.folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command.args(["receipt", "verify", "--age", "archived", "--log-key", &log_key().to_string()]);
        command.args(["--witness", &witness.to_string()]).args(more);
        command.arg("--jwks").arg(file("jwks.json", scene.world.cx.signer.key_set().to_string()));
        command.arg(file("receipt.jws", jws.clone()));
        let output = command.output().unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.success(), said)
    };
    for more in [&[][..], &["--cosignatures", "1"]] {
        let (good, said) = verify(&key, more);
        assert!(good && said.contains("witness.example has seen that tree, at 20"), "{said}");
    }
    let stranger = Known::new(9, Manner::Honest);
    let (good, said) = verify(stranger.key(), &[]);
    assert!(!good && said.contains("cosigned by 0 of the witnesses that count, and 1 are needed"), "{said}");
    let (good, said) = verify(stranger.key(), &["--cosignatures", "0"]);
    assert!(good && !said.contains("has seen that tree"), "{said}");
    let (good, said) = verify(&key, &["--cosignatures", "2"]);
    assert!(!good && said.contains("can't come from 1 witnesses"), "{said}");
}

/// The whole service: configured, started, and asked over HTTP.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_publishes_its_checkpoint_with_the_cosignatures() {
    let pem = countersign::adapters::log_key::generate_pem(b"a log key for tests: thirty-two!").unwrap();
    let name = countersign::domain::log::Origin::parse("localhost/log").unwrap();
    let log = countersign::adapters::log_key::public_key(&pem, name).unwrap();
    let place = Place::new("witness.example", std::slice::from_ref(&log));
    let process = place.start(anywhere(), &[]);
    let witnesses = Configured {
        asked: vec![Asked {
            name: "harbourmaster".into(),
            key: process.key.clone(),
            url: format!("http://{}", process.at).parse().unwrap(),
        }],
        quorum: Quorum::new(vec![process.key.clone()], 1).unwrap(),
    };
    let app = TestApp::start(Options { witnesses, ..Options::default() }).await;
    let checkpoint = app.url.join("/log/checkpoint").unwrap();
    let seen = eventually("a cosigned checkpoint", async || {
        let (_, text) = get(checkpoint.to_string()).await;
        text.parse::<Note>().ok().filter(|note| cosigned_at(note, &process.key).is_some())
    })
    .await;
    assert_eq!(seen.signatures().len(), 2);
    // Another witness follows the very same log by itself.
    let other = Place::new("other.example", &[log]);
    let (code, text) = once(&other, app.url.join("/log").unwrap().as_str()).await;
    assert_eq!(code, Some(0), "{text}");
    let note: Note = format!("{}\n", text.trim_end()).parse().unwrap();
    assert_eq!(note.signatures().len(), 3, "the log's, its witness's, and the follower's: {text}");
    assert_eq!(other.evidence(), Vec::<String>::new());
}

/// A log as it is published, over a record that the test exchanges.
struct Published {
    url: String,
    handle: ServerHandle,
}

impl Drop for Published {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
    }
}

fn publish(cx: Context, at: SocketAddr) -> Published {
    let server = HttpServer::new(move || {
        App::new()
            .app_data(web::Data::new(cx.clone()))
            .route("/log/checkpoint", web::get().to(countersign::web::log::checkpoint::handle))
            .route("/log/tile/{tile:.*}", web::get().to(countersign::web::log::tile::handle))
    })
    .workers(1)
    .disable_signals()
    .bind(at)
    .unwrap();
    let url = format!("http://{}/log", server.addrs()[0]);
    let server = server.run();
    let handle = server.handle();
    tokio::spawn(server);
    Published { url, handle }
}

/// A log of this many holders' entries more than it begins with.
async fn grown(holders: usize) -> Scene {
    let scene = Scene::asking(vec![Known::new(1, Manner::Down) as Arc<dyn Cosigner>], 0).await;
    more(&scene, 0..holders).await;
    scene
}

async fn more(scene: &Scene, holders: std::ops::Range<usize>) {
    for number in holders {
        scene.world.holder(&format!("u-{number}"), &["inbox"]).await;
    }
    while log::turn(&scene.world.cx).await.unwrap() > 0 {}
}

async fn once(place: &Place, url: &str) -> (Option<i32>, String) {
    let (mut command, followed) = (place.command(&[]), format!("{}={url}", place.logs[0].name));
    command.args(["--once", "--follow", &followed]);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code(), said)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_witness_that_follows_a_log_tells_a_rollback_and_a_fork_and_keeps_both_checkpoints() {
    let place = Place::new("witness.example", &[log_key()]);
    let scene = grown(300).await;
    let published = publish(scene.world.cx.clone(), anywhere());
    let (code, said) = once(&place, &published.url).await;
    assert_eq!(code, Some(0), "{said}");
    more(&scene, 300..320).await;
    let (code, said) = once(&place, &published.url).await;
    assert_eq!(code, Some(0), "a log that grew: {said}");
    let seen = scene.world.cx.log.store.newest().await.unwrap().unwrap();
    assert!(place.evidence().is_empty());

    // A smaller log, and a larger one with another history: both signed by the log's own key.
    for (holders, why) in [(5, "entries, and has"), (400, "don't show that its")] {
        let other = grown(holders).await;
        let published = publish(other.world.cx.clone(), anywhere());
        let (code, said) = once(&place, &published.url).await;
        assert_eq!(code, Some(3), "{said}");
        assert!(said.contains("shows another history") && said.contains(why), "{said}");
        let newer = other.world.cx.log.store.newest().await.unwrap().unwrap();
        let kept = place.evidence();
        let with_both = |text: &&String| text.contains(seen.note.trim_end()) && text.contains(newer.note.trim_end());
        assert_eq!(kept.iter().filter(with_both).count(), 1, "{kept:#?}");
    }
    assert_eq!(place.evidence().len(), 2);
    // It forgot nothing, and cosigns the true log on.
    let (code, said) = once(&place, &published.url).await;
    assert_eq!(code, Some(0), "{said}");
    // What isn't there is no other history.
    let (code, said) = once(&place, "http://127.0.0.1:9/log").await;
    assert!(code == Some(1) && said.contains("can't be reached"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_witness_goes_on_looking_and_serves_what_it_cosigned() {
    let place = Place::new("witness.example", &[log_key()]);
    let scene = grown(3).await;
    let published = publish(scene.world.cx.clone(), anywhere());
    let followed = format!("{}={}", log_key().name, published.url);
    let process = place.start(anywhere(), &["--period", "1", "--follow", &followed]);
    let served = format!("http://{}/checkpoint/{}", process.at, log_key().name);
    for holders in [3..4, 4..5] {
        more(&scene, holders).await;
        let newest = scene.world.cx.log.store.newest().await.unwrap().unwrap();
        eventually("the newest tree, cosigned", async || {
            let (_, text) = get(served.clone()).await;
            let note: Note = text.parse().ok()?;
            let fresh = note.text() == newest.note.parse::<Note>().unwrap().text();
            (fresh && cosigned_at(&note, &process.key).is_some()).then_some(())
        })
        .await;
    }
    let memory: serde_json::Value = serde_json::from_slice(&std::fs::read(place.memory()).unwrap()).unwrap();
    let size = scene.world.cx.log.store.newest().await.unwrap().unwrap().head.size;
    assert_eq!(memory[log_key().name.as_str()]["size"], json!(size));
}

#[test]
fn a_log_without_a_key_is_not_followed() {
    let place = Place::new("witness.example", &[log_key()]);
    let output =
        place.command(&["--once", "--follow", "other.example/log=https://other.example/log"]).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("no --log-key is of this log"));
    assert!(!Path::new(&place.memory()).exists());
}
