//! `countersign demo`: Countersign and a sample exchange on one machine, for looking at and for proving that the whole
//! way works.
//!
//! [`world`] starts both, in a folder that goes away with them. [`tour`] is the demo for a person with two browsers,
//! [`auto`] the same story told by itself over HTTP, which fails when anything isn't as it should be. [`exchange`] is
//! the backend; it knows Countersign from outside only. [`office`] is the staff with their console. May import: `app`, `config`, `service::backends`, the software
//! authenticator. `main` calls [`run`]; `serve` has no part of this.

mod auto;
mod ending;
pub mod exchange;
mod http;
mod office;
mod tour;
mod world;

/// The demo's master key. It stands in the source, so `serve` refuses it.
pub const MASTER: &[u8; 32] = b"countersign demo: worth nothing!";

/// What the command line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// Tell the story without a person.
    pub auto: bool,
    /// Countersign's port.
    pub port: Option<u16>,
    /// The exchange's port.
    pub exchange_port: Option<u16>,
    /// The console's port.
    pub console_port: Option<u16>,
}

/// Runs the demo until it is over or somebody ends it.
///
/// # Errors
/// What kept it from running; with `auto`, also when an outcome, a webhook or a receipt wasn't right.
pub async fn run(options: Options) -> anyhow::Result<()> {
    if options.auto { auto::run(options).await } else { tour::run(options).await }
}
