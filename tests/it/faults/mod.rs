//! Real faults: nodes of the service as processes of their own, over one PostgreSQL and one Redis, while people and
//! backends go on with what they do. After each fault the invariants of design section 9 are looked for in the
//! database, in what was answered, and in what webhooks told.
//!
//! [`deployment`] starts everything, [`gateway`] carries requests to whichever node answers, [`holder`] is somebody
//! with a phone whose transfers go their ways, [`load`] lets several of them go on until told to stop. [`ledger`] keeps
//! what was acknowledged and [`checks`] compares it with the record. Each other file is one kind of fault.
//!
//! What a run chooses comes from a seed that it prints; `FAULTS_SEED=n` chooses the same again.

mod chance;
mod checks;
mod deployment;
pub mod gateway;
mod holder;
mod hooks;
mod ledger;
mod load;
mod node;
pub mod phone;
mod relay;
mod settled;

mod database;
mod failover;
mod kills;
mod metrics;
mod races;
mod redis;
mod roles;
mod shutdown;
