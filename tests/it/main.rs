//! The integration tests: one binary, a module for each thing that is tested from the outside.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that can't go on has failed; helpers outside of test functions may say so as well"
)]

mod support;

mod api;
mod architecture;
mod bribed;
mod browser;
mod ceremonies;
mod command_line;
mod compose;
mod configuration;
mod conformance;
mod conformance_timing;
mod console;
mod coverage;
mod demo;
mod faults;
mod flow;
mod log;
mod no_other_path;
mod openapi;
mod outward;
mod own_tls;
mod papers;
mod readme;
mod redis_faults;
mod redis_tls;
mod refusals;
mod servers_test;
mod siem;
mod sim;
mod storage_sql;
mod verify;
mod witness;
