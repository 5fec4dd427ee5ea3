//! What timers, rates and news promise, held against every adapter: in memory, on one Redis, and on a Redis Cluster.
//!
//! A kit makes nodes: in memory all of them are the one process there is, on Redis each has its own connection. Times
//! are those of the real clock, so nothing here depends on how fast the machine is: what has to hold meanwhile is
//! leased for a minute, and what has to come is polled for.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

use countersign::adapters::timing::redis::{KeyPrefix, Topology};
use countersign::adapters::timing::{
    MemoryLimits, MemoryLive, MemoryTimers, OsEntropy, Redis, RedisSettings, SystemClock,
};
use countersign::domain::ids::ApprovalId;
use countersign::domain::time::Timestamp;
use countersign::ports::timing::{Claim, Clock, Entropy, Limits, Live, Quota, Timers, Verdict};

use crate::support::eventually::{BOUND, eventually};
use crate::support::servers::redis as servers;

const MINUTE: Duration = Duration::from_secs(60);

/// What a test's nodes share.
enum Kit {
    Memory { timers: Arc<MemoryTimers>, limits: Arc<MemoryLimits>, live: Arc<MemoryLive> },
    Redis { settings: RedisSettings, _server: servers::Redis },
    Cluster { settings: RedisSettings },
}

impl Kit {
    fn memory() -> Self {
        let clock = Arc::new(SystemClock);
        Self::Memory {
            timers: Arc::new(MemoryTimers::new(clock.clone())),
            limits: Arc::new(MemoryLimits::new(clock)),
            live: Arc::new(MemoryLive::new()),
        }
    }

    fn redis() -> Self {
        let server = servers::Redis::start();
        Self::Redis { settings: RedisSettings::single(server.url().into()), _server: server }
    }

    /// A share of a cluster of its own, by its name.
    fn cluster(cluster: &servers::RedisCluster, name: &str) -> Self {
        let mut settings = RedisSettings::single(String::new().into());
        settings.urls = cluster.urls().into_iter().map(Into::into).collect();
        settings.topology = Topology::Cluster;
        settings.prefix = name.parse::<KeyPrefix>().unwrap();
        Self::Cluster { settings }
    }

    fn connect(settings: &RedisSettings) -> Redis {
        Redis::open(settings.clone()).unwrap()
    }

    /// The timers as one node has them.
    fn timers(&self) -> Arc<dyn Timers> {
        match self {
            Self::Memory { timers, .. } => timers.clone(),
            Self::Redis { settings, .. } | Self::Cluster { settings } => Arc::new(Self::connect(settings).timers()),
        }
    }

    /// The rates as one node has them.
    fn limits(&self) -> Arc<dyn Limits> {
        match self {
            Self::Memory { limits, .. } => limits.clone(),
            Self::Redis { settings, .. } | Self::Cluster { settings } => {
                Arc::new(Self::connect(settings).limits(Arc::new(SystemClock)))
            }
        }
    }

    /// The news as one node has them, once it hears the others.
    async fn live(&self) -> Arc<dyn Live> {
        let live: Arc<dyn Live> = match self {
            Self::Memory { live, .. } => live.clone(),
            Self::Redis { settings, .. } | Self::Cluster { settings } => Arc::new(Self::connect(settings).live()),
        };
        eventually("a node to hear the others", async || live.is_connected().then_some(())).await;
        live
    }
}

fn now() -> Timestamp {
    SystemClock.now()
}

fn approval() -> ApprovalId {
    let entropy: &dyn Entropy = &OsEntropy;
    ApprovalId::new(now(), entropy.bytes())
}

fn approvals(count: usize) -> Vec<ApprovalId> {
    (0..count).map(|_| approval()).collect()
}

fn ids(claims: &[Claim]) -> Vec<ApprovalId> {
    let mut ids: Vec<_> = claims.iter().map(|claim| claim.id).collect();
    ids.sort();
    ids
}

/// A due time that is past on any clock of this machine.
fn past() -> Timestamp {
    now() - Duration::from_secs(1)
}

/// Claims until something comes.
async fn claimed(timers: &dyn Timers, max: usize, lease: Duration) -> Vec<Claim> {
    eventually("a timer to be due", async || {
        let claims = timers.claim(max, lease).await.unwrap();
        (!claims.is_empty()).then_some(claims)
    })
    .await
}

