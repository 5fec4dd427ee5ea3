//! Rates: a burst, its coming back, and who shares it.

use std::time::Duration;

use countersign::ports::timing::{Quota, Verdict};

use super::kit::Kit;
use crate::support::eventually::eventually;

const FIVE_AN_HOUR: Quota = Quota { name: "test", burst: 5, per: Duration::from_secs(3600) };

pub async fn a_burst_passes_and_the_rest_waits(kit: &Kit) {
    let limits = kit.limits();
    for _ in 0..5 {
        assert_eq!(limits.take(FIVE_AN_HOUR, "holder").await, Verdict::Allowed);
    }
    let Verdict::Wait(wait) = limits.take(FIVE_AN_HOUR, "holder").await else { panic!("a sixth was allowed") };
    // One comes back every twelve minutes, of which the test has used up a little.
    assert!(wait <= Duration::from_secs(720) && wait > Duration::from_secs(600), "{wait:?}");
}

pub async fn takers_and_quotas_are_apart(kit: &Kit) {
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

pub async fn what_was_taken_comes_back(kit: &Kit) {
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

pub async fn nodes_share_a_rate(kit: &Kit) {
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
