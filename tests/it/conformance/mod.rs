//! What every `Store` must do, whatever it is made of: one suite of cases, instantiated for each adapter with
//! [`store::store_conformance`], and here for the store in memory, which the simulation trusts.
//!
//! `world` stores the rows that a case starts from, `rows` and `states` make further ones; each other file owns the cases of one part of the port. A case
//! takes a fresh, empty store. The databases judge time by their own clocks, so no case moves a clock: what lies in the
//! past or ahead is made relative to what the store says its time is.

pub mod store;

pub mod backends;
pub mod deliveries;
pub mod devices;
pub mod due;
pub mod endpoints;
pub mod enrolling;
pub mod erasing;
pub mod guards;
pub mod keeping;
pub mod notices;
pub mod opening;
pub mod overrides;
pub mod races;
pub mod reading;
pub mod rows;
pub mod staff;
pub mod states;
pub mod told;
pub mod transitions;
pub mod world;

use std::sync::Arc;

use countersign::domain::Timestamp;
use countersign::ports::{StaffStore, Store};

use crate::support::clock::ManualClock;
use crate::support::memory_store::MemoryStore;

/// A fresh store in memory. It has nothing to keep alive beside itself.
async fn memory_store() -> (Arc<dyn Store>, ()) {
    let clock = ManualClock::at(Timestamp::from_micros(1_795_271_520_123_456));
    (Arc::new(MemoryStore::new(Arc::new(clock))), ())
}

/// The same under both of its ports.
async fn memory_staff() -> ((Arc<dyn Store>, Arc<dyn StaffStore>), ()) {
    let clock = ManualClock::at(Timestamp::from_micros(1_795_271_520_123_456));
    let store = Arc::new(MemoryStore::new(Arc::new(clock)));
    ((store.clone(), store), ())
}

store::store_conformance!(memory, crate::conformance::memory_store);
staff::staff_conformance!(staff_in_memory, crate::conformance::memory_staff);
overrides::override_conformance!(overrides_in_memory, crate::conformance::memory_staff);
