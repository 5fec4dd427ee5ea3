//! How fast a record is verified: every entry, proof of place, signature and sealed row of it, on one core.

use anyhow::Context as _;
use countersign::app;
use countersign::service::audit::verify::verify;

use super::count;
use crate::clock;
use crate::report::Line;
use crate::stack::Stack;
use crate::stack::node::Setup;

/// Verifies what a figure has left in its record, once nobody writes there any more.
pub async fn run(stack: &Stack, setup: &Setup) -> anyhow::Result<()> {
    let config = setup.config()?;
    let parts = app::open(&config).await?;
    let record = parts.audit(&config)?;
    let line = Line::of("verify", stack)?;
    let begun = clock::now();
    let checked = verify(&record, &[], parts.cx.clock.now(), |_| ()).await;
    let took = begun.elapsed().as_secs_f64();
    parts.record.close().await;
    let checked = checked.context("what was left doesn't verify")?;
    line.set("entries", checked.log.entries)
        .set("evidence", checked.log.evidence)
        .set("sealed_rows", checked.sealed_rows)
        .number("seconds", took)
        .number("entries_per_s", count(usize::try_from(checked.log.entries)?) / took)
        .number("evidence_per_s", count(usize::try_from(checked.log.evidence)?) / took)
        .print();
    Ok(())
}
