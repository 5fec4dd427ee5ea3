//! What is asked again and again walks an index, whatever else is stored, and before a table was ever analysed.

use std::sync::Arc;

use countersign::adapters::storage::postgres::{Committers, PostgresStore};
use countersign::adapters::storage::sqlite::SqliteStore;
use countersign::adapters::timing::SystemClock;
use countersign::domain::webhook::{Endpoint, EndpointStatus};
use countersign::ports::{Effect, Store};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Row, SqliteConnection};

use super::make;
use crate::conformance::world::{MINUTE, World};
use crate::support::eventually::eventually;
use crate::support::servers::postgres::Postgres;

const MANY: u32 = 100_000;

fn statement(list: &[(&'static str, &'static str)], name: &str) -> &'static str {
    list.iter().find(|(other, _)| *other == name).unwrap_or_else(|| panic!("no statement {name}")).1
}

/// One endpoint that is dead, with a queue of many, and another with one message.
async fn with_a_dead_endpoint(store: Arc<dyn Store>) -> (World, Endpoint) {
    let world = World::build(store).await;
    let dead = world.endpoint_of(world.backend.id, world.id(countersign::domain::EndpointId::new));
    world.apply(Effect::AddEndpoint { endpoint: dead.clone(), remember: world.remember() }).await;
    let mut change = world.change(Effect::Noted);
    change.deliveries = vec![world.delivery(world.endpoint)];
    world.store.commit(change).await.unwrap();
    (world, dead)
}

/// A dead endpoint's queue costs nobody else anything, and the claim takes its share of it.
async fn claims_go_on(world: &World, dead: &Endpoint) {
    let jobs = world.store.claim_deliveries(100, 10, &[], MINUTE).await.unwrap();
    let of_dead = jobs.iter().filter(|job| job.endpoint.id == dead.id).count();
    assert_eq!((of_dead, jobs.len()), (10, 11));
    let jobs = world.store.claim_deliveries(100, 10, &[dead.id], MINUTE).await.unwrap();
    assert!(jobs.is_empty());
    let off = Endpoint { status: EndpointStatus::Disabled, ..dead.clone() };
    world.apply(Effect::SetEndpoint(off)).await;
    assert!(world.store.claim_deliveries(100, 10, &[], MINUTE).await.unwrap().is_empty());
    let backlog = world.store.backlog().await.unwrap();
    assert_eq!(backlog.deliveries, 0, "what waits for an endpoint that is off is nobody's backlog");
}

#[tokio::test]
async fn sqlite_walks_its_indexes() {
    let (store, directory) = make::sqlite_with(Arc::new(SystemClock)).await;
    let (world, dead) = with_a_dead_endpoint(store).await;
    let options = SqliteConnectOptions::new().filename(directory.path().join("record.db"));
    let mut file = options.connect().await.unwrap();
    let fill = [
        format!(
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {MANY})
             INSERT INTO deliveries (id, endpoint_id, message_id, body, status, attempts, fence, created_at, next_at)
             SELECT randomblob(16), x'{}', 'm', '{{}}', 'queued', 0, 0, n, n FROM n",
            dead.id.uuid().simple()
        ),
        format!(
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {MANY})
             INSERT INTO notices (id, change_id, holder_id, channel_id, purpose, about_kind, about_id, rank, status,
             attempts, fence, created_at, useless_after)
             SELECT randomblob(16), x'01', x'01', x'01', 'asked', 'approval', randomblob(16), 0, 'delivered', 1, 1, n, n
             FROM n"
        ),
    ];
    for sql in fill {
        sqlx::query(AssertSqlSafe(sql)).execute(&mut file).await.unwrap();
    }
    let statements = SqliteStore::statements();
    for asked in [
        "DUE_BEFORE",
        "LEASE_NOTICES",
        "LEASE_DELIVERIES",
        "MOVE",
        "OPEN",
        "PROVE_BESIDE",
        "LIST_OF_HOLDER",
        "TOLD",
        "LIST",
        "LIST_LIVE",
        "LIST_OF_SUBJECT",
        "LIST_OF_TRANSFER",
        "NOTICES",
        "NEXT_NOTICE",
        "EVIDENCE",
        "OPENING",
        "DELIVERIES",
        "DEVICES_BY_KEY",
        "APPROVALS_BY_ID",
        "AUDIT_PAGE",
        "ENTRIES_BEFORE",
        "STORED_ENTRY",
        "PLACE_BEFORE",
        "PLACE_FROM",
        "STORED",
        "FORGET",
        "OLD_NOTICES",
        "OLD_DELIVERIES",
        "PRUNE_NOTICES",
        "PRUNE_DELIVERIES",
        "ERASURE_OF",
        "ERASURES_OPEN",
        "LIVING",
        "FURTHER",
        "WHOSE",
        "ENTRIES_ABOUT",
        "EMPTY_ENTRIES",
        "ENDED_APPROVALS",
        "FORGET_ANSWER",
        "DROP_CHANNELS",
        "DROP_DEVICES",
        "DROP_LINKS",
        "DROP_NOTICES",
        "DROP_NOTICES_OF_DEVICES",
        "DROP_NOTICES_OF_LINKS",
        "DROP_DELIVERIES",
        "DROP_EVIDENCE_OF_ENTRIES",
        "DROP_EVIDENCE_OF_APPROVALS",
        "DROP_HOLDER_ENTRIES",
        "DROP_APPROVALS",
        "DROP_OVERRIDES",
        "DROP_FREEZES",
        "EMPTY_VIEWS",
    ] {
        let plan = sqlite_plan(&mut file, statement(&statements, asked)).await;
        // Single rows, the elements of a bound list, subqueries and the steps of a recursion are no tables; and the first
        // row of an index is where the walk from endpoint to endpoint begins.
        let no_tables: &[&str] = match asked {
            "OPEN" => &["p", "places"],
            "OPENING" => &["o"],
            "LIST_OF_HOLDER" => &["a", "l", "e"],
            "LIST_OF_TRANSFER" => &["a"],
            "LEASE_DELIVERIES" => &["w", "d USING COVERING INDEX deliveries_next"],
            "ERASURES_OPEN" => &["erasures USING INDEX erasures_open"],
            _ => &[],
        };
        for scanned in plan.iter().filter_map(|step| step.strip_prefix("SCAN ")) {
            let harmless =
                |name: &str| scanned == name || scanned.starts_with("json_each") || scanned == "CONSTANT ROW";
            assert!(harmless("") || no_tables.iter().any(|name| harmless(name)), "{scanned} in {asked}: {plan:#?}");
        }
    }
    claims_go_on(&world, &dead).await;
}

