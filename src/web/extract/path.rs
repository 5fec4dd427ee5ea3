//! One part of the path, parsed.

use std::borrow::Cow;
use std::fmt::Display;

use actix_web::HttpRequest;

use crate::web::error::internal;
use crate::web::problem::Problem;

/// The part of the path that the route calls `name`.
///
/// # Errors
/// `invalid-request` when it doesn't parse.
pub fn part<T, E: Display>(
    req: &HttpRequest,
    name: &'static str,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, Problem> {
    // Only a route whose pattern lacks the name has no such part.
    let raw = req.match_info().get(name).ok_or_else(internal)?;
    parse(&decoded(raw)).map_err(|error| Problem::invalid_field(name, error))
}

/// The router has decoded everything but `%2F`, `%2B` and `%25`, which would have changed where the part ends.
fn decoded(raw: &str) -> Cow<'_, str> {
    if !raw.contains('%') {
        return Cow::Borrowed(raw);
    }
    let slashes = raw.replace("%2F", "/").replace("%2f", "/");
    let pluses = slashes.replace("%2B", "+").replace("%2b", "+");
    Cow::Owned(pluses.replace("%25", "%"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_router_leaves_is_decoded_once() {
        assert_eq!(decoded("a-b"), "a-b");
        assert_eq!(decoded("a%2Fb%2bc"), "a/b+c");
        assert_eq!(decoded("a%252Fb"), "a%2Fb");
    }
}
