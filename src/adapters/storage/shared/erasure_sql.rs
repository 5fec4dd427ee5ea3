//! The statements about erasures. The same text on both databases, but for `among!` and `for_update!`.

crate::adapters::storage::statements! {
    ERASURE = concat!("SELECT ", erasure_columns!(), " FROM erasures WHERE id = $1");
    ERASURE_OF = concat!("SELECT ", erasure_columns!(), " FROM erasures WHERE backend_id = $1 AND subject_tag = $2");
    ERASURES_OPEN = concat!("SELECT ", erasure_columns!(), " FROM erasures WHERE finished_at IS NULL \
                             ORDER BY begun_at, id LIMIT $1");
    TOMBSTONES = "SELECT count(*) FROM erasures WHERE backend_id = $1 AND subject_tag = $2";
    INSERT_ERASURE = concat!("INSERT INTO erasures (", erasure_columns!(), ") \
                              VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING");
    SET_ERASURE = "UPDATE erasures SET version = $3, last_entry = $4, finished_at = $5, seal = $6 \
                   WHERE id = $1 AND version = $2 AND finished_at IS NULL";
    LIVING = "SELECT (SELECT count(*) FROM approvals a WHERE a.holder_id = $1 AND a.due_at IS NOT NULL) \
              + (SELECT count(*) FROM overrides o WHERE o.holder_id = $1 AND o.due_at IS NOT NULL)";
    APPROVALS_LEFT = "SELECT count(*) FROM approvals WHERE holder_id = $1";

    // What goes at once: all of it is found by the holder, and a holder has few of each.
    DROP_NOTICES_OF_DEVICES = "DELETE FROM notices WHERE about_id IN (SELECT id FROM devices WHERE holder_id = $1)";
    DROP_NOTICES_OF_LINKS = "DELETE FROM notices WHERE about_id IN (SELECT id FROM enrol_links WHERE holder_id = $1)";
    DROP_CHANNELS = "DELETE FROM channels WHERE holder_id = $1";
    DROP_DEVICES = "DELETE FROM devices WHERE holder_id = $1";
    DROP_LINKS = "DELETE FROM enrol_links WHERE holder_id = $1";
    DROP_HOLDER_VIEWS = "DELETE FROM holder_views WHERE holder_id = $1";
    // The row stays: it counts in what that person may look at in a day.
    EMPTY_VIEWS = "UPDATE staff_views SET body = '' WHERE holder_id = $1 AND body <> ''";
    DROP_HOLDER = "DELETE FROM holders WHERE id = $1";
    LINKS_SINCE = "SELECT id, created_at FROM enrol_links WHERE holder_id = $1 AND created_at > $2";
    // An answer is remembered under the moment of what it tells of, which leaves one row, or a few, to look into.
    FORGET_ANSWER = "DELETE FROM idempotency WHERE created_at = $1 AND backend_id = $2 AND answer LIKE $3";
    // That to an enrolment is sealed, and so no JSON; so is one that holds a webhook's secret. One of those made in the
    // same microsecond goes with it: a repeat of its request is then a new request.
    FORGET_SEALED = "DELETE FROM idempotency WHERE created_at = $1 AND backend_id = $2 AND answer NOT LIKE '{%'";

    // Entries.
    FOLLOWED = concat!("SELECT place FROM entries_followed", for_update!());
    // Only what is signed: nothing can come to light before it.
    FURTHER = "SELECT place, canonical FROM audit WHERE place > $1 \
               AND place <= (SELECT max(l.place) FROM log_checkpoints l) ORDER BY place LIMIT $2";
    FOLLOW = "UPDATE entries_followed SET place = $1";
    WHOSE = concat!("SELECT id, holder_id FROM approvals WHERE id ", among!("$1"),
                    " UNION ALL SELECT id, holder_id FROM devices WHERE id ", among!("$1"),
                    " UNION ALL SELECT id, holder_id FROM enrol_links WHERE id ", among!("$1"),
                    " UNION ALL SELECT id, holder_id FROM freezes WHERE id ", among!("$1"),
                    " UNION ALL SELECT id, holder_id FROM overrides WHERE id ", among!("$1"),
                    " UNION ALL SELECT id, holder_id FROM staff_views WHERE id ", among!("$1"));
    ADD_HOLDER_ENTRY = "INSERT INTO holder_entries (holder_id, place) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    ENTRIES_ABOUT = "SELECT u.id, u.leaf_hash FROM holder_entries h JOIN audit u ON u.place = h.place \
                     WHERE h.holder_id = $1 AND u.canonical <> '' ORDER BY h.place LIMIT $2";
    EMPTY_ENTRIES = concat!("UPDATE audit SET salt = $2, canonical = '', erased_by = $3 WHERE id ", among!("$1"),
                            " AND canonical <> ''");
    DROP_EVIDENCE_OF_ENTRIES = concat!("DELETE FROM evidence WHERE change_id ", among!("$1"));
    DROP_HOLDER_ENTRIES = concat!("DELETE FROM holder_entries WHERE holder_id = $2 AND place IN \
                                   (SELECT u.place FROM audit u WHERE u.id ", among!("$1"), ")");

    // Approvals.
    ENDED_APPROVALS = "SELECT id FROM approvals WHERE holder_id = $1 AND due_at IS NULL ORDER BY id LIMIT $2";
    APPROVALS_SINCE = concat!("SELECT id, created_at FROM approvals WHERE id ", among!("$1"), " AND created_at > $2");
    DROP_EVIDENCE_OF_APPROVALS = concat!("DELETE FROM evidence WHERE approval_id ", among!("$1"));
    DROP_NOTICES = concat!("DELETE FROM notices WHERE about_id ", among!("$1"));
    DROP_DELIVERIES = concat!("DELETE FROM deliveries WHERE approval_id ", among!("$1"));
    DROP_APPROVALS = concat!("DELETE FROM approvals WHERE id ", among!("$1"), " AND holder_id = $2 AND due_at IS NULL");

    // What the erasure itself rested on.
    DROP_NOTICES_OF_OVERRIDES = "DELETE FROM notices WHERE about_id IN (SELECT id FROM overrides WHERE holder_id = $1)";
    DROP_NOTICES_OF_FREEZES = "DELETE FROM notices WHERE about_id IN (SELECT id FROM freezes WHERE holder_id = $1)";
    DROP_OVERRIDES = "DELETE FROM overrides WHERE holder_id = $1";
    DROP_FREEZES = "DELETE FROM freezes WHERE holder_id = $1";
}
