//! The holder's first device: a code from a channel, a passkey, a device key, and one signature of each over all of
//! it. The link is spent only when the device is stored.
//!
//! What is under way travels sealed through the page, as with prompts. Further devices, re-keying and the way back for
//! a holder who lost every device join here: each ends in an approval of its own kind (design section 2, Enrolment).

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Context, Error, commit, links, log, notify};
use crate::domain::approval::Actor;
use crate::domain::audit::Facts;
use crate::domain::channel::Purpose;
use crate::domain::details::Digest;
use crate::domain::device::{Blob, Device, DeviceBody, DeviceKey, DeviceName};
use crate::domain::evidence::Evidence;
use crate::domain::holder::Holder;
use crate::domain::ids::{DeviceId, LinkId};
use crate::domain::link::{EnrolLink, LinkRefusal};
use crate::domain::linking::{ENROL, EnrolPreimage, device_key_message};
use crate::domain::policy::Assurance;
use crate::domain::time::Timestamp;
use crate::ports::outward::CeremonyError;
use crate::ports::secrets::BoxKey;
use crate::ports::store::{CommitError, Unique};
use crate::ports::{Change, Effect};

/// A link that can be used, with whose device it would add.
#[derive(Debug, Clone)]
pub struct Open {
    pub link: EnrolLink,
    pub holder: Holder,
}

/// After the code: a passkey is to be made.
#[derive(Debug, Clone)]
pub struct Started {
    /// `PublicKeyCredentialCreationOptionsJSON`.
    pub options: Value,
    pub sealed: String,
}

/// After the passkey: it and the device key are to sign.
#[derive(Debug, Clone)]
pub struct Proving {
    /// `PublicKeyCredentialRequestOptionsJSON`.
    pub options: Value,
    pub sealed: String,
    /// base64url of the challenge.
    pub challenge: String,
}

/// The enrolled device, and the cookie to leave in its browser.
#[derive(Debug, Clone)]
pub struct Enrolled {
    pub device: Device,
    /// 32 random bytes in base64url; the record keeps the hash.
    pub cookie: String,
}

/// What the page carries between code and passkey.
#[derive(Serialize, Deserialize)]
struct Making {
    link: LinkId,
    challenge: Digest,
    key: DeviceKey,
    name: DeviceName,
}

/// What the page carries between passkey and proof.
#[derive(Serialize, Deserialize)]
struct Made {
    key: DeviceKey,
    name: DeviceName,
    credential: Value,
    assurance: Assurance,
    counter: u32,
    preimage: EnrolPreimage,
}

/// Reads a link. Changes nothing.
///
/// # Errors
/// [`Error::NotFound`] for anything that isn't a link of ours, [`Error::Link`] when it can't be used any more.
pub async fn look(cx: &Context, token: &str) -> Result<Open, Error> {
    let open = under_way(cx, token).await?;
    open.link.check(cx.now())?;
    Ok(open)
}

/// Reads a link whose code was given: the tries don't matter any more.
async fn under_way(cx: &Context, token: &str) -> Result<Open, Error> {
    let secret = BASE64URL_NOPAD.decode(token.as_bytes()).map_err(|_| Error::NotFound)?;
    if secret.len() != 16 {
        return Err(Error::NotFound);
    }
    let link = cx.store.enrol_link(&Digest::of(&secret)).await?.ok_or(Error::NotFound)?;
    link.check_open(cx.now())?;
    let holder = cx.store.holder_by_id(link.holder).await?.ok_or(Error::NotFound)?;
    if holder.enrolled_at.is_some() {
        return Err(LinkRefusal::Ended.into());
    }
    Ok(Open { link, holder })
}

