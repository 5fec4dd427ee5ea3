//! The whole life of an approval: create, approve with passkey and device key, hold, release, webhook, redeem. Sixteen
//! connections open and approve, and redeem first whatever was released. What is left is verified afterwards.

use anyhow::Context as _;
use futures_util::future::try_join_all;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Extent, count, verify};
use crate::clock;
use crate::drive::{self, Opened};
use crate::receiver::Receiver;
use crate::report::Line;
use crate::seed::{self, Cast, Phone, Wanted};
use crate::stack::node::HOLD;
use crate::stack::{Backing, Stack};
use crate::wire::Wire;

const CONNECTIONS: usize = 16;
/// Webhooks of one life: approved, released, redeemed.
const WEBHOOKS: usize = 3;

/// Whether the side that starts the transfer opens its waiting page, as it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waiting {
    Opened,
    Skipped,
}

pub async fn run(backing: Backing, extent: Extent) -> anyhow::Result<()> {
    let stack = Stack::start(backing).await?;
    for waiting in [Waiting::Skipped, Waiting::Opened] {
        one(&stack, waiting, extent).await?;
    }
    Ok(())
}

async fn one(stack: &Stack, waiting: Waiting, extent: Extent) -> anyhow::Result<()> {
    let setup = stack.record(&format!("lifecycle_{}", waiting.word())).await?;
    let mut receiver = Receiver::start().await?;
    let wanted = Wanted { phones: CONNECTIONS, silent: 0, hook: Some(&receiver.url) };
    let mut cast = seed::cast(stack, &setup, wanted).await?;
    let mut phones = std::mem::take(&mut cast.phones);
    let mut node = setup.start().await?;
    let watched = stack.watched(&node);

    let warm = Round { port: node.port, cast: &cast, waiting, time: Duration::from_secs(1), name: "warm" };
    warm.run(&mut phones, &mut receiver).await?;
    let line = Line::of("lifecycle", stack)?;
    let before = watched.read();
    let begun = clock::now();
    let round = Round { port: node.port, cast: &cast, waiting, time: extent.time, name: "life" };
    let mut done = round.run(&mut phones, &mut receiver).await?;
    let spent = watched.since(before);
    node.check()?;

    let lives = count(done.lives);
    line.set("waiting_page", waiting.word())
        .set("connections", CONNECTIONS)
        .set("lives", done.lives)
        .number("per_s", lives / ((done.last_redeemed - begun) - HOLD).as_secs_f64())
        .cpu(&spent, lives)
        .milliseconds("create", &mut done.created)
        .milliseconds("approve", &mut done.approved)
        .milliseconds("due_to_webhook", &mut done.due_to_webhook)
        .number("rss_mib", crate::meter::resident_mib(node.pid()).unwrap_or(f64::NAN))
        .print();
    drop(node);
    verify::run(stack, &setup).await
}

impl Waiting {
    const fn word(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Skipped => "skipped",
        }
    }
}

/// One stretch of load.
struct Round<'a> {
    port: u16,
    cast: &'a Cast,
    waiting: Waiting,
    time: Duration,
    name: &'static str,
}

/// What a stretch gave.
struct Done {
    lives: usize,
    last_redeemed: Instant,
    created: Vec<f64>,
    approved: Vec<f64>,
    due_to_webhook: Vec<f64>,
}

