//! Timers in memory and on Redis, asked the same things in any order, give the same answers.

use proptest::collection::vec;
use proptest::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use countersign::adapters::timing::redis::KeyPrefix;
use countersign::adapters::timing::{MemoryTimers, Redis, RedisSettings, SystemClock};
use countersign::domain::ids::ApprovalId;
use countersign::domain::time::Timestamp;
use countersign::ports::timing::{Claim, Timers};

use super::kit::{MINUTE, PATIENCE, approvals, now};
use crate::support::servers::redis as servers;

/// So few approvals that what is done to one meets what was done to it before.
const APPROVALS: usize = 5;

/// One thing to ask. Approvals and earlier claims are named by number.
#[derive(Debug, Clone)]
enum Step {
    Arm(usize, Due),
    ArmMissing(usize, Due),
    Disarm(usize),
    /// Claims everything, for a minute or with a lease that is over as soon as it is given.
    Claim(Lease),
    Ack(usize),
    Release(usize),
}

#[derive(Debug, Clone, Copy)]
enum Due {
    Past,
    Future,
}

#[derive(Debug, Clone, Copy)]
enum Lease {
    Holds,
    IsOver,
}

fn step() -> impl Strategy<Value = Step> {
    let due = || prop_oneof![Just(Due::Past), Just(Due::Future)];
    let lease = prop_oneof![Just(Lease::Holds), Just(Lease::IsOver)];
    prop_oneof![
        3 => (0..APPROVALS, due()).prop_map(|(n, due)| Step::Arm(n, due)),
        2 => (0..APPROVALS, due()).prop_map(|(n, due)| Step::ArmMissing(n, due)),
        1 => (0..APPROVALS).prop_map(Step::Disarm),
        3 => lease.prop_map(Step::Claim),
        2 => (0..20_usize).prop_map(Step::Ack),
        2 => (0..20_usize).prop_map(Step::Release),
    ]
}

/// Asks all of it of one adapter, and tells what it claimed and how many timers it had after each step. All approvals
/// and the time are given, so that two adapters are asked exactly the same.
async fn answers(timers: &dyn Timers, steps: &[Step], ids: &[ApprovalId], start: Timestamp) -> Vec<String> {
    let mut handed_out: Vec<Claim> = Vec::new();
    let mut answers = Vec::new();
    for (n, step) in steps.iter().enumerate() {
        let at = |due| match due {
            // A different microsecond for each step, to see which of two due times stands.
            Due::Past => start - MINUTE + Duration::from_micros(n as u64),
            Due::Future => start + 60 * MINUTE,
        };
        let mut claimed = Vec::new();
        match step {
            Step::Arm(id, due) => timers.arm(&[(ids[*id], at(*due))]).await.unwrap(),
            Step::ArmMissing(id, due) => timers.arm_missing(&[(ids[*id], at(*due))]).await.unwrap(),
            Step::Disarm(id) => timers.disarm(&[ids[*id]]).await.unwrap(),
            Step::Claim(lease) => {
                let lease = match lease {
                    Lease::Holds => MINUTE,
                    Lease::IsOver => Duration::ZERO,
                };
                claimed = timers.claim(100, lease).await.unwrap();
                claimed.sort_by_key(|claim| claim.id);
                handed_out.extend(claimed.iter().cloned());
            }
            Step::Ack(claim) => {
                if let Some(claim) = handed_out.get(*claim) {
                    timers.ack(std::slice::from_ref(claim)).await.unwrap();
                }
            }
            Step::Release(claim) => {
                if let Some(claim) = handed_out.get(*claim) {
                    timers.release(std::slice::from_ref(claim)).await.unwrap();
                }
            }
        }
        let claimed: Vec<_> = claimed.iter().map(|claim| (claim.id, claim.due_at)).collect();
        answers.push(format!("{step:?}: {claimed:?}, {} left", timers.count().await.unwrap()));
    }
    answers
}

#[test]
fn memory_and_redis_answer_alike() {
    let server = servers::Redis::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let cases = ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() };
    let case = AtomicU32::new(0);
    proptest!(cases, |(steps in vec(step(), 1..40))| {
        // A prefix of its own, for nothing is flushed between the cases.
        let case = case.fetch_add(1, Ordering::Relaxed);
        let mut settings = RedisSettings { timeout: PATIENCE, ..RedisSettings::single(server.url().into()) };
        settings.prefix = format!("case-{case}").parse::<KeyPrefix>().unwrap();
        let (ids, start) = (approvals(APPROVALS), now());
        let (in_memory, on_redis) = runtime.block_on(async {
            let redis = Redis::open(settings).unwrap().timers();
            let memory = MemoryTimers::new(Arc::new(SystemClock));
            (answers(&memory, &steps, &ids, start).await, answers(&redis, &steps, &ids, start).await)
        });
        prop_assert_eq!(in_memory, on_redis);
    });
}
