//! The statements that only SQLite has: the hot writes, the claims, and the log.

crate::adapters::storage::statements! {
    INSERT_AUDIT = "INSERT INTO audit (id, at, kind, salt, canonical, leaf_hash, seal) \
                    VALUES ($1, $2, $3, $4, $5, $6, $7)";
    AUDIT_PAGE = "SELECT place, id, at, kind, salt, canonical, leaf_hash FROM audit WHERE place > $1 \
                  AND canonical <> '' ORDER BY place LIMIT $2";
    WAITING = concat!("SELECT ", entry_columns!(), " FROM audit WHERE place > $1 \
               ORDER BY place LIMIT $2");
    IS_UNSEALED = "SELECT count(*) FROM pragma_table_info('audit') WHERE name = 'leaf_hash' \
                   AND NOT EXISTS (SELECT 1 FROM pragma_table_info('audit') WHERE name = 'seal')";
    // Takes the lowest of the holder's $19 places that no pending approval has; without a free one nothing is inserted.
    OPEN = "WITH RECURSIVE places (slot) AS (SELECT 0 UNION ALL SELECT slot + 1 FROM places WHERE slot + 1 < $19) \
            INSERT INTO approvals (id, backend_id, holder_id, transfer_id, subject, state, reason, version, created_at, \
            expires_at, cooling_until, approved_at, redeem_until, due_at, decided_by, body, details, seal, slot) \
            SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, min(p.slot) \
            FROM places p WHERE NOT EXISTS (SELECT 1 FROM approvals a \
            WHERE a.holder_id = $3 AND a.state = 'pending' AND a.slot = p.slot) \
            AND NOT EXISTS (SELECT 1 FROM freezes f WHERE f.holder_id = $3 AND f.ended_at IS NULL) \
            HAVING min(p.slot) IS NOT NULL ON CONFLICT DO NOTHING";
    // $17 is the time by the database's clock.
    MOVE = "UPDATE approvals SET state = $3, reason = $4, version = $5, expires_at = $6, cooling_until = $7, \
            approved_at = $8, redeem_until = $9, due_at = $10, decided_by = $11, body = $12, seal = $13, \
            receipt = coalesce($14, receipt) \
            WHERE id = $1 AND version = $2 AND ($15 IS NULL OR $15 <= $17) AND ($16 IS NULL OR $17 < $16) \
            AND ($3 NOT IN ('cooling', 'released', 'redeemed') OR NOT EXISTS (SELECT 1 FROM freezes f \
            WHERE f.holder_id = approvals.holder_id AND f.ended_at IS NULL)) \
            AND ($3 NOT IN ('released', 'redeemed') OR $11 IS NULL \
            OR EXISTS (SELECT 1 FROM devices d WHERE d.id = $11 AND d.removed_at IS NULL))";
    LEASE_NOTICES = "UPDATE notices SET next_at = $3, fence = fence + 1 WHERE id IN (SELECT id FROM notices \
                     WHERE next_at IS NOT NULL AND next_at <= $2 ORDER BY next_at, id LIMIT $1) \
                     RETURNING id, holder_id, channel_id, purpose, about_kind, about_id, attempts, fence, \
                     created_at, useless_after";
    // Steps from one endpoint with work to the next along the index, and takes a few rows of each, so that the rows of
    // a dead endpoint are never walked through.
    LEASE_DELIVERIES = concat!("WITH RECURSIVE working (endpoint_id) AS (\
                        SELECT (SELECT d.endpoint_id FROM deliveries d WHERE d.next_at IS NOT NULL \
                        ORDER BY d.endpoint_id LIMIT 1) \
                        UNION ALL SELECT (SELECT d.endpoint_id FROM deliveries d WHERE d.next_at IS NOT NULL \
                        AND d.endpoint_id > w.endpoint_id ORDER BY d.endpoint_id LIMIT 1) \
                        FROM working w WHERE w.endpoint_id IS NOT NULL) \
                        UPDATE deliveries SET next_at = $4, fence = fence + 1 WHERE id IN (\
                        SELECT d.id FROM working w JOIN endpoints e ON e.id = w.endpoint_id \
                        JOIN deliveries d ON d.id IN (SELECT x.id FROM deliveries x \
                        WHERE x.endpoint_id = w.endpoint_id AND x.next_at IS NOT NULL AND x.next_at <= $3 \
                        ORDER BY x.next_at, x.id LIMIT $2) \
                        WHERE e.status = 'active' AND NOT w.endpoint_id ", among!("$5"),
                        " ORDER BY d.next_at, d.id LIMIT $1) \
                        RETURNING id, endpoint_id, message_id, body, attempts, fence, created_at");
    // $7 is the time by the database's clock. A null stays one.
    SETTLE_NOTICE = "UPDATE notices SET status = $3, attempts = attempts + $4, fence = fence + 1, next_at = $5, \
                     delivered_at = max($6, $7) WHERE id = $1 AND fence = $2 AND status = 'queued'";
    PAST_HOLD = concat!("SELECT id FROM approvals WHERE id ", among!("$1"),
                        " AND state = 'cooling' AND cooling_until <= $2");
    SETTLE_DELIVERY = "UPDATE deliveries SET status = $3, attempts = attempts + 1, fence = fence + 1, \
                       last_status = $4, last_error = $5, next_at = $6, done_at = $7 \
                       WHERE id = $1 AND fence = $2 AND status = 'queued'";
    DISABLE_ENDPOINT = "UPDATE endpoints SET status = 'disabled' \
                        WHERE id = (SELECT endpoint_id FROM deliveries WHERE id = $1)";
}
