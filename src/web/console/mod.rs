//! The console: where staff work, on an origin and a listener of its own. [`routes`] is its whole URL table; [`gate`]
//! is what stands before it, [`signed_in`] who is asking. One verb per file otherwise, as on the holders' pages.
//!
//! May import `service` and `domain`. Pages never act on GET. Nothing here lists, searches or exports holders.

pub mod audit;
pub mod audit_page;
pub mod case;
pub mod case_page;
pub mod cases;
pub mod change;
pub mod failure;
pub mod gate;
pub mod holder;
pub mod join;
pub mod present;
pub mod refused;
pub mod routes;
pub mod scim;
pub mod scim_body;
pub mod sign_in;
pub mod signed_in;
pub mod staff;
