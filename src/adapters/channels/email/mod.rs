//! E-mail over SMTP: [`letter`] gives a message its form, [`relay`] hands it to the operator's mail server.
//!
//! May import: `domain`, `ports`, lettre. The mail server is the operator's own, named in the configuration, so the
//! outbound guard has no say here.

mod letter;
mod relay;

use async_trait::async_trait;
use lettre::message::Mailbox;
use secrecy::SecretString;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::channel::{Address, ChannelKind};
use crate::ports::outward::{ChannelSender, Message, SendError};
use crate::ports::timing::Clock;
use letter::Letterhead;
use relay::Relay;

/// A mail is handed over within this time, a new connection included. Relays may answer slowly on purpose, so it is
/// longer than that of the outbound guard, and far shorter than the minutes of RFC 5321 section 4.5.3.2, because the
/// next try asks another connection.
pub const TIME_LIMIT: Duration = Duration::from_secs(30);

/// How the connection to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpTls {
    /// TLS from the first byte (RFC 8314 section 3.3), usually port 465.
    Implicit,
    /// STARTTLS (RFC 3207), never going on without it; usually port 587.
    StartTls,
    /// None at all: for a catcher on the same machine or network, and never with a login.
    Clear,
}

/// The operator's mail server, and who writes.
#[derive(Debug, Clone)]
pub struct EmailConfig {
    pub host: String,
    pub port: u16,
    pub tls: SmtpTls,
    /// Name and password.
    pub login: Option<(String, SecretString)>,
    /// Certificate authorities in PEM that are trusted for this server instead of those of the system.
    pub authorities_pem: Option<Vec<u8>>,
    /// A mailbox, with or without a display name; without one the operator's name is shown.
    pub from: String,
    pub reply_to: Option<String>,
    /// The operator as the holder knows it.
    pub operator: String,
    pub time_limit: Duration,
}

/// The configuration can't work.
#[derive(Debug, thiserror::Error)]
pub enum BadEmailConfig {
    #[error("`from` isn't a mailbox")]
    From(#[source] lettre::address::AddressError),
    #[error("`reply_to` isn't a mailbox")]
    ReplyTo(#[source] lettre::address::AddressError),
    #[error("the mail server's certificate authorities aren't certificates in PEM")]
    NoAuthority(#[source] rustls_pki_types::pem::Error),
    #[error("the mail server's certificate authorities can't be used")]
    Authorities(#[source] lettre::transport::smtp::Error),
    #[error("a mail server's login needs TLS")]
    LoginInClear,
}

/// Sends mail.
pub struct Email {
    letterhead: Letterhead,
    relay: Relay,
    clock: Arc<dyn Clock>,
}

impl Email {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// [`BadEmailConfig`].
    pub fn new(config: EmailConfig, clock: Arc<dyn Clock>) -> Result<Self, BadEmailConfig> {
        let mut from: Mailbox = config.from.parse().map_err(BadEmailConfig::From)?;
        let sender = letter::one_line(&config.operator);
        from.name = Some(letter::one_line(from.name.as_deref().unwrap_or(&sender)));
        let reply_to = config.reply_to.as_deref().map(str::parse).transpose().map_err(BadEmailConfig::ReplyTo)?;
        let relay = Relay::new(&config)?;
        Ok(Self { letterhead: Letterhead { from, reply_to, sender }, relay, clock })
    }
}

#[async_trait]
impl ChannelSender for Email {
    fn kind(&self) -> ChannelKind {
        ChannelKind::Email
    }

    async fn send(&self, to: &Address, message: &Message) -> Result<(), SendError> {
        let Address::Email { mailbox } = to else {
            return Err(SendError::Gone { what: "not an e-mail address" });
        };
        let to: lettre::Address = mailbox.parse().map_err(|_| SendError::Gone { what: "not an e-mail address" })?;
        let letter = self
            .letterhead
            .write(&to, message, self.clock.now())
            .map_err(|error| SendError::Again { what: "the mail can't be written", source: Some(error.into()) })?;
        self.relay.deliver(&self.letterhead.from.email, &to, &letter).await
    }
}
