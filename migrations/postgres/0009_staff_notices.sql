-- Drawn signers are told by mail that a case waits. ../sqlite/0009_staff_notices.sql has the same in SQLite's types.
--
-- `next_at` is when it is sent, or when its lease ends; nothing once it ended. The fence rises with each lease.
CREATE TABLE staff_notices (
    id            uuid        PRIMARY KEY,
    staff_id      uuid        NOT NULL,
    case_id       uuid        NOT NULL,
    status        text        NOT NULL,
    attempts      bigint      NOT NULL,
    fence         bigint      NOT NULL,
    created_at    timestamptz NOT NULL,
    useless_after timestamptz NOT NULL,
    next_at       timestamptz
);
CREATE INDEX staff_notices_next ON staff_notices (next_at, id) WHERE next_at IS NOT NULL;
