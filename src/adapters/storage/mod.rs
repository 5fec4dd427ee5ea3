//! The record in SQL: PostgreSQL for any number of nodes, SQLite for one process without a server.
//!
//! Reads and seldom writes are one source, [`shared`](self), which each backend includes with its own types; the
//! committers, the claims and the connections are openly two. Rows and their seals are in [`rows`] and [`seal`], the
//! queue before the committers in [`committer`]. May import: `domain`, `ports`, sqlx. `app` alone names what is here.

mod at;
#[macro_use]
mod columns;
mod committer;
mod failure;
mod handover;
pub mod postgres;
mod rows;
mod seal;
mod settle;
pub mod sqlite;
mod write;

/// Makes constants of statements, and a list of all of them for the test that prepares each.
macro_rules! statements {
    ($($name:ident = $sql:expr;)*) => {
        $(pub const $name: &str = $sql;)*
        /// Every statement of this module, with its name.
        pub const ALL: &[(&str, &str)] = &[$((stringify!($name), $name)),*];
    };
}
pub(crate) use statements;
