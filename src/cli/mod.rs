//! Commands that have a file of their own. `main` reads the arguments and hands over to these.
//!
//! May import: everything but `demo`; it stands beside `main`, above `app`.

pub mod staff;
