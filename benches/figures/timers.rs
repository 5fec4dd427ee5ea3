//! Timers that fall due: spread over ten seconds, and all at one instant, each with its durable transition, its audit
//! entry and, where the backend has an endpoint, its webhook. And what a pending one takes in Redis.
//!
//! Lateness is told of what was stored: PostgreSQL's own time of the commit against the end of the hold.

use countersign::app;
use countersign::domain::Timestamp;
use countersign::domain::ids::ApprovalId;
use std::time::Duration;

use super::{Extent, count};
use crate::clock;
use crate::receiver::Receiver;
use crate::report::Line;
use crate::seed::cooling::{self, Plan};
use crate::seed::{self, Wanted};
use crate::stack::{Backing, Stack};

const TIMERS: u32 = 20_000;
const PENDING: usize = 200_000;
/// Until the first is due: more than preparing them takes.
const PREPARING: Duration = Duration::from_secs(45);

pub async fn run(_: Extent) -> anyhow::Result<()> {
    let stack = Stack::start(Backing::Servers).await?;
    memory(&stack).await?;
    for (webhooks, span) in [(false, 10), (true, 10), (false, 0), (true, 0)] {
        fire(&stack, webhooks, Duration::from_secs(span)).await?;
    }
    Ok(())
}

/// What Redis takes for timers that nobody touches: due within the hour that follows.
async fn memory(stack: &Stack) -> anyhow::Result<()> {
    let (_, redis) = stack.servers()?;
    let setup = stack.record("memory").await?;
    let parts = app::open(&setup.config()?).await?;
    let cx = &parts.cx;
    let start = cx.now() + Duration::from_secs(600);
    let timer = |number: usize| {
        let due = start + Duration::from_micros(18_000) * u32::try_from(number).unwrap_or(u32::MAX);
        (cx.id(ApprovalId::new, cx.now()), due)
    };
    let timers: Vec<(ApprovalId, Timestamp)> = (0..PENDING).map(timer).collect();
    let before = redis.memory().await?;
    let begun = clock::now();
    for some in timers.chunks(500) {
        cx.timers.arm(some).await?;
    }
    let took = begun.elapsed().as_secs_f64();
    let after = redis.memory().await?;
    parts.record.close().await;
    Line::of("timer_memory", stack)?
        .set("timers", PENDING)
        .number("redis_bytes_each", (after - before) / count(PENDING))
        .number("armed_per_s", count(PENDING) / took)
        .print();
    Ok(())
}

async fn fire(stack: &Stack, webhooks: bool, span: Duration) -> anyhow::Result<()> {
    let (postgres, _) = stack.servers()?;
    let words = if webhooks { "webhooks" } else { "quiet" };
    let setup = stack.record(&format!("timers_{words}_{}", span.as_secs())).await?;
    let mut receiver = Receiver::start().await?;
    let hook = webhooks.then_some(receiver.url.as_str());
    let cast = seed::cast(stack, &setup, Wanted { phones: 64, silent: 0, hook }).await?;
    let clock_now = {
        let now = postgres.numbers("postgres", "SELECT (extract(epoch FROM clock_timestamp()) * 1e6)::float8").await?;
        Timestamp::from_micros(now.first().map_or(0, |now| micros(*now)))
    };
    let plan = Plan { count: TIMERS, first_due: clock_now + PREPARING, span };
    cooling::approvals(stack, &setup, &cast, words, plan).await?;

    let mut node = setup.start().await?;
    let watched = stack.watched(&node);
    let line = Line::of(if span.is_zero() { "timers_at_once" } else { "timers_spread" }, stack)?;
    let begun = clock::now();
    let left = left_until(postgres, plan.first_due).await?;
    tokio::time::sleep(left.saturating_sub(Duration::from_millis(200))).await;
    let before = watched.read();
    let limit = Duration::from_secs(60) + span;
    let mut arrived = 0;
    clock::until("the releases", limit, || async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let open = "SELECT count(*)::float8 FROM (SELECT 1 FROM approvals WHERE state = 'cooling' \
                    AND due_at IS NOT NULL LIMIT 1) c";
        let open = postgres.numbers(&setup.name, open).await.ok()?;
        (open.first() == Some(&0.0)).then_some(())
    })
    .await?;
    let spent = watched.since(before);
    if webhooks {
        let all = async {
            while arrived < TIMERS {
                let Some(one) = receiver.arrived.recv().await else { break };
                arrived += u32::from(one.event == "approval.released");
            }
            clock::now()
        };
        let last = tokio::time::timeout(Duration::from_secs(60), all).await?;
        let drained = (last - begun).saturating_sub(left).as_secs_f64();
        print(stack, line, &setup.name, span, &spent, Some(drained)).await?;
    } else {
        print(stack, line, &setup.name, span, &spent, None).await?;
    }
    node.check()
}

async fn print(
    stack: &Stack,
    line: Line,
    database: &str,
    span: Duration,
    spent: &crate::meter::Spent,
    drained: Option<f64>,
) -> anyhow::Result<()> {
    // The end of the hold isn't a column of a released approval; it follows from what was signed.
    let late = "SELECT count(*)::float8, min(late)::float8, \
        percentile_cont(0.5) WITHIN GROUP (ORDER BY late)::float8, \
        percentile_cont(0.99) WITHIN GROUP (ORDER BY late)::float8, max(late)::float8, \
        count(*) FILTER (WHERE late < 0)::float8, \
        extract(epoch FROM max(stored) - min(due))::float8 FROM (\
        SELECT stored, due, extract(epoch FROM stored - due) * 1000 AS late FROM (\
        SELECT pg_xact_commit_timestamp(xmin) AS stored, approved_at + interval '1 microsecond' * \
        (body::jsonb -> 'state' -> 'decision' ->> 'hold')::bigint AS due FROM approvals WHERE state = 'released') r) l";
    let (postgres, _) = stack.servers()?;
    let numbers = postgres.numbers(database, late).await?;
    let [released, least, half, most, last, early, took] = numbers.as_slice() else { anyhow::bail!("no answer") };
    let line = line
        .number("released", *released)
        .number("span_s", span.as_secs_f64())
        .number("late_ms_min", *least)
        .number("late_ms_p50", *half)
        .number("late_ms_p99", *most)
        .number("late_ms_max", *last)
        .number("early", *early)
        .number("released_per_s", *released / *took)
        .set("webhooks", drained.is_some())
        .cpu(spent, *released);
    match drained {
        Some(seconds) => line.number("last_webhook_after_s", seconds),
        None => line,
    }
    .print();
    Ok(())
}

async fn left_until(postgres: &crate::stack::postgres::Postgres, due: Timestamp) -> anyhow::Result<Duration> {
    let now = postgres.numbers("postgres", "SELECT (extract(epoch FROM clock_timestamp()) * 1e6)::float8").await?;
    Ok(due.since(Timestamp::from_micros(now.first().map_or(0, |now| micros(*now)))))
}

/// Microseconds since the epoch fit a double to the unit until the year 2255.
#[expect(clippy::cast_possible_truncation, reason = "a time of this century")]
fn micros(number: f64) -> i64 {
    number as i64
}
