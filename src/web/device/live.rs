//! Live status of a device page and of a waiting page: one JSON shape, by server-sent events or by polling.

use actix_web::{HttpResponse, Responder, web};
use actix_web_lab::sse;
use futures_util::{Stream, StreamExt};
use serde::Serialize;
use std::convert::Infallible;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

use super::failure::ScriptError;
use super::named;
use super::seen::Seen;
use crate::domain::Timestamp;
use crate::domain::approval::{Approval, State, StateName};
use crate::domain::link::LinkRefusal;
use crate::service::watch::Waiting;
use crate::service::{Context, Error, read, watch};

/// A connection is closed after this long; the page opens a new one.
const LONGEST: Duration = Duration::from_secs(15 * 60);

#[derive(Debug, Serialize)]
struct Status {
    state: StateName,
    version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    cooling_until: Option<Timestamp>,
    expires_at: Timestamp,
    now: Timestamp,
    #[serde(rename = "final")]
    is_final: bool,
}

impl Status {
    fn of(approval: &Approval, now: Timestamp) -> Self {
        let cooling_until = match &approval.state {
            State::Cooling { cooling_until, .. } => Some(*cooling_until),
            _ => None,
        };
        Self {
            state: approval.state.name(),
            version: approval.version,
            cooling_until,
            expires_at: approval.expires_at,
            now,
            is_final: approval.state.name().is_final(),
        }
    }
}

/// The approval of a device page, for the holder whose device asks.
async fn on_device(cx: &Context, path: &str, seen: &Seen) -> Result<Approval, Error> {
    let id = named(path)?;
    let device = seen.browser.device(cx).await?;
    let approval = cx.store.approval(id).await?.ok_or(Error::NotFound)?;
    if approval.holder == device.body.holder { Ok(approval) } else { Err(Error::NotFound) }
}

/// The approval of a waiting page.
async fn on_waiting(cx: &Context, token: &str, seen: &Seen) -> Result<Approval, Error> {
    match watch::look(cx, token, &seen.browser).await? {
        Waiting::Fresh(approval) | Waiting::Own(approval) => Ok(*approval),
        Waiting::Ended => Err(LinkRefusal::Ended.into()),
    }
}

pub async fn device_status(
    cx: web::Data<Context>,
    path: web::Path<String>,
    seen: Seen,
) -> Result<HttpResponse, ScriptError> {
    let approval = on_device(&cx, &path, &seen).await?;
    Ok(HttpResponse::Ok().json(Status::of(&approval, cx.now())))
}

pub async fn waiting_status(
    cx: web::Data<Context>,
    path: web::Path<String>,
    seen: Seen,
) -> Result<HttpResponse, ScriptError> {
    let approval = on_waiting(&cx, &path, &seen).await?;
    Ok(HttpResponse::Ok().json(Status::of(&approval, cx.now())))
}

pub async fn device_events(
    cx: web::Data<Context>,
    path: web::Path<String>,
    seen: Seen,
    stop: web::Data<CancellationToken>,
) -> Result<impl Responder, ScriptError> {
    let approval = on_device(&cx, &path, &seen).await?;
    Ok(events(&cx, &stop, &approval))
}

pub async fn waiting_events(
    cx: web::Data<Context>,
    path: web::Path<String>,
    seen: Seen,
    stop: web::Data<CancellationToken>,
) -> Result<impl Responder, ScriptError> {
    let approval = on_waiting(&cx, &path, &seen).await?;
    Ok(events(&cx, &stop, &approval))
}

fn events(
    cx: &Context,
    stop: &CancellationToken,
    approval: &Approval,
) -> sse::Sse<impl Stream<Item = Result<sse::Event, Infallible>> + use<>> {
    let cx = cx.clone();
    // A page that is open must not hold up the end of the service.
    let stopped = stop.clone().cancelled_owned();
    let id = approval.id;
    let news = cx.live.subscribe(id);
    let until = tokio::time::Instant::now() + LONGEST;
    let first = (approval.version, event(approval, cx.now()));
    let rest = futures_util::stream::unfold((cx, news, first.0), move |(cx, mut news, seen)| async move {
        while read::hear(&mut news, until).await {
            match cx.store.approval(id).await {
                Ok(Some(approval)) if approval.version > seen => {
                    let event = event(&approval, cx.now());
                    return Some((event, (cx, news, approval.version)));
                }
                Ok(Some(approval)) if approval.state.name().is_final() => return None,
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => return None,
            }
        }
        None
    });
    let stream = futures_util::stream::once(async move { first.1 }).chain(rest).take_until(Box::pin(stopped)).map(Ok);
    sse::Sse::from_stream(stream).with_keep_alive(Duration::from_secs(20))
}

fn event(approval: &Approval, now: Timestamp) -> sse::Event {
    let text = serde_json::to_string(&Status::of(approval, now)).unwrap_or_default();
    sse::Event::Data(sse::Data::new(text).event("status"))
}
