//! Webhook endpoints of a backend: add, change, rotate the secret, remove, test, read the log, send again.

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use std::fmt;
use url::Url;

use super::commit::CommitOrFault;
use super::request::{Answered, Repeat, caller_has, repeat};
use super::{Context, Error};
use crate::domain::approval::Actor;
use crate::domain::audit::Facts;
use crate::domain::backend::{Caller, IdempotencyKey, Remembered, Scope};
use crate::domain::details::Digest;
use crate::domain::ids::{DeliveryId, EndpointId};
use crate::domain::time::Timestamp;
use crate::domain::webhook::{Cause, Delivery, Endpoint, EndpointStatus, ROTATION_OVERLAP, cause_of};
use crate::domain::webhook_secret::WebhookSecret;
use crate::ports::secrets::BoxKey;
use crate::ports::store::{CommitError, DeliveryView, Unique};
use crate::ports::{Change, Effect};

/// A webhook endpoint.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct EndpointView {
    pub id: String,
    pub url: String,
    /// active or disabled.
    #[schema(value_type = String)]
    pub status: EndpointStatus,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// `whsec_…`, shown once: in the answer to the create and to a rotation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Until then messages carry a signature by the secret before the last rotation too.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub previous_secret_until: Option<Timestamp>,
}

/// One delivery in an endpoint's log.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DeliveryJson {
    pub id: String,
    /// The `webhook-id` that was sent.
    pub message_id: String,
    /// queued, delivered or failed.
    pub status: String,
    pub attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub done_at: Option<Timestamp>,
}

/// Adds an endpoint; its secret is in the answer and never again, but for a repeat of the same request.
///
/// # Errors
/// [`Error::TooManyEndpoints`], [`Error::IdempotencyMismatch`].
pub async fn add(
    cx: &Context,
    caller: &Caller,
    url: Url,
    key: IdempotencyKey,
    fingerprint: Digest,
) -> Result<Answered, Error> {
    caller_has(caller, Scope::Webhooks)?;
    if let Some(remembered) = cx.store.remembered(caller.backend, &key).await? {
        return repeated(cx, &remembered, &fingerprint);
    }
    let now = cx.now();
    let id = cx.id(EndpointId::new, now);
    let secret: [u8; 32] = cx.random();
    let endpoint = Endpoint {
        id,
        backend: caller.backend,
        url,
        status: EndpointStatus::Active,
        created_at: now,
        secret: cx.secrets.seal(BoxKey::WebhookSecret, id.bytes(), &secret),
        previous: None,
    };
    let mut shown = view(&endpoint, now);
    shown.secret = Some(secret_text(&secret)?);
    let body = serde_json::to_string(&shown).map_err(Error::internal)?;
    // The answer carries the secret: it is remembered sealed.
    let sealed = cx.secrets.seal(BoxKey::WebhookSecret, &answer_to(&key), body.as_bytes());
    let answer = BASE64URL_NOPAD.encode(&sealed);
    let remember =
        Remembered { backend: caller.backend, key: key.clone(), request: fingerprint, answer, created_at: now };
    match write(cx, caller, "endpoint.added", id, Effect::AddEndpoint { endpoint, remember }, now).await {
        Ok(()) => Ok(Answered { body, repeat: Repeat::New }),
        Err(CommitOrFault::Commit(CommitError::Cap)) => Err(Error::TooManyEndpoints),
        Err(CommitOrFault::Commit(CommitError::Duplicate(Unique::IdempotencyKey))) => {
            let remembered = cx.store.remembered(caller.backend, &key).await?.ok_or(Error::Conflict)?;
            repeated(cx, &remembered, &fingerprint)
        }
        Err(other) => Err(gone(other)),
    }
}

/// What a remembered answer is sealed to: no endpoint's secret, whose context is sixteen bytes.
fn answer_to(key: &IdempotencyKey) -> Vec<u8> {
    format!("answer/endpoint/{}", key.as_str()).into_bytes()
}

