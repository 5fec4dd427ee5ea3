-- Staff on SQLite. ../postgres/0003_staff.sql has the same tables and columns in PostgreSQL's types.

-- `body` is the person and is sealed; the other columns repeat parts of it for searching, and are compared with it at
-- every read. Nobody is ever deleted, so that a name at the identity provider means one person for ever.
CREATE TABLE staff (
    id          BLOB    PRIMARY KEY,
    version     INTEGER NOT NULL,
    user_name   TEXT,
    external_id TEXT,
    body        TEXT    NOT NULL,
    seal        BLOB    NOT NULL
) STRICT;
CREATE UNIQUE INDEX staff_user_name ON staff (user_name) WHERE user_name IS NOT NULL;
CREATE UNIQUE INDEX staff_external_id ON staff (external_id) WHERE external_id IS NOT NULL;

CREATE TABLE staff_passkeys (
    credential_id BLOB    PRIMARY KEY,
    staff_id      BLOB    NOT NULL REFERENCES staff (id),
    body          TEXT    NOT NULL,
    counter       INTEGER NOT NULL,
    seal          BLOB    NOT NULL
) STRICT;
CREATE INDEX staff_passkeys_staff ON staff_passkeys (staff_id);

-- The unique challenge makes one signature one session. The seal covers what doesn't change.
CREATE TABLE staff_sessions (
    id          BLOB    PRIMARY KEY,
    staff_id    BLOB    NOT NULL REFERENCES staff (id),
    token_hash  BLOB    NOT NULL,
    challenge   BLOB    NOT NULL,
    created_at  INTEGER NOT NULL,
    seen_at     INTEGER NOT NULL,
    ended_at    INTEGER,
    seal        BLOB    NOT NULL
) STRICT;
CREATE UNIQUE INDEX staff_sessions_token ON staff_sessions (token_hash);
CREATE UNIQUE INDEX staff_sessions_challenge ON staff_sessions (challenge);
CREATE INDEX staff_sessions_open ON staff_sessions (staff_id) WHERE ended_at IS NULL;

CREATE TABLE staff_invites (
    id          BLOB    PRIMARY KEY,
    staff_id    BLOB    NOT NULL REFERENCES staff (id),
    token_hash  BLOB    NOT NULL,
    body        TEXT    NOT NULL,
    tries       INTEGER NOT NULL,
    ended_at    INTEGER,
    seal        BLOB    NOT NULL
) STRICT;
CREATE UNIQUE INDEX staff_invites_token ON staff_invites (token_hash);
CREATE INDEX staff_invites_open ON staff_invites (staff_id) WHERE ended_at IS NULL;

CREATE TABLE staff_changes (
    id          BLOB    PRIMARY KEY,
    version     INTEGER NOT NULL,
    body        TEXT    NOT NULL,
    seal        BLOB    NOT NULL
) STRICT;

-- Who looked at which holder. Only ever added to.
CREATE TABLE staff_views (
    id          BLOB    PRIMARY KEY,
    staff_id    BLOB    NOT NULL,
    holder_id   BLOB    NOT NULL,
    at          INTEGER NOT NULL,
    seen        TEXT    NOT NULL,
    body        TEXT    NOT NULL
) STRICT;
CREATE INDEX staff_views_holder ON staff_views (holder_id, id);
CREATE INDEX staff_views_staff ON staff_views (staff_id, at);

-- One row for each holder that staff ever looked at: a fact for rules.
CREATE TABLE holder_views (
    holder_id            BLOB    PRIMARY KEY,
    last_viewed_by_staff INTEGER NOT NULL
) STRICT;

CREATE TABLE directory_keys (
    id          BLOB    PRIMARY KEY,
    hash        BLOB    NOT NULL,
    created_at  INTEGER NOT NULL,
    revoked_at  INTEGER,
    seal        BLOB    NOT NULL
) STRICT;
CREATE UNIQUE INDEX directory_keys_hash ON directory_keys (hash);
