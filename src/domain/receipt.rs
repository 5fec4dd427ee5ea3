//! The receipt: a signed statement that one approval was redeemed, with what its executor must compare with its own
//! order, and with the proof that the decision is in the audit log. Who has it needs nothing else to check it.

use serde::{Deserialize, Serialize};

use super::approval::{Approval, Decider, Distinct, State};
use super::audit::{commitment, leaf_hash};
use super::details::{Digest, Subject, TransferId};
use super::device::Blob;
use super::event::EventKind;
use super::ids::{ApprovalId, BackendId, DeviceId, OverrideId, StaffId};
use super::log::{Checkpoint, LogKeys, ProofError, TlogProof};
use super::override_request::transitions::Event;
use super::policy::Assurance;
use super::time::Timestamp;
use super::witness::quorum::{Quorum, Unmet, Witnessed};

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
    pub proof: ReceiptProof,
}

/// The entry of the decision, and its place in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptProof {
    /// Canonical JSON of the audit entry.
    pub entry: String,
    /// What the entry's commitment is salted with.
    pub salt: Blob,
    /// C2SP tlog-proof: index, inclusion path, and checkpoint with its signatures.
    pub tlog: String,
}

/// Why a receipt's proof proves nothing.
#[derive(Debug, thiserror::Error)]
pub enum BadProof {
    #[error("the salt isn't 16 bytes")]
    Salt,
    #[error("the receipt names not one that decided")]
    Decider,
    #[error("the entry doesn't read back")]
    Entry(#[source] serde_json::Error),
    #[error("the entry is about something else: its {0} isn't the receipt's")]
    OtherEntry(&'static str),
    #[error(transparent)]
    Log(#[from] ProofError),
    #[error("the checkpoint isn't witnessed as it should be: {0}")]
    Witnesses(#[from] Unmet),
}

/// What of an entry has to agree with the receipt.
#[derive(Deserialize)]
struct Approved {
    kind: String,
    object: Vec<String>,
    facts: std::collections::BTreeMap<String, String>,
}

impl ReceiptProof {
    /// Checks that the entry is this decision on this approval, with this digest, and that the log has it. `at` is when the receipt was issued.
    ///
    /// # Errors
    /// [`BadProof`].
    pub fn verify(
        &self,
        approval: ApprovalId,
        digest: &Digest,
        decided: Decided,
        keys: &LogKeys,
        at: Timestamp,
    ) -> Result<Checkpoint, BadProof> {
        let entry: Approved = serde_json::from_str(&self.entry).map_err(BadProof::Entry)?;
        let fact = |name: &str, value: String| entry.facts.get(name) == Some(&value);
        let about = ("approval", entry.object.contains(&approval.to_string()));
        let agrees = match decided {
            Decided::ByDevice { challenge } => [
                ("kind", entry.kind == EventKind::Cooling.as_str()),
                about,
                ("digest", fact("digest", digest.to_string())),
                ("challenge", fact("challenge", challenge.to_string())),
            ],
            Decided::ByStaff { request } => [
                ("kind", entry.kind == Event::SignedTwice.as_str()),
                about,
                ("digest", fact("approval_digest", digest.to_string())),
                ("request", fact("digest", request.to_string())),
            ],
        };
        if let Some((what, _)) = agrees.iter().find(|(_, agrees)| !agrees) {
            return Err(BadProof::OtherEntry(what));
        }
        let salt: &[u8; 16] = self.salt.0.as_slice().try_into().map_err(|_| BadProof::Salt)?;
        let leaf = leaf_hash(&commitment(salt, self.entry.as_bytes()));
        let proof: TlogProof = self.tlog.parse()?;
        Ok(proof.verify(&leaf, keys, at)?)
    }
}

/// What the signatures under a decision cover.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decided {
    /// Passkey and device key both signed this challenge.
    ByDevice { challenge: Digest },
    /// Two staff members signed the request of this digest.
    ByStaff { request: Digest },
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
    /// Checks the proof against what the rest of the receipt says.
    ///
    /// # Errors
    /// [`BadProof`].
    pub fn verify_proof(&self, keys: &LogKeys) -> Result<Checkpoint, BadProof> {
        let at = Timestamp::from_micros(self.iat.saturating_mul(1_000_000));
        let signed = match (&self.device, &self.staff) {
            (Some(device), None) => Decided::ByDevice { challenge: device.challenge },
            (None, Some(staff)) => Decided::ByStaff { request: staff.digest },
            (None, None) | (Some(_), Some(_)) => return Err(BadProof::Decider),
        };
        self.proof.verify(self.jti, &self.digest, signed, keys, at)
    }

    /// Checks that enough witnesses have signed the checkpoint that the proof rests on, and gives them.
    /// [`Receipt::verify_proof`] says what that checkpoint is worth.
    ///
    /// # Errors
    /// [`BadProof`].
    pub fn verify_witnesses<'a>(&self, quorum: &'a Quorum) -> Result<Vec<Witnessed<'a>>, BadProof> {
        let proof: TlogProof = self.proof.tlog.parse()?;
        Ok(quorum.check(&proof.checkpoint)?)
    }

    /// The receipt of a redeemed approval; `None` of any other.
    pub fn of(approval: &Approval, issuer: &str, proof: ReceiptProof) -> Option<Self> {
        let State::Redeemed { decision, released_at, redeemed_at, .. } = &approval.state else {
            return None;
        };
        let (device, staff) = match &decision.by {
            Decider::Device { device, device_enrolled_at, assurance, .. } => {
                let (id, enrolled_at, assurance) = (*device, *device_enrolled_at, *assurance);
                (Some(ReceiptDevice { id, enrolled_at, assurance, challenge: decision.challenge }), None)
            }
            Decider::Staff(decided) => {
                let (override_request, signers) = (decided.override_request(), decided.signers());
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
            v: "v1".to_owned(),
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
            proof,
        })
    }
}
