-- Audit entries under seal, on PostgreSQL. ../sqlite/0011_sealed.sql has the same tables and columns.

-- An HMAC over id, time, kind and leaf, made as the entry is stored. Entries from before are in the signed tree, and
-- need none: nothing is brought up to date while one waits for its place.
ALTER TABLE audit ADD COLUMN seal bytea NOT NULL DEFAULT '';

-- Rows that stood in `audit` and that nobody with the key had written. They never get a place.
CREATE TABLE audit_refused (
    id          uuid        PRIMARY KEY,
    place       bigint      NOT NULL,
    at          timestamptz NOT NULL,
    kind        text        NOT NULL,
    salt        bytea       NOT NULL,
    canonical   text        NOT NULL,
    leaf_hash   bytea       NOT NULL,
    seal        bytea       NOT NULL
);

-- An HMAC over what of a link never changes. One lives for ten minutes; whoever has one open asks for another.
DELETE FROM enrol_links;
ALTER TABLE enrol_links ADD COLUMN seal bytea NOT NULL DEFAULT '';
