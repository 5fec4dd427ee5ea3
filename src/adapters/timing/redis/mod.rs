//! Timers, rates and news on Redis, for a service of many nodes. Redis holds nothing that the record doesn't: losing
//! it delays by a sweep and releases nothing early. Imports `domain` and `ports`.
//!
//! `link` is the connection and how it heals; `timers`, `limits` and `live` each implement a port on it; `keys` names
//! what they store. Each Lua file says what it takes and answers.

mod dialer;
mod horizon;
mod keys;
mod limits;
mod link;
mod live;
mod script;
mod timers;

use secrecy::SecretString;
use std::sync::Arc;
use std::time::Duration;

use crate::ports::timing::{Clock, PortError};
pub use keys::{BadKeyPrefix, KeyPrefix};
pub use limits::RedisLimits;
pub use live::RedisLive;
pub use timers::RedisTimers;

use dialer::Dialer;
use link::Link;

/// How the servers hang together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Topology {
    /// One server, or one address behind which one primary is found.
    #[default]
    Single,
    /// A Redis Cluster: the addresses are where it is first looked for.
    Cluster,
}

/// Where Redis is and how it is used.
#[derive(Debug, Clone)]
pub struct RedisSettings {
    /// `redis://user:password@host:port/database`, or `rediss://` for TLS; for a cluster, several.
    pub urls: Vec<SecretString>,
    /// Takes the place of what the addresses say, if anything.
    pub password: Option<SecretString>,
    pub topology: Topology,
    pub prefix: KeyPrefix,
    /// Certificate authorities in PEM that a `rediss://` server is checked against instead of the system's.
    pub authorities_pem: Option<Vec<u8>>,
    /// How long one command may take, or a connection to be made.
    pub timeout: Duration,
}

impl RedisSettings {
    /// A single server, with the defaults: prefix `cs`, and one second, which is far more than a command takes and
    /// less than a person waits.
    pub fn single(url: SecretString) -> Self {
        Self {
            urls: vec![url],
            password: None,
            topology: Topology::Single,
            prefix: KeyPrefix::default(),
            authorities_pem: None,
            timeout: Duration::from_secs(1),
        }
    }
}

/// The settings name no Redis. The address isn't repeated: it may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum RedisSettingsError {
    #[error("no address of Redis is given")]
    NoAddress,
    #[error("a single Redis has one address; several are those of a cluster")]
    ManyAddresses,
    #[error("the certificate authorities of Redis aren't certificates in PEM")]
    Authorities,
    #[error("certificate authorities are for a Redis with TLS: its address must begin with rediss://")]
    NotOverTls,
    #[error("the address of Redis isn't usable")]
    Address(#[source] redis::RedisError),
}

/// A way to Redis that several ports share.
#[derive(Clone)]
pub struct Redis {
    link: Arc<Link>,
    prefix: KeyPrefix,
}

impl Redis {
    /// Reads the settings. Nothing is connected before it is used, so that a node starts without Redis too.
    ///
    /// # Errors
    /// [`RedisSettingsError`] when they name no server.
    pub fn open(settings: RedisSettings) -> Result<Self, RedisSettingsError> {
        let prefix = settings.prefix.clone();
        let link = Arc::new(Link::new(Dialer::new(&settings)?, settings.timeout));
        Ok(Self { link, prefix })
    }

    /// The timers on this Redis.
    pub fn timers(&self) -> RedisTimers {
        RedisTimers::new(self.link.clone(), self.prefix.clone())
    }

    /// The rates on this Redis; `clock` is what the node counts by when it has to count alone.
    pub fn limits(&self, clock: Arc<dyn Clock>) -> RedisLimits {
        RedisLimits::new(self.link.clone(), self.prefix.clone(), clock)
    }

    /// The news on this Redis. Must be called inside a tokio runtime, for it starts two tasks that end with it.
    pub fn live(&self) -> RedisLive {
        RedisLive::start(self.link.clone(), &self.prefix)
    }

    /// Asks whether it answers.
    ///
    /// # Errors
    /// [`PortError`] when it doesn't.
    pub async fn ping(&self) -> Result<(), PortError> {
        self.link.query::<()>(&redis::cmd("PING")).await.map_err(|error| error.of("Redis"))
    }
}
