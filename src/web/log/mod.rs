//! The log as anybody may read it (C2SP tlog-tiles): the signed checkpoint, the tiles of hashes, and the public keys.
//! Entries themselves are for auditors only, and have no URL.

pub mod checkpoint;
pub mod keys;
pub mod tile;
