//! The integration tests: one binary, a module for each thing that is tested from the outside.

mod support;

mod compose;
mod servers_test;
