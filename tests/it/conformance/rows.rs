//! Rows that a case makes but hasn't stored: of the world's backend and holder unless it says otherwise.

use countersign::domain::approval::Approval;
use countersign::domain::backend::{ApiKey, Scope, Scopes};
use countersign::domain::channel::{About, Channel, ChannelKind, Notice, Purpose, Turn};
use countersign::domain::details::{
    Account, Details, Digest, Initiator, Payee, PayeeName, Salt, SourceAccount, StartedOn, Transfer, TransferId,
    TransferParts,
};
use countersign::domain::device::{Blob, Device, DeviceBody, DeviceKey, DeviceName};
use countersign::domain::evidence::{Evidence, SignedAssertion};
use countersign::domain::holder::Holder;
use countersign::domain::link::{ENROL_LINK_LIFE, EnrolLink};
use countersign::domain::linking::{ApprovePreimage, Shown};
use countersign::domain::money::Currency;
use countersign::domain::policy::{Assurance, Terms, Unproved};
use countersign::domain::text::{Line, Token};
use countersign::domain::webhook::{Cause, Delivery, Endpoint, EndpointStatus};
use countersign::domain::{
    ApprovalId, BackendId, ChannelId, DeliveryId, DeviceId, EndpointId, HolderId, KeyId, LinkId, NoticeId, Timestamp,
};

use super::world::{HOUR, MINUTE, World};

impl World {
    pub fn terms(&self) -> Terms {
        Terms {
            hold: 15 * MINUTE,
            hold_cap: 72 * HOUR,
            life: HOUR,
            redeem_within: 24 * HOUR,
            assurance: Assurance::Synced,
            unproved: Unproved::HoldFor(15 * MINUTE),
            told_before: 10 * MINUTE,
        }
    }

    /// An approval of this backend that was created 40 minutes ago and expires in 20, not stored yet.
    pub fn drafted(&self, holder: &Holder, transfer_id: &str) -> Approval {
        let parts = TransferParts {
            transfer_id: TransferId::parse(transfer_id).unwrap(),
            subject: holder.subject.clone(),
            amount: "12500.00".to_owned(),
            currency: Some(Currency::parse("EUR").unwrap()),
            asset: None,
            payee: Payee {
                name: PayeeName::parse("Zoë Łęcka").unwrap(),
                account: Account::parse("PL61109010140000071219812874").unwrap(),
            },
            payee_history: None,
            source_account: SourceAccount {
                id: Token::parse("acc-4471").unwrap(),
                label: Line::parse("Everyday account").unwrap(),
            },
            reference: None,
            initiator: Initiator { started_on: StartedOn::Website, started_at: None, from: None },
        };
        let details = Details::of(Transfer::new(parts, Salt([8; 16])).unwrap()).unwrap();
        let created_at = self.now - 40 * MINUTE;
        Approval::open(self.id(ApprovalId::new), holder.backend, holder.id, details, self.terms(), created_at)
    }

    pub fn notice(&self, about: About, channel: ChannelId, turn: Turn, rank: u16) -> Notice {
        Notice {
            id: self.id(NoticeId::new),
            holder: self.holder.id,
            channel,
            address: channel.bytes().to_vec().into(),
            purpose: Purpose::Cooling,
            about,
            turn,
            rank,
            created_at: self.now,
            useless_after: self.now + HOUR,
        }
    }

