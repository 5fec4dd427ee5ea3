//! Clock, chance, timers, limits and news: in memory for a service that is one process, on Redis for one of many
//! nodes. Implements `ports::timing`; imports `domain` and `ports`. `app` picks one of each.

pub mod clock;
pub mod entropy;
mod gcra;
pub mod memory_limits;
pub mod memory_live;
pub mod memory_timers;
pub mod redis;

pub use clock::SystemClock;
pub use entropy::OsEntropy;
pub use memory_limits::MemoryLimits;
pub use memory_live::MemoryLive;
pub use memory_timers::MemoryTimers;
pub use redis::{Redis, RedisLimits, RedisLive, RedisSettings, RedisTimers};
