//! The audit log from outside: what every store of it must do, other people's implementations of the tree, what is
//! served of it, receipts that prove their decision, and databases that were rolled back.

mod conformance;
mod independent;
pub mod receipts;
mod rollback;
mod served;
pub mod work;
