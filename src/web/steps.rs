//! The steps of a ceremony as a page's script sends and gets them: alike for holders and for staff. What was asked
//! travels sealed through the page, so that no field of a form can change it.

use actix_web::HttpResponse;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::service::staff::signing::Prompt;

/// A new passkey, not proved yet.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registered {
    pub sealed: String,
    pub registration: Value,
}

/// A signature of a passkey.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signed {
    pub sealed: String,
    pub assertion: Value,
}

/// What the passkey is asked.
pub fn asked(options: &Value, sealed: &str) -> HttpResponse {
    HttpResponse::Ok().json(json!({"options": options, "sealed": sealed}))
}

/// What a person of staff is asked to sign.
pub fn prompted(prompt: &Prompt) -> HttpResponse {
    HttpResponse::Ok().json(json!({
        "options": prompt.options, "sealed": prompt.sealed, "expires_at": prompt.expires_at,
    }))
}
