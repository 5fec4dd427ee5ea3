//! Everybody who could ask, and something of each kind to ask about.

use countersign::authenticator::SoftBrowser;
use countersign::domain::staff::Role;
use countersign::domain::{ApprovalId, HolderId};
use countersign::service::{freeze, links};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use url::Url;

use super::expected::{Expected, Kind};
use super::people::{Caller, enrolment, file, keep_holders, keys, last, locked_and_removed, real_device};
use super::requests::Body;
use crate::bribed::cast::{Cast, REASON, opened, veteran};
use crate::console::desk::{Desk, client};
use crate::console::stage::{self, DAY, MINUTE, Stage};
use crate::support::contract;

/// What came back.
pub struct Told {
    pub status: u16,
    /// The media type.
    pub kind: String,
    pub text: String,
}

pub struct World {
    pub(super) cast: Cast,
    pub(super) admin: Desk,
    /// The other admin, who proposes.
    proposer: Desk,
    /// The device of the first holder, which decides.
    pub(super) phone: SoftBrowser,
    /// The device of another holder, whose transfers are locked where a lock is asked for.
    pub(super) other_phone: SoftBrowser,
    other: HolderId,
    http: reqwest::Client,
    callers: Vec<Caller>,
    key: String,
    pub(super) look: String,
    pub(super) approval: String,
    pub(super) case: String,
    /// The transfer that the case is about.
    asked_about: String,
    /// The two who were drawn, and who wasn't.
    pub(super) drawn: (usize, usize, usize),
    pub(super) change: String,
    pub(super) spare: String,
    pub(super) leaver: String,
    pub(super) endpoint: String,
    /// An entry of the log.
    pub(super) entry: String,
    pub(super) delivery: String,
    /// A notice about the approval.
    pub(super) notice: String,
    /// The token of a link of each kind.
    pub(super) links: BTreeMap<Kind, String>,
    pub(super) enrol_code: String,
    pub(super) invite_code: String,
    serial: AtomicU32,
}

fn token(link: &Url) -> String {
    last(link.path())
}

/// The id of somebody's being added, proposed by this admin.
async fn proposal(stage: &Stage, by: &mut Desk, name: &str) -> String {
    let form = stage.form(name, "support", "Teleplus", &["agent"]);
    let answer = by.signed("/staff/draft", &form, "/staff/propose").await.expect(200);
    last(answer["location"].as_str().unwrap())
}

