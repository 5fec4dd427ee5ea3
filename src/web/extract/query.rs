//! The query, read like the fields of a body: unknown and repeated parameters are refused.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use url::form_urlencoded;

use super::fields::Fields;
use super::json::{MAX_FIELDS, Node};
use crate::web::problem::Problem;

/// No parameters: what a route takes that knows none.
#[derive(Debug, Clone, Copy)]
pub struct NoQuery;

impl FromRequest for NoQuery {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(parameters(req).and_then(|query| query.finish(Some(Self))))
    }
}

/// The parameters of this request.
///
/// # Errors
/// `invalid-request` when one is there twice, or there are too many.
pub fn parameters(req: &HttpRequest) -> Result<Fields<'_>, Problem> {
    let mut parameters: Vec<(_, Node<'_>)> = Vec::new();
    for (name, value) in form_urlencoded::parse(req.query_string().as_bytes()) {
        if parameters.iter().any(|(known, _)| *known == name) {
            return Err(Problem::invalid_field(shown(&name), "is there more than once"));
        }
        if parameters.len() == MAX_FIELDS {
            return Err(Problem::invalid_field("query", "has too many parameters"));
        }
        parameters.push((name, Node::Text(value)));
    }
    Ok(Fields::of_query(parameters))
}

/// The name of something unknown, as far as it can be told back: bounded, and without anything that isn't plain.
pub(super) fn shown(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_graphic() { c } else { '?' };
    name.chars().take(64).map(plain).collect()
}
