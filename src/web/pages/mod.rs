//! The holder-facing pages as view models: one struct per page, each knowing its template.
//!
//! Owns what a page says and in which words. A handler builds a struct from plain values (texts, ids, unix
//! microseconds) and calls `render()` from [`Template`], which is re-exported here; nothing in this module reads a
//! clock, a store or a request, and it imports neither `service` nor `domain`. Every text that came from outside goes
//! through `given`; every template escapes. Flow goes on to `templates/` and to the browser, where the modules of
//! `static/` run.

pub mod cancel;
pub mod clocktext;
pub mod console;
pub mod deal;
pub mod device;
pub mod ends;
pub mod enrol;
pub mod errors;
pub mod frame;
pub mod given;
pub mod home;
pub mod live;
pub mod lock;
pub mod outcome;
pub mod third_party;
pub mod undecidable;
pub mod waiting;
mod way;

#[cfg(test)]
mod checks;
#[cfg(test)]
pub mod samples;

pub use askama::{Error as RenderError, Template};
