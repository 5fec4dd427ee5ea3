//! Columns of rows that more than one list of statements reads, in the order in which their types name them.

macro_rules! entry_columns {
    () => {
        "place, id, at, kind, salt, canonical, leaf_hash, erased_by, seal"
    };
}
macro_rules! device_columns {
    () => {
        "id, holder_id, credential_id, cookie_hash, thumbprint, body, counter, failures, locked_at, removed_at, seal"
    };
}
macro_rules! key_columns {
    () => {
        "id, backend_id, hash, scopes, created_at, revoked_at, seal"
    };
}
macro_rules! holder_columns {
    () => {
        "id, backend_id, subject, created_at, enrolled_at, seal"
    };
}
macro_rules! freeze_columns {
    () => {
        "id, holder_id, version, began_at, due_at, ended_at, body, seal"
    };
}
macro_rules! erasure_columns {
    () => {
        "id, backend_id, subject_tag, version, key_id, begun_at, last_entry, finished_at, seal"
    };
}
