//! Everybody at once, on two nodes: redeems against each other, and against cancels and the release.

use std::time::Duration;

use countersign::domain::Timestamp;
use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use super::chance::Chance;
use super::deployment::{Deployment, Options};
use super::holder::{Holder, Placed, text};
use super::phone::Cookies;
use crate::support::backend::{Backend, Reply};

const ROUNDS: u32 = 3;
const AT_ONCE: usize = 50;

/// Who has a say in one race.
const HOLDERS: u64 = 4;
const EACH: u64 = 5;
/// Most rounds until both sides have won. One that only one side ever wins is no race.
const MOST_ROUNDS: usize = 5;
/// Longest that a race goes undecided.
const BOUND: Duration = Duration::from_secs(100);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keys {
    Different,
    Same,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_fifty_redeems_at_once_one_is_carried_out() {
    let mut chance = Chance::of("redeems");
    let deployment = Deployment::start(Options::default()).await;
    let gateway = deployment.gateway();
    let nodes = [deployment.backend(0), deployment.backend(1)];
    let mut holder = Holder::enrolled(&deployment, &gateway, "redeems", chance.fork()).await;
    for round in 0..ROUNDS {
        for keys in [Keys::Different, Keys::Same] {
            let placed = approved(&mut holder).await;
            wait_for_release(&nodes[0], &placed).await;
            let ask = |number: usize| {
                let key = match keys {
                    Keys::Different => format!("{round}-{number}"),
                    Keys::Same => format!("{round}-same"),
                };
                let (node, placed) = (&nodes[number % nodes.len()], &placed);
                async move { node.redeem(&placed.id, &placed.digest, &key).await }
            };
            let replies = join_all((0..AT_ONCE).map(ask)).await;
            let (receipts, refused): (Vec<&Reply>, Vec<&Reply>) = replies.iter().partition(|reply| reply.status == 200);
            for reply in &receipts {
                deployment.ledger.redeemed(&placed.id, text(&reply.body["receipt"]));
                deployment.ledger.saw(&reply.body["approval"]);
            }
            let expected = if keys == Keys::Different { 1 } else { AT_ONCE };
            assert_eq!(receipts.len(), expected, "{keys:?}: {refused:?}");
            for reply in refused {
                assert_eq!((reply.status, reply.slug()), (409, "already-redeemed"), "{}", reply.body);
            }
        }
    }
    deployment.check(&deployment.postgres.url("postgres")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cancel_that_was_acknowledged_is_never_followed_by_a_redeem() {
    let mut chance = Chance::of("races");
    let deployment = Deployment::start(Options { hold: 3, ..Options::default() }).await;
    let gateway = deployment.gateway();
    let enrolled = (0..HOLDERS).map(|number| {
        let chance = chance.fork();
        let (deployment, gateway) = (&deployment, &gateway);
        async move { Holder::enrolled(deployment, gateway, &format!("races-{number}"), chance).await }
    });
    let mut holders: Vec<Holder> = join_all(enrolled).await;
    let mut winners = Vec::new();
    for _ in 0..MOST_ROUNDS {
        let runs = holders.iter_mut().map(|holder| {
            let mut chance = chance.fork();
            let deployment = &deployment;
            async move {
                let mut placed = Vec::new();
                for _ in 0..EACH {
                    placed.push(approved(holder).await);
                }
                let holder = &*holder;
                join_all(placed.iter().map(|placed| race(deployment, holder, placed, chance.fork()))).await
            }
        });
        winners.extend(join_all(runs).await.into_iter().flatten());
        if [Winner::Stopped, Winner::Redeemed].iter().all(|side| winners.contains(side)) {
            break;
        }
    }
    for side in [Winner::Stopped, Winner::Redeemed] {
        assert!(winners.contains(&side), "no race of {} was ever {side:?}: {winners:?}", winners.len());
    }
    deployment.check(&deployment.postgres.url("postgres")).await;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Winner {
    Stopped,
    Redeemed,
}

/// Both nodes are asked to redeem all the time, and to stop at a moment around the end of the hold.
async fn race(deployment: &Deployment, holder: &Holder, placed: &Placed, mut chance: Chance) -> Winner {
    let nodes = [deployment.backend(0), deployment.backend(1)];
    let view = holder.read(&placed.id).await;
    let time = |text: &str| Timestamp::parse_rfc3339(text).expect("a time");
    let left =
        view["cooling_until"].as_str().map_or(Duration::ZERO, |until| time(until).since(time(&now_of(deployment))));
    // Not a wait for a state: when the stop comes is what makes the race.
    let moment = Instant::now() + left + Duration::from_millis(chance.below(120));
    let moment = moment.checked_sub(Duration::from_millis(40)).expect("a moment after the start");
    let by_phone = chance.once_in(2);
    let stop = async {
        tokio::time::sleep_until(moment).await;
        let status = if by_phone {
            let answer = holder.phone.press(&placed.id, "cancel").await;
            if answer.status == 303 { 200 } else { answer.status }
        } else {
            nodes[0].cancel(&placed.id).await.status
        };
        assert!([200, 409].contains(&status), "a stop was answered {status}");
        if status == 200 {
            deployment.ledger.cancelled(&placed.id);
        }
        status == 200
    };
    let takers = nodes.iter().enumerate().map(|(number, node)| take(deployment, node, placed, number));
    let (is_stopped, taken) = tokio::join!(stop, join_all(takers));
    let receipts = taken.into_iter().filter(|is_taken| *is_taken).count();
    match (is_stopped, receipts) {
        (true, 0) => Winner::Stopped,
        (false, 1) => Winner::Redeemed,
        _ => panic!("{} was stopped: {is_stopped}, and redeemed {receipts} times", placed.id),
    }
}

/// Asks until it is decided; says whether this one got the receipt.
async fn take(deployment: &Deployment, node: &Backend, placed: &Placed, number: usize) -> bool {
    let began = Instant::now();
    let key = format!("taker-{number}");
    while began.elapsed() < BOUND {
        let reply = node.redeem(&placed.id, &placed.digest, &key).await;
        match (reply.status, reply.slug(), reply.body["state"].as_str()) {
            (200, ..) => {
                deployment.ledger.redeemed(&placed.id, text(&reply.body["receipt"]));
                return true;
            }
            (409, "already-redeemed", _) | (409, "conflict", Some("cancelled")) => return false,
            (409, "conflict", _) => sleep(Duration::from_millis(10)).await,
            _ => panic!("a redeem was answered {} {}", reply.status, reply.body),
        }
    }
    panic!("{} was neither redeemed nor stopped in {BOUND:?}", placed.id);
}

async fn approved(holder: &mut Holder) -> Placed {
    let placed = holder.place().await;
    holder.watch(&placed, &mut Cookies::default()).await;
    assert!(holder.approve(&placed).await, "there was time to approve");
    placed
}

async fn wait_for_release(node: &Backend, placed: &Placed) {
    node.until(&placed.id, "released").await;
}

/// The time by the clock that all the nodes share with this machine.
fn now_of(deployment: &Deployment) -> String {
    let now = "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')";
    deployment.postgres.sql("postgres", now)
}
