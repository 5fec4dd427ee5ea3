//! POST /a/{approval}/reject: "Don't send it". A plain form; no ceremony.

use actix_web::{HttpResponse, web};

use super::failure::{PageError, see};
use super::named;
use super::seen::Seen;
use crate::service::{Context, reject};

pub async fn reject(cx: web::Data<Context>, path: web::Path<String>, seen: Seen) -> Result<HttpResponse, PageError> {
    let id = named(&path)?;
    reject::reject(&cx, &seen.browser, id).await?;
    Ok(see(&format!("/a/{id}")))
}