/// Claims so many timers, however many claims it takes.
async fn claimed_all(timers: &dyn Timers, count: usize) -> Vec<Claim> {
    let mut all = Vec::new();
    while all.len() < count {
        all.extend(claimed(timers, count - all.len(), MINUTE).await);
    }
    all
}

/// Makes a test of each behaviour for each adapter. The cluster, which takes seconds to form, is one test for all.
macro_rules! hold {
    ($($behaviour:ident)*) => {
        mod memory {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $behaviour() { super::$behaviour(&super::Kit::memory()).await })*
        }

        mod redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $behaviour() { super::$behaviour(&super::Kit::redis()).await })*
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn a_cluster_holds_all_of_it() {
            let cluster = servers::RedisCluster::start(3);
            for (n, behaviour) in [$(stringify!($behaviour)),*].into_iter().enumerate() {
                println!("{behaviour}");
                let kit = Kit::cluster(&cluster, &format!("test-{n}"));
                match behaviour {
                    $(stringify!($behaviour) => $behaviour(&kit).await,)*
                    other => panic!("no behaviour of the name {other}"),
                }
            }
        }
    };
}

hold! {
    a_due_timer_is_claimed_once_and_gone_when_acknowledged
    due_times_come_back_to_the_microsecond
    a_timer_is_never_early_and_wakes_who_waits
    arming_again_replaces
    arming_a_leased_timer_sets_it_beside_the_lease
    the_sweep_sets_only_what_is_missing
    disarming_removes_what_is_set_and_what_is_leased
    a_crashed_claimer_loses_its_lease_and_can_not_acknowledge
    a_timer_given_back_is_due_at_once
    a_claim_takes_no_more_than_it_may
    setting_a_timer_wakes_who_waits
    waiting_ends_when_it_has_lasted_longest
    four_claimers_never_hold_the_same_timer
    nothing_at_all_is_no_error
    a_burst_passes_and_the_rest_waits
    takers_and_quotas_are_apart
    what_was_taken_comes_back
    nodes_share_a_rate
    a_listener_hears_the_newest_version_from_then_on
    nodes_hear_each_other
    many_news_at_once_arrive
}

async fn a_due_timer_is_claimed_once_and_gone_when_acknowledged(kit: &Kit) {
    let (here, there) = (kit.timers(), kit.timers());
    let id = approval();
    here.arm(&[(id, past())]).await.unwrap();
    let claims = there.claim(100, MINUTE).await.unwrap();
    assert_eq!(ids(&claims), [id]);
    assert_eq!(here.claim(100, MINUTE).await.unwrap(), []);
    assert_eq!(here.len().await.unwrap(), 1);
    there.ack(&claims).await.unwrap();
    assert_eq!(here.len().await.unwrap(), 0);
    // Once more does no harm.
    there.ack(&claims).await.unwrap();
    assert_eq!(here.claim(100, MINUTE).await.unwrap(), []);
}

async fn due_times_come_back_to_the_microsecond(kit: &Kit) {
    let timers = kit.timers();
    let mut armed: Vec<_> = (0..50).map(|n| (approval(), past() - Duration::from_micros(n))).collect();
    timers.arm(&armed).await.unwrap();
    let claims = claimed_all(&*timers, 50).await;
    let mut back: Vec<_> = claims.iter().map(|claim| (claim.id, claim.due_at)).collect();
    armed.sort();
    back.sort();
    assert_eq!(back, armed);
}

async fn a_timer_is_never_early_and_wakes_who_waits(kit: &Kit) {
    let timers = kit.timers();
    let due_at = now() + Duration::from_millis(300);
    timers.arm(&[(approval(), due_at)]).await.unwrap();
    let looking = async {
        loop {
            let claims = timers.claim(10, MINUTE).await.unwrap();
            if !claims.is_empty() {
                return claims;
            }
            timers.wait(MINUTE).await;
        }
    };
    let claims = timeout(BOUND, looking).await.expect("a wait of a minute ends when the timer is due");
    assert!(now() >= due_at);
    assert_eq!(claims[0].due_at, due_at);
}

