//! A backend names a holder and the channels it already knows. They count from then on; later ones wait.

use super::request::{Answered, Repeat, caller_has, repeat};
use super::{Context, Error, Profile};
use crate::domain::approval::Actor;
use crate::domain::audit::Facts;
use crate::domain::backend::{Caller, IdempotencyKey, Remembered, Scope};
use crate::domain::channel::{Address, Channel, ChannelKind};
use crate::domain::details::{Digest, Subject};
use crate::domain::freeze::Freeze;
use crate::domain::holder::Holder;
use crate::domain::ids::{ChannelId, DeviceId, HolderId};
use crate::domain::time::Timestamp;
use crate::ports::secrets::BoxKey;
use crate::ports::store::{CommitError, Unique};
use crate::ports::{Change, Effect};
use serde::{Deserialize, Serialize};

/// Most channels of one holder.
pub const MAX_CHANNELS: usize = 8;

/// What the backend says of a holder.
#[derive(Debug, Clone)]
pub struct NewHolder {
    pub key: IdempotencyKey,
    pub fingerprint: Digest,
    pub subject: Subject,
    pub channels: Vec<Address>,
}

/// A holder as its backend sees it.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct HolderView {
    pub id: String,
    pub subject: String,
    /// When the first device was enrolled.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub enrolled_at: Option<Timestamp>,
    /// Set while "this wasn't me" holds: nothing can be opened, approved, enrolled or redeemed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frozen: Option<FrozenView>,
    pub channels: Vec<ChannelView>,
    pub devices: Vec<DeviceView>,
}

/// A freeze that holds.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FrozenView {
    pub id: String,
    /// From where it was asked for: link, device or staff.
    pub by: String,
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// When it ends by itself. Absent where only an override ends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
}

impl FrozenView {
    fn of(freeze: &Freeze) -> Self {
        Self { id: freeze.id.to_string(), by: freeze.why.as_str().to_owned(), at: freeze.at, until: freeze.due_at() }
    }
}

/// A channel; its address is masked.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ChannelView {
    pub id: String,
    /// web_push, email or inbox.
    pub kind: String,
    pub address: String,
    /// From then on a notice delivered here counts as having told the holder.
    #[schema(value_type = String, format = DateTime)]
    pub counts_from: Timestamp,
}

/// A device.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DeviceView {
    pub id: String,
    #[schema(value_type = String, format = DateTime)]
    pub enrolled_at: Timestamp,
    /// It approves nothing that was created before this moment.
    #[schema(value_type = String, format = DateTime)]
    pub usable_from: Timestamp,
    pub locked: bool,
}

/// Creates a holder.
///
/// # Errors
/// [`Error::DuplicateSubject`], [`Error::IdempotencyMismatch`], [`Error::Invalid`] for a channel that this deployment
/// doesn't have.
pub async fn add(cx: &Context, caller: &Caller, ask: NewHolder) -> Result<Answered, Error> {
    caller_has(caller, Scope::Enrol)?;
    if let Some(remembered) = cx.store.remembered(caller.backend, &ask.key).await? {
        return repeat(&remembered, &ask.fingerprint);
    }
    if ask.channels.is_empty() || ask.channels.len() > MAX_CHANNELS {
        return Err(Error::invalid("channels", "must be 1 to 8"));
    }
    let now = cx.now();
    let holder = Holder {
        id: cx.id(HolderId::new, now),
        backend: caller.backend,
        subject: ask.subject,
        created_at: now,
        enrolled_at: None,
    };
    let mut channels = Vec::with_capacity(ask.channels.len());
    for (place, address) in (0_u64..).zip(&ask.channels) {
        let on_a_device = address.kind() == ChannelKind::WebPush;
        let demo_only = address.kind() == ChannelKind::Inbox && cx.settings.profile == Profile::Production;
        if on_a_device || demo_only {
            return Err(Error::invalid("channels", "this kind can't be registered here"));
        }
        // Of two of a kind the one named first is tried first: each is a microsecond younger than the one before.
        let made_at = now + std::time::Duration::from_micros(place);
        channels.push(new_channel(cx, holder.id, address, None, now, made_at)?);
    }
    let view = HolderView {
        id: holder.id.to_string(),
        subject: holder.subject.to_string(),
        enrolled_at: None,
        frozen: None,
        channels: channels.iter().map(channel_view).collect(),
        devices: Vec::new(),
    };
    let body = serde_json::to_string(&view).map_err(Error::internal)?;
    let remember = Remembered {
        backend: caller.backend,
        key: ask.key.clone(),
        request: ask.fingerprint,
        answer: body.clone(),
        created_at: now,
    };
    let facts = Facts::from([("channels", channels.len().to_string())]);
    let entry = cx.entry("holder.added", Actor::Backend(caller.key), &[&holder.id], facts, now)?;
    match cx.store.commit(Change::new(entry, Effect::AddHolder { holder, channels, remember })).await {
        Ok(()) => Ok(Answered { body, repeat: Repeat::New }),
        Err(CommitError::Duplicate(Unique::IdempotencyKey)) => {
            let remembered = cx.store.remembered(caller.backend, &ask.key).await?.ok_or(Error::Conflict)?;
            repeat(&remembered, &ask.fingerprint)
        }
        Err(CommitError::Duplicate(Unique::Subject)) => Err(Error::DuplicateSubject),
        Err(other) => Err(other.into()),
    }
}

/// A holder with channels and devices.
///
/// # Errors
/// [`Error::UnknownHolder`].
pub async fn show(cx: &Context, caller: &Caller, subject: &Subject) -> Result<HolderView, Error> {
    caller_has(caller, Scope::Enrol)?;
    let holder = cx.store.holder(caller.backend, subject).await?.ok_or(Error::UnknownHolder)?;
    let channels = cx.store.channels(holder.id).await?;
    let devices = cx.store.devices(holder.id).await?;
    let device = |device: &crate::domain::device::Device| DeviceView {
        id: device.body.id.to_string(),
        enrolled_at: device.body.enrolled_at,
        usable_from: device.body.usable_from,
        locked: device.locked_at.is_some(),
    };
    Ok(HolderView {
        id: holder.id.to_string(),
        subject: holder.subject.to_string(),
        enrolled_at: holder.enrolled_at,
        frozen: cx.store.freeze(holder.id).await?.as_ref().map(FrozenView::of),
        channels: channels.iter().map(channel_view).collect(),
        devices: devices.iter().filter(|d| d.removed_at.is_none()).map(device).collect(),
    })
}

fn channel_view(channel: &Channel) -> ChannelView {
    ChannelView {
        id: channel.id.to_string(),
        kind: channel.kind.as_str().to_owned(),
        address: channel.masked.clone(),
        counts_from: channel.counts_from,
    }
}

/// A channel with its address sealed to its own id.
pub(super) fn new_channel(
    cx: &Context,
    holder: HolderId,
    address: &Address,
    device: Option<DeviceId>,
    counts_from: Timestamp,
    now: Timestamp,
) -> Result<Channel, Error> {
    let id = cx.id(ChannelId::new, now);
    let plain = serde_json::to_vec(address).map_err(Error::internal)?;
    let sealed = cx.secrets.seal(BoxKey::Address, id.bytes(), &plain).into();
    let masked = address.masked();
    Ok(Channel { id, holder, kind: address.kind(), device, masked, address: sealed, created_at: now, counts_from })
}
