//! A backend asks for an enrolment link: one use, ten minutes, for the holder's first device. The code goes out on a
//! channel that was registered earlier; the link alone enrols nothing. Next: [`super::enrol`].

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};

use super::override_request::read::disputed_at_reset;
use super::request::{Answered, Repeat, caller_has, repeat};
use super::{Context, Error, commit, links, notify};
use crate::domain::approval::Actor;
use crate::domain::audit::Facts;
use crate::domain::backend::{Caller, IdempotencyKey, Remembered, Scope};
use crate::domain::details::{Digest, Subject};
use crate::domain::ids::LinkId;
use crate::domain::link::{ENROL_LINK_LIFE, EnrolLink};
use crate::domain::time::Timestamp;
use crate::ports::secrets::BoxKey;
use crate::ports::store::{CommitError, Unique};
use crate::ports::{Change, Effect};

/// An enrolment link, for the backend to show to its signed-in holder.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct EnrolmentView {
    /// Open it on the new device. Works once.
    pub url: String,
    /// The same as a QR code: an SVG document.
    pub qr_svg: String,
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

/// Makes a link for the first device. Every further device needs an enrolled one's approval, so a backend can't.
///
/// # Errors
/// [`Error::UnknownHolder`], [`Error::AlreadyEnrolled`]; [`Error::NoChannel`], also when every channel was disputed as the
/// holder's devices were reset; [`Error::DailyCap`] when the holder had as many links in a day as there may be.
pub async fn invite(
    cx: &Context,
    caller: &Caller,
    subject: &Subject,
    key: IdempotencyKey,
    fingerprint: Digest,
    qr: fn(&str) -> String,
) -> Result<Answered, Error> {
    caller_has(caller, Scope::Enrol)?;
    if let Some(remembered) = cx.store.remembered(caller.backend, &key).await? {
        return repeated(cx, &remembered, &fingerprint);
    }
    let holder = cx.store.holder(caller.backend, subject).await?.ok_or(Error::UnknownHolder)?;
    if holder.enrolled_at.is_some() {
        return Err(Error::AlreadyEnrolled);
    }
    if cx.store.freeze(holder.id).await?.is_some() {
        return Err(Error::HolderFrozen);
    }
    let mut channels = cx.store.channels(holder.id).await?;
    let disputed = disputed_at_reset(cx, holder.id).await?;
    channels.retain(|channel| !disputed.contains(&channel.id));
    let now = cx.now();
    let secret: [u8; 16] = cx.random();
    let url = links::enrol_page(cx, &secret)?;
    let link = EnrolLink {
        id: cx.id(LinkId::new, now),
        holder: holder.id,
        token_hash: Digest::of(&secret),
        created_at: now,
        expires_at: now + ENROL_LINK_LIFE,
        tries: 0,
        ended_at: None,
    };
    let notices = notify::enrol_code(cx, &link, &channels, now);
    if notices.is_empty() {
        return Err(Error::NoChannel);
    }
    let view = EnrolmentView { url: url.to_string(), qr_svg: qr(url.as_str()), expires_at: link.expires_at };
    let body = serde_json::to_string(&view).map_err(Error::internal)?;
    // The link is a secret, and this answer carries it: it is remembered sealed.
    let answer = BASE64URL_NOPAD.encode(&cx.secrets.seal(BoxKey::Enrolment, key.as_str().as_bytes(), body.as_bytes()));
    let remember =
        Remembered { backend: caller.backend, key: key.clone(), request: fingerprint, answer, created_at: now };
    let entry =
        cx.entry("enrolment.invited", Actor::Backend(caller.key), &[&holder.id, &link.id], Facts::new(), now)?;
    let mut change = Change::new(entry, Effect::AddLink { link, remember });
    change.notices = notices;
    match cx.store.commit(change).await {
        Ok(()) => Ok(Answered { body, repeat: Repeat::New }),
        Err(CommitError::Duplicate(Unique::IdempotencyKey)) => {
            let remembered = cx.store.remembered(caller.backend, &key).await?.ok_or(Error::Conflict)?;
            repeated(cx, &remembered, &fingerprint)
        }
        Err(CommitError::Cap) => {
            // Somebody with the key may try on, so that not each try is written down.
            let by = Actor::Backend(caller.key);
            commit::refused_again(cx, &holder.id, "enrol.refused", by, &[&holder.id], "daily_cap", now).await;
            Err(Error::DailyCap)
        }
        Err(other) => Err(other.into()),
    }
}

fn repeated(cx: &Context, remembered: &Remembered, fingerprint: &Digest) -> Result<Answered, Error> {
    let answered = repeat(remembered, fingerprint)?;
    let sealed = BASE64URL_NOPAD.decode(answered.body.as_bytes()).map_err(|_| Error::IdempotencyMismatch)?;
    let context = remembered.key.as_str().as_bytes();
    // Another endpoint's answer under the same key isn't sealed like this.
    let plain = cx.secrets.open(BoxKey::Enrolment, context, &sealed).map_err(|_| Error::IdempotencyMismatch)?;
    let body = String::from_utf8(plain).map_err(Error::internal)?;
    Ok(Answered { body, repeat: answered.repeat })
}
