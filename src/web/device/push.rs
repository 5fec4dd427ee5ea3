//! Web push: the key that a browser subscribes with, and the subscription of an enrolled device.

use actix_web::{HttpResponse, web};
use serde::Deserialize;

use super::failure::ScriptError;
use super::seen::Seen;
use crate::domain::channel::Address;
use crate::service::{Context, Error, subscribe};
use crate::web::extract::Json;
use crate::web::pages::home::Notices;

/// The VAPID public key (uncompressed point, base64url), if this deployment sends web push.
#[derive(Debug, Clone)]
pub struct PushKey(pub Option<String>);

impl PushKey {
    pub const fn notices(&self) -> Notices {
        if self.0.is_some() { Notices::Offered } else { Notices::Off }
    }
}

pub async fn key(key: web::Data<PushKey>) -> Result<HttpResponse, ScriptError> {
    match &key.0 {
        Some(public_key) => Ok(HttpResponse::Ok().json(serde_json::json!({"public_key": public_key}))),
        None => Err(Error::NotFound.into()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subscribe {
    subscription: Subscription,
}

/// `PushSubscription.toJSON()` (Push API section 8.1).
#[derive(Deserialize)]
pub struct Subscription {
    endpoint: String,
    keys: SubscriptionKeys,
}

#[derive(Deserialize)]
pub struct SubscriptionKeys {
    p256dh: String,
    auth: String,
}

pub async fn subscribe(cx: web::Data<Context>, seen: Seen, ask: Json<Subscribe>) -> Result<HttpResponse, ScriptError> {
    let subscription = ask.0.subscription;
    let address = Address::web_push(&subscription.endpoint, &subscription.keys.p256dh, &subscription.keys.auth)
        .map_err(|error| Error::invalid("subscription", error))?;
    subscribe::subscribe(&cx, &seen.browser, address).await?;
    Ok(HttpResponse::NoContent().finish())
}
