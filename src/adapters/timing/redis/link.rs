//! The connection to Redis, and how it heals. Imports `ports` for the error, and the dialer.
//!
//! The connection manager of the redis crate stays with a connection whose answers time out, and for ever with a
//! handshake that was refused; so the connection is kept here. It is given up as soon as it fails, and made again by
//! the next caller. While that fails, callers are refused at once instead of each waiting, and one of them tries every
//! [`PAUSE`].

use redis::{Cmd, ErrorKind, FromRedisValue, RedisError, ServerErrorKind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use thread_local::ThreadLocal;
use tokio::time::{Instant, timeout};

use super::Topology;
use super::dialer::{Dialer, Wire};
use crate::ports::timing::PortError;

/// The shortest time between two attempts to connect.
pub(super) const PAUSE: Duration = Duration::from_millis(250);

/// A cluster's connection mends itself node by node. It is made anew only after nothing at all has succeeded for this
/// long.
const CLUSTER_PATIENCE: Duration = Duration::from_secs(2);

/// A command was not carried out, or nobody knows whether it was.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinkError {
    #[error("Redis was unreachable a moment ago")]
    Down,
    #[error("Redis gave no answer in {0:?}")]
    Silent(Duration),
    #[error("Redis refused, or the connection broke")]
    Redis(#[from] RedisError),
    #[error("Redis gave an answer of an unexpected shape")]
    Shape,
}

impl LinkError {
    /// As the ports have it.
    pub fn of(self, what: &'static str) -> PortError {
        PortError { what, source: Box::new(self) }
    }
}

/// A connection for each thread that asks. An answer that arrives on another thread has to be waited for across
/// threads, and that costs more than what most commands do.
pub(super) struct Link {
    dialer: Dialer,
    timeout: Duration,
    patience: Duration,
    open: ThreadLocal<RwLock<Option<Arc<Open>>>>,
    // Held while a connection is made; inside it, when the next attempt may be.
    dialing: tokio::sync::Mutex<Option<Instant>>,
    is_down: AtomicBool,
}

/// A connection, and since when nothing has succeeded on it.
struct Open {
    wire: Wire,
    failing_since: Mutex<Option<Instant>>,
}

impl Link {
    pub fn new(dialer: Dialer, timeout: Duration) -> Self {
        let patience = match dialer.topology() {
            Topology::Single => Duration::ZERO,
            Topology::Cluster => CLUSTER_PATIENCE,
        };
        Self {
            dialer,
            timeout,
            patience,
            open: ThreadLocal::new(),
            dialing: tokio::sync::Mutex::default(),
            is_down: AtomicBool::default(),
        }
    }

    pub fn dialer(&self) -> &Dialer {
        &self.dialer
    }

    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Sends one command and reads its answer.
    pub async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, LinkError> {
        let open = self.open().await?;
        let mut wire = open.wire.clone();
        match timeout(self.timeout, command.query_async(&mut wire)).await {
            Ok(Ok(answer)) => {
                open.succeeded();
                Ok(answer)
            }
            Ok(Err(error)) => {
                if breaks_connection(&error) {
                    self.failed(&open);
                }
                Err(LinkError::Redis(error))
            }
            Err(_) => {
                self.failed(&open);
                Err(LinkError::Silent(self.timeout))
            }
        }
    }

    /// The place for this thread's connection.
    fn here(&self) -> &RwLock<Option<Arc<Open>>> {
        self.open.get_or_default()
    }

    fn current(&self) -> Option<Arc<Open>> {
        self.here().read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The connection, made if there is none.
    async fn open(&self) -> Result<Arc<Open>, LinkError> {
        if let Some(open) = self.current() {
            return Ok(open);
        }
        let mut next_attempt = if self.is_down.load(Ordering::Relaxed) {
            self.dialing.try_lock().map_err(|_| LinkError::Down)?
        } else {
            timeout(self.timeout, self.dialing.lock()).await.map_err(|_| LinkError::Silent(self.timeout))?
        };
        if let Some(open) = self.current() {
            return Ok(open);
        }
        if next_attempt.is_some_and(|at| Instant::now() < at) {
            return Err(LinkError::Down);
        }
        let dialed = match timeout(self.timeout, self.dialer.dial()).await {
            Ok(dialed) => dialed.map_err(LinkError::Redis),
            Err(_) => Err(LinkError::Silent(self.timeout)),
        };
        match dialed {
            Ok(wire) => {
                *next_attempt = None;
                let open = Arc::new(Open { wire, failing_since: Mutex::default() });
                *self.here().write().unwrap_or_else(PoisonError::into_inner) = Some(open.clone());
                if self.is_down.swap(false, Ordering::Relaxed) {
                    tracing::info!("Redis is reachable again");
                }
                Ok(open)
            }
            Err(error) => {
                *next_attempt = Some(Instant::now() + PAUSE);
                if !self.is_down.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "Redis can't be reached; going on without"
                    );
                }
                Err(error)
            }
        }
    }

    /// Gives a connection up, once patience with it is over. Callers in the middle of something keep their share of
    /// it; the next one makes a new one.
    fn failed(&self, failed: &Arc<Open>) {
        let now = Instant::now();
        let since = {
            let mut since = failed.failing_since.lock().unwrap_or_else(PoisonError::into_inner);
            *since.get_or_insert(now)
        };
        if now - since < self.patience {
            return;
        }
        // A task may have gone on to another thread while it waited.
        for place in &self.open {
            let mut open = place.write().unwrap_or_else(PoisonError::into_inner);
            if open.as_ref().is_some_and(|open| Arc::ptr_eq(open, failed)) {
                *open = None;
            }
        }
    }
}

impl Open {
    fn succeeded(&self) {
        *self.failing_since.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Whether after this error the connection isn't worth keeping: it is broken, or leads to a server that is no longer
/// the primary. Everything else is an answer.
fn breaks_connection(error: &RedisError) -> bool {
    match error.kind() {
        ErrorKind::Server(kind) => matches!(kind, ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown),
        ErrorKind::Extension => false,
        _ => true,
    }
}