async fn arming_again_replaces(kit: &Kit) {
    let timers = kit.timers();
    let (postponed, advanced) = (approval(), approval());
    timers.arm(&[(postponed, past()), (advanced, now() + MINUTE)]).await.unwrap();
    let later = now() + 2 * MINUTE;
    let sooner = past();
    timers.arm(&[(postponed, later), (advanced, sooner)]).await.unwrap();
    assert_eq!(timers.len().await.unwrap(), 2);
    let claims = claimed_all(&*timers, 1).await;
    assert_eq!((claims[0].id, claims[0].due_at), (advanced, sooner));
    assert_eq!(timers.claim(10, MINUTE).await.unwrap(), []);
}

async fn arming_a_leased_timer_sets_it_beside_the_lease(kit: &Kit) {
    let timers = kit.timers();
    let id = approval();
    timers.arm(&[(id, past())]).await.unwrap();
    let first = claimed_all(&*timers, 1).await;
    let again = past();
    timers.arm(&[(id, again)]).await.unwrap();
    timers.ack(&first).await.unwrap();
    let second = claimed_all(&*timers, 1).await;
    assert_eq!((second[0].id, second[0].due_at), (id, again));

    // The same while the lease stays: the newer lease is the one that counts.
    timers.arm(&[(id, past())]).await.unwrap();
    let third = claimed_all(&*timers, 1).await;
    timers.ack(&second).await.unwrap();
    assert_eq!(timers.len().await.unwrap(), 1);
    timers.ack(&third).await.unwrap();
    assert_eq!(timers.len().await.unwrap(), 0);
}

async fn the_sweep_sets_only_what_is_missing(kit: &Kit) {
    let timers = kit.timers();
    let (set, leased, missing) = (approval(), approval(), approval());
    timers.arm(&[(leased, past())]).await.unwrap();
    let claims = claimed_all(&*timers, 1).await;
    timers.arm(&[(set, now() + MINUTE)]).await.unwrap();

    let due_at = past();
    timers.arm_missing(&[(set, due_at), (leased, due_at), (missing, due_at)]).await.unwrap();
    assert_eq!(timers.len().await.unwrap(), 3);
    assert_eq!(ids(&claimed_all(&*timers, 1).await), [missing]);
    assert_eq!(timers.claim(10, MINUTE).await.unwrap(), []);

    timers.ack(&claims).await.unwrap();
    timers.arm_missing(&[(leased, due_at)]).await.unwrap();
    assert_eq!(ids(&claimed_all(&*timers, 1).await), [leased]);
}

async fn disarming_removes_what_is_set_and_what_is_leased(kit: &Kit) {
    let timers = kit.timers();
    let (leased, set, kept) = (approval(), approval(), approval());
    timers.arm(&[(leased, past())]).await.unwrap();
    let claims = claimed_all(&*timers, 1).await;
    timers.arm(&[(set, past()), (kept, past())]).await.unwrap();
    timers.disarm(&[leased, set, approval()]).await.unwrap();
    assert_eq!(timers.len().await.unwrap(), 1);
    timers.ack(&claims).await.unwrap();
    timers.release(&claims).await.unwrap();
    assert_eq!(ids(&claimed_all(&*timers, 1).await), [kept]);
    assert_eq!(timers.claim(10, MINUTE).await.unwrap(), []);
}

async fn a_crashed_claimer_loses_its_lease_and_can_not_acknowledge(kit: &Kit) {
    let (crashed, other) = (kit.timers(), kit.timers());
    let (id, due_at) = (approval(), past());
    crashed.arm(&[(id, due_at)]).await.unwrap();
    let lost = claimed(&*crashed, 10, Duration::from_millis(200)).await;
    // The other node learns when the lease ends from a look that finds nothing, and sleeps until then.
    let looking = async {
        loop {
            let claims = other.claim(10, MINUTE).await.unwrap();
            if !claims.is_empty() {
                return claims;
            }
            other.wait(MINUTE).await;
        }
    };
    let taken = timeout(BOUND, looking).await.expect("a lease that ran out wakes who waits");
    assert_eq!((taken[0].id, taken[0].due_at), (id, due_at));
    assert_ne!(taken[0].lease, lost[0].lease);

    crashed.ack(&lost).await.unwrap();
    crashed.release(&lost).await.unwrap();
    assert_eq!(other.len().await.unwrap(), 1);
    assert_eq!(other.claim(10, MINUTE).await.unwrap(), []);
    other.ack(&taken).await.unwrap();
    assert_eq!(other.len().await.unwrap(), 0);
}