    pub fn delivery(&self, endpoint: EndpointId) -> Delivery {
        let id = self.id(DeliveryId::new);
        Delivery {
            id,
            endpoint,
            cause: Cause::Test,
            message_id: format!("msg_{id}"),
            body: format!(r#"{{"type":"test","id":"{id}"}}"#),
            created_at: self.now,
        }
    }

    pub fn evidence(&self, approval: ApprovalId) -> Evidence {
        let serial = self.serial().to_be_bytes().to_vec();
        Evidence::Approve {
            device: self.device.body.id,
            preimage: ApprovePreimage {
                rp_id: "approve.example".to_owned(),
                approval,
                version: 1,
                digest: Digest::of(b"details"),
                hold: 15 * MINUTE,
                shown: Shown::plain().digest(),
                credential_id: self.device.body.credential_id.clone(),
                thumbprint: self.device.body.key.thumbprint(),
                expires_at: self.now,
                nonce: Blob(serial.clone()),
            },
            shown: Shown::plain(),
            assertion: SignedAssertion {
                credential_id: self.device.body.credential_id.clone(),
                authenticator_data: Blob(vec![1; 37]),
                client_data_json: Blob(br#"{"type":"webauthn.get"}"#.to_vec()),
                signature: Blob(serial),
                public_key: serde_json::json!({ "kty": "EC" }),
            },
            device_key: self.device.body.key.clone(),
            device_signature: Blob(vec![2; 64]),
        }
    }

    /// A further key, not stored yet.
    pub fn another_key(&self, backend: BackendId) -> ApiKey {
        let id = self.id(KeyId::new);
        let scopes = Scopes::of(&[Scope::Read, Scope::Redeem]);
        ApiKey { id, backend, hash: Digest::of(id.bytes()), scopes, created_at: self.now, revoked_at: None }
    }

    /// A further channel of the holder, not stored yet.
    pub fn another_channel(&self, on: Option<DeviceId>, counts_from: Timestamp) -> Channel {
        let kind = if on.is_some() { ChannelKind::WebPush } else { ChannelKind::Email };
        Channel { kind, device: on, ..mailbox(self.id(ChannelId::new), self.holder.id, counts_from) }
    }

    /// A further device of this holder, not stored yet.
    pub fn another_device(&self, holder: HolderId) -> Device {
        let id = self.id(DeviceId::new);
        let number = u8::try_from(self.serial() % 200).unwrap() + 20;
        device(id, holder, number, self.now)
    }

    /// An enrolment link that ends in ten minutes, not stored yet.
    pub fn link(&self, holder: HolderId) -> EnrolLink {
        let id = self.id(LinkId::new);
        EnrolLink {
            id,
            holder,
            token_hash: Digest::of(id.bytes()),
            created_at: self.now,
            expires_at: self.now + ENROL_LINK_LIFE,
            tries: 0,
            ended_at: None,
        }
    }

    pub fn endpoint_of(&self, backend: BackendId, id: EndpointId) -> Endpoint {
        Endpoint {
            id,
            backend,
            url: format!("https://hooks.example/{id}").parse().unwrap(),
            status: EndpointStatus::Active,
            created_at: self.now,
            secret: vec![6; 40],
            previous: None,
        }
    }
}

/// A mailbox with an address that only its id tells apart.
pub fn mailbox(id: ChannelId, holder: HolderId, counts_from: Timestamp) -> Channel {
    let masked = "m•••@e•••.org".to_owned();
    let address = id.bytes().to_vec().into();
    Channel {
        id,
        holder,
        kind: ChannelKind::Email,
        device: None,
        masked,
        address,
        created_at: counts_from,
        counts_from,
    }
}

pub fn device(id: DeviceId, holder: HolderId, number: u8, now: Timestamp) -> Device {
    let mut key = [number; 65];
    key[0] = 4;
    let body = DeviceBody {
        id,
        holder,
        name: DeviceName::parse("Zoë’s telephone").unwrap(),
        credential: serde_json::json!({ "cred": { "type_": "ES256" }, "number": number }),
        credential_id: Blob(vec![number; 20]),
        key: DeviceKey::from_bytes(&key).unwrap(),
        cookie_hash: Digest::of(&[number]),
        assurance: Assurance::DeviceBound,
        enrolled_at: now - 48 * HOUR,
        usable_from: now - 36 * HOUR,
    };
    Device { body, counter: 0, failures: 0, locked_at: None, removed_at: None }
}
