//! The enrolment page and its three steps: code, passkey, proof.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};

use super::failure::{PageError, ScriptError, html, see};
use super::present;
use super::push::PushKey;
use super::seen::{Name, Seen, cookie};
use super::waiting::Jwk;
use crate::domain::device::{Blob, DeviceName};
use crate::service::{Context, Error, enrol};
use crate::web::extract::Json;
use crate::web::pages::Template;
use crate::web::pages::clocktext::span;
use crate::web::pages::enrol::{EnrolDeclinedPage, EnrolPage, EnrolledPage, Proof, Usable};
use crate::web::pages::given::Given;
use crate::web::pages::live::Deadline;
use crate::web::steps::{Registered, asked};

pub async fn show(cx: web::Data<Context>, token: web::Path<String>, seen: Seen) -> Result<HttpResponse, PageError> {
    let open = match enrol::look(&cx, &token).await {
        // A Home Screen icon that was made from the link opens it again, on a device that is enrolled by now.
        Err(Error::Link(_)) if seen.browser.device(&cx).await.is_ok() => return Ok(see("/")),
        other => other?,
    };
    let channels = cx.store.channels(open.holder.id).await.map_err(Error::from)?;
    let sent_to = channels.iter().filter(|c| c.device.is_none()).min_by_key(|c| (c.kind, c.created_at));
    let now = cx.now();
    let page = EnrolPage {
        frame: present::frame(&cx),
        token: token.into_inner(),
        deadline: Deadline::new(now.micros(), open.link.expires_at.micros()),
        proof: Proof::CodeSentTo(Given::new(sent_to.map_or("", |channel| channel.masked.as_str()))),
        device_hold: hold_text(&cx),
    };
    Ok(html(page.render().map_err(Error::internal)?))
}

/// How long a new device waits, in words, if it does.
fn hold_text(cx: &Context) -> Option<String> {
    let hold = cx.settings.new_device_hold;
    (!hold.is_zero()).then(|| span(i64::try_from(hold.as_micros()).unwrap_or(i64::MAX)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    code: String,
    name: String,
    device_key: Jwk,
}

pub async fn start(
    cx: web::Data<Context>,
    token: web::Path<String>,
    ask: Json<Start>,
) -> Result<HttpResponse, ScriptError> {
    let ask = ask.0;
    let key = ask.device_key.key()?;
    let name = DeviceName::tidy(&ask.name).ok_or_else(|| Error::invalid("name", "give the device a name"))?;
    let started = enrol::start(&cx, &token, &ask.code, name, key).await?;
    Ok(asked(&started.options, &started.sealed))
}

pub async fn prove(
    cx: web::Data<Context>,
    token: web::Path<String>,
    ask: Json<Registered>,
) -> Result<HttpResponse, ScriptError> {
    let proving = enrol::prove(&cx, &token, &ask.sealed, &ask.registration).await?;
    let answer = json!({"options": proving.options, "sealed": proving.sealed, "challenge": proving.challenge});
    Ok(HttpResponse::Ok().json(answer))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finish {
    sealed: String,
    assertion: Value,
    signature: Blob,
}

pub async fn finish(
    cx: web::Data<Context>,
    token: web::Path<String>,
    ask: Json<Finish>,
) -> Result<HttpResponse, ScriptError> {
    let enrolled = enrol::finish(&cx, &token, &ask.sealed, &ask.assertion, &ask.signature.0).await?;
    let body = &enrolled.device.body;
    let answer = json!({
        "device_id": body.id,
        "name": body.name,
        "usable_from": body.usable_from,
        "location": "/e/done",
    });
    Ok(HttpResponse::Ok().cookie(cookie(&cx, Name::Device, enrolled.cookie.clone())).json(answer))
}

pub async fn decline(cx: web::Data<Context>, token: web::Path<String>) -> Result<HttpResponse, PageError> {
    enrol::decline(&cx, &token).await?;
    Ok(see("/e/declined"))
}

pub async fn declined(cx: web::Data<Context>) -> Result<HttpResponse, PageError> {
    let page = EnrolDeclinedPage { frame: present::frame(&cx) };
    Ok(html(page.render().map_err(Error::internal)?))
}

pub async fn done(cx: web::Data<Context>, push: web::Data<PushKey>, seen: Seen) -> Result<HttpResponse, PageError> {
    let device = seen.browser.device(&cx).await?;
    let now = cx.now();
    let usable = if device.body.usable_from <= now {
        Usable::Now
    } else {
        Usable::From(present::at(now, device.body.usable_from))
    };
    let (frame, device) = (present::frame(&cx), Given::new(device.body.name.as_str()));
    let page = EnrolledPage { frame, device, usable, notices: push.notices() };
    Ok(html(page.render().map_err(Error::internal)?))
}
