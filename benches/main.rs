//! `make bench`: a load generator in a process of its own, which starts PostgreSQL, Redis and the service beside it and
//! prints one JSON line per figure, with the durability that it was measured with. docs/performance.md says what the
//! figures mean. May import all of the library; the library knows nothing of it.

mod clock;
mod drive;
mod figures;
mod meter;
mod receiver;
mod report;
mod seed;
mod stack;
mod wire;

use clap::{Parser, ValueEnum};
use std::time::Duration;

use figures::{Extent, creates, flat, footprint, lifecycle, log, timers, webhook};
use stack::Backing;

/// Measures the release build.
#[derive(Parser)]
struct Arguments {
    #[arg(value_enum, default_value = "all")]
    figure: Figure,
    /// Length of each stretch that is limited by time.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// A million pending approvals too.
    #[arg(long)]
    full: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Figure {
    /// Cold start and memory.
    Footprint,
    /// The whole life of an approval.
    Lifecycle,
    /// Durable creates, and pgbench beside them.
    Creates,
    /// Lateness, burst and memory of timers.
    Timers,
    /// Cost at a thousand and at a hundred thousand pending approvals.
    Flat,
    /// From a decision to its webhook.
    Webhook,
    /// Audited appends, time to a signed checkpoint, and the size of a proof.
    Log,
    All,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let extent = Extent { time: Duration::from_secs(arguments.seconds), million: arguments.full };
    let wanted = |figure| arguments.figure == figure || arguments.figure == Figure::All;
    for backing in [Backing::Servers, Backing::Embedded] {
        if wanted(Figure::Footprint) {
            footprint::run(backing).await?;
        }
        if wanted(Figure::Lifecycle) {
            lifecycle::run(backing, extent).await?;
        }
        if wanted(Figure::Creates) {
            creates::run(backing, extent).await?;
        }
        if wanted(Figure::Webhook) {
            webhook::run(backing, extent).await?;
        }
        if wanted(Figure::Log) {
            log::run(backing, extent).await?;
        }
    }
    if wanted(Figure::Timers) {
        timers::run(extent).await?;
    }
    if wanted(Figure::Flat) {
        flat::run(extent).await?;
    }
    Ok(())
}
