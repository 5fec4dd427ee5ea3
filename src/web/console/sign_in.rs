//! Signing in and out.

use actix_web::{HttpResponse, web};
use serde_json::json;

use super::failure::PageError;
use super::present;
use super::signed_in::{SignedIn, cookie, no_cookie};
use crate::service::staff::{session, sign_in};
use crate::service::{Context, Error};
use crate::web::device::failure::html;
use crate::web::extract::Json;
use crate::web::pages::Template;
use crate::web::pages::console::sign_in::SignInPage;
use crate::web::problem::Problem;
use crate::web::steps::{Signed, asked};

pub async fn show(cx: web::Data<Context>) -> Result<HttpResponse, PageError> {
    let page = SignInPage { frame: present::outside(&cx) };
    Ok(html(page.render().map_err(Error::internal)?))
}

pub async fn start(cx: web::Data<Context>) -> Result<HttpResponse, Problem> {
    let question = sign_in::start(&cx).await?;
    Ok(asked(&question.options, &question.sealed))
}

pub async fn finish(cx: web::Data<Context>, ask: Json<Signed>) -> Result<HttpResponse, Problem> {
    let entered = sign_in::finish(&cx, &ask.sealed, &ask.assertion).await?;
    Ok(HttpResponse::Ok().cookie(cookie(&cx, entered.cookie)).json(json!({"location": "/"})))
}

pub async fn out(cx: web::Data<Context>, by: SignedIn) -> Result<HttpResponse, PageError> {
    session::end(&cx, &by).await?;
    Ok(HttpResponse::SeeOther().insert_header(("location", "/sign-in")).cookie(no_cookie(&cx)).finish())
}
