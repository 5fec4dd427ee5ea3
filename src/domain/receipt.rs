//! The receipt: a signed statement that one approval was redeemed, with what its executor must compare with its own
//! order. Until the audit tree is built it carries no proof and says `v0`.

use serde::{Deserialize, Serialize};

use super::approval::{Approval, Decider, Distinct, State};
use super::details::{Digest, Subject, TransferId};
use super::ids::{ApprovalId, BackendId, DeviceId, OverrideId, StaffId};
use super::policy::Assurance;
use super::time::Timestamp;

/// JOSE `typ` of a receipt: no other token of ours can be taken for one (RFC 8725 section 3.11).
pub const TYP: &str = "countersign-receipt+jwt";

/// How long a receipt is good for execution after the redeem.
pub const LIFE: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

/// Claims of a receipt (RFC 7519 for the registered ones).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    pub iss: String,
    pub aud: BackendId,
    /// The approval.
    pub jti: ApprovalId,
    pub iat: i64,
    pub exp: i64,
    /// Format of the receipt.
    pub v: String,
    pub subject: Subject,
    pub transfer_id: TransferId,
    pub digest: Digest,
    pub amount: String,
    pub unit: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    pub payee_account: String,
    pub source_account: String,
    /// The device that decided, if one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distinct: Option<Distinct>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<ReceiptDevice>,
    /// The two staff members who decided instead of the holder, if they did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub staff: Option<ReceiptStaff>,
    pub approved_at: Timestamp,
    pub released_at: Timestamp,
    pub redeemed_at: Timestamp,
    pub version: u32,
}

/// The device that decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptDevice {
    pub id: DeviceId,
    pub enrolled_at: Timestamp,
    pub assurance: Assurance,
    /// Challenge that passkey and device key both signed.
    pub challenge: Digest,
}

/// Two staff members who approved instead of the holder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptStaff {
    pub override_request: OverrideId,
    pub signers: [StaffId; 2],
    /// SHA-256 of the canonical request that both signed.
    pub digest: Digest,
}

impl Receipt {
    /// The receipt of a redeemed approval; `None` of any other.
    pub fn of(approval: &Approval, issuer: &str) -> Option<Self> {
        let State::Redeemed { decision, released_at, redeemed_at, .. } = &approval.state else {
            return None;
        };
        let (device, staff) = match &decision.by {
            Decider::Device { device, device_enrolled_at, assurance, .. } => {
                let (id, enrolled_at, assurance) = (*device, *device_enrolled_at, *assurance);
                (Some(ReceiptDevice { id, enrolled_at, assurance, challenge: decision.challenge }), None)
            }
            Decider::Staff { override_request, signers } => {
                let (override_request, signers) = (*override_request, *signers);
                (None, Some(ReceiptStaff { override_request, signers, digest: decision.challenge }))
            }
        };
        let transfer = approval.details.transfer();
        Some(Self {
            iss: issuer.to_owned(),
            aud: approval.backend,
            jti: approval.id,
            iat: redeemed_at.seconds(),
            exp: (*redeemed_at + LIFE).seconds(),
            v: "v0".to_owned(),
            subject: transfer.subject.clone(),
            transfer_id: transfer.transfer_id.clone(),
            digest: approval.digest(),
            amount: transfer.amount.as_str().to_owned(),
            unit: transfer.unit_code().to_owned(),
            network: transfer.network().map(str::to_owned),
            payee_account: transfer.payee.account.as_str().to_owned(),
            source_account: transfer.source_account.id.as_str().to_owned(),
            distinct: decision.distinct(),
            device,
            staff,
            approved_at: decision.approved_at,
            released_at: *released_at,
            redeemed_at: *redeemed_at,
            version: approval.version,
        })
    }
}
