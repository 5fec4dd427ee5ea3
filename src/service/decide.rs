//! The holder approves: both signatures are checked over what the record says now, and cooling-off begins. Next: the
//! timer, [`super::release`].

use data_encoding::BASE64URL_NOPAD;
use serde_json::Value;

use super::device_failures::{self, Tried};
use super::{Browser, Context, Error, commit, notify, prompt};
use crate::domain::approval::transitions::{Deciding, Refusal};
use crate::domain::approval::{Actor, Approval};
use crate::domain::audit::Facts;
use crate::domain::device::{Blob, Thumbprint};
use crate::domain::evidence::Evidence;
use crate::domain::ids::ApprovalId;
use crate::domain::linking::{ApprovePreimage, DEVICE_KEY_APPROVE, Shown, device_key_message};
use crate::ports::change::DeviceProof;
use crate::ports::secrets::BoxKey;
use crate::ports::store::DeviceCase;

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
    // Before the record is read: a mark that is read later may be ahead of what was read of a sound record.
    let mark = cx.log.mark.seen();
    let DeviceCase { device, case, channels, log } = browser.case(cx, id).await?;
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

    let approval = case.approval;
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
            let tried = Tried { kind: "decide.failed", about: &id };
            device_failures::count(cx, &device, tried, &error, now).await?;
            outcome("ceremony");
            return Err(Error::Ceremony(error));
        }
    };

    mark.allows(log)?;
    let transition = approval.approve(&who, challenge, now)?;
    let channels: Vec<_> = channels.into_iter().collect::<Result<_, _>>()?;
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
        facts: Facts::from([("challenge", challenge.to_string())]),
        ..commit::With::default()
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
