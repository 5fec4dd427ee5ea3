//! What a stage measures time with: in the process, or on Redis.

use std::sync::Arc;
use std::time::Duration;

use countersign::adapters::timing::redis::{self, RedisSettings};
use countersign::adapters::timing::{MemoryLimits, MemoryLive, MemoryTimers};
use countersign::ports::timing::{Limits, Live, Timers};

use crate::support::clock::ManualClock;
use crate::support::servers::redis::Redis;

/// Timers, rates and news.
pub struct Timing {
    pub timers: Arc<dyn Timers>,
    pub limits: Arc<dyn Limits>,
    pub live: Arc<dyn Live>,
}

impl Timing {
    pub fn in_process(clock: Arc<ManualClock>) -> Self {
        Self {
            timers: Arc::new(MemoryTimers::new(clock.clone())),
            limits: Arc::new(MemoryLimits::new(clock)),
            live: Arc::new(MemoryLive::new()),
        }
    }

    pub fn on(redis: &Redis, clock: Arc<ManualClock>) -> Self {
        // A machine may stand still for a second, which isn't what is looked at here.
        let patience = Duration::from_secs(10);
        let settings = RedisSettings { timeout: patience, ..RedisSettings::single(redis.url().into()) };
        let link = redis::Redis::open(settings).unwrap();
        Self { timers: Arc::new(link.timers()), limits: Arc::new(link.limits(clock)), live: Arc::new(link.live()) }
    }
}
