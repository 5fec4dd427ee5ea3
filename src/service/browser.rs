//! The browser on the other side of a page: which device it claims to be, and which marks it carries.

use crate::domain::details::Digest;
use crate::domain::device::Device;
use crate::domain::ids::ApprovalId;
use crate::ports::store::DeviceCase;

use super::{Context, Error};

/// What a browser presented of its own accord.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Browser {
    /// SHA-256 of its device cookie.
    pub cookie: Option<Digest>,
    /// SHA-256 of the mark that a waiting page left.
    pub mark: Option<Digest>,
}

impl Browser {
    /// The device whose cookie this browser carries, locked ones too.
    ///
    /// # Errors
    /// [`Error::UnknownDevice`] without a cookie, with an unknown one, or with one of a removed device.
    pub async fn device(&self, cx: &Context) -> Result<Device, Error> {
        let hash = self.cookie.ok_or(Error::UnknownDevice)?;
        let device = cx.store.device_by_cookie(&hash).await?.ok_or(Error::UnknownDevice)?;
        if device.removed_at.is_some() { Err(Error::UnknownDevice) } else { Ok(device) }
    }

    /// The same device, and an approval of its holder's.
    ///
    /// # Errors
    /// As [`Browser::device`], and [`Error::NotFound`] when there is no such approval of this holder's.
    pub async fn case(&self, cx: &Context, id: ApprovalId) -> Result<DeviceCase, Error> {
        let hash = self.cookie.ok_or(Error::UnknownDevice)?;
        match cx.store.device_case(&hash, id).await? {
            Some(found) if found.device.removed_at.is_none() => Ok(found),
            Some(_) => Err(Error::UnknownDevice),
            // Which of the two is missing decides what is answered.
            None => self.device(cx).await.and(Err(Error::NotFound)),
        }
    }
}
