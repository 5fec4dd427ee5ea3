//! The statements of [`super::audit`], alike in both databases.

crate::adapters::storage::statements! {
    STORED_ENTRIES = concat!("SELECT ", entry_columns!(), " FROM audit \
                              WHERE place > $1 AND place <= $2 ORDER BY place LIMIT $3");
    EVIDENCE_WITH = concat!("SELECT change_id, body FROM evidence WHERE change_id ", among!("$1"));
    SEALED_KEYS = concat!("SELECT ", key_columns!(), " FROM api_keys WHERE id > $1 ORDER BY id LIMIT $2");
    SEALED_HOLDERS = concat!("SELECT ", holder_columns!(), " FROM holders WHERE id > $1 ORDER BY id LIMIT $2");
    SEALED_CHANNELS = "SELECT id, holder_id, kind, device_id, masked, address, created_at, counts_from, removed_at, seal \
                       FROM channels WHERE id > $1 ORDER BY id LIMIT $2";
    SEALED_DEVICES = concat!("SELECT ", device_columns!(), " FROM devices WHERE id > $1 ORDER BY id LIMIT $2");
    SEALED_APPROVALS = "SELECT id, backend_id, holder_id, transfer_id, subject, state, reason, version, created_at, \
                        expires_at, cooling_until, approved_at, redeem_until, due_at, decided_by, body, details, seal \
                        FROM approvals WHERE id > $1 ORDER BY id LIMIT $2";
    SEALED_FREEZES = concat!("SELECT ", freeze_columns!(), " FROM freezes WHERE id > $1 ORDER BY id LIMIT $2");
    SEALED_OVERRIDES = "SELECT id, holder_id, target_id, kind, state, version, requester_id, created_at, due_at, body, \
                        seal FROM overrides WHERE id > $1 ORDER BY id LIMIT $2";
    SEALED_ERASURES = concat!("SELECT ", erasure_columns!(), " FROM erasures WHERE id > $1 ORDER BY id LIMIT $2");
    // What is in the signed tree stays where it is, whatever became of it.
    KEEP_REFUSED = "INSERT INTO audit_refused (id, place, at, kind, salt, canonical, leaf_hash, seal) \
                    SELECT id, place, at, kind, salt, canonical, leaf_hash, seal FROM audit WHERE place = $1 \
                    AND place > coalesce((SELECT max(c.place) FROM log_checkpoints c), $2) ON CONFLICT DO NOTHING";
    DROP_REFUSED = "DELETE FROM audit WHERE place = $1 \
                    AND place > coalesce((SELECT max(c.place) FROM log_checkpoints c), $2)";
    REFUSED_ENTRIES = "SELECT id FROM audit_refused ORDER BY id LIMIT $1";
    WAITING_UNPLACED = "SELECT count(*) FROM audit \
                        WHERE place > coalesce((SELECT max(c.place) FROM log_checkpoints c), $1)";
    EVERY_DEVICE = concat!("SELECT ", device_columns!(), " FROM devices");
    RESEAL_DEVICE = "UPDATE devices SET seal = $2 WHERE id = $1";
    ADD_CURSOR = "INSERT INTO export_cursors (sink, next_index, place, fence, leased_until) \
                  VALUES ($1, 0, NULL, 0, $2) ON CONFLICT DO NOTHING";
    // The fence rises with each lease, so that whoever had it before can't move the cursor any more.
    CLAIM_CURSOR = "UPDATE export_cursors SET fence = fence + 1, leased_until = $3 \
                    WHERE sink = $1 AND leased_until <= $2 RETURNING next_index, place, fence";
    MOVE_CURSOR = "UPDATE export_cursors SET next_index = $3, place = $4, leased_until = $5 \
                   WHERE sink = $1 AND fence = $2";
    ENTRIES_BEFORE = concat!("SELECT ", entry_columns!(), " FROM audit WHERE place < $1 ORDER BY place DESC LIMIT $2");
    STORED_ENTRY = concat!("SELECT ", entry_columns!(), " FROM audit WHERE id = $1");
    PLACE_BEFORE = "SELECT place FROM audit WHERE id < $1 ORDER BY id DESC LIMIT 1";
    PLACE_FROM = "SELECT place FROM audit WHERE id >= $1 ORDER BY id LIMIT 1";
    LEAVE_CURSOR = "UPDATE export_cursors SET leased_until = $3 WHERE sink = $1 AND fence = $2";
}
