//! Timers that all nodes share. Imports `domain` and `ports`.
//!
//! A timer is set as a member of its shard's `due` set, scored with its due time in microseconds: a score is a double,
//! which holds integers exactly up to 2^53, and that is the year 2255. A claim moves it to the `lease` set, scored with
//! the end of the lease by the clock of Redis, which is also the fencing token; the hash `at` keeps when it was due.

use async_trait::async_trait;
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use redis::{Cmd, Value};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;
use uuid::Uuid;

use super::super::gcra::micros;
use super::Topology;
use super::horizon::{Horizon, ahead};
use super::keys::{KeyPrefix, Shard};
use super::link::{Link, LinkError, PAUSE};
use super::script::{Argument, Script};
use crate::domain::ids::ApprovalId;
use crate::domain::time::Timestamp;
use crate::ports::timing::{Claim, PortError, Timers};

/// So many timers in one command at most: a script keeps everybody else waiting while it runs, and Lua can unpack some
/// 8,000 values.
const MOST: usize = 1_000;

/// So many commands of one call are under way at once.
const SIDE_BY_SIDE: usize = 16;

/// What the error names.
const WHAT: &str = "Redis";

/// The alarm clock of all nodes.
pub struct RedisTimers {
    link: Arc<Link>,
    keys: Vec<[String; 3]>,
    // Where the next claim begins.
    turn: AtomicU8,
    horizon: Mutex<Horizon>,
    sooner: Notify,
    claim: Script,
    ack: Script,
    release: Script,
    arm_missing: Script,
    disarm: Script,
}

/// One run of a script over timers: the shards whose keys it names, and the arguments, in which a timer's shard is told
/// by its place among them, counted from 1 as Lua does.
#[derive(Default)]
struct Run {
    shards: Vec<Shard>,
    arguments: Vec<Argument>,
    timers: usize,
}

/// What the claim script answers.
struct Claimed {
    ends: Timestamp,
    next: Option<Instant>,
    claims: Vec<Claim>,
}

impl RedisTimers {
    pub(super) fn new(link: Arc<Link>, prefix: KeyPrefix) -> Self {
        Self {
            link,
            keys: Shard::all(0).map(|shard| shard.keys(&prefix)).collect(),
            turn: AtomicU8::default(),
            horizon: Mutex::new(Horizon::new(Instant::now())),
            sooner: Notify::new(),
            claim: Script::new(include_str!("claim.lua")),
            ack: Script::new(include_str!("ack.lua")),
            release: Script::new(include_str!("release.lua")),
            arm_missing: Script::new(include_str!("arm_missing.lua")),
            disarm: Script::new(include_str!("disarm.lua")),
        }
    }

    fn horizon(&self) -> MutexGuard<'_, Horizon> {
        // At worst it tells a wrong time to look at, which the longest wait bounds.
        self.horizon.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keys(&self, shards: &[Shard]) -> Vec<&str> {
        shards.iter().filter_map(|shard| self.keys.get(shard.index())).flatten().map(String::as_str).collect()
    }

    /// Runs a script over timers; the numbers are what it wants to know of each besides its id. With a single server
    /// one run covers timers of any shard, in a cluster those of one.
    async fn run<const N: usize>(
        &self,
        script: &Script,
        timers: impl Iterator<Item = (ApprovalId, [i64; N])>,
    ) -> Result<(), PortError> {
        let mut runs: BTreeMap<Option<Shard>, Vec<Run>> = BTreeMap::new();
        for (id, numbers) in timers {
            let shard = Shard::of(&id);
            let node = match self.link.dialer().topology() {
                Topology::Single => None,
                Topology::Cluster => Some(shard),
            };
            let of_node = runs.entry(node).or_default();
            match of_node.last_mut() {
                Some(run) if run.timers < MOST => run.add(shard, id, numbers),
                _ => of_node.push(Run::default().with(shard, id, numbers)),
            }
        }
        let runs = runs
            .into_values()
            .flatten()
            .map(|run| async move { script.run::<()>(&self.link, &self.keys(&run.shards), &run.arguments).await });
        all(runs).await
    }

