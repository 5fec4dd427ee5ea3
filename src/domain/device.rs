//! A holder's enrolled approving device: a passkey, a device key made in one browser, and that browser's cookie.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

use super::ids::{DeviceId, HolderId};
use super::policy::Assurance;
use super::text::Line;
use super::time::Timestamp;

/// A new device approves nothing for this long (MAS and ABS measures of 2022: 12 h).
pub const NEW_DEVICE_HOLD: Duration = Duration::from_secs(12 * 3600);
/// After this many failures in a row that carried the device's own signature the device is locked (RTS on SCA,
/// Delegated Regulation (EU) 2018/389, Art. 4(3)(b)).
pub const MAX_FAILURES: u32 = 5;

/// What the holder calls the device.
pub type DeviceName = Line<40>;

/// Base64url bytes of a fixed meaning in JSON.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Blob(pub Vec<u8>);

/// RFC 7638 thumbprint of a device key: names the browser that is speaking.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Thumbprint(pub [u8; 32]);

/// Uncompressed P-256 point (SEC 1 section 2.3.3): 0x04 and two 32-byte coordinates.
#[derive(Clone, PartialEq, Eq)]
pub struct DeviceKey([u8; 65]);

/// The text or bytes aren't a P-256 public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a P-256 public key")]
pub struct BadDeviceKey;

impl DeviceKey {
    /// From the coordinates of a JWK (RFC 7518 section 6.2.1), each base64url of 32 bytes.
    ///
    /// # Errors
    /// [`BadDeviceKey`] when a coordinate has another length. Whether the point lies on the curve shows at the first
    /// signature check.
    pub fn from_jwk(x: &str, y: &str) -> Result<Self, BadDeviceKey> {
        let decode = |text: &str| data_encoding::BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| BadDeviceKey);
        let (x, y) = (decode(x)?, decode(y)?);
        if x.len() != 32 || y.len() != 32 {
            return Err(BadDeviceKey);
        }
        let mut point = [4; 65];
        point[1..33].copy_from_slice(&x);
        point[33..].copy_from_slice(&y);
        Ok(Self(point))
    }

    /// From the stored form.
    ///
    /// # Errors
    /// [`BadDeviceKey`] when it isn't an uncompressed point.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BadDeviceKey> {
        let point: [u8; 65] = bytes.try_into().map_err(|_| BadDeviceKey)?;
        if point[0] == 4 { Ok(Self(point)) } else { Err(BadDeviceKey) }
    }

    pub const fn bytes(&self) -> &[u8; 65] {
        &self.0
    }

    /// RFC 7638 section 3: SHA-256 of the canonical JWK.
    pub fn thumbprint(&self) -> Thumbprint {
        let encode = |part: &[u8]| data_encoding::BASE64URL_NOPAD.encode(part);
        let (x, y) = (encode(&self.0[1..33]), encode(&self.0[33..]));
        let jwk = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        Thumbprint(*super::details::Digest::of(jwk.as_bytes()).bytes())
    }
}

impl fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceKey({})", self.thumbprint())
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::BASE64URL_NOPAD.encode(&self.0))
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blob({} bytes)", self.0.len())
    }
}

macro_rules! base64url {
    ($name:ident, $from:expr) => {
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&data_encoding::BASE64URL_NOPAD.encode(&self.0))
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                let bytes = data_encoding::BASE64URL_NOPAD.decode(text.as_bytes()).map_err(serde::de::Error::custom)?;
                let parse: fn(Vec<u8>) -> Option<$name> = $from;
                parse(bytes).ok_or_else(|| serde::de::Error::custom("wrong length"))
            }
        }
    };
}
base64url!(Blob, |bytes| Some(Blob(bytes)));
base64url!(Thumbprint, |bytes| bytes.try_into().ok().map(Thumbprint));
base64url!(DeviceKey, |bytes| DeviceKey::from_bytes(&bytes).ok());

/// What is fixed at enrolment and sealed: who may speak as this device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceBody {
    pub id: DeviceId,
    pub holder: HolderId,
    pub name: DeviceName,
    /// The credential as the WebAuthn library stores it, without its counter, which changes.
    pub credential: serde_json::Value,
    pub credential_id: Blob,
    pub key: DeviceKey,
    /// SHA-256 of the device cookie.
    pub cookie_hash: super::details::Digest,
    pub assurance: Assurance,
    pub enrolled_at: Timestamp,
    /// It approves nothing that was created before this moment.
    pub usable_from: Timestamp,
}

/// An enrolled device with what changes about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    pub body: DeviceBody,
    /// The authenticator's signature counter (WebAuthn L3 section 6.1.1); 0 when it keeps none.
    pub counter: u32,
    /// Failures in a row that carried this device's own signature.
    pub failures: u32,
    pub locked_at: Option<Timestamp>,
    pub removed_at: Option<Timestamp>,
}

impl Device {
    /// Whether it may take part in anything at all.
    pub const fn is_live(&self) -> bool {
        self.locked_at.is_none() && self.removed_at.is_none()
    }
}
