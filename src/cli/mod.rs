//! Commands of the command line that are more than a call: one file for each noun. `main` only dispatches to them.

pub mod receipt;
pub mod recover;