async fn a_timer_given_back_is_due_at_once(kit: &Kit) {
    let (leaving, other) = (kit.timers(), kit.timers());
    let armed: Vec<_> = approvals(40).into_iter().map(|id| (id, past())).collect();
    leaving.arm(&armed).await.unwrap();
    let claims = claimed_all(&*leaving, 40).await;
    // One of them is set anew meanwhile: its newer time stands.
    let later = now() + MINUTE;
    other.arm(&[(claims[0].id, later)]).await.unwrap();
    leaving.release(&claims).await.unwrap();
    assert_eq!(other.len().await.unwrap(), 40);
    let taken = claimed_all(&*other, 39).await;
    assert_eq!(ids(&taken), ids(&claims[1..]));
    assert_eq!(other.claim(10, MINUTE).await.unwrap(), []);
}

async fn a_claim_takes_no_more_than_it_may(kit: &Kit) {
    let timers = kit.timers();
    let armed: Vec<_> = approvals(100).into_iter().map(|id| (id, past())).collect();
    timers.arm(&armed).await.unwrap();
    assert_eq!(timers.claim(0, MINUTE).await.unwrap(), []);
    let mut seen = HashSet::new();
    for max in [1, 3, 7, 16, 17, 50].into_iter().cycle() {
        let claims = timers.claim(max, MINUTE).await.unwrap();
        assert!(claims.len() <= max);
        seen.extend(claims.into_iter().map(|claim| claim.id));
        if seen.len() == 100 {
            break;
        }
        // What is left is due, so nobody has to wait for it.
        timeout(BOUND, timers.wait(MINUTE)).await.unwrap();
    }
}

async fn setting_a_timer_wakes_who_waits(kit: &Kit) {
    let timers = kit.timers();
    assert_eq!(timers.claim(10, MINUTE).await.unwrap(), []);
    let waiting = timers.wait(10 * MINUTE);
    let arming = async { timers.arm(&[(approval(), past())]).await.unwrap() };
    timeout(BOUND, async { tokio::join!(waiting, arming) }).await.expect("a due timer ends a wait of ten minutes");

    let claims = claimed_all(&*timers, 1).await;
    let waiting = timers.wait(10 * MINUTE);
    let giving_back = async { timers.release(&claims).await.unwrap() };
    timeout(BOUND, async { tokio::join!(waiting, giving_back) }).await.expect("so does one that is given back");
}

async fn waiting_ends_when_it_has_lasted_longest(kit: &Kit) {
    let timers = kit.timers();
    timers.arm(&[(approval(), now() + 10 * MINUTE)]).await.unwrap();
    assert_eq!(timers.claim(10, MINUTE).await.unwrap(), []);
    let before = now();
    timeout(BOUND, timers.wait(Duration::from_millis(200))).await.unwrap();
    assert!(now().since(before) >= Duration::from_millis(190), "with nothing due it has to sleep");
}

async fn four_claimers_never_hold_the_same_timer(kit: &Kit) {
    const COUNT: usize = 5_000;
    let armed: Vec<_> = approvals(COUNT).into_iter().map(|id| (id, past())).collect();
    kit.timers().arm(&armed).await.unwrap();
    let claimers: Vec<_> = (0..4)
        .map(|_| {
            let timers = kit.timers();
            tokio::spawn(async move {
                let mut all = Vec::new();
                loop {
                    let claims = timers.claim(100, MINUTE).await.unwrap();
                    if claims.is_empty() && timers.len().await.unwrap() == 0 {
                        return all;
                    }
                    timers.ack(&claims).await.unwrap();
                    all.extend(claims.into_iter().map(|claim| claim.id));
                }
            })
        })
        .collect();
    let mut seen = HashSet::new();
    let mut count = 0;
    for claimer in claimers {
        let claimed = timeout(BOUND, claimer).await.unwrap().unwrap();
        count += claimed.len();
        seen.extend(claimed);
    }
    assert_eq!(seen.len(), count, "a timer was handed out twice");
    assert_eq!(count, COUNT, "a timer was lost");
    assert_eq!(kit.timers().len().await.unwrap(), 0);
}

async fn nothing_at_all_is_no_error(kit: &Kit) {
    let timers = kit.timers();
    timers.arm(&[]).await.unwrap();
    timers.arm_missing(&[]).await.unwrap();
    timers.disarm(&[]).await.unwrap();
    timers.ack(&[]).await.unwrap();
    timers.release(&[]).await.unwrap();
    assert_eq!(timers.len().await.unwrap(), 0);
    kit.live().await.publish(&[]).await;
}

