//! An enrolled device asks for notices (web push). The subscription is a channel of that device: it tells of other
//! devices' approvals, and counts as having told the holder only after its wait. A browser asks again whenever it isn't
//! sure, and renews a subscription by itself; what its maker's push service has forgotten is taken away.

use super::{Browser, Context, Error, holders, notify};
use crate::domain::approval::Actor;
use crate::domain::audit::Facts;
use crate::domain::channel::{Address, Channel, ChannelKind, Purpose};
use crate::domain::ids::{ChannelId, HolderId};
use crate::ports::secrets::BoxKey;
use crate::ports::{Change, CommitError, Effect};

/// Most subscriptions of one device: a browser has one, and an old one may not have been missed yet.
const MAX_OF_A_DEVICE: usize = 3;

/// Adds this device's push subscription, and tells every other channel of it, because whoever has the device's cookie
/// can do this without a ceremony. One that the device has already changes nothing, and nobody is told.
///
/// # Errors
/// [`Error::UnknownDevice`]; [`Error::Invalid`] when the holder has too many channels.
pub async fn subscribe(cx: &Context, browser: &Browser, address: Address) -> Result<(), Error> {
    let device = browser.device(cx).await?;
    if device.locked_at.is_some() {
        return Err(Error::DeviceLocked);
    }
    let channels = cx.store.channels(device.body.holder).await?;
    let mine = |c: &&Channel| c.device == Some(device.body.id) && c.kind == ChannelKind::WebPush;
    let mine: Vec<&Channel> = channels.iter().filter(mine).collect();
    if leads_there(cx, &mine, &address)? {
        return Ok(());
    }
    if mine.len() >= MAX_OF_A_DEVICE || channels.len() >= 2 * holders::MAX_CHANNELS {
        return Err(Error::invalid("subscription", "too many channels"));
    }
    let now = cx.now();
    let counts_from = now + cx.settings.new_channel_hold;
    let new = holders::new_channel(cx, device.body.holder, &address, Some(device.body.id), counts_from, now)?;
    let objects: [&(dyn std::fmt::Display + Sync); 3] = [&new.id, &device.body.id, &device.body.holder];
    let entry = cx.entry("channel.added", Actor::Device(device.body.id), &objects, Facts::new(), now)?;
    let mut change = Change::new(entry, Effect::AddChannel(new));
    change.notices = notify::device(cx, &device.body, Purpose::ChannelAdded, &channels, now);
    cx.store.commit(change).await?;
    Ok(())
}

/// Whether one of these channels is this very subscription, keys and all: a browser that changed its keys couldn't read
/// what is sent under the old ones.
fn leads_there(cx: &Context, mine: &[&Channel], address: &Address) -> Result<bool, Error> {
    for channel in mine {
        let sealed = channel.address.bytes();
        let plain = cx.secrets.open(BoxKey::Address, channel.id.bytes(), sealed).map_err(Error::internal)?;
        if serde_json::from_slice::<Address>(&plain).map_err(Error::internal)? == *address {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Takes away a subscription of which its push service says that it is no more (RFC 8030 section 7.3): nothing was ever
/// told there again, and its place is free for the one that the browser has now. Only a device's own channels end so.
///
/// # Errors
/// [`Error::Store`].
pub async fn gone(cx: &Context, holder: HolderId, channel: ChannelId) -> Result<(), Error> {
    let now = cx.now();
    let entry = cx.entry("channel.removed", Actor::Service, &[&channel, &holder], Facts::new(), now)?;
    match cx.store.commit(Change::new(entry, Effect::RemoveChannel { channel, at: now })).await {
        // Another notice to it came back first.
        Ok(()) | Err(CommitError::Conflict) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