    /// Plain commands that set timers: no script is needed to replace what was set.
    fn arm_commands(&self, timers: &[(ApprovalId, Timestamp)]) -> Vec<Cmd> {
        let mut shards: BTreeMap<Shard, Vec<&(ApprovalId, Timestamp)>> = BTreeMap::new();
        for timer in timers {
            shards.entry(Shard::of(&timer.0)).or_default().push(timer);
        }
        let mut commands = Vec::new();
        for (shard, timers) in shards {
            let Some([due, ..]) = self.keys.get(shard.index()) else { continue };
            for part in timers.chunks(MOST) {
                let mut command = redis::cmd("ZADD");
                command.arg(due);
                for (id, due_at) in part {
                    command.arg(due_at.micros()).arg(id.bytes());
                }
                commands.push(command);
            }
        }
        commands
    }

    /// Tells who waits that timers were set.
    fn note_armed(&self, timers: &[(ApprovalId, Timestamp)]) {
        let Some(earliest) = timers.iter().map(|(_, due_at)| *due_at).min() else { return };
        if self.horizon().armed(earliest, Instant::now()) {
            self.sooner.notify_waiters();
        }
    }

    async fn claim_from(&self, shards: &[Shard], max: usize, lease: i64) -> Result<Claimed, LinkError> {
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        let arguments = [Argument::Number(max), Argument::Number(lease)];
        let answer: Vec<Value> = self.claim.run(&self.link, &self.keys(shards), &arguments).await?;
        Claimed::read(answer, Instant::now()).ok_or(LinkError::Shape)
    }
}

/// Waits for all, some at a time. Fails if one failed, after the others were tried.
async fn all(runs: impl IntoIterator<Item = impl Future<Output = Result<(), LinkError>>>) -> Result<(), PortError> {
    let results: Vec<_> = stream::iter(runs).buffer_unordered(SIDE_BY_SIDE).collect().await;
    results.into_iter().collect::<Result<(), _>>().map_err(|error| error.of(WHAT))
}

impl Run {
    fn add<const N: usize>(&mut self, shard: Shard, id: ApprovalId, numbers: [i64; N]) {
        let place = self.shards.iter().position(|known| *known == shard).unwrap_or_else(|| {
            self.shards.push(shard);
            self.shards.len() - 1
        });
        self.arguments.push(Argument::Number(i64::try_from(place + 1).unwrap_or(i64::MAX)));
        self.arguments.push(Argument::Id(id));
        self.arguments.extend(numbers.map(Argument::Number));
        self.timers += 1;
    }

    fn with<const N: usize>(mut self, shard: Shard, id: ApprovalId, numbers: [i64; N]) -> Self {
        self.add(shard, id, numbers);
        self
    }
}

impl Claimed {
    fn read(answer: Vec<Value>, now: Instant) -> Option<Self> {
        let mut values = answer.into_iter();
        let ends = number(values.next()?)?;
        let next = ahead(now, number(values.next()?)?);
        let mut claims = Vec::with_capacity(values.len() / 2);
        while let (Some(id), Some(due_at)) = (values.next(), values.next()) {
            let Value::BulkString(id) = id else { return None };
            claims.push(Claim {
                id: ApprovalId::from_uuid(Uuid::from_slice(&id).ok()?),
                due_at: Timestamp::from_micros(number(due_at)?),
                lease: ends,
            });
        }
        Some(Self { ends: Timestamp::from_micros(ends), next, claims })
    }
}

/// An integer, sent as such or as text.
fn number(value: Value) -> Option<i64> {
    match value {
        Value::Int(number) => Some(number),
        Value::BulkString(text) => std::str::from_utf8(&text).ok()?.parse().ok(),
        _ => None,
    }
}

