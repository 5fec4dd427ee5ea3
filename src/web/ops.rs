//! Health and metrics. `/healthz` says that the process answers; `/readyz` that the record can be reached, and what is
//! missing that it can do without; `/metrics` stands on a listener of its own.

use actix_web::{HttpResponse, web};
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Serialize;

use crate::service::{Context, Error, log};
use crate::workers::ClockGate;

#[derive(Serialize)]
struct Ready {
    status: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    degraded: Vec<&'static str>,
}

pub async fn healthz() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ok\n")
}

/// 200 with `degraded` while the timers' or the news' server or a witness too many is gone, 503 only without SQL (design section 4).
pub async fn readyz(cx: web::Data<Context>, gate: web::Data<ClockGate>) -> HttpResponse {
    if let Err(error) = cx.store.now().await {
        tracing::warn!(error = %error, "not ready");
        return HttpResponse::ServiceUnavailable().json(Ready { status: "unavailable", degraded: vec!["sql"] });
    }
    let mut degraded = Vec::new();
    if cx.timers.count().await.is_err() {
        degraded.push("timers");
    }
    if !cx.live.is_connected() {
        degraded.push("live");
    }
    if !gate.is_open() {
        degraded.push("clock");
    }
    if matches!(log::ensure_whole(&cx).await, Err(Error::RolledBack(_))) {
        degraded.push("log");
    }
    // Receipts wait; whatever needs none goes on.
    if matches!(log::standing(&cx).await, Ok(log::Standing::Late)) {
        degraded.push("witnesses");
    }
    let status = if degraded.is_empty() { "ready" } else { "degraded" };
    HttpResponse::Ok().json(Ready { status, degraded })
}

pub async fn metrics(handle: web::Data<PrometheusHandle>) -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(handle.render())
}
