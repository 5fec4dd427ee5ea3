//! A backend has a holder erased. One commit takes away everything by which the holder could be reached or could act,
//! and leaves a tombstone; from then on nobody finds them. What they left behind (entries, evidence, approvals) goes in
//! bounded steps of a worker, each a commit of its own, so that a crash between two loses and repeats nothing.
//!
//! Entries go first and rows last: at every moment the log tells of each row that is there, and every entry without its
//! text is told of by another.

use super::read::whole;
use super::request::caller_has;
use super::{Context, Error, commit};
use crate::domain::approval::Actor;
use crate::domain::audit::Facts;
use crate::domain::backend::{Caller, Scope};
use crate::domain::details::{Digest, Subject};
use crate::domain::erasure::{ERASED_ENTRIES, ERASED_LEAVES, ERASURE, Erasure, leaves};
use crate::domain::freeze::{Freeze, FreezeReason};
use crate::domain::holder::Holder;
use crate::domain::ids::{ChangeId, FreezeId, HolderId};
use crate::domain::time::Timestamp;
use crate::ports::erasure::{Erase, ErasureWrite, Followed};
use crate::ports::store::CommitError;
use crate::ports::{Change, Effect};
use serde::{Deserialize, Serialize};

/// Erasures that a worker goes on with in one turn.
const AT_ONCE: u32 = 20;
/// Entries that one step empties.
const ENTRIES: u32 = 200;
/// Entries of the log that are read on at once, to learn whom they are about.
const FOLLOWED: u32 = 500;
/// Approvals that one step takes away.
const APPROVALS: u32 = 50;
/// Steps of one erasure in one turn, so that no holder makes the others wait.
const STEPS: usize = 200;
/// Override requests of a holder that are looked at; the commit asks for all.
const CASES: u32 = 100;

/// A holder, by either of their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    Id(HolderId),
    Subject(Subject),
}

/// How far a holder is erased.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ErasureView {
    /// The holder's id. The subject is nowhere any more.
    pub id: String,
    /// From then on the holder can't be found, reached or asked.
    #[schema(value_type = String, format = DateTime)]
    pub erased_at: Timestamp,
    /// From then on nothing of the holder is stored. Absent while a worker is at it, for a minute or more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub finished_at: Option<Timestamp>,
}

impl From<Erasure> for ErasureView {
    fn from(erasure: Erasure) -> Self {
        Self { id: erasure.holder.to_string(), erased_at: erasure.begun_at, finished_at: erasure.finished_at }
    }
}

