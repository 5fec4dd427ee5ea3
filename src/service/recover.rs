//! After the database was restored to an earlier moment: everything that lives is cancelled or stopped, because nobody
//! knows what became of it since, and the log goes on from where the database stands, with an entry that says so.
//!
//! What was signed since is lost, and others may have seen it. To them the log that goes on is a fork, which no witness
//! cosigns. So it goes on under a new name, as a new log: its first checkpoint of that name is of a tree whose newest
//! entry commits to the last checkpoint that was signed under the old one.

use super::log::RolledBack;
use super::override_request::stop;
use super::{Context, Error, commit, log, release};
use crate::domain::approval::{Actor, CancelReason};
use crate::domain::audit::Facts;
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
    /// Override requests that were stopped.
    pub stopped: u64,
    /// Leaves of the log that goes on.
    pub size: u64,
}

/// Recovers.
///
/// # Errors
/// [`Error::Conflict`] when nothing has to be recovered; [`RolledBack::NameSpent`] as long as the log has the name under
/// which it lost something, and then nothing was done; [`Error::Store`]; [`Error::Internal`]. It can be run again.
pub async fn recover(cx: &Context) -> Result<Recovered, Error> {
    let lost = match log::look(cx).await {
        Ok(()) => return Err(Error::Conflict),
        Err(Error::RolledBack(lost)) => lost,
        Err(error) => return Err(error),
    };
    let mark = cx.log.mark.seen();
    let name = &cx.log.signer.keys().origin;
    if let Some((spent, _)) = mark.marked().filter(|(marked, _)| *marked == name) {
        return Err(RolledBack::NameSpent(spent.clone()).into());
    }
    let (mut cancelled, mut refused) = (0, 0);
    let mut after = None;
    loop {
        let due = cx.store.due_before(FAR, after, PAGE).await?;
        let Some((id, at)) = due.last().copied() else { break };
        for (id, _) in &due {
            match commit::cancel_living(cx, *id, CancelReason::Recovered, Actor::Operator, &Facts::new()).await {
                Ok(done) => cancelled += u64::from(done.is_some()),
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
    let stopped = stop::all(cx, FAR, PAGE).await?;
    let before = cx.log.store.newest().await?;
    let size = before.as_ref().map_or(0, |signed| signed.head.size);
    let mut facts = Facts::from([
        ("cancelled", cancelled.to_string()),
        ("overrides_stopped", stopped.to_string()),
        ("found", lost.to_string()),
        ("refused", refused.to_string()),
        ("mark", mark.size().to_string()),
        ("origin", name.to_string()),
        ("size", size.to_string()),
    ]);
    if let Some((name, head)) = mark.marked() {
        facts.insert("lost_origin", name.to_string());
        facts.insert("lost_root", head.root.to_string());
    }
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
    Ok(Recovered { cancelled, stopped, size })
}
