//! Signing in: a passkey that names its person, with user verification, over a challenge of ours. Nothing is typed.
//!
//! The challenge keeps no state here; it travels sealed through the page, and the record takes each only once.

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::approval::Actor;
use crate::domain::details::Digest;
use crate::domain::device::Blob;
use crate::domain::ids::{SessionId, StaffId};
use crate::domain::linking::PROMPT_LIFE;
use crate::domain::staff::Staff;
use crate::domain::staff::session::Session;
use crate::domain::staff::signing::sign_in_challenge;
use crate::domain::time::Timestamp;
use crate::ports::outward::CeremonyError;
use crate::ports::secrets::BoxKey;
use crate::ports::staff::{PasskeyProof, StaffEffect};
use crate::ports::store::CommitError;
use crate::ports::{Change, Effect};
use crate::service::{Context, Error, commit};

const STEP: &[u8] = b"sign-in";

/// What the page carries.
#[derive(Serialize, Deserialize)]
struct Asked {
    expires_at: Timestamp,
    nonce: Blob,
}

/// A question to the browser.
#[derive(Debug, Clone)]
pub struct Question {
    /// `PublicKeyCredentialRequestOptionsJSON`.
    pub options: Value,
    pub sealed: String,
}

/// Who signed in, and the cookie to leave.
#[derive(Debug, Clone)]
pub struct Entered {
    pub person: Staff,
    /// 32 random bytes in base64url; the record keeps the hash.
    pub cookie: String,
}

/// Asks for a passkey.
///
/// # Errors
/// [`Error::NoConsole`].
pub async fn start(cx: &Context) -> Result<Question, Error> {
    let console = cx.console()?;
    let (expires_at, nonce) = (cx.now() + PROMPT_LIFE, cx.random::<16>());
    let challenge = sign_in_challenge(console.ceremonies.rp_id(), expires_at, &nonce);
    let options = console.ceremonies.sign_in_options(&challenge).map_err(Error::Ceremony)?;
    let plain = serde_json::to_vec(&Asked { expires_at, nonce: Blob(nonce.to_vec()) }).map_err(Error::internal)?;
    let sealed = BASE64URL_NOPAD.encode(&cx.secrets.seal(BoxKey::Console, STEP, &plain));
    Ok(Question { options, sealed })
}

/// Checks the answer and opens a session.
///
/// # Errors
/// [`Error::Ceremony`] for every passkey that isn't taken, whatever the reason; [`Error::PromptStale`] for an old
/// question or one that was answered before.
pub async fn finish(cx: &Context, sealed: &str, assertion: &Value) -> Result<Entered, Error> {
    let console = cx.console()?;
    let asked = open(cx, sealed)?;
    let now = cx.now();
    let nonce: [u8; 16] = asked.nonce.0.as_slice().try_into().map_err(|_| Error::PromptStale)?;
    if now >= asked.expires_at {
        return Err(Error::PromptStale);
    }
    let challenge = sign_in_challenge(console.ceremonies.rp_id(), asked.expires_at, &nonce);
    let named = assertion.get("rawId").map(Blob::deserialize).and_then(Result::ok);
    let Some(credential_id) = named else { return Err(refuse(cx, None, "malformed", now).await) };
    let Some(passkey) = cx.staff.passkey(&credential_id).await? else {
        return Err(refuse(cx, None, "unknown_passkey", now).await);
    };
    let staff = passkey.body.staff;
    // The passkey says whose it is (WebAuthn L3 section 7.2, step 6): that must be who we think.
    let handle = assertion.pointer("/response/userHandle").map(Blob::deserialize).and_then(Result::ok);
    if handle.is_none_or(|handle| handle.0 != staff.bytes()) {
        return Err(refuse(cx, Some(staff), "user_handle", now).await);
    }
    let verified = match console.ceremonies.verify(&challenge, assertion, &passkey.body.credential, passkey.counter) {
        Ok(verified) => verified,
        Err(error) => {
            return Err(match error.name() {
                Some(name) => refuse(cx, Some(staff), name, now).await,
                None => Error::Ceremony(error),
            });
        }
    };
    let person = cx.staff.person(staff).await?.ok_or(Error::SignedOut)?;
    if let Err(gone) = person.check(now) {
        return Err(refuse(cx, Some(staff), &gone.to_string(), now).await);
    }
    let cookie = BASE64URL_NOPAD.encode(&cx.random::<32>());
    let session = Session {
        id: cx.id(SessionId::new, now),
        staff,
        token_hash: Digest::of(cookie.as_bytes()),
        challenge,
        created_at: now,
        seen_at: now,
        ended_at: None,
    };
    let proof = PasskeyProof { staff, credential_id, counter: verified.counter, role: None };
    let entry = cx.entry("staff.signed_in", Actor::Staff(staff), &[&staff, &session.id], person.facts(), now)?;
    let effect = StaffEffect::SignIn { session, proof };
    match cx.store.commit(Change::new(entry, Effect::Staff(Box::new(effect)))).await {
        Ok(()) => Ok(Entered { person, cookie }),
        Err(CommitError::Conflict | CommitError::Duplicate(_)) => {
            commit::refused(cx, "staff.sign_in_refused", Actor::Staff(staff), &[&staff], "answered_before", now).await;
            Err(Error::PromptStale)
        }
        Err(error) => Err(error.into()),
    }
}

fn open(cx: &Context, sealed: &str) -> Result<Asked, Error> {
    let sealed = BASE64URL_NOPAD.decode(sealed.as_bytes()).map_err(|_| Error::PromptStale)?;
    let plain = cx.secrets.open(BoxKey::Console, STEP, &sealed).map_err(|_| Error::PromptStale)?;
    serde_json::from_slice(&plain).map_err(|_| Error::PromptStale)
}

/// Writes the refusal down and gives the one answer that all of them get.
async fn refuse(cx: &Context, staff: Option<StaffId>, why: &str, now: Timestamp) -> Error {
    const KIND: &str = "staff.sign_in_refused";
    match staff {
        Some(staff) => commit::refused(cx, KIND, Actor::Unknown, &[&staff], why, now).await,
        None => commit::refused(cx, KIND, Actor::Unknown, &[], why, now).await,
    }
    Error::Ceremony(CeremonyError::Refused { name: "sign_in", source: None })
}
