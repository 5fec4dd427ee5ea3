//! HTTP: the JSON API for backends, the pages for holders, and what stands before both. [`routes`] is the map.
//!
//! May import `service`, `ports` (errors and views) and `domain`; never an adapter. Handlers are thin: read the request,
//! call one use case, write the answer. `error` alone turns errors into something said outside.

pub mod api;
pub mod console;
pub mod device;
pub mod error;
pub mod extract;
pub mod guard;
pub mod log;
pub mod openapi;
pub mod ops;
pub mod pages;
pub mod problem;
pub mod qr;
pub mod request_id;
pub mod routes;
pub mod steps;
pub mod table;