const FIVE_AN_HOUR: Quota = Quota { name: "test", burst: 5, per: Duration::from_secs(3600) };

async fn a_burst_passes_and_the_rest_waits(kit: &Kit) {
    let limits = kit.limits();
    for _ in 0..5 {
        assert_eq!(limits.take(FIVE_AN_HOUR, "holder").await, Verdict::Allowed);
    }
    let Verdict::Wait(wait) = limits.take(FIVE_AN_HOUR, "holder").await else { panic!("a sixth was allowed") };
    // One comes back every twelve minutes, of which the test has used up a little.
    assert!(wait <= Duration::from_secs(720) && wait > Duration::from_secs(600), "{wait:?}");
}

async fn takers_and_quotas_are_apart(kit: &Kit) {
    let limits = kit.limits();
    let one = Quota { burst: 1, ..FIVE_AN_HOUR };
    assert_eq!(limits.take(one, "a").await, Verdict::Allowed);
    assert_eq!(limits.take(one, "b").await, Verdict::Allowed);
    assert_eq!(limits.take(Quota { name: "other", ..one }, "a").await, Verdict::Allowed);
    assert!(matches!(limits.take(one, "a").await, Verdict::Wait(_)));
    assert!(matches!(limits.take(one, "b").await, Verdict::Wait(_)));
    let none = Quota { burst: 0, ..FIVE_AN_HOUR };
    assert_eq!(limits.take(none, "c").await, Verdict::Wait(none.per));
}

async fn what_was_taken_comes_back(kit: &Kit) {
    let limits = kit.limits();
    let quick = Quota { name: "quick", burst: 2, per: Duration::from_millis(400) };
    let mut refused = 0;
    let mut allowed = 0;
    eventually("the third to be allowed", async || {
        match limits.take(quick, "holder").await {
            Verdict::Allowed => allowed += 1,
            Verdict::Wait(wait) => {
                assert!(wait <= quick.per && !wait.is_zero(), "{wait:?}");
                refused += 1;
            }
        }
        (allowed >= 3 && refused > 0).then_some(())
    })
    .await;
}

async fn nodes_share_a_rate(kit: &Kit) {
    let nodes = [kit.limits(), kit.limits()];
    let takers: Vec<_> = (0..50)
        .map(|n| {
            let limits = nodes[n % 2].clone();
            tokio::spawn(async move { limits.take(FIVE_AN_HOUR, "holder").await })
        })
        .collect();
    let mut allowed = 0;
    for taker in takers {
        allowed += usize::from(taker.await.unwrap() == Verdict::Allowed);
    }
    assert_eq!(allowed, 5);
}

async fn a_listener_hears_the_newest_version_from_then_on(kit: &Kit) {
    let live = kit.live().await;
    let (id, other) = (approval(), approval());
    let mut early = live.subscribe(id);
    assert_eq!(*early.borrow(), 0);
    live.publish(&[(id, 3), (other, 9)]).await;
    // On the node that publishes, it is there at once.
    assert_eq!(*early.borrow_and_update(), 3);
    let late = live.subscribe(id);
    live.publish(&[(id, 2)]).await;
    assert_eq!(*early.borrow(), 3, "older news is no news");
    live.publish(&[(id, 4), (id, 6), (id, 5)]).await;
    assert_eq!((*early.borrow(), *late.borrow()), (6, 6));
    assert_eq!(*live.subscribe(approval()).borrow(), 0);
}

async fn nodes_hear_each_other(kit: &Kit) {
    let (here, there) = (kit.live().await, kit.live().await);
    let id = approval();
    let mut hears = there.subscribe(id);
    here.publish(&[(approval(), 1), (id, 7)]).await;
    let heard = timeout(BOUND, hears.wait_for(|version| *version == 7)).await;
    assert!(heard.is_ok(), "the other node didn't hear it");
}

async fn many_news_at_once_arrive(kit: &Kit) {
    let (here, there) = (kit.live().await, kit.live().await);
    let news: Vec<_> = approvals(2_000).into_iter().map(|id| (id, 2)).collect();
    let listeners: Vec<_> = news.iter().map(|(id, _)| there.subscribe(*id)).collect();
    here.publish(&news).await;
    for mut listener in listeners {
        timeout(BOUND, listener.wait_for(|version| *version == 2)).await.unwrap().unwrap();
    }
}