fn repeated(cx: &Context, remembered: &Remembered, fingerprint: &Digest) -> Result<Answered, Error> {
    let answered = repeat(remembered, fingerprint)?;
    let sealed = BASE64URL_NOPAD.decode(answered.body.as_bytes()).map_err(|_| Error::IdempotencyMismatch)?;
    // The answer to another kind of request under the same key isn't sealed like this.
    let context = answer_to(&remembered.key);
    let plain = cx.secrets.open(BoxKey::WebhookSecret, &context, &sealed).map_err(|_| Error::IdempotencyMismatch)?;
    let body = String::from_utf8(plain).map_err(Error::internal)?;
    Ok(Answered { body, repeat: answered.repeat })
}

/// The caller's endpoints.
///
/// # Errors
/// [`Error::Scope`].
pub async fn list(cx: &Context, caller: &Caller) -> Result<Vec<EndpointView>, Error> {
    caller_has(caller, Scope::Webhooks)?;
    let now = cx.now();
    let endpoints = cx.store.endpoints(caller.backend).await?;
    Ok(endpoints.iter().map(|endpoint| view(endpoint, now)).collect())
}

/// One endpoint.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn show(cx: &Context, caller: &Caller, id: EndpointId) -> Result<EndpointView, Error> {
    let now = cx.now();
    Ok(view(&own(cx, caller, id).await?, now))
}

/// Changes an endpoint's address or switches it on or off.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn set(
    cx: &Context,
    caller: &Caller,
    id: EndpointId,
    url: Option<Url>,
    status: Option<EndpointStatus>,
) -> Result<EndpointView, Error> {
    let mut endpoint = own(cx, caller, id).await?;
    endpoint.url = url.unwrap_or(endpoint.url);
    endpoint.status = status.unwrap_or(endpoint.status);
    let now = cx.now();
    let shown = view(&endpoint, now);
    write(cx, caller, "endpoint.changed", id, Effect::SetEndpoint(endpoint), now).await.map_err(gone)?;
    Ok(shown)
}

/// Makes a new secret. For a day both sign, so that the receiver can change over without missing a message.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn rotate(cx: &Context, caller: &Caller, id: EndpointId) -> Result<EndpointView, Error> {
    let mut endpoint = own(cx, caller, id).await?;
    let now = cx.now();
    let secret: [u8; 32] = cx.random();
    let fresh = cx.secrets.seal(BoxKey::WebhookSecret, id.bytes(), &secret);
    let old = std::mem::replace(&mut endpoint.secret, fresh);
    endpoint.previous = Some((old, now + ROTATION_OVERLAP));
    let mut shown = view(&endpoint, now);
    shown.secret = Some(secret_text(&secret)?);
    write(cx, caller, "endpoint.rotated", id, Effect::SetEndpoint(endpoint), now).await.map_err(gone)?;
    Ok(shown)
}

/// Removes an endpoint and what is queued for it.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn remove(cx: &Context, caller: &Caller, id: EndpointId) -> Result<(), Error> {
    own(cx, caller, id).await?;
    let now = cx.now();
    write(cx, caller, "endpoint.removed", id, Effect::RemoveEndpoint(id), now).await.map_err(gone)?;
    Ok(())
}

/// Queues a test event.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn test(cx: &Context, caller: &Caller, id: EndpointId) -> Result<DeliveryJson, Error> {
    own(cx, caller, id).await?;
    let now = cx.now();
    let delivery_id = cx.id(DeliveryId::new, now);
    let body = serde_json::json!({"type": "endpoint.test", "timestamp": now, "data": {"endpoint_id": id}}).to_string();
    let message_id = format!("msg_test_{}", delivery_id.uuid().simple());
    let delivery = Delivery { id: delivery_id, endpoint: id, cause: Cause::Test, message_id, body, created_at: now };
    queue(cx, caller, "endpoint.tested", delivery, now).await
}

/// An endpoint's log, newest first, and the cursor of the next page.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn log(
    cx: &Context,
    caller: &Caller,
    id: EndpointId,
    before: Option<DeliveryId>,
    limit: u32,
) -> Result<(Vec<DeliveryJson>, Option<DeliveryId>), Error> {
    own(cx, caller, id).await?;
    let limit = limit.clamp(1, super::read::MAX_LIMIT);
    let mut rows = cx.store.deliveries(id, before, limit + 1).await?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next = if more { rows.last().map(|row| row.id) } else { None };
    Ok((rows.into_iter().map(DeliveryJson::from).collect(), next))
}

