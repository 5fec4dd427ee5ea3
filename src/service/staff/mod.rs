//! What staff do, one verb per file: [`invite`] and [`join`] (a person and their passkey), [`sign_in`], [`session`],
//! [`change`] (two admins decide), [`end`] (one admin, or the identity provider), [`look`] (one holder, masked, with a
//! trace), [`act`] (stop or slow a transfer) and [`directory`] (the identity provider's key).
//!
//! Each says who may. Every audit entry of a staff member has their employer, group and roles, as they were then.

pub mod act;
pub mod change;
pub mod directory;
pub mod end;
pub mod invite;
pub mod join;
pub mod look;
pub mod session;
pub mod sign_in;
pub mod signing;

pub use session::SignedIn;
