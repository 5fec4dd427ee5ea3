-- What witnesses signed about checkpoints. ../sqlite/0007_cosignatures.sql has the same in SQLite's types.
--
-- `name` and `key_id` are those of the signature line (C2SP signed-note), `signature` is what follows them: the time
-- in eight bytes, then the signature. It is believed only where it verifies, so that nothing here is sealed.
CREATE TABLE log_cosignatures (
    size        bigint      NOT NULL,
    name        text        NOT NULL,
    key_id      bigint      NOT NULL,
    signature   bytea       NOT NULL,
    PRIMARY KEY (size, name, key_id)
);
