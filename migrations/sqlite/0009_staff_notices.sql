-- Drawn signers are told by mail that a case waits. ../postgres/0009_staff_notices.sql has the same in PostgreSQL's types.
--
-- `next_at` is when it is sent, or when its lease ends; nothing once it ended. The fence rises with each lease.
CREATE TABLE staff_notices (
    id            BLOB    PRIMARY KEY,
    staff_id      BLOB    NOT NULL,
    case_id       BLOB    NOT NULL,
    status        TEXT    NOT NULL,
    attempts      INTEGER NOT NULL,
    fence         INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    useless_after INTEGER NOT NULL,
    next_at       INTEGER
) STRICT;
CREATE INDEX staff_notices_next ON staff_notices (next_at, id) WHERE next_at IS NOT NULL;
