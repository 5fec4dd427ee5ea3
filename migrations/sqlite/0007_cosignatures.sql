-- What witnesses signed about checkpoints. ../postgres/0007_cosignatures.sql has the same in PostgreSQL's types.
--
-- `name` and `key_id` are those of the signature line (C2SP signed-note), `signature` is what follows them: the time
-- in eight bytes, then the signature. It is believed only where it verifies, so that nothing here is sealed.
CREATE TABLE log_cosignatures (
    size        INTEGER NOT NULL,
    name        TEXT    NOT NULL,
    key_id      INTEGER NOT NULL,
    signature   BLOB    NOT NULL,
    PRIMARY KEY (size, name, key_id)
) STRICT;