/// Sends a delivery again, under the same `webhook-id`.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn redeliver(
    cx: &Context,
    caller: &Caller,
    id: EndpointId,
    delivery: DeliveryId,
) -> Result<DeliveryJson, Error> {
    own(cx, caller, id).await?;
    let (message_id, body) = cx.store.delivery_message(id, delivery).await?.ok_or(Error::NotFound)?;
    let now = cx.now();
    let again = Delivery {
        id: cx.id(DeliveryId::new, now),
        endpoint: id,
        cause: cause_of(&message_id),
        message_id,
        body,
        created_at: now,
    };
    queue(cx, caller, "delivery.repeated", again, now).await
}

/// Opens the secrets that sign now, the current one first.
///
/// # Errors
/// [`Error::Internal`] when they were sealed under another master key.
pub fn secrets(cx: &Context, endpoint: &Endpoint, now: Timestamp) -> Result<Vec<Vec<u8>>, Error> {
    let open =
        |sealed: &[u8]| cx.secrets.open(BoxKey::WebhookSecret, endpoint.id.bytes(), sealed).map_err(Error::internal);
    let mut secrets = vec![open(&endpoint.secret)?];
    if let Some((sealed, until)) = &endpoint.previous
        && now < *until
    {
        secrets.push(open(sealed)?);
    }
    Ok(secrets)
}

/// The text to show, once.
fn secret_text(secret: &[u8]) -> Result<String, Error> {
    let secret = WebhookSecret::from_bytes(secret.to_vec()).map_err(Error::internal)?;
    Ok(secret.reveal())
}

async fn own(cx: &Context, caller: &Caller, id: EndpointId) -> Result<Endpoint, Error> {
    caller_has(caller, Scope::Webhooks)?;
    cx.store.endpoint(caller.backend, id).await?.ok_or(Error::NotFound)
}

fn view(endpoint: &Endpoint, now: Timestamp) -> EndpointView {
    EndpointView {
        id: endpoint.id.to_string(),
        url: endpoint.url.to_string(),
        status: endpoint.status,
        created_at: endpoint.created_at,
        secret: None,
        previous_secret_until: endpoint.previous.as_ref().map(|(_, until)| *until).filter(|until| now < *until),
    }
}

async fn queue(
    cx: &Context,
    caller: &Caller,
    kind: &'static str,
    delivery: Delivery,
    now: Timestamp,
) -> Result<DeliveryJson, Error> {
    let objects: [&(dyn fmt::Display + Sync); 2] = [&delivery.endpoint, &delivery.id];
    let entry = cx.entry(kind, Actor::Backend(caller.key), &objects, Facts::new(), now)?;
    let shown = DeliveryJson {
        id: delivery.id.to_string(),
        message_id: delivery.message_id.clone(),
        status: "queued".to_owned(),
        attempts: 0,
        last_status: None,
        last_error: None,
        created_at: now,
        next_at: Some(now),
        done_at: None,
    };
    let mut change = Change::new(entry, Effect::Noted);
    change.deliveries.push(delivery);
    cx.store.commit(change).await?;
    Ok(shown)
}

/// An endpoint that moved on was removed.
fn gone(error: CommitOrFault) -> Error {
    if error.is_conflict() { Error::NotFound } else { error.into() }
}

async fn write(
    cx: &Context,
    caller: &Caller,
    kind: &'static str,
    id: EndpointId,
    effect: Effect,
    now: Timestamp,
) -> Result<(), CommitOrFault> {
    let entry = cx.entry(kind, Actor::Backend(caller.key), &[&id], Facts::new(), now)?;
    cx.store.commit(Change::new(entry, effect)).await.map_err(CommitOrFault::Commit)
}

impl From<DeliveryView> for DeliveryJson {
    fn from(row: DeliveryView) -> Self {
        Self {
            id: row.id.to_string(),
            message_id: row.message_id,
            status: row.status.as_str().to_owned(),
            attempts: row.attempts,
            last_status: row.last_status,
            last_error: row.last_error,
            created_at: row.created_at,
            next_at: row.next_at,
            done_at: row.done_at,
        }
    }
}
