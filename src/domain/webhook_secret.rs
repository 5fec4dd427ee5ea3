//! The secret that signs webhooks, in the form that Standard Webhooks 1.0 gives it (section "Symmetric": `whsec_` and
//! base64 of 24 to 64 bytes). Sealing it at rest and signing with it happen in adapters.

use data_encoding::BASE64;
use std::fmt;

/// What marks the text as a symmetric webhook secret.
const PREFIX: &str = "whsec_";
/// Fewest bytes of a secret (Standard Webhooks 1.0).
pub const MIN_BYTES: usize = 24;
/// Most bytes of a secret (Standard Webhooks 1.0).
pub const MAX_BYTES: usize = 64;

/// Why a text isn't a webhook secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadWebhookSecret {
    #[error("doesn't begin with whsec_")]
    Prefix,
    #[error("isn't padded base64 after whsec_")]
    Encoding,
    #[error("isn't {MIN_BYTES} to {MAX_BYTES} bytes long")]
    Length,
}

/// A secret of the right length. It is never printed; [`WebhookSecret::reveal`] gives the text that its owner sees once.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookSecret(Vec<u8>);

impl WebhookSecret {
    /// From plain bytes, for example random ones.
    ///
    /// # Errors
    /// [`BadWebhookSecret::Length`].
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, BadWebhookSecret> {
        if (MIN_BYTES..=MAX_BYTES).contains(&bytes.len()) { Ok(Self(bytes)) } else { Err(BadWebhookSecret::Length) }
    }

    /// Reads `whsec_…`.
    ///
    /// # Errors
    /// The first rule of [`BadWebhookSecret`] that the text breaks.
    pub fn parse(text: &str) -> Result<Self, BadWebhookSecret> {
        let encoded = text.strip_prefix(PREFIX).ok_or(BadWebhookSecret::Prefix)?;
        let bytes = BASE64.decode(encoded.as_bytes()).map_err(|_| BadWebhookSecret::Encoding)?;
        Self::from_bytes(bytes)
    }

    /// The bytes that sign.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// `whsec_…`, for the owner.
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}", BASE64.encode(&self.0))
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("whsec_•••")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes_and_prints_nothing() {
        let secret = WebhookSecret::from_bytes((0..32).collect()).unwrap();
        let text = secret.reveal();
        assert_eq!(text, "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
        assert_eq!(WebhookSecret::parse(&text).unwrap(), secret);
        assert_eq!(format!("{secret:?}"), "whsec_•••");
    }

    #[test]
    fn keeps_the_standards_form_and_length() {
        let long = |bytes: usize| WebhookSecret::from_bytes(vec![7; bytes]);
        assert_eq!(long(23), Err(BadWebhookSecret::Length));
        assert!(long(24).is_ok() && long(64).is_ok());
        assert_eq!(long(65), Err(BadWebhookSecret::Length));
        for (text, why) in [
            ("AAECAwQFBgcICQoLDA0ODxAREhMUFRYX", BadWebhookSecret::Prefix),
            ("WHSEC_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX", BadWebhookSecret::Prefix),
            ("whsec_", BadWebhookSecret::Length),
            ("whsec_AAECAw==", BadWebhookSecret::Length),
            ("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", BadWebhookSecret::Encoding),
            ("whsec_AAECAwQFBgcICQoL\nDA0ODxAREhMUFRYX", BadWebhookSecret::Encoding),
            ("whsec_--ECAwQFBgcICQoLDA0ODxAREhMUFRYX", BadWebhookSecret::Encoding),
        ] {
            assert_eq!(WebhookSecret::parse(text), Err(why), "{text:?}");
        }
    }
}
