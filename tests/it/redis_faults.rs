//! What the adapters on Redis do when Redis isn't there, hangs, forgets, or comes back.

use std::fmt::Write as _;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

use countersign::adapters::timing::redis::Topology;
use countersign::adapters::timing::{OsEntropy, Redis, RedisSettings, SystemClock};
use countersign::domain::ids::ApprovalId;
use countersign::domain::time::Timestamp;
use countersign::ports::timing::{Clock, Entropy, Limits, Live, Quota, Timers, Verdict};

use crate::support::eventually::{BOUND, eventually};
use crate::support::servers::redis::{Persistence, Redis as Server, RedisCluster};

const MINUTE: Duration = Duration::from_secs(60);
const TWO_AN_HOUR: Quota = Quota { name: "test", burst: 2, per: Duration::from_secs(3600) };

fn now() -> Timestamp {
    SystemClock.now()
}

fn approval() -> ApprovalId {
    let entropy: &dyn Entropy = &OsEntropy;
    ApprovalId::new(now(), entropy.bytes())
}

fn due() -> (ApprovalId, Timestamp) {
    (approval(), now() - Duration::from_secs(1))
}

fn open(server: &Server) -> Redis {
    Redis::open(RedisSettings::single(server.url().into())).unwrap()
}

/// An error with everything behind it, as a log would have it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(error) = source {
        write!(text, ": {error} {error:?}").unwrap();
        source = error.source();
    }
    text
}

async fn claims_come(timers: &dyn Timers, count: usize) {
    let mut claimed = 0;
    eventually("the timers to be claimed", async || {
        if let Ok(claims) = timers.claim(100, MINUTE).await {
            claimed += claims.len();
        }
        (claimed == count).then_some(())
    })
    .await;
}

