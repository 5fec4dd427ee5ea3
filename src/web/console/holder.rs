//! One holder: looked up by exact subject, shown masked, with what one person may do.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use std::time::Duration;

use super::failure::PageError;
use super::refused::{self, Typed};
use super::signed_in::SignedIn;
use super::{case_page, present};
use crate::domain::approval::State;
use crate::domain::ids::{ApprovalId, OverrideId, ViewId};
use crate::domain::staff::{Reason, Role};
use crate::service::staff::look::Looked;
use crate::service::staff::{act, look};
use crate::service::{Context, Error};
use crate::web::device::failure::{html, see};
use crate::web::device::present as device;
use crate::web::extract::Form;
use crate::web::pages::Template;
use crate::web::pages::clocktext::day;
use crate::web::pages::console::frame::Tab;
use crate::web::pages::console::holder::{AskPage, Can, DealRow, HolderPage, RevealedPage};
use crate::web::pages::console::refused::{Refused, Wrong};
use crate::web::problem::{Kind, Problem};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Look {
    backend: String,
    subject: String,
    reason: String,
}

async fn ask_page(cx: &Context, by: &SignedIn, refused: Option<Refused>) -> Result<String, PageError> {
    by.needs(Role::Agent)?;
    let backends = cx.store.backends().await.map_err(Error::from)?;
    let backends = backends.into_iter().map(|backend| (backend.id.to_string(), backend.name.to_string())).collect();
    let page = AskPage { frame: present::frame(cx, by, Some(Tab::Holders)), backends, refused };
    Ok(page.render().map_err(Error::internal)?)
}

pub async fn ask(cx: web::Data<Context>, by: SignedIn) -> Result<HttpResponse, PageError> {
    Ok(html(ask_page(&cx, &by, None).await?))
}

/// A reason of one line.
///
/// # Errors
/// [`Error::Invalid`] for none.
pub fn reason(text: &str) -> Result<Reason, Error> {
    Reason::tidy(text).ok_or_else(|| Error::invalid("reason", "say why, in one line"))
}

pub async fn look(cx: web::Data<Context>, by: SignedIn, form: Form<Look>) -> Result<HttpResponse, PageError> {
    let found = async { look::up(&cx, &by, &form.backend, &form.subject, reason(&form.reason)?).await };
    let error = match found.await {
        Ok(view) => return Ok(see(&format!("/looks/{}", view.id))),
        Err(error) => error,
    };
    let problem = Problem::from(error);
    let fields = [("backend", form.backend.as_str()), ("subject", &form.subject), ("reason", &form.reason)];
    let Some(mut refused) = Typed::new("look", &fields).refused(&problem) else { return Err(problem.into()) };
    if problem.kind == Kind::UnknownHolder {
        let text = if look::was_erased(&cx, &by, &form.backend, &form.subject).await? {
            "This holder was erased. Their backend had everything about them removed: there is nothing to see, and nothing can be done for them here."
        } else {
            "Nobody has exactly this number. Ask for it again, and type all of it."
        };
        let text = text.to_owned();
        refused.wrong = Wrong::Field { name: "subject".to_owned(), text };
    }
    Ok(refused::page(&problem, ask_page(&cx, &by, Some(refused)).await?))
}

pub async fn show(cx: web::Data<Context>, by: SignedIn, path: web::Path<String>) -> Result<HttpResponse, PageError> {
    let id: ViewId = path.parse().map_err(|_| Error::NotFound)?;
    let looked = look::again(&cx, &by, id).await?;
    Ok(html(page(&cx, &by, &looked, None).render().map_err(Error::internal)?))
}

