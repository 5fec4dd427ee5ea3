//! After the database was restored to an earlier moment: everything that lives is cancelled, because nobody knows what
//! became of it since, and the log goes on from where the database stands, with an entry that says so.

use super::{Context, Error, commit, log, release};
use crate::domain::approval::{Actor, CancelReason};
use crate::domain::audit::Facts;
use crate::domain::ids::ApprovalId;
use crate::domain::time::Timestamp;
use crate::ports::store::StoreError;
use crate::ports::{Change, Effect};

/// Rows read at once.
const PAGE: u32 = 500;
/// Later than anything falls due: 9999-12-31T00:00:00Z, which both databases can hold.
const FAR: Timestamp = Timestamp::from_micros(253_402_214_400_000_000);

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    pub cancelled: u64,
    /// Leaves of the log that goes on.
    pub size: u64,
}

/// Recovers.
///
/// # Errors
/// [`Error::Conflict`] when nothing has to be recovered; [`Error::Store`]; [`Error::Internal`]. It can be run again.
pub async fn recover(cx: &Context) -> Result<Recovered, Error> {
    let lost = match log::look(cx).await {
        Ok(()) => return Err(Error::Conflict),
        Err(Error::RolledBack(lost)) => lost,
        Err(error) => return Err(error),
    };
    let (mut cancelled, mut refused) = (0, 0);
    let mut after = None;
    loop {
        let due = cx.store.due_before(FAR, after, PAGE).await?;
        let Some((id, at)) = due.last().copied() else { break };
        for (id, _) in &due {
            match cancel(cx, *id).await {
                Ok(number) => cancelled += number,
                // A row that nobody here wrote is believed nowhere, and mustn't keep all others from being cancelled.
                Err(Error::Store(error @ (StoreError::Forged { .. } | StoreError::Corrupt { .. }))) => {
                    release::raise(cx, &error).await;
                    refused += 1;
                }
                Err(error) => return Err(error),
            }
        }
        after = Some((at, id));
    }
    let before = cx.log.store.newest().await?;
    let size = before.as_ref().map_or(0, |signed| signed.head.size);
    let facts = Facts::from([
        ("cancelled", cancelled.to_string()),
        ("found", lost.to_string()),
        ("refused", refused.to_string()),
        ("mark", cx.log.mark.seen().size().to_string()),
        ("size", size.to_string()),
    ]);
    let entry = cx.entry("log.recovered", Actor::Operator, &[], facts, cx.now())?;
    cx.store.commit(Change::new(entry, Effect::Noted)).await?;
    // The tree goes on from the restored one. Who kept a later checkpoint sees that, and should.
    if let Some(before) = &before {
        cx.log.mark.set_anew(before).await.map_err(Error::internal)?;
    } else {
        cx.log.mark.forget();
    }
    while log::turn(cx).await? > 0 {}
    let size = cx.log.store.newest().await?.map_or(0, |signed| signed.head.size);
    Ok(Recovered { cancelled, size })
}

/// Cancels one approval if it still lives, and gives how many were cancelled.
async fn cancel(cx: &Context, id: ApprovalId) -> Result<u64, Error> {
    for _ in 0..commit::ATTEMPTS {
        let Some(case) = cx.store.case(id).await? else { return Ok(0) };
        let now = cx.now();
        let Ok(transition) = case.approval.cancel(CancelReason::Recovered, Actor::Operator, now) else {
            return Ok(0);
        };
        let with = commit::With { endpoints: &case.endpoints, ..commit::With::default() };
        match commit::transition(cx, transition, Actor::Operator, with, now).await {
            Ok(_) => return Ok(1),
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::Conflict)
}
