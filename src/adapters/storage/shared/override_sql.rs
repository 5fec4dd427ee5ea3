//! The statements about freezes and override requests. The same text on both databases, but for `for_update!`.

macro_rules! told_columns {
    () => {
        "c.id, c.holder_id, c.kind, c.device_id, c.masked, c.address, c.created_at, c.counts_from, c.removed_at, c.seal"
    };
}
macro_rules! override_columns {
    () => {
        "o.id, o.holder_id, o.target_id, o.kind, o.state, o.version, o.requester_id, o.created_at, o.due_at, o.body, \
         o.seal"
    };
}

crate::adapters::storage::statements! {
    // Who counts before adding takes the gate first, so that no two count the same.
    LOCK_GATE = concat!("SELECT name FROM gates WHERE name = $1", for_update!());

    FREEZE = concat!("SELECT ", freeze_columns!(), " FROM freezes WHERE holder_id = $1 AND ended_at IS NULL");
    HOLDING = "SELECT count(*) FROM freezes WHERE holder_id = $1 AND ended_at IS NULL";
    FREEZES_DUE = concat!("SELECT ", freeze_columns!(), " FROM freezes WHERE due_at IS NOT NULL AND due_at < $1 \
                           ORDER BY due_at, id LIMIT $2");
    FREEZES_UNSETTLED = concat!("SELECT ", freeze_columns!(), " FROM freezes WHERE settled_at IS NULL \
                                 ORDER BY began_at, id LIMIT $1");
    SETTLE_FREEZE = "UPDATE freezes SET settled_at = $2 WHERE id = $1 AND settled_at IS NULL";
    LIFT_TOLD = concat!("SELECT n.delivered_at AS told_at, ", told_columns!(), " FROM notices n \
                         JOIN channels c ON c.id = n.channel_id WHERE n.about_id = $1 \
                         AND n.about_kind = 'freeze' AND n.purpose = 'lift_asked' \
                         AND n.status = 'delivered' AND n.delivered_at >= $3 AND n.delivered_at >= c.counts_from \
                         AND c.removed_at IS NULL AND (c.device_id IS NULL OR c.device_id <> $2) \
                         ORDER BY n.delivered_at, n.id");
    FREEZES_OF_STAFF = "SELECT count(*) FROM freezes WHERE staff_id = $1 AND staff_at > $2";
    INSERT_FREEZE = "INSERT INTO freezes (id, holder_id, version, began_at, due_at, ended_at, body, seal, staff_id, \
                     staff_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING";
    // An ended freeze needs no settling; one that is said again is looked at anew.
    SET_FREEZE = "UPDATE freezes SET version = $3, due_at = $4, ended_at = $5, body = $6, seal = $7, \
                  settled_at = $5, staff_at = CASE WHEN staff_id = $8 THEN staff_at ELSE $9 END, staff_id = $8 \
                  WHERE id = $1 AND version = $2";

    OVERRIDE = concat!("SELECT ", override_columns!(), " FROM overrides o WHERE o.id = $1");
    OVERRIDES = concat!("SELECT ", override_columns!(), " FROM (\
                         SELECT * FROM (SELECT * FROM overrides WHERE due_at IS NOT NULL ORDER BY id DESC LIMIT $1) l \
                         UNION ALL \
                         SELECT * FROM (SELECT * FROM overrides WHERE due_at IS NULL ORDER BY id DESC LIMIT $1) e) o \
                         ORDER BY o.due_at IS NULL, o.id DESC");
    // Those that live first: what tightens looks for them, and no number of others may push one out.
    OVERRIDES_OF_HOLDER = concat!("SELECT ", override_columns!(), " FROM (\
                         SELECT * FROM (SELECT * FROM overrides WHERE holder_id = $1 AND due_at IS NOT NULL \
                         ORDER BY id DESC LIMIT $2) l \
                         UNION ALL \
                         SELECT * FROM (SELECT * FROM overrides WHERE holder_id = $1 AND due_at IS NULL \
                         ORDER BY id DESC LIMIT $2) e) o ORDER BY o.due_at IS NULL, o.id DESC LIMIT $2");
    // By the index of a holder's requests; nobody asks so often that the rest would have to be searched.
    OVERRIDES_SINCE = concat!("SELECT ", override_columns!(), " FROM overrides o WHERE o.holder_id = $1 \
                               AND o.kind = $2 AND o.created_at > $3 ORDER BY o.id DESC");
    OVERRIDES_DUE = concat!("SELECT ", override_columns!(), " FROM overrides o WHERE o.due_at IS NOT NULL \
                             AND o.due_at < $1 ORDER BY o.due_at, o.id LIMIT $2");
    // By id, past rows that aren't believed.
    OVERRIDE_IDS_DUE = "SELECT id, due_at FROM overrides WHERE due_at IS NOT NULL AND due_at < $1 \
                        AND (due_at, id) > ($2, $3) ORDER BY due_at, id LIMIT $4";
    // The first counts; one that bounced isn't delivered any more.
    OVERRIDE_TOLD = concat!("SELECT n.delivered_at AS told_at, ", told_columns!(), " FROM notices n \
                             JOIN channels c ON c.id = n.channel_id WHERE n.about_id = $1 \
                             AND n.about_kind = 'override' AND n.purpose = 'override_cooling' \
                             AND n.status = 'delivered' AND n.delivered_at >= c.counts_from AND c.removed_at IS NULL \
                             ORDER BY n.delivered_at, n.id");
    INSERT_OVERRIDE = "INSERT INTO overrides (id, holder_id, target_id, kind, state, version, requester_id, \
                       created_at, due_at, body, seal) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
                       ON CONFLICT DO NOTHING";
    SET_OVERRIDE = "UPDATE overrides SET state = $3, version = $4, due_at = $5, body = $6, seal = $7 \
                    WHERE id = $1 AND version = $2";
    INSERT_SIGNATURE = "INSERT INTO override_signatures (override_id, staff_id, number, at) VALUES ($1, $2, $3, $4) \
                        ON CONFLICT DO NOTHING";
    ASKED_BY_ONE = "SELECT count(*) FROM overrides WHERE requester_id = $1 AND created_at > $2";
    SIGNED_BY_ONE = "SELECT count(*) FROM override_signatures WHERE staff_id = $1 AND at > $2";
    SIGNED_BY_PAIR = "SELECT count(*) FROM override_signatures a JOIN override_signatures b \
                      ON b.override_id = a.override_id AND b.staff_id = $2 \
                      WHERE a.staff_id = $1 AND (a.at > $3 OR b.at > $3)";
    SIGNED_IN_ALL = "SELECT count(*) FROM override_signatures WHERE at > $1 AND number = 2";

    // A transition beside a step of an override request. The guard was checked with the transaction's own clock.
    MOVE_BESIDE = "UPDATE approvals SET state = $3, reason = $4, version = $5, expires_at = $6, cooling_until = $7, \
                   approved_at = $8, redeem_until = $9, due_at = $10, decided_by = $11, body = $12, seal = $13, \
                   receipt = coalesce($14, receipt) WHERE id = $1 AND version = $2";
    PROVE_BESIDE = "UPDATE devices SET counter = $2, failures = 0 WHERE id = $1 AND locked_at IS NULL \
                    AND removed_at IS NULL AND ($2 > counter OR ($2 = 0 AND counter = 0))";
    CHANNELS_ON_DEVICES = concat!("SELECT ", told_columns!(), " FROM channels c WHERE c.holder_id = $1 \
                                   AND c.device_id IS NOT NULL AND c.removed_at IS NULL ORDER BY c.id",
                                  for_update!());
    DEVICES_TO_REMOVE = concat!("SELECT ", device_columns!(), " FROM devices \
                                 WHERE holder_id = $1 AND removed_at IS NULL ORDER BY id", for_update!());
    REMOVE_DEVICE = "UPDATE devices SET removed_at = $2, seal = $3 WHERE id = $1";
    HOLDER_RESET = "UPDATE holders SET enrolled_at = NULL, seal = $2 WHERE id = $1";
}
