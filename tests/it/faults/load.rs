//! Holders who go on with their transfers, one after another and side by side, until told to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;
use tokio::task::JoinSet;

use super::chance::Chance;
use super::deployment::Deployment;
use super::gateway::Gateway;
use super::holder::Holder;
use crate::support::eventually::eventually;

/// So many transfers each of them makes at least.
const LEAST: u32 = 3;

pub struct Load {
    pub gateway: Gateway,
    tasks: JoinSet<u32>,
    enough: Arc<AtomicBool>,
    chance: Chance,
}

impl Load {
    /// Enrols so many holders, and lets them begin.
    pub async fn start(deployment: &Deployment, holders: u32, chance: &mut Chance) -> Self {
        let gateway = deployment.gateway();
        let enrolling = (0..holders).map(|number| {
            let (gateway, chance) = (&gateway, chance.fork());
            async move { Holder::enrolled(deployment, gateway, &format!("h{number}-of-the-load"), chance).await }
        });
        let enough = Arc::new(AtomicBool::new(false));
        let mut tasks = JoinSet::new();
        for mut holder in join_all(enrolling).await {
            let enough = Arc::clone(&enough);
            tasks.spawn(async move {
                let mut lives = 0;
                while lives < LEAST || !enough.load(Ordering::Relaxed) {
                    holder.live().await;
                    lives += 1;
                }
                lives
            });
        }
        Self { gateway, tasks, enough, chance: chance.fork() }
    }

    /// Waits until the service has answered at least `least`, and at most twice as many, further requests with
    /// success. The moment after that is as good as any, and falls into whatever is under way.
    pub async fn goes_on(&mut self, least: u64) {
        let wanted = self.gateway.answered() + least + self.chance.below(least);
        eventually("the service to go on answering", async || {
            // A holder who fails ends the test at once, with what they have to say.
            if let Some(ended) = self.tasks.try_join_next() {
                panic!("a holder ended too early, with {ended:?}");
            }
            (self.gateway.answered() >= wanted).then_some(())
        })
        .await;
    }

    /// Lets everybody finish what they are at. Gives the number of transfers.
    pub async fn finish(mut self) -> u32 {
        self.enough.store(true, Ordering::Relaxed);
        let mut transfers = 0;
        while let Some(ended) = self.tasks.join_next().await {
            transfers += ended.expect("a holder who met with nothing wrong");
        }
        transfers
    }
}