fn signal(server: &Server, name: &str) {
    let pid = server.pid().unwrap().to_string();
    let status = Command::new("sh").args(["-c", r#"kill -s "$0" "$1""#, name, &pid]).status().unwrap();
    assert!(status.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_starts_without_redis_and_finds_it_later() {
    let mut server = Server::start();
    server.kill();
    let redis = open(&server);
    let (timers, limits, live) = (redis.timers(), redis.limits(Arc::new(SystemClock)), redis.live());

    assert!(redis.ping().await.is_err());
    let armed = due();
    assert!(timers.arm(&[armed]).await.is_err());
    assert!(timers.arm_missing(&[armed]).await.is_err());
    assert!(timers.disarm(&[armed.0]).await.is_err());
    assert!(timers.claim(10, MINUTE).await.is_err());
    assert!(timers.count().await.is_err());
    // Rates are counted all the same, and news reaches those who listen here.
    assert_eq!(limits.take(TWO_AN_HOUR, "holder").await, Verdict::Allowed);
    assert_eq!(limits.take(TWO_AN_HOUR, "holder").await, Verdict::Allowed);
    assert!(matches!(limits.take(TWO_AN_HOUR, "holder").await, Verdict::Wait(_)));
    assert!(!live.is_connected());
    let listener = live.subscribe(armed.0);
    live.publish(&[(armed.0, 5)]).await;
    assert_eq!(*listener.borrow(), 5);

    server.restart();
    eventually("the timers to be back", async || timers.arm(&[armed]).await.ok()).await;
    claims_come(&timers, 1).await;
    eventually("the news to be back", async || live.is_connected().then_some(())).await;
    redis.ping().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_heals_by_itself() {
    let mut server = Server::start_with(Persistence::AppendOnly);
    let (here, there) = (open(&server), open(&server));
    let (timers, live) = (here.timers(), here.live());
    let other = there.live();
    let (set, leased) = (due(), due());
    timers.arm(&[leased]).await.unwrap();
    let claims = timers.claim(10, MINUTE).await.unwrap();
    assert_eq!(claims.len(), 1);
    timers.arm(&[set]).await.unwrap();
    for live in [&live, &other] {
        eventually("a node to hear the others", async || live.is_connected().then_some(())).await;
    }

    server.kill();
    eventually("the loss to be noticed", async || (!live.is_connected() && !other.is_connected()).then_some(())).await;
    assert!(timers.claim(10, MINUTE).await.is_err());
    server.restart();

    // What was leased is still leased, what was set is still due.
    claims_come(&timers, 1).await;
    timers.ack(&claims).await.unwrap();
    assert_eq!(timers.count().await.unwrap(), 1);
    for live in [&live, &other] {
        eventually("a node to hear the others again", async || live.is_connected().then_some(())).await;
    }
    let id = approval();
    let mut listener = other.subscribe(id);
    live.publish(&[(id, 3)]).await;
    timeout(BOUND, listener.wait_for(|version| *version == 3)).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_redis_forgot_is_set_again_by_the_sweep() {
    let mut server = Server::start();
    let redis = open(&server);
    let (timers, limits) = (redis.timers(), redis.limits(Arc::new(SystemClock)));
    let armed: Vec<_> = (0..100).map(|_| due()).collect();
    timers.arm(&armed).await.unwrap();
    let claims = timers.claim(30, MINUTE).await.unwrap();
    assert_eq!(claims.len(), 30);
    assert_eq!(limits.take(TWO_AN_HOUR, "holder").await, Verdict::Allowed);

    server.flush_all();
    assert_eq!(timers.count().await.unwrap(), 0);
    timers.ack(&claims).await.unwrap();
    assert!(timers.claim(100, MINUTE).await.unwrap().is_empty());
    timers.arm_missing(&armed).await.unwrap();
    // The leases are forgotten with the rest: their holders can't acknowledge what is now somebody else's.
    let again = timers.claim(100, MINUTE).await.unwrap();
    assert_eq!(again.len(), 100);
    timers.ack(&claims).await.unwrap();
    assert_eq!(timers.count().await.unwrap(), 100);
    assert_eq!(limits.take(TWO_AN_HOUR, "holder").await, Verdict::Allowed);

    // A server without its file forgets the scripts too.
    server.restart();
    eventually("the timers to be back", async || timers.arm_missing(&armed).await.ok()).await;
    claims_come(&timers, 100).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_scripts_are_sent_again() {
    let server = Server::start();
    let redis = open(&server);
    let (timers, limits) = (redis.timers(), redis.limits(Arc::new(SystemClock)));
    let lose_scripts = || assert_eq!(server.command(&["SCRIPT", "FLUSH"]), "OK");
    for _ in 0..2 {
        let armed = [due(), due()];
        lose_scripts();
        timers.arm_missing(&armed).await.unwrap();
        lose_scripts();
        let claims = timers.claim(10, MINUTE).await.unwrap();
        assert_eq!(claims.len(), 2);
        lose_scripts();
        timers.release(&claims[..1]).await.unwrap();
        lose_scripts();
        timers.ack(&claims[1..]).await.unwrap();
        assert_eq!(timers.count().await.unwrap(), 1);
        lose_scripts();
        timers.disarm(&[claims[0].id]).await.unwrap();
        assert_eq!(timers.count().await.unwrap(), 0);
        lose_scripts();
        assert_eq!(limits.take(TWO_AN_HOUR, "holder").await, Verdict::Allowed);
    }
    assert!(matches!(limits.take(TWO_AN_HOUR, "holder").await, Verdict::Wait(_)));
}

/// A server that is stopped accepts connections and never answers: the same as one behind a network that swallows
/// everything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_holds_nobody_up_for_long() {
    let server = Server::start();
    let redis = open(&server);
    let (timers, limits, live) = (redis.timers(), redis.limits(Arc::new(SystemClock)), redis.live());
    let armed = due();
    timers.arm(&[armed]).await.unwrap();
    eventually("the news to be connected", async || live.is_connected().then_some(())).await;

    signal(&server, "STOP");
    let outage = async {
        assert!(timers.claim(10, MINUTE).await.is_err());
        // A second each would be 200 seconds: once it is known to be down, nearly all of them are counted here.
        let burst = Quota { burst: 1_000, ..TWO_AN_HOUR };
        for n in 0..200 {
            assert_eq!(limits.take(burst, &n.to_string()).await, Verdict::Allowed);
        }
        eventually("the silence to be noticed", async || (!live.is_connected()).then_some(())).await;
    };
    timeout(BOUND, outage).await.expect("a server that hangs held its callers up");

    signal(&server, "CONT");
    claims_come(&timers, 1).await;
    eventually("the news to be back", async || live.is_connected().then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_does_not_spin_while_redis_is_away() {
    let mut server = Server::start();
    let timers = open(&server).timers();
    timers.arm(&[due()]).await.unwrap();
    server.kill();
    let before = now();
    for _ in 0..5 {
        assert!(timers.claim(10, MINUTE).await.is_err());
        timers.wait(MINUTE).await;
    }
    assert!(now().since(before) >= Duration::from_secs(1), "five failures have to be a quarter of a second apart");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_password_is_tried_again_and_never_told() {
    const RIGHT: &str = "correct-horse-battery";
    const OTHER: &str = "staple-of-yesterday";
    let server = Server::start();
    assert_eq!(server.command(&["CONFIG", "SET", "requirepass", OTHER]), "OK");
    let mut settings = RedisSettings::single(format!("redis://:ignored@127.0.0.1:{}/0", server.port()).into());
    settings.password = Some(RIGHT.into());
    assert!(!format!("{settings:?}").contains(RIGHT) && !format!("{settings:?}").contains("ignored"));
    let redis = Redis::open(settings).unwrap();
    let timers = redis.timers();
    let error = chain(&timers.arm(&[due()]).await.unwrap_err());
    assert!(!error.contains(RIGHT) && !error.contains("ignored"), "{error}");

    let change = ["-a", OTHER, "--no-auth-warning", "CONFIG", "SET", "requirepass", RIGHT];
    assert_eq!(server.command(&change), "OK");
    eventually("the password to be accepted", async || timers.arm(&[due()]).await.ok()).await;
    claims_come(&timers, 1).await;
}

#[test]
fn settings_that_name_no_redis_are_refused_without_their_password() {
    let refused = |urls: &[&str], topology| {
        let mut settings = RedisSettings::single(String::new().into());
        settings.urls = urls.iter().map(|url| (*url).into()).collect();
        settings.topology = topology;
        let error = Redis::open(settings).err().expect("the settings should be refused");
        let text = chain(&error);
        assert!(!text.contains("hunter2"), "{text}");
    };
    refused(&[], Topology::Single);
    refused(&[], Topology::Cluster);
    refused(&["redis://:hunter2@"], Topology::Single);
    refused(&["http://:hunter2@127.0.0.1:6379"], Topology::Single);
    refused(&["redis://:hunter2@127.0.0.1:6379/zero"], Topology::Single);
    refused(&["redis://127.0.0.1:1", "redis://127.0.0.1:2"], Topology::Single);
    refused(&["redis://:hunter2@127.0.0.1:1", "redis://127.0.0.1:2"], Topology::Cluster);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_heals_when_its_node_comes_back() {
    let mut cluster = RedisCluster::start(3);
    let mut settings = RedisSettings::single(String::new().into());
    settings.urls = cluster.urls().into_iter().map(Into::into).collect();
    settings.topology = Topology::Cluster;
    let redis = Redis::open(settings).unwrap();
    let (timers, limits, live) = (redis.timers(), redis.limits(Arc::new(SystemClock)), redis.live());
    let armed: Vec<_> = (0..64).map(|_| due()).collect();
    timers.arm(&armed).await.unwrap();
    eventually("the news to be connected", async || live.is_connected().then_some(())).await;

    cluster.nodes()[0].kill();
    eventually("the loss to be noticed", async || timers.count().await.is_err().then_some(())).await;
    assert_eq!(limits.take(TWO_AN_HOUR, "holder").await, Verdict::Allowed);
    eventually("another node to tell the news", async || live.is_connected().then_some(())).await;

    cluster.nodes()[0].restart();
    // The node that was killed has forgotten its share, which the sweep sets again.
    eventually("the sweep to succeed", async || timers.arm_missing(&armed).await.ok()).await;
    claims_come(&timers, armed.len()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_dropped_leaves_no_connection() {
    let server = Server::start();
    // The one that asks is one of them.
    let connections = || server.command(&["CLIENT", "LIST"]).lines().count();
    let redis = open(&server);
    let (timers, live) = (redis.timers(), redis.live());
    timers.arm(&[due()]).await.unwrap();
    eventually("the news to be connected", async || live.is_connected().then_some(())).await;
    eventually("three connections", async || (connections() == 3).then_some(())).await;
    drop((redis, timers, live));
    eventually("the connections to end", async || (connections() == 1).then_some(())).await;
}
