//! Timers: set, due, leased, given back.

use std::collections::HashSet;
use std::time::Duration;
use tokio::time::timeout;

use countersign::domain::ids::ApprovalId;
use countersign::domain::time::Timestamp;
use countersign::ports::timing::{Claim, Timers};

use super::kit::{Kit, MINUTE, approval, approvals, now};
use crate::support::eventually::{BOUND, eventually};

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

pub async fn a_due_timer_is_claimed_once_and_gone_when_acknowledged(kit: &Kit) {
    let (here, there) = (kit.timers(), kit.timers());
    let id = approval();
    here.arm(&[(id, past())]).await.unwrap();
    let claims = there.claim(100, MINUTE).await.unwrap();
    assert_eq!(ids(&claims), [id]);
    assert_eq!(here.claim(100, MINUTE).await.unwrap(), []);
    assert_eq!(here.count().await.unwrap(), 1);
    there.ack(&claims).await.unwrap();
    assert_eq!(here.count().await.unwrap(), 0);
    // Once more does no harm.
    there.ack(&claims).await.unwrap();
    assert_eq!(here.claim(100, MINUTE).await.unwrap(), []);
}

pub async fn due_times_come_back_to_the_microsecond(kit: &Kit) {
    let timers = kit.timers();
    let mut armed: Vec<_> = (0..50).map(|n| (approval(), past() - Duration::from_micros(n))).collect();
    timers.arm(&armed).await.unwrap();
    let claims = claimed_all(&*timers, 50).await;
    let mut back: Vec<_> = claims.iter().map(|claim| (claim.id, claim.due_at)).collect();
    armed.sort();
    back.sort();
    assert_eq!(back, armed);
}

pub async fn a_timer_is_never_early_and_wakes_who_waits(kit: &Kit) {
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

pub async fn arming_again_replaces(kit: &Kit) {
    let timers = kit.timers();
    let (postponed, advanced) = (approval(), approval());
    timers.arm(&[(postponed, past()), (advanced, now() + MINUTE)]).await.unwrap();
    let later = now() + 2 * MINUTE;
    let sooner = past();
    timers.arm(&[(postponed, later), (advanced, sooner)]).await.unwrap();
    assert_eq!(timers.count().await.unwrap(), 2);
    let claims = claimed_all(&*timers, 1).await;
    assert_eq!((claims[0].id, claims[0].due_at), (advanced, sooner));
    assert_eq!(timers.claim(10, MINUTE).await.unwrap(), []);
}

pub async fn arming_a_leased_timer_sets_it_beside_the_lease(kit: &Kit) {
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
    assert_eq!(timers.count().await.unwrap(), 1);
    timers.ack(&third).await.unwrap();
    assert_eq!(timers.count().await.unwrap(), 0);
}

pub async fn the_sweep_sets_only_what_is_missing(kit: &Kit) {
    let timers = kit.timers();
    let (set, leased, missing) = (approval(), approval(), approval());
    timers.arm(&[(leased, past())]).await.unwrap();
    let claims = claimed_all(&*timers, 1).await;
    timers.arm(&[(set, now() + MINUTE)]).await.unwrap();

    let due_at = past();
    timers.arm_missing(&[(set, due_at), (leased, due_at), (missing, due_at)]).await.unwrap();
    assert_eq!(timers.count().await.unwrap(), 3);
    assert_eq!(ids(&claimed_all(&*timers, 1).await), [missing]);
    assert_eq!(timers.claim(10, MINUTE).await.unwrap(), []);

    timers.ack(&claims).await.unwrap();
    timers.arm_missing(&[(leased, due_at)]).await.unwrap();
    assert_eq!(ids(&claimed_all(&*timers, 1).await), [leased]);
}

pub async fn disarming_removes_what_is_set_and_what_is_leased(kit: &Kit) {
    let timers = kit.timers();
    let (leased, set, kept) = (approval(), approval(), approval());
    timers.arm(&[(leased, past())]).await.unwrap();
    let claims = claimed_all(&*timers, 1).await;
    timers.arm(&[(set, past()), (kept, past())]).await.unwrap();
    timers.disarm(&[leased, set, approval()]).await.unwrap();
    assert_eq!(timers.count().await.unwrap(), 1);
    timers.ack(&claims).await.unwrap();
    timers.release(&claims).await.unwrap();
    assert_eq!(ids(&claimed_all(&*timers, 1).await), [kept]);
    assert_eq!(timers.claim(10, MINUTE).await.unwrap(), []);
}

pub async fn a_crashed_claimer_loses_its_lease_and_can_not_acknowledge(kit: &Kit) {
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
    assert_eq!(other.count().await.unwrap(), 1);
    assert_eq!(other.claim(10, MINUTE).await.unwrap(), []);
    other.ack(&taken).await.unwrap();
    assert_eq!(other.count().await.unwrap(), 0);
}

pub async fn a_timer_given_back_is_due_at_once(kit: &Kit) {
    let (leaving, other) = (kit.timers(), kit.timers());
    let armed: Vec<_> = approvals(40).into_iter().map(|id| (id, past())).collect();
    leaving.arm(&armed).await.unwrap();
    let claims = claimed_all(&*leaving, 40).await;
    // One of them is set anew meanwhile: its newer time stands.
    let later = now() + MINUTE;
    other.arm(&[(claims[0].id, later)]).await.unwrap();
    leaving.release(&claims).await.unwrap();
    assert_eq!(other.count().await.unwrap(), 40);
    let taken = claimed_all(&*other, 39).await;
    assert_eq!(ids(&taken), ids(&claims[1..]));
    assert_eq!(other.claim(10, MINUTE).await.unwrap(), []);
}

pub async fn a_claim_takes_no_more_than_it_may(kit: &Kit) {
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

pub async fn setting_a_timer_wakes_who_waits(kit: &Kit) {
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

pub async fn waiting_ends_when_it_has_lasted_longest(kit: &Kit) {
    let timers = kit.timers();
    timers.arm(&[(approval(), now() + 10 * MINUTE)]).await.unwrap();
    assert_eq!(timers.claim(10, MINUTE).await.unwrap(), []);
    let before = now();
    timeout(BOUND, timers.wait(Duration::from_millis(200))).await.unwrap();
    assert!(now().since(before) >= Duration::from_millis(190), "with nothing due it has to sleep");
}

pub async fn four_claimers_never_hold_the_same_timer(kit: &Kit) {
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
                    if claims.is_empty() && timers.count().await.unwrap() == 0 {
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
    assert_eq!(kit.timers().count().await.unwrap(), 0);
}

pub async fn nothing_at_all_is_no_error(kit: &Kit) {
    let timers = kit.timers();
    timers.arm(&[]).await.unwrap();
    timers.arm_missing(&[]).await.unwrap();
    timers.disarm(&[]).await.unwrap();
    timers.ack(&[]).await.unwrap();
    timers.release(&[]).await.unwrap();
    assert_eq!(timers.count().await.unwrap(), 0);
    kit.live().await.publish(&[]).await;
}
