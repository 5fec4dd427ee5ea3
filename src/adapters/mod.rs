//! What stands behind the ports: each adapter implements one group of traits for one system of the outside world.
//! May import `domain` and `ports`; no adapter knows another. `app` is the only place that names them.

pub mod channels;
pub mod high_water;
pub mod log_key;
pub mod outbound;
pub mod receipts;
pub mod secrets;
pub mod siem;
pub mod storage;
pub mod timing;
pub mod webauthn;
pub mod webhooks;
pub mod witnesses;
