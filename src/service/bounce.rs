//! A mail that was accepted and came back. It told nobody, so from now on it counts as not delivered: the next channel of
//! its row has its turn, and what waits for a notice waits on. Only the operator's mail system learns of that; it says so
//! by the notice's id, which is the left half of the mail's `Message-ID`.

use super::request::caller_has;
use super::{Context, Error, commit};
use crate::domain::approval::Actor;
use crate::domain::audit::Facts;
use crate::domain::backend::{Caller, Scope};
use crate::domain::channel::{NoticeStatus, Purpose};
use crate::domain::ids::NoticeId;
use crate::ports::store::CommitError;
use crate::ports::{Change, Effect};

/// A notice came back. Said again, or of one that had failed anyway, it changes nothing. A code counts as no telling,
/// and this sends none to another channel: a new link sends a new one.
///
/// # Errors
/// [`Error::NotFound`] for a notice that isn't to a holder of this backend, [`Error::Conflict`] for one that is still on
/// its way: the mail system was faster than we were, and says it again.
pub async fn bounced(cx: &Context, caller: &Caller, id: NoticeId) -> Result<(), Error> {
    caller_has(caller, Scope::Cancel)?;
    for _ in 0..commit::ATTEMPTS {
        let notice = cx.store.notice(id).await?.filter(|notice| notice.backend == caller.backend);
        let notice = notice.ok_or(Error::NotFound)?;
        match (notice.status, notice.purpose) {
            (NoticeStatus::Failed | NoticeStatus::Dropped, _) | (_, Purpose::EnrolCode) => return Ok(()),
            (NoticeStatus::Waiting | NoticeStatus::Queued, _) => return Err(Error::Conflict),
            (NoticeStatus::Delivered, _) => {}
        }
        let by = Actor::Backend(caller.key);
        let facts = Facts::from([("purpose", notice.purpose.as_str().to_owned())]);
        let entry = cx.entry("notice.bounced", by, &[&id, &notice.about, &notice.holder], facts, cx.now())?;
        match cx.store.commit(Change::new(entry, Effect::Bounce(id))).await {
            Ok(()) => {
                let purpose = notice.purpose.as_str();
                metrics::counter!("countersign_notices_total", "purpose" => purpose, "outcome" => "bounced")
                    .increment(1);
                return Ok(());
            }
            Err(CommitError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::Conflict)
}
