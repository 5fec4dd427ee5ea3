//! Those who ask, as the backend, the holders and the identity provider know them.

use countersign::authenticator::{SoftAuthenticator, SoftBrowser};
use countersign::domain::backend::{IdempotencyKey, Remembered, Scope, Scopes};
use countersign::domain::details::Digest;
use countersign::domain::device::{Blob, Device, DeviceKey};
use countersign::domain::link::{ENROL_LINK_LIFE, EnrolLink};
use countersign::domain::staff::directory::{DirectoryKey, DirectorySecret};
use countersign::domain::text::Line;
use countersign::domain::{DeviceId, DirectoryKeyId, HolderId, LinkId};
use countersign::ports::Effect;
use countersign::ports::staff::StaffEffect;
use countersign::service::staff::directory;
use countersign::service::{backends, links};
use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, SqliteConnection};

use crate::console::desk::Desk;
use crate::console::stage::{DAY, Stage};

/// Somebody who asks, by what they bring.
#[derive(Debug, Clone)]
pub struct Caller {
    pub name: String,
    pub cookie: Option<String>,
    pub bearer: Option<String>,
}

impl Caller {
    pub fn anonymous() -> Self {
        Self { name: "anonymous".to_owned(), cookie: None, bearer: None }
    }

    pub fn cookie(name: &str, cookie: &str) -> Self {
        Self { name: name.to_owned(), cookie: Some(cookie.to_owned()), bearer: None }
    }

    pub fn desk(name: &str, desk: &Desk) -> Self {
        Self::cookie(name, desk.cookie.as_deref().expect("somebody who signed in"))
    }

    pub fn bearer(name: &str, secret: &str) -> Self {
        Self { name: name.to_owned(), cookie: None, bearer: Some(secret.to_owned()) }
    }
}

pub fn last(path: &str) -> String {
    path.rsplit('/').next().expect("a path").to_owned()
}

pub async fn file(stage: &Stage) -> SqliteConnection {
    let file = stage.file.as_ref().expect("a file");
    SqliteConnectOptions::new().filename(file).connect().await.unwrap()
}

/// One more device of its holder. A second first one can be enrolled only by whoever owns the database: they put back
/// the holder's row from before the first.
async fn enrol_again(stage: &Stage, mut device: Device, name: &str) -> DeviceId {
    let back =
        "UPDATE holders SET enrolled_at = NULL, seal = (SELECT seal FROM before WHERE id = holders.id) WHERE id = ?";
    sqlx::query(back).bind(device.body.holder.uuid()).execute(&mut file(stage).await).await.unwrap();
    let cx = &stage.cx;
    let now = cx.now();
    let link = EnrolLink {
        id: cx.id(LinkId::new, now),
        holder: device.body.holder,
        token_hash: Digest::of(name.as_bytes()),
        created_at: now,
        expires_at: now + ENROL_LINK_LIFE,
        tries: 0,
        ended_at: None,
    };
    let remember = Remembered {
        backend: stage.backend,
        key: IdempotencyKey::parse(&format!("enrolment-of-{name}")).unwrap(),
        request: Digest::of(b""),
        answer: String::new(),
        created_at: now,
    };
    device.body.id = cx.id(DeviceId::new, now);
    let (id, spent) = (device.body.id, link.id);
    stage.apply(Effect::AddLink { link, remember }).await;
    stage.apply(Effect::EnrolFirst { link: spent, device: Box::new(device), at: now }).await;
    id
}

/// A browser with the passkey and the device key of this holder's device, in whose place it comes: that one's keys sign
/// nothing.
pub async fn real_device(stage: &Stage, holder: HolderId) -> SoftBrowser {
    let cx = &stage.cx;
    let mut browser = SoftBrowser::new(cx.settings.public_url.clone(), SoftAuthenticator::device_bound()).unwrap();
    let challenge = Digest::of(holder.bytes());
    let options = cx.ceremonies.creation_options(&challenge, holder, "Telephone", &[]).unwrap();
    let registration = browser.authenticator.create(&options, &browser.origin).unwrap();
    let made = cx.ceremonies.register(&challenge, &registration).unwrap();
    let mut device = cx.store.devices(holder).await.unwrap().remove(0);
    sqlx::query("DELETE FROM devices WHERE id = ?")
        .bind(device.body.id.uuid())
        .execute(&mut file(stage).await)
        .await
        .unwrap();
    let jwk = browser.key.jwk();
    device.body.key = DeviceKey::from_jwk(jwk["x"].as_str().unwrap(), jwk["y"].as_str().unwrap()).unwrap();
    device.body.credential_id = made.id;
    device.body.credential = made.credential;
    device.body.assurance = made.assurance;
    device.counter = made.counter;
    enrol_again(stage, device, &format!("real-device-of-{holder}")).await;
    browser
}

