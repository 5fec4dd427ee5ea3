//! The log, read again from its record: [`export`] writes it down for others, [`verify`] checks it here and now,
//! [`third_party`] counts what vendors did in it, [`browse`] shows it to auditors. All read in pages, so that a log of
//! any length fits.
//!
//! May import: `domain`, `ports`. The checking itself is `domain::verification`; what an export looks like is
//! `domain::export`.

pub mod browse;
pub mod export;
mod fits;
pub mod third_party;
pub mod verify;

use std::sync::Arc;

use crate::domain::log::LogKeys;
use crate::domain::verification::evidence::Sites;
use crate::ports::audit::AuditStore;
use crate::ports::log::LogStore;
use crate::ports::staff::StaffStore;
use crate::service::log::Witnesses;

/// Entries read at once.
const PAGE: u32 = 500;

/// The record, and what it is checked against.
#[derive(Clone)]
pub struct Record {
    pub audit: Arc<dyn AuditStore>,
    pub log: Arc<dyn LogStore>,
    pub staff: Arc<dyn StaffStore>,
    /// Public keys of the log, retired ones with their time.
    pub keys: LogKeys,
    /// Where ceremonies take place.
    pub sites: Sites,
    /// The witnesses that count, and what they signed.
    pub witnesses: Option<Arc<Witnesses>>,
}
