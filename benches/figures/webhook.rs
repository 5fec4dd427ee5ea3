//! From a decision to its webhook at the receiver, at a hundred decisions a second that don't wait for each other.

use std::collections::HashMap;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

use super::Extent;
use crate::clock;
use crate::drive;
use crate::receiver::Receiver;
use crate::report::Line;
use crate::seed::{self, Wanted};
use crate::stack::{Backing, Stack};
use crate::wire::Wire;

const PER_SECOND: u32 = 100;
/// Phones that take turns.
const PHONES: usize = 32;
/// Longer than the run, so that the decision's is the only webhook.
const HOLD_SECONDS: u32 = 3600;

/// A decision: when it was sent, and when it was answered.
struct Decided {
    id: String,
    sent: Instant,
    answered: Instant,
}

pub async fn run(backing: Backing, extent: Extent) -> anyhow::Result<()> {
    let stack = Stack::start(backing).await?;
    let setup = stack.record("webhook").await?;
    let mut receiver = Receiver::start().await?;
    let wanted = Wanted { phones: PHONES, silent: 0, hook: Some(&receiver.url) };
    let mut cast = seed::cast(&stack, &setup, wanted).await?;
    let phones = std::mem::take(&mut cast.phones);
    let cast = std::sync::Arc::new(cast);
    let mut node = setup.start().await?;
    let watched = stack.watched(&node);
    let line = Line::of("decision_to_webhook", &stack)?;
    let before = watched.read();

    let start = clock::now() + Duration::from_millis(100);
    let seconds = u32::try_from(extent.time.as_secs().max(1))?;
    let each = PER_SECOND * seconds / u32::try_from(PHONES)?;
    let mut load = JoinSet::new();
    for (number, mut phone) in (0_u32..).zip(phones) {
        let (cast, port) = (std::sync::Arc::clone(&cast), node.port);
        load.spawn(async move {
            let mut wire = Wire::to(port).await?;
            let mut decided = Vec::new();
            for turn in 0..each {
                // Everything before the decision happens in the time until its turn.
                let name = format!("webhook-{number}-{turn}");
                let opened = drive::create(&mut wire, &cast, &phone.subject, &name, Some(HOLD_SECONDS)).await?;
                let signed = drive::sign(&mut wire, &mut phone, &opened).await?;
                let place = turn * u32::try_from(PHONES)? + number;
                let at = start + Duration::from_secs(1) * place / PER_SECOND;
                tokio::time::sleep_until(at.into()).await;
                let sent = clock::now();
                drive::approve(&mut wire, &phone, &signed).await?;
                decided.push(Decided { id: opened.id, sent, answered: clock::now() });
            }
            anyhow::Ok(decided)
        });
    }
    let mut decided = Vec::new();
    while let Some(some) = load.join_next().await {
        decided.extend(some??);
    }
    let mut arrived = HashMap::new();
    let all = async {
        while arrived.len() < decided.len() {
            let Some(one) = receiver.arrived.recv().await else { break };
            arrived.insert(one.approval, one.at);
        }
    };
    tokio::time::timeout(Duration::from_secs(20), all).await?;
    let spent = watched.since(before);
    node.check()?;

    let since = |moment: fn(&Decided) -> Instant| -> Vec<f64> {
        let late =
            |one: &Decided| Some(arrived.get(&one.id)?.saturating_duration_since(moment(one)).as_secs_f64() * 1e3);
        decided.iter().filter_map(late).collect()
    };
    let took = (start.elapsed()).as_secs_f64();
    line.set("decisions", decided.len())
        .number("per_s", super::count(decided.len()) / took)
        .milliseconds("from_request", &mut since(|one| one.sent))
        .milliseconds("from_answer", &mut since(|one| one.answered))
        .cpu(&spent, super::count(decided.len()))
        .print();
    Ok(())
}
