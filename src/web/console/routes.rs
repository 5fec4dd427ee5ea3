//! The URL table of the console's listener.

use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig, get, post};

use super::{case, cases, change, failure, gate, holder, join, scim, sign_in, signed_in, staff};
use crate::web::device::assets;
use crate::web::guard;

/// Registers every route of the console.
pub fn configure(cfg: &mut ServiceConfig) {
    cfg.service(web::resource("/static/{file}").route(get().to(assets::file))).service(scim::scope()).service(
        web::scope("")
            .wrap(from_fn(failure::pages))
            .wrap(from_fn(gate::own_origin))
            .wrap(from_fn(guard::rate))
            .service(web::resource("/sign-in").route(get().to(sign_in::show)))
            .service(web::resource("/sign-in/start").route(post().to(sign_in::start)))
            .service(web::resource("/sign-in/finish").route(post().to(sign_in::finish)))
            .service(web::resource("/join/done").route(get().to(join::done)))
            .service(web::resource("/join/{token}").route(get().to(join::show)))
            .service(web::resource("/join/{token}/start").route(post().to(join::start)))
            .service(web::resource("/join/{token}/prove").route(post().to(join::prove)))
            .service(web::resource("/join/{token}/finish").route(post().to(join::finish)))
            .service(
                web::scope("")
                    .wrap(from_fn(signed_in::required))
                    .service(web::resource("/").route(get().to(cases::home)))
                    .service(web::resource("/cases/status").route(get().to(case::all_status)))
                    .service(web::resource("/cases/{case}").route(get().to(case::show)))
                    .service(web::resource("/cases/{case}/status").route(get().to(case::status)))
                    .service(web::resource("/cases/{case}/prompt").route(post().to(case::prompt)))
                    .service(web::resource("/cases/{case}/sign").route(post().to(case::sign)))
                    .service(web::resource("/cases/{case}/refuse").route(post().to(case::refuse)))
                    .service(web::resource("/cases/{case}/redraw").route(post().to(case::redraw)))
                    .service(web::resource("/cases/{case}/stop").route(post().to(case::stop)))
                    .service(web::resource("/looks/{view}/override").route(post().to(case::ask)))
                    .service(web::resource("/looks/{view}/lock").route(post().to(case::lock)))
                    .service(web::resource("/sign-out").route(post().to(sign_in::out)))
                    .service(web::resource("/holders").route(get().to(holder::ask)).route(post().to(holder::look)))
                    .service(web::resource("/looks/{view}").route(get().to(holder::show)))
                    .service(web::resource("/looks/{view}/{approval}/cancel").route(post().to(holder::cancel)))
                    .service(web::resource("/looks/{view}/{approval}/extend").route(post().to(holder::extend)))
                    .service(web::resource("/looks/{view}/{approval}/reveal").route(post().to(holder::reveal)))
                    .service(web::resource("/staff").route(get().to(staff::list)))
                    .service(web::resource("/staff/status").route(get().to(staff::status)))
                    .service(web::resource("/staff/add").route(get().to(change::add)))
                    .service(web::resource("/staff/draft").route(post().to(change::draft)))
                    .service(web::resource("/staff/propose").route(post().to(change::propose)))
                    .service(web::resource("/staff/changes/{change}").route(get().to(change::show)))
                    .service(web::resource("/staff/changes/{change}/prompt").route(post().to(change::prompt)))
                    .service(web::resource("/staff/changes/{change}/sign").route(post().to(change::sign)))
                    .service(web::resource("/staff/changes/{change}/refuse").route(post().to(change::refuse)))
                    .service(web::resource("/staff/{staff}").route(get().to(staff::show)))
                    .service(web::resource("/staff/{staff}/change").route(get().to(change::edit)))
                    .service(web::resource("/staff/{staff}/end").route(post().to(staff::end)))
                    .default_service(web::route().to(failure::not_found)),
            ),
    );
}
