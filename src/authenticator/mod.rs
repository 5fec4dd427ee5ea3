//! A software authenticator and a browser's keys: what `countersign demo --auto`, the tests and the load generator
//! hold in place of a phone. `serve` never uses it; nothing here checks anything on the server's behalf.
//!
//! May import: `domain`. [`SoftAuthenticator`] answers WebAuthn options with JSON as `credential.toJSON()` gives it,
//! [`DeviceKeyPair`] signs as WebCrypto does, [`SoftBrowser`] puts both into the bodies that the pages send.
//! [`Tamper`] makes them lie, for tests that expect a refusal.

mod browser;
mod cbor;
mod device_key;
mod passkey;
mod tamper;

pub use browser::SoftBrowser;
pub use device_key::DeviceKeyPair;
pub use passkey::{Backup, Counting, SoftAuthenticator};
pub use tamper::{Flags, Tamper};

/// Why a ceremony gave nothing, named as browsers name it (WebAuthn L3 sections 5.1.3 and 5.1.4).
#[derive(Debug, thiserror::Error)]
pub enum AuthenticatorError {
    /// The server's options or answer have another shape.
    #[error("the server's answer can't be read")]
    Unreadable(#[source] serde_json::Error),
    #[error("NotSupportedError: no algorithm offered that this authenticator has")]
    NotSupported,
    #[error("SecurityError: the RP ID doesn't belong to the origin")]
    Security,
    #[error("InvalidStateError: one of the excluded credentials is here")]
    InvalidState,
    #[error("NotAllowedError: none of the allowed credentials is here")]
    NotAllowed,
    #[error("a key can't be made or used")]
    Library,
}
