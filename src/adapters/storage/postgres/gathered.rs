//! Look-ups of one kind that are asked on one thread at the same time share a statement: while one is under way, those
//! that come wait for the next. One alone is asked as it is, at once. May import: sqlx, tokio. What is looked up says
//! [`super::lookups`].

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{Pool, Row as _};
use thread_local::ThreadLocal;
use tokio::sync::oneshot;

use super::Db;
use super::connect::Target;

/// Most look-ups in one statement. Past that an answer only gets later.
const MOST: usize = 64;

/// Something that is looked up by a key, and can be for several keys at once.
pub trait Lookup: Send + Sync + Sized + 'static {
    /// The statement for one.
    fn one(&self) -> Query<'_, Db, PgArguments>;
    /// The statement for several. Each of its rows says in `number` which of them it belongs to, from 1.
    fn several(all: &[Self]) -> Query<'_, Db, PgArguments>;
}

type Rows = Result<Vec<PgRow>, sqlx::Error>;

struct Asked<L> {
    lookup: L,
    answer: oneshot::Sender<Rows>,
}

struct Queue<L> {
    waiting: Vec<Asked<L>>,
    is_under_way: bool,
}

impl<L> Default for Queue<L> {
    fn default() -> Self {
        Self { waiting: Vec::new(), is_under_way: false }
    }
}

type Shared<L> = Arc<Mutex<Queue<L>>>;

fn locked<L>(queue: &Mutex<Queue<L>>) -> MutexGuard<'_, Queue<L>> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The look-ups of one kind.
pub struct Gathered<L: Send> {
    threads: ThreadLocal<Shared<L>>,
}

impl<L: Send> Default for Gathered<L> {
    fn default() -> Self {
        Self { threads: ThreadLocal::new() }
    }
}

impl<L: Lookup> Gathered<L> {
    /// The rows of one, in the statement's order.
    ///
    /// # Errors
    /// Whatever the database says; [`sqlx::Error::WorkerCrashed`] when the runtime ends meanwhile.
    pub async fn rows(&self, target: &Target, pool: &Pool<Db>, lookup: L) -> Rows {
        let (answer, rows) = oneshot::channel();
        let queue = self.threads.get_or_default();
        let starts = {
            let mut queue = locked(queue);
            queue.waiting.push(Asked { lookup, answer });
            !std::mem::replace(&mut queue.is_under_way, true)
        };
        if starts {
            // A task, because whoever asked may stop waiting, and others wait for the same answer.
            tokio::spawn(run(target.clone(), pool.clone(), Turn { queue: Arc::clone(queue), is_over: false }));
        }
        rows.await.unwrap_or(Err(sqlx::Error::WorkerCrashed))
    }
}

/// The right to ask for what waits. It ends when nothing does, or with its runtime.
struct Turn<L> {
    queue: Shared<L>,
    is_over: bool,
}

impl<L> Drop for Turn<L> {
    fn drop(&mut self) {
        // One that is over may have been followed by another already.
        if !self.is_over {
            locked(&self.queue).is_under_way = false;
        }
    }
}

impl<L> Turn<L> {
    /// What waits, or nothing: then the turn is over, and whoever asks next begins another.
    fn take(&mut self) -> Option<Vec<Asked<L>>> {
        let mut queue = locked(&self.queue);
        let number = queue.waiting.len().min(MOST);
        let some: Vec<Asked<L>> = queue.waiting.drain(..number).collect();
        self.is_over = some.is_empty();
        queue.is_under_way = !self.is_over;
        (!self.is_over).then_some(some)
    }
}

async fn run<L: Lookup>(target: Target, pool: Pool<Db>, mut turn: Turn<L>) {
    // Requests that arrived together get to ask before the first statement goes out.
    tokio::task::yield_now().await;
    while let Some(some) = turn.take() {
        let (lookups, answers): (Vec<L>, Vec<_>) = some.into_iter().map(|asked| (asked.lookup, asked.answer)).unzip();
        for (answer, rows) in answers.into_iter().zip(look_up(&target, &pool, &lookups).await) {
            // Whoever asked may have gone.
            drop(answer.send(rows));
        }
    }
}

async fn look_up<L: Lookup>(target: &Target, pool: &Pool<Db>, lookups: &[L]) -> Vec<Rows> {
    if let [lookup] = lookups {
        return vec![alone(target, pool, lookup).await];
    }
    match target.in_time(L::several(lookups).fetch_all(pool)).await.and_then(|rows| apart(rows, lookups.len())) {
        Ok(apart) => apart.into_iter().map(Ok).collect(),
        // The server found fault with a value (SQLSTATE class 22): the others needn't suffer for it. Anything else that it
        // says, such as that it took too long, it would say to each.
        Err(sqlx::Error::Database(error)) if error.code().is_some_and(|code| code.starts_with("22")) => {
            let mut rows = Vec::with_capacity(lookups.len());
            for lookup in lookups {
                rows.push(alone(target, pool, lookup).await);
            }
            rows
        }
        Err(error) => {
            let error = Arc::new(error);
            lookups.iter().map(|_| Err(sqlx::Error::Io(std::io::Error::other(Failed(Arc::clone(&error)))))).collect()
        }
    }
}

async fn alone<L: Lookup>(target: &Target, pool: &Pool<Db>, lookup: &L) -> Rows {
    target.in_time(lookup.one().fetch_all(pool)).await
}

/// The rows of each look-up, in their order.
fn apart(rows: Vec<PgRow>, number: usize) -> Result<Vec<Vec<PgRow>>, sqlx::Error> {
    let mut apart: Vec<Vec<PgRow>> = Vec::new();
    apart.resize_with(number, Vec::new);
    for row in rows {
        let place: i64 = row.try_get("number")?;
        let place = usize::try_from(place - 1).ok().and_then(|place| apart.get_mut(place));
        place.ok_or(sqlx::Error::RowNotFound)?.push(row);
    }
    Ok(apart)
}

/// One failure, told to everybody whose look-up it was.
#[derive(Debug, Clone, thiserror::Error)]
#[error("a look-up for several failed")]
struct Failed(#[source] Arc<sqlx::Error>);
