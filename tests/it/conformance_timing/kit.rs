//! What the behaviours are tried on: the nodes of one deployment, whatever stands behind them.

use std::sync::Arc;
use std::time::Duration;

use countersign::adapters::timing::redis::{KeyPrefix, Topology};
use countersign::adapters::timing::{
    MemoryLimits, MemoryLive, MemoryTimers, OsEntropy, Redis, RedisSettings, SystemClock,
};
use countersign::domain::ids::ApprovalId;
use countersign::domain::time::Timestamp;
use countersign::ports::timing::{Clock, Entropy, Limits, Live, Timers};

use crate::support::eventually::eventually;
use crate::support::servers::redis as servers;

pub const MINUTE: Duration = Duration::from_secs(60);

/// What a test's nodes share.
pub enum Kit {
    Memory { timers: Arc<MemoryTimers>, limits: Arc<MemoryLimits>, live: Arc<MemoryLive> },
    Redis { settings: RedisSettings, _server: servers::Redis },
    Cluster { settings: RedisSettings },
}

/// A machine may stand still for a second, which isn't what is looked at here.
pub const PATIENCE: Duration = Duration::from_secs(10);

impl Kit {
    pub fn memory() -> Self {
        let clock = Arc::new(SystemClock);
        Self::Memory {
            timers: Arc::new(MemoryTimers::new(clock.clone())),
            limits: Arc::new(MemoryLimits::new(clock)),
            live: Arc::new(MemoryLive::new()),
        }
    }

    pub fn redis() -> Self {
        let server = servers::Redis::start();
        let settings = RedisSettings { timeout: PATIENCE, ..RedisSettings::single(server.url().into()) };
        Self::Redis { settings, _server: server }
    }

    /// A share of a cluster of its own, by its name.
    pub fn cluster(cluster: &servers::RedisCluster, name: &str) -> Self {
        let mut settings = RedisSettings { timeout: PATIENCE, ..RedisSettings::single(String::new().into()) };
        settings.urls = cluster.urls().into_iter().map(Into::into).collect();
        settings.topology = Topology::Cluster;
        settings.prefix = name.parse::<KeyPrefix>().unwrap();
        Self::Cluster { settings }
    }

    fn connect(settings: &RedisSettings) -> Redis {
        Redis::open(settings.clone()).unwrap()
    }

    /// The timers as one node has them.
    pub fn timers(&self) -> Arc<dyn Timers> {
        match self {
            Self::Memory { timers, .. } => timers.clone(),
            Self::Redis { settings, .. } | Self::Cluster { settings } => Arc::new(Self::connect(settings).timers()),
        }
    }

    /// The rates as one node has them.
    pub fn limits(&self) -> Arc<dyn Limits> {
        match self {
            Self::Memory { limits, .. } => limits.clone(),
            Self::Redis { settings, .. } | Self::Cluster { settings } => {
                Arc::new(Self::connect(settings).limits(Arc::new(SystemClock)))
            }
        }
    }

    /// The news as one node has them, once it hears the others.
    pub async fn live(&self) -> Arc<dyn Live> {
        let live: Arc<dyn Live> = match self {
            Self::Memory { live, .. } => live.clone(),
            Self::Redis { settings, .. } | Self::Cluster { settings } => Arc::new(Self::connect(settings).live()),
        };
        eventually("a node to hear the others", async || live.is_connected().then_some(())).await;
        live
    }
}

pub fn now() -> Timestamp {
    SystemClock.now()
}

pub fn approval() -> ApprovalId {
    let entropy: &dyn Entropy = &OsEntropy;
    ApprovalId::new(now(), entropy.bytes())
}

pub fn approvals(count: usize) -> Vec<ApprovalId> {
    (0..count).map(|_| approval()).collect()
}
