//! The prompt to sign: the whole request as it stands, with what the signer says they checked, under one digest.

use super::{case, refused, signers};
use crate::domain::ids::OverrideId;
use crate::domain::override_request::signing::Statement;
use crate::domain::override_request::{Words, enough};
use crate::domain::staff::signing::Signs;
use crate::service::staff::signing::{self, Object, Prompt};
use crate::service::staff::{SignedIn, look};
use crate::service::{Context, Error};

/// Makes a prompt for one of the two who were drawn.
///
/// # Errors
/// [`Error::Override`] by the rules; [`Error::NotFound`]; those of [`look::at_case`].
pub async fn prompt(cx: &Context, by: &SignedIn, id: OverrideId, checked: Words) -> Result<Prompt, Error> {
    let case = case(cx, id).await?;
    let now = cx.now();
    let signers = signers(cx, &case).await?;
    if let Err(refusal) = case.may_sign(&by.person, &signers, now) {
        return Err(refused(cx, by, id, refusal, now).await);
    }
    // Whoever comes here without the page has seen the case all the same, and the holder sees that.
    look::at_case(cx, by, &case).await?;
    enough(&checked)?;
    let statement = Statement::of(&case, checked);
    let canonical = statement.canonical().map_err(Error::internal)?;
    let object = Object { signs: Signs::Override, id: id.bytes(), canonical: &canonical };
    signing::prompt(cx, by, &object, &statement).await
}
