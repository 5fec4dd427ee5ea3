//! The newest signed checkpoint.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use actix_web::{HttpResponse, web};

use crate::service::{Context, Error};
use crate::web::problem::Problem;

/// The signed note, of which nothing is shown before it is stored.
pub async fn handle(cx: web::Data<Context>) -> Result<HttpResponse, Problem> {
    let newest = cx.log.store.newest().await.map_err(Error::from)?.ok_or(Error::NotFound)?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")))
        // It changes every fraction of a second.
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("public, max-age=1")))
        .body(newest.note))
}