/// What the connections share.
struct Shared {
    /// Approved ones: their digests, and when their hold is over.
    waiting: Mutex<HashMap<String, (String, Instant)>>,
    released: Mutex<VecDeque<String>>,
    opened: AtomicUsize,
    redeemed: AtomicUsize,
    sent: AtomicUsize,
    opening: AtomicUsize,
    samples: Mutex<(Vec<f64>, Vec<f64>, Vec<f64>)>,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Round<'_> {
    async fn run(&self, phones: &mut [Phone], receiver: &mut Receiver) -> anyhow::Result<Done> {
        let shared = Shared {
            waiting: Mutex::default(),
            released: Mutex::default(),
            opened: AtomicUsize::new(0),
            redeemed: AtomicUsize::new(0),
            sent: AtomicUsize::new(0),
            opening: AtomicUsize::new(phones.len()),
            samples: Mutex::default(),
        };
        let end = clock::now() + self.time;
        let connections =
            phones.iter_mut().enumerate().map(|(number, phone)| self.connection(&shared, number, phone, end));
        let load = async {
            let ends = try_join_all(connections).await?;
            anyhow::Ok(ends.into_iter().max().unwrap_or(end))
        };
        let listen = async {
            while let Some(arrived) = receiver.arrived.recv().await {
                if arrived.event == "approval.released" {
                    let due = lock(&shared.waiting).get(&arrived.approval).map(|(_, due)| *due);
                    let late = due.map(|due| arrived.at.saturating_duration_since(due).as_secs_f64() * 1e3);
                    lock(&shared.samples).2.extend(late);
                    lock(&shared.released).push_back(arrived.approval);
                }
                let sent = shared.sent.fetch_add(1, Ordering::Relaxed) + 1;
                let over = shared.opening.load(Ordering::Relaxed) == 0;
                if over && sent == WEBHOOKS * shared.opened.load(Ordering::Relaxed) {
                    return Ok(());
                }
            }
            anyhow::bail!("the receiver ended")
        };
        let limit = self.time + HOLD + Duration::from_secs(30);
        let (last_redeemed, ()) =
            tokio::time::timeout(limit, async { tokio::try_join!(load, listen) }).await.context("a life hangs")??;
        let (created, approved, due_to_webhook) = shared.samples.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(Done { lives: created.len(), last_redeemed, created, approved, due_to_webhook })
    }

    async fn connection(
        &self,
        shared: &Shared,
        number: usize,
        phone: &mut Phone,
        end: Instant,
    ) -> anyhow::Result<Instant> {
        let mut wire = Wire::to(self.port).await?;
        let mut life = 0;
        let mut opening = true;
        loop {
            let released = lock(&shared.released).pop_front();
            if let Some(id) = released {
                // A webhook may be faster than the answer that it is about.
                let Some((digest, _)) = lock(&shared.waiting).remove(&id) else {
                    lock(&shared.released).push_back(id);
                    tokio::task::yield_now().await;
                    continue;
                };
                drive::redeem(&mut wire, self.cast, &id, &digest).await?;
                shared.redeemed.fetch_add(1, Ordering::Relaxed);
            } else if clock::now() < end {
                life += 1;
                self.life(shared, &mut wire, phone, &format!("{}-{number}-{life}", self.name)).await?;
            } else {
                if opening {
                    opening = false;
                    shared.opening.fetch_sub(1, Ordering::Relaxed);
                }
                let all = shared.opening.load(Ordering::Relaxed) == 0;
                if all && shared.redeemed.load(Ordering::Relaxed) >= shared.opened.load(Ordering::Relaxed) {
                    return Ok(clock::now());
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    }

    async fn life(&self, shared: &Shared, wire: &mut Wire, phone: &mut Phone, name: &str) -> anyhow::Result<()> {
        let start = clock::now();
        let opened: Opened = drive::create(wire, self.cast, &phone.subject, name, None).await?;
        let created = start.elapsed();
        if self.waiting == Waiting::Opened {
            drive::watch(wire, &opened).await?;
        }
        let signed = drive::sign(wire, phone, &opened).await?;
        let start = clock::now();
        shared.opened.fetch_add(1, Ordering::Relaxed);
        drive::approve(wire, phone, &signed).await?;
        let answered = clock::now();
        lock(&shared.waiting).insert(opened.id, (opened.digest, answered + HOLD));
        let mut samples = lock(&shared.samples);
        samples.0.push(created.as_secs_f64() * 1e3);
        samples.1.push((answered - start).as_secs_f64() * 1e3);
        Ok(())
    }
}
