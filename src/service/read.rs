//! Reading: one approval, a list, a long poll; and what the holder's home page shows.

use std::time::Duration;
use tokio::sync::watch::Receiver;

use super::request::caller_has;
use super::view::{ApprovalView, NoticeJson};
use super::{Browser, Context, Error, links};
use crate::domain::approval::{Approval, Version};
use crate::domain::backend::{Caller, Scope};
use crate::domain::device::Device;
use crate::domain::ids::ApprovalId;
use crate::ports::store::{Filter, Read, StoreError};

/// Most rows of one page.
pub const MAX_LIMIT: u32 = 100;
/// Longest long poll.
pub const MAX_WAIT: Duration = Duration::from_secs(60);
/// While waiting for news the record is looked at this often all the same, because news may get lost.
const LOOK_AGAIN: Duration = Duration::from_secs(3);

/// One approval of the caller's, with its notices.
///
/// # Errors
/// [`Error::NotFound`] when it isn't the caller's.
pub async fn approval(cx: &Context, caller: &Caller, id: ApprovalId) -> Result<ApprovalView, Error> {
    let approval = own(cx, caller, id).await?;
    shown(cx, &approval).await
}

async fn shown(cx: &Context, approval: &Approval) -> Result<ApprovalView, Error> {
    let mut view = ApprovalView::of(approval).map_err(Error::internal)?;
    let notices = cx.store.notices(approval.id).await?;
    view.notices = Some(notices.into_iter().map(NoticeJson::from).collect());
    Ok(view)
}

/// As [`approval`], but answers only once its version is above `seen`, it is final, or `wait` has passed.
///
/// # Errors
/// As [`approval`].
pub async fn wait(
    cx: &Context,
    caller: &Caller,
    id: ApprovalId,
    seen: Option<Version>,
    wait: Duration,
) -> Result<ApprovalView, Error> {
    // Subscribed before the first look, so that nothing falls between the two.
    let mut news = cx.live.subscribe(id);
    let mut newest = own(cx, caller, id).await?;
    let seen = seen.unwrap_or(newest.version);
    let until = tokio::time::Instant::now() + wait.min(MAX_WAIT);
    while newest.version <= seen && !newest.state.name().is_final() && hear(&mut news, until).await {
        newest = own(cx, caller, id).await?;
    }
    shown(cx, &newest).await
}

/// Waits for news, but not past `until` and never longer than [`LOOK_AGAIN`]. `false` when the time is over.
pub async fn hear(news: &mut Receiver<Version>, until: tokio::time::Instant) -> bool {
    let now = tokio::time::Instant::now();
    if now >= until {
        return false;
    }
    let _ = tokio::time::timeout_at(until.min(now + LOOK_AGAIN), news.changed()).await;
    true
}

async fn own(cx: &Context, caller: &Caller, id: ApprovalId) -> Result<Approval, Error> {
    caller_has(caller, Scope::Read)?;
    let approval = cx.store.approval(id).await?.ok_or(Error::NotFound)?;
    if approval.backend == caller.backend { Ok(approval) } else { Err(Error::NotFound) }
}

/// One page of the caller's approvals, newest first, and the cursor of the next page.
///
/// # Errors
/// [`Error::Scope`].
pub async fn list(
    cx: &Context,
    caller: &Caller,
    filter: &Filter,
    limit: u32,
) -> Result<(Vec<ApprovalView>, Option<ApprovalId>), Error> {
    caller_has(caller, Scope::Read)?;
    let limit = limit.clamp(1, MAX_LIMIT);
    let mut rows = cx.store.approvals(caller.backend, filter, limit + 1).await?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next = if more { rows.last().map(|approval| approval.id) } else { None };
    let views: Result<Vec<_>, _> = rows.iter().map(ApprovalView::of).collect();
    Ok((views.map_err(Error::internal)?, next))
}

/// What the holder's home page shows.
#[derive(Debug)]
pub struct Home {
    pub device: Device,
    pub approvals: Vec<Approval>,
}

/// The approvals of the holder whose device this is: the living ones and the newest ended.
///
/// # Errors
/// [`Error::UnknownDevice`].
pub async fn home(cx: &Context, browser: &Browser) -> Result<Home, Error> {
    let device = browser.device(cx).await?;
    let approvals = readable(cx.store.approvals_of_holder(device.body.holder, 30).await?).collect();
    Ok(Home { device, approvals })
}

/// The rows that a page can show. One that isn't believed must not take the page away, because Stop stands on it.
pub fn readable<T>(rows: Vec<Read<T>>) -> impl Iterator<Item = T> {
    rows.into_iter().filter_map(|row| {
        row.inspect_err(|error| tracing::error!(error = %error, "a page leaves out a row that isn't believed")).ok()
    })
}

/// All rows, where one that isn't believed could be the one that matters.
///
/// # Errors
/// That of the first row that isn't believed.
pub fn whole<T>(rows: Vec<Read<T>>) -> Result<Vec<T>, StoreError> {
    rows.into_iter().collect()
}

/// The approval that a cancel link names. Shown masked; reading changes nothing.
///
/// # Errors
/// [`Error::NotFound`] for anything that isn't a cancel link.
pub async fn by_cancel_link(cx: &Context, token: &str) -> Result<Approval, Error> {
    let id = links::open_cancel(cx, token)?;
    cx.store.approval(id).await?.ok_or(Error::NotFound)
}
