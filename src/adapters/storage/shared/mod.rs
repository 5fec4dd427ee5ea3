//! What is written once and compiled for each database: every read, every seldom write, and the settling of what went
//! out. The module that includes this one fixes the types (`Db`, `TheStore`, `DatabaseClock`) and the words that
//! differ; the query code itself is the same text. May import: `domain`, `ports`, the rows, sqlx.

pub mod add;
mod approvals;
mod audit;
pub mod audit_statements;
mod backends;
mod cosignatures;
pub mod erasure_sql;
mod erasures;
mod holders;
mod log;
pub mod outbox;
mod override_reads;
pub mod override_sql;
mod override_writes;
mod port;
pub mod rare;
mod staff;
pub mod staff_statements;
mod staff_writes;
pub mod statements;
pub mod upgrade;

use super::{BEGIN, DatabaseClock, Db, INSERT_AUDIT, TheStore, WAITING, ids};
use statements as sql;

/// A connection of this backend.
pub type Connection = <Db as sqlx::Database>::Connection;
