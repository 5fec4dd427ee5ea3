//! The page on the holder's device, and the prompt it signs. A prompt keeps no state here: its preimage travels sealed
//! through the page, and the approval's version makes it single-use. Next: [`super::decide`].

use data_encoding::BASE64URL_NOPAD;
use serde_json::Value;

use super::decide::refusal_name;
use super::{Browser, Context, Error, commit};
use crate::domain::approval::transitions::{Deciding, Refusal};
use crate::domain::approval::{Actor, Approval, Distinct, StateName};
use crate::domain::device::{Blob, Device, Thumbprint};
use crate::domain::ids::ApprovalId;
use crate::domain::linking::{ApprovePreimage, DEVICE_KEY_PROMPT, PROMPT_LIFE, Shown, device_key_message};
use crate::domain::time::Timestamp;
use crate::ports::secrets::BoxKey;
use crate::ports::store::{Case, DeviceCase, NoticeView};

/// How long a page may stay open before it must be loaded again.
const PAGE_LIFE: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

/// What the device page shows.
#[derive(Debug, Clone)]
pub struct DevicePage {
    pub approval: Approval,
    pub device: Device,
    /// Whether this device may decide, and if not, why.
    pub may: Result<(Distinct, std::time::Duration), Refusal>,
    /// Names of the holder's other devices that can still be used.
    pub others: Vec<Device>,
    /// How the holder was told; read only while it cools off.
    pub notices: Vec<NoticeView>,
    pub page_token: String,
}

/// A prompt to sign.
#[derive(Debug, Clone)]
pub struct Prompt {
    /// `PublicKeyCredentialRequestOptionsJSON`.
    pub options: Value,
    /// The sealed preimage; comes back with the signatures.
    pub sealed: String,
    /// base64url of the challenge.
    pub challenge: String,
    pub expires_at: Timestamp,
}

/// Reads what the device page shows. Changes nothing.
///
/// # Errors
/// [`Error::UnknownDevice`] for a browser that isn't a device; [`Error::NotFound`] when the approval isn't its holder's.
pub async fn page(cx: &Context, browser: &Browser, id: ApprovalId) -> Result<DevicePage, Error> {
    let DeviceCase { device, case: Case { approval, .. }, .. } = browser.case(cx, id).await?;
    let may = approval.may_decide(&Deciding { device: &device, mark: browser.mark }, cx.now());
    let others = match &may {
        Ok(_) => Vec::new(),
        Err(_) => {
            let mut devices = cx.store.devices(device.body.holder).await?;
            devices.retain(|other| other.body.id != device.body.id && other.is_live());
            devices
        }
    };
    let notices = match approval.state.name() {
        StateName::Cooling => cx.store.notices(id).await?,
        _ => Vec::new(),
    };
    let page_token = page_token(cx, id);
    Ok(DevicePage { approval, device, may, others, notices, page_token })
}

/// A token that says: this page was made by us, for this approval, then.
pub fn page_token(cx: &Context, id: ApprovalId) -> String {
    let issued_at = cx.now().micros().to_be_bytes();
    BASE64URL_NOPAD.encode(&cx.secrets.seal(BoxKey::Page, id.bytes(), &issued_at))
}

/// Checks a page's token.
///
/// # Errors
/// [`Error::PromptStale`] when it isn't ours, is for another approval, or is too old.
pub fn check_page_token(cx: &Context, id: ApprovalId, token: &str) -> Result<(), Error> {
    let sealed = BASE64URL_NOPAD.decode(token.as_bytes()).map_err(|_| Error::PromptStale)?;
    let plain = cx.secrets.open(BoxKey::Page, id.bytes(), &sealed).map_err(|_| Error::PromptStale)?;
    let issued_at = plain.try_into().map(i64::from_be_bytes).map_err(|_| Error::PromptStale)?;
    if cx.now().since(Timestamp::from_micros(issued_at)) < PAGE_LIFE { Ok(()) } else { Err(Error::PromptStale) }
}

/// Makes a prompt for a browser that signed the page's token with its device key.
///
/// # Errors
/// [`Error::DeviceKey`] without that signature, [`Error::Refused`] by the rules of distinctness, and
/// [`Error::PromptStale`] for an old page.
pub async fn prompt(
    cx: &Context,
    browser: &Browser,
    id: ApprovalId,
    page_token: &str,
    thumbprint: &Thumbprint,
    signature: &[u8],
) -> Result<Prompt, Error> {
    let DeviceCase { device, case: Case { approval, .. }, .. } = browser.case(cx, id).await?;
    let now = cx.now();
    let by = Actor::Device(device.body.id);
    if device.locked_at.is_some() {
        refused(cx, &device, by, id, "device_locked", now).await;
        return Err(Error::DeviceLocked);
    }
    check_page_token(cx, id, page_token)?;
    let message = device_key_message(DEVICE_KEY_PROMPT, page_token.as_bytes());
    if device.body.key.thumbprint() != *thumbprint || !device.body.key.verifies(&message, signature) {
        // The trap ends here: the cookie is the device's, and the browser isn't.
        refused(cx, &device, Actor::Unknown, id, "device_key", now).await;
        return Err(Error::DeviceKey);
    }
    let hold = match approval.may_decide(&Deciding { device: &device, mark: browser.mark }, now) {
        Ok((_, hold)) => hold,
        Err(refusal) => {
            refused(cx, &device, by, id, refusal_name(refusal), now).await;
            return Err(refusal.into());
        }
    };
    let expires_at = (now + PROMPT_LIFE).min(approval.expires_at);
    let preimage =
        preimage(cx, &approval, &device, hold, &Shown::plain(), expires_at, Blob(cx.random::<16>().to_vec()));
    let challenge = preimage.challenge();
    let options = cx.ceremonies.request_options(&challenge, &device.body.credential_id).map_err(Error::Ceremony)?;
    let plain = serde_json::to_vec(&preimage).map_err(Error::internal)?;
    let sealed = BASE64URL_NOPAD.encode(&cx.secrets.seal(BoxKey::Prompt, id.bytes(), &plain));
    Ok(Prompt { options, sealed, challenge: BASE64URL_NOPAD.encode(challenge.bytes()), expires_at })
}

/// Writes down, and counts, that a device was refused, here or where it decides. As often as somebody tries, it is written
/// a few times a minute.
pub(super) async fn refused(
    cx: &Context,
    device: &Device,
    by: Actor,
    id: ApprovalId,
    why: &'static str,
    now: Timestamp,
) {
    metrics::counter!("countersign_prompts_total", "outcome" => why).increment(1);
    commit::refused_again(cx, &device.body.id, "decide.refused", by, &[&id, &device.body.id], why, now).await;
}

/// What this device would sign about this approval as it stands in the record.
pub(super) fn preimage(
    cx: &Context,
    approval: &Approval,
    device: &Device,
    hold: std::time::Duration,
    shown: &Shown,
    expires_at: Timestamp,
    nonce: Blob,
) -> ApprovePreimage {
    ApprovePreimage {
        rp_id: cx.ceremonies.rp_id().to_owned(),
        approval: approval.id,
        version: approval.version,
        digest: approval.digest(),
        hold,
        shown: shown.digest(),
        credential_id: device.body.credential_id.clone(),
        thumbprint: device.body.key.thumbprint(),
        expires_at,
        nonce,
    }
}
