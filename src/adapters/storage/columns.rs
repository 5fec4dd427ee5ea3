//! Which columns a row is read from, as the statements of both databases name them. May import nothing.

macro_rules! approval_columns {
    () => {
        "a.id, a.backend_id, a.holder_id, a.transfer_id, a.subject, a.state, a.reason, a.version, a.created_at, \
         a.expires_at, a.cooling_until, a.approved_at, a.redeem_until, a.due_at, a.decided_by, a.body, a.details, a.seal"
    };
}
macro_rules! channel_columns {
    () => {
        "c.id, c.holder_id, c.kind, c.device_id, c.masked, c.address, c.created_at, c.counts_from, c.removed_at, c.seal"
    };
}
// Of channels that are read beside something else. Removed ones aren't.
macro_rules! beside_channels {
    () => {
        "c.id AS channel_id, c.kind AS channel_kind, c.device_id AS channel_device, c.masked AS channel_masked, \
         c.address AS channel_address, c.created_at AS channel_created_at, c.counts_from AS channel_counts_from, \
         c.seal AS channel_seal"
    };
}
macro_rules! device_columns {
    () => {
        "id, holder_id, credential_id, cookie_hash, thumbprint, body, counter, failures, locked_at, removed_at, seal"
    };
}
// Of a device that is read beside an approval of its holder's.
macro_rules! beside_approval {
    () => {
        "d.id AS device_id, d.credential_id, d.cookie_hash, d.thumbprint, d.body AS device_body, d.counter, d.failures, \
         d.locked_at, d.removed_at, d.seal AS device_seal"
    };
}
macro_rules! endpoint_columns {
    () => {
        "id, backend_id, url, status, created_at, secret, previous_secret, previous_until"
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
macro_rules! delivery_columns {
    () => {
        "id, endpoint_id, message_id, status, attempts, last_status, last_error, created_at, next_at, done_at"
    };
}
macro_rules! entry_columns {
    () => {
        "place, id, at, kind, salt, canonical, leaf_hash, erased_by, seal"
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
