//! Every minute: notices, those to staff too, and webhook deliveries that are older than the operator keeps them go, a
//! bounded number of rows at a time. What is still to be sent stays, and so do notices about an approval or an override
//! that lives: a release rests on them.
//!
//! It goes through the rows by their ids, which are in the order of their making, and remembers where it was: rows that
//! stay aren't looked at again before all others were.

use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::ports::store::Outgoing;
use crate::service::{Context, Error};

/// Time between two turns.
pub const PERIOD: Duration = Duration::from_secs(60);
/// Rows looked at in one statement.
const PAGE: u32 = 500;
/// Statements in one turn: 20,000 rows, which is more than a node writes in a minute at 300 in a second.
const PAGES: usize = 40;

/// Where the last turn stopped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Place {
    notices: Option<Uuid>,
    deliveries: Option<Uuid>,
    staff_notices: Option<Uuid>,
}

/// Runs until stopped. `keep` is how long rows are kept.
pub async fn run(cx: Context, keep: Duration, stop: CancellationToken) {
    let mut place = Place::default();
    loop {
        match turn(&cx, keep, place).await {
            Ok((next, _)) => place = next,
            Err(error) => tracing::warn!(error = %error, "old notices and deliveries could not be deleted"),
        }
        tokio::select! {
            () = tokio::time::sleep(PERIOD) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// One turn. Gives where to go on, and how many rows went.
///
/// # Errors
/// [`Error::Store`] when the record can't be read.
pub async fn turn(cx: &Context, keep: Duration, from: Place) -> Result<(Place, u64), Error> {
    let (notices, gone) = through(cx, Outgoing::Notices, keep, from.notices).await?;
    let (deliveries, more) = through(cx, Outgoing::Deliveries, keep, from.deliveries).await?;
    let (staff_notices, rest) = through(cx, Outgoing::StaffNotices, keep, from.staff_notices).await?;
    Ok((Place { notices, deliveries, staff_notices }, gone + more + rest))
}

async fn through(
    cx: &Context,
    what: Outgoing,
    keep: Duration,
    from: Option<Uuid>,
) -> Result<(Option<Uuid>, u64), Error> {
    let before = cx.now() - keep;
    let (mut after, mut gone) = (from, 0);
    for _ in 0..PAGES {
        let pruned = cx.store.prune(what, before, after, PAGE).await?;
        gone += pruned.deleted;
        after = pruned.last;
        if after.is_none() {
            break;
        }
    }
    metrics::counter!("countersign_pruned_rows_total", "kind" => what.as_str()).increment(gone);
    Ok((after, gone))
}
