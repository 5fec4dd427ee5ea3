//! The statements of staff, which read alike in both databases. `for_update!` is filled in as in `statements`.

macro_rules! staff_columns {
    () => {
        "s.id, s.version, s.user_name, s.external_id, s.body, s.seal"
    };
}
macro_rules! passkey_columns {
    () => {
        "credential_id, staff_id, body, counter, seal"
    };
}
macro_rules! invite_columns {
    () => {
        "id, staff_id, token_hash, body, tries, ended_at, seal"
    };
}
macro_rules! directory_columns {
    () => {
        "id, hash, created_at, revoked_at, seal"
    };
}

crate::adapters::storage::statements! {
    EVERYBODY = concat!("SELECT ", staff_columns!(), " FROM staff s ORDER BY s.id");
    // All are kept, so that of two who enrol at once the second counts the first.
    EVERYBODY_TO_COUNT = concat!("SELECT ", staff_columns!(), " FROM staff s ORDER BY s.id", for_update!());
    PERSON = concat!("SELECT ", staff_columns!(), " FROM staff s WHERE s.id = $1");
    PERSON_TO_CHANGE = concat!("SELECT ", staff_columns!(), " FROM staff s WHERE s.id = $1", for_update!());
    PERSON_BY_USER_NAME = concat!("SELECT ", staff_columns!(), " FROM staff s WHERE s.user_name = $1");
    PERSON_BY_EXTERNAL_ID = concat!("SELECT ", staff_columns!(), " FROM staff s WHERE s.external_id = $1");
    INSERT_PERSON = "INSERT INTO staff (id, version, user_name, external_id, body, seal) \
                     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
    SET_PERSON = "UPDATE staff SET version = $3, user_name = $4, external_id = $5, body = $6, seal = $7 \
                  WHERE id = $1 AND version = $2";

    PASSKEY = concat!("SELECT ", passkey_columns!(), " FROM staff_passkeys WHERE credential_id = $1");
    PASSKEYS = concat!("SELECT ", passkey_columns!(), " FROM staff_passkeys WHERE staff_id = $1 ORDER BY credential_id");
    INSERT_PASSKEY = "INSERT INTO staff_passkeys (credential_id, staff_id, body, counter, seal) \
                      VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
    COUNT_PASSKEY = "UPDATE staff_passkeys SET counter = $3 WHERE credential_id = $1 AND staff_id = $2 \
                     AND ($3 > counter OR ($3 = 0 AND counter = 0))";

    SESSION = "SELECT id, staff_id, token_hash, challenge, created_at, seen_at, ended_at, seal \
               FROM staff_sessions WHERE token_hash = $1";
    INSERT_SESSION = "INSERT INTO staff_sessions \
                      (id, staff_id, token_hash, challenge, created_at, seen_at, ended_at, seal) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING";
    TOUCH_SESSION = "UPDATE staff_sessions SET seen_at = $2 WHERE id = $1 AND ended_at IS NULL AND seen_at < $2";
    END_SESSION = "UPDATE staff_sessions SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL";
    END_SESSIONS = "UPDATE staff_sessions SET ended_at = $2 WHERE staff_id = $1 AND ended_at IS NULL";

    INVITE = concat!("SELECT ", invite_columns!(), " FROM staff_invites WHERE token_hash = $1");
    INVITE_TO_SPEND = concat!("SELECT ", invite_columns!(), " FROM staff_invites WHERE id = $1", for_update!());
    OPEN_INVITES = concat!("SELECT ", invite_columns!(), " FROM staff_invites WHERE ended_at IS NULL ORDER BY id");
    INSERT_INVITE = "INSERT INTO staff_invites (id, staff_id, token_hash, body, tries, ended_at, seal) \
                     VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
    COUNT_INVITE_TRY = "UPDATE staff_invites SET tries = tries + 1 WHERE id = $1 AND tries = $2 AND ended_at IS NULL";
    END_INVITE = "UPDATE staff_invites SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL";
    END_INVITES = "UPDATE staff_invites SET ended_at = $2 WHERE staff_id = $1 AND ended_at IS NULL";

    STAFF_CHANGE = "SELECT id, version, body, seal FROM staff_changes WHERE id = $1";
    STAFF_CHANGES = "SELECT id, version, body, seal FROM staff_changes ORDER BY id DESC LIMIT $1";
    INSERT_STAFF_CHANGE = "INSERT INTO staff_changes (id, version, body, seal) VALUES ($1, $2, $3, $4) \
                           ON CONFLICT DO NOTHING";
    SET_STAFF_CHANGE = "UPDATE staff_changes SET version = $3, body = $4, seal = $5 WHERE id = $1 AND version = $2";

    INSERT_VIEW = "INSERT INTO staff_views (id, staff_id, holder_id, at, seen, body) VALUES ($1, $2, $3, $4, $5, $6) \
                   ON CONFLICT DO NOTHING";
    COUNT_VIEWS = "SELECT count(*) FROM staff_views WHERE staff_id = $1 AND at > $2";
    COUNT_REVEALS = "SELECT count(*) FROM staff_views WHERE staff_id = $1 AND at > $2 AND seen = 'account'";
    VIEW = "SELECT id, body FROM staff_views WHERE id = $1 AND body <> ''";
    VIEWS_OF_HOLDER = "SELECT id, body FROM staff_views WHERE holder_id = $1 AND body <> '' ORDER BY id DESC LIMIT $2";
    SET_LAST_VIEWED = "INSERT INTO holder_views (holder_id, last_viewed_by_staff) VALUES ($1, $2) \
                       ON CONFLICT (holder_id) DO UPDATE SET last_viewed_by_staff = excluded.last_viewed_by_staff \
                       WHERE holder_views.last_viewed_by_staff < excluded.last_viewed_by_staff";
    LAST_VIEWED = "SELECT last_viewed_by_staff FROM holder_views WHERE holder_id = $1";

    DIRECTORY_KEY = concat!("SELECT ", directory_columns!(), " FROM directory_keys WHERE hash = $1");
    DIRECTORY_KEYS = concat!("SELECT ", directory_columns!(), " FROM directory_keys ORDER BY id");
    DIRECTORY_KEY_TO_CHANGE = concat!("SELECT ", directory_columns!(), " FROM directory_keys WHERE id = $1",
                                      for_update!());
    INSERT_DIRECTORY_KEY = "INSERT INTO directory_keys (id, hash, created_at, revoked_at, seal) \
                            VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
    INSERT_STAFF_NOTICE = "INSERT INTO staff_notices (id, staff_id, case_id, status, attempts, fence, created_at, \
                           useless_after, next_at) VALUES ($1, $2, $3, 'waiting', 0, 0, $4, $5, $4)";
    STAFF_NOTICES_DUE = "SELECT id, staff_id, case_id, attempts, fence, created_at, useless_after FROM staff_notices \
                         WHERE next_at IS NOT NULL AND next_at <= $1 ORDER BY next_at, id LIMIT $2";
    LEASE_STAFF_NOTICE = "UPDATE staff_notices SET fence = fence + 1, attempts = attempts + 1, next_at = $3 \
                          WHERE id = $1 AND fence = $2 AND next_at IS NOT NULL";
    SETTLE_STAFF_NOTICE = "UPDATE staff_notices SET status = $3, next_at = $4 WHERE id = $1 AND fence = $2 \
                           AND next_at IS NOT NULL";
    REVOKE_DIRECTORY_KEY = "UPDATE directory_keys SET revoked_at = $2, seal = $3 WHERE id = $1";
}
