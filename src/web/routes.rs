//! The URL table of the public listener: every route of it stands here or in `web::api`, and nowhere else. The
//! console, which has a listener of its own, has its table in `web::console::routes`.

use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};

use super::device::{
    assets, cancel, decide, enrol, failure, home, link, live, lock, prompt, push, reject, show, views, waiting,
};
use super::table::table;
use super::{api, guard, log, ops};

table! {
/// What every program may read: no page, and nobody's.
OPEN, open {
    "/healthz" => [GET ops::healthz];
    "/readyz" => [GET ops::readyz];
    "/log/checkpoint" => [GET log::checkpoint::handle];
    "/log/keys" => [GET log::keys::handle];
    "/log/tile/{tile:.+}" => [GET log::tile::handle];
    "/static/{file}" => [GET assets::file];
    "/sw.js" => [GET assets::service_worker];
    "/manifest.webmanifest" => [GET assets::manifest];
}
}

table! {
/// The holder's pages, and those of whoever waits for a holder.
PAGES, pages {
    "/" => [GET home::home];
    "/a/{approval}" => [GET show::show];
    "/a/{approval}/prompt" => [POST prompt::prompt];
    "/a/{approval}/approve" => [POST decide::approve];
    "/a/{approval}/reject" => [POST reject::reject (stops)];
    "/a/{approval}/cancel" => [POST cancel::cancel (stops)];
    "/a/{approval}/status" => [GET live::device_status];
    "/a/{approval}/events" => [GET live::device_events];
    "/c/{token}" => [GET link::show, POST link::stop (stops_by_link)];
    "/c/{token}/lock" => [GET lock::show_by_cancel_link, POST lock::by_cancel_link (stops_by_link)];
    "/l/{token}" => [GET lock::show_by_lock_link, POST lock::by_lock_link (stops_by_link)];
    "/o/{token}" => [GET lock::show_override, POST lock::stop_by_link (stops_by_link)];
    "/lock" => [GET lock::show, POST lock::lock (stops)];
    "/lock/prompt" => [POST lock::prompt];
    "/lock/lift" => [POST lock::ask_lift];
    "/overrides/{request}/stop" => [POST lock::stop_by_device (stops)];
    "/w/{token}" => [GET waiting::show];
    "/w/{token}/open" => [POST waiting::open];
    "/w/{token}/cancel" => [POST waiting::stop (stops)];
    "/w/{token}/status" => [GET live::waiting_status];
    "/w/{token}/events" => [GET live::waiting_events];
    "/e/done" => [GET enrol::done];
    "/e/declined" => [GET enrol::declined];
    "/e/{token}" => [GET enrol::show];
    "/e/{token}/start" => [POST enrol::start];
    "/e/{token}/prove" => [POST enrol::prove];
    "/e/{token}/finish" => [POST enrol::finish];
    "/e/{token}/decline" => [POST enrol::decline (stops_by_link)];
    "/views" => [GET views::show];
    "/push/key" => [GET push::key];
    "/push/subscribe" => [POST push::subscribe];
}
}

/// Registers every route.
pub fn configure(cfg: &mut ServiceConfig) {
    api::configure(cfg);
    open(cfg);
    cfg.service(
        web::scope("")
            .wrap(from_fn(failure::pages))
            .wrap(from_fn(guard::same_site))
            .wrap(from_fn(guard::rate))
            .configure(pages)
            .default_service(web::route().to(failure::not_found)),
    );
}
