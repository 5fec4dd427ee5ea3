//! The invited person's page and its three steps: code, passkey, proof.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::json;

use super::failure::PageError;
use super::present;
use crate::service::staff::join;
use crate::service::{Context, Error};
use crate::web::device::failure::html;
use crate::web::extract::Json;
use crate::web::pages::Template;
use crate::web::pages::clocktext::day;
use crate::web::pages::console::sign_in::{Code, JoinPage, JoinedPage};
use crate::web::problem::Problem;
use crate::web::steps::{Registered, Signed, asked};

pub async fn show(cx: web::Data<Context>, token: web::Path<String>) -> Result<HttpResponse, PageError> {
    let open = join::look(&cx, &token).await?;
    let profile = &open.person.profile;
    let page = JoinPage {
        frame: present::outside(&cx),
        token: token.into_inner(),
        name: profile.name.to_string(),
        group: profile.group.to_string(),
        employer: profile.employer.to_string(),
        roles: profile.roles.to_string(),
        ends: day(cx.now().micros(), profile.ends_at.micros()),
        code: if open.invite.needs_code() { Code::Asked } else { Code::None },
    };
    Ok(html(page.render().map_err(Error::internal)?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    code: Option<String>,
}

pub async fn start(
    cx: web::Data<Context>,
    token: web::Path<String>,
    ask: Json<Start>,
) -> Result<HttpResponse, Problem> {
    let step = join::start(&cx, &token, ask.code.as_deref()).await?;
    Ok(asked(&step.options, &step.sealed))
}

pub async fn prove(
    cx: web::Data<Context>,
    token: web::Path<String>,
    ask: Json<Registered>,
) -> Result<HttpResponse, Problem> {
    let step = join::prove(&cx, &token, &ask.sealed, &ask.registration).await?;
    Ok(asked(&step.options, &step.sealed))
}

pub async fn finish(
    cx: web::Data<Context>,
    token: web::Path<String>,
    ask: Json<Signed>,
) -> Result<HttpResponse, Problem> {
    let person = join::finish(&cx, &token, &ask.sealed, &ask.assertion).await?;
    Ok(HttpResponse::Ok().json(json!({"staff_id": person.id, "location": "/join/done"})))
}

pub async fn done(cx: web::Data<Context>) -> Result<HttpResponse, PageError> {
    let page = JoinedPage { frame: present::outside(&cx) };
    Ok(html(page.render().map_err(Error::internal)?))
}
