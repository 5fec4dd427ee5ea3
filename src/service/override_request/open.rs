//! Opening a case. To a drawn signer its page shows the holder's transfer whole, so it leaves the trace that every look
//! at a holder leaves, and the holder sees it.

use super::read::{self, CasePage};
use crate::domain::ids::OverrideId;
use crate::domain::override_request::State;
use crate::service::staff::{SignedIn, look};
use crate::service::{Context, Error};

/// One case, for its page.
///
/// # Errors
/// Those of [`read::one`] and of [`look::at_case`].
pub async fn open(cx: &Context, by: &SignedIn, id: OverrideId) -> Result<CasePage, Error> {
    let page = read::one(cx, by, id).await?;
    let open = matches!(page.case.state, State::Requested { .. });
    if open && page.case.drawn.contains(&by.person.id) {
        look::at_case(cx, by, &page.case).await?;
    }
    Ok(page)
}
