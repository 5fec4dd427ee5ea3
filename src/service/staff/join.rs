//! The invited person makes a passkey on the console: user verification required, attestation none. It ends with an
//! assertion over who they become; only then is the invite spent.

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::invite::code;
use crate::domain::approval::Actor;
use crate::domain::details::Digest;
use crate::domain::device::Blob;
use crate::domain::evidence::Evidence;
use crate::domain::ids::InviteId;
use crate::domain::link::LinkRefusal;
use crate::domain::linking::PROMPT_LIFE;
use crate::domain::policy::Assurance;
use crate::domain::staff::invite::{Invite, InviteRefusal};
use crate::domain::staff::passkey::{Passkey, PasskeyBody};
use crate::domain::staff::signing::{Signs, StaffPreimage};
use crate::domain::staff::{Staff, Status, admins_ever};
use crate::ports::outward::CeremonyError;
use crate::ports::secrets::BoxKey;
use crate::ports::staff::StaffEffect;
use crate::ports::store::{CommitError, Unique};
use crate::ports::{Change, Effect};
use crate::service::{Context, Error, commit, links, log};

/// An invite that can be used, with whom it is for.
#[derive(Debug, Clone)]
pub struct Open {
    pub invite: Invite,
    pub person: Staff,
}

/// A step that waits for the browser.
#[derive(Debug, Clone)]
pub struct Step {
    /// Options of the ceremony.
    pub options: Value,
    pub sealed: String,
}

#[derive(Serialize, Deserialize)]
struct Making {
    invite: InviteId,
    challenge: Digest,
}

#[derive(Serialize, Deserialize)]
struct Made {
    credential: Value,
    assurance: Assurance,
    preimage: StaffPreimage,
    counter: u32,
}

/// Reads an invite.
///
/// # Errors
/// [`Error::NotFound`] for anything that isn't an invite of ours, [`Error::Invite`] when it can't be used (yet).
pub async fn look(cx: &Context, token: &str) -> Result<Open, Error> {
    let open = under_way(cx, token).await?;
    open.invite.check_tries()?;
    Ok(open)
}

/// Reads the invite of somebody who has given the right code: how often it was tried doesn't matter any more.
async fn under_way(cx: &Context, token: &str) -> Result<Open, Error> {
    cx.console()?;
    let secret = BASE64URL_NOPAD.decode(token.as_bytes()).map_err(|_| Error::NotFound)?;
    if secret.len() != 16 {
        return Err(Error::NotFound);
    }
    let invite = cx.staff.invite(&Digest::of(&secret)).await?.ok_or(Error::NotFound)?;
    let person = cx.staff.person(invite.staff).await?.ok_or(Error::NotFound)?;
    let now = cx.now();
    invite.check_open(now)?;
    if invite.is_founding_after(admins_ever(&cx.staff.everybody().await?)) {
        return Err(InviteRefusal::Founded.into());
    }
    if person.status != Status::Invited || now >= person.profile.ends_at {
        return Err(InviteRefusal::Link(LinkRefusal::Ended).into());
    }
    Ok(Open { invite, person })
}

/// Checks the code, where one belongs to the invite, and asks for a passkey.
///
/// # Errors
/// [`Error::WrongCode`], which is counted; as [`look`].
pub async fn start(cx: &Context, token: &str, typed: Option<&str>) -> Result<Step, Error> {
    let Open { invite, person } = look(cx, token).await?;
    if invite.needs_code() {
        links::take_try(cx, &invite.id).await.map_err(InviteRefusal::Link)?;
        let typed: String = typed.unwrap_or_default().chars().filter(|c| !c.is_whitespace()).collect();
        let right = code(cx, invite.id);
        let fits = aws_lc_rs::constant_time::verify_slices_are_equal(typed.as_bytes(), right.as_bytes()).is_ok();
        count_try(cx, &invite, &person, if fits { "staff.code_right" } else { "staff.code_wrong" }).await?;
        if !fits {
            return Err(Error::WrongCode);
        }
    }
    let challenge = Digest::from_bytes(cx.random());
    let options = cx
        .console()?
        .ceremonies
        .discoverable_creation_options(&challenge, person.id, person.profile.name.as_str())
        .map_err(Error::Ceremony)?;
    let sealed = seal(cx, invite.id, b"making", &Making { invite: invite.id, challenge })?;
    Ok(Step { options, sealed })
}

/// Taken before anybody learns whether the code fits, so that many at once cost as many tries.
async fn count_try(cx: &Context, invite: &Invite, person: &Staff, kind: &'static str) -> Result<(), Error> {
    let now = cx.now();
    let mut facts = person.facts();
    facts.insert("tries", (invite.tries + 1).to_string());
    let entry = cx.entry(kind, Actor::Unknown, &[&person.id, &invite.id], facts, now)?;
    let effect = StaffEffect::CountInviteTry { invite: invite.id, tries: invite.tries };
    match cx.store.commit(Change::new(entry, Effect::Staff(Box::new(effect)))).await {
        Ok(()) => Ok(()),
        Err(CommitError::Conflict) => Err(Error::WrongCode),
        Err(error) => Err(error.into()),
    }
}

