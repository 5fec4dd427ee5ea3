//! The statements that only PostgreSQL has: the batch, the claims, and the log.

crate::adapters::storage::statements! {
    NOW = "SELECT clock_timestamp()";
    DURABILITY = "SELECT current_setting('fsync'), current_setting('full_page_writes'), \
                  current_setting('synchronous_commit')";
    STANDBYS = "SELECT application_name, sync_state FROM pg_stat_replication \
                WHERE state IS NULL OR state IN ('streaming', 'catchup') ORDER BY application_name";

    // A place is the transaction's id with twenty bits for the entries of one transaction. A number handed out by a
    // sequence would not do: a transaction that takes a lower one may become visible after a higher one was read.
    INSERT_AUDIT = "INSERT INTO audit (place, id, at, kind, salt, canonical, leaf_hash, seal) \
                    SELECT (pg_current_xact_id()::text::bigint + b.base) << 20, $1, $2, $3, $4, $5, $6, $7 \
                    FROM audit_base b";
    // Only what is below every transaction that still runs, so that nothing comes to light behind a reader.
    AUDIT_PAGE = "SELECT place, id, at, kind, salt, canonical, leaf_hash FROM audit WHERE place > $1 AND canonical <> '' AND place < \
                  (pg_snapshot_xmin(pg_current_snapshot())::text::bigint + (SELECT base FROM audit_base)) << 20 \
                  ORDER BY place LIMIT $2";
    WAITING = concat!("SELECT ", entry_columns!(), " FROM audit WHERE place > $1 AND place < \
               (pg_snapshot_xmin(pg_current_snapshot())::text::bigint + (SELECT base FROM audit_base)) << 20 \
               ORDER BY place LIMIT $2");
    IS_UNSEALED = "SELECT count(*) FROM pg_attribute WHERE attrelid = to_regclass('audit') AND attname = 'leaf_hash' \
                   AND NOT EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = to_regclass('audit') \
                   AND attname = 'seal' AND NOT attisdropped)";
    // After a dump was restored into a cluster that counts its transactions from a lower number.
    RAISE_AUDIT_BASE = "UPDATE audit_base SET base = r.base FROM (SELECT coalesce((SELECT max(place) >> 20 FROM audit), 0) \
                        - pg_current_xact_id()::text::bigint + 1 AS base) r WHERE audit_base.base < r.base";

    // Look-ups for several at once: a row says in `number` which it belongs to. Each step is a look-up of its own in an
    // index, because a lateral limit or offset can't be pulled out.
    KEYS_BY_HASH = concat!("SELECT q.number, k.* FROM unnest($1::bytea[]) WITH ORDINALITY AS q (asked, number) \
                    CROSS JOIN LATERAL (SELECT ", key_columns!(), " FROM api_keys WHERE hash = q.asked LIMIT 1) k");
    OPENINGS = concat!("SELECT q.number, h.id, h.backend_id, h.subject, h.created_at, h.enrolled_at, h.seal, \
                i.request, i.answer, i.created_at AS remembered_at, \
                (SELECT count(*) FROM approvals a WHERE a.holder_id = h.id AND a.state = 'pending') AS pending, \
                (SELECT count(*) FROM devices d WHERE d.holder_id = h.id AND d.locked_at IS NULL \
                 AND d.removed_at IS NULL) AS devices, \
                (SELECT count(*) FROM freezes f WHERE f.holder_id = h.id AND f.ended_at IS NULL) AS freezes, ",
                beside_channels!(), " FROM unnest($1::uuid[], $2::text[], $3::text[]) WITH ORDINALITY \
                AS q (backend_id, subject, key, number) \
                LEFT JOIN LATERAL (SELECT * FROM holders x WHERE x.backend_id = q.backend_id \
                AND x.subject = q.subject LIMIT 1) h ON true \
                LEFT JOIN LATERAL (SELECT * FROM idempotency x WHERE x.backend_id = q.backend_id \
                AND x.key = q.key LIMIT 1) i ON true \
                LEFT JOIN LATERAL (SELECT * FROM channels x WHERE x.holder_id = h.id AND x.removed_at IS NULL \
                OFFSET 0) c ON true ORDER BY q.number, c.id");
    CASES = concat!("SELECT q.number, ", approval_columns!(), ", a.receipt, ", endpoint_ids!(),
             " FROM unnest($1::uuid[]) WITH ORDINALITY AS q (asked, number) \
             CROSS JOIN LATERAL (SELECT * FROM approvals x WHERE x.id = q.asked LIMIT 1) a");
    DEVICE_CASES = concat!("SELECT q.number, ", approval_columns!(), ", a.receipt, ", endpoint_ids!(), ", ",
                    beside_approval!(), ", l.size AS log_size, l.root AS log_root, ", beside_channels!(),
                    " FROM unnest($1::bytea[], $2::uuid[]) WITH ORDINALITY AS q (cookie, approval, number) \
                    CROSS JOIN LATERAL (SELECT * FROM devices x WHERE x.cookie_hash = q.cookie LIMIT 1) d \
                    CROSS JOIN LATERAL (SELECT * FROM approvals x WHERE x.id = q.approval \
                    AND x.holder_id = d.holder_id LIMIT 1) a \
                    LEFT JOIN log_checkpoints l ON l.size = (SELECT max(size) FROM log_checkpoints) \
                    LEFT JOIN LATERAL (SELECT * FROM channels x WHERE x.holder_id = d.holder_id \
                    AND x.removed_at IS NULL OFFSET 0) c ON true ORDER BY q.number, c.id");

    // Written so that the plan can only be one of look-ups: a join by `= ANY (ARRAY[…])` can't be hashed, and a lateral
    // aggregate or limit can't be pulled out. The planner sees it once, perhaps before there is a single row.
    BATCH = "WITH \
        opened AS MATERIALIZED (SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], \
            $6::text[], $7::text[], $8::text[], $9::bigint[], $10::timestamptz[], $11::timestamptz[], \
            $12::timestamptz[], $13::timestamptz[], $14::timestamptz[], $15::timestamptz[], $16::uuid[], $17::text[], \
            $18::text[], $19::bytea[], $20::text[], $21::bytea[], $22::text[], $23::timestamptz[]) AS o (change_id, id, \
            backend_id, holder_id, transfer_id, subject, state, reason, version, created_at, expires_at, \
            cooling_until, approved_at, redeem_until, due_at, decided_by, body, details, seal, key, request, answer, \
            remembered_at)), \
        placed AS MATERIALIZED (SELECT o.*, f.slot FROM opened o \
            CROSS JOIN LATERAL (SELECT coalesce(array_agg(p.slot), '{}') AS taken FROM approvals p \
                WHERE p.holder_id = o.holder_id AND p.state = 'pending') t \
            CROSS JOIN LATERAL (SELECT min(s.slot) AS slot FROM generate_series(0, $24::bigint - 1) AS s (slot) \
                WHERE s.slot <> ALL (t.taken)) f \
            LEFT JOIN LATERAL (SELECT true AS used FROM idempotency i \
                WHERE i.backend_id = o.backend_id AND i.key = o.key LIMIT 1) k ON true \
            LEFT JOIN LATERAL (SELECT true AS holds FROM freezes z \
                WHERE z.holder_id = o.holder_id AND z.ended_at IS NULL LIMIT 1) z ON true \
            WHERE f.slot IS NOT NULL AND k.used IS NULL AND z.holds IS NULL), \
        added AS (INSERT INTO approvals (id, backend_id, holder_id, transfer_id, subject, state, reason, version, \
            created_at, expires_at, cooling_until, approved_at, redeem_until, due_at, decided_by, body, details, seal, \
            slot) SELECT id, backend_id, holder_id, transfer_id, subject, state, reason, version, created_at, \
            expires_at, cooling_until, approved_at, redeem_until, due_at, decided_by, body, details, seal, slot \
            FROM placed ON CONFLICT DO NOTHING RETURNING id), \
        remembered AS (INSERT INTO idempotency (backend_id, key, request, answer, created_at) \
            SELECT o.backend_id, o.key, o.request, o.answer, o.remembered_at FROM opened o JOIN added a ON a.id = o.id), \
        moved AS MATERIALIZED (SELECT m.*, d.live FROM unnest($25::uuid[], $26::uuid[], $27::bigint[], $28::text[], \
            $29::text[], $30::bigint[], $31::timestamptz[], $32::timestamptz[], $33::timestamptz[], \
            $34::timestamptz[], $35::timestamptz[], $36::uuid[], $37::text[], $38::bytea[], $39::text[], \
            $40::timestamptz[], $41::timestamptz[], $42::uuid[], $43::bigint[]) AS m (change_id, id, expected, state, \
            reason, version, expires_at, cooling_until, approved_at, redeem_until, due_at, decided_by, body, seal, \
            receipt, not_before, not_after, device_id, counter) \
            LEFT JOIN LATERAL (SELECT true AS live FROM devices d WHERE d.id = m.device_id AND d.locked_at IS NULL \
                AND d.removed_at IS NULL AND (m.counter > d.counter OR (m.counter = 0 AND d.counter = 0)) LIMIT 1) d \
                ON true), \
        changed AS (UPDATE approvals a SET state = m.state, reason = m.reason, version = m.version, \
            expires_at = m.expires_at, cooling_until = m.cooling_until, approved_at = m.approved_at, \
            redeem_until = m.redeem_until, due_at = m.due_at, decided_by = m.decided_by, body = m.body, \
            seal = m.seal, receipt = coalesce(m.receipt, a.receipt) FROM moved m \
            WHERE a.id = ANY (ARRAY[m.id]) AND a.version = m.expected \
            AND (m.not_before IS NULL OR m.not_before <= clock_timestamp()) \
            AND (m.not_after IS NULL OR clock_timestamp() < m.not_after) \
            AND (m.device_id IS NULL OR m.live) AND (m.state NOT IN ('cooling', 'released', 'redeemed') \
            OR (SELECT true FROM freezes z WHERE z.holder_id = a.holder_id AND z.ended_at IS NULL LIMIT 1) IS NULL) \
            AND (m.state NOT IN ('released', 'redeemed') OR m.decided_by IS NULL \
            OR (SELECT true FROM devices z WHERE z.id = m.decided_by AND z.removed_at IS NULL LIMIT 1)) \
            RETURNING m.change_id, m.device_id, m.counter), \
        proved AS (UPDATE devices d SET failures = 0, counter = CASE WHEN d.locked_at IS NULL \
            AND d.removed_at IS NULL AND (c.counter > d.counter OR (c.counter = 0 AND d.counter = 0)) \
            THEN c.counter END FROM changed c WHERE d.id = ANY (ARRAY[c.device_id])), \
        done AS MATERIALIZED (SELECT o.change_id FROM opened o JOIN added a ON a.id = o.id \
            UNION ALL SELECT change_id FROM changed UNION ALL SELECT unnest($44::uuid[])), \
        entries AS (INSERT INTO audit (place, id, at, kind, salt, canonical, leaf_hash, seal) \
            SELECT ((pg_current_xact_id()::text::bigint + (SELECT base FROM audit_base)) << 20) + x.number, x.id, x.at, \
            x.kind, x.salt, x.canonical, x.leaf_hash, x.seal FROM unnest($45::uuid[], $46::timestamptz[], $47::text[], \
            $48::bytea[], $49::text[], $50::bytea[], $78::bytea[]) WITH ORDINALITY AS x (id, at, kind, salt, canonical, \
            leaf_hash, seal, number) JOIN done ON done.change_id = x.id), \
        proofs AS (INSERT INTO evidence (change_id, approval_id, body, created_at) \
            SELECT x.* FROM unnest($51::uuid[], $52::uuid[], $53::text[], $54::timestamptz[]) \
            AS x (change_id, approval_id, body, created_at) JOIN done ON done.change_id = x.change_id), \
        told AS (INSERT INTO notices (id, change_id, holder_id, channel_id, purpose, about_kind, about_id, rank, \
            status, attempts, fence, created_at, useless_after, next_at) \
            SELECT x.id, x.change_id, x.holder_id, x.channel_id, x.purpose, x.about_kind, x.about_id, x.rank, x.status, \
            0, x.fence, x.created_at, x.useless_after, CASE x.status WHEN 'queued' \
            THEN statement_timestamp() + x.lease * interval '1 microsecond' END \
            FROM unnest($55::uuid[], $56::uuid[], $57::uuid[], $58::uuid[], $59::text[], $60::text[], $61::uuid[], \
            $62::bigint[], $63::text[], $64::timestamptz[], $65::timestamptz[], $74::bigint[], $75::bigint[]) \
            AS x (change_id, id, holder_id, channel_id, purpose, about_kind, about_id, rank, status, created_at, \
            useless_after, fence, lease) \
            JOIN done ON done.change_id = x.change_id), \
        posted AS (INSERT INTO deliveries (id, endpoint_id, approval_id, version, message_id, body, status, attempts, \
            fence, created_at, next_at) SELECT x.id, x.endpoint_id, x.approval_id, x.version, x.message_id, x.body, \
            'queued', 0, x.fence, x.created_at, statement_timestamp() + x.lease * interval '1 microsecond' \
            FROM unnest($66::uuid[], $67::uuid[], $68::uuid[], $69::uuid[], $70::bigint[], $71::text[], $72::text[], \
            $73::timestamptz[], $76::bigint[], $77::bigint[]) AS x (change_id, id, endpoint_id, approval_id, version, \
            message_id, body, created_at, fence, lease) \
            JOIN done ON done.change_id = x.change_id) \
        SELECT change_id FROM done";
    // Why an approval that should have been new wasn't.
    DIAGNOSE = "SELECT EXISTS (SELECT 1 FROM idempotency WHERE backend_id = $1 AND key = $2), \
                EXISTS (SELECT 1 FROM approvals WHERE backend_id = $1 AND transfer_id = $3 \
                AND state IN ('pending', 'cooling', 'released', 'redeemed')), \
                (SELECT count(*) FROM approvals WHERE holder_id = $4 AND state = 'pending'), \
                EXISTS (SELECT 1 FROM approvals WHERE id = $5), \
                EXISTS (SELECT 1 FROM freezes WHERE holder_id = $4 AND ended_at IS NULL)";
    WHO_AM_I = "SELECT pid::bigint, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()";
    // Ends a server process whose answer was lost, and waits until it is gone: what it didn't store it never will. One
    // that waits for its synchronous standby is left alone, and one that may be about to: ended, it would show everybody
    // a change that the standby doesn't have, and that a failover takes back.
    END_PROCESS = "SELECT coalesce(bool_and(CASE WHEN wait_event = 'SyncRep' \
                   OR (state = 'active' AND current_setting('synchronous_standby_names') <> '') THEN false \
                   ELSE pg_terminate_backend(pid, 2000) END), true) FROM pg_stat_activity \
                   WHERE pid = $1 AND backend_start = $2";
    // A record in the log that a commit has to flush, and a synchronous standby to confirm, behind all before it.
    CONFIRM = "SELECT pg_logical_emit_message(true, 'countersign', 'confirm')::text";

    // The start of the statement, because a volatile clock can't bound an index scan. It is never ahead of the clock.
    LEASE_NOTICES = "WITH due AS MATERIALIZED (SELECT id FROM notices WHERE next_at IS NOT NULL \
                     AND next_at <= statement_timestamp() ORDER BY next_at, id LIMIT $1 FOR UPDATE SKIP LOCKED) \
                     UPDATE notices SET next_at = clock_timestamp() + $2::bigint * interval '1 microsecond', \
                     fence = fence + 1 WHERE id = ANY (ARRAY(SELECT id FROM due)) \
                     RETURNING id, holder_id, channel_id, purpose, about_kind, about_id, attempts, fence, created_at, \
                     useless_after";
    // Steps from one endpoint with work to the next along the index, and takes a few rows of each, so that the rows of
    // a dead endpoint are never walked through.
    LEASE_DELIVERIES = "WITH RECURSIVE working AS (\
                        (SELECT endpoint_id FROM deliveries WHERE next_at IS NOT NULL ORDER BY endpoint_id LIMIT 1) \
                        UNION ALL SELECT n.endpoint_id FROM working w CROSS JOIN LATERAL (\
                        SELECT d.endpoint_id FROM deliveries d WHERE d.next_at IS NOT NULL \
                        AND d.endpoint_id > w.endpoint_id ORDER BY d.endpoint_id LIMIT 1) n), \
                        picked AS MATERIALIZED (SELECT d.id FROM working w \
                        CROSS JOIN LATERAL (SELECT true AS active FROM endpoints e \
                        WHERE e.id = w.endpoint_id AND e.status = 'active' LIMIT 1) e \
                        CROSS JOIN LATERAL (SELECT x.id, x.next_at FROM deliveries x \
                        WHERE x.endpoint_id = w.endpoint_id AND x.next_at IS NOT NULL \
                        AND x.next_at <= statement_timestamp() ORDER BY x.next_at, x.id LIMIT $2 \
                        FOR UPDATE SKIP LOCKED) d \
                        WHERE w.endpoint_id <> ALL ($3::uuid[]) ORDER BY d.next_at, d.id LIMIT $1) \
                        UPDATE deliveries SET next_at = clock_timestamp() + $4::bigint * interval '1 microsecond', \
                        fence = fence + 1 WHERE id = ANY (ARRAY(SELECT id FROM picked)) \
                        RETURNING id, endpoint_id, message_id, body, attempts, fence, created_at";
    // Nothing was delivered later than now by this clock, and holds are counted from it: a node whose clock is behind must
    // not make one shorter. A null stays one.
    SETTLE_NOTICES = "UPDATE notices n SET status = x.status, attempts = n.attempts + x.tries, fence = n.fence + 1, \
                      next_at = x.next_at, delivered_at = CASE WHEN x.delivered_at IS NOT NULL \
                      THEN greatest(x.delivered_at, clock_timestamp()) END \
                      FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::bigint[], $5::timestamptz[], \
                      $6::timestamptz[]) AS x (id, fence, status, tries, next_at, delivered_at) \
                      WHERE n.id = ANY (ARRAY[x.id]) AND n.fence = x.fence AND n.status = 'queued' RETURNING n.id";
    PAST_HOLD = "SELECT x.id FROM unnest($1::uuid[]) AS x (id) CROSS JOIN LATERAL (SELECT true AS past FROM approvals a \
                 WHERE a.id = x.id AND a.state = 'cooling' AND a.cooling_until <= clock_timestamp() LIMIT 1) p";
    SETTLE_DELIVERIES = "WITH outcome AS (SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::bigint[], \
                         $5::text[], $6::timestamptz[], $7::timestamptz[], $8::boolean[]) AS x (id, fence, status, \
                         last_status, last_error, next_at, done_at, disables)), \
                         settled AS (UPDATE deliveries d SET status = x.status, attempts = d.attempts + 1, \
                         fence = d.fence + 1, last_status = x.last_status, last_error = x.last_error, \
                         next_at = x.next_at, done_at = x.done_at FROM outcome x WHERE d.id = ANY (ARRAY[x.id]) \
                         AND d.fence = x.fence AND d.status = 'queued' \
                         RETURNING d.endpoint_id, x.disables) \
                         UPDATE endpoints SET status = 'disabled' \
                         WHERE id = ANY (ARRAY(SELECT endpoint_id FROM settled WHERE disables))";
}
