//! Logs as JSON lines with `tracing`, and metrics for Prometheus. Nothing secret is ever a field; requests carry
//! `request.id`, approvals `approval.id`.

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Json,
    /// For a person at a terminal.
    Text,
}

/// Starts logging to standard error. A second start is refused quietly, so that tests may share a process.
pub fn start_logs(format: LogFormat, filter: &str) {
    // The WebAuthn library logs what it was given; that is for nobody's log.
    let quiet = "webauthn_rs_core=off";
    let filter =
        EnvFilter::try_new(format!("{filter},{quiet}")).unwrap_or_else(|_| EnvFilter::new(format!("info,{quiet}")));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init(),
        LogFormat::Text => builder.compact().with_target(false).try_init(),
    };
    if started.is_err() {
        tracing::debug!("logging was started before");
    }
}

/// Starts collecting metrics, or joins the collector that this process has already.
///
/// # Errors
/// When buckets can't be set.
pub fn start_metrics() -> anyhow::Result<PrometheusHandle> {
    static HANDLE: std::sync::OnceLock<PrometheusHandle> = std::sync::OnceLock::new();
    if let Some(handle) = HANDLE.get() {
        return Ok(handle.clone());
    }
    let seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0];
    let recorder = PrometheusBuilder::new().set_buckets(&seconds)?.build_recorder();
    let handle = HANDLE.get_or_init(|| recorder.handle()).clone();
    if metrics::set_global_recorder(recorder).is_err() {
        tracing::debug!("metrics were started before");
    }
    describe();
    Ok(handle)
}

fn describe() {
    use metrics::{describe_counter, describe_gauge, describe_histogram};
    describe_counter!("countersign_transitions_total", "Stored transitions by the state and reason they led to");
    describe_counter!("countersign_prompts_total", "Answered prompts by outcome");
    describe_counter!("countersign_notices_total", "Tries of notices by purpose and outcome");
    describe_counter!("countersign_webhooks_total", "Tries of webhooks by outcome");
    describe_counter!("countersign_refused_rows_total", "Rows that were forged or corrupt");
    describe_gauge!("countersign_approvals", "Living approvals by state");
    describe_gauge!("countersign_timers", "Timers set or leased");
    describe_gauge!("countersign_clock_agrees", "1 while the node's clock and the database's agree");
    describe_gauge!("countersign_outbox_age_seconds", "Age of the oldest message that should have gone out");
    describe_gauge!("countersign_outbox_rows", "Messages that should have gone out, by kind");
    describe_histogram!("countersign_timer_lateness_seconds", "From a timer's due time to its stored transition");
    describe_histogram!("countersign_webhook_seconds", "From a transition to its delivered webhook");
    describe_histogram!("countersign_commit_batch_size", "Changes that shared a transaction");
    describe_histogram!("countersign_commit_seconds", "Time of a commit in the store");
}
