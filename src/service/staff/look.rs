//! Looking at one holder. There is no list, no search and no export: whoever looks names the backend and the holder's
//! exact subject there, and says why. Each look is counted, written down, and shown to the holder; what it shows is
//! masked. A look is good for a quarter of an hour, and then asks for its reason again.

use std::time::Duration;

use super::SignedIn;
use crate::domain::approval::Approval;
use crate::domain::channel::Channel;
use crate::domain::details::Subject;
use crate::domain::device::Device;
use crate::domain::holder::Holder;
use crate::domain::ids::{ApprovalId, BackendId, HolderId, OverrideId, ViewId};
use crate::domain::override_request::OverrideRequest;
use crate::domain::staff::view::{Seen, View};
use crate::domain::staff::{Reason, Role};
use crate::ports::staff::StaffEffect;
use crate::ports::store::CommitError;
use crate::ports::timing::{Quota, Verdict};
use crate::ports::{Change, Effect};
use crate::service::read::readable;
use crate::service::{Browser, Context, Error};

/// How long a look may be gone back to.
pub const LOOK_LASTS: Duration = Duration::from_secs(15 * 60);
/// Attempts of one person, those that find nobody too: trying out subjects must not pay.
const ATTEMPTS: Quota = Quota { name: "staff-look", burst: 10, per: Duration::from_secs(600) };
/// So many approvals and views are shown.
const SHOWN: u32 = 30;

/// What a look shows. Pages mask it; nothing here goes to a page as it is.
#[derive(Debug)]
pub struct Looked {
    pub view: View,
    pub holder: Holder,
    pub approvals: Vec<Approval>,
    pub devices: Vec<Device>,
    pub channels: Vec<Channel>,
    /// Override requests of the holder, newest first: a reveal is for one of them.
    pub cases: Vec<OverrideRequest>,
    /// Who looked before, newest first; this look is the first.
    pub views: Vec<View>,
}

/// Looks a holder up.
///
/// # Errors
/// [`Error::UnknownHolder`] for everything that isn't exactly one holder's subject, whatever is wrong with it;
/// [`Error::TooManyLooks`] past the cap, [`Error::TooFast`] in too quick a row, [`Error::NotInRole`];
/// [`Error::OwnAccount`] for whoever is that holder.
pub async fn up(cx: &Context, by: &SignedIn, backend: &str, subject: &str, reason: Reason) -> Result<View, Error> {
    by.needs(Role::Agent)?;
    if let Verdict::Wait(wait) = cx.limits.take(ATTEMPTS, &by.person.id.to_string()).await {
        refused(cx, by, "rate").await?;
        return Err(Error::TooFast(wait));
    }
    let found = match (backend.parse::<BackendId>(), Subject::parse(subject)) {
        (Ok(backend), Ok(subject)) => cx.store.holder(backend, &subject).await?,
        _ => None,
    };
    match found {
        Some(holder) => store(cx, by, holder.id, Seen::Masked, reason).await,
        None => {
            refused(cx, by, "unknown_holder").await?;
            Err(Error::UnknownHolder)
        }
    }
}

/// Whether a subject that nobody has was an erased holder's. Asked after a look that found nobody, which was counted and
/// written down.
///
/// # Errors
/// [`Error::NotInRole`], [`Error::Store`].
pub async fn was_erased(cx: &Context, by: &SignedIn, backend: &str, subject: &str) -> Result<bool, Error> {
    by.needs(Role::Agent)?;
    match (backend.parse::<BackendId>(), Subject::parse(subject)) {
        (Ok(backend), Ok(subject)) => Ok(cx.store.erasure_of(backend, &subject).await?.is_some()),
        _ => Ok(false),
    }
}

/// What a look of one's own shows, while it lasts.
///
/// # Errors
/// [`Error::NotFound`] for another's look, or one that is over.
pub async fn again(cx: &Context, by: &SignedIn, id: ViewId) -> Result<Looked, Error> {
    let view = own(cx, by, id).await?;
    let holder = cx.store.holder_by_id(view.holder).await?.ok_or(Error::NotFound)?;
    Ok(Looked {
        approvals: readable(cx.store.approvals_of_holder(holder.id, SHOWN).await?).collect(),
        devices: cx.store.devices(holder.id).await?,
        channels: readable(cx.store.channels_one_by_one(holder.id).await?).collect(),
        cases: readable(cx.store.overrides_of_holder(holder.id, SHOWN).await?).collect(),
        views: cx.staff.views_of_holder(holder.id, SHOWN).await?,
        view,
        holder,
    })
}

/// One's own look, while it lasts. Everything that is done from a look asks for it here.
///
/// # Errors
/// As [`again`]; [`Error::OwnAccount`] for whoever is that holder.
pub async fn own(cx: &Context, by: &SignedIn, id: ViewId) -> Result<View, Error> {
    by.needs(Role::Agent)?;
    let view = cx.staff.view(id).await?.ok_or(Error::NotFound)?;
    if view.staff != by.person.id {
        refused(cx, by, "anothers_look").await?;
        return Err(Error::NotFound);
    }
    stranger(by, view.holder)?;
    if cx.now() < view.at + LOOK_LASTS { Ok(view) } else { Err(Error::NotFound) }
}