async fn sqlite_plan(file: &mut SqliteConnection, sql: &str) -> Vec<String> {
    let rows = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"))).fetch_all(file).await.unwrap();
    rows.into_iter().map(|row| row.get("detail")).collect()
}

/// How the plan of a statement was executed, with the settings that the store's connections have.
fn postgres_plan(server: &Postgres, sql: &str, values: &str) -> String {
    let types = values.split(", ").map(|value| value.rsplit("::").next().unwrap()).collect::<Vec<_>>().join(", ");
    server.sql(
        "postgres",
        &format!(
            "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_material = off; SET jit = off;
             SET plan_cache_mode = force_generic_plan;
             PREPARE asked ({types}) AS {sql}; EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF) EXECUTE asked ({values})"
        ),
    )
}

/// Pages that a plan touched in all.
fn pages(plan: &str) -> u64 {
    let line = plan.lines().find(|line| line.contains("Buffers: shared")).expect("the plan counts pages");
    let numbers =
        line.split_whitespace().filter_map(|word| word.split_once('=')).filter(|(name, _)| *name != "dirtied");
    numbers.filter_map(|(_, number)| number.parse::<u64>().ok()).sum()
}

#[tokio::test]
async fn postgres_walks_its_indexes() {
    let server = make::server();
    let store = make::postgres_at(&server.url("postgres"), Committers::One).await;
    let (world, dead) = with_a_dead_endpoint(store).await;
    let approval = world.opened_as(world.cooled()).await;
    // Not analysed: the planner knows nothing of these rows but the size of the file.
    server.sql("postgres", "ALTER TABLE deliveries SET (autovacuum_enabled = false)");
    server.sql("postgres", "ALTER TABLE notices SET (autovacuum_enabled = false)");
    server.sql("postgres", "ALTER TABLE approvals SET (autovacuum_enabled = false)");
    server.sql(
        "postgres",
        &format!(
            "INSERT INTO deliveries (id, endpoint_id, message_id, body, status, attempts, fence, created_at, next_at)
             SELECT gen_random_uuid(), '{}', 'm', '{{}}', 'queued', 0, 0, now(), now() - n * interval '1 ms'
             FROM generate_series(1, {MANY}) n",
            dead.id.uuid()
        ),
    );
    server.sql(
        "postgres",
        &format!(
            "INSERT INTO notices (id, change_id, holder_id, channel_id, purpose, about_kind, about_id, rank, status,
             attempts, fence, created_at, useless_after, next_at)
             SELECT gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'asked', 'approval',
             gen_random_uuid(), 0, 'queued', 0, 0, now(), now(), now() - n * interval '1 ms'
             FROM generate_series(1, {MANY}) n"
        ),
    );
    server.sql(
        "postgres",
        &format!(
            "INSERT INTO approvals (id, backend_id, holder_id, transfer_id, subject, state, version, created_at,
             expires_at, due_at, body, details, seal, slot)
             SELECT gen_random_uuid(), '{}', gen_random_uuid(), 't' || n, 's', 'cooling', 2, now(), now(),
             now() - n * interval '1 ms', '', '', '', 0 FROM generate_series(1, {MANY}) n",
            world.backend.id.uuid()
        ),
    );
    let statements = PostgresStore::statements();
    let backend = format!("'{}'::uuid", world.backend.id.uuid());
    let highest = "'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid";
    let one = format!("ARRAY['{}']::uuid[]", approval.id.uuid());
    let several = format!("ARRAY[{backend}]::uuid[]");
    let asked = [
        (
            "DUE_BEFORE",
            "now()::timestamptz, '0001-01-01'::timestamptz, '00000000-0000-0000-0000-000000000000'::uuid, 100::bigint"
                .to_owned(),
        ),
        ("LEASE_NOTICES", "50::bigint, 0::bigint".to_owned()),
        ("LEASE_DELIVERIES", "100::bigint, 10::bigint, '{}'::uuid[], 0::bigint".to_owned()),
        ("LIST", format!("{backend}, {highest}, 50::bigint, NULL::text")),
        ("LIST_LIVE", format!("{backend}, {highest}, 50::bigint, 'cooling'::text")),
        ("LIST_OF_SUBJECT", format!("{backend}, {highest}, 50::bigint, NULL::text, 'u-77'::text")),
        ("LIST_OF_TRANSFER", format!("{backend}, {highest}, 50::bigint, NULL::text, NULL::text, 't77'::text")),
        ("LIST_OF_HOLDER", format!("'{}'::uuid, 50::bigint", world.holder.id.uuid())),
        ("TOLD", one.clone()),
        ("CASES", one.clone()),
        ("DEVICE_CASES", format!("ARRAY['cookie']::bytea[], {one}")),
        ("KEYS_BY_HASH", "ARRAY['hash']::bytea[]".to_owned()),
        ("OPENINGS", format!("{several}, ARRAY['u-77']::text[], ARRAY['key']::text[]")),
        ("APPROVALS_BY_ID", one),
        ("NOTICES", format!("'{}'::uuid", approval.id.uuid())),
    ];
    for (name, values) in asked {
        let plan = postgres_plan(&server, statement(&statements, name), &values);
        for table in ["approvals", "notices", "deliveries", "channels", "holders"] {
            assert!(!plan.contains(&format!("Seq Scan on {table}")), "{name}:\n{plan}");
        }
        assert!(pages(&plan) < 2_000, "{name} touched {} pages:\n{plan}", pages(&plan));
    }
    let dead_rows = "DELETE FROM notices WHERE purpose = 'asked'";
    server.sql("postgres", dead_rows);
    claims_go_on(&world, &dead).await;
}

