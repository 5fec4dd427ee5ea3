//! The form of a URL table. One list makes both the routes and what names them, so that a route can't be there without
//! standing in its list, and a test can ask about each. What a route is exempt from stands in its row, too.

use actix_web::dev::ServiceRequest;

/// One route of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    pub method: &'static str,
    /// The pattern, without the prefix of the scope that it is registered in.
    pub path: &'static str,
    pub kind: Kind,
}

/// What a route does that the checks before it ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Usual,
    /// Stops something, for whoever holds the link: from anywhere, and as often as they like.
    StopsByLink,
    /// Stops something, for a browser that we know: as often as it likes.
    Stops,
    /// A page looks by itself whether it is still true: nobody did anything.
    Watches,
}

impl Kind {
    pub const fn stops(self) -> bool {
        matches!(self, Self::StopsByLink | Self::Stops)
    }
}

/// The kind of the route that a request goes to, by the rows of these lists.
pub fn kind_of(request: &ServiceRequest, lists: &[&[Entry]]) -> Kind {
    let Some(pattern) = request.match_pattern() else { return Kind::Usual };
    let method = request.method().as_str();
    let asked = |entry: &&Entry| entry.path == pattern && entry.method == method;
    lists.iter().copied().flatten().find(asked).map_or(Kind::Usual, |entry| entry.kind)
}

/// The word in a row for each [`Kind`].
macro_rules! kind {
    () => {
        $crate::web::table::Kind::Usual
    };
    (stops_by_link) => {
        $crate::web::table::Kind::StopsByLink
    };
    (stops) => {
        $crate::web::table::Kind::Stops
    };
    (watches) => {
        $crate::web::table::Kind::Watches
    };
}
pub(crate) use kind;

/// Makes a list of [`Entry`] and the function that registers them.
macro_rules! table {
    (
        $(#[$doc:meta])*
        $list:ident, $register:ident {
            $($path:literal => [$($method:ident $($handler:ident)::+ $(($kind:ident))?),+];)*
        }
    ) => {
        $(#[$doc])*
        pub const $list: &[$crate::web::table::Entry] = &[$($($crate::web::table::Entry {
            method: stringify!($method),
            path: $path,
            kind: $crate::web::table::kind!($($kind)?),
        },)+)*];

        fn $register(cfg: &mut actix_web::web::ServiceConfig) {
            $(cfg.service(
                actix_web::web::resource($path)
                    $(.route(actix_web::web::method(actix_web::http::Method::$method).to($($handler)::+)))+,
            );)*
        }
    };
}
pub(crate) use table;
