//! The composition root: the only place that names concrete adapters. `main`, the demo, the tests and the load
//! generator all start the service here.

mod faults;
mod listen;
mod log;
mod parts;

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::adapters::channels::inbox::Inbox;
use crate::config::Config;
use crate::service::Context;
use crate::service::log::look;
use crate::workers::{
    ClockGate, deliveries, erasures, notices, overrides, prune, sequencer, siem, staff_notices, sweep, timers,
    witnesses,
};

pub use faults::faults;
pub use parts::{Parts, Record, durability_faults, open, open_record};

/// Longest time that work in hand may take at the end (the longest try of a webhook is 15 s).
const FINISH: Duration = Duration::from_secs(20);

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Role {
    /// Answers requests.
    Api,
    /// Works off timers, notices and webhooks.
    Worker,
    All,
}

impl Role {
    const fn serves(self) -> bool {
        matches!(self, Self::Api | Self::All)
    }

    const fn works(self) -> bool {
        matches!(self, Self::Worker | Self::All)
    }
}

/// A running service.
pub struct Running {
    pub url: Url,
    pub cx: Context,
    /// The inbox, where the profile has one.
    pub inbox: Option<Arc<Inbox>>,
    record: Record,
    stop: CancellationToken,
    tasks: JoinSet<anyhow::Result<()>>,
}

/// Sockets that are bound already.
pub struct Listeners {
    pub holders: TcpListener,
    /// Without one the console's is bound where the configuration says.
    pub console: Option<TcpListener>,
}

impl From<TcpListener> for Listeners {
    fn from(holders: TcpListener) -> Self {
        Self { holders, console: None }
    }
}

/// Starts the service on listeners that are bound already.
///
/// # Errors
/// Whatever keeps it from starting, with what it was doing.
pub async fn start(
    config: Config,
    role: Role,
    listeners: impl Into<Listeners>,
    stop: CancellationToken,
) -> anyhow::Result<Running> {
    let Listeners { holders: listener, console: console_listener } = listeners.into();
    let metrics = crate::telemetry::start_metrics()?;
    let parts = open(&config).await?;
    let gate = ClockGate::default();
    let mut tasks = JoinSet::new();
    let cx = parts.cx.clone();

    // Before anything is answered or moved: a restored database is known from the start.
    if let Err(error) = look(&cx).await {
        tracing::error!(error = %error, "the log could not be compared with its high-water mark");
    }
    // Once before anything is answered, too, so that missed timers are armed and a wrong clock is known from the start.
    if let Err(error) = sweep::arm(&cx, &gate).await {
        tracing::warn!(error = %error, "missed timers could not be armed; the sweep will");
    }
    spawn(&mut tasks, crate::telemetry::tidy(metrics.clone(), stop.clone()));
    if !role.works() {
        spawn(&mut tasks, sequencer::follow(cx.clone(), stop.clone()));
        spawn(&mut tasks, sweep::compare(cx.clone(), gate.clone(), stop.clone()));
    }
    if role.works() {
        spawn(&mut tasks, sequencer::run(cx.clone(), stop.clone()));
        spawn(&mut tasks, timers::run(cx.clone(), gate.clone(), stop.clone()));
        spawn(&mut tasks, sweep::run(cx.clone(), gate.clone(), stop.clone()));
        spawn(&mut tasks, overrides::run(cx.clone(), gate.clone(), stop.clone()));
        spawn(&mut tasks, erasures::run(cx.clone(), stop.clone()));
        spawn(&mut tasks, prune::run(cx.clone(), config.keep_sent, stop.clone()));
        spawn(&mut tasks, notices::run(cx.clone(), parts.senders.clone(), parts.notices_wake.clone(), stop.clone()));
        spawn(&mut tasks, staff_notices::run(cx.clone(), parts.senders.clone(), stop.clone()));
        for sink in parts.sinks.clone() {
            spawn(&mut tasks, siem::run(parts.stream(), sink, stop.clone()));
        }
        if let Some(circle) = parts.circle.clone() {
            spawn(&mut tasks, witnesses::run(cx.clone(), circle, stop.clone()));
        }
        let webhooks = deliveries::run(cx.clone(), parts.webhooks.clone(), parts.deliveries_wake.clone(), stop.clone());
        spawn(&mut tasks, webhooks);
        parts.record.hand_over();
        spawn(
            &mut tasks,
            fan_out(
                parts.record.outbox_signal(),
                parts.notices_wake.clone(),
                parts.deliveries_wake.clone(),
                cx.log.wake.clone(),
                stop.clone(),
            ),
        );
    }
    let site = listen::Site {
        cx: cx.clone(),
        gate,
        metrics,
        push_key: parts.push_key.clone(),
        proxies: config.http.trusted_proxies.clone(),
        stop: stop.clone(),
    };
    if role.serves() {
        let server = listen::public(&site, listener, config.http.tls.as_ref())?;
        listen::run(&mut tasks, server, stop.clone());
    }
    if let Some(console) = config.console.as_ref().filter(|_| role.serves()) {
        let listener = console_listener.map_or_else(|| TcpListener::bind(console.listen), Ok)?;
        let server = listen::console(&site, parts.audit(&config)?, listener, config.http.tls.as_ref())?;
        listen::run(&mut tasks, server, stop.clone());
    }
    if let Some(address) = config.http.ops_listen {
        let server = listen::ops(&site, TcpListener::bind(address)?)?;
        listen::run(&mut tasks, server, stop.clone());
    }
    let url = config.http.public_url.clone();
    Ok(Running { url, cx, inbox: parts.inbox, record: parts.record, stop, tasks })
}

fn spawn(tasks: &mut JoinSet<anyhow::Result<()>>, work: impl Future<Output = ()> + Send + 'static) {
    tasks.spawn(async move {
        work.await;
        Ok(())
    });
}

/// One signal of the store wakes both senders, and the log.
async fn fan_out(
    from: Arc<tokio::sync::Notify>,
    notices: Arc<tokio::sync::Notify>,
    deliveries: Arc<tokio::sync::Notify>,
    log: Arc<tokio::sync::Notify>,
    stop: CancellationToken,
) {
    loop {
        tokio::select! {
            () = from.notified() => {
                notices.notify_one();
                deliveries.notify_one();
                log.notify_one();
            }
            () = stop.cancelled() => return,
        }
    }
}

impl Running {
    /// Waits until it is told to stop, or a part of it fails.
    ///
    /// # Errors
    /// The failure of a part.
    pub async fn run(mut self) -> anyhow::Result<()> {
        let ended = tokio::select! {
            () = self.stop.cancelled() => None,
            ended = self.tasks.join_next() => ended,
        };
        if !self.stop.is_cancelled() {
            tracing::error!("a part of the service ended by itself; stopping");
        }
        self.finish().await?;
        match ended {
            Some(Ok(result)) => result,
            Some(Err(error)) => Err(error.into()),
            None => Ok(()),
        }
    }

    /// Stops: no new work, the work in hand is finished, leases go back.
    ///
    /// # Errors
    /// When the record can't be closed.
    pub async fn finish(mut self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.record.keep_to_record();
        let drained = tokio::time::timeout(FINISH, async {
            while let Some(ended) = self.tasks.join_next().await {
                if let Err(error) = ended.map_err(anyhow::Error::from).and_then(|result| result) {
                    tracing::warn!(error = %error, "a part did not end well");
                }
            }
        });
        if drained.await.is_err() {
            tracing::warn!("some work was not finished in time; its leases will end");
            self.tasks.abort_all();
        }
        self.record.close().await;
        Ok(())
    }
}