/// The batch is planned once, when every table may still be empty, and that plan has to do for ever after.
#[tokio::test]
async fn the_plan_of_an_empty_database_does_for_a_full_one() {
    let server = make::server();
    let store = make::postgres_at(&server.url("postgres"), Committers::One).await;
    let world = World::build(Arc::clone(&store) as Arc<dyn Store>).await;
    world.opened_as(world.cancelled()).await;
    server.sql("postgres", "ALTER TABLE approvals SET (autovacuum_enabled = false)");
    server.sql(
        "postgres",
        &format!(
            "INSERT INTO approvals (id, backend_id, holder_id, transfer_id, subject, state, version, created_at,
             expires_at, due_at, body, details, seal, slot)
             SELECT gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 't' || n, 's', 'pending', 2, now(), now(),
             now(), '', '', '', 0 FROM generate_series(1, {MANY}) n"
        ),
    );
    // Counted by the server itself: rows that were read one after the other, which no statement of the batch may do.
    let read = || server.sql("postgres", "SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'approvals'");
    let before = read();
    let approval = world.opened().await;
    world.put(&approval, world.cancelled()).await;
    store.close().await;
    let after = eventually("the server processes to be gone and their counts to be there", async || {
        let calm =
            server.sql("postgres", "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'countersign'");
        (calm == "0").then(read)
    })
    .await;
    assert_eq!(before, after);
}
