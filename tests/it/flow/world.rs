//! Everything around the services that a test needs: a backend, holders with devices, and hands to act with.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use countersign::adapters::channels::inbox::Inbox;
use countersign::adapters::receipts::{Es256Receipts, generate_pem};
use countersign::adapters::secrets::MasterSecrets;
use countersign::adapters::timing::{MemoryLimits, MemoryLive, MemoryTimers, OsEntropy};
use countersign::adapters::webauthn::Webauthn;
use countersign::authenticator::{SoftAuthenticator, SoftBrowser};
use countersign::domain::approval::{Approval, StateName};
use countersign::domain::backend::{Caller, IdempotencyKey, Scope, Scopes};
use countersign::domain::channel::{Address, ChannelKind};
use countersign::domain::details::{Digest, Subject};
use countersign::domain::device::{Blob, DeviceKey, DeviceName, Thumbprint};
use countersign::domain::policy::{Asked, Assurance, Floors, Policy, TOLD_BEFORE, Tier, Unproved};
use countersign::domain::text::Line;
use countersign::domain::{ApprovalId, Timestamp};
use countersign::ports::outward::{Message, SendError};
use countersign::ports::{ChannelSender, Clock, Entropy, Secrets, Store};
use countersign::service::decide::Signed;
use countersign::service::log::Log;
use countersign::service::watch::{Mark, PresentedKey};
use countersign::service::{
    Browser, Context, Error, Profile, Settings, backends, decide, enrol, holders, invite, log, prompt, request, watch,
};
use countersign::workers::notices::Senders;
use countersign::workers::{ClockGate, notices, timers};
use serde_json::{Value, json};
use url::Url;

use crate::support::clock::ManualClock;
use crate::support::log::log_at_once;
use crate::support::memory_store::MemoryStore;

pub const HOLD: Duration = Duration::from_secs(900);
pub const UNPROVED_HOLD: Duration = Duration::from_secs(3600);
pub const HOLD_CAP: Duration = Duration::from_secs(72 * 3600);
pub const LIFE: Duration = Duration::from_secs(3600);

/// A channel that fails as told, in front of the real inbox.
pub struct Fickle {
    pub inbox: Arc<Inbox>,
    pub failing: Mutex<HashMap<String, SendErrorKind>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendErrorKind {
    Again,
    Gone,
}

#[async_trait]
impl ChannelSender for Fickle {
    fn kind(&self) -> ChannelKind {
        ChannelKind::Inbox
    }

    async fn send(&self, to: &Address, message: &Message) -> Result<(), SendError> {
        let Address::Inbox { name } = to else { return Err(SendError::Gone { what: "not an inbox" }) };
        let failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner).get(name).copied();
        match failing {
            Some(SendErrorKind::Again) => Err(SendError::Again { what: "told to", source: None }),
            Some(SendErrorKind::Gone) => Err(SendError::Gone { what: "told to" }),
            None => self.inbox.send(to, message).await,
        }
    }
}

pub struct World {
    pub cx: Context,
    pub clock: Arc<ManualClock>,
    pub channel: Arc<Fickle>,
    pub senders: Senders,
    pub caller: Caller,
    pub gate: ClockGate,
    pub origin: Url,
}

/// A record, its log, and the clock of the node.
pub struct Kit {
    pub store: Arc<dyn Store>,
    pub log: Log,
    pub clock: Arc<ManualClock>,
}

/// One device's browser with its cookie.
pub struct Phone {
    pub soft: SoftBrowser,
    pub browser: Browser,
}

impl World {
    pub async fn new() -> Self {
        Self::with(Unproved::HoldFor(UNPROVED_HOLD), Assurance::Synced, Duration::ZERO).await
    }

