-- Erasing a holder's personal data, on PostgreSQL. ../sqlite/0008_erase.sql has the same tables and columns.

-- The entry `holder.erased` that tells of this row's emptying.
ALTER TABLE audit ADD COLUMN erased_by uuid;

-- The tombstone: its id is the holder's, and `subject_tag` an HMAC over the subject that is never to be used again.
-- `last_entry` is the newest entry about the holder that the log must have signed before their rows may go.
CREATE TABLE erasures (
    id          uuid        PRIMARY KEY,
    backend_id  uuid        NOT NULL,
    subject_tag bytea       NOT NULL,
    version     bigint      NOT NULL,
    key_id      uuid        NOT NULL,
    begun_at    timestamptz NOT NULL,
    last_entry  uuid        NOT NULL,
    finished_at timestamptz,
    seal        bytea       NOT NULL
);
CREATE UNIQUE INDEX erasures_subject ON erasures (backend_id, subject_tag);
CREATE INDEX erasures_open ON erasures (begun_at, id) WHERE finished_at IS NULL;

-- Which entries are about which holder, as far as somebody had to know: filled by whoever erases, from where the last
-- one stopped. So an entry is read once for all erasures, and writing one costs nothing.
CREATE TABLE holder_entries (
    holder_id   uuid        NOT NULL,
    place       bigint      NOT NULL,
    PRIMARY KEY (holder_id, place)
);
CREATE TABLE entries_followed (
    place       bigint      NOT NULL
);
INSERT INTO entries_followed (place) VALUES (-1);

CREATE INDEX enrol_links_holder ON enrol_links (holder_id, id);
CREATE INDEX freezes_holder ON freezes (holder_id, id);
CREATE INDEX deliveries_approval ON deliveries (approval_id) WHERE approval_id IS NOT NULL;
