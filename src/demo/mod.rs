//! The demo.

/// The demo's master key. It stands in the source, so `serve` refuses it.
pub const MASTER: &[u8; 32] = b"countersign demo: worth nothing!";