/// Shows the whole account of one approval, once. It is a look of its own, with a reason, for an override request of
/// this very holder: two others were drawn for it, and whoever asked is named in it.
///
/// # Errors
/// As [`up`]; [`Error::NotFound`] for an approval or a case that isn't the looked-at holder's.
pub async fn reveal(
    cx: &Context,
    by: &SignedIn,
    id: ViewId,
    approval: ApprovalId,
    case: OverrideId,
    reason: Reason,
) -> Result<Approval, Error> {
    let view = own(cx, by, id).await?;
    let shown = cx.store.approval(approval).await?.ok_or(Error::NotFound)?;
    let of = cx.store.override_request(case).await?.ok_or(Error::NotFound)?;
    if shown.holder != view.holder || of.request.holder != view.holder {
        return Err(Error::NotFound);
    }
    store(cx, by, view.holder, Seen::Account { approval, case }, reason).await?;
    Ok(shown)
}

/// Writes down that a drawn signer opened the page on which they decide. Opening it again within a quarter of an hour
/// is the same look.
///
/// # Errors
/// As [`up`], for a signer.
pub async fn at_case(cx: &Context, by: &SignedIn, of: &OverrideRequest) -> Result<(), Error> {
    by.needs(Role::Signer)?;
    let (case, holder) = (of.id(), of.request.holder);
    let seen = Seen::Case { case };
    let now = cx.now();
    let before = cx.staff.views_of_holder(holder, SHOWN).await?;
    if before.iter().any(|view| view.staff == by.person.id && view.seen == seen && now < view.at + LOOK_LASTS) {
        return Ok(());
    }
    let reason = Reason::parse(&format!("drawn to sign {case}")).map_err(Error::internal)?;
    store(cx, by, holder, seen, reason).await.map(|_| ())
}

/// Who of staff looked at the holder of this device: roles, employer, when and why.
///
/// # Errors
/// [`Error::UnknownDevice`].
pub async fn at_oneself(cx: &Context, browser: &Browser) -> Result<Vec<View>, Error> {
    let device = browser.device(cx).await?;
    Ok(cx.staff.views_of_holder(device.body.holder, SHOWN).await?)
}

/// Nobody looks at themself, or does anything about it.
fn stranger(by: &SignedIn, holder: HolderId) -> Result<(), Error> {
    if by.person.profile.is(holder) { Err(Error::OwnAccount) } else { Ok(()) }
}

async fn store(cx: &Context, by: &SignedIn, holder: HolderId, seen: Seen, reason: Reason) -> Result<View, Error> {
    if let Err(oneself) = stranger(by, holder) {
        refused(cx, by, "own_account").await?;
        return Err(oneself);
    }
    let acting = by.acting(if matches!(seen, Seen::Case { .. }) { Role::Signer } else { Role::Agent })?;
    let now = cx.now();
    let profile = &by.person.profile;
    let view = View {
        id: cx.id(ViewId::new, now),
        staff: by.person.id,
        holder,
        at: now,
        seen,
        reason,
        roles: profile.roles,
        employer: profile.employer.clone(),
    };
    let mut facts = by.facts([("reason", view.reason.to_string()), ("seen", view.seen.as_str().to_owned())]);
    let mut objects: Vec<&(dyn std::fmt::Display + Sync)> = vec![&view.holder, &view.id];
    let kind = match &view.seen {
        Seen::Masked => "holder.viewed",
        Seen::Account { approval, case } => {
            facts.insert("case", case.to_string());
            objects.push(approval);
            "holder.revealed"
        }
        Seen::Case { case } => {
            objects.push(case);
            "holder.viewed"
        }
    };
    let entry = cx.entry(kind, by.actor(), &objects, facts, now)?;
    let effect = StaffEffect::Look { view: view.clone(), by: acting };
    match cx.store.commit(Change::new(entry, Effect::Staff(Box::new(effect)))).await {
        Ok(()) => Ok(view),
        Err(CommitError::Cap) => {
            refused(cx, by, "cap").await?;
            Err(Error::TooManyLooks)
        }
        Err(CommitError::Conflict) => Err(Error::SignedOut),
        Err(error) => Err(error.into()),
    }
}

/// A look that shows nothing is written down too. What was asked for isn't: it may be somebody's name.
async fn refused(cx: &Context, by: &SignedIn, why: &str) -> Result<(), Error> {
    let facts = by.facts([("why", why.to_owned())]);
    let entry = cx.entry("holder.view_refused", by.actor(), &[&by.person.id], facts, cx.now())?;
    Ok(cx.store.commit(Change::new(entry, Effect::Noted)).await?)
}
