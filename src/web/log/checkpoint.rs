//! The newest signed checkpoint; where a quorum of witnesses is asked for, the newest that has it.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use actix_web::{HttpResponse, web};

use crate::service::{Context, Error, log};
use crate::web::problem::Problem;

/// The signed note, of which nothing is shown before it is stored, with what witnesses signed beside it.
pub async fn handle(cx: web::Data<Context>) -> Result<HttpResponse, Problem> {
    let shown = log::shown(&cx).await?.ok_or(Error::NotFound)?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")))
        // It changes every fraction of a second.
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("public, max-age=1")))
        .body(shown.note.to_string()))
}
