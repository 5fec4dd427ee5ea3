//! Approvals that only have to be there: copies of one that is real, made by the database. Their seals don't fit their
//! new ids; nothing reads them, since their time lies a day ahead and their holders never come.

use crate::stack::postgres::Postgres;

/// Copies the pending approvals of a record until there are `total`, each with its remembered answer, its audit entry
/// and the notice that was sent. Ids are UUIDv7 of the hours before, in their order.
pub async fn pending(postgres: &Postgres, database: &str, total: u64) -> anyhow::Result<()> {
    postgres.hurry().await?;
    // Version 7 and its variant are set by hand (RFC 9562 section 5.7); what is random comes from a hash.
    let id = |salt: &str| {
        format!(
            "(lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint - 7200000 + n), 12, '0') || '7' \
              || substr(md5('{salt}' || n), 1, 3) || '8' || substr(md5('{salt}' || n), 4, 15))::uuid"
        )
    };
    let copies = format!("generate_series(1, {total} - (SELECT count(*) FROM approvals WHERE state = 'pending')) n");
    let statements = [
        format!(
            "INSERT INTO approvals SELECT {}, backend_id, {}, 'background-' || n, 'background-' || n, state, reason, \
             version, created_at, expires_at + interval '1 day', cooling_until, approved_at, redeem_until, \
             due_at + interval '1 day', decided_by, body, details, seal, receipt, 0 \
             FROM (SELECT * FROM approvals WHERE state = 'pending' LIMIT 1) a, {copies}",
            id("a"),
            id("h")
        ),
        format!(
            "INSERT INTO idempotency SELECT backend_id, 'background-' || n, request, answer, created_at \
             FROM (SELECT * FROM idempotency LIMIT 1) i, {copies_all}",
            copies_all = format_args!("generate_series(1, {total}) n")
        ),
        format!(
            "INSERT INTO audit SELECT -n, {}, at, kind, salt, canonical, leaf_hash \
             FROM (SELECT * FROM audit ORDER BY place DESC LIMIT 1) u, generate_series(1, {total}) n",
            id("u")
        ),
        format!(
            "INSERT INTO notices SELECT {}, change_id, holder_id, channel_id, purpose, about_kind, {}, rank, 'delivered', \
             1, 1, created_at, useless_after, NULL, created_at FROM (SELECT * FROM notices LIMIT 1) o, \
             generate_series(1, {total}) n",
            id("n"),
            id("a")
        ),
    ];
    for statement in statements {
        postgres.run(database, &statement).await?;
    }
    postgres.run(database, "VACUUM ANALYZE").await?;
    postgres.settle().await
}
