//! The holder approves: both signatures are checked over what the record says now, and cooling-off begins. Next: the
//! timer, [`super::release`].

use data_encoding::BASE64URL_NOPAD;
use serde_json::Value;

use super::{Browser, Context, Error, commit, log, notify, prompt};
use crate::domain::approval::transitions::{Deciding, Refusal};
use crate::domain::approval::{Actor, Approval};
use crate::domain::audit::Facts;
use crate::domain::channel::Purpose;
use crate::domain::device::{Blob, Device, MAX_FAILURES, Thumbprint};
use crate::domain::evidence::Evidence;
use crate::domain::ids::ApprovalId;
use crate::domain::linking::{ApprovePreimage, DEVICE_KEY_APPROVE, Shown, device_key_message};
use crate::domain::time::Timestamp;
use crate::ports::change::DeviceProof;
use crate::ports::outward::CeremonyError;
use crate::ports::secrets::BoxKey;
use crate::ports::{Change, CommitError, Effect};

/// What came back from a prompt.
#[derive(Debug, Clone)]
pub struct Signed {
    pub sealed: String,
    /// `AuthenticationResponseJSON`.
    pub assertion: Value,
    pub thumbprint: Thumbprint,
    pub signature: Vec<u8>,
}

/// Approves. The order of the checks matters: what costs the device a failure comes only after its own key has signed.
///
/// # Errors
/// [`Error::PromptStale`] when the prompt is old or the record moved on: nothing was approved and a new prompt may be
/// asked for. [`Error::DeviceKey`], [`Error::Ceremony`], [`Error::Refused`], [`Error::DeviceLocked`].
pub async fn decide(cx: &Context, browser: &Browser, id: ApprovalId, signed: Signed) -> Result<Approval, Error> {
    let device = browser.device(cx).await?;
    if device.locked_at.is_some() {
        return Err(Error::DeviceLocked);
    }
    let by = Actor::Device(device.body.id);
    let preimage = open(cx, id, &signed.sealed)?;
    let challenge = preimage.challenge();
    let now = cx.now();

    let message = device_key_message(DEVICE_KEY_APPROVE, challenge.bytes());
    let own_key = device.body.key.thumbprint() == signed.thumbprint && preimage.thumbprint == signed.thumbprint;
    if !own_key || !device.body.key.verifies(&message, &signed.signature) {
        commit::refused(cx, "decide.refused", Actor::Unknown, &[&id, &device.body.id], "device_key", now).await;
        outcome("device_key");
        return Err(Error::DeviceKey);
    }

    let (case, channels) = tokio::try_join!(cx.store.case(id), cx.store.channels(device.body.holder))?;
    let case = case.ok_or(Error::NotFound)?;
    let approval = case.approval;
    if approval.holder != device.body.holder {
        return Err(Error::NotFound);
    }
    let who = Deciding { device: &device, mark: browser.mark };
    let hold = match approval.may_decide(&who, now) {
        Ok((_, hold)) => hold,
        Err(refusal) => {
            commit::refused(cx, "decide.refused", by, &[&id], refusal_name(refusal), now).await;
            outcome(refusal_name(refusal));
            return Err(refusal.into());
        }
    };
    let shown = Shown::plain();
    let fresh = prompt::preimage(cx, &approval, &device, hold, &shown, preimage.expires_at, preimage.nonce.clone());
    if fresh != preimage || now >= preimage.expires_at {
        outcome("stale");
        return Err(Error::PromptStale);
    }

    let verified = match cx.ceremonies.verify(&challenge, &signed.assertion, &device.body.credential, device.counter) {
        Ok(verified) => verified,
        Err(error) => {
            count_failure(cx, &device, id, &error, now).await?;
            outcome("ceremony");
            return Err(Error::Ceremony(error));
        }
    };

    log::ensure_whole(cx).await?;
    let transition = approval.approve(&who, challenge, now)?;
    let notices = notify::cooling(cx, &transition.approval, &channels, now);
    let evidence = Evidence::Approve {
        device: device.body.id,
        preimage,
        shown,
        assertion: verified.assertion,
        device_key: device.body.key.clone(),
        device_signature: Blob(signed.signature),
    };
    let with = commit::With {
        endpoints: &case.endpoints,
        notices,
        evidence: Some(evidence),
        proof: Some(DeviceProof { device: device.body.id, counter: verified.counter }),
        receipt: None,
        facts: Facts::from([("challenge", challenge.to_string())]),
    };
    match commit::transition(cx, transition, by, with, now).await {
        Ok(approval) => {
            outcome("approved");
            Ok(approval)
        }
        Err(error) if error.is_conflict() => {
            outcome("stale");
            Err(Error::PromptStale)
        }
        Err(error) => Err(error.into()),
    }
}

