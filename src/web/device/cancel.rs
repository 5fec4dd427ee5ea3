//! POST /a/{approval}/cancel: "Stop this transfer", in the hold and until it is redeemed. A plain form; no ceremony.

use actix_web::{HttpResponse, web};

use super::failure::{PageError, see};
use super::named;
use super::seen::Seen;
use crate::service::{Context, cancel};

pub async fn cancel(cx: web::Data<Context>, path: web::Path<String>, seen: Seen) -> Result<HttpResponse, PageError> {
    let id = named(&path)?;
    cancel::by_device(&cx, &seen.browser, id).await?;
    Ok(see(&format!("/a/{id}")))
}
