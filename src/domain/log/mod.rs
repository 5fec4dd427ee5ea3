//! The audit log as a tree that anybody can check: RFC 6962 hashes, C2SP tiles, signed checkpoints and proofs.
//!
//! [`tree`] is the arithmetic of the Merkle tree, [`tile`] how its hashes are stored and served, [`note`] how a text
//! is signed, [`checkpoint`] what is signed about a tree, [`keys`] whose signature counts and when, and [`proof`] what
//! goes with a receipt. The leaves are the [`super::audit::leaf_hash`]es. Everything here is a function of its
//! arguments: the store that keeps the tiles is a port, and the key that signs lies in an adapter. Flow goes on in
//! `service::log`.

pub mod checkpoint;
pub mod keys;
pub mod note;
pub mod proof;
pub mod tile;
pub mod tree;

pub use checkpoint::{Checkpoint, CheckpointError};
pub use keys::{EarlierName, KeyPeriod, LogKeys};
pub use note::{BadName, Note, NoteError, Origin, SignatureType, VerifierKey};
pub use proof::{ProofError, TlogProof};
pub use tile::{Edge, Tile, TileAt, Tiles};
pub use tree::{Node, TreeError};
