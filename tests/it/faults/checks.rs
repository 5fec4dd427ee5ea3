//! The invariants of design section 9, as far as the database, the ledger and the webhooks can tell. Everything has
//! settled before.

use sqlx::PgConnection;

use super::deployment::Deployment;
use super::settled::settled;

/// The transitions by their audit entries, which nothing changes any more: what, of which approval, to which version,
/// at which time by the node's clock, and committed at which time by the database's.
macro_rules! with_steps {
    ($query:literal) => {
        concat!(
            "WITH steps AS MATERIALIZED (SELECT id AS change_id, kind, at, pg_xact_commit_timestamp(xmin) AS stored_at, \
             substr(canonical::jsonb #>> '{object,0}', 5)::uuid AS approval_id, \
             (canonical::jsonb #>> '{facts,version}')::bigint AS version FROM audit WHERE kind LIKE 'approval.%') ",
            $query
        )
    };
}

/// Each finds what breaks a rule, and so should find nothing.
const RULES: &[(&str, &str)] = &[
    (
        "each version of an approval has exactly one audit entry",
        with_steps!(
            "SELECT format('%s at version %s has entries for %s', a.id, a.version, s.versions) FROM approvals a \
             LEFT JOIN (SELECT approval_id, array_agg(version ORDER BY version) AS versions FROM steps GROUP BY 1) s \
             ON s.approval_id = a.id \
             WHERE s.versions IS DISTINCT FROM ARRAY(SELECT generate_series(1::bigint, a.version))"
        ),
    ),
    (
        "each transition in the audit log is of an approval",
        with_steps!(
            "SELECT format('%s of %s', s.kind, s.approval_id) FROM steps s \
             WHERE NOT EXISTS (SELECT 1 FROM approvals a WHERE a.id = s.approval_id)"
        ),
    ),
    (
        "the last transition led to the state",
        with_steps!(
            "SELECT format('%s is %s after %s', a.id, a.state, s.kind) FROM approvals a \
             JOIN steps s ON s.approval_id = a.id AND s.version = a.version \
             WHERE a.state <> CASE s.kind WHEN 'approval.opened' THEN 'pending' WHEN 'approval.watched' THEN 'pending' \
             WHEN 'approval.approved' THEN 'cooling' ELSE substr(s.kind, 10) END"
        ),
    ),
    (
        "a final state stays",
        with_steps!(
            "SELECT format('%s was %s and then %s', s.approval_id, s.kind, n.kind) FROM steps s \
             JOIN steps n ON n.approval_id = s.approval_id AND n.version > s.version WHERE s.kind IN \
             ('approval.redeemed', 'approval.rejected', 'approval.cancelled', 'approval.expired')"
        ),
    ),
    (
        "each approval by a device has its evidence",
        with_steps!(
            "SELECT format('version %s of %s has %s', s.version, s.approval_id, count(e.change_id)) FROM steps s \
             LEFT JOIN evidence e ON e.change_id = s.change_id AND e.approval_id = s.approval_id \
             WHERE s.kind = 'approval.approved' GROUP BY s.change_id, s.version, s.approval_id \
             HAVING count(e.change_id) <> 1"
        ),
    ),
    (
        "evidence of an approval belongs to a transition",
        with_steps!(
            "SELECT format('%s of %s', e.change_id, e.approval_id) FROM evidence e WHERE e.approval_id IS NOT NULL \
             AND NOT EXISTS (SELECT 1 FROM steps s WHERE s.change_id = e.change_id AND s.kind = 'approval.approved')"
        ),
    ),
    (
        "each public transition has one delivery for each endpoint",
        with_steps!(
            "SELECT format('%s of %s has %s', s.kind, s.approval_id, count(d.id)) FROM steps s CROSS JOIN endpoints e \
             LEFT JOIN deliveries d ON d.approval_id = s.approval_id AND d.version = s.version AND d.endpoint_id = e.id \
             WHERE s.kind NOT IN ('approval.opened', 'approval.watched') \
             GROUP BY s.change_id, s.kind, s.approval_id, e.id HAVING count(d.id) <> 1"
        ),
    ),
    (
        "each delivery is of a public transition",
        with_steps!(
            "SELECT format('%s', d.message_id) FROM deliveries d WHERE NOT EXISTS (SELECT 1 FROM steps s \
             WHERE s.approval_id = d.approval_id AND s.version = d.version \
             AND s.kind NOT IN ('approval.opened', 'approval.watched'))"
        ),
    ),
    (
        "the holder is told of each transfer, and of each approval of it",
        with_steps!(
            "SELECT format('%s of %s', s.kind, s.approval_id) FROM steps s \
             WHERE s.kind IN ('approval.opened', 'approval.approved') \
             AND NOT EXISTS (SELECT 1 FROM notices n WHERE n.change_id = s.change_id AND n.about_id = s.approval_id)"
        ),
    ),
    (
        "each notice belongs to a change",
        "SELECT format('%s about %s', n.purpose, n.about_id) FROM notices n \
         WHERE NOT EXISTS (SELECT 1 FROM audit a WHERE a.id = n.change_id)",
    ),
    (
        "nothing is released before its hold is over, by the database's clock or the node's",
        with_steps!(
            "SELECT format('%s was approved at %s, and released at %s, stored at %s', r.approval_id, d.at, r.at, \
             r.stored_at) FROM steps r JOIN steps d ON d.approval_id = r.approval_id AND d.kind = 'approval.approved' \
             WHERE r.kind = 'approval.released' AND (least(r.at, r.stored_at) < d.at + $1 * interval '1 second' \
             OR r.stored_at IS NULL)"
        ),
    ),
    (
        "nothing is released before its holder was told of the approval",
        with_steps!(
            "SELECT format('%s', r.approval_id) FROM steps r \
             JOIN steps d ON d.approval_id = r.approval_id AND d.kind = 'approval.approved' \
             WHERE r.kind = 'approval.released' AND NOT EXISTS (SELECT 1 FROM notices n WHERE n.change_id = d.change_id \
             AND n.purpose = 'cooling' AND n.delivered_at BETWEEN d.at AND r.at)"
        ),
    ),
    (
        "each signed tree has the entries of the one before and those placed since, none lost and none twice",
        "SELECT format('%s after %s', c.size, c.previous) FROM log_checkpoints c \
         LEFT JOIN log_checkpoints b ON b.size = c.previous WHERE (b.size IS NULL AND c.previous <> 0) \
         OR c.size - c.previous <> (SELECT count(*) FROM audit a WHERE a.place <= c.place \
         AND a.place > coalesce(b.place, -1))",
    ),
    (
        "nothing is released before a stored checkpoint has its decision",
        with_steps!(
            "SELECT format('%s', r.approval_id) FROM steps r \
             JOIN steps d ON d.approval_id = r.approval_id AND d.kind = 'approval.approved' \
             JOIN audit u ON u.id = d.change_id WHERE r.kind = 'approval.released' \
             AND NOT EXISTS (SELECT 1 FROM log_checkpoints c WHERE c.place >= u.place \
             AND pg_xact_commit_timestamp(c.xmin) <= r.stored_at)"
        ),
    ),
    (
        "what is redeemed has a receipt, and nothing else has",
        "SELECT format('%s is %s', id, state) FROM approvals WHERE (state = 'redeemed') <> (receipt IS NOT NULL)",
    ),
    (
        "each approval has its remembered answer",
        "SELECT format('%s', a.id) FROM approvals a WHERE NOT EXISTS (SELECT 1 FROM idempotency i \
         WHERE i.backend_id = a.backend_id AND i.key = a.transfer_id \
         AND position('apr_' || replace(a.id::text, '-', '') IN i.answer) > 0)",
    ),
];

