//! What the integration tests stand on.

pub mod app;
pub mod approved;
pub mod backend;
pub mod chromium;
pub mod clock;
pub mod contract;
pub mod enrolled;
pub mod eventually;
pub mod hostile;
pub mod log;
pub mod memory_store;
pub mod owner;
pub mod servers;
