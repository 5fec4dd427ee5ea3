//! Rates that all nodes share. Imports `domain` and `ports`; the arithmetic is in `take.lua`, and the same as `gcra`'s.

use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;

use super::super::gcra::{Rate, never};
use super::super::memory_limits::MemoryLimits;
use super::keys::KeyPrefix;
use super::link::Link;
use super::script::{Argument, Script};
use crate::ports::timing::{Clock, Limits, Quota, Verdict};

/// The limiter of all nodes.
pub struct RedisLimits {
    link: Arc<Link>,
    prefix: KeyPrefix,
    take: Script,
    /// Counts when Redis doesn't answer: each node for itself, from zero.
    alone: MemoryLimits,
}

impl RedisLimits {
    pub(super) fn new(link: Arc<Link>, prefix: KeyPrefix, clock: Arc<dyn Clock>) -> Self {
        Self { link, prefix, take: Script::new(include_str!("take.lua")), alone: MemoryLimits::new(clock) }
    }
}

#[async_trait]
impl Limits for RedisLimits {
    async fn take(&self, quota: Quota, who: &str) -> Verdict {
        let Some(rate) = Rate::of(quota) else { return never(quota) };
        let key = self.prefix.rate(quota.name, who);
        let arguments = [Argument::Number(rate.interval), Argument::Number(rate.tolerance)];
        match self.take.run::<u64>(&self.link, &[&key], &arguments).await {
            Ok(0) => Verdict::Allowed,
            Ok(micros) => Verdict::Wait(Duration::from_micros(micros)),
            Err(error) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "counting alone");
                self.alone.take_now(quota, who)
            }
        }
    }
}
