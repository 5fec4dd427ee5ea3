//! PostgreSQL that ends as in a crash, under nodes that are at work.

use super::chance::Chance;
use super::deployment::{Deployment, Options};
use super::load::Load;
use crate::support::eventually::eventually;

const HOLDERS: u32 = 8;
const CRASHES: u32 = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_database_crashes_and_comes_back() {
    let mut chance = Chance::of("database");
    let mut deployment = Deployment::start(Options::default()).await;
    let mut load = Load::start(&deployment, HOLDERS, &mut chance).await;
    for _ in 0..CRASHES {
        load.goes_on(25).await;
        eprintln!("the database crashes after {} answers", load.gateway.answered());
        deployment.postgres.restart_immediate();
    }
    load.goes_on(25).await;

    // Gone for a while: the nodes live, say so, and find it again.
    deployment.postgres.stop();
    for node in 0..2 {
        eventually("a node that is not ready", async || (deployment.readiness(node).await.0 == 503).then_some(()))
            .await;
    }
    deployment.postgres.start_again();
    for node in 0..2 {
        eventually("a node that is ready", async || (deployment.readiness(node).await.0 == 200).then_some(())).await;
    }
    load.goes_on(25).await;
    eprintln!("{} transfers", load.finish().await);
    deployment.check(&deployment.postgres.url("postgres")).await;
}
