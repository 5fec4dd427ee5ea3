//! The waiting page, on the side that started the transfer: it watches and can stop, and it never approves. Opening it
//! (by its script, with POST) remembers the browser; loading it doesn't, though it leaves the mark that will be
//! remembered: a mark that came with the answer to the POST would be lost with it, and the page with the mark.

use actix_web::{HttpResponse, web};
use serde::Deserialize;

use super::failure::{PageError, ScriptError, html, see};
use super::present::{self, Viewer};
use super::seen::{Name, Seen, cookie};
use crate::domain::approval::transitions::Refusal;
use crate::domain::approval::{Approval, State};
use crate::domain::device::{Blob, DeviceKey, Thumbprint};
use crate::domain::link::LinkRefusal;
use crate::domain::time::Timestamp;
use crate::service::watch::{self, Mark, PresentedKey, Waiting};
use crate::service::{Context, Error, cancel, prompt};
use crate::web::extract::Json;
use crate::web::pages::Template;
use crate::web::pages::live::{Deadline, HoldClock, Live};
use crate::web::pages::waiting::{Handover, Sent, WaitingCoolingPage, WaitingEndPage, WaitingPage};

pub async fn show(cx: web::Data<Context>, token: web::Path<String>, seen: Seen) -> Result<HttpResponse, PageError> {
    let (approval, mark) = match watch::look(&cx, &token, &seen.browser).await? {
        Waiting::Fresh(approval) => (approval, seen.mark.is_none().then(|| Mark(cx.random()))),
        Waiting::Own(approval) => (approval, None),
        Waiting::Ended => return Err(Error::Link(LinkRefusal::Ended).into()),
    };
    let told = match approval.state {
        State::Pending => told(&cx, &approval).await?,
        _ => Sent::Nothing,
    };
    let mut page = html(render(&cx, &token, &approval, told, cx.now())?);
    if let Some(mark) = mark {
        page.add_cookie(&cookie(&cx, Name::Mark, mark.text())).map_err(Error::internal)?;
    }
    Ok(page)
}

async fn told(cx: &Context, approval: &Approval) -> Result<Sent, Error> {
    let notices = cx.store.notices(approval.id).await?;
    Ok(if notices.iter().any(|notice| notice.delivered_at.is_some()) { Sent::Message } else { Sent::Nothing })
}

fn render(cx: &Context, token: &str, approval: &Approval, told: Sent, now: Timestamp) -> Result<String, PageError> {
    let frame = present::frame(cx);
    let live = Live::waiting(token, i64::from(approval.version), now.micros());
    let deal = present::deal(approval, now);
    let asked = present::at(now, approval.created_at);
    // The initiating side learns no names of the holder's devices.
    let viewer = Viewer { here: None, devices: &[] };
    let rendered = match &approval.state {
        State::Pending => {
            let hold = approval.distinct().map_or(approval.terms.hold, |(_, hold)| hold);
            let handover = Handover { told, address: authority(cx), page_token: prompt::page_token(cx, approval.id) };
            let deadline = Deadline::new(now.micros(), approval.expires_at.micros());
            let hold = i64::try_from(hold.as_micros()).unwrap_or(i64::MAX);
            WaitingPage::new(frame, live, deal, &asked, deadline, hold, handover).render()
        }
        State::Cooling { decision, cooling_until } => {
            let clock = HoldClock::new(now.micros(), decision.approved_at.micros(), cooling_until.micros());
            WaitingCoolingPage::new(frame, live, deal, &asked, &viewer.approved(decision, now), clock).render()
        }
        State::Released { .. }
        | State::Redeemed { .. }
        | State::Rejected { .. }
        | State::Cancelled { .. }
        | State::Expired { .. } => {
            let outcome = viewer.outcome(approval, now).ok_or_else(|| Error::internal("an end without an outcome"))?;
            WaitingEndPage::new(frame, live, deal, &asked, outcome).render()
        }
    };
    Ok(rendered.map_err(Error::internal)?)
}

fn authority(cx: &Context) -> String {
    let url = &cx.settings.public_url;
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    page_token: String,
    keys: Vec<Presented>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Presented {
    thumbprint: Thumbprint,
    public_key: Jwk,
    signature: Blob,
}

/// The public part of a device key as `static/keys.js` sends it, and no other kind of key (RFC 7517 section 4.1).
#[derive(Deserialize)]
#[serde(tag = "kty")]
pub enum Jwk {
    #[serde(rename = "EC")]
    Ec(EcKey),
}

/// A point on a curve (RFC 7518 section 6.2.1).
#[derive(Deserialize)]
#[serde(tag = "crv", deny_unknown_fields)]
pub enum EcKey {
    #[serde(rename = "P-256")]
    P256 { x: String, y: String },
}

impl Jwk {
    /// # Errors
    /// [`Error::DeviceKey`] for coordinates that aren't.
    pub fn key(&self) -> Result<DeviceKey, Error> {
        let Self::Ec(EcKey::P256 { x, y }) = self;
        DeviceKey::from_jwk(x, y).map_err(|_| Error::DeviceKey)
    }
}

pub async fn open(
    cx: web::Data<Context>,
    token: web::Path<String>,
    seen: Seen,
    opening: Json<Opening>,
) -> Result<HttpResponse, ScriptError> {
    let opening = opening.0;
    let mut keys = Vec::with_capacity(opening.keys.len().min(watch::MAX_KEYS));
    for presented in opening.keys.into_iter().take(watch::MAX_KEYS + 1) {
        let key = presented.public_key.key()?;
        if key.thumbprint() != presented.thumbprint {
            return Err(Error::DeviceKey.into());
        }
        keys.push(PresentedKey { key, signature: presented.signature.0 });
    }
    let mark = watch::watch(&cx, &token, &seen.browser, &opening.page_token, &keys, seen.mark).await?;
    Ok(HttpResponse::Ok().cookie(cookie(&cx, Name::Mark, mark.text())).json(serde_json::json!({"ok": true})))
}

pub async fn stop(cx: web::Data<Context>, token: web::Path<String>, seen: Seen) -> Result<HttpResponse, PageError> {
    match cancel::by_initiator(&cx, &token, &seen.browser).await {
        // A browser without scripts is never noted, so behind the link there is no page for it any more. This answer is.
        Ok(approval) if matches!(watch::look(&cx, &token, &seen.browser).await?, Waiting::Ended) => {
            Ok(html(render(&cx, &token, &approval, Sent::Nothing, cx.now())?))
        }
        Ok(_) | Err(Error::Refused(Refusal::State(_) | Refusal::Redeemed { .. })) => Ok(see(&format!("/w/{token}"))),
        Err(error) => Err(error.into()),
    }
}
