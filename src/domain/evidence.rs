//! What is kept so that anybody can check a decision later: every preimage, every signed byte, both signatures and
//! both public keys.

use serde::{Deserialize, Serialize};

use super::device::{Blob, DeviceKey};
use super::ids::DeviceId;
use super::linking::{ApprovePreimage, EnrolPreimage, Shown};

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
}
