//! pgbench beside our own figures, one transaction each: creates, with rows of the same sizes in the same tables with
//! the same indexes, all in one statement; and a log that is a chain of hashes.

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
    measure(stack, database, "creates_by_pgbench", &script, connections, extent).await
}

/// Entries that each hash the one before, under the lock of the row that has the newest hash: the usual way to make a
/// table tamper-evident. One statement each, the cheapest way to do it.
pub async fn chain(stack: &Stack, database: &str, connections: usize, extent: Extent) -> anyhow::Result<()> {
    let (postgres, _) = stack.servers()?;
    let tables = "CREATE TABLE bench_newest (hash bytea NOT NULL); INSERT INTO bench_newest VALUES (''); \
        CREATE TABLE bench_chain (place bigserial PRIMARY KEY, hash bytea NOT NULL, entry text NOT NULL)";
    postgres.run(database, tables).await?;
    let sizes = postgres.numbers(database, "SELECT avg(length(canonical))::float8 FROM audit").await?;
    let [canonical] = sizes.as_slice() else { anyhow::bail!("no sizes") };
    let script = format!(
        "WITH newest AS (SELECT hash FROM bench_newest FOR UPDATE), \
         next AS (SELECT sha256(hash || convert_to(repeat('c', {canonical:.0}), 'UTF8')) AS hash FROM newest), \
         added AS (INSERT INTO bench_chain (hash, entry) SELECT hash, repeat('c', {canonical:.0}) FROM next) \
         UPDATE bench_newest SET hash = next.hash FROM next;\n"
    );
    measure(stack, database, "log_by_row_locked_chain", &script, connections, extent).await
}

async fn measure(
    stack: &Stack,
    database: &str,
    figure: &str,
    script: &str,
    connections: usize,
    extent: Extent,
) -> anyhow::Result<()> {
    let (postgres, _) = stack.servers()?;
    let file = stack.folder().join("pgbench.sql");
    std::fs::write(&file, script)?;
    let threads = connections.min(2).to_string();
    let seconds = extent.time.as_secs().max(1).to_string();
    let mut command = Command::new(postgres.program("pgbench"));
    command.args(["-h", "127.0.0.1", "-U", "postgres", "-p", &postgres.port().to_string()]);
    command.args(["-n", "-M", "prepared", "-c", &connections.to_string(), "-j", &threads, "-T", &seconds, "-f"]);
    command.arg(&file).arg(database);

    let line = Line::of(figure, stack)?;
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
        .number("transactions", done)
        .number("per_s", number("tps = ")?)
        .cpu(&spent, done)
        .number("ms_mean", number("latency average = ")?)
        .print();
    Ok(())
}
