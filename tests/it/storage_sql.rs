//! The SQL stores: the cases that every store has to pass, on both databases, and what only SQL can get wrong. `make`
//! starts the stores; each other file owns one kind of fault.

mod batches;
mod drift;
mod faults;
mod forged;
mod log;
pub mod make;
mod plans;
mod standby;
mod upgrade;

use crate::conformance::overrides::override_conformance;
use crate::conformance::staff::staff_conformance;
use crate::conformance::store::store_conformance;

store_conformance!(sqlite, crate::storage_sql::make::sqlite);
store_conformance!(postgres, crate::storage_sql::make::postgres);
staff_conformance!(staff_on_sqlite, crate::storage_sql::make::sqlite_staff);
staff_conformance!(staff_on_postgres, crate::storage_sql::make::postgres_staff);
override_conformance!(overrides_on_sqlite, crate::storage_sql::make::sqlite_staff);
override_conformance!(overrides_on_postgres, crate::storage_sql::make::postgres_staff);
