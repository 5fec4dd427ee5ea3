//! Countersign: an out-of-band approval service that stands between a person's intent and an irreversible movement of
//! money.
//!
//! Modules in reading order. The rule of imports, which a test checks: `domain` ← `ports` ← `service` ← {`web`,
//! `workers`} ← `app` ← `main`. Adapters import `domain` and `ports` only; `web` and `service` never name an adapter;
//! `app` alone does.

pub mod domain;
pub mod ports;
pub mod service;
pub mod workers;
pub mod web;
pub mod adapters;
pub mod config;
pub mod telemetry;
pub mod app;
pub mod keys;
pub mod authenticator;
pub mod demo;
