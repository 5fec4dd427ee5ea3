//! The end of a run: whatever was begun comes to its end, in time.

use std::time::Duration;

use sqlx::{Connection as _, PgConnection};
use tokio::time::{Instant, sleep};

/// In all: the longest lease of something that a killed node was sending (a minute), and a transfer's life after it.
const BOUND: Duration = Duration::from_secs(130);
const PAUSE: Duration = Duration::from_millis(100);

/// What is past its deadline by more than a sweep (10 s), the lease of a dead node's timers (10 s), and as much again
/// for a busy machine; counted from the end of the last fault, and for a transfer that waited for its holder to be
/// told, from then.
const STUCK: &str = "SELECT format('%s has been %s since it was due at %s', id, state, due_at) FROM approvals a \
    CROSS JOIN LATERAL (SELECT min(n.delivered_at) AS at FROM notices n WHERE n.about_id = a.id \
        AND n.purpose = 'cooling' AND n.delivered_at >= a.approved_at) told \
    WHERE due_at IS NOT NULL AND (state <> 'cooling' OR told.at IS NOT NULL) \
    AND greatest(due_at, told.at, $1::timestamptz) + interval '40 seconds' < clock_timestamp()";

const UNDER_WAY: &str = "SELECT (SELECT count(*) FROM approvals WHERE due_at IS NOT NULL) AS living, \
    (SELECT count(*) FROM deliveries WHERE status = 'queued') AS webhooks, \
    (SELECT count(*) FROM notices WHERE status = 'queued') AS notices";

/// Waits until every approval is final and everything is sent; fails as soon as something is stuck. Nothing may be
/// broken any more. The connection is what the checks go on with.
pub async fn settled(url: &str) -> PgConnection {
    let mut connection = PgConnection::connect(url).await.expect("a database that answers");
    let calm: String =
        sqlx::query_scalar("SELECT clock_timestamp()::text").fetch_one(&mut connection).await.expect("a time");
    let began = Instant::now();
    loop {
        let stuck: Vec<String> =
            sqlx::query_scalar(STUCK).bind(&calm).fetch_all(&mut connection).await.expect("a query that works");
        assert!(stuck.is_empty(), "stuck: {stuck:#?}");
        let (living, webhooks, notices): (i64, i64, i64) =
            sqlx::query_as(UNDER_WAY).fetch_one(&mut connection).await.expect("a query that works");
        if living + webhooks + notices == 0 {
            return connection;
        }
        assert!(
            began.elapsed() < BOUND,
            "after {BOUND:?} there are {living} approvals alive, {webhooks} webhooks and {notices} notices to send"
        );
        sleep(PAUSE).await;
    }
}
