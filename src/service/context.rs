//! What every use case works with: the ports and the operator's settings.

use std::sync::Arc;
use std::time::Duration;
use url::Url;

use super::error::Error;
use super::log::Log;
use crate::domain::approval::Actor;
use crate::domain::audit::{AuditEntry, AuditEvent, Facts};
use crate::domain::ids::ChangeId;
use crate::domain::override_request::Caps;
use crate::domain::policy::Policy;
use crate::domain::time::Timestamp;
use crate::ports::{
    Ceremonies, Clock, ConsoleCeremonies, Entropy, Limits, Live, ReceiptSigner, Secrets, StaffStore, Store, Timers,
};

/// What kind of deployment this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    Production,
    /// Seconds instead of minutes, for looking at; never for money.
    Demo,
    /// As demo, for the load generator: its holders are told in the inbox too.
    Bench,
}

impl Profile {
    /// Whether it is for looking at or for measuring, never for money. `serve` runs the bench profile, and refuses demo.
    pub const fn is_for_looking(self) -> bool {
        matches!(self, Self::Demo | Self::Bench)
    }
}

/// The operator's settings that use cases ask for.
#[derive(Debug, Clone)]
pub struct Settings {
    pub profile: Profile,
    /// Name that holders know, for example "Harbour".
    pub operator: String,
    /// Where a call reaches the operator, as it stands after "Call Harbour on": "the number on your card".
    pub contact: String,
    /// Origin of the holder pages.
    pub public_url: Url,
    /// `iss` of receipts.
    pub issuer: String,
    pub policy: Policy,
    pub new_device_hold: Duration,
    pub new_channel_hold: Duration,
    /// Notices to one holder in a minute (Auth0: 5).
    pub notices_per_minute: u32,
    /// Most overrides in a day.
    pub override_caps: Caps,
    /// Requests of one sender in a minute on pages that know nobody.
    pub tries_per_minute: u32,
    /// Requests of one API key in a minute.
    pub key_per_minute: u32,
}

/// Ports and settings, cheap to clone.
#[derive(Clone)]
pub struct Context {
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub store: Arc<dyn Store>,
    pub timers: Arc<dyn Timers>,
    pub limits: Arc<dyn Limits>,
    pub live: Arc<dyn Live>,
    pub ceremonies: Arc<dyn Ceremonies>,
    pub secrets: Arc<dyn Secrets>,
    pub signer: Arc<dyn ReceiptSigner>,
    pub settings: Arc<Settings>,
    pub log: Log,
    pub staff: Arc<dyn StaffStore>,
    /// Where staff work, if this deployment has a console.
    pub console: Option<Console>,
}

/// The console's origin, and the ceremonies on it.
#[derive(Clone)]
pub struct Console {
    pub url: Url,
    pub ceremonies: Arc<dyn ConsoleCeremonies>,
}

impl Context {
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The console.
    ///
    /// # Errors
    /// [`Error::NoConsole`] when this deployment has none.
    pub fn console(&self) -> Result<&Console, Error> {
        self.console.as_ref().ok_or(Error::NoConsole)
    }

    /// `N` random bytes.
    pub fn random<const N: usize>(&self) -> [u8; N] {
        self.entropy.bytes()
    }

    /// A new id, by one of the constructors in `domain::ids`.
    pub fn id<I>(&self, make: fn(Timestamp, [u8; 10]) -> I, now: Timestamp) -> I {
        make(now, self.random())
    }

    /// An audit entry, whose id becomes the change's id.
    ///
    /// # Errors
    /// [`Error::Internal`] when it can't be written as JSON.
    pub fn entry(
        &self,
        kind: &'static str,
        actor: Actor,
        object: &[&(dyn std::fmt::Display + Sync)],
        facts: Facts,
        now: Timestamp,
    ) -> Result<AuditEntry, Error> {
        let id = self.id(ChangeId::new, now);
        let object = object.iter().map(ToString::to_string).collect();
        let event = AuditEvent { kind, actor, object, facts };
        AuditEntry::new(id, now, self.random(), &event).map_err(Error::internal)
    }
}
