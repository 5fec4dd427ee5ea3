//! Use cases, one verb per file. Each reads what it needs, asks the domain, and ends in one `ports::Change`.
//!
//! May import: `domain` and `ports`. Never names an adapter and knows nothing of HTTP. The way of one transfer:
//! [`request`] → [`watch`] → [`prompt`] → [`decide`] → [`release`] → [`redeem`]; on the side [`reject`], [`cancel`].

pub mod audit;
pub mod backends;
pub mod bounce;
pub mod browser;
pub mod cancel;
pub mod commit;
pub mod context;
pub mod decide;
pub mod device_failures;
pub mod endpoints;
pub mod enrol;
pub mod erase;
pub mod error;
pub mod freeze;
pub mod holders;
pub mod invite;
pub mod lift;
pub mod links;
pub mod log;
pub mod notify;
pub mod override_request;
pub mod prompt;
pub mod read;
pub mod recover;
pub mod redeem;
pub mod reject;
pub mod release;
pub mod request;
pub mod staff;
pub mod subscribe;
pub mod view;
pub mod watch;

pub use browser::Browser;
pub use context::{Console, Context, Profile, Settings};
pub use error::Error;

use crate::domain::ids::ApprovalId;

/// Puts an approval's id on every further log line of the request in hand.
pub fn about(id: ApprovalId) {
    tracing::Span::current().record("approval.id", tracing::field::display(id));
}
