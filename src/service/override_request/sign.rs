//! One of the two signs. With the second signature the holder is told on every channel, and the hold begins: of the
//! transfer itself, or of the override.

use std::time::Duration;

use serde_json::Value;

use super::{case, change, failed, refused, signers};
use crate::domain::approval::Approval;
use crate::domain::channel::{About, Notice};
use crate::domain::ids::{EndpointId, OverrideId};
use crate::domain::override_request::signing::Statement;
use crate::domain::override_request::transitions::{Carry, Signed, Step};
use crate::domain::override_request::{OverrideRequest, State};
use crate::domain::staff::Role;
use crate::domain::staff::signing::Signs;
use crate::domain::time::Timestamp;
use crate::ports::overrides::Also;
use crate::ports::{Change, Effect};
use crate::service::staff::SignedIn;
use crate::service::staff::signing::{self, Object};
use crate::service::{Context, Error, commit, log, notify};

/// Stores a signature.
///
/// # Errors
/// [`Error::RolledBack`]; [`Error::PromptStale`] when the case has moved since the prompt, or it is another case's; [`Error::Ceremony`];
/// [`Error::Override`] by the rules; [`Error::DailyCap`]; [`Error::Conflict`] when somebody else was faster or a signer
/// left meanwhile.
pub async fn sign(
    cx: &Context,
    by: &SignedIn,
    id: OverrideId,
    sealed: &str,
    assertion: &Value,
) -> Result<OverrideRequest, Error> {
    let case = case(cx, id).await?;
    log::ensure_whole(cx).await?;
    let now = cx.now();
    let people = signers(cx, &case).await?;
    if let Err(refusal) = case.may_sign(&by.person, &people, now) {
        return Err(refused(cx, by, id, refusal, now).await);
    }
    let (signed, statement, canonical) = match checked(cx, by, &case, sealed, assertion).await {
        Ok(signed) => signed,
        Err(error) => return Err(signing::refused(cx, by, Signs::Override, &id, error).await),
    };
    let given = Signed {
        credential_id: signed.preimage.credential_id.clone(),
        challenge: signed.preimage.challenge(),
        checked: statement.checked,
    };
    let (step, carry) = match case.sign(&by.person, &people, given, now) {
        Ok(signed) => signed,
        Err(refusal) => return Err(refused(cx, by, id, refusal, now).await),
    };
    let after = step.case.clone();
    let (mut change, moved) = consequences(cx, by, step, carry, now).await?;
    if let Effect::Override(write) = &mut change.effect {
        write.proof = Some(signed.proof(Role::Signer));
    }
    change.evidence = Some(signed.evidence(canonical, moved.as_ref().map(|approval| approval.id)));
    match cx.store.commit(change).await {
        Ok(()) => {}
        Err(error) => return Err(failed(cx, by.actor(), id, error, now).await),
    }
    if let Some(moved) = moved {
        commit::after(cx, std::slice::from_ref(&moved)).await;
    }
    metrics::counter!("countersign_overrides_total", "event" => "signed").increment(1);
    Ok(after)
}

/// The signature, with the text that it is about. That must be about this case as it stands now: another case, or an
/// older version of this, doesn't do.
async fn checked(
    cx: &Context,
    by: &SignedIn,
    case: &OverrideRequest,
    sealed: &str,
    assertion: &Value,
) -> Result<(signing::Signed<Statement>, Statement, String), Error> {
    let signed: signing::Signed<Statement> = signing::check(cx, by, Signs::Override, sealed, assertion).await?;
    let statement = Statement::of(case, signed.with.checked.clone());
    let canonical = statement.canonical().map_err(Error::internal)?;
    signed.covers(&Object { signs: Signs::Override, id: case.request.id.bytes(), canonical: &canonical })?;
    Ok((signed, statement, canonical))
}

/// The change with what a second signature brings: the transfer's cooling-off, and every channel told.
async fn consequences(
    cx: &Context,
    by: &SignedIn,
    step: Step,
    carry: Option<Carry>,
    now: Timestamp,
) -> Result<(Change, Option<Approval>), Error> {
    let request = step.case.request.clone();
    let (mut also, mut notices, mut deliveries, mut moved) = (Also::Nothing, Vec::new(), Vec::new(), None);
    let mut facts = by.facts([]);
    if let Some(carry) = carry
        && let Some((approval, _)) = carry.transfer()
    {
        let case = cx.store.case(approval).await?.ok_or(Error::NotFound)?;
        let transition = case.approval.approve_for_holder(&carry, now)?;
        let endpoints: &[EndpointId] = &case.endpoints;
        deliveries = notify::webhooks(cx, &transition, endpoints, now)?;
        let after = &transition.approval;
        let hold = after.state.decision().map_or(carry.hold(), |decision| decision.hold);
        notices = told(cx, &step, About::Approval(approval), hold, now).await?;
        // The entry of this decision: the receipt's proof is about it, and nothing is released before its hold.
        facts.insert("approval_digest", after.digest().to_string());
        facts.insert("approval_version", after.version.to_string());
        facts.insert("hold_micros", hold.as_micros().to_string());
        moved = Some(after.clone());
        also = Also::Approval(Box::new(transition));
    } else if matches!(step.case.state, State::Cooling { .. }) {
        notices = told(cx, &step, About::Override(request.id), request.hold(), now).await?;
    }
    let mut change = change(cx, step, also, by.actor(), facts, now)?;
    change.notices = notices;
    change.deliveries = deliveries;
    Ok((change, moved))
}

async fn told(cx: &Context, step: &Step, about: About, hold: Duration, now: Timestamp) -> Result<Vec<Notice>, Error> {
    let channels = cx.store.channels(step.case.request.holder).await?;
    Ok(notify::override_cooling(cx, &step.case.request, about, &channels, now + hold, now))
}
