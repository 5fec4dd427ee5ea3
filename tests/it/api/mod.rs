//! The JSON API over real HTTP: a service with a record in memory and a clock that stands still, on a loopback port.
//! Every answer is held against the OpenAPI document.

mod access;
mod approvals;
mod batch;
mod call;
mod good;
mod holders;
mod hostile;
mod hostile_bodies;
mod logs;
mod outage;
mod pages;
mod problems;
mod rates;
mod requests;
mod stage;
mod waiting;
mod webhooks;
mod wire;
