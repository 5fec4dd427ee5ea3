//! One holder: looked up by exact subject, shown masked, with what one person may do.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use std::time::Duration;

use super::failure::PageError;
use super::signed_in::SignedIn;
use super::{case_page, present};
use crate::domain::approval::State;
use crate::domain::ids::{ApprovalId, OverrideId, ViewId};
use crate::domain::staff::{Reason, Role};
use crate::service::staff::{act, look};
use crate::service::{Context, Error};
use crate::web::device::failure::{html, see};
use crate::web::device::present as device;
use crate::web::pages::Template;
use crate::web::pages::clocktext::day;
use crate::web::pages::console::frame::Tab;
use crate::web::pages::console::holder::{AskPage, Asked, Can, DealRow, HolderPage, RevealedPage};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Look {
    backend: String,
    subject: String,
    reason: String,
}

async fn ask_page(cx: &Context, by: &SignedIn, asked: Asked) -> Result<String, PageError> {
    by.needs(Role::Agent)?;
    let backends = cx.store.backends().await.map_err(Error::from)?;
    let backends = backends.into_iter().map(|backend| (backend.id.to_string(), backend.name.to_string())).collect();
    let page = AskPage { frame: present::frame(cx, by, Some(Tab::Holders)), backends, asked };
    Ok(page.render().map_err(Error::internal)?)
}

pub async fn ask(cx: web::Data<Context>, by: SignedIn) -> Result<HttpResponse, PageError> {
    Ok(html(ask_page(&cx, &by, Asked::Nothing).await?))
}

fn reason(text: &str) -> Result<Reason, Error> {
    Reason::tidy(text).ok_or_else(|| Error::invalid("reason", "say why, in one line"))
}

pub async fn look(cx: web::Data<Context>, by: SignedIn, form: web::Form<Look>) -> Result<HttpResponse, PageError> {
    let Ok(reason) = reason(&form.reason) else {
        let text = ask_page(&cx, &by, Asked::NoReason).await?;
        return Ok(HttpResponse::BadRequest().content_type("text/html; charset=utf-8").body(text));
    };
    match look::up(&cx, &by, &form.backend, &form.subject, reason).await {
        Ok(view) => Ok(see(&format!("/looks/{}", view.id))),
        Err(Error::UnknownHolder) => {
            let erased = look::was_erased(&cx, &by, &form.backend, &form.subject).await?;
            let text = ask_page(&cx, &by, if erased { Asked::Erased } else { Asked::Unknown }).await?;
            Ok(HttpResponse::NotFound().content_type("text/html; charset=utf-8").body(text))
        }
        Err(error) => Err(error.into()),
    }
}

pub async fn show(cx: web::Data<Context>, by: SignedIn, path: web::Path<String>) -> Result<HttpResponse, PageError> {
    let id: ViewId = path.parse().map_err(|_| Error::NotFound)?;
    let looked = look::again(&cx, &by, id).await?;
    let now = cx.now();
    let deals = looked
        .approvals
        .iter()
        .map(|approval| DealRow {
            id: approval.id.to_string(),
            deal: device::masked(approval),
            stage: device::stage(&approval.state),
            state: present::state_line(approval, now),
            can: match approval.state {
                State::Pending | State::Released { .. } => Can::Stop,
                State::Cooling { .. } => Can::StopAndExtend,
                _ => Can::Nothing,
            },
        })
        .collect();
    let devices = looked.devices.iter().zip(1..).map(|(device, number)| {
        let added = day(now.micros(), device.body.enrolled_at.micros());
        let state = match (device.removed_at, device.locked_at, device.body.usable_from > now) {
            (Some(_), ..) => "removed",
            (None, Some(_), _) => "locked",
            (None, None, true) => "on hold",
            (None, None, false) => "can approve",
        };
        (format!("Device {number}"), format!("added {added}, {state}"))
    });
    let page = HolderPage {
        frame: present::frame(&cx, &by, Some(Tab::Holders)),
        view: id.to_string(),
        subject: looked.holder.subject.to_string(),
        reason: looked.view.reason.to_string(),
        until: present::at(now, looked.view.at + look::LOOK_LASTS),
        deals,
        devices: devices.collect(),
        channels: looked.channels.iter().map(|channel| (channel.id.to_string(), channel.masked.clone())).collect(),
        cases: looked.cases.iter().map(|case| (case.id().to_string(), case_page::what(&case.request.kind))).collect(),
        views: looked.views.iter().map(|view| present::view(view, now)).collect(),
    };
    Ok(html(page.render().map_err(Error::internal)?))
}

fn ids(path: &(String, String)) -> Result<(ViewId, ApprovalId), Error> {
    let view = path.0.parse().map_err(|_| Error::NotFound)?;
    let approval = path.1.parse().map_err(|_| Error::NotFound)?;
    Ok((view, approval))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stop {
    reason: String,
}

pub async fn cancel(
    cx: web::Data<Context>,
    by: SignedIn,
    path: web::Path<(String, String)>,
    form: web::Form<Stop>,
) -> Result<HttpResponse, PageError> {
    let (view, approval) = ids(&path)?;
    act::cancel(&cx, &by, view, approval, &reason(&form.reason)?).await?;
    Ok(see(&format!("/looks/{view}")))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extend {
    reason: String,
    /// Whole hours.
    hours: u32,
}

pub async fn extend(
    cx: web::Data<Context>,
    by: SignedIn,
    path: web::Path<(String, String)>,
    form: web::Form<Extend>,
) -> Result<HttpResponse, PageError> {
    let (view, approval) = ids(&path)?;
    let longer = Duration::from_secs(u64::from(form.hours) * 3600);
    act::extend(&cx, &by, view, approval, longer, &reason(&form.reason)?).await?;
    Ok(see(&format!("/looks/{view}")))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reveal {
    case: String,
    reason: String,
}

/// Answers with the whole account, once: going back to the page asks again.
pub async fn reveal(
    cx: web::Data<Context>,
    by: SignedIn,
    path: web::Path<(String, String)>,
    form: web::Form<Reveal>,
) -> Result<HttpResponse, PageError> {
    let (view, approval) = ids(&path)?;
    let case: OverrideId = form.case.trim().parse().map_err(|_| Error::NotFound)?;
    let shown = look::reveal(&cx, &by, view, approval, case, reason(&form.reason)?).await?;
    let transfer = shown.details.transfer();
    let page = RevealedPage {
        frame: present::frame(&cx, &by, Some(Tab::Holders)),
        view: view.to_string(),
        payee: transfer.payee.name.to_string(),
        account: transfer.payee.account.to_string(),
    };
    Ok(html(page.render().map_err(Error::internal)?))
}
