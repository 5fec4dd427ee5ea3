//! An enrolled device asks for notices (web push). The subscription is a channel of that device: it tells of other
//! devices' approvals, and counts as having told the holder only after its wait.

use super::{Browser, Context, Error, holders};
use crate::domain::approval::Actor;
use crate::domain::audit::Facts;
use crate::domain::channel::{Address, ChannelKind};
use crate::ports::{Change, Effect};

/// Adds this device's push subscription.
///
/// # Errors
/// [`Error::UnknownDevice`]; [`Error::Invalid`] when the holder has too many channels.
pub async fn subscribe(cx: &Context, browser: &Browser, address: Address) -> Result<(), Error> {
    let device = browser.device(cx).await?;
    if device.locked_at.is_some() {
        return Err(Error::DeviceLocked);
    }
    let channels = cx.store.channels(device.body.holder).await?;
    let mine =
        |c: &&crate::domain::channel::Channel| c.device == Some(device.body.id) && c.kind == ChannelKind::WebPush;
    if channels.iter().filter(mine).count() >= 3 || channels.len() >= 2 * holders::MAX_CHANNELS {
        return Err(Error::invalid("subscription", "too many channels"));
    }
    let now = cx.now();
    let counts_from = now + cx.settings.new_channel_hold;
    let new = holders::new_channel(cx, device.body.holder, &address, Some(device.body.id), counts_from, now)?;
    let objects: [&(dyn std::fmt::Display + Sync); 3] = [&new.id, &device.body.id, &device.body.holder];
    let entry = cx.entry("channel.added", Actor::Device(device.body.id), &objects, Facts::new(), now)?;
    cx.store.commit(Change::new(entry, Effect::AddChannel(new))).await?;
    Ok(())
}