/// Begins to erase a holder, or says since when they are erased.
///
/// # Errors
/// [`Error::UnknownHolder`] for one of another backend too; [`Error::HolderBusy`] while an approval or an override
/// request lives, [`Error::HolderFrozen`] while "this wasn't me" holds.
pub async fn erase(cx: &Context, caller: &Caller, named: &Named) -> Result<ErasureView, Error> {
    caller_has(caller, Scope::Erase)?;
    for _ in 0..commit::ATTEMPTS {
        let Some(holder) = find(cx, caller, named).await? else {
            let erased = match named {
                Named::Id(id) => cx.store.erasure(*id).await?,
                Named::Subject(subject) => cx.store.erasure_of(caller.backend, subject).await?,
            };
            let own = erased.filter(|erasure| erasure.backend == caller.backend);
            return own.map(ErasureView::from).ok_or(Error::UnknownHolder);
        };
        nothing_lives(cx, holder.id).await?;
        match begin(cx, caller, &holder).await {
            Ok(erasure) => return Ok(erasure.into()),
            // Somebody was faster: with an approval, or with the same request.
            Err(commit::CommitOrFault::Commit(CommitError::Conflict | CommitError::Duplicate(_))) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::Conflict)
}

async fn find(cx: &Context, caller: &Caller, named: &Named) -> Result<Option<Holder>, Error> {
    let holder = match named {
        Named::Id(id) => cx.store.holder_by_id(*id).await?,
        Named::Subject(subject) => cx.store.holder(caller.backend, subject).await?,
    };
    Ok(holder.filter(|holder| holder.backend == caller.backend))
}

async fn nothing_lives(cx: &Context, holder: HolderId) -> Result<(), Error> {
    // Those that live come first.
    let newest = cx.store.approvals_of_holder(holder, 1).await?;
    let cases = cx.store.overrides_of_holder(holder, CASES).await?;
    // A row that isn't believed may stand for one that lives.
    let (newest, cases) = (whole(newest)?, whole(cases)?);
    let busy = newest.iter().any(|approval| !approval.state.name().is_final())
        || cases.iter().any(|case| case.due_at().is_some());
    if busy {
        return Err(Error::HolderBusy);
    }
    if cx.store.freeze(holder).await?.is_some() { Err(Error::HolderFrozen) } else { Ok(()) }
}

async fn begin(cx: &Context, caller: &Caller, holder: &Holder) -> Result<Erasure, commit::CommitOrFault> {
    let now = cx.now();
    let by = Actor::Backend(caller.key);
    let freeze = Freeze::begin(cx.id(FreezeId::new, now), holder.id, FreezeReason::Erasure, by, now);
    let why = FreezeReason::Erasure.as_str().to_owned();
    let facts = Facts::from([("why", why)]);
    let entry = cx.entry("holder.frozen", by, &[&holder.id, &freeze.freeze.id], facts, now)?;
    let erasure = Erasure::begin(holder.id, caller.backend, caller.key, entry.id, now);
    let what = Erase::Begin { freeze: Box::new(freeze) };
    let effect = Effect::Erase(Box::new(ErasureWrite { erasure, what }));
    cx.store.commit(Change::new(entry, effect)).await.map_err(commit::CommitOrFault::Commit)?;
    tracing::info!(holder.id = %holder.id, "a holder is being erased");
    metrics::counter!("countersign_erasures_total", "step" => "begun").increment(1);
    Ok(erasure)
}

/// A worker's turn: goes on with what was begun. Gives how many steps were taken.
///
/// # Errors
/// [`Error::Store`] when the record can't be read.
pub async fn turn(cx: &Context) -> Result<usize, Error> {
    let mut taken = 0;
    for erasure in cx.store.erasures_open(AT_ONCE).await? {
        let mut erasure = match erasure {
            Ok(erasure) => erasure,
            Err(error) => {
                tracing::error!(%error, "an erasure isn't believed");
                continue;
            }
        };
        for _ in 0..STEPS {
            match step(cx, &erasure).await {
                Ok(Some(next)) => {
                    taken += 1;
                    if next.finished_at.is_some() {
                        break;
                    }
                    erasure = next;
                }
                // Nothing can be done now.
                Ok(None) => break,
                Err(commit::CommitOrFault::Commit(CommitError::Conflict)) => break,
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(taken)
}

/// The next step, if it may be taken now.
///
/// # Errors
/// [`CommitError::Conflict`] when another node took it.
pub async fn step(cx: &Context, erasure: &Erasure) -> Result<Option<Erasure>, commit::CommitOrFault> {
    let holder = erasure.holder;
    let now = cx.now();
    // Asked before the entries are looked for: then everything before it is among them.
    let signed = cx.log.store.leaf(erasure.last).await.map_err(Error::from)?.is_some_and(|leaf| leaf.index.is_some());
    while cx.store.follow_entries(FOLLOWED).await.map_err(Error::from)? == Followed::More {}
    let entries = cx.store.entries_about(holder, ENTRIES).await.map_err(Error::from)?;
    if !entries.is_empty() {
        let (ids, hashes): (Vec<ChangeId>, Vec<Digest>) = entries.into_iter().unzip();
        let facts =
            Facts::from([(ERASED_ENTRIES, ids.len().to_string()), (ERASED_LEAVES, leaves(&hashes).to_string())]);
        return write(cx, facts, |entry| (erasure.emptied(entry), Erase::Entries(ids)), erasure, now).await.map(Some);
    }
    if !signed || !erasure.is_settled(now) {
        return Ok(None);
    }
    let ended = cx.store.ended_approvals(holder, APPROVALS).await.map_err(Error::from)?;
    if !ended.is_empty() {
        let facts = Facts::from([(ERASED_ENTRIES, "0".to_owned()), ("approvals", ended.len().to_string())]);
        return write(cx, facts, |_| (erasure.cleared(), Erase::Approvals(ended)), erasure, now).await.map(Some);
    }
    // What was opened while the erasure began is cancelled by the freeze, and comes again as ended.
    if !cx.store.approvals_of_holder(holder, 1).await.map_err(Error::from)?.is_empty() {
        return Ok(None);
    }
    let facts = Facts::from([(ERASED_ENTRIES, "0".to_owned()), ("finished", "true".to_owned())]);
    let done = write(cx, facts, |_| (erasure.finished(now), Erase::Finish), erasure, now).await?;
    tracing::info!(holder.id = %holder, "a holder was erased");
    metrics::counter!("countersign_erasures_total", "step" => "finished").increment(1);
    Ok(Some(done))
}

async fn write(
    cx: &Context,
    facts: Facts,
    next: impl FnOnce(ChangeId) -> (Erasure, Erase),
    before: &Erasure,
    now: Timestamp,
) -> Result<Erasure, commit::CommitOrFault> {
    let entry = cx.entry(ERASURE, Actor::Backend(before.by), &[&before.holder], facts, now)?;
    let (erasure, what) = next(entry.id);
    let effect = Effect::Erase(Box::new(ErasureWrite { erasure, what }));
    cx.store.commit(Change::new(entry, effect)).await.map_err(commit::CommitOrFault::Commit)?;
    Ok(erasure)
}
