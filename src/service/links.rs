//! The links that go out: to the page that decides, to the page that only stops, to the page that waits. Tokens of the
//! latter two are the approval's id and a keyed tag over it.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use url::Url;
use uuid::Uuid;

use super::{Context, Error, about};
use crate::domain::ids::{ApprovalId, HolderId, LinkId, OverrideId};
use crate::domain::link::{CODE_TRIES, LinkRefusal, six_digits};
use crate::ports::secrets::TagKey;
use crate::ports::timing::{Quota, Verdict};

/// Bytes of the tag in a link: 128 bits.
const TAG: usize = 16;
/// Tries of one code, those that raced another too. The record counts them; whoever owns the database can wind its
/// counter back, and this one lies elsewhere.
const TRIES: Quota = Quota { name: "code", burst: 2 * CODE_TRIES, per: Duration::from_secs(24 * 3600) };

fn token(cx: &Context, key: TagKey, id: &[u8; 16]) -> String {
    let tag = cx.secrets.tag(key, id);
    let mut bytes = Vec::with_capacity(16 + TAG);
    bytes.extend_from_slice(id);
    bytes.extend_from_slice(&tag[..TAG]);
    BASE64URL_NOPAD.encode(&bytes)
}

fn open(cx: &Context, key: TagKey, token: &str) -> Result<Uuid, Error> {
    let bytes = BASE64URL_NOPAD.decode(token.as_bytes()).map_err(|_| Error::NotFound)?;
    let (id, tag) = bytes.split_first_chunk::<16>().ok_or(Error::NotFound)?;
    if tag.len() == TAG && cx.secrets.tag_fits(key, id, tag) { Ok(Uuid::from_bytes(*id)) } else { Err(Error::NotFound) }
}

/// Takes one of the tries that a link or an invite has for its code.
///
/// # Errors
/// [`LinkRefusal::CodeUsedUp`].
pub async fn take_try(cx: &Context, of: &(dyn std::fmt::Display + Sync)) -> Result<(), LinkRefusal> {
    match cx.limits.take(TRIES, &of.to_string()).await {
        Verdict::Allowed => Ok(()),
        Verdict::Wait(_) => Err(LinkRefusal::CodeUsedUp),
    }
}

fn join(cx: &Context, path: &str) -> Result<Url, Error> {
    cx.settings.public_url.join(path).map_err(Error::internal)
}

/// The page on the device. Carries no authority: the device is known by its cookie and key.
pub fn device_page(cx: &Context, id: ApprovalId) -> Result<Url, Error> {
    join(cx, &format!("/a/{id}"))
}

/// The page that can only stop.
pub fn cancel_page(cx: &Context, id: ApprovalId) -> Result<Url, Error> {
    join(cx, &format!("/c/{}", token(cx, TagKey::CancelLink, id.bytes())))
}

/// The page on the side that started the transfer.
pub fn waiting_page(cx: &Context, id: ApprovalId) -> Result<Url, Error> {
    join(cx, &format!("/w/{}", token(cx, TagKey::WaitLink, id.bytes())))
}

/// The page that can only stop an override.
pub fn override_page(cx: &Context, id: OverrideId) -> Result<Url, Error> {
    join(cx, &format!("/o/{}", token(cx, TagKey::OverrideLink, id.bytes())))
}

/// The page that can only lock again.
pub fn lock_page(cx: &Context, id: HolderId) -> Result<Url, Error> {
    join(cx, &format!("/l/{}", token(cx, TagKey::LockLink, id.bytes())))
}

/// The override request that a link names.
///
/// # Errors
/// [`Error::NotFound`] for anything that we didn't make.
pub fn open_override(cx: &Context, token: &str) -> Result<OverrideId, Error> {
    open(cx, TagKey::OverrideLink, token).map(OverrideId::from_uuid)
}

/// The holder whom a link locks.
///
/// # Errors
/// [`Error::NotFound`] for anything that we didn't make.
pub fn open_lock(cx: &Context, token: &str) -> Result<HolderId, Error> {
    open(cx, TagKey::LockLink, token).map(HolderId::from_uuid)
}

/// The enrolment page of a one-use link.
pub fn enrol_page(cx: &Context, secret: &[u8; 16]) -> Result<Url, Error> {
    join(cx, &format!("/e/{}", BASE64URL_NOPAD.encode(secret)))
}

/// The approval that a cancel link names; also noted for the log.
///
/// # Errors
/// [`Error::NotFound`] for anything that we didn't make.
pub fn open_cancel(cx: &Context, token: &str) -> Result<ApprovalId, Error> {
    open(cx, TagKey::CancelLink, token).map(ApprovalId::from_uuid).inspect(|id| about(*id))
}

/// The approval that a waiting link names; also noted for the log.
///
/// # Errors
/// [`Error::NotFound`] for anything that we didn't make.
pub fn open_waiting(cx: &Context, token: &str) -> Result<ApprovalId, Error> {
    open(cx, TagKey::WaitLink, token).map(ApprovalId::from_uuid).inspect(|id| about(*id))
}

/// The code that belongs to an enrolment link. It is derived, so that no row holds it.
pub fn enrol_code(cx: &Context, link: LinkId) -> String {
    six_digits(&cx.secrets.tag(TagKey::EnrolCode, link.bytes()))
}
