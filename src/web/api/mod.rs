//! The JSON API for backends, under `/v1`, and two documents that anybody may read.
//!
//! Owns the table of its routes. Each file is one verb: it takes the request apart with `web::extract`, calls one use
//! case of `service`, and puts the answer together with [`answer`]. May import: `domain`, `service`, `web`. Flow goes
//! on in `service`.

pub mod answer;
pub mod approvals;
pub mod document;
pub mod holders;
pub mod keys;
pub mod notices;
pub mod webhooks;

use actix_web::http::Method;
use actix_web::middleware::from_fn;
use actix_web::web;

use super::extract::authenticate;
use super::problem::Kind;
use super::request_id::no_route;
use crate::domain::backend::Scope;

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Public,
    /// Whoever has an API key with this scope.
    Key(Scope),
}

/// One route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    pub method: Method,
    /// The pattern, as in OpenAPI.
    pub path: &'static str,
    /// The module below this one that answers it, by its `handle`.
    pub handler: &'static [&'static str],
    pub access: Access,
    /// What can go wrong here beside what can go wrong everywhere.
    pub problems: &'static [Kind],
}

// One list makes both the routes and the table of them, so that the table can't leave one out.
macro_rules! routes {
    (
        public { $($open:literal => [$($open_method:ident $($open_handler:ident)::+),+];)* }
        keyed { $($path:literal => [$($method:ident $scope:ident $($handler:ident)::+),+];)* }
    ) => {
        /// Every route of the API.
        pub const ROUTES: &[Route] = &[
            $($(Route {
                method: Method::$open_method,
                path: $open,
                handler: &[$(stringify!($open_handler)),+],
                access: Access::Public,
                problems: $($open_handler)::+::PROBLEMS,
            },)+)*
            $($(Route {
                method: Method::$method,
                path: $path,
                handler: &[$(stringify!($handler)),+],
                access: Access::Key(Scope::$scope),
                problems: $($handler)::+::PROBLEMS,
            },)+)*
        ];

        /// Registers them.
        pub fn configure(cfg: &mut web::ServiceConfig) {
            $(cfg.service(
                web::resource($open)
                    $(.route(web::method(Method::$open_method).to($($open_handler)::+::handle)))+,
            );)*
            $(cfg.service(
                web::resource($path)
                    .wrap(from_fn(authenticate))
                    $(.route(web::method(Method::$method).to($($handler)::+::handle)))+,
            );)*
            // Below `/v1` nothing is a page, not even what isn't there.
            cfg.service(web::resource(["/v1", "/v1/{rest:.*}"]).to(no_route));
        }
    };
}

routes! {
    public {
        "/.well-known/jwks.json" => [GET keys];
        "/openapi.json" => [GET document];
    }
    keyed {
        "/v1/approvals" => [POST Create approvals::create, GET Read approvals::list];
        "/v1/approvals/{id}" => [GET Read approvals::show];
        "/v1/approvals/{id}/cancel" => [POST Cancel approvals::cancel];
        "/v1/approvals/{id}/redeem" => [POST Redeem approvals::redeem];
        "/v1/holders" => [POST Enrol holders::create];
        "/v1/holders/{subject}" => [GET Enrol holders::show, DELETE Erase holders::erase];
        "/v1/holders/{subject}/enrolments" => [POST Enrol holders::invite];
        "/v1/notices/{id}/bounced" => [POST Cancel notices::bounced];
        "/v1/webhooks/endpoints" => [POST Webhooks webhooks::create, GET Webhooks webhooks::list];
        "/v1/webhooks/endpoints/{id}" => [
            GET Webhooks webhooks::show,
            PATCH Webhooks webhooks::change,
            DELETE Webhooks webhooks::remove
        ];
        "/v1/webhooks/endpoints/{id}/rotate" => [POST Webhooks webhooks::rotate];
        "/v1/webhooks/endpoints/{id}/test" => [POST Webhooks webhooks::test];
        "/v1/webhooks/endpoints/{id}/deliveries" => [GET Webhooks webhooks::deliveries];
        "/v1/webhooks/endpoints/{id}/deliveries/{delivery}/redeliver" => [POST Webhooks webhooks::redeliver];
    }
}
