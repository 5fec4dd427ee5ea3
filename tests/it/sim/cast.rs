//! Who takes part: a backend with two keys, a thief with a backend of their own, two holders, their devices, and the
//! browsers that everybody sits at.

use std::sync::LazyLock;
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};

use countersign::domain::backend::{ApiKey, Backend, Caller, Scope, Scopes};
use countersign::domain::channel::{Address, Channel, SealedAddress};
use countersign::domain::details::{Digest, Subject};
use countersign::domain::device::{Device, DeviceBody, DeviceKey, DeviceName};
use countersign::domain::holder::Holder;
use countersign::domain::linking::device_key_message;
use countersign::domain::policy::Assurance;
use countersign::domain::text::Line;
use countersign::domain::webhook::{Endpoint, EndpointStatus};
use countersign::domain::{BackendId, ChannelId, DeviceId, EndpointId, HolderId, KeyId, Timestamp};
use countersign::ports::Secrets;
use countersign::ports::secrets::BoxKey;
use countersign::service::Browser;
use countersign::service::watch::Mark;

use super::passkeys::Passkey;
use crate::support::memory_store::Record;

const HOUR: Duration = Duration::from_secs(3600);

/// Device keys, made once per process. Which bits they have decides nothing in a run.
static KEYS: LazyLock<Vec<EcdsaKeyPair>> = LazyLock::new(|| {
    let make = |_| EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key pair");
    (0..6).map(make).collect()
});

