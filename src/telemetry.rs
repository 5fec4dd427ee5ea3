//! Logs as JSON lines with `tracing`, and metrics for Prometheus. Nothing secret is ever a field; requests carry
//! `request.id`, approvals `approval.id`.

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// Time between two takings of what was measured.
const TIDY: Duration = Duration::from_secs(5);

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
    let sizes = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0];
    let builder = PrometheusBuilder::new().set_buckets(&seconds)?;
    let builder = builder.set_buckets_for_metric(Matcher::Suffix("_size".to_owned()), &sizes)?;
    let recorder = builder.build_recorder();
    let handle = HANDLE.get_or_init(|| recorder.handle()).clone();
    if metrics::set_global_recorder(recorder).is_err() {
        tracing::debug!("metrics were started before");
    }
    describe();
    Ok(handle)
}

/// Takes what was measured into the histograms every few seconds, so that it doesn't pile up where nobody reads them.
pub async fn tidy(metrics: PrometheusHandle, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(TIDY)).await.is_some() {
        metrics.run_upkeep();
    }
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
    describe_histogram!("countersign_commit_seconds", "Time of a transaction that stores changes");
    describe_histogram!("countersign_read_seconds", "Time of a read in the store");
    describe_counter!("countersign_freezes_total", "Holders frozen, by reason");
    describe_counter!("countersign_overrides_total", "What happened to overrides, by event");
    describe_counter!("countersign_erasures_total", "Erasures of holders, by step");
    describe_counter!("countersign_pruned_rows_total", "Old notices and webhooks that were deleted, by kind");
    describe_counter!("countersign_log_entries_total", "Audit entries that this node gave their place in the log");
    describe_counter!("countersign_log_overtaken_total", "Times that another node was faster to extend the log");
    describe_counter!("countersign_log_refused_total", "Audit entries that nobody with the key wrote");
    describe_counter!(
        "countersign_log_faults_total",
        "Times that the log could not be extended, or wasn't the one that was signed"
    );
    describe_counter!("countersign_log_witness_answers_total", "What witnesses answered, by witness and answer");
    describe_gauge!("countersign_log_witnessed_size", "Size of the newest tree that enough witnesses cosigned");
    describe_counter!("countersign_siem_events_total", "Security events delivered, by sink");
    describe_counter!("countersign_siem_failures_total", "Failed tries to deliver security events, by sink");
}