/// Keeps every holder's row as it was stored, before anything was enrolled.
pub async fn keep_holders(stage: &Stage) {
    let mut file = file(stage).await;
    sqlx::raw_sql(
        "CREATE TABLE before AS SELECT id, seal FROM holders WHERE false; \
         CREATE TRIGGER keep AFTER INSERT ON holders BEGIN INSERT INTO before VALUES (NEW.id, NEW.seal); END",
    )
    .execute(&mut file)
    .await
    .unwrap();
}

/// Two more devices of the first holder: one that is locked and one that was removed.
pub async fn locked_and_removed(stage: &Stage, holder: HolderId) {
    let like = stage.cx.store.devices(holder).await.unwrap().remove(0);
    for name in ["locked-device", "removed-device"] {
        let mut device = like.clone();
        device.body.credential_id = Blob(name.as_bytes().to_vec());
        device.body.cookie_hash = Digest::of(format!("cookie-of-{name}").as_bytes());
        if name == "locked-device" {
            let device = enrol_again(stage, device, name).await;
            stage.apply(Effect::CountFailure { device, failures: 0, lock_at: Some(stage.cx.now()) }).await;
        } else {
            // As the override that resets devices leaves them, under seal.
            device.removed_at = Some(stage.cx.now());
            enrol_again(stage, device, name).await;
        }
    }
    sqlx::raw_sql("DROP TRIGGER keep; DROP TABLE before").execute(&mut file(stage).await).await.unwrap();
    let devices = stage.cx.store.devices(holder).await.unwrap();
    assert_eq!(devices.iter().filter(|device| device.is_live()).count(), 1, "{devices:?}");
}

/// A key with each scope alone, one with none, one that was revoked, another backend's, and the identity provider's,
/// one of them revoked.
pub async fn keys(stage: &Stage) -> Vec<Caller> {
    let cx = &stage.cx;
    let mut callers = Vec::new();
    for scope in Scope::ALL {
        let key = backends::add_key(cx, stage.backend, Scopes::of(&[scope])).await.unwrap();
        callers.push(Caller::bearer(&format!("key {}", scope.as_str()), key.secret.reveal()));
    }
    let none = backends::add_key(cx, stage.backend, Scopes::of(&[])).await.unwrap();
    callers.push(Caller::bearer("key of nothing", none.secret.reveal()));
    let revoked = backends::add_key(cx, stage.backend, Scopes::of(&Scope::ALL)).await.unwrap();
    backends::revoke_key(cx, revoked.key).await.unwrap();
    callers.push(Caller::bearer("revoked key", revoked.secret.reveal()));
    let other = backends::add(cx, Line::parse("Lighthouse").unwrap(), Scopes::of(&Scope::ALL)).await.unwrap();
    callers.push(Caller::bearer("key of another backend", other.secret.reveal()));
    // Made a month ago, so that it waits for nothing any more.
    let secret = DirectorySecret::from_random(cx.random());
    let id = cx.id(DirectoryKeyId::new, cx.now());
    let old = DirectoryKey { id, hash: secret.hash(), created_at: cx.now() - 30 * DAY, revoked_at: None };
    stage.apply(Effect::Staff(Box::new(StaffEffect::AddDirectoryKey(old)))).await;
    callers.push(Caller::bearer("directory", secret.reveal()));
    let (id, secret) = directory::add(cx).await.unwrap();
    directory::revoke(cx, id).await.unwrap();
    callers.push(Caller::bearer("revoked directory", secret.reveal()));
    callers
}

/// An enrolment link of a new holder, and its code.
pub async fn enrolment(stage: &Stage, subject: &str) -> (String, String) {
    let channels = json!([{"kind": "email", "address": "nina@example.org"}]);
    stage.api("/v1/holders", &json!({"subject": subject, "channels": channels})).await;
    let made = stage.api(&format!("/v1/holders/{subject}/enrolments"), &json!({})).await;
    let token = last(made["url"].as_str().unwrap());
    let secret = data_encoding::BASE64URL_NOPAD.decode(token.as_bytes()).unwrap();
    let link = stage.cx.store.enrol_link(&Digest::of(&secret)).await.unwrap().unwrap();
    (token, links::enrol_code(&stage.cx, link.id))
}
