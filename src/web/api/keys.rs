//! The public keys that check receipts.

use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::{HttpResponse, web};

use super::answer::Answer;
use crate::service::Context;
use crate::web::problem::Kind;

pub const PROBLEMS: &[Kind] = &[];

/// The key set
///
/// Public keys of receipts as a JWK set (RFC 7517). Retired keys stay in it, so that old receipts can be checked.
#[utoipa::path(
    get,
    path = "/.well-known/jwks.json",
    tag = "receipts",
    operation_id = "key_set",
    responses((status = 200, description = "The key set.", body = KeySet)),
)]
pub async fn handle(cx: web::Data<Context>) -> Answer {
    // Long enough to spare us, short enough for a new key to be seen before its first receipt matters.
    let fresh = HeaderValue::from_static("public, max-age=300");
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, fresh)).json(cx.signer.key_set()))
}

/// A JWK set (RFC 7517 section 5).
#[derive(Debug, utoipa::ToSchema)]
pub struct KeySet {
    #[schema(value_type = Vec<Object>)]
    pub keys: Vec<serde_json::Value>,
}
