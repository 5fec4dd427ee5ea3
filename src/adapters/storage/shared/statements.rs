//! The statements that read alike in both databases. Three words differ and are filled in by whoever includes this
//! module: `among!` (an id out of a list), `for_update!` (keep the row until the transaction ends), and nothing else.
//!
//! Every statement is a constant and is listed in [`ALL`], so that a test can prepare each of them on both databases.

// The size before its batch, and how many entries of the batch come before it. $2 is less than any place.
macro_rules! leaf_index {
    () => {
        "(SELECT c.previous + (SELECT count(*) FROM audit w WHERE w.place < u.place AND w.place > \
         coalesce((SELECT b.place FROM log_checkpoints b WHERE b.size = c.previous), $2)) \
         FROM log_checkpoints c WHERE c.place >= u.place ORDER BY c.place LIMIT 1) AS leaf_index"
    };
}
crate::adapters::storage::statements! {
    // Backends and keys.
    BACKENDS = "SELECT id, name, created_at FROM backends ORDER BY id";
    KEY_BY_HASH = concat!("SELECT ", key_columns!(), " FROM api_keys WHERE hash = $1");
    KEY = concat!("SELECT ", key_columns!(), " FROM api_keys WHERE id = $1");
    KEY_TO_CHANGE = concat!("SELECT ", key_columns!(), " FROM api_keys WHERE id = $1", for_update!());
    KEYS = concat!("SELECT ", key_columns!(), " FROM api_keys WHERE backend_id = $1 ORDER BY id");
    REMEMBERED = "SELECT backend_id, key, request, answer, created_at FROM idempotency \
                  WHERE backend_id = $1 AND key = $2";
    INSERT_BACKEND = "INSERT INTO backends (id, name, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    INSERT_KEY = "INSERT INTO api_keys (id, backend_id, hash, scopes, created_at, revoked_at, seal) \
                  VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
    REVOKE_KEY = "UPDATE api_keys SET revoked_at = $2, seal = $3 WHERE id = $1 AND revoked_at IS NULL";
    INSERT_REMEMBERED = "INSERT INTO idempotency (backend_id, key, request, answer, created_at) \
                         VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
    // A few at a time, so that nothing waits long behind it.
    FORGET = "DELETE FROM idempotency WHERE (backend_id, key) IN (SELECT backend_id, key FROM idempotency \
              WHERE created_at < $1 ORDER BY created_at LIMIT $2)";
    LOCK_BACKEND = concat!("SELECT id FROM backends WHERE id = $1", for_update!());

    // Holders, their channels, devices and links.
    // A row for each channel, and one where there is none.
    OPENING = concat!("SELECT h.id, h.backend_id, h.subject, h.created_at, h.enrolled_at, h.seal, \
               i.request, i.answer, i.created_at AS remembered_at, \
               (SELECT count(*) FROM approvals a WHERE a.holder_id = h.id AND a.state = 'pending') AS pending, \
               (SELECT count(*) FROM devices d WHERE d.holder_id = h.id AND d.locked_at IS NULL \
                AND d.removed_at IS NULL) AS devices, \
               (SELECT count(*) FROM freezes f WHERE f.holder_id = h.id AND f.ended_at IS NULL) AS freezes, ",
               beside_channels!(), " FROM (SELECT 1 AS one) o \
               LEFT JOIN holders h ON h.backend_id = $1 AND h.subject = $2 \
               LEFT JOIN idempotency i ON i.backend_id = $1 AND i.key = $3 \
               LEFT JOIN channels c ON c.holder_id = h.id AND c.removed_at IS NULL ORDER BY c.id");
    HOLDER_BY_SUBJECT = concat!("SELECT ", holder_columns!(), " FROM holders WHERE backend_id = $1 AND subject = $2");
    HOLDER = concat!("SELECT ", holder_columns!(), " FROM holders WHERE id = $1");
    HOLDER_TO_CHANGE = concat!("SELECT ", holder_columns!(), " FROM holders WHERE id = $1", for_update!());
    INSERT_HOLDER = "INSERT INTO holders (id, backend_id, subject, created_at, enrolled_at, seal) \
                     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
    HOLDER_ENROLLED = "UPDATE holders SET enrolled_at = $2, seal = $3 WHERE id = $1 AND enrolled_at IS NULL";
    CHANNELS = concat!("SELECT ", channel_columns!(), " FROM channels c \
                        WHERE c.holder_id = $1 AND c.removed_at IS NULL ORDER BY c.id");
    CHANNELS_BY_ID = concat!("SELECT ", channel_columns!(), " FROM channels c WHERE c.id ", among!("$1"));
    INSERT_CHANNEL = "INSERT INTO channels \
                      (id, holder_id, kind, device_id, masked, address, created_at, counts_from, removed_at, seal) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING";
    CHANNEL_TO_REMOVE = concat!("SELECT ", channel_columns!(), " FROM channels c \
                                 WHERE c.id = $1 AND c.device_id IS NOT NULL AND c.removed_at IS NULL", for_update!());
    REMOVE_CHANNEL = "UPDATE channels SET removed_at = $2, seal = $3 WHERE id = $1 AND removed_at IS NULL";
    DEVICES = concat!("SELECT ", device_columns!(), " FROM devices WHERE holder_id = $1 ORDER BY id");
    DEVICE_BY_COOKIE = concat!("SELECT ", device_columns!(), " FROM devices WHERE cookie_hash = $1");
    DEVICES_BY_KEY = concat!("SELECT ", device_columns!(), " FROM devices WHERE thumbprint IN \
                              ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) ORDER BY id");
    CREDENTIAL_TAKEN = "SELECT count(*) FROM devices WHERE credential_id = $1";
    INSERT_DEVICE = "INSERT INTO devices (id, holder_id, credential_id, cookie_hash, thumbprint, body, counter, \
                     failures, locked_at, removed_at, seal) \
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING";
    DEVICE_TO_CHANGE = concat!("SELECT ", device_columns!(), " FROM devices WHERE id = $1", for_update!());
    COUNT_FAILURE = "UPDATE devices SET failures = failures + 1, locked_at = $3, seal = $4 \
                     WHERE id = $1 AND failures = $2";
    LINK_BY_TOKEN = "SELECT id, holder_id, token_hash, created_at, expires_at, tries, ended_at, seal \
                     FROM enrol_links WHERE token_hash = $1";
    END_LINKS = "UPDATE enrol_links SET ended_at = $2 WHERE holder_id = $1 AND ended_at IS NULL";
    LINKS_OF_THE_DAY = "SELECT count(*) FROM enrol_links WHERE holder_id = $1 AND created_at > $2";
    INSERT_LINK = "INSERT INTO enrol_links (id, holder_id, token_hash, created_at, expires_at, tries, ended_at, seal) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING";
    COUNT_TRY = "UPDATE enrol_links SET tries = tries + 1 WHERE id = $1 AND tries = $2 AND ended_at IS NULL";
    END_LINK = "UPDATE enrol_links SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL";
    SPEND_LINK = "UPDATE enrol_links SET ended_at = $2 \
                  WHERE id = $1 AND holder_id = $3 AND ended_at IS NULL AND expires_at > $4";

    // Approvals.
    APPROVAL = concat!("SELECT ", approval_columns!(), " FROM approvals a WHERE a.id = $1");
    CASE = concat!("SELECT ", approval_columns!(), ", a.receipt, ", endpoint_ids!(), " FROM approvals a WHERE a.id = $1");
    // A row for each channel, and one where there is none.
    DEVICE_CASE = concat!("SELECT ", approval_columns!(), ", a.receipt, ", endpoint_ids!(),
                          ", ", beside_approval!(), ", l.size AS log_size, l.root AS log_root, ", beside_channels!(), " FROM devices d \
                          JOIN approvals a ON a.id = $2 AND a.holder_id = d.holder_id \
                          LEFT JOIN log_checkpoints l ON l.size = (SELECT max(size) FROM log_checkpoints) \
                          LEFT JOIN channels c ON c.holder_id = d.holder_id AND c.removed_at IS NULL \
                          WHERE d.cookie_hash = $1 ORDER BY c.id");
    APPROVALS_BY_ID = concat!("SELECT ", approval_columns!(), ", a.receipt, ", endpoint_ids!(),
                              " FROM approvals a WHERE a.id ", among!("$1"));
    // A first page asks for what is older than the greatest id, so that the bound is always a range of the index.
    LIST = concat!("SELECT ", approval_columns!(), " FROM approvals a WHERE a.backend_id = $1 AND a.id < $2 \
                    AND (CAST($4 AS text) IS NULL OR a.state = $4) ORDER BY a.id DESC LIMIT $3");
    LIST_LIVE = concat!("SELECT ", approval_columns!(), " FROM approvals a WHERE a.backend_id = $1 AND a.id < $2 \
                         AND a.due_at IS NOT NULL AND a.state = $4 ORDER BY a.id DESC LIMIT $3");
    LIST_OF_SUBJECT = concat!("SELECT ", approval_columns!(), " FROM approvals a WHERE a.holder_id = \
                               (SELECT h.id FROM holders h WHERE h.backend_id = $1 AND h.subject = $5) AND a.id < $2 \
                               AND (CAST($4 AS text) IS NULL OR a.state = $4) ORDER BY a.id DESC LIMIT $3");
    // Two partial indexes share the transfers: at most one that lives or was redeemed, and the ended ones.
    LIST_OF_TRANSFER = concat!("SELECT ", approval_columns!(), " FROM (\
                                SELECT * FROM approvals WHERE backend_id = $1 AND transfer_id = $6 \
                                AND state IN ('pending', 'cooling', 'released', 'redeemed') \
                                UNION ALL \
                                SELECT * FROM approvals WHERE backend_id = $1 AND transfer_id = $6 \
                                AND state IN ('rejected', 'cancelled', 'expired')) a WHERE a.id < $2 \
                                AND (CAST($4 AS text) IS NULL OR a.state = $4) \
                                AND (CAST($5 AS text) IS NULL OR a.subject = $5) ORDER BY a.id DESC LIMIT $3");
    LIST_OF_HOLDER = concat!("SELECT ", approval_columns!(), " FROM (\
                              SELECT * FROM (SELECT * FROM approvals WHERE holder_id = $1 AND due_at IS NOT NULL \
                              ORDER BY id DESC LIMIT $2) l \
                              UNION ALL \
                              SELECT * FROM (SELECT * FROM approvals WHERE holder_id = $1 AND due_at IS NULL \
                              ORDER BY id DESC LIMIT $2) e) a ORDER BY a.due_at IS NULL, a.id DESC LIMIT $2");
    EVIDENCE = "SELECT change_id, body FROM evidence WHERE approval_id = $1 ORDER BY change_id";
    DUE_BEFORE = "SELECT id, due_at FROM approvals WHERE due_at IS NOT NULL AND due_at < $1 \
                  AND (due_at, id) > ($2, $3) ORDER BY due_at, id LIMIT $4";
    LIVE_COUNTS = "SELECT state, count(*) AS number FROM approvals WHERE due_at IS NOT NULL GROUP BY state";
    // The notices that count as having told the holder of a decision, with their channels.
    // With it, how far the log is signed, if that is past the entry of the decision.
    TOLD = concat!("SELECT a.id AS approval_id, n.delivered_at AS told_at, \
                    CASE WHEN EXISTS (SELECT 1 FROM evidence e JOIN audit u ON u.id = e.change_id \
                    WHERE e.approval_id = a.id AND u.kind IN ('approval.approved', 'override.signed_twice') \
                    AND u.place <= (SELECT max(l.place) FROM log_checkpoints l)) \
                    THEN (SELECT max(l.size) FROM log_checkpoints l) END AS logged, ",
                    channel_columns!(), " FROM approvals a \
                    JOIN notices n ON n.about_id = a.id JOIN channels c ON c.id = n.channel_id \
                    WHERE a.id ", among!("$1"), " AND a.state = 'cooling' AND n.about_kind = 'approval' \
                    AND n.purpose IN ('cooling', 'override_cooling') AND n.status = 'delivered' AND n.delivered_at >= a.approved_at \
                    AND n.delivered_at >= c.counts_from AND c.removed_at IS NULL \
                    AND (c.device_id IS NULL OR a.decided_by IS NULL OR c.device_id <> a.decided_by) ORDER BY n.delivered_at, n.id");
    TRANSFER_TAKEN = "SELECT count(*) FROM approvals WHERE backend_id = $1 AND transfer_id = $2 \
                      AND state IN ('pending', 'cooling', 'released', 'redeemed')";
    PENDING = "SELECT count(*) FROM approvals WHERE holder_id = $1 AND state = 'pending'";
    KEY_TAKEN = "SELECT count(*) FROM idempotency WHERE backend_id = $1 AND key = $2";

    // What goes out.
    INSERT_NOTICE = "INSERT INTO notices (id, change_id, holder_id, channel_id, purpose, about_kind, about_id, rank, \
                     status, attempts, fence, created_at, useless_after, next_at) \
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, $13, $10, $11, $12)";
    NOTICES = "SELECT n.id, n.channel_id, c.kind, c.masked, n.purpose, n.status, n.attempts, n.delivered_at \
               FROM notices n JOIN channels c ON c.id = n.channel_id \
               WHERE n.about_id = $1 AND n.about_kind = 'approval' ORDER BY n.created_at, n.rank, n.id";
    // Two notices of one row that fail at once would each see the other as still on its way, and the third would never
    // have its turn. So whoever fails one first takes all of the row.
    NOTICE_ROW = concat!("SELECT o.id FROM notices o JOIN notices n ON n.id = $1 WHERE o.change_id = n.change_id \
                          AND o.about_id = n.about_id AND o.about_kind = n.about_kind AND o.purpose = n.purpose \
                          ORDER BY o.id", for_update!());
    // A lease is good as long as nobody else was given one: the fence says so, whatever the time is.
    NOTICE_FAILED = "UPDATE notices SET status = 'failed', attempts = attempts + 1, fence = fence + 1, next_at = NULL \
                     WHERE id = $1 AND fence = $2 AND status = 'queued'";
    NOTICE = "SELECT n.holder_id, n.about_kind, n.about_id, n.purpose, n.status, h.backend_id FROM notices n \
              JOIN holders h ON h.id = n.holder_id WHERE n.id = $1";
    NOTICE_BOUNCED = "UPDATE notices SET status = 'failed', fence = fence + 1, delivered_at = NULL \
                      WHERE id = $1 AND status = 'delivered'";
    NEXT_NOTICE = "UPDATE notices SET status = 'queued', next_at = $2 WHERE id = (\
                   SELECT w.id FROM notices w JOIN notices n ON n.id = $1 WHERE w.about_id = n.about_id \
                   AND w.change_id = n.change_id AND w.about_kind = n.about_kind AND w.purpose = n.purpose \
                   AND w.status = 'waiting' AND NOT EXISTS (SELECT 1 FROM notices e WHERE e.about_id = w.about_id \
                   AND e.change_id = w.change_id AND e.about_kind = w.about_kind AND e.purpose = w.purpose \
                   AND e.rank < w.rank AND e.status <> 'failed') ORDER BY w.rank LIMIT 1)";
    FREE_NOTICES = concat!("UPDATE notices SET next_at = $3 WHERE id ", among!("$1"),
                           " AND fence = $2 AND status = 'queued'");
    FREE_DELIVERIES = concat!("UPDATE deliveries SET next_at = $3 WHERE id ", among!("$1"),
                              " AND fence = $2 AND status = 'queued'");
    INSERT_DELIVERY = "INSERT INTO deliveries (id, endpoint_id, approval_id, version, message_id, body, status, \
                       attempts, fence, created_at, next_at) VALUES ($1, $2, $3, $4, $5, $6, 'queued', 0, $9, $7, $8)";
    ENDPOINTS = concat!("SELECT ", endpoint_columns!(), " FROM endpoints WHERE backend_id = $1 ORDER BY id");
    ENDPOINT = concat!("SELECT ", endpoint_columns!(), " FROM endpoints WHERE backend_id = $1 AND id = $2");
    ENDPOINTS_BY_ID = concat!("SELECT ", endpoint_columns!(), " FROM endpoints WHERE id ", among!("$1"));
    COUNT_ENDPOINTS = "SELECT count(*) FROM endpoints WHERE backend_id = $1";
    INSERT_ENDPOINT = "INSERT INTO endpoints \
                       (id, backend_id, url, status, created_at, secret, previous_secret, previous_until) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING";
    SET_ENDPOINT = "UPDATE endpoints SET url = $3, status = $4, secret = $5, previous_secret = $6, previous_until = $7 \
                    WHERE id = $1 AND backend_id = $2";
    REMOVE_ENDPOINT = "DELETE FROM endpoints WHERE id = $1";
    REMOVE_QUEUED = "DELETE FROM deliveries WHERE endpoint_id = $1 AND next_at IS NOT NULL";
    GIVE_UP_DELIVERY = "UPDATE deliveries SET status = 'failed', fence = fence + 1, next_at = NULL, done_at = $3, \
                        last_error = 'other' WHERE id = $1 AND fence = $2 AND status = 'queued'";
    DELIVERIES = concat!("SELECT ", delivery_columns!(), " FROM deliveries WHERE endpoint_id = $1 AND id < $2 \
                          ORDER BY id DESC LIMIT $3");
    DELIVERY_MESSAGE = "SELECT message_id, body FROM deliveries WHERE endpoint_id = $1 AND id = $2";
    BACKLOG = "SELECT (SELECT count(*) FROM notices WHERE next_at IS NOT NULL AND next_at <= $1) AS notices, \
               (SELECT min(next_at) FROM notices WHERE next_at IS NOT NULL AND next_at <= $1) AS oldest_notice, \
               (SELECT count(*) FROM deliveries d JOIN endpoints e ON e.id = d.endpoint_id \
                WHERE e.status = 'active' AND d.next_at IS NOT NULL AND d.next_at <= $1) AS deliveries, \
               (SELECT min(d.next_at) FROM deliveries d JOIN endpoints e ON e.id = d.endpoint_id \
                WHERE e.status = 'active' AND d.next_at IS NOT NULL AND d.next_at <= $1) AS oldest_delivery";

    // What was sent, by its age: ids are in the order of their making.
    OLD_NOTICES = "SELECT id FROM notices WHERE id > $1 AND id < $2 ORDER BY id LIMIT $3";
    OLD_DELIVERIES = "SELECT id FROM deliveries WHERE id > $1 AND id < $2 ORDER BY id LIMIT $3";
    OLD_STAFF_NOTICES = "SELECT id FROM staff_notices WHERE id > $1 AND id < $2 ORDER BY id LIMIT $3";
    PRUNE_STAFF_NOTICES = concat!("DELETE FROM staff_notices WHERE id ", among!("$1"), " AND next_at IS NULL \
                                   AND useless_after < $2");
    PRUNE_NOTICES = concat!("DELETE FROM notices WHERE id ", among!("$1"), " AND next_at IS NULL \
                     AND useless_after < $2 \
                     AND NOT EXISTS (SELECT 1 FROM approvals a WHERE a.id = notices.about_id AND a.due_at IS NOT NULL) \
                     AND NOT EXISTS (SELECT 1 FROM overrides o WHERE o.id = notices.about_id AND o.due_at IS NOT NULL)");
    PRUNE_DELIVERIES = concat!("DELETE FROM deliveries WHERE id ", among!("$1"), " AND next_at IS NULL \
                                AND created_at < $2");

    // What is only ever added to.
    INSERT_EVIDENCE = "INSERT INTO evidence (change_id, approval_id, body, created_at) VALUES ($1, $2, $3, $4)";
    STORED = "SELECT count(*) FROM audit WHERE id = $1";

    // The tree.
    NEWEST_CHECKPOINT = "SELECT size, place, root, note, signed_at FROM log_checkpoints ORDER BY size DESC LIMIT 1";
    CHECKPOINTS = "SELECT size, place, root, note, signed_at FROM log_checkpoints WHERE size > $1 \
                   ORDER BY size LIMIT $2";
    // A proof needs a few; each is a look-up of its own in the index.
    SOME_TILES = "SELECT level, number, hashes FROM log_tiles WHERE level = $1 AND number = $2 \
                  UNION ALL SELECT level, number, hashes FROM log_tiles WHERE level = $3 AND number = $4 \
                  UNION ALL SELECT level, number, hashes FROM log_tiles WHERE level = $5 AND number = $6 \
                  UNION ALL SELECT level, number, hashes FROM log_tiles WHERE level = $7 AND number = $8";
    // Nothing is added unless the tree has the size that the batch goes on from, and nobody else goes on from there.
    ADD_CHECKPOINT = "INSERT INTO log_checkpoints (size, previous, place, root, note, signed_at) \
                      SELECT $1, $2, $3, $4, $5, $6 FROM (SELECT coalesce(max(size), 0) AS size FROM log_checkpoints) n \
                      WHERE n.size = $2 ON CONFLICT DO NOTHING";
    PUT_TILE = "INSERT INTO log_tiles (level, number, hashes) VALUES ($1, $2, $3) \
                ON CONFLICT (level, number) DO UPDATE SET hashes = excluded.hashes";
    LEAF_INDEX = concat!("SELECT ", leaf_index!(), " FROM (SELECT CAST($1 AS bigint) AS place) u");
    ENTRY = concat!("SELECT u.place, u.id, u.at, u.kind, u.salt, u.canonical, u.leaf_hash, ", leaf_index!(),
                    " FROM audit u WHERE u.id = $1 AND u.canonical <> ''");
    // With it, the newest checkpoint.
    APPROVE_ENTRY = concat!("SELECT u.place, u.id, u.at, u.kind, u.salt, u.canonical, u.leaf_hash, ", leaf_index!(),
                            ", l.size AS newest_size, l.place AS newest_place, l.root AS newest_root, \
                            l.note AS newest_note, l.signed_at AS newest_signed_at FROM evidence e JOIN audit u ON u.id = e.change_id \
                            LEFT JOIN log_checkpoints l ON l.size = (SELECT max(size) FROM log_checkpoints) \
                            WHERE e.approval_id = $1 AND u.kind IN ('approval.approved', 'override.signed_twice') AND u.canonical <> '' \
                            ORDER BY u.place LIMIT 1");
    ADD_COSIGNATURE = "INSERT INTO log_cosignatures (size, name, key_id, signature) VALUES ($1, $2, $3, $4) \
                       ON CONFLICT (size, name, key_id) DO UPDATE SET signature = excluded.signature";
    COSIGNED = "SELECT c.size, c.place, c.root, c.note, c.signed_at, s.name, s.key_id, s.signature \
                FROM log_cosignatures s JOIN log_checkpoints c ON c.size = s.size WHERE s.size > $1 \
                ORDER BY s.size DESC, s.name, s.key_id LIMIT $2";
    COSIGNED_BETWEEN = "SELECT c.size, c.place, c.root, c.note, c.signed_at, s.name, s.key_id, s.signature \
                        FROM log_cosignatures s JOIN log_checkpoints c ON c.size = s.size \
                        WHERE s.size > $1 AND s.size <= $2 ORDER BY s.size, s.name, s.key_id";
    // $2 has each witness as |name+id|. A name with a wildcard could only find too many, which the service passes over.
    QUORATE = "SELECT c.size, c.place, c.root, c.note, c.signed_at, s.name, s.key_id, s.signature \
               FROM (SELECT q.size FROM log_cosignatures q JOIN log_checkpoints k ON k.size = q.size \
                     WHERE q.size > $1 AND $2 LIKE '%|' || q.name || '+' || q.key_id || '|%' \
                     GROUP BY q.size HAVING count(*) >= $3 ORDER BY q.size DESC LIMIT $4) n \
               JOIN log_checkpoints c ON c.size = n.size JOIN log_cosignatures s ON s.size = n.size \
               WHERE $2 LIKE '%|' || s.name || '+' || s.key_id || '|%' ORDER BY s.size DESC, s.name, s.key_id";
}
