//! The exchange's web site: routes, headers, static files. [`pages`] are the views, [`handlers`] what they call.
//!
//! It is a site of its own on a host of its own, so that its cookies, if it had any, could never be Countersign's. May
//! import: actix-web, and the exchange's own modules.

mod handlers;
pub mod pages;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Server, ServiceRequest, ServiceResponse};
use actix_web::http::{Method, header};
use actix_web::middleware::{DefaultHeaders, Next, from_fn};
use actix_web::{App, HttpResponse, HttpServer, web};
use std::net::TcpListener;
use std::sync::Arc;
use url::Url;

use super::desk::Desk;

/// Where webhooks come in.
pub const HOOK: &str = "/hooks/countersign";

/// What the handlers share.
pub struct Site {
    pub desk: Arc<Desk>,
    /// The exchange's own origin.
    origin: String,
    /// Countersign's.
    pub countersign: Url,
}

/// Serves the site on a listener that is bound already.
///
/// # Errors
/// When it can't be listened on.
pub fn serve(desk: Arc<Desk>, url: &Url, countersign: &Url, listener: TcpListener) -> std::io::Result<Server> {
    let origin = url.origin().ascii_serialization();
    let site = web::Data::new(Site { desk, origin, countersign: countersign.clone() });
    // A form may post to the exchange only, but the answer leads on to the waiting page, and browsers hold that to the
    // same rule.
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
         form-action 'self' {}; frame-ancestors 'none'; base-uri 'none'",
        countersign.origin().ascii_serialization(),
    );
    let build = move || {
        let headers = DefaultHeaders::new()
            .add((header::CONTENT_SECURITY_POLICY, policy.as_str()))
            .add((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .add((header::REFERRER_POLICY, "same-origin"))
            .add((header::CACHE_CONTROL, "no-store"));
        App::new()
            .app_data(site.clone())
            .route(HOOK, web::post().to(handlers::hook))
            .service(
                web::scope("")
                    .wrap(from_fn(own_forms))
                    .route("/", web::get().to(handlers::withdraw_form))
                    .route("/withdraw", web::post().to(handlers::withdraw))
                    .route("/orders/{id}", web::get().to(handlers::order))
                    .route("/orders/{id}/status", web::get().to(handlers::order_status))
                    .route("/orders/{id}/cancel", web::post().to(handlers::cancel))
                    .route("/orders/{id}/try/{trick}", web::post().to(handlers::trick))
                    .route("/phone", web::get().to(handlers::phone))
                    .route("/phone", web::post().to(handlers::invite))
                    .route("/phone/status", web::get().to(handlers::phone_status))
                    .route("/person", web::post().to(handlers::start_over))
                    .route("/inbox", web::get().to(handlers::inbox))
                    .route("/inbox/status", web::get().to(handlers::inbox_status))
                    .route("/static/{file}", web::get().to(file))
                    .default_service(web::to(handlers::nothing_here)),
            )
            .wrap(headers)
    };
    Ok(HttpServer::new(build).workers(1).shutdown_timeout(1).disable_signals().listen(listener)?.run())
}

/// Forms are taken from the exchange's own pages only (Fetch Metadata; where a browser doesn't send it, `Origin`).
async fn own_forms(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let own = match (text("sec-fetch-site"), text("origin"), request.app_data::<web::Data<Site>>()) {
        (Some(site), _, _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin), Some(site)) => origin == site.origin,
        (None, None, _) => true,
        (None, Some(_), None) => false,
    };
    if request.method() == Method::POST && !own {
        return Ok(request.into_response(HttpResponse::Forbidden().finish()));
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}

/// The style sheet of the holder pages is used here too; the rest is the exchange's own.
async fn file(name: web::Path<String>) -> HttpResponse {
    let (kind, text) = match name.as_str() {
        "app.css" => ("text/css; charset=utf-8", include_str!("../../../../static/app.css")),
        "exchange.css" => ("text/css; charset=utf-8", include_str!("../assets/exchange.css")),
        "follow.js" => ("text/javascript; charset=utf-8", include_str!("../assets/follow.js")),
        "total.js" => ("text/javascript; charset=utf-8", include_str!("../assets/total.js")),
        _ => return HttpResponse::NotFound().finish(),
    };
    HttpResponse::Ok().content_type(kind).body(text)
}
