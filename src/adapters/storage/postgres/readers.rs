//! Connections that read, a few for each thread that asks. One whose answers arrive on another thread has to be waited
//! for across threads, and that costs more than a small read itself. May import: sqlx.

use sqlx::Pool;
use thread_local::ThreadLocal;

use super::Db;
use super::connect::Target;

/// A pool for each thread, made when it first reads.
pub struct Readers {
    target: Target,
    pools: ThreadLocal<Pool<Db>>,
}

impl Readers {
    pub fn new(target: Target) -> Self {
        Self { target, pools: ThreadLocal::new() }
    }

    /// The pool of the thread that asks.
    pub fn here(&self) -> &Pool<Db> {
        self.pools.get_or(|| self.target.reads())
    }

    pub async fn close(&self) {
        for pool in &self.pools {
            pool.close().await;
        }
    }
}
