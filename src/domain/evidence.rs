//! What is kept so that anybody can check a decision later: every preimage, every signed byte, both signatures and
//! both public keys.

use serde::{Deserialize, Serialize};

use super::device::{Blob, DeviceKey};
use super::ids::{ApprovalId, DeviceId, StaffId};
use super::linking::{ApprovePreimage, EnrolPreimage, LiftPreimage, Shown};
use super::staff::signing::StaffPreimage;

/// A WebAuthn assertion as it arrived (WebAuthn L3 section 5.2.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedAssertion {
    pub credential_id: Blob,
    pub authenticator_data: Blob,
    pub client_data_json: Blob,
    pub signature: Blob,
    /// The credential's public key as stored at enrolment.
    pub public_key: serde_json::Value,
}

/// Evidence of one decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Evidence {
    Approve {
        device: DeviceId,
        preimage: ApprovePreimage,
        shown: Shown,
        assertion: SignedAssertion,
        device_key: DeviceKey,
        device_signature: Blob,
    },
    Enrol {
        device: DeviceId,
        preimage: EnrolPreimage,
        assertion: SignedAssertion,
        device_key: DeviceKey,
        device_signature: Blob,
    },
    /// A device asked to lift a freeze.
    Lift {
        device: DeviceId,
        preimage: LiftPreimage,
        assertion: SignedAssertion,
        device_key: DeviceKey,
        device_signature: Blob,
    },
    /// A staff member's signature with their passkey: over a change of staff, over an override, or at the end of making
    /// the passkey.
    Staff {
        staff: StaffId,
        /// The transfer that was approved with this signature, if one was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        approval: Option<ApprovalId>,
        preimage: StaffPreimage,
        /// The canonical JSON whose SHA-256 the preimage carries as its digest.
        signed: String,
        assertion: SignedAssertion,
    },
}
