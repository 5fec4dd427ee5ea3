//! The queue between those who want something stored and the tasks that store it. Whatever is queued shares a
//! transaction, up to a bound, with no waiting when there is one change. What a batch is made of decides
//! [`super::write`]; how it is written decides the backend's [`Writer`]. May import: `ports`, tokio.

use std::future::Future;
use std::sync::{Arc, Mutex as StdMutex, PoisonError, RwLock};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::sync::{Mutex, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::failure::unavailable;
use super::handover::Handover;
use super::write::{Write, choose};
use crate::ports::store::CommitError;

/// Most changes in one batch. Past 128 a batch only gets later, not cheaper.
const MOST: usize = 128;

/// What became of one change.
pub type Outcome = Result<(), CommitError>;

/// How a backend writes.
pub trait Writer: Send + 'static {
    /// Writes changes of which no two touch the same thing, in one transaction. One outcome for each, in order.
    fn together(&mut self, writes: &[&Write]) -> impl Future<Output = Vec<Outcome>> + Send;
    /// Writes a change that has a transaction of its own.
    fn alone(&mut self, write: &Write) -> impl Future<Output = Outcome> + Send;
}

/// The store is closing and takes no more changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the store is closed")]
struct Closed;

/// The committing task ended with the change in its hands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the committer ended before it answered")]
struct Gone;

struct Job {
    write: Write,
    answer: oneshot::Sender<Outcome>,
}

/// The sending side, and the tasks. Dropping it ends the tasks once they have written what was queued.
pub struct Committer {
    queue: RwLock<Option<Sender<Job>>>,
    tasks: StdMutex<Vec<JoinHandle<()>>>,
}

impl Committer {
    /// Starts one task for each writer. `depth` is how many changes may wait; whoever comes after them waits to queue.
    /// `handover` gets what a commit left to send.
    pub fn start<W: Writer>(writers: impl IntoIterator<Item = W>, depth: usize, handover: &Arc<Handover>) -> Self {
        let (queue, inbox) = mpsc::channel(depth.max(1));
        let inbox = Arc::new(Mutex::new(inbox));
        let tasks = writers
            .into_iter()
            .map(|writer| tokio::spawn(run(writer, Arc::clone(&inbox), Arc::clone(handover))))
            .collect();
        Self { queue: RwLock::new(Some(queue)), tasks: StdMutex::new(tasks) }
    }

    /// Queues one change and waits for its outcome. A caller that stops waiting doesn't stop the write.
    ///
    /// # Errors
    /// As [`crate::ports::store::Store::commit`].
    pub async fn commit(&self, write: Write) -> Outcome {
        let queue = self.queue.read().unwrap_or_else(PoisonError::into_inner).clone();
        let queue = queue.ok_or_else(|| closed(Closed))?;
        let (answer, outcome) = oneshot::channel();
        queue.send(Job { write, answer }).await.map_err(|_| closed(Closed))?;
        drop(queue);
        outcome.await.unwrap_or_else(|_| Err(CommitError::Unknown(Box::new(Gone))))
    }

    /// Takes no more changes, and waits until those that were queued are written.
    pub async fn close(&self) {
        drop(self.queue.write().unwrap_or_else(PoisonError::into_inner).take());
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "a committer ended badly");
            }
        }
    }
}

fn closed(error: Closed) -> CommitError {
    CommitError::Store(unavailable(error))
}

async fn run<W: Writer>(mut writer: W, inbox: Arc<Mutex<Receiver<Job>>>, handover: Arc<Handover>) {
    let mut jobs: Vec<Job> = Vec::new();
    let mut last = 0;
    loop {
        // Callers of the last batch that come again right away get a chance to queue. Never done for one caller alone.
        if last > 1 {
            tokio::task::yield_now().await;
        }
        gather(&inbox, &mut jobs).await;
        if jobs.is_empty() {
            return;
        }
        last = jobs.len();
        // Stable, so that within a rank the order of arrival stays.
        jobs.sort_by_key(|job| !job.write.tightens());
        jobs = round(&mut writer, jobs, &handover).await;
    }
}

/// Fills `jobs` with what is queued. Waits only when it has nothing; leaves it empty only when nothing will come.
async fn gather(inbox: &Mutex<Receiver<Job>>, jobs: &mut Vec<Job>) {
    if jobs.is_empty() {
        inbox.lock().await.recv_many(jobs, MOST).await;
        return;
    }
    // The other committer may hold the queue while it waits for something to come; what is parked mustn't wait for it.
    if let Ok(mut inbox) = inbox.try_lock() {
        while jobs.len() < MOST
            && let Ok(job) = inbox.try_recv()
        {
            jobs.push(job);
        }
    }
}

/// Writes one batch and gives back what has to wait for the next.
async fn round<W: Writer>(writer: &mut W, jobs: Vec<Job>, handover: &Handover) -> Vec<Job> {
    let chosen = choose(jobs.iter().map(|job| &job.write));
    let (mut batch, mut parked, mut rare) = (Vec::new(), Vec::new(), Vec::new());
    for (job, chosen) in jobs.into_iter().zip(chosen) {
        match (job.write.is_rare(), chosen) {
            (true, _) => rare.push(job),
            (false, true) => batch.push(job),
            (false, false) => parked.push(job),
        }
    }
    let (early, late): (Vec<Job>, Vec<Job>) = rare.into_iter().partition(|job| job.write.tightens());
    for job in early {
        let outcome = measured(1, writer.alone(&job.write)).await;
        answer(job, outcome, handover);
    }
    if !batch.is_empty() {
        let writes: Vec<&Write> = batch.iter().map(|job| &job.write).collect();
        let outcomes = measured(writes.len(), writer.together(&writes)).await;
        for (job, outcome) in batch.into_iter().zip(outcomes) {
            answer(job, outcome, handover);
        }
    }
    for job in late {
        let outcome = measured(1, writer.alone(&job.write)).await;
        answer(job, outcome, handover);
    }
    parked
}

/// Runs a transaction and notes how many changes shared it, and the time that it took.
async fn measured<T>(changes: usize, commit: impl Future<Output = T>) -> T {
    let began = Instant::now();
    let outcome = commit.await;
    metrics::histogram!("countersign_commit_batch_size").record(changes as f64);
    metrics::histogram!("countersign_commit_seconds").record(began.elapsed());
    outcome
}

fn answer(job: Job, outcome: Outcome, handover: &Handover) {
    let Job { write, answer } = job;
    if outcome.is_ok() {
        handover.stored(write.born, write.notices, write.deliveries);
    }
    // Whoever asked may have gone; the change is stored all the same.
    drop(answer.send(outcome));
}
