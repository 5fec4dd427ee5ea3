//! The description of this API.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, ContentType, HeaderValue};

use super::answer::Answer;
use crate::web::openapi;
use crate::web::problem::Kind;

pub const PROBLEMS: &[Kind] = &[];

/// This document
///
/// The API as OpenAPI 3.1, generated from the code that answers.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "about",
    operation_id = "openapi",
    responses((status = 200, description = "The document.", body = Object)),
)]
pub async fn handle() -> Answer {
    let fresh = HeaderValue::from_static("public, max-age=300");
    Ok(HttpResponse::Ok()
        .insert_header(ContentType::json())
        .insert_header((CACHE_CONTROL, fresh))
        .body(openapi::text()))
}
