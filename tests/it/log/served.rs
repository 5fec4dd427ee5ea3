//! What anybody may read of the log: enough to check it from outside, and nothing of the entries.

use std::time::Duration;

use countersign::domain::log::tree::{self, Head};
use countersign::domain::log::{LogKeys, Note, Tile, TileAt, Tiles};
use countersign::domain::{Timestamp, details::Digest};
use url::Url;

use crate::support::app::{Options, TestApp};
use crate::support::contract;
use crate::support::eventually::eventually;

/// A monitor: somebody with nothing but the log's address and keys.
struct Monitor {
    client: reqwest::Client,
    log: Url,
    keys: LogKeys,
}

const ANY_TIME: Timestamp = Timestamp::from_micros(1_795_271_520_000_000);

impl Monitor {
    async fn of(app: &TestApp) -> Self {
        #[expect(clippy::disallowed_methods, reason = "a monitor is another program, with a client of its own")]
        let client = reqwest::Client::builder().timeout(Duration::from_secs(10)).build().unwrap();
        let log = app.url.join("/log/").unwrap();
        let keys = client.get(log.join("keys").unwrap()).send().await.unwrap().json().await.unwrap();
        Self { client, log, keys }
    }

    async fn get(&self, path: &str) -> reqwest::Response {
        self.client.get(self.log.join(path).unwrap()).send().await.unwrap()
    }

    async fn checkpoint(&self) -> Option<Head> {
        let answer = self.get("checkpoint").await;
        if answer.status() == 404 {
            return None;
        }
        assert_eq!(answer.headers()["content-type"], "text/plain; charset=utf-8");
        assert_eq!(answer.headers()["cache-control"], "public, max-age=1");
        let note: Note = answer.text().await.unwrap().parse().unwrap();
        Some(self.keys.open(&note, ANY_TIME).unwrap().head())
    }

    /// The tiles at these places, as wide as they are in a tree of this size.
    async fn tiles(&self, places: &[TileAt], size: u64) -> Tiles {
        let mut tiles = Tiles::default();
        for at in places {
            let width = u16::try_from(at.width(size)).unwrap();
            let answer = self.get(&format!("tile/{}", Tile { at: *at, width })).await;
            assert_eq!(answer.status(), 200, "{at:?}");
            assert_eq!(answer.headers()["content-type"], "application/octet-stream");
            assert_eq!(answer.headers()["cache-control"], "public, max-age=31536000, immutable");
            tiles.add_stored(*at, &answer.bytes().await.unwrap()).unwrap();
        }
        tiles
    }

    async fn grown(&self, past: u64) -> Head {
        eventually("a larger checkpoint", || async { self.checkpoint().await.filter(|head| head.size > past) }).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_monitor_follows_the_log_with_its_keys_alone() {
    let app = TestApp::start(Options::default()).await;
    let monitor = Monitor::of(&app).await;
    assert_eq!(monitor.keys.origin.as_str(), "localhost/log");
    // The backend that the service was begun with is the first entry.
    let old = monitor.grown(0).await;
    let backend = crate::support::backend::Backend::of(&app);
    backend.holder("u-1", "u-1").await;
    let new = monitor.grown(old.size).await;
    let places = TileAt::all_of(&tree::consistency_nodes(old.size, new.size));
    let proof = tree::consistency(old.size, new.size, &monitor.tiles(&places, new.size).await).unwrap();
    tree::verify_consistency(&old, &new, &proof).unwrap();
    let places = TileAt::all_of(&tree::root_nodes(new.size));
    assert_eq!(tree::root(new.size, &monitor.tiles(&places, new.size).await), Ok(new.root));
    // A tile as it was in the smaller tree is still there.
    let first = Tile { at: TileAt { level: 0, number: 0 }, width: u16::try_from(old.size).unwrap() };
    let answer = monitor.get(&format!("tile/{first}")).await;
    assert_eq!(answer.bytes().await.unwrap().len() as u64, old.size * 32);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_signed_and_entries_are_not_served() {
    let app = TestApp::start(Options::default()).await;
    let monitor = Monitor::of(&app).await;
    let head = monitor.grown(0).await;
    for path in [
        "tile/0/000".to_owned(),
        format!("tile/0/000.p/{}", head.size + 200),
        "tile/0/001.p/1".to_owned(),
        "tile/1/000.p/1".to_owned(),
        "tile/0/000.p/0".to_owned(),
        "tile/0/0".to_owned(),
        "tile/64/000".to_owned(),
        "tile/entries/000.p/1".to_owned(),
        "tile/entries/000".to_owned(),
        "tile/".to_owned(),
        "entries".to_owned(),
    ] {
        let answer = monitor.get(&path).await;
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        let (status, body) = (answer.status(), answer.text().await.unwrap());
        assert_eq!(status, 404, "{path}: {body}");
        if kind == "application/problem+json" {
            contract::check("GET", "/log/tile/{tile}", 404, Some(&kind), &body);
        }
    }
    assert_ne!(head.root, Digest::of(&[]));
}