impl World {
    pub async fn new() -> (Self, impl Sized) {
        let (stage, alive) = stage::on_sqlite().await;
        let far = stage.in_a_year();
        let month = 30 * DAY;
        keep_holders(&stage).await;
        let old = veteran(&stage, ("Olga Wirth", "support", "in-house"), &[Role::Agent], month, far).await;
        stage.clock.advance(DAY);
        let mut cast = Cast::new(stage).await;
        // One more who may sign, so that there is somebody left to draw in the place of two.
        let fourth = veteran(&cast.stage, ("Lena Brandt", "legal", "in-house"), &[Role::Signer], month, far).await;
        cast.signers.push(fourth);
        let soon = cast.stage.cx.now() + MINUTE;
        let all = [Role::Agent, Role::Auditor, Role::Admin];
        let mut desks: BTreeMap<&str, Desk> = BTreeMap::new();
        for (name, roles, ends_at) in [
            ("agent over", &[Role::Agent, Role::Signer][..], soon),
            ("ended", &all[..], far),
            ("ended signer", &[Role::Signer], far),
            ("signed out", &all[..], far),
            ("another agent", &[Role::Agent], far),
            ("auditor", &[Role::Auditor], far),
            ("admin", &[Role::Admin], far),
            ("another admin", &[Role::Admin], far),
            ("spare", &[Role::Agent], far),
            ("leaver", &[Role::Agent], far),
        ] {
            let desk = veteran(&cast.stage, (name, "office", "in-house"), roles, month, ends_at).await;
            desks.insert(name, desk);
        }
        cast.stage.clock.advance(2 * MINUTE);
        let mut admin = desks.remove("admin").unwrap();
        for name in ["ended", "ended signer"] {
            assert_eq!(admin.form(&format!("/staff/{}/end", desks[name].id()), &[]).await.status, 303);
        }
        assert_eq!(desks["signed out"].form("/sign-out", &[]).await.status, 303);
        let mut proposer = desks.remove("another admin").unwrap();
        let change = proposal(&cast.stage, &mut proposer, "Nora Lang").await;
        let decided = &format!("/staff/changes/{}", proposal(&cast.stage, &mut proposer, "Rita Moss").await);
        let signed =
            admin.signed(&format!("{decided}/prompt"), &json!({}), &format!("{decided}/sign")).await.expect(200);
        let invite_code = proposer.get(decided).await.between(r#"<p class="acct">"#, "</p>");
        let (other, _) = cast.stage.holder("u-2").await;
        let phone = real_device(&cast.stage, cast.holder).await;
        let other_phone = real_device(&cast.stage, other).await;
        locked_and_removed(&cast.stage, cast.holder).await;

        let mut callers = vec![
            Caller::anonymous(),
            Caller::bearer("key of all", &cast.stage.key),
            Caller::bearer("made-up key", "cs_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
            Caller::cookie("device", "cs-device=cookie-of-u-1"),
            Caller::cookie("locked device", "cs-device=cookie-of-locked-device"),
            Caller::cookie("removed device", "cs-device=cookie-of-removed-device"),
            Caller::cookie("device of another", "cs-device=cookie-of-u-2"),
            Caller::cookie("made-up cookies", "cs-device=nobody; cs-staff=nobody; cs-browser=nobody"),
            Caller::desk("agent", &cast.agent),
            Caller::desk("old session", &old),
            Caller::desk("admin", &admin),
            Caller::desk("another admin", &proposer),
        ];
        for name in ["agent over", "ended", "ended signer", "signed out", "another agent", "auditor"] {
            callers.push(Caller::desk(name, &desks[name]));
        }
        callers.extend(keys(&cast.stage).await);
        let look = last(&cast.look().await);
        let (enrol, enrol_code) = enrolment(&cast.stage, "u-new").await;
        let lock = links::lock_page(&cast.stage.cx, cast.holder).unwrap();
        let links = BTreeMap::from([
            (Kind::Lock, token(&lock)),
            (Kind::Enrol, enrol),
            (Kind::Invite, last(signed["link"].as_str().unwrap())),
        ]);
        let entry = cast.stage.cx.store.audit_page(None, 1).await.unwrap()[0].1.id.to_string();
        let mut world = Self {
            http: client(&cast.stage.console_url, cast.stage.console),
            key: cast.stage.key.clone(),
            admin,
            proposer,
            phone,
            other_phone,
            other,
            callers,
            look,
            approval: String::new(),
            case: String::new(),
            asked_about: String::new(),
            drawn: (0, 0, 0),
            change,
            spare: desks["spare"].id().to_string(),
            leaver: desks["leaver"].id().to_string(),
            endpoint: String::new(),
            entry,
            delivery: String::new(),
            notice: String::new(),
            links,
            enrol_code,
            invite_code,
            serial: AtomicU32::new(0),
            cast,
        };
        world.new_endpoint().await;
        let all = world.callers[1].clone();
        let test = format!("/v1/webhooks/endpoints/{}/test", world.endpoint);
        let sent = world.ask("public", "POST", &test, &Body::Nothing, &all).await;
        world.delivery = read(&sent.1, "id");
        world.new_transfer().await;
        world.new_case().await;
        (world, alive)
    }

    async fn new_endpoint(&mut self) {
        let hooks = Body::Json(json!({"url": "https://hooks.example.com/in"}));
        let made = self.ask("public", "POST", "/v1/webhooks/endpoints", &hooks, &self.callers[1]).await;
        self.endpoint = read(&made.1, "id");
    }

    /// A link for a further holder's first device.
    pub(super) async fn new_enrolment(&mut self) {
        let (link, code) = enrolment(&self.cast.stage, &self.name("u-new")).await;
        self.links.insert(Kind::Enrol, link);
        self.enrol_code = code;
    }

    async fn new_transfer(&mut self) {
        self.retire(&self.approval).await;
        self.approval = self.cast.stage.transfer("u-1").await;
        let (cx, id) = (&self.cast.stage.cx, self.approval.parse::<ApprovalId>().unwrap());
        self.notice = cx.store.notices(id).await.unwrap()[0].id.to_string();
        self.links.insert(Kind::Cancel, token(&links::cancel_page(cx, id).unwrap()));
        self.links.insert(Kind::Wait, token(&links::waiting_page(cx, id).unwrap()));
    }

    /// Takes a transfer back, because only so many of one holder may wait.
    async fn retire(&self, approval: &str) {
        let cancel = format!("/v1/approvals/{approval}/cancel");
        self.ask("public", "POST", &cancel, &Body::Nothing, &self.callers[1]).await;
    }

    async fn new_case(&mut self) {
        self.retire(&self.asked_about).await;
        // As if the day were over for which a draw and a refusal stand.
        self.cast.stage.owner_runs("DELETE FROM overrides WHERE due_at IS NULL").await;
        self.asked_about = self.cast.stage.transfer("u-1").await;
        let approval = self.asked_about.clone();
        let fields = [("kind", "approve_for_holder"), ("approval", approval.as_str()), ("reason", REASON)];
        let id = opened(&self.cast.agent.form(&format!("/looks/{}/override", self.look), &fields).await);
        self.case = id.to_string();
        self.links.insert(Kind::Veto, token(&links::override_page(&self.cast.stage.cx, id).unwrap()));
        let (one, other, not) = self.cast.drawn(id).await;
        self.drawn = (one, other, not.expect("a third"));
    }

    /// Makes anew what a route would use up.
    pub async fn prepare(&mut self, (_, method, path, _): &Expected) {
        if *method == "GET" && !path.starts_with("/w/") {
            return;
        }
        if path.starts_with("/e/{token}/") {
            self.new_enrolment().await;
        }
        // Said again, it ends a lift that was asked for.
        if path.starts_with("/lock/") {
            let cx = &self.cast.stage.cx;
            freeze::by_lock_link(cx, &token(&links::lock_page(cx, self.other).unwrap())).await.unwrap();
        }
        if *method == "DELETE" && path.starts_with("/v1/webhooks/") {
            self.new_endpoint().await;
        }
        let of_transfer = ["/v1/approvals/", "/c/", "/w/"].iter().any(|start| path.starts_with(start));
        if of_transfer || path.contains("{approval}") || path.ends_with("/override") {
            self.new_transfer().await;
        }
        if path.ends_with("/extend") {
            // Only a hold that runs can be made longer.
            let approved = self.signed("/a/{approval}/approve").await.expect("what a device signs");
            self.told("public", &format!("/a/{}/approve", self.approval), approved, "device").await;
        }
        if path.contains("{change}") {
            let name = self.name("Nora Lang");
            self.change = proposal(&self.cast.stage, &mut self.proposer, &name).await;
        }
        if path.contains("{case}") || path.contains("{request}") || path.starts_with("/o/") {
            self.new_case().await;
        }
    }

    /// Everybody, the two kinds of signer as the present case has them.
    pub fn everybody(&self) -> Vec<Caller> {
        let mut all = self.callers.clone();
        all.push(Caller::desk("drawn signer", &self.cast.signers[self.drawn.0]));
        all.push(Caller::desk("other drawn signer", &self.cast.signers[self.drawn.1]));
        all.push(Caller::desk("signer who wasn't drawn", &self.cast.signers[self.drawn.2]));
        all
    }

    pub fn caller(&self, name: &str) -> Caller {
        self.everybody().into_iter().find(|caller| caller.name == name).expect("somebody who is there")
    }

    pub fn name(&self, kind: &str) -> String {
        format!("{kind}-of-coverage-{}", self.serial.fetch_add(1, Ordering::Relaxed))
    }

    /// Asks, as our own page would. A stream's answer isn't waited for.
    pub async fn ask(&self, listener: &str, method: &str, address: &str, body: &Body, by: &Caller) -> (u16, String) {
        let body = match body {
            Body::Nothing => None,
            Body::Json(json) => Some(("application/json", json.to_string().into_bytes())),
            Body::Form(fields) => {
                let text: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
                Some(("application/x-www-form-urlencoded", text.into_bytes()))
            }
        };
        let told = self.send((listener, method, address), body, by).await;
        (told.status, told.text)
    }

    /// The same with a body of any kind, byte for byte.
    pub async fn send(
        &self,
        (listener, method, address): (&str, &str, &str),
        body: Option<(&str, Vec<u8>)>,
        by: &Caller,
    ) -> Told {
        let base = if listener == "console" {
            self.cast.stage.console_url.clone()
        } else {
            self.cast.stage.cx.settings.public_url.clone()
        };
        let mut request = self
            .http
            .request(method.parse().unwrap(), base.join(address).unwrap())
            .header("sec-fetch-site", "same-origin")
            .header("origin", base.origin().ascii_serialization())
            .header("idempotency-key", self.name("a-key"));
        if let Some(cookie) = &by.cookie {
            request = request.header("cookie", cookie);
        }
        if let Some(bearer) = &by.bearer {
            request = request.bearer_auth(bearer);
        }
        if let Some((kind, bytes)) = body {
            request = request.header("content-type", kind).body(bytes);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let kind = answer.headers().get("content-type").and_then(|kind| kind.to_str().ok()).map(str::to_owned);
        let streams = kind.as_deref().is_some_and(|kind| kind.starts_with("text/event-stream"));
        let text = if streams { String::new() } else { answer.text().await.unwrap() };
        if listener == "public" && contract::is_described(address) {
            contract::check_exchange(method, address, None, status, kind.as_deref(), &text);
        }
        Told { status, kind: kind.unwrap_or_default(), text }
    }

    /// As if no code and no signature had been wrong yet, as only the database's owner can have it.
    pub async fn forget_tries(&self) {
        let forget =
            "UPDATE devices SET failures = 0; UPDATE enrol_links SET tries = 0; UPDATE staff_invites SET tries = 0";
        self.cast.stage.owner_runs(forget).await;
    }

    /// Everything that the record holds, but for the audit log, in which refusals stand, and the sessions, of which
    /// every use is noted: table by table.
    pub async fn record(&self) -> BTreeMap<String, String> {
        let mut record = self.everything().await;
        record.retain(|table, _| !["audit", "audit_base", "staff_sessions"].contains(&table.as_str()));
        for needed in ["approvals", "holders", "devices", "staff", "overrides", "staff_views", "freezes"] {
            assert!(record.contains_key(needed), "{needed} isn't compared");
        }
        record
    }

    /// The whole record, table by table.
    pub async fn everything(&self) -> BTreeMap<String, String> {
        let mut connection = file(&self.cast.stage).await;
        let tables: Vec<String> =
            sqlx::query_scalar("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
                .fetch_all(&mut connection)
                .await
                .unwrap();
        let mut record = BTreeMap::new();
        for table in tables {
            if table == "_sqlx_migrations" {
                continue;
            }
            let columns: Vec<String> = sqlx::query_scalar("SELECT name FROM pragma_table_info(?)")
                .bind(&table)
                .fetch_all(&mut connection)
                .await
                .unwrap();
            let row = columns.iter().map(|name| format!("quote(\"{name}\")")).collect::<Vec<_>>().join(" || ',' || ");
            let query = format!("SELECT coalesce(group_concat({row}, ';'), '') FROM \"{table}\"");
            let text: String = sqlx::query_scalar(sqlx::AssertSqlSafe(query)).fetch_one(&mut connection).await.unwrap();
            record.insert(table, text);
        }
        record
    }

    /// The key that may do everything, for the log of a failure not to show it.
    pub fn hide(&self, text: &str) -> String {
        text.replace(&self.key, "(key)").chars().take(160).collect()
    }
}

fn read(text: &str, field: &str) -> String {
    let value: Value = serde_json::from_str(text).unwrap_or(Value::Null);
    value[field].as_str().unwrap_or_else(|| panic!("no {field} in {text}")).to_owned()
}
