//! The rules, and nothing else: no I/O, no clock, no randomness. Time and random bytes come in as arguments.
//!
//! May import: the standard library and pure crates (hashing, encoding, serde). Everything else in the crate may
//! import this module; this module imports none of it. Read on in [`approval`], where the state machine lives.

pub mod approval;
pub mod audit;
pub mod backend;
pub mod channel;
pub mod details;
pub mod device;
pub mod device_key;
pub mod erasure;
pub mod event;
pub mod evidence;
pub mod export;
pub mod freeze;
pub mod holder;
pub mod ids;
pub mod link;
pub mod linking;
pub mod log;
pub mod money;
pub mod ocsf;
pub mod override_request;
pub mod policy;
pub mod receipt;
pub mod report;
pub mod staff;
pub mod text;
pub mod time;
pub mod verification;
pub mod webhook;
pub mod webhook_secret;
pub mod witness;

pub use ids::*;
pub use time::Timestamp;
