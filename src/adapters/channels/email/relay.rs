//! The conversation with the mail server (RFC 5321), over connections that are kept for the next mail.
//!
//! It is held step by step, because what a refusal means depends on the step: at RCPT the mailbox was refused, and
//! anywhere else it was us. lettre's own transport tells only that something was refused.

use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use secrecy::ExposeSecret;
use std::time::Duration;
use tokio::sync::{Mutex, Semaphore};

use super::{BadEmailConfig, EmailConfig, SmtpTls};
use crate::ports::outward::SendError;

/// Connections at the same time. Relays limit them, and 4 carry far more than the notices of one node.
const CONNECTIONS: usize = 4;
/// A mail waits no longer for one of them; then it comes again, and no try is spent on it.
const TURN: Duration = Duration::from_secs(3);
/// Both send the password as it is, hence never without TLS.
const MECHANISMS: [Mechanism; 2] = [Mechanism::Plain, Mechanism::Login];

/// The mail server's reply code. Its text may repeat the address, so it ends here.
#[derive(Debug, thiserror::Error)]
#[error("the mail server answered {0}")]
struct Reply(u16);

pub(super) struct Relay {
    host: String,
    port: u16,
    tls: Protection,
    login: Option<Credentials>,
    hello: ClientId,
    time_limit: Duration,
    idle: Mutex<Vec<AsyncSmtpConnection>>,
    turns: Semaphore,
}

enum Protection {
    Implicit(TlsParameters),
    StartTls(TlsParameters),
    Clear,
}

impl Relay {
    pub(super) fn new(config: &EmailConfig) -> Result<Self, BadEmailConfig> {
        let tls = match config.tls {
            SmtpTls::Clear if config.login.is_some() => return Err(BadEmailConfig::LoginInClear),
            SmtpTls::Clear => Protection::Clear,
            SmtpTls::StartTls => Protection::StartTls(trust(config)?),
            SmtpTls::Implicit => Protection::Implicit(trust(config)?),
        };
        let login = config.login.as_ref();
        Ok(Self {
            host: config.host.clone(),
            port: config.port,
            tls,
            login: login.map(|(name, password)| Credentials::new(name.clone(), password.expose_secret().to_owned())),
            hello: ClientId::default(),
            time_limit: config.time_limit,
            idle: Mutex::default(),
            turns: Semaphore::new(CONNECTIONS),
        })
    }

    /// Hands one mail over. It was taken when this is `Ok`; if the answer was lost, it may have been taken all the same.
    pub(super) async fn deliver(
        &self,
        from: &lettre::Address,
        to: &lettre::Address,
        mail: &[u8],
    ) -> Result<(), SendError> {
        let turn = tokio::time::timeout(TURN, self.turns.acquire()).await.map_err(|_| SendError::Busy)?;
        let _turn = turn.map_err(|_| again("no connections are given out"))?;
        // lettre bounds only the opening of a connection.
        let late = |_| again("the mail server was too slow");
        tokio::time::timeout(self.time_limit, self.converse(from, to, mail)).await.map_err(late)?
    }

    async fn converse(&self, from: &lettre::Address, to: &lettre::Address, mail: &[u8]) -> Result<(), SendError> {
        let mut connection = self.connection().await?;
        let result = speak(&mut connection, from, to, mail).await;
        match &result {
            Ok(()) => self.idle.lock().await.push(connection),
            // The server still listens after it refused a mailbox: it hears QUIT.
            Err(SendError::Gone { .. }) => connection.abort().await,
            Err(SendError::Again { .. } | SendError::Refused { .. } | SendError::Busy) => {}
        }
        result
    }

    /// One that still answers, or a new one.
    async fn connection(&self) -> Result<AsyncSmtpConnection, SendError> {
        loop {
            let Some(mut kept) = self.idle.lock().await.pop() else { return self.connect().await };
            if kept.test_connected().await {
                return Ok(kept);
            }
        }
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, SendError> {
        let server = (self.host.as_str(), self.port);
        let from_start = match &self.tls {
            Protection::Implicit(trust) => Some(trust.clone()),
            Protection::StartTls(_) | Protection::Clear => None,
        };
        let opened =
            AsyncSmtpConnection::connect_tokio1(server, Some(self.time_limit), &self.hello, from_start, None).await;
        let mut connection = opened.map_err(|error| refused("the mail server wasn't reached", &error))?;
        if let Protection::StartTls(trust) = &self.tls {
            let upgraded = connection.starttls(trust.clone(), &self.hello).await;
            upgraded.map_err(|error| refused("the mail server's TLS isn't trusted", &error))?;
        }
        if let Some(login) = &self.login {
            let known = connection.auth(&MECHANISMS, login).await;
            known.map_err(|error| refused("the mail server refused the login", &error))?;
        }
        Ok(connection)
    }
}

async fn speak(
    connection: &mut AsyncSmtpConnection,
    from: &lettre::Address,
    to: &lettre::Address,
    mail: &[u8],
) -> Result<(), SendError> {
    let sender = connection.command(Mail::new(Some(from.clone()), Vec::new())).await;
    sender.map_err(|error| refused("the mail server refused the sender", &error))?;
    if let Err(error) = connection.command(Rcpt::new(to.clone(), Vec::new())).await {
        return Err(if is_no_mailbox(&error) {
            SendError::Gone { what: "the mail server refused the mailbox" }
        } else {
            refused("the mail server didn't take the mailbox", &error)
        });
    }
    let data = connection.command(Data).await;
    data.map_err(|error| refused("the mail server refused the mail", &error))?;
    let taken = connection.message(mail).await;
    taken.map_err(|error| refused("the mail server refused the mail", &error))?;
    Ok(())
}

/// Whether the reply to RCPT speaks of the mailbox: unavailable, not here, not allowed (RFC 5321 section 4.2.3), or of a
/// domain that takes no mail (RFC 7504). The other 5xx speak of our command, our right to relay, or a full mailbox, and
/// are no reason to give an address up.
fn is_no_mailbox(error: &lettre::transport::smtp::Error) -> bool {
    matches!(error.status().map(u16::from), Some(550 | 551 | 553 | 556))
}

fn trust(config: &EmailConfig) -> Result<TlsParameters, BadEmailConfig> {
    let mut builder = TlsParameters::builder(config.host.clone());
    if let Some(pem) = &config.authorities_pem {
        // lettre takes a text without any certificate for an empty list, which would trust nobody.
        CertificateDer::from_pem_slice(pem).map_err(BadEmailConfig::NoAuthority)?;
        let authorities = Certificate::from_pem(pem).map_err(BadEmailConfig::Authorities)?;
        builder = builder.certificate_store(CertificateStore::None).add_root_certificate(authorities);
    }
    builder.build_rustls().map_err(BadEmailConfig::Authorities)
}

fn refused(what: &'static str, error: &lettre::transport::smtp::Error) -> SendError {
    let reply = error.status().map(|code| Reply(code.into()));
    SendError::Again { what, source: reply.map(Into::into) }
}

const fn again(what: &'static str) -> SendError {
    SendError::Again { what, source: None }
}
