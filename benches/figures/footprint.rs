//! From the start of the process to the first answer on /healthz, and the memory that it holds then and a second later.

use std::time::Duration;

use crate::meter;
use crate::report::{Line, percentile};
use crate::stack::{Backing, Stack};

const STARTS: usize = 7;

pub async fn run(backing: Backing) -> anyhow::Result<()> {
    let stack = Stack::start(backing).await?;
    let setup = stack.record("footprint").await?;
    // The first start makes the tables, which happens once in a record's life.
    drop(setup.start().await?);
    let line = Line::of("footprint", &stack)?;
    let (mut cold, mut rss, mut rested) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let node = setup.start().await?;
        cold.push(node.cold_start.as_secs_f64() * 1e3);
        rss.extend(meter::resident_mib(node.pid()));
        tokio::time::sleep(Duration::from_secs(1)).await;
        rested.extend(meter::resident_mib(node.pid()));
    }
    line.set("starts", STARTS)
        .number("cold_start_ms_min", percentile(&mut cold, 0.0))
        .number("cold_start_ms_p50", percentile(&mut cold, 0.5))
        .number("rss_mib", percentile(&mut rss, 0.5))
        .number("rss_mib_after_1s", percentile(&mut rested, 0.5))
        .print();
    Ok(())
}
