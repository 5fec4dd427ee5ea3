//! Checking the log from the outside: everything that it says is computed again, by code of its own, from nothing but
//! the bytes that are kept and the public keys that a reader trusts.
//!
//! [`evidence`] recomputes both signatures of a ceremony, [`tree`] the root over the leaves, [`standing`] what became
//! of each approval, [`overrides`], [`freezes`] and [`devices`] of each override, freeze and device, [`register`] what
//! there is and what of it was ended, and [`run`] goes through an export line by line and names the first thing that is
//! wrong. It doesn't use the code that makes what it checks: a fault there would otherwise agree with itself. The
//! exceptions are signed notes and an export's inclusion proofs, which [`crate::domain::log`] reads, and the tests check
//! that code against other people's. Written down in `docs/audit.md`, so that others can do the same. May import: the
//! types of `domain`.

use std::time::Duration;

pub mod devices;
pub mod evidence;
pub mod freezes;
pub mod overrides;
pub mod register;
#[cfg(test)]
mod samples;

pub mod run;
pub mod standing;
pub mod tree;
pub mod wrong;

/// What was under way when something was frozen, locked or removed may still be told of so much later: clocks of nodes
/// differ, and a commit takes its time.
const SETTLED: Duration = Duration::from_secs(60);