    pub async fn with(unproved: Unproved, assurance: Assurance, new_device_hold: Duration) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::parse_rfc3339("2026-11-21T14:00:00Z").unwrap()));
        let store = Arc::new(MemoryStore::new(clock.clone()));
        let log = log_at_once(store.clone());
        let kit = Kit { store: store.clone(), log, clock };
        let mut world = Self::over(kit, unproved, assurance, new_device_hold).await;
        world.cx.staff = store;
        world
    }

    /// As [`World::with`], over another record.
    pub async fn over(kit: Kit, unproved: Unproved, assurance: Assurance, new_device_hold: Duration) -> Self {
        let Kit { store, log, clock } = kit;
        let ticking: Arc<dyn Clock> = clock.clone();
        let staff: Arc<dyn countersign::ports::StaffStore> = Arc::new(MemoryStore::new(ticking.clone()));
        let origin: Url = "https://approve.example".parse().unwrap();
        let entropy: Arc<dyn Entropy> = Arc::new(OsEntropy);
        let secrets: Arc<dyn Secrets> = Arc::new(MasterSecrets::new(&[7; 32], entropy.clone()).unwrap());
        let base = Tier { unit: None, from: None, hold: HOLD, life: LIFE, assurance, unproved };
        let policy = Policy::new(base, vec![], HOLD_CAP, Duration::from_secs(24 * 3600), Floors::DEMO).unwrap();
        let policy = policy.with_told_before(TOLD_BEFORE, Floors::DEMO).unwrap();
        let settings = Settings {
            profile: Profile::Demo,
            operator: "Harbour".into(),
            contact: "the number on your card".into(),
            public_url: origin.clone(),
            issuer: "https://approve.example".into(),
            policy,
            new_device_hold,
            new_channel_hold: Duration::from_secs(24 * 3600),
            notices_per_minute: 5,
            override_caps: countersign::domain::override_request::Caps::DEFAULT,
            tries_per_minute: 1000,
            key_per_minute: 1000,
        };
        let cx = Context {
            clock: ticking.clone(),
            entropy,
            log,
            store,
            timers: Arc::new(MemoryTimers::new(ticking.clone())),
            limits: Arc::new(MemoryLimits::new(ticking)),
            live: Arc::new(MemoryLive::new()),
            ceremonies: Arc::new(Webauthn::new("approve.example", &origin, "Harbour").unwrap()),
            secrets,
            signer: Arc::new(Es256Receipts::new(&generate_pem().unwrap(), &[]).unwrap()),
            settings: Arc::new(settings),
            staff,
            console: None,
        };
        let key = backends::add(&cx, Line::parse("Harbour").unwrap(), Scopes::of(&Scope::ALL)).await.unwrap();
        let caller = backends::authenticate(&cx, key.secret.reveal()).await.unwrap();
        let channel = Arc::new(Fickle { inbox: Arc::new(Inbox::new()), failing: Mutex::default() });
        let sender: Arc<dyn ChannelSender> = channel.clone();
        let senders: Senders = Arc::new(HashMap::from([(ChannelKind::Inbox, sender)]));
        Self { cx, clock, channel, senders, caller, gate: ClockGate::open(), origin }
    }

    pub fn fails(&self, inbox: &str, how: Option<SendErrorKind>) {
        let mut failing = self.channel.failing.lock().unwrap_or_else(PoisonError::into_inner);
        match how {
            Some(how) => failing.insert(inbox.to_owned(), how),
            None => failing.remove(inbox),
        };
    }

    /// Lets the workers do all that is due now.
    pub async fn settle(&self) {
        for _ in 0..20 {
            let sent = notices::turn(&self.cx, &self.senders).await.unwrap();
            while log::turn(&self.cx).await.unwrap() > 0 {}
            let fired = timers::turn(&self.cx, &self.gate).await.unwrap();
            if sent + fired == 0 {
                return;
            }
        }
    }

    pub async fn later(&self, by: Duration) {
        self.clock.advance(by);
        self.settle().await;
    }

    pub async fn holder(&self, subject: &str, inboxes: &[&str]) {
        let ask = holders::NewHolder {
            key: key(&format!("holder-{subject}")),
            fingerprint: Digest::of(subject.as_bytes()),
            subject: Subject::parse(subject).unwrap(),
            channels: inboxes.iter().map(|name| Address::inbox(name).unwrap()).collect(),
        };
        holders::add(&self.cx, &self.caller, ask).await.unwrap();
    }

    /// The token of a new enrolment link.
    pub async fn invite(&self, subject: &str, key_text: &str) -> Result<String, Error> {
        let subject = Subject::parse(subject).unwrap();
        let fingerprint = Digest::of(key_text.as_bytes());
        let answer =
            invite::invite(&self.cx, &self.caller, &subject, key(key_text), fingerprint, |_| String::new()).await?;
        let view: Value = serde_json::from_str(&answer.body).unwrap();
        let url: Url = view["url"].as_str().unwrap().parse().unwrap();
        Ok(url.path_segments().unwrap().next_back().unwrap().to_owned())
    }

    /// The newest code in an inbox.
    pub fn code(&self, inbox: &str) -> String {
        self.channel.inbox.messages(inbox).into_iter().find_map(|m| m.code).expect("a code")
    }

    pub async fn enrol_with(&self, token: &str, code: &str, authenticator: SoftAuthenticator) -> Result<Phone, Error> {
        let mut soft = SoftBrowser::new(self.origin.clone(), authenticator).unwrap();
        let key = device_key(&soft);
        let name = DeviceName::parse("Priya’s Pixel").unwrap();
        let started = enrol::start(&self.cx, token, code, name, key).await?;
        let body = soft.prove_body(&json!({"options": started.options, "sealed": started.sealed})).unwrap();
        let proving = enrol::prove(&self.cx, token, text(&body["sealed"]), &body["registration"]).await?;
        let body = soft.finish_body(&json!({"options": proving.options, "sealed": proving.sealed})).unwrap();
        let signature: Blob = serde_json::from_value(body["signature"].clone()).unwrap();
        let done = enrol::finish(&self.cx, token, text(&body["sealed"]), &body["assertion"], &signature.0).await?;
        let browser = Browser { cookie: Some(Digest::of(done.cookie.as_bytes())), mark: None };
        Ok(Phone { soft, browser })
    }

    /// A holder with one enrolled device.
    pub async fn enrolled(&self, subject: &str, authenticator: SoftAuthenticator) -> Phone {
        self.holder(subject, &[subject]).await;
        let token = self.invite(subject, &format!("invite-{subject}")).await.unwrap();
        self.settle().await;
        let phone = self.enrol_with(&token, &self.code(subject), authenticator).await.unwrap();
        self.settle().await;
        // Nothing that is created in the same moment may be decided by it.
        self.later(Duration::from_secs(61)).await;
        phone
    }

    pub async fn create(&self, subject: &str, transfer: &str) -> Result<(ApprovalId, String), Error> {
        let answer = self.ask(subject, transfer, transfer, "12500.00").await?;
        let view: Value = serde_json::from_str(&answer.body).unwrap();
        let url: Url = text(&view["waiting_url"]).parse().unwrap();
        let token = url.path_segments().unwrap().next_back().unwrap().to_owned();
        Ok((text(&view["id"]).parse().unwrap(), token))
    }

    pub async fn ask(
        &self,
        subject: &str,
        transfer: &str,
        key_text: &str,
        amount: &str,
    ) -> Result<request::Answered, Error> {
        let parts = serde_json::from_value::<Parts>(json!({
            "transfer_id": transfer, "subject": subject, "amount": amount, "currency": "EUR",
            "payee": {"name": "Marta Nowak", "account": "PL61109010140000071219812874"},
            "source_account": {"id": "acc-1", "label": "Everyday account"},
            "initiator": {"started_on": "website"},
        }))
        .unwrap()
        .0;
        let fingerprint = Digest::of(format!("{subject}{transfer}{amount}").as_bytes());
        let ask = request::Request { key: key(key_text), fingerprint, parts, asked: Asked::default() };
        request::request(&self.cx, &self.caller, ask).await
    }

    /// The initiating browser opens its waiting page; gives its mark.
    pub async fn watch(&self, token: &str, browser: &Browser, keys: &[&SoftBrowser]) -> Result<Mark, Error> {
        let id = countersign::service::links::open_waiting(&self.cx, token)?;
        let page_token = prompt::page_token(&self.cx, id);
        let presented: Vec<PresentedKey> = keys
            .iter()
            .map(|soft| {
                let body = soft.wait_body(&page_token).unwrap();
                let signature: Blob = serde_json::from_value(body["keys"][0]["signature"].clone()).unwrap();
                PresentedKey { key: device_key(soft), signature: signature.0 }
            })
            .collect();
        watch::watch(&self.cx, token, browser, &page_token, &presented, None).await
    }

    /// A prompt as the page's script gets it.
    pub async fn prompt(&self, phone: &Phone, id: ApprovalId) -> Result<Value, Error> {
        let page = prompt::page(&self.cx, &phone.browser, id).await?;
        let body = phone.soft.prompt_body(&page.page_token).unwrap();
        let signature: Blob = serde_json::from_value(body["signature"].clone()).unwrap();
        let thumbprint: Thumbprint = serde_json::from_value(body["thumbprint"].clone()).unwrap();
        let made = prompt::prompt(&self.cx, &phone.browser, id, &page.page_token, &thumbprint, &signature.0).await?;
        Ok(json!({"options": made.options, "sealed": made.sealed}))
    }

    pub async fn approve(&self, phone: &mut Phone, id: ApprovalId) -> Result<Approval, Error> {
        let begun = self.prompt(phone, id).await?;
        let signed = signed(&phone.soft.approve_body(&begun).unwrap());
        decide::decide(&self.cx, &phone.browser, id, signed).await
    }

    pub async fn state(&self, id: ApprovalId) -> Approval {
        self.cx.store.approval(id).await.unwrap().expect("an approval")
    }

    pub async fn is(&self, id: ApprovalId, state: StateName, reason: Option<&str>) {
        let approval = self.state(id).await;
        assert_eq!((approval.state.name(), approval.state.reason()), (state, reason));
    }

    /// Why a device was refused, as the log tells it.
    pub async fn refusals(&self) -> Vec<String> {
        let entries = self.cx.store.audit_page(None, 10_000).await.unwrap();
        let refused = entries.iter().filter(|(_, entry)| entry.kind == "decide.refused");
        let why = |canonical: &str| serde_json::from_str::<Value>(canonical).unwrap()["facts"]["why"].clone();
        refused.map(|(_, entry)| text(&why(&entry.canonical)).to_owned()).collect()
    }

    /// Kinds of all audit entries so far.
    pub async fn audit(&self) -> Vec<&'static str> {
        self.cx.store.audit_page(None, 10_000).await.unwrap().into_iter().map(|(_, entry)| entry.kind).collect()
    }
}

