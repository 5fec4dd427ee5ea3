//! Countersign: an out-of-band approval service that stands between a person's intent and an irreversible movement of
//! money.
//!
//! Modules in reading order. The rule of imports, which a test checks: `domain` ← `ports` ← `service` ← {`web`,
//! `workers`} ← `app` ← `main`. Adapters import `domain` and `ports` only; `web` and `service` never name an adapter;
//! `app` alone does.

pub mod adapters;
pub mod app;
pub mod authenticator;
pub mod cli;
pub mod config;
pub mod demo;
pub mod domain;
pub mod keys;
pub mod ports;
pub mod service;
pub mod telemetry;
pub mod web;
pub mod workers;
