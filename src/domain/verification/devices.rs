//! What became of each device, replayed from the entries: a holder's first one is enrolled once, until two staff members
//! have reset them; and one that was locked or removed signs nothing any more (design sections 2 and 8).

use std::collections::{HashMap, HashSet};

use super::SETTLED;
use super::standing::Before;
use crate::domain::audit::reading::Reading;
use crate::domain::ids::{DeviceId, HolderId};
use crate::domain::time::Timestamp;

/// A device by the entries read so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    pub holder: HolderId,
    pub locked: Option<Timestamp>,
    pub removed: Option<Timestamp>,
}

/// Why an entry can't follow those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DeviceBreak {
    #[error("it names no device or no holder")]
    NoDevice,
    #[error("its holder had enrolled a first device, and nobody had reset them")]
    Second,
    #[error("its device was locked or removed at {0}")]
    Dead(Timestamp),
}

/// Every device met so far.
#[derive(Debug, Default)]
pub struct Devices {
    all: HashMap<DeviceId, Known>,
    enrolled: HashSet<HolderId>,
}

impl Devices {
    pub fn get(&self, id: DeviceId) -> Option<&Known> {
        self.all.get(&id)
    }

    /// Devices met, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (DeviceId, &Known)> {
        self.all.iter().map(|(id, known)| (*id, known))
    }

    /// Whether a holder has enrolled, and wasn't reset since.
    pub fn has_enrolled(&self, holder: HolderId) -> bool {
        self.enrolled.contains(&holder)
    }

    /// Takes the next entry. Those that no device is about are let be.
    ///
    /// # Errors
    /// [`DeviceBreak`].
    pub fn take(&mut self, entry: &Reading, before: Before) -> Result<(), DeviceBreak> {
        let holder = || entry.object_of(HolderId::PREFIX).and_then(|id| id.parse::<HolderId>().ok());
        let device = || entry.object_of(DeviceId::PREFIX).and_then(|id| id.parse::<DeviceId>().ok());
        match entry.kind.as_str() {
            "device.enrolled" => {
                let (holder, device) = holder().zip(device()).ok_or(DeviceBreak::NoDevice)?;
                if self.enrolled.contains(&holder) && before == Before::Known {
                    return Err(DeviceBreak::Second);
                }
                self.enrolled.insert(holder);
                self.all.insert(device, Known { holder, locked: None, removed: None });
            }
            "device.locked" => {
                let known = device().and_then(|device| self.all.get_mut(&device));
                if let Some(known) = known {
                    known.locked.get_or_insert(entry.at);
                }
            }
            "override.carried_out" if entry.fact("kind") == Some("reset_devices") => {
                let holder = holder().ok_or(DeviceBreak::NoDevice)?;
                self.enrolled.remove(&holder);
                for known in self.all.values_mut().filter(|known| known.holder == holder) {
                    known.removed.get_or_insert(entry.at);
                }
            }
            "approval.approved" | "freeze.lift_asked" if entry.actor.kind == "device" => {
                let device = entry.actor.id.as_deref().and_then(|id| id.parse::<DeviceId>().ok());
                let known = device.and_then(|device| self.all.get(&device));
                let ends = known.and_then(|known| match (known.locked, known.removed) {
                    (Some(locked), Some(removed)) => Some(locked.min(removed)),
                    (locked, removed) => locked.or(removed),
                });
                if let Some(end) = ends.filter(|end| entry.at > *end + SETTLED) {
                    return Err(DeviceBreak::Dead(end));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::audit::reading::ReadActor;
    use crate::domain::verification::samples::reading;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn device(number: u8) -> DeviceId {
        DeviceId::new(Timestamp::EPOCH, [number; 10])
    }

    fn entry(kind: &str, seconds: i64, number: u8, facts: &[(&str, &str)]) -> Reading {
        let actor = ReadActor { kind: "device".into(), id: Some(device(number).to_string()) };
        let object = vec![HolderId::new(Timestamp::EPOCH, [1; 10]).to_string(), device(number).to_string()];
        reading(kind, seconds, actor, object, facts)
    }

    fn replay(entries: &[Reading]) -> Result<Devices, DeviceBreak> {
        let mut devices = Devices::default();
        entries.iter().try_for_each(|entry| devices.take(entry, Before::Known))?;
        Ok(devices)
    }

    #[test]
    fn a_first_device_is_enrolled_once_until_staff_reset_them() {
        let first = entry("device.enrolled", 1, 1, &[]);
        let second = entry("device.enrolled", 9, 2, &[]);
        assert_eq!(replay(&[first.clone(), second.clone()]).map(|_| ()), Err(DeviceBreak::Second));
        let reset = entry("override.carried_out", 5, 1, &[("kind", "reset_devices")]);
        let devices = replay(&[first.clone(), reset, second.clone()]).unwrap();
        assert_eq!(devices.get(device(1)).unwrap().removed, Some(at(5)));
        assert_eq!(devices.get(device(2)).unwrap().removed, None);
        let other = entry("override.carried_out", 5, 1, &[("kind", "unfreeze")]);
        assert_eq!(replay(&[first, other, second]).map(|_| ()), Err(DeviceBreak::Second));
    }

    #[test]
    fn a_locked_or_removed_device_signs_nothing() {
        let enrolled = entry("device.enrolled", 1, 1, &[]);
        let locked = entry("device.locked", 5, 1, &[]);
        let reset = entry("override.carried_out", 5, 1, &[("kind", "reset_devices")]);
        for end in [locked, reset] {
            for kind in ["approval.approved", "freeze.lift_asked"] {
                let signs =
                    |seconds| replay(&[enrolled.clone(), end.clone(), entry(kind, seconds, 1, &[])]).map(|_| ());
                assert_eq!(signs(65), Ok(()), "what was under way");
                assert_eq!(signs(66), Err(DeviceBreak::Dead(at(5))), "{kind}");
            }
        }
    }
}
