//! What an operator sees of a deployment in figures: one transfer goes its way, and every family that the papers name is
//! there, or at least counted somewhere.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::chance::Chance;
use super::deployment::{Deployment, Options};
use super::holder::Holder;
use super::phone::Cookies;
use crate::support::app::{self, TestApp};
use crate::support::backend::Backend;
use crate::support::eventually::eventually;
use crate::support::servers::free_port;

/// What a transfer that all goes well with leaves; the sweep's own come with the first.
const OF_A_TRANSFER: &[&str] = &[
    "countersign_approvals",
    "countersign_clock_agrees",
    "countersign_commit_batch_size",
    "countersign_commit_seconds",
    "countersign_log_entries_total",
    "countersign_notices_total",
    "countersign_outbox_age_seconds",
    "countersign_outbox_rows",
    "countersign_prompts_total",
    "countersign_read_seconds",
    "countersign_timer_lateness_seconds",
    "countersign_timers",
    "countersign_transitions_total",
    "countersign_webhook_seconds",
    "countersign_webhooks_total",
];

/// Families that have a sample now.
async fn sampled(port: u16) -> BTreeSet<String> {
    #[expect(clippy::disallowed_methods, reason = "a collector is another program, with a client of its own")]
    let text = reqwest::get(format!("http://127.0.0.1:{port}/metrics")).await.unwrap().text().await.unwrap();
    let of_histogram = |name: &str| {
        let parts = ["_bucket", "_sum", "_count"];
        parts.iter().find_map(|part| name.strip_suffix(part)).unwrap_or(name).to_owned()
    };
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split([' ', '{']).next()).map(of_histogram).collect()
}

async fn expect_all(port: u16, wanted: &[&str]) {
    eventually("every family has a sample", async || {
        let sampled = sampled(port).await;
        wanted.iter().all(|name| sampled.contains(*name)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transfer_is_seen_in_figures_on_postgres_and_redis() {
    let ops = free_port();
    let deployment = Deployment::start(Options { roles: &["all"], ops: Some(ops), ..Options::default() }).await;
    let gateway = deployment.gateway();
    let mut holder = Holder::enrolled(&deployment, &gateway, "measured", Chance::of("figures").fork()).await;
    let placed = holder.place().await;
    holder.watch(&placed, &mut Cookies::default()).await;
    assert!(holder.approve(&placed).await);
    assert!(holder.released(&placed).await);
    holder.redeem(&placed).await;
    expect_all(ops, OF_A_TRANSFER).await;
}

#[tokio::test]
async fn commits_and_reads_are_measured_on_sqlite() {
    let ops = free_port();
    let app = TestApp::start(app::Options { ops: Some(ops), ..app::Options::default() }).await;
    Backend::of(&app).holder("measured", "measured").await;
    let wanted = ["countersign_commit_batch_size", "countersign_commit_seconds", "countersign_read_seconds"];
    expect_all(ops, &wanted).await;
}

/// Every text that follows one of these words and an opening bracket in the sources.
fn named(files: &[String], words: &[&str]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for text in files {
        for word in words {
            for (at, _) in text.match_indices(&format!("{word}!(")) {
                let is_whole = !text[..at].ends_with('_');
                let rest = text[at + word.len() + 2..].trim_start();
                if let Some((name, _)) = rest.strip_prefix('"').and_then(|rest| rest.split_once('"'))
                    && is_whole
                {
                    names.insert(name.to_owned());
                }
            }
        }
    }
    names
}

fn sources(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            found.push(fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn what_is_described_is_recorded_and_stands_in_the_papers() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    sources(&root.join("src"), &mut files);
    let recorded = named(&files, &["counter", "gauge", "histogram"]);
    let described = named(&files, &["describe_counter", "describe_gauge", "describe_histogram"]);
    assert_eq!(described, recorded, "described and recorded");
    let papers = fs::read_to_string(root.join("docs/operations.md")).unwrap();
    let in_table = papers.lines().filter(|line| line.starts_with("| `countersign_"));
    let cells = in_table.filter_map(|line| line.split('|').nth(1));
    let told: BTreeSet<String> =
        cells.flat_map(|cell| cell.split(',')).map(|name| name.trim().trim_matches('`').to_owned()).collect();
    assert_eq!(told, described, "docs/operations.md and described");
    for name in OF_A_TRANSFER {
        assert!(described.contains(*name), "{name}");
    }
}
