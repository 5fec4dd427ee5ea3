//! Signatures of staff over a canonical text: the prompt, and the check of what came back. Changes of staff go through
//! here, and overrides may. The signature's evidence is stored by whoever uses it, in the commit of what was signed.

use data_encoding::BASE64URL_NOPAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::SignedIn;
use crate::domain::details::Digest;
use crate::domain::device::Blob;
use crate::domain::evidence::{Evidence, SignedAssertion};
use crate::domain::ids::ApprovalId;
use crate::domain::linking::PROMPT_LIFE;
use crate::domain::staff::Role;
use crate::domain::staff::signing::{Signs, StaffPreimage};
use crate::domain::time::Timestamp;
use crate::ports::outward::CeremonyError;
use crate::ports::secrets::BoxKey;
use crate::ports::staff::PasskeyProof;
use crate::service::{Context, Error, commit};

/// What is to be signed.
pub struct Object<'a> {
    pub signs: Signs,
    /// The sixteen bytes of its id.
    pub id: &'a [u8; 16],
    /// Its canonical JSON.
    pub canonical: &'a str,
}

/// A prompt to sign.
#[derive(Debug, Clone)]
pub struct Prompt {
    /// `PublicKeyCredentialRequestOptionsJSON`.
    pub options: Value,
    pub sealed: String,
    pub expires_at: Timestamp,
}

/// What the page carries: the preimage, and what the caller wants to have back.
#[derive(Serialize, Deserialize)]
struct Carried<T> {
    preimage: StaffPreimage,
    with: T,
}

/// A signature whose ceremony passed. It still has to be about the right text: see [`Signed::covers`].
#[derive(Debug, Clone)]
pub struct Signed<T> {
    pub preimage: StaffPreimage,
    pub with: T,
    pub counter: u32,
    assertion: SignedAssertion,
}

/// Makes a prompt for a person's passkey.
///
/// # Errors
/// [`Error::NoConsole`]; [`Error::SignedOut`] for a person without a passkey.
pub async fn prompt<T: Serialize>(cx: &Context, by: &SignedIn, object: &Object<'_>, with: &T) -> Result<Prompt, Error> {
    let console = cx.console()?;
    let passkey = cx.staff.passkeys(by.person.id).await?.into_iter().next().ok_or(Error::SignedOut)?;
    let preimage = StaffPreimage {
        signs: object.signs,
        rp_id: console.ceremonies.rp_id().to_owned(),
        object: Blob(object.id.to_vec()),
        digest: Digest::of(object.canonical.as_bytes()),
        staff: by.person.id,
        credential_id: passkey.body.credential_id.clone(),
        expires_at: cx.now() + PROMPT_LIFE,
        nonce: Blob(cx.random::<16>().to_vec()),
    };
    let expires_at = preimage.expires_at;
    let options = console
        .ceremonies
        .request_options(&preimage.challenge(), &passkey.body.credential_id)
        .map_err(Error::Ceremony)?;
    let plain = serde_json::to_vec(&Carried { preimage, with }).map_err(Error::internal)?;
    let sealed = cx.secrets.seal(BoxKey::Console, &context(by, object.signs), &plain);
    Ok(Prompt { options, sealed: BASE64URL_NOPAD.encode(&sealed), expires_at })
}

/// Checks what came back. The page's box is bound to the person and the kind, so nobody answers another's prompt. What
/// fails here, or in [`Signed::covers`], is written down with [`refused`].
///
/// # Errors
/// [`Error::PromptStale`] for a box that isn't theirs, of another kind, or too old; [`Error::Ceremony`].
pub async fn check<T: DeserializeOwned>(
    cx: &Context,
    by: &SignedIn,
    signs: Signs,
    sealed: &str,
    assertion: &Value,
) -> Result<Signed<T>, Error> {
    let console = cx.console()?;
    let sealed = BASE64URL_NOPAD.decode(sealed.as_bytes()).map_err(|_| Error::PromptStale)?;
    let plain = cx.secrets.open(BoxKey::Console, &context(by, signs), &sealed).map_err(|_| Error::PromptStale)?;
    let Carried { preimage, with }: Carried<T> = serde_json::from_slice(&plain).map_err(|_| Error::PromptStale)?;
    if cx.now() >= preimage.expires_at {
        return Err(Error::PromptStale);
    }
    let passkey = cx.staff.passkey(&preimage.credential_id).await?.ok_or(Error::PromptStale)?;
    if passkey.body.staff != by.person.id {
        return Err(Error::PromptStale);
    }
    let challenge = preimage.challenge();
    let verified = console
        .ceremonies
        .verify(&challenge, assertion, &passkey.body.credential, passkey.counter)
        .map_err(Error::Ceremony)?;
    if verified.assertion.credential_id != preimage.credential_id {
        return Err(Error::Ceremony(CeremonyError::Refused { name: "credential", source: None }));
    }
    Ok(Signed { preimage, with, counter: verified.counter, assertion: verified.assertion })
}

/// Writes a signature that wasn't taken down, and gives the error back. A refusal by the rules of what is signed is
/// written down by whoever knows them.
pub async fn refused(
    cx: &Context,
    by: &SignedIn,
    signs: Signs,
    about: &(dyn std::fmt::Display + Sync),
    error: Error,
) -> Error {
    let why = match &error {
        Error::PromptStale => Some("prompt_stale"),
        Error::Ceremony(error) => error.name(),
        Error::StaffChange(refusal) => Some(refusal.as_str()),
        _ => None,
    };
    if let Some(why) = why {
        let kind = match signs {
            Signs::Enrol => "staff.join_refused",
            Signs::Change => "staff_change.sign_refused",
            Signs::Override => "override.refused",
        };
        commit::refused(cx, kind, by.actor(), &[about, &by.person.id], why, cx.now()).await;
    }
    error
}

impl<T> Signed<T> {
    /// The signature is about exactly this.
    ///
    /// # Errors
    /// [`Error::PromptStale`] when the record has changed since the prompt, or it is about something else.
    pub fn covers(&self, object: &Object<'_>) -> Result<(), Error> {
        let same = self.preimage.signs == object.signs
            && self.preimage.object.0 == object.id
            && self.preimage.digest == Digest::of(object.canonical.as_bytes());
        if same { Ok(()) } else { Err(Error::PromptStale) }
    }

    /// What the commit must look at again.
    pub fn proof(&self, role: Role) -> PasskeyProof {
        PasskeyProof {
            staff: self.preimage.staff,
            credential_id: self.preimage.credential_id.clone(),
            counter: self.counter,
            role: Some(role),
        }
    }

    /// What is kept so that anybody can check it later.
    pub fn evidence(self, canonical: String, approval: Option<ApprovalId>) -> Evidence {
        let Self { preimage, assertion, .. } = self;
        Evidence::Staff { staff: preimage.staff, approval, preimage, signed: canonical, assertion }
    }
}

fn context(by: &SignedIn, signs: Signs) -> Vec<u8> {
    [signs.tag().as_bytes(), by.person.id.bytes().as_slice()].concat()
}
