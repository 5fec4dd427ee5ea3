//! pgbench, which writes rows of the same sizes into the same tables with the same indexes, one transaction each. Every
//! row of a create goes in one statement, the cheapest way to do it.

use anyhow::Context as _;
use std::process::Command;

use super::Extent;
use crate::report::Line;
use crate::stack::{Stack, process};

/// Sizes come from the rows that the creates before have left.
const SIZES: &str = "SELECT avg(length(body))::float8, avg(length(details))::float8, \
    (SELECT avg(length(answer)) FROM idempotency WHERE key LIKE 'create-%')::float8, \
    (SELECT avg(length(canonical)) FROM audit WHERE kind = 'approval.opened')::float8 \
    FROM approvals WHERE state = 'pending'";

pub async fn run(stack: &Stack, database: &str, connections: usize, extent: Extent) -> anyhow::Result<()> {
    let (postgres, _) = stack.servers()?;
    let sizes = postgres.numbers(database, SIZES).await?;
    let [body, details, answer, canonical] = sizes.as_slice() else { anyhow::bail!("no sizes") };
    postgres.run(database, "TRUNCATE approvals, idempotency, audit, notices; CREATE SEQUENCE bench_place").await?;
    let script = format!(
        "WITH a AS (INSERT INTO approvals (id, backend_id, holder_id, transfer_id, subject, state, version, created_at, \
         expires_at, due_at, body, details, seal, slot) SELECT id, id, id, id::text, id::text, 'pending', 1, now(), \
         now(), now() + interval '1 hour', repeat('b', {body:.0}), repeat('d', {details:.0}), \
         decode(repeat('00', 32), 'hex'), 0 FROM (SELECT gen_random_uuid() AS id) n RETURNING id), \
         i AS (INSERT INTO idempotency SELECT id, 'key', decode(repeat('00', 32), 'hex'), repeat('a', {answer:.0}), \
         now() FROM a), \
         u AS (INSERT INTO audit SELECT nextval('bench_place'), id, now(), 'approval.opened', \
         decode(repeat('00', 16), 'hex'), repeat('c', {canonical:.0}), decode(repeat('00', 32), 'hex') FROM a) \
         INSERT INTO notices SELECT gen_random_uuid(), id, id, id, 'asked', 'approval', id, 0, 'delivered', 1, 1, now(), \
         now(), NULL, now() FROM a;\n"
    );
    let file = stack.folder().join("pgbench.sql");
    std::fs::write(&file, script)?;
    let threads = connections.min(2).to_string();
    let seconds = extent.time.as_secs().max(1).to_string();
    let mut command = Command::new(postgres.program("pgbench"));
    command.args(["-h", "127.0.0.1", "-U", "postgres", "-p", &postgres.port().to_string()]);
    command.args(["-n", "-M", "prepared", "-c", &connections.to_string(), "-j", &threads, "-T", &seconds, "-f"]);
    command.arg(&file).arg(database);

    let line = Line::of("creates_by_pgbench", stack)?;
    let watched = crate::meter::Watched { service: None, postgres: Some(postgres.pid()), redis: None };
    let before = watched.read();
    let printed = tokio::task::spawn_blocking(move || process::output(&mut command)).await??;
    let spent = watched.since(before);
    let number = |label: &str| {
        let line = printed.lines().find_map(|line| line.strip_prefix(label));
        line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok()).with_context(|| printed.clone())
    };
    let done = number("number of transactions actually processed: ")?;
    line.set("connections", connections)
        .number("creates", done)
        .number("per_s", number("tps = ")?)
        .cpu(&spent, done)
        .number("create_ms_mean", number("latency average = ")?)
        .print();
    Ok(())
}
