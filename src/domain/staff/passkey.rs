//! A staff member's passkey. It belongs to the console's origin and to nobody's money.

use serde::{Deserialize, Serialize};

use crate::domain::device::Blob;
use crate::domain::ids::StaffId;
use crate::domain::policy::Assurance;
use crate::domain::time::Timestamp;

/// What is fixed when it is made, and sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasskeyBody {
    pub staff: StaffId,
    pub credential_id: Blob,
    /// As the WebAuthn library stores it, without its counter.
    pub credential: serde_json::Value,
    pub assurance: Assurance,
    pub created_at: Timestamp,
}

/// A passkey with what changes about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passkey {
    pub body: PasskeyBody,
    /// The authenticator's signature counter (WebAuthn L3 section 6.1.1); 0 when it keeps none.
    pub counter: u32,
}
