-- How far each outside log has been told. ../sqlite/0005_exports.sql has the same in SQLite's types.
--
-- `next_index` is the next leaf and `place` the place of the last entry told. Both are written after the sink accepted:
-- a crash between repeats what was told and leaves nothing out.
CREATE TABLE export_cursors (
    sink         text        PRIMARY KEY,
    next_index   bigint      NOT NULL,
    place        bigint,
    fence        bigint      NOT NULL,
    leased_until timestamptz NOT NULL
);
