//! What a figure stands on: a backend with its key, holders, and phones that may approve. Made in this process with the
//! service's own use cases, against the record on which the node is started afterwards.

pub mod background;
pub mod cooling;

use anyhow::Context as _;
use countersign::app::{self, Parts};
use countersign::authenticator::{SoftAuthenticator, SoftBrowser};
use countersign::domain::backend::{Caller, IdempotencyKey, Scope, Scopes};
use countersign::domain::channel::Address;
use countersign::domain::details::{Digest, Subject};
use countersign::domain::device::{Device, DeviceName};
use countersign::domain::text::Line;
use countersign::service::invite::EnrolmentView;
use countersign::service::{backends, endpoints, enrol, holders, invite, links};
use serde_json::json;
use sqlx::{Connection as _, SqliteConnection};

use crate::stack::Stack;
use crate::stack::node::Setup;

/// A holder's phone.
pub struct Phone {
    pub browser: SoftBrowser,
    pub cookie: String,
    pub subject: String,
    pub device: Device,
}

/// Everybody who takes part.
pub struct Cast {
    /// `Authorization` of the backend.
    pub bearer: String,
    pub caller: Caller,
    pub phones: Vec<Phone>,
    /// Holders for whom approvals can be opened, and who never answer.
    pub silent: Vec<String>,
}

/// How many of whom.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    pub phones: usize,
    pub silent: usize,
    /// Where the backend takes webhooks, if it does.
    pub hook: Option<&'a str>,
}

/// Fills an empty record.
pub async fn cast(stack: &Stack, setup: &Setup, wanted: Wanted<'_>) -> anyhow::Result<Cast> {
    if let Ok((postgres, _)) = stack.servers() {
        postgres.hurry().await?;
    }
    let parts = app::open(&setup.config()?).await?;
    let made = people(&parts, wanted).await;
    parts.record.close().await;
    let cast = made?;
    give_devices(stack, setup).await?;
    if let Ok((postgres, _)) = stack.servers() {
        postgres.run(&setup.name, "ANALYZE").await?;
        postgres.settle().await?;
    }
    Ok(cast)
}

async fn people(parts: &Parts, wanted: Wanted<'_>) -> anyhow::Result<Cast> {
    let cx = &parts.cx;
    let new = backends::add(cx, Line::parse("Harbour Exchange")?, Scopes::of(&Scope::ALL)).await?;
    let caller = Caller { backend: new.backend, key: new.key, scopes: Scopes::of(&Scope::ALL) };
    if let Some(hook) = wanted.hook {
        let fingerprint = Digest::of(hook.as_bytes());
        endpoints::add(cx, &caller, hook.parse()?, IdempotencyKey::parse("the-only-endpoint")?, fingerprint).await?;
    }
    let mut cast =
        Cast { bearer: format!("Bearer {}", new.secret.reveal()), caller, phones: Vec::new(), silent: Vec::new() };
    for number in 0..wanted.phones {
        cast.phones.push(phone(parts, &caller, format!("phone-{number}")).await?);
    }
    for number in 0..wanted.silent {
        let subject = format!("silent-{number}");
        holder(parts, &caller, &subject).await?;
        cast.silent.push(subject);
    }
    Ok(cast)
}

async fn holder(parts: &Parts, caller: &Caller, subject: &str) -> anyhow::Result<Subject> {
    let named = Subject::parse(subject)?;
    let ask = holders::NewHolder {
        key: IdempotencyKey::parse(&format!("holder-{subject}"))?,
        fingerprint: Digest::of(subject.as_bytes()),
        subject: named.clone(),
        channels: vec![Address::inbox(subject)?],
    };
    holders::add(&parts.cx, caller, ask).await?;
    Ok(named)
}

/// A holder who enrols a phone, as the pages would do it.
async fn phone(parts: &Parts, caller: &Caller, subject: String) -> anyhow::Result<Phone> {
    let cx = &parts.cx;
    let named = holder(parts, caller, &subject).await?;
    let key = IdempotencyKey::parse(&format!("link-{subject}"))?;
    let invited = invite::invite(cx, caller, &named, key, Digest::of(b""), |_| String::new()).await?;
    let view: EnrolmentView = serde_json::from_str(&invited.body)?;
    let token = view.url.rsplit('/').next().context("a link without a token")?;
    let code = links::enrol_code(cx, enrol::look(cx, token).await?.link.id);

    let mut browser = SoftBrowser::new(cx.settings.public_url.clone(), SoftAuthenticator::device_bound())?;
    let started = enrol::start(cx, token, &code, DeviceName::parse("Phone")?, browser.key.key().clone()).await?;
    let proof = browser.prove_body(&json!({"options": started.options, "sealed": started.sealed}))?;
    let proving = enrol::prove(cx, token, &started.sealed, &proof["registration"]).await?;
    let last = browser.finish_body(&json!({"options": proving.options, "sealed": proving.sealed}))?;
    let signature = last["signature"].as_str().context("no signature")?;
    let signature = data_encoding::BASE64URL_NOPAD.decode(signature.as_bytes())?;
    let enrolled = enrol::finish(cx, token, &proving.sealed, &last["assertion"], &signature).await?;
    Ok(Phone { browser, cookie: format!("cs-device={}", enrolled.cookie), subject, device: enrolled.device })
}

/// A row for each holder who has no device. Nobody answers with these, so that only their number matters, and the
/// notices of the preparation are marked as sent.
async fn give_devices(stack: &Stack, setup: &Setup) -> anyhow::Result<()> {
    const COLUMNS: &str = "INSERT INTO devices \
        (id, holder_id, credential_id, cookie_hash, thumbprint, body, counter, failures, seal) SELECT ";
    const REST: &str = " FROM holders h WHERE NOT EXISTS (SELECT 1 FROM devices d WHERE d.holder_id = h.id)";
    const SENT: &str = "UPDATE notices SET status = 'dropped', next_at = NULL";
    match stack.servers() {
        Ok((postgres, _)) => {
            let random = "gen_random_uuid(), h.id, sha256(uuid_send(gen_random_uuid())), \
                          sha256(uuid_send(gen_random_uuid())), sha256(uuid_send(h.id)), '{}', 0, 0, '\\x00'";
            postgres.run(&setup.name, &format!("{COLUMNS}{random}{REST}")).await?;
            postgres.run(&setup.name, SENT).await
        }
        Err(_) => {
            let random = "randomblob(16), h.id, randomblob(32), randomblob(32), randomblob(32), '{}', 0, 0, x'00'";
            let path = stack.folder().join(format!("{}.db", setup.name));
            let mut connection = SqliteConnection::connect(&format!("sqlite:{}", path.display())).await?;
            sqlx::raw_sql(sqlx::AssertSqlSafe(format!("{COLUMNS}{random}{REST}; {SENT}")))
                .execute(&mut connection)
                .await?;
            Ok(connection.close().await?)
        }
    }
}
