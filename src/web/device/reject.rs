//! POST /a/{approval}/reject: "Don't send it". A plain form; no ceremony.

use actix_web::{HttpResponse, web};

use super::failure::{PageError, see};
use super::seen::Seen;
use crate::domain::ids::ApprovalId;
use crate::service::{Context, Error, reject};

pub async fn reject(cx: web::Data<Context>, path: web::Path<String>, seen: Seen) -> Result<HttpResponse, PageError> {
    let id: ApprovalId = path.parse().map_err(|_| PageError::from(Error::NotFound))?;
    reject::reject(&cx, &seen.browser, id).await?;
    Ok(see(&format!("/a/{id}")))
}
