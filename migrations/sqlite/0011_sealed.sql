-- Audit entries under seal, on SQLite. ../postgres/0011_sealed.sql has the same tables and columns, and says why.

ALTER TABLE audit ADD COLUMN seal BLOB NOT NULL DEFAULT x'';

CREATE TABLE audit_refused (
    id          BLOB    PRIMARY KEY NOT NULL,
    place       INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    kind        TEXT    NOT NULL,
    salt        BLOB    NOT NULL,
    canonical   TEXT    NOT NULL,
    leaf_hash   BLOB    NOT NULL,
    seal        BLOB    NOT NULL
) STRICT;

-- An HMAC over what of a link never changes. One lives for ten minutes; whoever has one open asks for another.
DELETE FROM enrol_links;
ALTER TABLE enrol_links ADD COLUMN seal BLOB NOT NULL DEFAULT x'';
