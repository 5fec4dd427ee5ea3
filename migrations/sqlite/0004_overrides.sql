-- Freezes of holders and override requests, on SQLite. ../postgres/0004_overrides.sql has the same tables and columns.

-- Whoever counts before adding takes the row of this name first, so that no two count the same.
CREATE TABLE gates (
    name        TEXT    PRIMARY KEY
) STRICT;
INSERT INTO gates (name) VALUES ('freeze'), ('override');

-- `body` is the freeze and is sealed. A holder has at most one that holds: the unique index says so, and every write
-- that opens, approves, enrols, releases or redeems asks it in the same statement. `settled_at` is set once nothing of
-- the holder lives any more and nothing can come.
CREATE TABLE freezes (
    id          BLOB    PRIMARY KEY,
    holder_id   BLOB    NOT NULL,
    version     INTEGER NOT NULL,
    began_at    INTEGER NOT NULL,
    due_at      INTEGER,
    ended_at    INTEGER,
    settled_at  INTEGER,
    staff_id    BLOB,
    staff_at    INTEGER,
    body        TEXT    NOT NULL,
    seal        BLOB    NOT NULL
) STRICT;
CREATE UNIQUE INDEX freezes_holding ON freezes (holder_id) WHERE ended_at IS NULL;
CREATE INDEX freezes_due ON freezes (due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX freezes_unsettled ON freezes (began_at, id) WHERE settled_at IS NULL;
CREATE INDEX freezes_staff ON freezes (staff_id, staff_at) WHERE staff_id IS NOT NULL;

-- `body` is the request with where it stands, and is sealed; the other columns repeat parts of it for searching.
CREATE TABLE overrides (
    id            BLOB    PRIMARY KEY,
    holder_id     BLOB    NOT NULL,
    target_id     BLOB    NOT NULL,
    kind          TEXT    NOT NULL,
    state         TEXT    NOT NULL,
    version       INTEGER NOT NULL,
    requester_id  BLOB    NOT NULL,
    created_at    INTEGER NOT NULL,
    due_at        INTEGER,
    body          TEXT    NOT NULL,
    seal          BLOB    NOT NULL
) STRICT;
CREATE UNIQUE INDEX overrides_live ON overrides (target_id, kind) WHERE due_at IS NOT NULL;
CREATE INDEX overrides_due ON overrides (due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX overrides_requester ON overrides (requester_id, created_at);
CREATE INDEX overrides_holder ON overrides (holder_id, id);

-- Who signed what and when, for the daily caps; nobody twice. The signatures themselves are evidence. `number` is 1 or 2.
CREATE TABLE override_signatures (
    override_id   BLOB    NOT NULL,
    staff_id      BLOB    NOT NULL,
    number        INTEGER NOT NULL,
    at            INTEGER NOT NULL,
    PRIMARY KEY (override_id, staff_id)
) STRICT;
CREATE INDEX override_signatures_staff ON override_signatures (staff_id, at);
CREATE INDEX override_signatures_day ON override_signatures (at, number);