/// Checks the code and asks the browser for a passkey.
///
/// # Errors
/// [`Error::WrongCode`], which is counted; [`Error::Link`] after the fifth.
pub async fn start(cx: &Context, token: &str, code: &str, name: DeviceName, key: DeviceKey) -> Result<Started, Error> {
    let Open { link, holder } = look(cx, token).await?;
    links::take_try(cx, &link.id).await?;
    let typed: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    let right = links::enrol_code(cx, link.id);
    let fits = aws_lc_rs::constant_time::verify_slices_are_equal(typed.as_bytes(), right.as_bytes()).is_ok();
    count_try(cx, &link, if fits { "enrol.code_right" } else { "enrol.code_wrong" }).await?;
    if !fits {
        return Err(Error::WrongCode);
    }
    let challenge = Digest::from_bytes(cx.random());
    let options = cx.ceremonies.creation_options(&challenge, holder.id, name.as_str(), &[]).map_err(Error::Ceremony)?;
    let sealed = seal(cx, &link, b"making", &Making { link: link.id, challenge, key, name })?;
    Ok(Started { options, sealed })
}

/// Takes one of the tries before anybody learns whether the code fits, so that many at once cost as many tries. One
/// that raced another isn't judged at all: it gets the answer of a wrong one and may be typed again.
async fn count_try(cx: &Context, link: &EnrolLink, kind: &'static str) -> Result<(), Error> {
    let now = cx.now();
    let facts = Facts::from([("tries", (link.tries + 1).to_string())]);
    let entry = cx.entry(kind, Actor::Unknown, &[&link.holder, &link.id], facts, now)?;
    let effect = Effect::CountTry { link: link.id, tries: link.tries };
    match cx.store.commit(Change::new(entry, effect)).await {
        Ok(()) => Ok(()),
        Err(CommitError::Conflict) => Err(Error::WrongCode),
        Err(error) => Err(error.into()),
    }
}

/// Checks the new passkey and asks it, and the device key, to sign.
///
/// # Errors
/// [`Error::Ceremony`], [`Error::PromptStale`].
pub async fn prove(cx: &Context, token: &str, sealed: &str, registration: &Value) -> Result<Proving, Error> {
    let Open { link, holder } = under_way(cx, token).await?;
    let making: Making = open(cx, &link, b"making", sealed)?;
    let made = match cx.ceremonies.register(&making.challenge, registration) {
        Ok(made) => made,
        Err(error) => return Err(refused(cx, &link, error).await),
    };
    let preimage = EnrolPreimage {
        rp_id: cx.ceremonies.rp_id().to_owned(),
        holder: holder.id,
        link: link.id,
        credential_id: made.id.clone(),
        thumbprint: making.key.thumbprint(),
        nonce: Blob(cx.random::<16>().to_vec()),
    };
    let challenge = preimage.challenge();
    let options = cx.ceremonies.request_options(&challenge, &made.id).map_err(Error::Ceremony)?;
    let made = Made {
        key: making.key,
        name: making.name,
        credential: made.credential,
        assurance: made.assurance,
        counter: made.counter,
        preimage,
    };
    let sealed = seal(cx, &link, b"made", &made)?;
    Ok(Proving { options, sealed, challenge: BASE64URL_NOPAD.encode(challenge.bytes()) })
}

