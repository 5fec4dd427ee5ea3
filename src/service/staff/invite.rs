//! Inviting from the host's command line: at once until two admins have been, and 72 hours later ever after, while
//! every admin sees it and any of them can stop it. What two admins decide makes its invite in [`super::change`].

use data_encoding::BASE64URL_NOPAD;
use url::Url;

use crate::domain::approval::Actor;
use crate::domain::channel::Address;
use crate::domain::details::Digest;
use crate::domain::device::Blob;
use crate::domain::ids::{InviteId, StaffId};
use crate::domain::link::six_digits;
use crate::domain::staff::invite::{INVITE_LIFE, Invite, Origin};
use crate::domain::staff::notice::Mailbox;
use crate::domain::staff::{Profile, Staff, admins_ever};
use crate::domain::time::Timestamp;
use crate::ports::secrets::{BoxKey, TagKey};
use crate::ports::staff::StaffEffect;
use crate::ports::store::CommitError;
use crate::ports::{Change, Effect};
use crate::service::{Context, Error};

/// A new invite. The link is shown once; the record has its hash.
#[derive(Debug)]
pub struct Invited {
    pub staff: StaffId,
    pub url: Url,
    pub opens_at: Timestamp,
    pub expires_at: Timestamp,
}

/// Invites somebody from the host; `mail` is where they are told that a case waits.
///
/// # Errors
/// [`Error::NoConsole`]; [`Error::Invalid`] for an end in the past; [`Error::Conflict`] for a name at the identity
/// provider that somebody else has.
pub async fn from_host(cx: &Context, profile: Profile, mail: Option<&Address>) -> Result<Invited, Error> {
    let now = cx.now();
    if profile.ends_at <= now {
        return Err(Error::invalid("ends", "must be later than now"));
    }
    let admins = admins_ever(&cx.staff.everybody().await?);
    let (origin, opens_at) = Invite::from_host(admins, now);
    let id = cx.id(StaffId::new, now);
    let mail = mail.map(|mail| mailbox(cx, id, mail)).transpose()?;
    let staff = Staff::new(id, Profile { mail, ..profile }, now);
    let (invite, url) = make(cx, staff.id, origin, opens_at, now)?;
    let mut facts = staff.facts();
    facts.insert("opens_at", opens_at.to_string());
    facts.insert("ends_at", staff.profile.ends_at.to_string());
    let kind = if origin == Origin::Founding { "staff.founder_invited" } else { "staff.invited_from_host" };
    let entry = cx.entry(kind, Actor::Operator, &[&staff.id, &invite.id], facts, now)?;
    let invited = Invited { staff: staff.id, url, opens_at, expires_at: invite.expires_at };
    let effect = StaffEffect::Add { staff: Box::new(staff), invite };
    match cx.store.commit(Change::new(entry, Effect::Staff(Box::new(effect)))).await {
        Ok(()) => {
            if origin == Origin::Host {
                // Whoever watches the log of the service hears of it, too.
                tracing::warn!(staff.id = %invited.staff, opens_at = %opens_at, "staff were invited from the host");
            }
            Ok(invited)
        }
        Err(CommitError::Duplicate(_)) => Err(Error::Conflict),
        Err(error) => Err(error.into()),
    }
}

/// An address as it is kept and signed: encrypted, and masked.
///
/// # Errors
/// [`Error::Internal`] when it can't be written.
pub fn mailbox(cx: &Context, staff: StaffId, address: &Address) -> Result<Box<Mailbox>, Error> {
    let plain = serde_json::to_vec(address).map_err(Error::internal)?;
    let sealed = Blob(cx.secrets.seal(BoxKey::Address, staff.bytes(), &plain));
    Ok(Box::new(Mailbox { masked: address.masked(), sealed }))
}

/// An invite and its link.
///
/// # Errors
/// [`Error::NoConsole`].
pub fn make(
    cx: &Context,
    staff: StaffId,
    origin: Origin,
    opens_at: Timestamp,
    now: Timestamp,
) -> Result<(Invite, Url), Error> {
    let secret = cx.random::<16>();
    let invite = Invite {
        id: cx.id(InviteId::new, now),
        staff,
        origin,
        token_hash: Digest::of(&secret),
        created_at: now,
        opens_at,
        expires_at: opens_at + INVITE_LIFE,
        tries: 0,
        ended_at: None,
    };
    let url = cx.console()?.url.join(&format!("/join/{}", BASE64URL_NOPAD.encode(&secret)));
    Ok((invite, url.map_err(Error::internal)?))
}

/// The code that goes with an invite by two admins. It is derived, so that no row holds it.
pub fn code(cx: &Context, invite: InviteId) -> String {
    six_digits(&cx.secrets.tag(TagKey::InviteCode, invite.bytes()))
}