/// Every public transition, as its webhook should have told it.
const PUBLIC: &str = with_steps!(
    "SELECT format('msg_%s_%s', replace(approval_id::text, '-', ''), version), kind FROM steps \
     WHERE kind NOT IN ('approval.opened', 'approval.watched')"
);

const STORED: &str =
    "SELECT 'apr_' || replace(id::text, '-', ''), version, state, coalesce(receipt, '') FROM approvals";

impl Deployment {
    /// Waits until everything has settled, and checks all there is to check.
    pub async fn check(&self, url: &str) {
        let mut connection = settled(url).await;
        for (rule, query) in RULES {
            let mut found = sqlx::query_scalar::<_, String>(*query);
            if query.contains("$1") {
                found = found.bind(f64::from(u32::try_from(self.hold).expect("a short hold")));
            }
            let broken = found.fetch_all(&mut connection).await.unwrap_or_else(|error| panic!("{rule}: {error}"));
            assert!(broken.is_empty(), "{rule}; but: {broken:#?}");
        }
        self.acknowledged(&mut connection).await;
        self.told(&mut connection).await;
        self.logs_are_clean();
    }

    /// Nothing that was acknowledged is lost.
    async fn acknowledged(&self, connection: &mut PgConnection) {
        let rows: Vec<(String, i64, String, String)> =
            sqlx::query_as(STORED).fetch_all(connection).await.expect("a query that works");
        let known = self.ledger.all();
        for (id, known) in &known {
            let Some((_, version, state, receipt)) = rows.iter().find(|(stored, ..)| stored == id) else {
                panic!("{id} was acknowledged and is lost: {known:?}");
            };
            let version = u64::try_from(*version).expect("a version");
            let stands = match &known.state {
                Some(known_state) => version > known.version || (version == known.version && state == known_state),
                None => version >= known.version,
            };
            assert!(stands, "{id} is {state} at version {version}, but was {known:?}");
            if known.is_cancelled {
                assert!(["cancelled", "rejected"].contains(&state.as_str()), "{id} was stopped, and is {state}");
            }
            if let Some(acknowledged) = &known.receipt {
                assert_eq!(receipt, acknowledged, "{id} has another receipt than was given out");
            }
        }
    }

    /// Each public transition was told at least once, under its own id, and never two things under one.
    async fn told(&self, connection: &mut PgConnection) {
        let steps: Vec<(String, String)> =
            sqlx::query_as(PUBLIC).fetch_all(connection).await.expect("a query that works");
        let messages = self.hooks.messages();
        for (id, kind) in &steps {
            let bodies = messages.get(id).unwrap_or_else(|| panic!("nobody was told of {id}, {kind}"));
            for body in bodies {
                assert_eq!(body["type"], *kind, "{id}");
                let state = if kind == "approval.approved" { "cooling" } else { &kind["approval.".len()..] };
                assert_eq!(body["data"]["state"], state, "{id}");
                assert_eq!(body, &bodies[0], "two things were told under one id");
            }
        }
        assert_eq!(messages.len(), steps.len(), "webhooks told of what never happened");
    }

    /// No secret, address or link is in a log.
    fn logs_are_clean(&self) {
        let mut secrets = self.ledger.secrets();
        secrets.push(self.secret.clone());
        for node in &self.nodes {
            let log = node.logged();
            for secret in &secrets {
                let line = log.lines().find(|line| line.contains(secret.as_str()));
                assert!(line.is_none(), "{secret} is in a log: {line:?}");
            }
        }
    }
}
