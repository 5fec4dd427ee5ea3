//! One of the two refuses, with a reason, and that ends it. No ceremony: refusing only tightens.

use super::{case, change, failed, refused};
use crate::domain::ids::OverrideId;
use crate::domain::override_request::{OverrideRequest, Words};
use crate::ports::overrides::Also;
use crate::service::staff::SignedIn;
use crate::service::{Context, Error};

/// Refuses.
///
/// # Errors
/// [`Error::Override`] by the rules; [`Error::NotFound`].
pub async fn refuse(cx: &Context, by: &SignedIn, id: OverrideId, why: Words) -> Result<OverrideRequest, Error> {
    let case = case(cx, id).await?;
    let now = cx.now();
    let facts = by.facts([("said", why.as_str().to_owned())]);
    let step = match case.refuse(&by.person, why, now) {
        Ok(step) => step,
        Err(refusal) => return Err(refused(cx, by, id, refusal, now).await),
    };
    let after = step.case.clone();
    match cx.store.commit(change(cx, step, Also::Nothing, by.actor(), facts, now)?).await {
        Ok(()) => Ok(after),
        Err(error) => Err(failed(cx, by.actor(), id, error, now).await),
    }
}