fn open(cx: &Context, id: ApprovalId, sealed: &str) -> Result<ApprovePreimage, Error> {
    let sealed = BASE64URL_NOPAD.decode(sealed.as_bytes()).map_err(|_| Error::PromptStale)?;
    let plain = cx.secrets.open(BoxKey::Prompt, id.bytes(), &sealed).map_err(|_| Error::PromptStale)?;
    serde_json::from_slice(&plain).map_err(|_| Error::PromptStale)
}

/// Counts a failure that carried the device's own signature, and locks the device at the fifth in a row.
async fn count_failure(
    cx: &Context,
    device: &Device,
    id: ApprovalId,
    error: &CeremonyError,
    now: Timestamp,
) -> Result<(), Error> {
    let name = match error {
        CeremonyError::Refused { name, .. } => name,
        CeremonyError::Malformed(_) => "malformed",
        // Our own fault is nobody's failed attempt.
        CeremonyError::Internal(_) => return Ok(()),
    };
    // Failures at the same time are counted one after the other, so that nobody gains tries by sending many at once.
    let mut failures = device.failures;
    for _ in 0..commit::ATTEMPTS {
        let lock_at = (failures + 1 >= MAX_FAILURES).then_some(now);
        let kind = if lock_at.is_some() { "device.locked" } else { "decide.failed" };
        let facts = Facts::from([("why", name.to_owned()), ("failures", (failures + 1).to_string())]);
        let entry = cx.entry(kind, Actor::Device(device.body.id), &[&id, &device.body.id], facts, now)?;
        let mut change = Change::new(entry, Effect::CountFailure { device: device.body.id, failures, lock_at });
        if lock_at.is_some() {
            let channels = cx.store.channels_one_by_one(device.body.holder).await?;
            let channels = commit::believed(cx, channels).await;
            change.notices = notify::device(cx, &device.body, Purpose::DeviceLocked, &channels, now);
        }
        match cx.store.commit(change).await {
            Ok(()) => return Ok(()),
            Err(CommitError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
        match cx.store.device_by_cookie(&device.body.cookie_hash).await? {
            Some(known) if known.is_live() => failures = known.failures,
            Some(_) | None => return Ok(()),
        }
    }
    Err(Error::Conflict)
}

fn outcome(name: &'static str) {
    metrics::counter!("countersign_prompts_total", "outcome" => name).increment(1);
}

/// The audit log's and the metrics' name of a refusal.
pub const fn refusal_name(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::State(_) | Refusal::Redeemed { .. } => "state",
        Refusal::TimeOver => "time_over",
        Refusal::TooEarly => "too_early",
        Refusal::OtherHolder => "other_holder",
        Refusal::DeviceDead => "device_dead",
        Refusal::DeviceTooNew => "device_too_new",
        Refusal::SameBrowser => "same_browser",
        Refusal::Unproved => "unproved",
        Refusal::AssuranceTooLow => "assurance_too_low",
        Refusal::AlreadyWatched => "already_watched",
        Refusal::OtherDigest => "other_digest",
        Refusal::OtherKey => "other_key",
        Refusal::PastCap => "past_cap",
        Refusal::NotLonger => "not_longer",
    }
}
