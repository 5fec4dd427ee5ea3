//! The keys that checkpoints are signed with.

use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::{HttpResponse, web};

use crate::service::Context;

/// The log's name and keys, retired ones with their time.
pub async fn handle(cx: web::Data<Context>) -> HttpResponse {
    let fresh = HeaderValue::from_static("public, max-age=300");
    HttpResponse::Ok().insert_header((CACHE_CONTROL, fresh)).json(cx.log.signer.keys())
}
