//! What timers, rates and news promise, held against every adapter: in memory, on one Redis, and on a Redis Cluster.
//!
//! A kit makes nodes: in memory all of them are the one process there is, on Redis each has its own connection. Times
//! are those of the real clock, so nothing here depends on how fast the machine is: what has to hold meanwhile is
//! leased for a minute, and what has to come is polled for.

mod agreement;
mod kit;
mod limits;
mod live;
mod timers;

use crate::support::servers::redis as servers;
use kit::Kit;
use limits::*;
use live::*;
use timers::*;

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
