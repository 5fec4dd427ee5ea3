//! Durable creates: how many a second, and what each costs in CPU and flushes, at 16 and 64 connections; on PostgreSQL
//! beside pgbench, which writes the same rows one transaction each.

use futures_util::future::try_join_all;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::{Extent, count, pgbench};
use crate::clock;
use crate::drive;
use crate::report::Line;
use crate::seed::{self, Cast, Wanted};
use crate::stack::node::Node;
use crate::stack::{Backing, Stack};
use crate::wire::Wire;

/// Holders; each can have five pending approvals.
const HOLDERS: usize = 3000;
const PENDING_AT_ONCE: usize = 5;

pub async fn run(backing: Backing, extent: Extent) -> anyhow::Result<()> {
    let stack = Stack::start(backing).await?;
    for connections in [16, 64] {
        let setup = stack.record(&format!("creates_{connections}")).await?;
        let cast = seed::cast(&stack, &setup, Wanted { phones: 0, silent: HOLDERS, hook: None }).await?;
        let mut node = setup.start().await?;
        let watched = stack.watched(&node);
        let next = AtomicUsize::new(0);
        load(&node, &cast, &next, connections, Duration::from_secs(1), "warm").await?;

        let line = Line::of("creates", &stack)?;
        let before = watched.read();
        let mut took = load(&node, &cast, &next, connections, extent.time, "create").await?;
        let spent = watched.since(before);
        node.check()?;
        let creates = count(took.len());
        line.set("connections", connections)
            .set("creates", took.len())
            .number("per_s", creates / spent.seconds)
            .cpu(&spent, creates)
            .milliseconds("create", &mut took)
            .print();
        drop(node);
        if !stack.is_embedded() {
            pgbench::run(&stack, &setup.name, connections, extent).await?;
        }
    }
    Ok(())
}

/// Creates until the time or the holders' places are used up. Gives how long each took, in milliseconds.
pub async fn load(
    node: &Node,
    cast: &Cast,
    next: &AtomicUsize,
    connections: usize,
    time: Duration,
    name: &str,
) -> anyhow::Result<Vec<f64>> {
    let end = clock::now() + time;
    let one = async || {
        let mut wire = Wire::to(node.port).await?;
        let mut took = Vec::new();
        while clock::now() < end {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(subject) = cast.silent.get(number % cast.silent.len().max(1)) else { break };
            if number >= cast.silent.len() * PENDING_AT_ONCE {
                break;
            }
            let start = clock::now();
            drive::create(&mut wire, cast, subject, &format!("{name}-{number}"), None).await?;
            took.push(start.elapsed().as_secs_f64() * 1e3);
        }
        anyhow::Ok(took)
    };
    Ok(try_join_all((0..connections).map(|_| one())).await?.concat())
}
