//! An enrolled device lifts a freeze that came from a link: passkey and device key sign, and an hour later it ends. Every
//! channel is told and can lock again. A freeze from a device or by staff can't be lifted here.

use data_encoding::BASE64URL_NOPAD;

use super::decide::Signed;
use super::device_failures::{self, Tried};
use super::prompt::{Prompt, check_page_token};
use super::{Browser, Context, Error, commit, log, notify};
use crate::domain::approval::Actor;
use crate::domain::audit::Facts;
use crate::domain::channel::Purpose;
use crate::domain::device::{Blob, Device, Thumbprint};
use crate::domain::evidence::Evidence;
use crate::domain::freeze::{Freeze, FreezeRefusal};
use crate::domain::ids::ApprovalId;
use crate::domain::linking::{DEVICE_KEY_LIFT, DEVICE_KEY_PROMPT, LiftPreimage, PROMPT_LIFE, device_key_message};
use crate::domain::time::Timestamp;
use crate::ports::change::DeviceProof;
use crate::ports::secrets::BoxKey;
use crate::ports::store::CommitError;
use crate::ports::{Change, Effect};

/// What the locked page needs.
#[derive(Debug, Clone)]
pub struct LockedPage {
    pub device: Device,
    pub freeze: Option<Freeze>,
    /// Whether this device could lift it.
    pub may: Result<(), FreezeRefusal>,
    pub page_token: String,
}

/// Reads for the page; changes nothing.
///
/// # Errors
/// [`Error::UnknownDevice`].
pub async fn page(cx: &Context, browser: &Browser) -> Result<LockedPage, Error> {
    let device = browser.device(cx).await?;
    let freeze = cx.store.freeze(device.body.holder).await?;
    let may = freeze.as_ref().map_or(Err(FreezeRefusal::NotFrozen), |freeze| freeze.may_lift(&device));
    let page_token = super::prompt::page_token(cx, page_object(&device));
    Ok(LockedPage { device, freeze, may, page_token })
}

/// A page's token is bound to an object; this page's is the device itself.
const fn page_object(device: &Device) -> ApprovalId {
    ApprovalId::from_uuid(device.body.id.uuid())
}

/// Makes a prompt for a browser that signed the page's token with its device key.
///
/// # Errors
/// [`Error::DeviceKey`] without that signature, [`Error::Freeze`] by the rules, [`Error::PromptStale`] for an old page.
pub async fn prompt(
    cx: &Context,
    browser: &Browser,
    page_token: &str,
    thumbprint: &Thumbprint,
    signature: &[u8],
) -> Result<Prompt, Error> {
    let device = browser.device(cx).await?;
    check_page_token(cx, page_object(&device), page_token)?;
    let message = device_key_message(DEVICE_KEY_PROMPT, page_token.as_bytes());
    let now = cx.now();
    let freeze = cx.store.freeze(device.body.holder).await?.ok_or(FreezeRefusal::NotFrozen)?;
    if device.body.key.thumbprint() != *thumbprint || !device.body.key.verifies(&message, signature) {
        return Err(unproved(cx, &freeze, &device, now).await);
    }
    if let Err(refusal) = freeze.may_lift(&device) {
        return Err(refused(cx, &freeze, &device, refusal, now).await);
    }
    let expires_at = now + PROMPT_LIFE;
    let preimage = preimage(cx, &freeze, &device, expires_at, Blob(cx.random::<16>().to_vec()));
    let challenge = preimage.challenge();
    let options = cx.ceremonies.request_options(&challenge, &device.body.credential_id).map_err(Error::Ceremony)?;
    let plain = serde_json::to_vec(&preimage).map_err(Error::internal)?;
    let sealed = BASE64URL_NOPAD.encode(&cx.secrets.seal(BoxKey::Prompt, freeze.id.bytes(), &plain));
    Ok(Prompt { options, sealed, challenge: BASE64URL_NOPAD.encode(challenge.bytes()), expires_at })
}

