//! Listeners: the public one with every route of `web::routes`, and the one for operations.

use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};
use ipnet::IpNet;
use metrics_exporter_prometheus::PrometheusHandle;
use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::Tls;
use crate::service::Context;
use crate::service::audit::Record;
use crate::web::device::push::PushKey;
use crate::web::extract::TrustedProxies;
use crate::web::{guard, ops, request_id, routes};
use crate::workers::ClockGate;

/// How long a connection is kept for its next request. Longer than clients and proxies keep theirs (commonly 60 to
/// 90 s), because whoever closes first makes the other's next request fail.
const KEEP_ALIVE: Duration = Duration::from_secs(120);

/// What every listener's routes share.
#[derive(Clone)]
pub struct Site {
    pub cx: Context,
    pub gate: ClockGate,
    pub metrics: PrometheusHandle,
    pub push_key: Option<String>,
    pub proxies: Vec<IpNet>,
    pub stop: CancellationToken,
}

/// The public listener.
pub fn public(site: &Site, listener: TcpListener, tls: Option<&Tls>) -> anyhow::Result<Server> {
    let site = site.clone();
    let build = move || {
        App::new().configure(|cfg| configure(cfg, &site)).wrap(from_fn(guard::headers)).wrap(from_fn(request_id::trace))
    };
    let server = HttpServer::new(build)
        .workers(std::thread::available_parallelism().map_or(2, std::num::NonZero::get).min(8))
        .keep_alive(KEEP_ALIVE)
        .client_request_timeout(Duration::from_secs(10))
        .shutdown_timeout(10)
        .disable_signals();
    let server = match tls {
        Some(tls) => server.listen_rustls_0_23(listener, tls_config(tls)?)?,
        None => server.listen(listener)?,
    };
    Ok(server.run())
}

/// The console's listener: other routes, on another origin.
pub fn console(site: &Site, record: Record, listener: TcpListener, tls: Option<&Tls>) -> anyhow::Result<Server> {
    let site = site.clone();
    let build = move || {
        App::new()
            .app_data(web::Data::new(site.cx.clone()))
            .app_data(web::Data::new(record.clone()))
            .app_data(web::Data::new(site.stop.clone()))
            .app_data(web::Data::new(TrustedProxies(site.proxies.clone())))
            .configure(crate::web::console::routes::configure)
            .wrap(from_fn(guard::headers))
            .wrap(from_fn(request_id::trace))
    };
    let server = HttpServer::new(build)
        .workers(1)
        .client_request_timeout(Duration::from_secs(10))
        .shutdown_timeout(10)
        .disable_signals();
    let server = match tls {
        Some(tls) => server.listen_rustls_0_23(listener, tls_config(tls)?)?,
        None => server.listen(listener)?,
    };
    Ok(server.run())
}

/// Everything that the routes need; also what tests of the routes use.
pub fn configure(cfg: &mut web::ServiceConfig, site: &Site) {
    cfg.app_data(web::Data::new(site.cx.clone()))
        .app_data(web::Data::new(site.gate.clone()))
        .app_data(web::Data::new(PushKey(site.push_key.clone())))
        .app_data(web::Data::new(site.stop.clone()))
        .app_data(web::Data::new(TrustedProxies(site.proxies.clone())))
        .configure(routes::configure);
}

/// The listener for health and metrics.
pub fn ops(site: &Site, listener: TcpListener) -> anyhow::Result<Server> {
    let site = site.clone();
    let build = move || {
        App::new()
            .app_data(web::Data::new(site.cx.clone()))
            .app_data(web::Data::new(site.gate.clone()))
            .app_data(web::Data::new(site.metrics.clone()))
            .route("/healthz", web::get().to(ops::healthz))
            .route("/readyz", web::get().to(ops::readyz))
            .route("/metrics", web::get().to(ops::metrics))
    };
    Ok(HttpServer::new(build).workers(1).shutdown_timeout(2).disable_signals().listen(listener)?.run())
}

/// Runs a server until told to stop; requests in hand are finished.
pub fn run(tasks: &mut JoinSet<anyhow::Result<()>>, server: Server, stop: CancellationToken) {
    let handle = server.handle();
    tasks.spawn(async move { Ok(server.await?) });
    tasks.spawn(async move {
        stop.cancelled().await;
        handle.stop(true).await;
        Ok(())
    });
}

fn tls_config(tls: &Tls) -> anyhow::Result<ServerConfig> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(&tls.cert_file)?.collect();
    let key = PrivateKeyDer::from_pem_file(&tls.key_file)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain?, key)?)
}