/// The page of a look with a form that was refused, as it was typed. Where the look itself is over, there is no page to
/// come back to.
///
/// # Errors
/// What the form was refused for, when it can't be shown on the page.
pub async fn again(
    cx: &Context,
    by: &SignedIn,
    view: ViewId,
    typed: Typed,
    error: Error,
) -> Result<HttpResponse, PageError> {
    let problem = Problem::from(error);
    let Some(refused) = typed.refused(&problem) else { return Err(problem.into()) };
    let Ok(looked) = look::again(cx, by, view).await else { return Err(problem.into()) };
    let text = page(cx, by, &looked, Some(refused)).render().map_err(Error::internal)?;
    Ok(refused::page(&problem, text))
}

fn page(cx: &Context, by: &SignedIn, looked: &Looked, refused: Option<Refused>) -> HolderPage {
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
    HolderPage {
        frame: present::frame(cx, by, Some(Tab::Holders)),
        view: looked.view.id.to_string(),
        subject: looked.holder.subject.to_string(),
        reason: looked.view.reason.to_string(),
        until: present::at(now, looked.view.at + look::LOOK_LASTS),
        deals,
        devices: devices.collect(),
        channels: looked.channels.iter().map(|channel| (channel.id.to_string(), channel.masked.clone())).collect(),
        cases: looked.cases.iter().map(|case| (case.id().to_string(), case_page::what(&case.request.kind))).collect(),
        views: looked.views.iter().map(|view| present::view(view, now)).collect(),
        refused,
    }
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
    form: Form<Stop>,
) -> Result<HttpResponse, PageError> {
    let (view, approval) = ids(&path)?;
    let stopped = async { act::cancel(&cx, &by, view, approval, &reason(&form.reason)?).await };
    match stopped.await {
        Ok(_) => Ok(see(&format!("/looks/{view}"))),
        Err(error) => {
            let typed = Typed::new(format!("{approval}/cancel"), &[("reason", &form.reason)]);
            again(&cx, &by, view, typed, error).await
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extend {
    reason: String,
    /// Whole hours.
    hours: String,
}

/// Nobody asks for more than a month at once; the policy's cap is far below it.
const MOST_HOURS: u32 = 31 * 24;

fn longer(hours: &str) -> Result<Duration, Error> {
    let hours = hours.trim().parse().ok().filter(|hours| (1..=MOST_HOURS).contains(hours));
    let hours = hours.ok_or_else(|| Error::invalid("hours", "say how many hours, in whole numbers"))?;
    Ok(Duration::from_secs(u64::from(hours) * 3600))
}

pub async fn extend(
    cx: web::Data<Context>,
    by: SignedIn,
    path: web::Path<(String, String)>,
    form: Form<Extend>,
) -> Result<HttpResponse, PageError> {
    let (view, approval) = ids(&path)?;
    let extended = async {
        let (longer, reason) = (longer(&form.hours)?, reason(&form.reason)?);
        act::extend(&cx, &by, view, approval, longer, &reason).await
    };
    match extended.await {
        Ok(_) => Ok(see(&format!("/looks/{view}"))),
        Err(error) => {
            let fields = [("hours", form.hours.as_str()), ("reason", &form.reason)];
            again(&cx, &by, view, Typed::new(format!("{approval}/extend"), &fields), error).await
        }
    }
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
    form: Form<Reveal>,
) -> Result<HttpResponse, PageError> {
    let (view, approval) = ids(&path)?;
    let revealed = async {
        let case: OverrideId = form.case.trim().parse().map_err(|_| Error::NotFound)?;
        look::reveal(&cx, &by, view, approval, case, reason(&form.reason)?).await
    };
    let shown = match revealed.await {
        Ok(shown) => shown,
        Err(error) => {
            let fields = [("case", form.case.as_str()), ("reason", &form.reason)];
            return again(&cx, &by, view, Typed::new(format!("{approval}/reveal"), &fields), error).await;
        }
    };
    let transfer = shown.details.transfer();
    let page = RevealedPage {
        frame: present::frame(&cx, &by, Some(Tab::Holders)),
        view: view.to_string(),
        payee: transfer.payee.name.to_string(),
        account: transfer.payee.account.to_string(),
    };
    Ok(html(page.render().map_err(Error::internal)?))
}