/// The canonical text of who a person becomes: what their first signature is about.
fn canonical(person: &Staff, invite: InviteId) -> Result<String, Error> {
    #[derive(Serialize)]
    struct Joining<'a> {
        v: u8,
        staff: crate::domain::ids::StaffId,
        invite: InviteId,
        profile: &'a crate::domain::staff::Profile,
    }
    let joining = Joining { v: 1, staff: person.id, invite, profile: &person.profile };
    serde_json_canonicalizer::to_string(&joining).map_err(Error::internal)
}

/// Checks the new passkey and asks it to sign.
///
/// # Errors
/// [`Error::Ceremony`], [`Error::PromptStale`].
pub async fn prove(cx: &Context, token: &str, sealed: &str, registration: &Value) -> Result<Step, Error> {
    let Open { invite, person } = under_way(cx, token).await?;
    let making: Making = open(cx, invite.id, b"making", sealed)?;
    let ceremonies = &cx.console()?.ceremonies;
    let made = match ceremonies.register(&making.challenge, registration) {
        Ok(made) => made,
        Err(error) => return Err(refused(cx, &invite, error).await),
    };
    let preimage = StaffPreimage {
        signs: Signs::Enrol,
        rp_id: ceremonies.rp_id().to_owned(),
        object: Blob(invite.id.bytes().to_vec()),
        digest: Digest::of(canonical(&person, invite.id)?.as_bytes()),
        staff: person.id,
        credential_id: made.id.clone(),
        expires_at: cx.now() + PROMPT_LIFE,
        nonce: Blob(cx.random::<16>().to_vec()),
    };
    let options = ceremonies.request_options(&preimage.challenge(), &made.id).map_err(Error::Ceremony)?;
    let made = Made { credential: made.credential, assurance: made.assurance, preimage, counter: made.counter };
    let sealed = seal(cx, invite.id, b"made", &made)?;
    Ok(Step { options, sealed })
}

/// Checks the signature and stores the passkey: the person is of staff now.
///
/// # Errors
/// [`Error::Ceremony`], [`Error::PromptStale`], [`Error::Invite`], [`Error::RolledBack`].
pub async fn finish(cx: &Context, token: &str, sealed: &str, assertion: &Value) -> Result<Staff, Error> {
    let Open { invite, person } = under_way(cx, token).await?;
    log::ensure_whole(cx).await?;
    let made: Made = open(cx, invite.id, b"made", sealed)?;
    let now = cx.now();
    let signed = canonical(&person, invite.id)?;
    if now >= made.preimage.expires_at || made.preimage.digest != Digest::of(signed.as_bytes()) {
        return Err(Error::PromptStale);
    }
    let ceremonies = &cx.console()?.ceremonies;
    let verified = match ceremonies.verify(&made.preimage.challenge(), assertion, &made.credential, made.counter) {
        Ok(verified) => verified,
        Err(error) => return Err(refused(cx, &invite, error).await),
    };
    let enrolled = person.enrolled(now);
    let next = if cx.settings.profile.is_for_looking() { enrolled.seasoned() } else { enrolled };
    let passkey = Passkey {
        body: PasskeyBody {
            staff: person.id,
            credential_id: made.preimage.credential_id.clone(),
            credential: made.credential,
            assurance: made.assurance,
            created_at: now,
        },
        counter: verified.counter,
    };
    let mut facts = next.facts();
    facts.insert("staff_version", next.version.to_string());
    let entry = cx.entry("staff.joined", Actor::Staff(person.id), &[&person.id, &invite.id], facts, now)?;
    let effect = StaffEffect::Enrol { invite: invite.id, staff: Box::new(next.clone()), from: person.version, passkey };
    let mut change = Change::new(entry, Effect::Staff(Box::new(effect)));
    change.evidence = Some(Evidence::Staff {
        staff: person.id,
        approval: None,
        preimage: made.preimage,
        signed,
        assertion: verified.assertion,
    });
    match cx.store.commit(change).await {
        Ok(()) => Ok(next),
        Err(CommitError::Conflict | CommitError::Duplicate(Unique::Credential)) => {
            Err(InviteRefusal::Link(LinkRefusal::Ended).into())
        }
        Err(error) => Err(error.into()),
    }
}

/// Writes a failed ceremony down and gives the error.
async fn refused(cx: &Context, invite: &Invite, error: CeremonyError) -> Error {
    if let Some(why) = error.name() {
        commit::refused(cx, "staff.join_refused", Actor::Unknown, &[&invite.staff, &invite.id], why, cx.now()).await;
    }
    Error::Ceremony(error)
}

fn context(invite: InviteId, step: &[u8]) -> Vec<u8> {
    [step, invite.bytes().as_slice()].concat()
}

fn seal<T: Serialize>(cx: &Context, invite: InviteId, step: &[u8], value: &T) -> Result<String, Error> {
    let plain = serde_json::to_vec(value).map_err(Error::internal)?;
    Ok(BASE64URL_NOPAD.encode(&cx.secrets.seal(BoxKey::Console, &context(invite, step), &plain)))
}

fn open<T: for<'de> Deserialize<'de>>(cx: &Context, invite: InviteId, step: &[u8], sealed: &str) -> Result<T, Error> {
    let sealed = BASE64URL_NOPAD.decode(sealed.as_bytes()).map_err(|_| Error::PromptStale)?;
    let plain = cx.secrets.open(BoxKey::Console, &context(invite, step), &sealed).map_err(|_| Error::PromptStale)?;
    serde_json::from_slice(&plain).map_err(|_| Error::PromptStale)
}
