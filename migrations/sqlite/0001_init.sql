-- The record on SQLite. ../postgres/0001_init.sql has the same tables and columns in PostgreSQL's types; a test
-- compares the two. Ids are the 16 bytes of a UUIDv7, so that their order is the order of creation. Times are
-- microseconds since 1970: SQLite's own texts don't sort right when only one of two has a fraction.

CREATE TABLE backends (
    id          BLOB    PRIMARY KEY,
    name        TEXT    NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT;

-- `seal` here and below is an HMAC over the row's content, under a key that isn't in the database.
CREATE TABLE api_keys (
    id          BLOB    PRIMARY KEY,
    backend_id  BLOB    NOT NULL REFERENCES backends (id),
    hash        BLOB    NOT NULL UNIQUE,
    scopes      INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    revoked_at  INTEGER,
    seal        BLOB    NOT NULL
) STRICT;
CREATE INDEX api_keys_backend ON api_keys (backend_id, id);

CREATE TABLE holders (
    id          BLOB    PRIMARY KEY,
    backend_id  BLOB    NOT NULL,
    subject     TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    enrolled_at INTEGER,
    seal        BLOB    NOT NULL
) STRICT;
CREATE UNIQUE INDEX holders_subject ON holders (backend_id, subject);

CREATE TABLE channels (
    id          BLOB    PRIMARY KEY,
    holder_id   BLOB    NOT NULL,
    kind        TEXT    NOT NULL,
    device_id   BLOB,
    masked      TEXT    NOT NULL,
    address     BLOB    NOT NULL,
    created_at  INTEGER NOT NULL,
    counts_from INTEGER NOT NULL,
    removed_at  INTEGER,
    seal        BLOB    NOT NULL
) STRICT;
CREATE INDEX channels_holder ON channels (holder_id, id);

-- `body` is what was fixed at enrolment and is sealed. `counter` is NOT NULL on purpose: an approval sets it to NULL
-- when the device may no longer sign, so that the whole statement fails.
CREATE TABLE devices (
    id            BLOB    PRIMARY KEY,
    holder_id     BLOB    NOT NULL,
    credential_id BLOB    NOT NULL,
    cookie_hash   BLOB    NOT NULL,
    thumbprint    BLOB    NOT NULL,
    body          TEXT    NOT NULL,
    counter       INTEGER NOT NULL,
    failures      INTEGER NOT NULL,
    locked_at     INTEGER,
    removed_at    INTEGER,
    seal          BLOB    NOT NULL
) STRICT;
CREATE UNIQUE INDEX devices_credential ON devices (credential_id);
CREATE UNIQUE INDEX devices_cookie ON devices (cookie_hash);
CREATE INDEX devices_thumbprint ON devices (thumbprint);
CREATE INDEX devices_holder ON devices (holder_id, id);

CREATE TABLE enrol_links (
    id          BLOB    PRIMARY KEY,
    holder_id   BLOB    NOT NULL,
    token_hash  BLOB    NOT NULL UNIQUE,
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    tries       INTEGER NOT NULL,
    ended_at    INTEGER
) STRICT;
CREATE INDEX enrol_links_open ON enrol_links (holder_id) WHERE ended_at IS NULL;

-- `body` and `details` are the approval, and are sealed together; the other columns repeat parts of them for
-- searching, and are compared with them at every read. `slot` is one of the places that a holder has for pending
-- approvals: a unique index over it holds the cap on every node at once, without a counter that could drift.
CREATE TABLE approvals (
    id            BLOB    PRIMARY KEY,
    backend_id    BLOB    NOT NULL,
    holder_id     BLOB    NOT NULL,
    transfer_id   TEXT    NOT NULL,
    subject       TEXT    NOT NULL,
    state         TEXT    NOT NULL,
    reason        TEXT,
    version       INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL,
    cooling_until INTEGER,
    approved_at   INTEGER,
    redeem_until  INTEGER,
    due_at        INTEGER,
    decided_by    BLOB,
    body          TEXT    NOT NULL,
    details       TEXT    NOT NULL,
    seal          BLOB    NOT NULL,
    receipt       TEXT,
    slot          INTEGER NOT NULL
) STRICT;
CREATE INDEX approvals_backend ON approvals (backend_id, id);
CREATE INDEX approvals_holder ON approvals (holder_id, id);
CREATE INDEX approvals_due ON approvals (due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX approvals_live ON approvals (state, backend_id, id) WHERE due_at IS NOT NULL;
CREATE UNIQUE INDEX approvals_pending ON approvals (holder_id, slot) WHERE state = 'pending';
CREATE UNIQUE INDEX approvals_transfer ON approvals (backend_id, transfer_id)
    WHERE state IN ('pending', 'cooling', 'released', 'redeemed');
CREATE INDEX approvals_ended ON approvals (backend_id, transfer_id, id)
    WHERE state IN ('rejected', 'cancelled', 'expired');

-- One change has at most one piece of evidence.
CREATE TABLE evidence (
    change_id   BLOB    PRIMARY KEY,
    approval_id BLOB,
    body        TEXT    NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX evidence_approval ON evidence (approval_id, change_id) WHERE approval_id IS NOT NULL;

-- `next_at` is set while a notice is queued: when it may be sent, or when its lease ends. `fence` rises with every
-- lease and with every settling.
CREATE TABLE notices (
    id            BLOB    PRIMARY KEY,
    change_id     BLOB    NOT NULL,
    holder_id     BLOB    NOT NULL,
    channel_id    BLOB    NOT NULL,
    purpose       TEXT    NOT NULL,
    about_kind    TEXT    NOT NULL,
    about_id      BLOB    NOT NULL,
    rank          INTEGER NOT NULL,
    status        TEXT    NOT NULL,
    attempts      INTEGER NOT NULL,
    fence         INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    useless_after INTEGER NOT NULL,
    next_at       INTEGER,
    delivered_at  INTEGER
) STRICT;
CREATE INDEX notices_next ON notices (next_at, id) WHERE next_at IS NOT NULL;
CREATE INDEX notices_about ON notices (about_id, rank);

CREATE TABLE endpoints (
    id              BLOB    PRIMARY KEY,
    backend_id      BLOB    NOT NULL,
    url             TEXT    NOT NULL,
    status          TEXT    NOT NULL,
    created_at      INTEGER NOT NULL,
    secret          BLOB    NOT NULL,
    previous_secret BLOB,
    previous_until  INTEGER
) STRICT;
CREATE INDEX endpoints_backend ON endpoints (backend_id, id);

CREATE TABLE deliveries (
    id            BLOB    PRIMARY KEY,
    endpoint_id   BLOB    NOT NULL,
    approval_id   BLOB,
    version       INTEGER,
    message_id    TEXT    NOT NULL,
    body          TEXT    NOT NULL,
    status        TEXT    NOT NULL,
    attempts      INTEGER NOT NULL,
    fence         INTEGER NOT NULL,
    last_status   INTEGER,
    last_error    TEXT,
    created_at    INTEGER NOT NULL,
    next_at       INTEGER,
    done_at       INTEGER
) STRICT;
CREATE INDEX deliveries_next ON deliveries (endpoint_id, next_at, id) WHERE next_at IS NOT NULL;
CREATE INDEX deliveries_endpoint ON deliveries (endpoint_id, id);

-- `place` orders the entries. There is one writer, so the order of the places is the order of the commits.
CREATE TABLE audit (
    place       INTEGER PRIMARY KEY AUTOINCREMENT,
    id          BLOB    NOT NULL,
    at          INTEGER NOT NULL,
    kind        TEXT    NOT NULL,
    salt        BLOB    NOT NULL,
    canonical   TEXT    NOT NULL,
    leaf_hash   BLOB    NOT NULL
) STRICT;
CREATE UNIQUE INDEX audit_id ON audit (id);

-- Only PostgreSQL needs it, to make places out of transaction ids.
CREATE TABLE audit_base (
    base INTEGER NOT NULL
) STRICT;
INSERT INTO audit_base (base) VALUES (0);

CREATE TABLE idempotency (
    backend_id  BLOB    NOT NULL,
    key         TEXT    NOT NULL,
    request     BLOB    NOT NULL,
    answer      TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (backend_id, key)
) STRICT;
CREATE INDEX idempotency_age ON idempotency (created_at);
