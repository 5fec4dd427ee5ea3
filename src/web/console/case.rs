//! One override request: asked for from a look at a holder, shown with everything to decide on, signed, refused, drawn
//! once more, stopped.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::json;

use super::failure::PageError;
use super::refused::{self, Typed};
use super::signed_in::SignedIn;
use super::{case_page, holder, present};
use crate::domain::ids::{OverrideId, ViewId};
use crate::domain::override_request::{MIN_WORDS, OverrideRequest, Refusal, Words, enough};
use crate::domain::staff::Role;
use crate::service::override_request::ask::{Ask, Wanted};
use crate::service::override_request::{ask, draw, open, prompt, read, refuse, sign, stop};
use crate::service::{Context, Error, freeze};
use crate::web::device::failure::{html, see};
use crate::web::extract;
use crate::web::pages::Template;
use crate::web::pages::console::cases::CaseRow;
use crate::web::problem::Problem;
use crate::web::steps::{Signed, prompted};

fn words(field: &'static str, text: &str) -> Result<Words, Error> {
    // A box of several lines may have line breaks in it; the words are one line.
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let short = || Error::invalid(field, format!("write {MIN_WORDS} letters or more, so that others can judge it"));
    if text.is_empty() {
        return Err(short());
    }
    let words = Words::parse(&text).map_err(|error| Error::invalid(field, error))?;
    enough(&words).map_err(|_| short())?;
    Ok(words)
}

fn id(path: &str) -> Result<OverrideId, Error> {
    path.parse().map_err(|_| Error::NotFound)
}

fn shown(case: &OverrideRequest) -> HttpResponse {
    see(&format!("/cases/{}", case.id()))
}

/// The form on a holder's page: each field once, but for a check box of each disputed channel.
#[derive(Default)]
struct Form {
    kind: Option<String>,
    approval: Option<String>,
    reason: Option<String>,
    disputed: Vec<String>,
}

impl Form {
    fn read(fields: Vec<(String, String)>) -> Result<Self, Error> {
        let mut form = Self::default();
        for (name, value) in fields {
            let place = match name.as_str() {
                "kind" => &mut form.kind,
                "approval" => &mut form.approval,
                "reason" => &mut form.reason,
                "disputed" => {
                    form.disputed.push(value);
                    continue;
                }
                _ => return Err(Error::invalid("form", "has a field that isn't known")),
            };
            if place.replace(value).is_some() {
                return Err(Error::invalid("form", "has a field twice"));
            }
        }
        Ok(form)
    }
}

pub async fn ask(
    cx: web::Data<Context>,
    by: SignedIn,
    path: web::Path<String>,
    form: extract::Form<Vec<(String, String)>>,
) -> Result<HttpResponse, PageError> {
    by.needs(Role::Agent)?;
    let view: ViewId = path.parse().map_err(|_| Error::NotFound)?;
    let fields = form.0;
    match asked(&cx, &by, view, Form::read(fields.clone())?).await {
        Ok(case) => Ok(shown(&case)),
        Err(error) => holder::again(&cx, &by, view, Typed::of("override", fields), error).await,
    }
}

