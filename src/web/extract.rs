//! What handlers take out of a request. Everything that comes in is bounded, parsed into types that can't hold a wrong
//! value, and answered with a problem that names the place when it doesn't fit.
//!
//! May import: `domain`, `service` and `web::problem`. The order of checks is fixed: who calls ([`authenticated`],
//! before anything is read), then headers, then the body.

pub mod authenticated;
pub mod body;
pub mod client_ip;
pub mod fields;
pub mod idempotency;
pub mod json;
pub mod path;
pub mod posted;
pub mod query;

pub use authenticated::{Authenticated, authenticate};
pub use body::{Body, NoBody};
pub use client_ip::{ClientIp, TrustedProxies};
pub use fields::Fields;
pub use idempotency::{IdempotencyHeader, Key};
pub use path::part;
pub use posted::{Form, Json};
pub use query::{NoQuery, parameters};
