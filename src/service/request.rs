//! A backend flags a transfer: an approval is opened and its holder is told. Next: [`super::watch`] on the side that
//! started it, [`super::prompt`] on the holder's device.

use std::time::Duration;

use super::{Context, Error, about, commit, links, notify, view::ApprovalView};
use crate::domain::approval::{Actor, Approval};
use crate::domain::audit::Facts;
use crate::domain::backend::{Caller, IdempotencyKey, Remembered, Scope};
use crate::domain::details::{BadDetails, Details, Digest, Salt, Transfer, TransferParts};
use crate::domain::holder::PENDING_AT_ONCE;
use crate::domain::ids::ApprovalId;
use crate::domain::policy::Asked;
use crate::ports::store::{CommitError, Unique};
use crate::ports::{Change, Effect};

/// What the backend asks.
#[derive(Debug, Clone)]
pub struct Request {
    pub key: IdempotencyKey,
    /// SHA-256 of the request's body as it came.
    pub fingerprint: Digest,
    pub parts: TransferParts,
    pub asked: Asked,
}

/// The answer's JSON, and whether it is a repeat of an earlier one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    pub body: String,
    pub repeat: Repeat,
}

/// Whether an answer was made now or earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    New,
    Earlier,
}

/// Opens an approval, or repeats the answer to the same request under the same key.
///
/// # Errors
/// [`Error::IdempotencyMismatch`], [`Error::UnknownHolder`], [`Error::NoDevice`], [`Error::NoChannel`],
/// [`Error::DuplicateTransfer`], [`Error::TooManyPending`], [`Error::Invalid`].
pub async fn request(cx: &Context, caller: &Caller, ask: Request) -> Result<Answered, Error> {
    caller_has(caller, Scope::Create)?;
    if ask.asked.hold.is_some_and(|hold| hold > cx.settings.policy.hold_cap()) {
        return Err(Error::invalid("hold_seconds", TooLong(cx.settings.policy.hold_cap())));
    }
    let opening = cx.store.opening(caller.backend, &ask.parts.subject, &ask.key).await?;
    if let Some(remembered) = opening.remembered {
        return repeat(&remembered, &ask.fingerprint);
    }
    let holder = opening.holder.ok_or(Error::UnknownHolder)?;
    if opening.freezes > 0 {
        return Err(Error::HolderFrozen);
    }
    if opening.devices == 0 {
        return Err(Error::NoDevice);
    }
    if opening.channels.is_empty() {
        return Err(Error::NoChannel);
    }
    if opening.pending >= PENDING_AT_ONCE {
        return Err(Error::TooManyPending);
    }
    let now = cx.now();
    let transfer = Transfer::new(ask.parts, Salt(cx.random())).map_err(|error| match error {
        BadDetails::Amount(_) => Error::invalid("amount", error),
        other => Error::invalid("currency", other),
    })?;
    let terms = cx.settings.policy.terms(&transfer, ask.asked);
    let details = Details::of(transfer).map_err(Error::internal)?;
    let id = cx.id(ApprovalId::new, now);
    let approval = Approval::open(id, caller.backend, holder.id, details, terms, now);

    let mut view = ApprovalView::of(&approval).map_err(Error::internal)?;
    view.waiting_url = Some(links::waiting_page(cx, id)?.into());
    let body = serde_json::to_string(&view).map_err(Error::internal)?;
    let remember = Remembered {
        backend: caller.backend,
        key: ask.key.clone(),
        request: ask.fingerprint,
        answer: body.clone(),
        created_at: now,
    };
    let facts = Facts::from([("digest", approval.digest().to_string()), ("version", "1".to_owned())]);
    let entry = cx.entry("approval.opened", Actor::Backend(caller.key), &[&id, &holder.id], facts, now)?;
    let mut change = Change::new(entry, Effect::Open { approval: Box::new(approval.clone()), remember });
    change.notices = notify::asked(cx, &approval, &opening.channels);
    match cx.store.commit(change).await {
        Ok(()) => {}
        Err(CommitError::Duplicate(Unique::IdempotencyKey)) => {
            let remembered = cx.store.remembered(caller.backend, &ask.key).await?.ok_or(Error::Conflict)?;
            return repeat(&remembered, &ask.fingerprint);
        }
        Err(CommitError::Duplicate(Unique::TransferId)) => return Err(Error::DuplicateTransfer),
        Err(CommitError::Cap) => return Err(Error::TooManyPending),
        Err(other) => return Err(other.into()),
    }
    about(id);
    commit::after(cx, std::slice::from_ref(&approval)).await;
    Ok(Answered { body, repeat: Repeat::New })
}

#[derive(Debug, thiserror::Error)]
#[error("must be at most {} seconds", .0.as_secs_f64())]
struct TooLong(Duration);

/// The stored answer, if the request is the same.
pub(super) fn repeat(remembered: &Remembered, fingerprint: &Digest) -> Result<Answered, Error> {
    if remembered.request == *fingerprint {
        Ok(Answered { body: remembered.answer.clone(), repeat: Repeat::Earlier })
    } else {
        Err(Error::IdempotencyMismatch)
    }
}

/// Checks a scope.
pub(super) fn caller_has(caller: &Caller, scope: Scope) -> Result<(), Error> {
    if caller.scopes.has(scope) { Ok(()) } else { Err(Error::Scope(scope)) }
}
