-- The audit log as a tree. ../sqlite/0002_log.sql has the same tables and columns in SQLite's types.
--
-- A checkpoint is what the log signed after a batch of entries: the tree's size and root, and the place of the last
-- entry in it, from which the next batch goes on. `previous` is the size before it. Two sequencers that went on from
-- the same size would both write it, so that the second is refused: that is the compare-and-set on the tree's size.
-- A leaf's number is the size before its batch and its rank by place inside the batch: nothing is stored for each.
CREATE TABLE log_checkpoints (
    size        bigint      PRIMARY KEY,
    previous    bigint      NOT NULL UNIQUE,
    place       bigint      NOT NULL UNIQUE,
    root        bytea       NOT NULL,
    note        text        NOT NULL,
    signed_at   timestamptz NOT NULL
);

-- C2SP tlog-tiles, height 8: up to 256 hashes of 32 bytes. The last one of each level grows; a full one stays.
CREATE TABLE log_tiles (
    level       bigint      NOT NULL,
    number      bigint      NOT NULL,
    hashes      bytea       NOT NULL,
    PRIMARY KEY (level, number)
);
