-- How far each outside log has been told. ../postgres/0005_exports.sql has the same in PostgreSQL's types.
--
-- `next_index` is the next leaf and `place` the place of the last entry told. Both are written after the sink accepted:
-- a crash between repeats what was told and leaves nothing out.
CREATE TABLE export_cursors (
    sink         TEXT    PRIMARY KEY,
    next_index   INTEGER NOT NULL,
    place        INTEGER,
    fence        INTEGER NOT NULL,
    leased_until INTEGER NOT NULL
) STRICT;
