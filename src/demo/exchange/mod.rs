//! «Harbour», a sample exchange: a backend that moves money, and a server of its own.
//!
//! It knows Countersign only from outside: [`client`] speaks the public API, [`webhook`] checks what comes in,
//! [`receipt`] checks what a redeem gives. Nothing of the service's own types is used here, so that whoever builds a
//! backend can read it as an example. [`order`] and [`book`] are its own records, [`desk`] is what it does, [`thief`]
//! what its customers may try against it, [`site`] its pages. Whoever starts it gives it time, chance, an HTTP client
//! and the demo's inbox.

pub mod book;
pub mod client;
pub mod desk;
pub mod order;
pub mod receipt;
pub mod site;
pub mod thief;
pub mod webhook;

use actix_web::dev::ServerHandle;
use std::net::TcpListener;
use std::sync::Arc;
use tokio::sync::mpsc::unbounded_channel;
use tokio::task::JoinHandle;
use url::Url;

use client::{Client, ClientError};
use desk::Desk;
use receipt::Trust;
use webhook::{BadSecret, Secret};

/// A message in the demo's inbox, as it would stand in a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    pub title: String,
    pub lines: Vec<String>,
    pub code: Option<String>,
    /// Opens the page on the device.
    pub open: Option<Url>,
    /// Can only stop.
    pub stop: Option<Url>,
}

/// The exchange's own staff who sign, and the names of their inboxes.
pub const SIGNERS: [(&str, &str); 2] = [("Jonas Weber", "jonas-weber"), ("Amir Haddad", "amir-haddad")];

/// Gives the messages of the inbox of that name, newest first.
pub type Letters = dyn Fn(&str) -> Vec<Letter> + Send + Sync;

/// What the exchange is given instead of reaching for it.
#[derive(Clone)]
pub struct Around {
    /// Seconds since the epoch.
    pub now: Arc<dyn Fn() -> i64 + Send + Sync>,
    pub chance: Arc<dyn Fn() -> [u8; 16] + Send + Sync>,
    pub letters: Arc<Letters>,
}

/// What the exchange knows of its Countersign: what the operator told it when they made the contract.
pub struct Contract {
    pub origin: Url,
    pub api_key: String,
    pub trust: Trust,
}

/// Why the exchange didn't start.
#[derive(Debug, thiserror::Error)]
pub enum NotStarted {
    #[error("Countersign didn't take the exchange's registration")]
    Registration(#[from] ClientError),
    #[error("the secret for webhooks can't be read")]
    Secret(#[from] BadSecret),
    #[error("the exchange can't listen")]
    Listen(#[from] std::io::Error),
    #[error("the exchange's address can't be built")]
    Address(#[from] url::ParseError),
}

/// A running exchange.
pub struct Exchange {
    pub url: Url,
    pub desk: Arc<Desk>,
    server: ServerHandle,
    serving: JoinHandle<std::io::Result<()>>,
    taking: JoinHandle<()>,
}

impl Exchange {
    /// Registers with Countersign and opens the doors.
    ///
    /// # Errors
    /// [`NotStarted`].
    pub async fn start(
        contract: Contract,
        around: Around,
        http: reqwest::Client,
        listener: TcpListener,
    ) -> Result<Self, NotStarted> {
        let url = Url::parse(&format!("http://{}/", listener.local_addr()?))?;
        let client = Client::new(contract.origin.clone(), contract.api_key, http);
        let secret = Secret::parse(&client.add_endpoint(&url.join(site::HOOK)?).await?)?;
        let (sender, released) = unbounded_channel();
        let desk = Arc::new(Desk::open(client, contract.trust, secret, around, sender).await?);
        let server = site::serve(Arc::clone(&desk), &url, &contract.origin, listener)?;
        let handle = server.handle();
        let serving = tokio::spawn(server);
        let taking = tokio::spawn(desk::take_released(Arc::clone(&desk), released));
        Ok(Self { url, desk, server: handle, serving, taking })
    }

    /// Closes the doors; requests in hand are finished.
    ///
    /// # Errors
    /// When the server didn't end well.
    pub async fn stop(self) -> std::io::Result<()> {
        self.server.stop(true).await;
        self.taking.abort();
        self.serving.await.unwrap_or_else(|error| Err(std::io::Error::other(error)))
    }
}