/// Asks for the lift. Its hold begins.
///
/// # Errors
/// As [`prompt`], and [`Error::Ceremony`], [`Error::RolledBack`].
pub async fn ask(cx: &Context, browser: &Browser, signed: Signed) -> Result<Freeze, Error> {
    let device = browser.device(cx).await?;
    log::ensure_whole(cx).await?;
    let now = cx.now();
    let freeze = cx.store.freeze(device.body.holder).await?.ok_or(FreezeRefusal::NotFrozen)?;
    if let Err(refusal) = freeze.may_lift(&device) {
        return Err(refused(cx, &freeze, &device, refusal, now).await);
    }
    let preimage = open(cx, &freeze, &signed.sealed)?;
    let challenge = preimage.challenge();
    let message = device_key_message(DEVICE_KEY_LIFT, challenge.bytes());
    let own_key = device.body.key.thumbprint() == signed.thumbprint && preimage.thumbprint == signed.thumbprint;
    if !own_key || !device.body.key.verifies(&message, &signed.signature) {
        return Err(unproved(cx, &freeze, &device, now).await);
    }
    let fresh = self::preimage(cx, &freeze, &device, preimage.expires_at, preimage.nonce.clone());
    if fresh != preimage || now >= preimage.expires_at {
        return Err(Error::PromptStale);
    }
    let verified = match cx.ceremonies.verify(&challenge, &signed.assertion, &device.body.credential, device.counter) {
        Ok(verified) => verified,
        Err(error) => {
            let tried = Tried { kind: "lift.failed", about: &freeze.id };
            device_failures::count(cx, &device, tried, &error, now).await?;
            return Err(Error::Ceremony(error));
        }
    };
    let by = Actor::Device(device.body.id);
    let step = freeze.ask_lift(&device, challenge, now)?;
    let asked = step.freeze.clone();
    let channels = cx.store.channels(asked.holder).await?;
    let facts = Facts::from([("challenge", challenge.to_string()), ("version", asked.version.to_string())]);
    let entry = cx.entry("freeze.lift_asked", by, &[&asked.holder, &asked.id, &device.body.id], facts, now)?;
    let proof = Some(DeviceProof { device: device.body.id, counter: verified.counter });
    let mut change = Change::new(entry, Effect::Freeze { step: Box::new(step), proof });
    change.notices = notify::freeze(cx, &asked, Purpose::LiftAsked, &channels, now);
    change.evidence = Some(Evidence::Lift {
        device: device.body.id,
        preimage,
        assertion: verified.assertion,
        device_key: device.body.key.clone(),
        device_signature: Blob(signed.signature),
    });
    match cx.store.commit(change).await {
        Ok(()) => Ok(asked),
        Err(CommitError::Conflict) => Err(Error::PromptStale),
        Err(error) => Err(error.into()),
    }
}

/// Writes a refused attempt of the device down and gives the refusal.
async fn refused(cx: &Context, freeze: &Freeze, device: &Device, refusal: FreezeRefusal, now: Timestamp) -> Error {
    let (by, objects) = (Actor::Device(device.body.id), [&freeze.id as _, &device.body.id as _]);
    commit::refused(cx, "lift.refused", by, &objects, refusal.as_str(), now).await;
    refusal.into()
}

/// The same for whoever lacks the device's key.
async fn unproved(cx: &Context, freeze: &Freeze, device: &Device, now: Timestamp) -> Error {
    commit::refused(cx, "lift.refused", Actor::Unknown, &[&freeze.id, &device.body.id], "device_key", now).await;
    Error::DeviceKey
}

fn open(cx: &Context, freeze: &Freeze, sealed: &str) -> Result<LiftPreimage, Error> {
    let sealed = BASE64URL_NOPAD.decode(sealed.as_bytes()).map_err(|_| Error::PromptStale)?;
    let plain = cx.secrets.open(BoxKey::Prompt, freeze.id.bytes(), &sealed).map_err(|_| Error::PromptStale)?;
    serde_json::from_slice(&plain).map_err(|_| Error::PromptStale)
}

fn preimage(cx: &Context, freeze: &Freeze, device: &Device, expires_at: Timestamp, nonce: Blob) -> LiftPreimage {
    LiftPreimage {
        rp_id: cx.ceremonies.rp_id().to_owned(),
        holder: freeze.holder,
        freeze: freeze.id,
        version: freeze.version,
        credential_id: device.body.credential_id.clone(),
        thumbprint: device.body.key.thumbprint(),
        expires_at,
        nonce,
    }
}