/// Checks both signatures and stores the device. It approves nothing until its hold is over.
///
/// # Errors
/// [`Error::DeviceKey`], [`Error::Ceremony`], [`Error::Link`], [`Error::AlreadyEnrolled`], [`Error::RolledBack`].
pub async fn finish(
    cx: &Context,
    token: &str,
    sealed: &str,
    assertion: &Value,
    signature: &[u8],
) -> Result<Enrolled, Error> {
    let Open { link, holder } = under_way(cx, token).await?;
    log::ensure_whole(cx).await?;
    let made: Made = open(cx, &link, b"made", sealed)?;
    let challenge = made.preimage.challenge();
    let now = cx.now();
    if !made.key.verifies(&device_key_message(ENROL, challenge.bytes()), signature) {
        commit::refused(cx, "enrol.refused", Actor::Unknown, &[&holder.id, &link.id], "device_key", now).await;
        return Err(Error::DeviceKey);
    }
    let verified = match cx.ceremonies.verify(&challenge, assertion, &made.credential, made.counter) {
        Ok(verified) => verified,
        Err(error) => return Err(refused(cx, &link, error).await),
    };
    let cookie = BASE64URL_NOPAD.encode(&cx.random::<32>());
    let id = cx.id(DeviceId::new, now);
    let body = DeviceBody {
        id,
        holder: holder.id,
        name: made.name,
        credential: made.credential,
        credential_id: made.preimage.credential_id.clone(),
        key: made.key.clone(),
        cookie_hash: Digest::of(cookie.as_bytes()),
        assurance: made.assurance,
        enrolled_at: now,
        usable_from: now + cx.settings.new_device_hold,
    };
    let device = Device { body, counter: verified.counter, failures: 0, locked_at: None, removed_at: None };
    let facts = Facts::from([("challenge", challenge.to_string())]);
    let entry = cx.entry("device.enrolled", Actor::Device(id), &[&id, &holder.id, &link.id], facts, now)?;
    let effect = Effect::EnrolFirst { link: link.id, device: Box::new(device.clone()), at: now };
    let mut change = Change::new(entry, effect);
    let channels = cx.store.channels(holder.id).await?;
    change.notices = notify::device(cx, &device.body, Purpose::DeviceAdded, &channels, now);
    change.evidence = Some(Evidence::Enrol {
        device: id,
        preimage: made.preimage,
        assertion: verified.assertion,
        device_key: made.key,
        device_signature: Blob(signature.to_vec()),
    });
    match cx.store.commit(change).await {
        Ok(()) => Ok(Enrolled { device, cookie }),
        Err(CommitError::Conflict | CommitError::Duplicate(Unique::Credential)) => Err(LinkRefusal::Ended.into()),
        Err(error) => Err(error.into()),
    }
}

/// Writes a failed ceremony down and gives the error.
async fn refused(cx: &Context, link: &EnrolLink, error: CeremonyError) -> Error {
    if let Some(why) = error.name() {
        commit::refused(cx, "enrol.refused", Actor::Unknown, &[&link.holder, &link.id], why, cx.now()).await;
    }
    Error::Ceremony(error)
}

/// "Don't add it": ends the link.
///
/// # Errors
/// [`Error::NotFound`]; ending an ended link is done already.
pub async fn decline(cx: &Context, token: &str) -> Result<(), Error> {
    let Open { link, .. } = match look(cx, token).await {
        Ok(open) => open,
        Err(Error::Link(_)) => return Ok(()),
        Err(error) => return Err(error),
    };
    let now = cx.now();
    let entry = cx.entry("enrolment.declined", Actor::Link, &[&link.holder, &link.id], Facts::new(), now)?;
    match cx.store.commit(Change::new(entry, Effect::EndLink { link: link.id, at: now })).await {
        Ok(()) | Err(CommitError::Conflict) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Seconds left of a link.
pub fn left(link: &EnrolLink, now: Timestamp) -> std::time::Duration {
    link.expires_at.since(now)
}

fn context(link: &EnrolLink, step: &[u8]) -> Vec<u8> {
    [step, link.id.bytes().as_slice()].concat()
}

fn seal<T: Serialize>(cx: &Context, link: &EnrolLink, step: &[u8], value: &T) -> Result<String, Error> {
    let plain = serde_json::to_vec(value).map_err(Error::internal)?;
    Ok(BASE64URL_NOPAD.encode(&cx.secrets.seal(BoxKey::Enrolment, &context(link, step), &plain)))
}

fn open<T: for<'de> Deserialize<'de>>(cx: &Context, link: &EnrolLink, step: &[u8], sealed: &str) -> Result<T, Error> {
    let sealed = BASE64URL_NOPAD.decode(sealed.as_bytes()).map_err(|_| Error::PromptStale)?;
    let plain = cx.secrets.open(BoxKey::Enrolment, &context(link, step), &sealed).map_err(|_| Error::PromptStale)?;
    serde_json::from_slice(&plain).map_err(|_| Error::PromptStale)
}
