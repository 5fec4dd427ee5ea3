//! "This wasn't me" on a device and behind links, unlocking by a device, and the veto against an override. GET never
//! acts; every lock and every stop is a plain form.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::json;

use super::failure::{PageError, ScriptError, html, see};
use super::present;
use super::seen::Seen;
use crate::domain::device::{Blob, Thumbprint};
use crate::domain::freeze::{Freeze, FreezeState, Until};
use crate::domain::ids::OverrideId;
use crate::domain::override_request::{Kind, OverrideRequest, Refusal, StateName};
use crate::domain::time::Timestamp;
use crate::service::decide::Signed;
use crate::service::override_request::stop;
use crate::service::{Context, Error, freeze, lift, links, read};
use crate::web::extract::Json;
use crate::web::pages::Template;
use crate::web::pages::lock::{Face, Lift, LockPage, Locked, VetoPage};

fn locked(freeze: &Freeze, now: Timestamp) -> Locked {
    let at = |moment: Timestamp| present::at(now, moment);
    let lift = match &freeze.state {
        FreezeState::Holds { until: Until::Time { lift: Some(lift), .. } } => Lift::Asked(at(lift.lifted_at)),
        FreezeState::Holds { until: Until::Time { at: end, lift: None } } => Lift::Elsewhere(at(*end)),
        FreezeState::Holds { until: Until::Override } | FreezeState::Ended { .. } => Lift::NeedsStaff,
    };
    Locked { since: at(freeze.at), lift }
}

fn rendered(cx: &Context, face: Face) -> Result<HttpResponse, PageError> {
    Ok(html(LockPage { frame: present::frame(cx), face }.render().map_err(Error::internal)?))
}

pub async fn show(cx: web::Data<Context>, seen: Seen) -> Result<HttpResponse, PageError> {
    let page = lift::page(&cx, &seen.browser).await?;
    let now = cx.now();
    let face = match &page.freeze {
        None => Face::Ask("/lock".to_owned()),
        Some(freeze) => {
            let mut locked = locked(freeze, now);
            if let (Ok(()), Lift::Elsewhere(end)) = (page.may, locked.lift.clone()) {
                let thumbprint = page.device.body.key.thumbprint().to_string();
                locked.lift = Lift::Offered(end, thumbprint, page.page_token.clone());
            }
            Face::Locked(locked)
        }
    };
    rendered(&cx, face)
}

pub async fn lock(cx: web::Data<Context>, seen: Seen) -> Result<HttpResponse, PageError> {
    freeze::by_device(&cx, &seen.browser).await?;
    Ok(see("/lock"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    page_token: String,
    thumbprint: Thumbprint,
    signature: Blob,
}

pub async fn prompt(cx: web::Data<Context>, seen: Seen, ask: Json<Ask>) -> Result<HttpResponse, ScriptError> {
    let made = lift::prompt(&cx, &seen.browser, &ask.page_token, &ask.thumbprint, &ask.signature.0).await?;
    Ok(HttpResponse::Ok().json(json!({
        "options": made.options, "sealed": made.sealed, "challenge": made.challenge, "expires_at": made.expires_at,
    })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    sealed: String,
    assertion: serde_json::Value,
    thumbprint: Thumbprint,
    signature: Blob,
}

pub async fn ask_lift(cx: web::Data<Context>, seen: Seen, answer: Json<Answer>) -> Result<HttpResponse, ScriptError> {
    let Answer { sealed, assertion, thumbprint, signature } = answer.0;
    lift::ask(&cx, &seen.browser, Signed { sealed, assertion, thumbprint, signature: signature.0 }).await?;
    Ok(HttpResponse::Ok().json(json!({"location": "/lock"})))
}

/// Behind a cancel link: asks, or says that it is locked.
pub async fn show_by_cancel_link(cx: web::Data<Context>, token: web::Path<String>) -> Result<HttpResponse, PageError> {
    let approval = read::by_cancel_link(&cx, &token).await?;
    let face = match cx.store.freeze(approval.holder).await.map_err(Error::from)? {
        Some(freeze) => Face::Locked(locked(&freeze, cx.now())),
        None => Face::Ask(format!("/c/{token}/lock")),
    };
    rendered(&cx, face)
}

pub async fn by_cancel_link(cx: web::Data<Context>, token: web::Path<String>) -> Result<HttpResponse, PageError> {
    freeze::by_cancel_link(&cx, &token).await?;
    Ok(see(&format!("/c/{token}/lock")))
}

/// Behind the link of a notice about a freeze: locks again, so it asks while a lift runs, too.
pub async fn show_by_lock_link(cx: web::Data<Context>, token: web::Path<String>) -> Result<HttpResponse, PageError> {
    let holder = links::open_lock(&cx, &token)?;
    let freeze = cx.store.freeze(holder).await.map_err(Error::from)?;
    let face = match freeze.as_ref().map(|freeze| locked(freeze, cx.now())) {
        Some(locked) if !matches!(locked.lift, Lift::Asked(_)) => Face::Locked(locked),
        Some(_) | None => Face::Ask(format!("/l/{token}")),
    };
    rendered(&cx, face)
}

pub async fn by_lock_link(cx: web::Data<Context>, token: web::Path<String>) -> Result<HttpResponse, PageError> {
    freeze::by_lock_link(&cx, &token).await?;
    Ok(see(&format!("/l/{token}")))
}

/// What an override would do, as its holder reads it.
pub const fn what(case: &OverrideRequest) -> &'static str {
    match case.request.kind {
        Kind::ApproveForHolder { .. } => "Our staff want to approve a transfer instead of you.",
        Kind::Unfreeze { .. } => "Our staff want to unlock your transfers.",
        Kind::ResetDevices => "Our staff want to remove every device you added, and let a new one be added.",
    }
}

pub async fn show_override(cx: web::Data<Context>, token: web::Path<String>) -> Result<HttpResponse, PageError> {
    let id = links::open_override(&cx, &token)?;
    let case = cx.store.override_request(id).await.map_err(Error::from)?.ok_or(Error::NotFound)?;
    let live = !case.state.name().is_final();
    let end = match case.state.name() {
        StateName::Stopped => "It was stopped. You can close this page.",
        StateName::CarriedOut => "It was carried out. Call us if it wasn’t you.",
        _ => "It came to nothing.",
    };
    let page = VetoPage {
        frame: present::frame(&cx),
        what: what(&case).to_owned(),
        action: live.then(|| format!("/o/{token}")),
        end: end.to_owned(),
    };
    Ok(html(page.render().map_err(Error::internal)?))
}

pub async fn stop_by_link(cx: web::Data<Context>, token: web::Path<String>) -> Result<HttpResponse, PageError> {
    match stop::by_link(&cx, &token).await {
        // Whatever end it has by now, the page behind the link says which.
        Ok(_) | Err(Error::Override(Refusal::State(_))) => Ok(see(&format!("/o/{token}"))),
        Err(error) => Err(error.into()),
    }
}

pub async fn stop_by_device(
    cx: web::Data<Context>,
    path: web::Path<String>,
    seen: Seen,
) -> Result<HttpResponse, PageError> {
    let id: OverrideId = path.parse().map_err(|_| Error::NotFound)?;
    match stop::by_device(&cx, &seen.browser, id).await {
        Ok(_) | Err(Error::Override(Refusal::State(_))) => Ok(see("/")),
        Err(error) => Err(error.into()),
    }
}
