//! The API as OpenAPI 3.1, generated from the handlers and their types.
//!
//! Paths, parameters and bodies come from the handlers; which problems an operation can answer with comes from the
//! table of routes and from what the operation takes. A test compares every answer of the integration tests with it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use actix_web::http::Method;
use serde_json::json;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::schema::{AllOfBuilder, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{Modify, OpenApi};

use super::api::approvals::details::Details;
use super::api::{self, Access, ROUTES, Route};
use super::problem::{FieldError, Kind, MEDIA_TYPE, ProblemBody, TYPES};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Countersign",
        description = "Out-of-band approval of irreversible movements of money. Create an approval for a flagged \
            transfer, wait for a webhook or with a long poll, redeem it once it is released, and check the receipt \
            before you execute.\n\nEvery answer has an `x-request-id`. Every failure is an RFC 9457 problem whose `type` never changes its meaning.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    paths(
        api::keys::handle,
        api::document::handle,
        api::approvals::create::handle,
        api::approvals::list::handle,
        api::approvals::show::handle,
        api::approvals::cancel::handle,
        api::approvals::redeem::handle,
        api::holders::create::handle,
        api::holders::show::handle,
        api::holders::erase::handle,
        api::holders::invite::handle,
        api::notices::bounced::handle,
        api::webhooks::create::handle,
        api::webhooks::list::handle,
        api::webhooks::show::handle,
        api::webhooks::change::handle,
        api::webhooks::remove::handle,
        api::webhooks::rotate::handle,
        api::webhooks::test::handle,
        api::webhooks::deliveries::handle,
        api::webhooks::redeliver::handle,
    ),
    components(schemas(ProblemBody<'static>, FieldError, Details)),
    tags(
        (name = "approvals", description = "One decision about one transfer."),
        (name = "holders", description = "The people whose money it is."),
        (name = "notices", description = "What became of messages to holders."),
        (name = "webhooks", description = "Where you are told, after Standard Webhooks."),
        (name = "receipts", description = "What checks a receipt."),
        (name = "about", description = "This document."),
    ),
    modifiers(&Key, &DetailsOfApprovals, &Problems),
)]
struct Document;

/// The document.
pub fn document() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

/// The document as JSON, made once.
pub fn text() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| document().to_json().unwrap_or_default());
    &TEXT
}

/// How callers say who they are.
struct Key;

impl Modify for Key {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("cs_ and 43 characters")
            .description(Some("An API key. Each operation names the scope that the key must have."));
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("key", SecurityScheme::Http(scheme.build()));
    }
}

/// The details travel as canonical JSON, of which the type of an answer knows no more than that it is JSON.
struct DetailsOfApprovals;

impl Modify for DetailsOfApprovals {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let schemas = &mut document.components.get_or_insert_default().schemas;
        if let Some(RefOr::T(Schema::Object(view))) = schemas.get_mut("ApprovalView") {
            view.properties.insert("details".to_owned(), Ref::from_schema_name("Details").into());
        }
    }
}

/// The problems that each operation can answer with, one response for each status.
struct Problems;

impl Modify for Problems {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let shared = &mut document.components.get_or_insert_default().responses;
        for route in ROUTES {
            let item = document.paths.paths.get_mut(route.path);
            let Some(operation) = item.and_then(|item| operation(item, &route.method)) else { continue };
            let mut by_status: BTreeMap<u16, Vec<Kind>> = BTreeMap::new();
            for kind in problems(route, operation) {
                by_status.entry(kind.status().as_u16()).or_default().push(kind);
            }
            for (status, mut kinds) in by_status {
                kinds.sort_by_key(|kind| kind.slug());
                let slugs: Vec<&str> = kinds.iter().map(|kind| kind.slug()).collect();
                let name = format!("{status}.{}", slugs.join("."));
                let reference = Ref::from_response_name(&name);
                shared.entry(name).or_insert_with(|| response(&kinds).into());
                operation.responses.responses.insert(status.to_string(), reference.into());
            }
        }
    }
}

/// The operation of a method.
fn operation<'a>(item: &'a mut PathItem, method: &Method) -> Option<&'a mut Operation> {
    match *method {
        Method::GET => item.get.as_mut(),
        Method::POST => item.post.as_mut(),
        Method::PATCH => item.patch.as_mut(),
        Method::DELETE => item.delete.as_mut(),
        _ => None,
    }
}

/// Everything that can go wrong in an operation: its own problems, and those that follow from what it takes.
fn problems(route: &Route, operation: &Operation) -> Vec<Kind> {
    let mut kinds = route.problems.to_vec();
    let parameters = operation.parameters.iter().flatten().filter_map(|parameter| match parameter {
        RefOr::T(parameter) => Some(parameter),
        RefOr::Ref(_) => None,
    });
    let names: Vec<&str> = parameters.map(|parameter| parameter.name.as_str()).collect();
    if matches!(route.access, Access::Key(_)) {
        kinds.extend([Kind::InvalidRequest, Kind::Unauthenticated, Kind::ScopeMissing, Kind::RateLimited]);
        kinds.push(Kind::Unavailable);
        if route.path.contains('{') {
            kinds.push(Kind::NotFound);
        }
        if route.method != Method::GET {
            kinds.extend([Kind::BadRequest, Kind::MalformedJson, Kind::TooLarge, Kind::UnsupportedMediaType]);
        }
    }
    if names.contains(&"Idempotency-Key") {
        kinds.extend([Kind::IdempotencyKeyMissing, Kind::IdempotencyKeyInvalid]);
        // A redeem knows its repeats by the approval, not by the stored request.
        if !route.path.ends_with("/redeem") {
            kinds.push(Kind::IdempotencyMismatch);
        }
    }
    kinds.push(Kind::Internal);
    kinds
}

fn response(kinds: &[Kind]) -> Response {
    let lines: Vec<String> = kinds.iter().map(|kind| format!("`{}`: {}.", kind.slug(), kind.title())).collect();
    let types: Vec<String> = kinds.iter().map(|kind| format!("{TYPES}{}", kind.slug())).collect();
    let example = kinds.first().map(|kind| {
        json!({
            "type": format!("{TYPES}{}", kind.slug()),
            "title": kind.title(),
            "status": kind.status().as_u16(),
            "detail": kind.title(),
            "request_id": "019ab3d4-6f20-7b1e-9c3a-5d2f8e417a60",
        })
    });
    let kind = ObjectBuilder::new().schema_type(SchemaType::Type(Type::String)).enum_values(Some(types));
    let schema =
        AllOfBuilder::new().item(Ref::from_schema_name("Problem")).item(ObjectBuilder::new().property("type", kind));
    let content = ContentBuilder::new().schema(Some(schema)).example(example).build();
    ResponseBuilder::new().description(lines.join("\n\n")).content(MEDIA_TYPE, content).build()
}
