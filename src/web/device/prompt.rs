//! POST /a/{approval}/prompt: a prompt for a browser whose device key signed the page's token.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::failure::ScriptError;
use super::named;
use super::seen::Seen;
use crate::domain::Timestamp;
use crate::domain::device::{Blob, Thumbprint};
use crate::service::{Context, prompt};
use crate::web::extract::Json;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    page_token: String,
    thumbprint: Thumbprint,
    signature: Blob,
}

#[derive(Serialize)]
struct Answer {
    options: serde_json::Value,
    sealed: String,
    challenge: String,
    expires_at: Timestamp,
}

pub async fn prompt(
    cx: web::Data<Context>,
    path: web::Path<String>,
    seen: Seen,
    ask: Json<Ask>,
) -> Result<HttpResponse, ScriptError> {
    let id = named(&path)?;
    let ask = ask.0;
    let made = prompt::prompt(&cx, &seen.browser, id, &ask.page_token, &ask.thumbprint, &ask.signature.0).await?;
    Ok(HttpResponse::Ok().json(Answer {
        options: made.options,
        sealed: made.sealed,
        challenge: made.challenge,
        expires_at: made.expires_at,
    }))
}
