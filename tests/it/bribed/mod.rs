//! The bribed agent against dual sign-off: each move a case of its own, over real HTTP, on SQLite with timers
//! in the process and on PostgreSQL with Redis.

mod brakes;
pub mod cast;
mod channels;
mod draws;
mod holds;
mod leaving;
mod oneself;
mod removed;
mod signing;
