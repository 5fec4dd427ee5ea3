//! The bribed agent against dual sign-off: each move a case of its own, over real HTTP, on SQLite and on PostgreSQL.

mod brakes;
pub mod cast;
mod channels;
mod draws;
mod holds;
mod signing;
