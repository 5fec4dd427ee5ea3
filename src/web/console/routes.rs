//! The URL table of the console's listener. What an identity provider asks stands in [`scim`].

use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};

use super::{audit, case, cases, change, failure, gate, holder, join, scim, sign_in, signed_in, staff};
use crate::web::device::assets;
use crate::web::guard;
use crate::web::table::table;

table! {
/// What every program may read.
OPEN, open {
    "/static/{file}" => [GET assets::file];
}
}

table! {
/// What somebody does who isn't signed in yet.
ENTRANCE, entrance {
    "/sign-in" => [GET sign_in::show];
    "/sign-in/start" => [POST sign_in::start];
    "/sign-in/finish" => [POST sign_in::finish];
    "/join/done" => [GET join::done];
    "/join/{token}" => [GET join::show];
    "/join/{token}/start" => [POST join::start];
    "/join/{token}/prove" => [POST join::prove];
    "/join/{token}/finish" => [POST join::finish];
}
}

table! {
/// What needs a session. Which role each needs is asked where it is done.
INSIDE, inside {
    "/" => [GET cases::home];
    "/cases/status" => [GET case::all_status (watches)];
    "/cases/{case}" => [GET case::show];
    "/cases/{case}/status" => [GET case::status (watches)];
    "/cases/{case}/prompt" => [POST case::prompt];
    "/cases/{case}/sign" => [POST case::sign];
    "/cases/{case}/refuse" => [POST case::refuse (stops)];
    "/cases/{case}/redraw" => [POST case::redraw];
    "/cases/{case}/stop" => [POST case::stop (stops)];
    "/looks/{view}/override" => [POST case::ask];
    "/looks/{view}/lock" => [POST case::lock (stops)];
    "/sign-out" => [POST sign_in::out];
    "/holders" => [GET holder::ask, POST holder::look];
    "/looks/{view}" => [GET holder::show];
    "/looks/{view}/{approval}/cancel" => [POST holder::cancel (stops)];
    "/looks/{view}/{approval}/extend" => [POST holder::extend];
    "/looks/{view}/{approval}/reveal" => [POST holder::reveal];
    "/staff" => [GET staff::list];
    "/staff/status" => [GET staff::status (watches)];
    "/staff/add" => [GET change::add];
    "/staff/draft" => [POST change::draft];
    "/staff/propose" => [POST change::propose];
    "/staff/changes/{change}" => [GET change::show];
    "/staff/changes/{change}/prompt" => [POST change::prompt];
    "/staff/changes/{change}/sign" => [POST change::sign];
    "/staff/changes/{change}/refuse" => [POST change::refuse];
    "/staff/{staff}" => [GET staff::show];
    "/staff/{staff}/change" => [GET change::edit];
    "/staff/{staff}/end" => [POST staff::end (stops)];
    "/audit" => [GET audit::list, POST audit::ask];
    "/audit/{entry}" => [GET audit::entry];
    "/report" => [GET audit::report, POST audit::ask_report];
}
}

/// Registers every route of the console.
pub fn configure(cfg: &mut ServiceConfig) {
    open(cfg);
    cfg.service(scim::scope()).service(
        web::scope("")
            .wrap(from_fn(failure::pages))
            .wrap(from_fn(gate::own_origin))
            .wrap(from_fn(guard::rate))
            .configure(entrance)
            .service(
                web::scope("")
                    .wrap(from_fn(signed_in::required))
                    .configure(inside)
                    .default_service(web::route().to(failure::not_found)),
            ),
    );
}
