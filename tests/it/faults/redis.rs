//! Redis that forgets, goes away, and isn't there to begin with.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::chance::Chance;
use super::deployment::{Deployment, Options, database};
use super::holder::Holder;
use super::load::Load;
use super::phone::Cookies;
use crate::support::eventually::eventually;
use crate::support::servers::redis::Redis;

const HOLDERS: u32 = 8;

/// A sweep (design section 4: 10 s), and what a busy machine needs for the rest.
const A_SWEEP: Duration = Duration::from_secs(10 + 30);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn redis_forgets_everything_and_goes_away() {
    let mut chance = Chance::of("redis");
    let mut deployment = Deployment::start(Options::default()).await;
    let mut load = Load::start(&deployment, HOLDERS, &mut chance).await;
    for _ in 0..2 {
        load.goes_on(25).await;
        eprintln!("Redis forgets after {} answers", load.gateway.answered());
        deployment.redis.flush_all();
        load.goes_on(25).await;
        eprintln!("Redis goes away after {} answers", load.gateway.answered());
        deployment.redis.kill();
        // Work goes on without it; what waits for its release waits for a sweep.
        load.goes_on(15).await;
        deployment.redis.restart();
    }
    load.goes_on(25).await;
    eprintln!("{} transfers", load.finish().await);
    deployment.check(&deployment.postgres.url("postgres")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nodes_start_and_decide_without_redis() {
    let mut chance = Chance::of("without redis");
    let mut redis = Redis::start();
    redis.kill();
    let mut deployment = Deployment::on(database(), redis, Options { life: 40, ..Options::default() }).await;
    let gateway = deployment.gateway();
    for node in 0..2 {
        let (status, body) = deployment.readiness(node).await;
        assert_eq!((status, body["status"].as_str()), (200, Some("degraded")), "{body}");
        assert!(body["degraded"].as_array().is_some_and(|parts| parts.iter().any(|part| part == "timers")), "{body}");
    }

    let mut holder = Holder::enrolled(&deployment, &gateway, "without-redis", chance.fork()).await;
    let mut approved = Vec::new();
    for _ in 0..3 {
        let placed = holder.place().await;
        holder.watch(&placed, &mut Cookies::default()).await;
        assert!(holder.approve(&placed).await);
        approved.push(placed);
    }
    let stopped = holder.place().await;
    assert_eq!(holder.phone.press(&stopped.id, "reject").await.status, 303);
    deployment.ledger.cancelled(&stopped.id);

    deployment.redis.restart();
    let resumed = async {
        for placed in &approved {
            assert!(holder.released(placed).await);
        }
    };
    timeout(A_SWEEP, resumed).await.expect("releases come within a sweep after Redis is back");
    for node in 0..2 {
        eventually("a node that misses nothing", async || {
            (deployment.readiness(node).await.1["status"] == "ready").then_some(())
        })
        .await;
    }
    for placed in &approved {
        holder.redeem(placed).await;
    }
    deployment.check(&deployment.postgres.url("postgres")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn releases_and_ends_come_with_the_sweep_while_redis_stays_away() {
    const LIFE: u64 = 20;
    let mut chance = Chance::of("redis stays away");
    let mut deployment = Deployment::start(Options { life: LIFE, ..Options::default() }).await;
    let gateway = deployment.gateway();
    let mut holder = Holder::enrolled(&deployment, &gateway, "left-alone", chance.fork()).await;
    let placed = holder.place().await;
    holder.watch(&placed, &mut Cookies::default()).await;
    let unanswered = holder.place().await;
    deployment.redis.kill();
    assert!(holder.approve(&placed).await);
    let approved = Instant::now();
    assert!(holder.released(&placed).await);
    let hold = Duration::from_secs(deployment.hold);
    assert!(approved.elapsed() < hold + A_SWEEP, "released {:?} after the approve", approved.elapsed());
    holder.redeem(&placed).await;
    timeout(Duration::from_secs(LIFE) + A_SWEEP, async {
        while holder.read(&unanswered.id).await["state"] != "expired" {
            sleep(Duration::from_millis(200)).await;
        }
    })
    .await
    .expect("what nobody answered ends within a sweep, though Redis isn't back");
    deployment.check(&deployment.postgres.url("postgres")).await;
}