#[async_trait]
impl Timers for RedisTimers {
    async fn arm(&self, timers: &[(ApprovalId, Timestamp)]) -> Result<(), PortError> {
        let commands = self.arm_commands(timers).into_iter();
        let result = all(commands.map(|command| async move { self.link.query::<()>(&command).await })).await;
        self.note_armed(timers);
        result
    }

    async fn arm_missing(&self, timers: &[(ApprovalId, Timestamp)]) -> Result<(), PortError> {
        let rows = timers.iter().map(|(id, due_at)| (*id, [due_at.micros()]));
        let result = self.run(&self.arm_missing, rows).await;
        self.note_armed(timers);
        result
    }

    async fn disarm(&self, ids: &[ApprovalId]) -> Result<(), PortError> {
        self.run(&self.disarm, ids.iter().map(|id| (*id, []))).await
    }

    async fn claim(&self, max: usize, lease: Duration) -> Result<Vec<Claim>, PortError> {
        let shards: Vec<Shard> = Shard::all(self.turn.fetch_add(1, Ordering::Relaxed)).collect();
        let max = max.min(MOST);
        let parts: Vec<(&[Shard], usize)> = match self.link.dialer().topology() {
            Topology::Single => vec![(&shards, max)],
            // Each shard has its share; one without a share still says when there is something to look at.
            Topology::Cluster => {
                let share = |n| max / shards.len() + usize::from(n < max % shards.len());
                shards.chunks(1).enumerate().map(|(n, shard)| (shard, share(n))).collect()
            }
        };
        let look = self.horizon().begin();
        let answers = join_all(parts.into_iter().map(|(part, max)| self.claim_from(part, max, micros(lease)))).await;

        let now = Instant::now();
        let mut claims = Vec::new();
        let mut next: Option<Instant> = None;
        let mut clock = None;
        let mut failure = None;
        for answer in answers {
            match answer {
                Ok(claimed) => {
                    claims.extend(claimed.claims);
                    next = [next, claimed.next].into_iter().flatten().min();
                    clock = Some((claimed.ends - lease, now));
                }
                Err(error) => failure = Some(error),
            }
        }
        let mut horizon = self.horizon();
        if let Some(clock) = clock {
            horizon.saw(look, next, clock);
        }
        match failure {
            None => Ok(claims),
            Some(error) => {
                horizon.failed(now + PAUSE);
                // What other nodes of the cluster handed out has to be worked on.
                if claims.is_empty() { Err(error.of(WHAT)) } else { Ok(claims) }
            }
        }
    }

    async fn ack(&self, claims: &[Claim]) -> Result<(), PortError> {
        self.run(&self.ack, claims.iter().map(|claim| (claim.id, [claim.lease]))).await
    }

    async fn release(&self, claims: &[Claim]) -> Result<(), PortError> {
        let rows = claims.iter().map(|claim| (claim.id, [claim.lease, claim.due_at.micros()]));
        let result = self.run(&self.release, rows).await;
        let timers: Vec<(ApprovalId, Timestamp)> = claims.iter().map(|claim| (claim.id, claim.due_at)).collect();
        self.note_armed(&timers);
        result
    }

    async fn wait(&self, longest: Duration) {
        let deadline = Instant::now() + longest;
        loop {
            let sooner = self.sooner.notified();
            tokio::pin!(sooner);
            // Heard from here on, so that nothing that is set after the look below is missed.
            sooner.as_mut().enable();
            let until = self.horizon().next().map_or(deadline, |next| next.min(deadline));
            tokio::select! {
                () = tokio::time::sleep_until(until) => return,
                () = &mut sooner => {}
            }
        }
    }

    async fn count(&self) -> Result<u64, PortError> {
        let sets = self.keys.iter().flat_map(|[due, lease, _]| [due, lease]);
        let counts = sets.map(|set| async move {
            let mut command = redis::cmd("ZCARD");
            self.link.query::<u64>(command.arg(set)).await
        });
        let counts = join_all(counts).await.into_iter().collect::<Result<Vec<_>, _>>();
        Ok(counts.map_err(|error| error.of(WHAT))?.iter().sum())
    }
}
