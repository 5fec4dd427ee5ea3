//! The audit log: entries that are stored durably in a second while the log is placed and signed beside them, how long
//! an entry waits until a signed checkpoint has it, and how large a proof is. On PostgreSQL beside a chain of hashes.

use countersign::app::{self, Parts};
use countersign::domain::approval::Actor;
use countersign::domain::audit::Facts;
use countersign::domain::details::Digest;
use countersign::domain::log::{TileAt, TlogProof, tree};
use countersign::ports::log::Waiting as Entry;
use countersign::ports::{Change, Effect};
use countersign::service::log;
use futures_util::future::try_join_all;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Extent, count, pgbench};
use crate::clock;
use crate::report::Line;
use crate::stack::{Backing, Stack};

/// Who writes at the same time.
const WRITERS: [usize; 3] = [1, 16, 64];
/// As long as the service's own sequencer waits between two batches.
const GATHER: Duration = Duration::from_millis(40);

/// When each entry was stored, until it is signed.
type Waiting = Mutex<HashMap<Digest, Instant>>;

pub async fn run(backing: Backing, extent: Extent) -> anyhow::Result<()> {
    let stack = Stack::start(backing).await?;
    for writers in WRITERS {
        let setup = stack.record(&format!("log_{writers}")).await?;
        let parts = app::open(&setup.config()?).await?;
        let measured = measure(&stack, &parts, writers, extent.time).await;
        parts.record.close().await;
        measured?;
        if !stack.is_embedded() {
            pgbench::chain(&stack, &setup.name, writers, extent).await?;
        }
    }
    Ok(())
}

async fn measure(stack: &Stack, parts: &Parts, writers: usize, time: Duration) -> anyhow::Result<()> {
    let waiting = Waiting::default();
    let end = clock::now() + time;
    let begun = clock::now();
    let write = async |_| {
        let mut stored = 0;
        while clock::now() < end {
            let entry = parts.cx.entry("bench.noted", Actor::Operator, &[], Facts::new(), parts.cx.now())?;
            let leaf = entry.leaf_hash;
            parts.cx.store.commit(Change::new(entry, Effect::Noted)).await?;
            waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(leaf, clock::now());
            stored += 1_usize;
        }
        anyhow::Ok(stored)
    };
    let (stored, waits) = tokio::join!(try_join_all((0..writers).map(write)), sign(parts, &waiting, end));
    let (stored, mut waits) = (stored?.into_iter().sum::<usize>(), waits?);
    let line = Line::of("log", stack)?
        .set("writers", writers)
        .number("appends_per_s", count(stored) / begun.elapsed().as_secs_f64())
        .milliseconds("to_checkpoint", &mut waits);
    proof(parts, line).await
}

/// Places and signs until everything is signed. Gives how long each entry waited, in milliseconds.
async fn sign(parts: &Parts, waiting: &Waiting, end: Instant) -> anyhow::Result<Vec<f64>> {
    let (cx, mut waits) = (&parts.cx, Vec::new());
    loop {
        let before = cx.log.store.newest().await?.map(|signed| signed.place);
        let placed = log::turn(cx).await?;
        let now = clock::now();
        if placed > 0 {
            let limit = u32::try_from(placed)?;
            let placed = cx.log.store.waiting(before, limit).await?;
            let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
            let leaves = placed.iter().filter_map(|entry| match entry {
                Entry::Ours { leaf, .. } => Some(leaf),
                Entry::Forged { .. } => None,
            });
            let stored = leaves.filter_map(|leaf| waiting.remove(leaf));
            waits.extend(stored.map(|at| now.saturating_duration_since(at).as_secs_f64() * 1e3));
        } else if now > end {
            return Ok(waits);
        }
        tokio::time::sleep(GATHER).await;
    }
}

/// The proof of the middle entry.
async fn proof(parts: &Parts, line: Line) -> anyhow::Result<()> {
    let store = &parts.cx.log.store;
    let newest = store.newest().await?.ok_or_else(|| anyhow::anyhow!("nothing was signed"))?;
    let (size, index) = (newest.head.size, newest.head.size / 2);
    let tiles = store.tiles(&TileAt::all_of(&tree::inclusion_nodes(index, size))).await?;
    let path = tree::inclusion(index, size, &tiles)?;
    let proof = TlogProof { extra: None, index, path, checkpoint: newest.note.parse()? };
    line.set("size", size).set("proof_bytes", proof.to_string().len()).print();
    Ok(())
}
