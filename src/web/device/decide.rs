//! POST /a/{approval}/approve: the holder's two signatures.

use actix_web::{HttpResponse, web};
use serde::Deserialize;

use super::failure::ScriptError;
use super::named;
use super::seen::Seen;
use crate::domain::device::{Blob, Thumbprint};
use crate::service::Context;
use crate::service::decide::{self, Signed};
use crate::web::extract::Json;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    sealed: String,
    assertion: serde_json::Value,
    thumbprint: Thumbprint,
    signature: Blob,
}

pub async fn approve(
    cx: web::Data<Context>,
    path: web::Path<String>,
    seen: Seen,
    answer: Json<Answer>,
) -> Result<HttpResponse, ScriptError> {
    let id = named(&path)?;
    let Answer { sealed, assertion, thumbprint, signature } = answer.0;
    let signed = Signed { sealed, assertion, thumbprint, signature: signature.0 };
    let approval = decide::decide(&cx, &seen.browser, id, signed).await?;
    Ok(HttpResponse::Ok().json(serde_json::json!({"location": format!("/a/{}", approval.id)})))
}
