//! The links that go out: to the page that decides, to the page that only stops, to the page that waits. Tokens of the
//! latter two are the approval's id and a keyed tag over it.

use data_encoding::BASE64URL_NOPAD;
use url::Url;
use uuid::Uuid;

use super::{Context, Error};
use crate::domain::ids::{ApprovalId, LinkId};
use crate::domain::link::six_digits;
use crate::ports::secrets::TagKey;

/// Bytes of the tag in a link: 128 bits.
const TAG: usize = 16;

fn token(cx: &Context, key: TagKey, id: ApprovalId) -> String {
    let tag = cx.secrets.tag(key, id.bytes());
    let mut bytes = Vec::with_capacity(16 + TAG);
    bytes.extend_from_slice(id.bytes());
    bytes.extend_from_slice(&tag[..TAG]);
    BASE64URL_NOPAD.encode(&bytes)
}

fn open(cx: &Context, key: TagKey, token: &str) -> Result<ApprovalId, Error> {
    let bytes = BASE64URL_NOPAD.decode(token.as_bytes()).map_err(|_| Error::NotFound)?;
    let (id, tag) = bytes.split_first_chunk::<16>().ok_or(Error::NotFound)?;
    if tag.len() == TAG && cx.secrets.tag_fits(key, id, tag) {
        Ok(ApprovalId::from_uuid(Uuid::from_bytes(*id)))
    } else {
        Err(Error::NotFound)
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
    join(cx, &format!("/c/{}", token(cx, TagKey::CancelLink, id)))
}

/// The page on the side that started the transfer.
pub fn waiting_page(cx: &Context, id: ApprovalId) -> Result<Url, Error> {
    join(cx, &format!("/w/{}", token(cx, TagKey::WaitLink, id)))
}

/// The enrolment page of a one-use link.
pub fn enrol_page(cx: &Context, secret: &[u8; 16]) -> Result<Url, Error> {
    join(cx, &format!("/e/{}", BASE64URL_NOPAD.encode(secret)))
}

/// The approval that a cancel link names.
///
/// # Errors
/// [`Error::NotFound`] for anything that we didn't make.
pub fn open_cancel(cx: &Context, token: &str) -> Result<ApprovalId, Error> {
    open(cx, TagKey::CancelLink, token)
}

/// The approval that a waiting link names.
///
/// # Errors
/// [`Error::NotFound`] for anything that we didn't make.
pub fn open_waiting(cx: &Context, token: &str) -> Result<ApprovalId, Error> {
    open(cx, TagKey::WaitLink, token)
}

/// The code that belongs to an enrolment link. It is derived, so that no row holds it.
pub fn enrol_code(cx: &Context, link: LinkId) -> String {
    six_digits(&cx.secrets.tag(TagKey::EnrolCode, link.bytes()))
}
