//! The side that started the transfer opens its waiting page: the browser is remembered, so that it can't decide.
//! Next: the holder's device, [`super::prompt`].

use data_encoding::BASE64URL_NOPAD;

use super::{Browser, Context, Error, commit, links, prompt};
use crate::domain::approval::transitions::Refusal;
use crate::domain::approval::{Actor, Approval, StateName, Watcher};
use crate::domain::details::Digest;
use crate::domain::device::{DeviceKey, Thumbprint};
use crate::domain::ids::DeviceId;
use crate::domain::linking::{DEVICE_KEY_WAIT, device_key_message};

/// Most device keys that one browser may present.
pub const MAX_KEYS: usize = 16;

/// One device key that the browser proves to hold.
#[derive(Debug, Clone)]
pub struct PresentedKey {
    pub key: DeviceKey,
    pub signature: Vec<u8>,
}

/// The mark to leave in the browser: 32 random bytes, of which the record keeps the hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark(pub [u8; 32]);

impl Mark {
    /// The cookie's text.
    pub fn text(&self) -> String {
        BASE64URL_NOPAD.encode(&self.0)
    }

    /// What the record keeps of it.
    pub fn hash(&self) -> Digest {
        Digest::of(self.text().as_bytes())
    }
}

/// What a visitor of a waiting link may see.
#[derive(Debug, Clone)]
pub enum Waiting {
    /// Nobody has been here: the page offers itself to be opened.
    Fresh(Box<Approval>),
    /// This is the browser that opened it.
    Own(Box<Approval>),
    /// Another browser opened it, or it is over without anybody having opened it.
    Ended,
}

/// What this browser may see behind a waiting link. Reading changes nothing.
///
/// # Errors
/// [`Error::NotFound`] for anything that isn't a waiting link.
pub async fn look(cx: &Context, token: &str, browser: &Browser) -> Result<Waiting, Error> {
    let id = links::open_waiting(cx, token)?;
    let approval = cx.store.approval(id).await?.ok_or(Error::NotFound)?;
    Ok(match &approval.watcher {
        Watcher::Browser { mark, .. } if browser.mark == Some(*mark) => Waiting::Own(Box::new(approval)),
        Watcher::Nobody if approval.state.name() == StateName::Pending => Waiting::Fresh(Box::new(approval)),
        Watcher::Browser { .. } | Watcher::Nobody => Waiting::Ended,
    })
}

/// Opens the waiting page: compares every presented key and cookie with the holder's devices and remembers the browser.
/// Gives the mark to leave in it: the one it brought, or a new one where it keeps none. A browser that was remembered
/// and comes again with the same mark is told so again, for its first answer may have been lost.
///
/// # Errors
/// [`Refusal::AlreadyWatched`] when another browser was remembered, [`Error::DeviceKey`] when a presented key doesn't sign.
pub async fn watch(
    cx: &Context,
    token: &str,
    browser: &Browser,
    page_token: &str,
    keys: &[PresentedKey],
    known: Option<Mark>,
) -> Result<Mark, Error> {
    let id = links::open_waiting(cx, token)?;
    prompt::check_page_token(cx, id, page_token)?;
    let message = device_key_message(DEVICE_KEY_WAIT, page_token.as_bytes());
    if keys.len() > MAX_KEYS || !keys.iter().all(|presented| presented.key.verifies(&message, &presented.signature)) {
        return Err(Error::DeviceKey);
    }
    let thumbprints: Vec<Thumbprint> = keys.iter().map(|presented| presented.key.thumbprint()).collect();
    let mark = known.unwrap_or_else(|| Mark(cx.random()));
    for _ in 0..commit::ATTEMPTS {
        let case = cx.store.case(id).await?.ok_or(Error::NotFound)?;
        let mut devices: Vec<DeviceId> = Vec::new();
        if !thumbprints.is_empty() {
            let found = cx.store.devices_by_key(&thumbprints).await?;
            devices.extend(found.iter().filter(|d| d.body.holder == case.approval.holder).map(|d| d.body.id));
        }
        if let Some(cookie) = &browser.cookie
            && let Some(device) = cx.store.device_by_cookie(cookie).await?
            && device.body.holder == case.approval.holder
            && !devices.contains(&device.body.id)
        {
            devices.push(device.body.id);
        }
        let now = cx.now();
        let transition = match case.approval.watch(mark.hash(), devices, thumbprints.clone(), now) {
            Ok(transition) => transition,
            Err(Refusal::AlreadyWatched) => {
                return match look(cx, token, browser).await? {
                    Waiting::Own(_) => Ok(mark),
                    Waiting::Fresh(_) | Waiting::Ended => Err(Refusal::AlreadyWatched.into()),
                };
            }
            Err(refusal) => return Err(refusal.into()),
        };
        match commit::transition(cx, transition, Actor::Initiator, commit::With::default(), now).await {
            Ok(_) => return Ok(mark),
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::Conflict)
}
