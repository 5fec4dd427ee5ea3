-- Staff on PostgreSQL. ../sqlite/0003_staff.sql has the same tables and columns in SQLite's types.

-- `body` is the person and is sealed; the other columns repeat parts of it for searching, and are compared with it at
-- every read. Nobody is ever deleted, so that a name at the identity provider means one person for ever.
CREATE TABLE staff (
    id          uuid        PRIMARY KEY,
    version     bigint      NOT NULL,
    user_name   text,
    external_id text,
    body        text        NOT NULL,
    seal        bytea       NOT NULL
);
CREATE UNIQUE INDEX staff_user_name ON staff (user_name) WHERE user_name IS NOT NULL;
CREATE UNIQUE INDEX staff_external_id ON staff (external_id) WHERE external_id IS NOT NULL;

CREATE TABLE staff_passkeys (
    credential_id bytea       PRIMARY KEY,
    staff_id      uuid        NOT NULL REFERENCES staff (id),
    body          text        NOT NULL,
    counter       bigint      NOT NULL,
    seal          bytea       NOT NULL
);
CREATE INDEX staff_passkeys_staff ON staff_passkeys (staff_id);

-- The unique challenge makes one signature one session. The seal covers what doesn't change.
CREATE TABLE staff_sessions (
    id          uuid        PRIMARY KEY,
    staff_id    uuid        NOT NULL REFERENCES staff (id),
    token_hash  bytea       NOT NULL,
    challenge   bytea       NOT NULL,
    created_at  timestamptz NOT NULL,
    seen_at     timestamptz NOT NULL,
    ended_at    timestamptz,
    seal        bytea       NOT NULL
);
CREATE UNIQUE INDEX staff_sessions_token ON staff_sessions (token_hash);
CREATE UNIQUE INDEX staff_sessions_challenge ON staff_sessions (challenge);
CREATE INDEX staff_sessions_open ON staff_sessions (staff_id) WHERE ended_at IS NULL;

CREATE TABLE staff_invites (
    id          uuid        PRIMARY KEY,
    staff_id    uuid        NOT NULL REFERENCES staff (id),
    token_hash  bytea       NOT NULL,
    body        text        NOT NULL,
    tries       bigint      NOT NULL,
    ended_at    timestamptz,
    seal        bytea       NOT NULL
);
CREATE UNIQUE INDEX staff_invites_token ON staff_invites (token_hash);
CREATE INDEX staff_invites_open ON staff_invites (staff_id) WHERE ended_at IS NULL;

CREATE TABLE staff_changes (
    id          uuid        PRIMARY KEY,
    version     bigint      NOT NULL,
    body        text        NOT NULL,
    seal        bytea       NOT NULL
);

-- Who looked at which holder. Only ever added to.
CREATE TABLE staff_views (
    id          uuid        PRIMARY KEY,
    staff_id    uuid        NOT NULL,
    holder_id   uuid        NOT NULL,
    at          timestamptz NOT NULL,
    seen        text        NOT NULL,
    body        text        NOT NULL
);
CREATE INDEX staff_views_holder ON staff_views (holder_id, id);
CREATE INDEX staff_views_staff ON staff_views (staff_id, at);

-- One row for each holder that staff ever looked at: a fact for rules.
CREATE TABLE holder_views (
    holder_id            uuid        PRIMARY KEY,
    last_viewed_by_staff timestamptz NOT NULL
);

CREATE TABLE directory_keys (
    id          uuid        PRIMARY KEY,
    hash        bytea       NOT NULL,
    created_at  timestamptz NOT NULL,
    revoked_at  timestamptz,
    seal        bytea       NOT NULL
);
CREATE UNIQUE INDEX directory_keys_hash ON directory_keys (hash);
