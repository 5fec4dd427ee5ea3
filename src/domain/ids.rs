//! Typed identifiers. On the wire each carries a prefix that names its kind (`apr_0192…`), so that an id can't be
//! used where another kind is meant; inside it is a UUIDv7 (RFC 9562 section 5.7) made from the time and the random
//! bytes that the caller gives.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

use super::time::Timestamp;

/// The text isn't an identifier of this kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a {kind} id: it should read {prefix}_ and 32 lower-case hex digits")]
pub struct BadId {
    kind: &'static str,
    prefix: &'static str,
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident $prefix:literal $kind:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// The prefix on the wire, without the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// A new id from the time and ten random bytes.
            pub fn new(now: Timestamp, random: [u8; 10]) -> Self {
                let millis = u64::try_from(now.millis()).unwrap_or(0);
                Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
            }

            /// From the stored form.
            pub const fn from_uuid(id: Uuid) -> Self {
                Self(id)
            }

            /// The stored form.
            pub const fn uuid(self) -> Uuid {
                self.0
            }

            /// The sixteen bytes of the id.
            pub fn bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}_{}", $prefix, self.0.simple())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                let bad = BadId { kind: $kind, prefix: $prefix };
                let hex = text.strip_prefix(concat!($prefix, "_")).ok_or(bad.clone())?;
                let plain = hex.len() == 32 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
                if !plain {
                    return Err(bad);
                }
                Uuid::try_parse(hex).map(Self).map_err(|_| bad)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

ids! {
    /// An approval: the record of one decision about one irreversible action.
    ApprovalId "apr" "approval";
    /// A backend: the system that moves money.
    BackendId "bkd" "backend";
    /// One API key of a backend.
    KeyId "key" "API key";
    /// A holder: the person whose money it is.
    HolderId "hld" "holder";
    /// An enrolled approving device.
    DeviceId "dev" "device";
    /// A registered way to reach a holder.
    ChannelId "chn" "channel";
    /// One message about one approval on one channel.
    NoticeId "ntc" "notice";
    /// A one-use link.
    LinkId "lnk" "link";
    /// A webhook endpoint of a backend.
    EndpointId "whe" "webhook endpoint";
    /// One webhook message for one endpoint.
    DeliveryId "whd" "webhook delivery";
    /// One stored change; also the id of its audit entry.
    ChangeId "chg" "change";
    /// One person at the operator of the service.
    StaffId "stf" "staff member";
    /// One sign-in of a staff member.
    SessionId "ses" "session";
    /// A one-use link by which a staff member makes a passkey.
    InviteId "inv" "invite";
    /// A change of staff that waits for two admins.
    StaffChangeId "stc" "staff change";
    /// One look of a staff member at a holder.
    ViewId "vew" "view";
    /// A key of the identity provider.
    DirectoryKeyId "dir" "directory key";
    /// One freeze of a holder.
    FreezeId "frz" "freeze";
    /// An override request: what two staff members are asked to sign.
    OverrideId "ovr" "override request";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_and_another_kind_does_not() {
        let id = ApprovalId::new(Timestamp::from_micros(1_795_271_520_000_000), [7; 10]);
        let text = id.to_string();
        assert!(text.starts_with("apr_"));
        assert_eq!(text.parse::<ApprovalId>().unwrap(), id);
        assert!(text.parse::<DeviceId>().is_err());
        assert!(text.to_uppercase().parse::<ApprovalId>().is_err());
        assert!("apr_".parse::<ApprovalId>().is_err());
    }

    #[test]
    fn later_ids_sort_after_earlier_ones() {
        let early = ApprovalId::new(Timestamp::from_micros(1_000_000), [255; 10]);
        let late = ApprovalId::new(Timestamp::from_micros(2_000_000), [0; 10]);
        assert!(early < late);
    }
}
