//! The whole URL table. Every route of the public listener stands here or in `web::api`, and nowhere else.

use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig, get, post};

use super::device::{
    assets, cancel, decide, enrol, failure, home, link, live, lock, prompt, push, reject, show, views, waiting,
};
use super::{api, guard, log, ops};

/// Registers every route.
pub fn configure(cfg: &mut ServiceConfig) {
    api::configure(cfg);
    cfg.service(web::resource("/healthz").route(get().to(ops::healthz)))
        .service(web::resource("/readyz").route(get().to(ops::readyz)))
        .service(web::resource("/log/checkpoint").route(get().to(log::checkpoint::handle)))
        .service(web::resource("/log/keys").route(get().to(log::keys::handle)))
        .service(web::resource("/log/tile/{tile:.+}").route(get().to(log::tile::handle)))
        .service(web::resource("/static/{file}").route(get().to(assets::file)))
        .service(web::resource("/sw.js").route(get().to(assets::service_worker)))
        .service(web::resource("/manifest.webmanifest").route(get().to(assets::manifest)))
        .service(
            web::scope("")
                .wrap(from_fn(failure::pages))
                .wrap(from_fn(guard::same_site))
                .wrap(from_fn(guard::rate))
                .service(web::resource("/").route(get().to(home::home)))
                .service(web::resource("/a/{approval}").route(get().to(show::show)))
                .service(web::resource("/a/{approval}/prompt").route(post().to(prompt::prompt)))
                .service(web::resource("/a/{approval}/approve").route(post().to(decide::approve)))
                .service(web::resource("/a/{approval}/reject").route(post().to(reject::reject)))
                .service(web::resource("/a/{approval}/cancel").route(post().to(cancel::cancel)))
                .service(web::resource("/a/{approval}/status").route(get().to(live::device_status)))
                .service(web::resource("/a/{approval}/events").route(get().to(live::device_events)))
                .service(web::resource("/c/{token}").route(get().to(link::show)).route(post().to(link::stop)))
                .service(
                    web::resource("/c/{token}/lock")
                        .route(get().to(lock::show_by_cancel_link))
                        .route(post().to(lock::by_cancel_link)),
                )
                .service(
                    web::resource("/l/{token}")
                        .route(get().to(lock::show_by_lock_link))
                        .route(post().to(lock::by_lock_link)),
                )
                .service(
                    web::resource("/o/{token}")
                        .route(get().to(lock::show_override))
                        .route(post().to(lock::stop_by_link)),
                )
                .service(web::resource("/lock").route(get().to(lock::show)).route(post().to(lock::lock)))
                .service(web::resource("/lock/prompt").route(post().to(lock::prompt)))
                .service(web::resource("/lock/lift").route(post().to(lock::ask_lift)))
                .service(web::resource("/overrides/{request}/stop").route(post().to(lock::stop_by_device)))
                .service(web::resource("/w/{token}").route(get().to(waiting::show)))
                .service(web::resource("/w/{token}/open").route(post().to(waiting::open)))
                .service(web::resource("/w/{token}/cancel").route(post().to(waiting::stop)))
                .service(web::resource("/w/{token}/status").route(get().to(live::waiting_status)))
                .service(web::resource("/w/{token}/events").route(get().to(live::waiting_events)))
                .service(web::resource("/e/done").route(get().to(enrol::done)))
                .service(web::resource("/e/declined").route(get().to(enrol::declined)))
                .service(web::resource("/e/{token}").route(get().to(enrol::show)))
                .service(web::resource("/e/{token}/start").route(post().to(enrol::start)))
                .service(web::resource("/e/{token}/prove").route(post().to(enrol::prove)))
                .service(web::resource("/e/{token}/finish").route(post().to(enrol::finish)))
                .service(web::resource("/e/{token}/decline").route(post().to(enrol::decline)))
                .service(web::resource("/views").route(get().to(views::show)))
                .service(web::resource("/push/key").route(get().to(push::key)))
                .service(web::resource("/push/subscribe").route(post().to(push::subscribe)))
                .default_service(web::route().to(failure::not_found)),
        );
}
