//! What a decision leaves in the record, for tests that begin behind it: its entry, and evidence that nobody checks.

use countersign::domain::approval::{Actor, Approval, Decision};
use countersign::domain::audit::{AuditEntry, AuditEvent, Facts};
use countersign::domain::device::{Blob, DeviceKey, Thumbprint};
use countersign::domain::event::EventKind;
use countersign::domain::evidence::{Evidence, SignedAssertion};
use countersign::domain::linking::{ApprovePreimage, Shown};
use countersign::domain::{ChangeId, DeviceId, Timestamp};

/// The entry of the decision on an approval.
pub fn entry(id: ChangeId, at: Timestamp, approval: &Approval, decision: &Decision) -> AuditEntry {
    let facts = Facts::from([
        ("version", approval.version.to_string()),
        ("digest", approval.digest().to_string()),
        ("challenge", decision.challenge.to_string()),
    ]);
    let object = vec![approval.id.to_string(), approval.holder.to_string()];
    let event = AuditEvent { kind: EventKind::Cooling.as_str(), actor: Actor::Device(device(decision)), object, facts };
    AuditEntry::new(id, at, [7; 16], &event).expect("an entry")
}

fn device(decision: &Decision) -> DeviceId {
    decision.device().expect("a decision on a device")
}

/// Evidence of it.
pub fn evidence(approval: &Approval, decision: &Decision) -> Evidence {
    Evidence::Approve {
        device: device(decision),
        preimage: ApprovePreimage {
            rp_id: "approve.example".to_owned(),
            approval: approval.id,
            version: approval.version,
            digest: approval.digest(),
            hold: decision.hold,
            shown: Shown::plain().digest(),
            credential_id: Blob(vec![1; 16]),
            thumbprint: Thumbprint([6; 32]),
            expires_at: decision.approved_at,
            nonce: Blob(vec![2; 16]),
        },
        shown: Shown::plain(),
        assertion: SignedAssertion {
            credential_id: Blob(vec![1; 16]),
            authenticator_data: Blob(vec![3; 37]),
            client_data_json: Blob(br#"{"type":"webauthn.get"}"#.to_vec()),
            signature: Blob(vec![4; 70]),
            public_key: serde_json::json!({ "kty": "EC" }),
        },
        device_key: DeviceKey::from_bytes(&[4; 65]).expect("65 bytes that begin with 4"),
        device_signature: Blob(vec![5; 64]),
    }
}
