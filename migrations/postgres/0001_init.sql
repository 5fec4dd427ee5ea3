-- The record on PostgreSQL. ../sqlite/0001_init.sql has the same tables and columns in SQLite's types; a test compares
-- the two. Ids are UUIDv7, so that their order is the order of creation. Numbers are bigint throughout. Times are
-- microseconds. Tables that are only appended to have no foreign keys: a key costs as much as the row itself, and what
-- it would protect is written by the same statement.

CREATE TABLE backends (
    id          uuid        PRIMARY KEY,
    name        text        NOT NULL,
    created_at  timestamptz NOT NULL
);

-- `seal` here and below is an HMAC over the row's content, under a key that isn't in the database.
CREATE TABLE api_keys (
    id          uuid        PRIMARY KEY,
    backend_id  uuid        NOT NULL REFERENCES backends (id),
    hash        bytea       NOT NULL UNIQUE,
    scopes      bigint      NOT NULL,
    created_at  timestamptz NOT NULL,
    revoked_at  timestamptz,
    seal        bytea       NOT NULL
);
CREATE INDEX api_keys_backend ON api_keys (backend_id, id);

CREATE TABLE holders (
    id          uuid        PRIMARY KEY,
    backend_id  uuid        NOT NULL,
    subject     text        NOT NULL,
    created_at  timestamptz NOT NULL,
    enrolled_at timestamptz,
    seal        bytea       NOT NULL
);
CREATE UNIQUE INDEX holders_subject ON holders (backend_id, subject);

CREATE TABLE channels (
    id          uuid        PRIMARY KEY,
    holder_id   uuid        NOT NULL,
    kind        text        NOT NULL,
    device_id   uuid,
    masked      text        NOT NULL,
    address     bytea       NOT NULL,
    created_at  timestamptz NOT NULL,
    counts_from timestamptz NOT NULL,
    removed_at  timestamptz,
    seal        bytea       NOT NULL
);
CREATE INDEX channels_holder ON channels (holder_id, id);

-- `body` is what was fixed at enrolment and is sealed. `counter` is NOT NULL on purpose: an approval sets it to NULL
-- when the device may no longer sign, so that the whole statement fails.
CREATE TABLE devices (
    id            uuid        PRIMARY KEY,
    holder_id     uuid        NOT NULL,
    credential_id bytea       NOT NULL,
    cookie_hash   bytea       NOT NULL,
    thumbprint    bytea       NOT NULL,
    body          text        NOT NULL,
    counter       bigint      NOT NULL,
    failures      bigint      NOT NULL,
    locked_at     timestamptz,
    removed_at    timestamptz,
    seal          bytea       NOT NULL
);
CREATE UNIQUE INDEX devices_credential ON devices (credential_id);
CREATE UNIQUE INDEX devices_cookie ON devices (cookie_hash);
CREATE INDEX devices_thumbprint ON devices (thumbprint);
CREATE INDEX devices_holder ON devices (holder_id, id);

CREATE TABLE enrol_links (
    id          uuid        PRIMARY KEY,
    holder_id   uuid        NOT NULL,
    token_hash  bytea       NOT NULL UNIQUE,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    tries       bigint      NOT NULL,
    ended_at    timestamptz
);
CREATE INDEX enrol_links_open ON enrol_links (holder_id) WHERE ended_at IS NULL;

-- `body` and `details` are the approval, and are sealed together; the other columns repeat parts of them for
-- searching, and are compared with them at every read. `slot` is one of the places that a holder has for pending
-- approvals: a unique index over it holds the cap on every node at once, without a counter that could drift.
CREATE TABLE approvals (
    id            uuid        PRIMARY KEY,
    backend_id    uuid        NOT NULL,
    holder_id     uuid        NOT NULL,
    transfer_id   text        NOT NULL,
    subject       text        NOT NULL,
    state         text        NOT NULL,
    reason        text,
    version       bigint      NOT NULL,
    created_at    timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    cooling_until timestamptz,
    approved_at   timestamptz,
    redeem_until  timestamptz,
    due_at        timestamptz,
    decided_by    uuid,
    body          text        NOT NULL,
    details       text        NOT NULL,
    seal          bytea       NOT NULL,
    receipt       text,
    slot          bigint      NOT NULL
);
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
    change_id   uuid        PRIMARY KEY,
    approval_id uuid,
    body        text        NOT NULL,
    created_at  timestamptz NOT NULL
);
CREATE INDEX evidence_approval ON evidence (approval_id, change_id) WHERE approval_id IS NOT NULL;

-- `next_at` is set while a notice is queued: when it may be sent, or when its lease ends. `fence` rises with every
-- lease and with every settling.
CREATE TABLE notices (
    id            uuid        PRIMARY KEY,
    change_id     uuid        NOT NULL,
    holder_id     uuid        NOT NULL,
    channel_id    uuid        NOT NULL,
    purpose       text        NOT NULL,
    about_kind    text        NOT NULL,
    about_id      uuid        NOT NULL,
    rank          bigint      NOT NULL,
    status        text        NOT NULL,
    attempts      bigint      NOT NULL,
    fence         bigint      NOT NULL,
    created_at    timestamptz NOT NULL,
    useless_after timestamptz NOT NULL,
    next_at       timestamptz,
    delivered_at  timestamptz
);
CREATE INDEX notices_next ON notices (next_at, id) WHERE next_at IS NOT NULL;
CREATE INDEX notices_about ON notices (about_id, rank);

CREATE TABLE endpoints (
    id              uuid        PRIMARY KEY,
    backend_id      uuid        NOT NULL,
    url             text        NOT NULL,
    status          text        NOT NULL,
    created_at      timestamptz NOT NULL,
    secret          bytea       NOT NULL,
    previous_secret bytea,
    previous_until  timestamptz
);
CREATE INDEX endpoints_backend ON endpoints (backend_id, id);

CREATE TABLE deliveries (
    id            uuid        PRIMARY KEY,
    endpoint_id   uuid        NOT NULL,
    approval_id   uuid,
    version       bigint,
    message_id    text        NOT NULL,
    body          text        NOT NULL,
    status        text        NOT NULL,
    attempts      bigint      NOT NULL,
    fence         bigint      NOT NULL,
    last_status   bigint,
    last_error    text,
    created_at    timestamptz NOT NULL,
    next_at       timestamptz,
    done_at       timestamptz
);
CREATE INDEX deliveries_next ON deliveries (endpoint_id, next_at, id) WHERE next_at IS NOT NULL;
CREATE INDEX deliveries_endpoint ON deliveries (endpoint_id, id);

-- `place` orders the entries so that a reader who goes on from the last place it saw misses none: it is made of the
-- transaction's id, and only places below every transaction that still runs are read.
CREATE TABLE audit (
    place       bigint      PRIMARY KEY,
    id          uuid        NOT NULL,
    at          timestamptz NOT NULL,
    kind        text        NOT NULL,
    salt        bytea       NOT NULL,
    canonical   text        NOT NULL,
    leaf_hash   bytea       NOT NULL
);
CREATE UNIQUE INDEX audit_id ON audit (id);

-- What is added to a transaction's id to make a place: 0, until a dump is restored into a cluster whose transaction
-- ids are lower. SQLite has one writer, and leaves it at 0.
CREATE TABLE audit_base (
    base bigint NOT NULL
);
INSERT INTO audit_base (base) VALUES (0);

CREATE TABLE idempotency (
    backend_id  uuid        NOT NULL,
    key         text        NOT NULL,
    request     bytea       NOT NULL,
    answer      text        NOT NULL,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (backend_id, key)
);
CREATE INDEX idempotency_age ON idempotency (created_at);
