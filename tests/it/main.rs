//! The integration tests: one binary, a module for each thing that is tested from the outside.

mod support;

mod ceremonies;
mod compose;
mod conformance;
mod conformance_timing;
mod outward;
mod redis_faults;
mod servers_test;