async fn asked(cx: &Context, by: &SignedIn, view: ViewId, form: Form) -> Result<OverrideRequest, Error> {
    let wanted = match form.kind.unwrap_or_default().as_str() {
        "approve_for_holder" => {
            let approval = form.approval.unwrap_or_default();
            if approval.is_empty() {
                return Err(Error::invalid("approval", "choose the transfer"));
            }
            Wanted::ApproveForHolder(approval.parse().map_err(|_| Error::NotFound)?)
        }
        "unfreeze" => Wanted::Unfreeze,
        "reset_devices" => Wanted::ResetDevices,
        _ => return Err(Error::NotFound),
    };
    let chosen = form.disputed.iter().filter(|id| !id.is_empty());
    let disputed: Result<Vec<_>, _> = chosen.map(|id| id.parse()).collect();
    let disputed = disputed.map_err(|_| Error::from(Refusal::UnknownChannel))?;
    let asked = Ask { view, wanted, reason: words("reason", &form.reason.unwrap_or_default())?, disputed };
    ask::ask(cx, by, asked).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Why {
    reason: String,
}

/// An agent freezes the holder whom they look at.
pub async fn lock(
    cx: web::Data<Context>,
    by: SignedIn,
    path: web::Path<String>,
    form: extract::Form<Why>,
) -> Result<HttpResponse, PageError> {
    let view: ViewId = path.parse().map_err(|_| Error::NotFound)?;
    let locked = async { freeze::by_staff(&cx, &by, view, &holder::reason(&form.reason)?).await };
    match locked.await {
        Ok(_) => Ok(see(&format!("/looks/{view}"))),
        Err(error) => holder::again(&cx, &by, view, Typed::new("lock", &[("reason", &form.reason)]), error).await,
    }
}

pub async fn show(cx: web::Data<Context>, by: SignedIn, path: web::Path<String>) -> Result<HttpResponse, PageError> {
    let case = open::open(&cx, &by, id(&path)?).await?;
    let page = case_page::page(&cx, &by, &case, None)?;
    Ok(html(page.render().map_err(Error::internal)?))
}

/// What the page looks at to see whether it is still true.
pub async fn status(cx: web::Data<Context>, by: SignedIn, path: web::Path<String>) -> Result<HttpResponse, Problem> {
    let case = read::one(&cx, &by, id(&path)?).await?;
    Ok(HttpResponse::Ok().json(json!({"version": case_page::version(&case)})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checked {
    checked: String,
}

pub async fn prompt(
    cx: web::Data<Context>,
    by: SignedIn,
    path: web::Path<String>,
    said: extract::Json<Checked>,
) -> Result<HttpResponse, Problem> {
    Ok(prompted(&prompt::prompt(&cx, &by, id(&path)?, words("checked", &said.checked)?).await?))
}

pub async fn sign(
    cx: web::Data<Context>,
    by: SignedIn,
    path: web::Path<String>,
    signed: extract::Json<Signed>,
) -> Result<HttpResponse, Problem> {
    let case = sign::sign(&cx, &by, id(&path)?, &signed.sealed, &signed.assertion).await?;
    let (location, state) = (format!("/cases/{}", case.id()), case.state.name().as_str());
    Ok(HttpResponse::Ok().json(json!({"location": location, "state": state})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct No {
    why: String,
}

pub async fn refuse(
    cx: web::Data<Context>,
    by: SignedIn,
    path: web::Path<String>,
    form: extract::Form<No>,
) -> Result<HttpResponse, PageError> {
    let id = id(&path)?;
    let refused = async { refuse::refuse(&cx, &by, id, words("why", &form.why)?).await };
    let problem = match refused.await {
        Ok(case) => return Ok(shown(&case)),
        Err(error) => Problem::from(error),
    };
    let typed = Typed::new("refuse", &[("why", &form.why)]);
    let Some(back) = typed.refused(&problem) else { return Err(problem.into()) };
    let Ok(case) = open::open(&cx, &by, id).await else { return Err(problem.into()) };
    let page = case_page::page(&cx, &by, &case, Some(back))?;
    Ok(refused::page(&problem, page.render().map_err(Error::internal)?))
}

pub async fn redraw(cx: web::Data<Context>, by: SignedIn, path: web::Path<String>) -> Result<HttpResponse, PageError> {
    draw::redraw(&cx, &by, id(&path)?).await?;
    // The case may not concern whoever asked for it any more.
    Ok(see("/"))
}

pub async fn stop(cx: web::Data<Context>, by: SignedIn, path: web::Path<String>) -> Result<HttpResponse, PageError> {
    Ok(shown(&stop::by_staff(&cx, &by, id(&path)?).await?))
}

/// The cases of a person, for their first page: those that wait for them come first.
///
/// # Errors
/// Those of the store.
pub async fn mine(cx: &Context, by: &SignedIn) -> Result<Vec<CaseRow>, Error> {
    let now = cx.now();
    let mut rows = Vec::new();
    for case in read::mine(cx, by).await? {
        let approval = match case.request.kind.approval() {
            Some(approval) => cx.store.approval(approval).await?,
            None => None,
        };
        rows.push(case_page::row(&case, approval.as_ref(), by, now));
    }
    Ok(rows)
}

/// What the first page looks at.
pub async fn all_status(cx: web::Data<Context>, by: SignedIn) -> Result<HttpResponse, Problem> {
    let rows = mine(&cx, &by).await?;
    Ok(HttpResponse::Ok().json(json!({"version": present::version(&rows)?})))
}