pub fn key(text: &str) -> IdempotencyKey {
    IdempotencyKey::parse(text).unwrap()
}

pub fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

pub fn signed(body: &Value) -> Signed {
    let signature: Blob = serde_json::from_value(body["signature"].clone()).unwrap();
    Signed {
        sealed: text(&body["sealed"]).to_owned(),
        assertion: body["assertion"].clone(),
        thumbprint: serde_json::from_value(body["thumbprint"].clone()).unwrap(),
        signature: signature.0,
    }
}

pub fn device_key(soft: &SoftBrowser) -> DeviceKey {
    let jwk = soft.key.jwk();
    DeviceKey::from_jwk(text(&jwk["x"]), text(&jwk["y"])).unwrap()
}

/// The parts of a transfer, read as the API reads them.
struct Parts(countersign::domain::details::TransferParts);

impl<'de> serde::Deserialize<'de> for Parts {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use countersign::domain::details::{Initiator, Payee, SourceAccount, TransferId, TransferParts};
        use countersign::domain::money::Currency;
        #[derive(serde::Deserialize)]
        struct Raw {
            transfer_id: TransferId,
            subject: Subject,
            amount: String,
            currency: Currency,
            payee: Payee,
            source_account: SourceAccount,
            initiator: Initiator,
        }
        let raw = Raw::deserialize(deserializer)?;
        Ok(Self(TransferParts {
            transfer_id: raw.transfer_id,
            subject: raw.subject,
            amount: raw.amount,
            currency: Some(raw.currency),
            asset: None,
            payee: raw.payee,
            payee_history: None,
            source_account: raw.source_account,
            reference: None,
            initiator: raw.initiator,
        }))
    }
}