/// A device key, which never leaves its device.
#[derive(Clone, Copy)]
pub struct Signer(&'static EcdsaKeyPair);

impl Signer {
    pub fn public(self) -> DeviceKey {
        DeviceKey::from_bytes(self.0.public_key().as_ref()).expect("a P-256 point")
    }

    /// What it signs: the payload under its domain tag.
    pub fn sign(self, tag: &str, payload: &[u8]) -> Vec<u8> {
        let message = device_key_message(tag, payload);
        self.0.sign(&SystemRandom::new(), &message).expect("a signature").as_ref().to_vec()
    }
}

/// A device with everything that lies on it.
pub struct Gear {
    pub name: &'static str,
    pub id: DeviceId,
    pub holder: usize,
    pub passkey: Passkey,
    pub signer: Signer,
    pub cookie: String,
    pub assurance: Assurance,
    /// Counts its signatures, as authenticators with a counter do; the others stay at 0.
    pub counts: bool,
    pub counter: u32,
    enrolled: Duration,
}

/// When the holder's new device was enrolled: an hour before the run begins.
pub const NEW: usize = 3;
/// The device of another holder.
pub const STRANGER: usize = 4;
/// How many devices there are; the browser after theirs is the thief's and has none.
pub const GEAR: usize = 5;

impl Gear {
    fn new(number: usize, name: &'static str, holder: usize, enrolled: Duration, now: Timestamp) -> Self {
        let byte = u8::try_from(number).expect("few devices");
        Self {
            name,
            id: DeviceId::new(now, [byte; 10]),
            holder,
            passkey: Passkey::new(byte),
            signer: Signer(&KEYS[number]),
            cookie: format!("cookie of the {name}"),
            assurance: if number == 1 { Assurance::Synced } else { Assurance::DeviceBound },
            counts: number == 0,
            counter: 0,
            enrolled,
        }
    }

    fn row(&self, holder: HolderId, now: Timestamp) -> Device {
        let enrolled_at = now - self.enrolled;
        let body = DeviceBody {
            id: self.id,
            holder,
            name: DeviceName::parse(self.name).expect("a name"),
            credential: self.passkey.credential(),
            credential_id: self.passkey.id.clone(),
            key: self.signer.public(),
            cookie_hash: Digest::of(self.cookie.as_bytes()),
            assurance: self.assurance,
            enrolled_at,
            usable_from: enrolled_at + 12 * HOUR,
        };
        Device { body, counter: 0, failures: 0, locked_at: None, removed_at: None }
    }
}

/// A browser: the one on a device, or the thief's.
pub struct Seat {
    pub gear: Option<usize>,
    pub mark: Option<Mark>,
}

/// Everybody.
pub struct Cast {
    /// Two keys of the backend, then one of the thief's.
    pub callers: Vec<Caller>,
    pub backend: BackendId,
    pub holders: Vec<Holder>,
    pub gear: Vec<Gear>,
    pub seats: Vec<Seat>,
    pub channels: Vec<Channel>,
    pub addresses: Vec<Address>,
    pub endpoint: EndpointId,
}

fn caller(backend: BackendId, number: u8, now: Timestamp) -> Caller {
    Caller { backend, key: KeyId::new(now, [number; 10]), scopes: Scopes::of(&Scope::ALL) }
}

impl Cast {
    pub fn new(now: Timestamp) -> Self {
        let (backend, theirs) = (BackendId::new(now, [1; 10]), BackendId::new(now, [2; 10]));
        let holder = |number: u8, subject| Holder {
            id: HolderId::new(now, [number; 10]),
            backend,
            subject: Subject::parse(subject).expect("a subject"),
            created_at: now - 500 * HOUR,
            enrolled_at: Some(now - 400 * HOUR),
        };
        let holders = vec![holder(1, "u-1"), holder(2, "u-2")];
        let gear = vec![
            Gear::new(0, "telephone", 0, 400 * HOUR, now),
            Gear::new(1, "tablet", 0, 300 * HOUR, now),
            Gear::new(2, "laptop", 0, 200 * HOUR, now),
            Gear::new(NEW, "new telephone", 0, HOUR, now),
            Gear::new(STRANGER, "stranger", 1, 400 * HOUR, now),
        ];
        let seats = (0..=GEAR).map(|number| Seat { gear: (number < GEAR).then_some(number), mark: None }).collect();
        let mailbox = |name| Address::email(&format!("{name}@mail.example")).expect("a mailbox");
        let (key, auth) = ([4; 65], [1; 16]);
        let encode = |bytes: &[u8]| data_encoding::BASE64URL_NOPAD.encode(bytes);
        let push = Address::web_push("https://push.example/telephone", &encode(&key), &encode(&auth)).expect("push");
        let channel = |number: u8, holder: usize, address: &Address, device, counts_from| Channel {
            id: ChannelId::new(now, [number; 10]),
            holder: holders[holder].id,
            kind: address.kind(),
            device,
            masked: address.masked(),
            address: SealedAddress::default(),
            created_at: now - 400 * HOUR,
            counts_from,
        };
        let addresses = vec![mailbox("marta.first"), mailbox("marta.second"), push, mailbox("stranger")];
        let channels = vec![
            channel(0, 0, &addresses[0], None, now - 400 * HOUR),
            channel(1, 0, &addresses[1], None, now + HOUR / 2),
            channel(2, 0, &addresses[2], Some(gear[0].id), now - 300 * HOUR),
            channel(3, 1, &addresses[3], None, now - 400 * HOUR),
        ];
        Self {
            callers: vec![caller(backend, 1, now), caller(backend, 2, now), caller(theirs, 3, now)],
            backend,
            holders,
            gear,
            seats,
            channels,
            addresses,
            endpoint: EndpointId::new(now, [1; 10]),
        }
    }

    /// The rows that were there before the run began.
    pub fn set_up(&self, record: &mut Record, secrets: &dyn Secrets, now: Timestamp) {
        for caller in &self.callers {
            let name = Line::parse("Harbour").expect("a name");
            record.backends.insert(caller.backend, Backend { id: caller.backend, name, created_at: now });
            let key = ApiKey {
                id: caller.key,
                backend: caller.backend,
                hash: Digest::of(caller.key.bytes()),
                scopes: caller.scopes,
                created_at: now,
                revoked_at: None,
            };
            record.keys.insert(key.id, key);
        }
        record.holders.extend(self.holders.iter().map(|holder| (holder.id, holder.clone())));
        for gear in &self.gear {
            record.devices.insert(gear.id, gear.row(self.holders[gear.holder].id, now));
        }
        for (channel, address) in self.channels.iter().zip(&self.addresses) {
            let plain = serde_json::to_vec(address).expect("an address");
            let address = secrets.seal(BoxKey::Address, channel.id.bytes(), &plain).into();
            record.channels.insert(channel.id, Channel { address, ..channel.clone() });
        }
        let endpoint = Endpoint {
            id: self.endpoint,
            backend: self.backend,
            url: "https://hooks.example/in".parse().expect("a URL"),
            status: EndpointStatus::Active,
            created_at: now,
            secret: secrets.seal(BoxKey::WebhookSecret, self.endpoint.bytes(), &[7; 32]),
            previous: None,
        };
        record.endpoints.insert(endpoint.id, endpoint);
    }

    /// What this browser sends along by itself.
    pub fn browser(&self, seat: usize) -> Browser {
        let seat = &self.seats[seat];
        let cookie = seat.gear.map(|gear| Digest::of(self.gear[gear].cookie.as_bytes()));
        Browser { cookie, mark: seat.mark.as_ref().map(Mark::hash) }
    }
}
