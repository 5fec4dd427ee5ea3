//! The form of a URL table. One list makes both the routes and what names them, so that a route can't be there without
//! standing in its list, and a test can ask about each.

/// One route of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    pub method: &'static str,
    /// The pattern, without the prefix of the scope that it is registered in.
    pub path: &'static str,
}

/// Makes a list of [`Entry`] and the function that registers them.
macro_rules! table {
    (
        $(#[$doc:meta])*
        $list:ident, $register:ident { $($path:literal => [$($method:ident $($handler:ident)::+),+];)* }
    ) => {
        $(#[$doc])*
        pub const $list: &[$crate::web::table::Entry] =
            &[$($($crate::web::table::Entry { method: stringify!($method), path: $path },)+)*];

        fn $register(cfg: &mut actix_web::web::ServiceConfig) {
            $(cfg.service(
                actix_web::web::resource($path)
                    $(.route(actix_web::web::method(actix_web::http::Method::$method).to($($handler)::+)))+,
            );)*
        }
    };
}
pub(crate) use table;
