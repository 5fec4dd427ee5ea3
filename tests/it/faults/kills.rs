//! Nodes that are killed, at any moment, and started again.

use super::chance::Chance;
use super::deployment::{Deployment, Options};
use super::load::Load;

const HOLDERS: u32 = 8;
const KILLS: u32 = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_is_killed_again_and_again() {
    let mut chance = Chance::of("kills");
    let mut deployment = Deployment::start(Options { roles: &["all", "all", "all"], ..Options::default() }).await;
    let mut load = Load::start(&deployment, HOLDERS, &mut chance).await;
    for _ in 0..KILLS {
        load.goes_on(20).await;
        let victim = chance.pick(&[0, 1, 2]);
        eprintln!("node {victim} is killed after {} answers", load.gateway.answered());
        deployment.nodes[victim].kill();
        // The others go on without it.
        load.goes_on(10).await;
        if chance.once_in(3) {
            let second = (victim + 1) % 3;
            eprintln!("and node {second} beside it");
            deployment.nodes[second].kill();
            load.goes_on(10).await;
            deployment.nodes[second].start_again();
        }
        deployment.nodes[victim].start_again();
    }
    load.goes_on(20).await;
    eprintln!("{} transfers", load.finish().await);
    deployment.check(&deployment.postgres.url("postgres")).await;
}
