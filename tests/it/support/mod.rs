//! What the integration tests stand on.

pub mod app;
pub mod clock;
pub mod eventually;
pub mod memory_store;
pub mod servers;
