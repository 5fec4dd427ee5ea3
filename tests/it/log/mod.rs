//! The audit log from outside: what every store of it must do, other people's implementations of the tree, what is
//! served of it, receipts that prove their decision, witnesses that cosign it, and databases that were rolled back.

mod conformance;
mod independent;
mod negatives;
pub mod receipts;
mod rollback;
mod served;
mod witness_process;
mod witnessed;
pub mod work;
