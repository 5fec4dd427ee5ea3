//! What the database's owner can do with rows that were once true, and with entries of their own: put back what was
//! ended, take the text of what tells of it, and explain that away.

use std::time::Duration;

use countersign::domain::approval::Actor;
use countersign::domain::audit::{AuditEntry, Facts};
use countersign::domain::backend::{Scope, Scopes};
use countersign::domain::details::Digest;
use countersign::domain::ids::{ChangeId, HolderId, InviteId, StaffId};
use countersign::domain::link::LinkRefusal;
use countersign::domain::staff::invite::{INVITE_LIFE, Invite, Origin};
use countersign::domain::staff::{Employer, EndReason, Group, Profile, Role, Roles, Staff};
use countersign::domain::text::Line;
use countersign::domain::verification::freezes::FreezeBreak;
use countersign::domain::verification::standing::Break;
use countersign::domain::verification::wrong::{Flaw, Wrong};
use countersign::ports::staff::StaffEffect;
use countersign::ports::{Change, Effect};
use countersign::service::audit::verify::{Fault, RowFlaw};
use countersign::service::staff::directory;
use countersign::service::{Error, backends, freeze, links};

use super::{Owner, Scene, row};
use crate::flow::world::device_key;

on_both!(
    an_entry_that_the_owner_adds_gets_no_place_and_keeps_nobody_waiting,
    an_entry_whose_text_was_changed_before_it_had_a_place_gets_none,
    a_cancelled_approval_put_back_and_explained_away_is_found,
    erased_entries_excuse_only_the_holder_who_was_erased,
    a_locked_device_put_back_is_found,
    what_goes_on_while_a_freeze_is_ended_by_hand_is_found,
    revoked_keys_put_back_are_found,
    a_member_of_staff_who_was_ended_and_is_put_back_is_found,
    rows_that_are_gone_are_missed,
    tries_of_a_code_wound_back_are_limited_elsewhere_and_found,
);

impl Scene {
    /// The holder of both approvals.
    async fn holder(&self) -> HolderId {
        self.world.cx.store.approval(self.cancelled).await.unwrap().unwrap().holder
    }

    fn entry(&self, kind: &'static str, object: &[&(dyn std::fmt::Display + Sync)], facts: Facts) -> AuditEntry {
        self.world.cx.entry(kind, Actor::Operator, object, facts, self.world.cx.now()).unwrap()
    }

    /// The service says so.
    async fn says(&self, kind: &'static str, object: &[&(dyn std::fmt::Display + Sync)], facts: Facts) {
        let change = Change::new(self.entry(kind, object, facts), Effect::Noted);
        self.world.cx.store.commit(change).await.unwrap();
        self.drain().await;
    }

    /// The owner says so, with a leaf that fits the text.
    async fn owner_says(&self, kind: &'static str, facts: Facts) -> ChangeId {
        let entry = self.entry(kind, &[], facts);
        let (salt, leaf) = (self.owner.bytes(&entry.salt), self.owner.bytes(entry.leaf_hash.bytes()));
        let (id, at, text) = (entry.id.uuid(), entry.at.micros(), &entry.canonical);
        let insert = match &self.owner {
            Owner::File(_) => format!(
                "INSERT INTO audit (id, at, kind, salt, canonical, leaf_hash) \
                 VALUES (x'{}', {at}, '{kind}', {salt}, '{text}', {leaf})",
                id.simple()
            ),
            Owner::Server(_) => format!(
                "INSERT INTO audit (place, id, at, kind, salt, canonical, leaf_hash) \
                 SELECT (pg_current_xact_id()::text::bigint + base) << 20, '{id}'::uuid, \
                 '1970-01-01T00:00:00Z'::timestamptz + {at} * interval '1 microsecond', '{kind}', {salt}, '{text}', {leaf} \
                 FROM audit_base"
            ),
        };
        self.owner.runs(&insert).await;
        entry.id
    }

    async fn empties(&self, kind: &str) {
        let empty = self.owner.bytes(&[]);
        self.owner.runs(&format!("UPDATE audit SET salt = {empty}, canonical = '' WHERE kind = '{kind}'")).await;
    }

    async fn keeps(&self, table: &str) {
        self.owner.runs(&format!("CREATE TABLE kept_{table} AS SELECT * FROM {table}")).await;
    }

    async fn puts_back(&self, table: &str) {
        self.owner.runs(&format!("DELETE FROM {table}")).await;
        self.owner.runs(&format!("INSERT INTO {table} SELECT * FROM kept_{table}")).await;
    }
}

fn entries(count: u32) -> Facts {
    Facts::from([("entries", count.to_string())])
}

fn flaw(fault: Fault) -> Flaw {
    match fault {
        Fault::Log(Wrong { flaw, .. }) => flaw,
        other => panic!("{other}"),
    }
}

async fn an_entry_that_the_owner_adds_gets_no_place_and_keeps_nobody_waiting(scene: Scene) {
    let forged = scene.owner_says("holder.erased", entries(1)).await;
    let found = flaw(scene.verify(&[]).await.unwrap_err());
    assert!(matches!(found, Flaw::Unsealed), "{found}");
    scene.world.create("u-1", "t-3").await.unwrap();
    scene.drain().await;
    let all = scene.record.audit.stored_entries(None, None, 1000).await.unwrap();
    assert!(all.iter().all(|entry| entry.id != forged));
    assert_eq!(scene.newest().await.size, all.len() as u64, "all others have their place");
    assert_eq!(all.iter().filter(|entry| entry.kind == "row.forged").count(), 1, "and it is raised");
    assert_eq!(scene.record.audit.refused_entries(10).await.unwrap(), [forged]);
    assert_eq!(row(&scene.verify(&[]).await.unwrap_err(), "audit_refused"), RowFlaw::Refused);
    // What was set aside is evidence, and nothing else.
    scene.owner.runs("DELETE FROM audit_refused").await;
    scene.verify(&[]).await.unwrap();
}

async fn an_entry_whose_text_was_changed_before_it_had_a_place_gets_none(scene: Scene) {
    scene.world.create("u-1", "t-3").await.unwrap();
    let all = scene.record.audit.stored_entries(None, None, 1000).await.unwrap();
    let last = all.last().unwrap();
    let edit = "UPDATE audit SET canonical = replace(canonical, '\"v\":1', '\"v\": 1')";
    scene.owner.runs(&format!("{edit} WHERE place = {}", last.place)).await;
    scene.drain().await;
    assert_eq!(scene.record.audit.refused_entries(10).await.unwrap(), [last.id]);
    assert!(scene.verify(&[]).await.is_err());
    // What has its place stays in it, whatever is asked for.
    let first = scene.place(0).await;
    scene.record.log.set_aside(&[first]).await.unwrap();
    assert_eq!(scene.place(0).await, first);
}

async fn a_cancelled_approval_put_back_and_explained_away_is_found(scene: Scene) {
    scene.owner.runs("DELETE FROM approvals").await;
    scene.owner.runs("INSERT INTO approvals SELECT * FROM kept").await;
    scene.empties("approval.cancelled").await;
    scene.owner_says("holder.erased", entries(1)).await;
    scene.drain().await;
    scene.owner.runs("DELETE FROM audit_refused").await;
    let found = flaw(scene.verify(&[]).await.unwrap_err());
    assert!(matches!(found, Flaw::Erased(1, 0)), "{found}");
}

async fn erased_entries_excuse_only_the_holder_who_was_erased(scene: Scene) {
    scene.empties("approval.opened").await;
    let somebody_else = HolderId::new(scene.world.cx.now(), [9; 10]);
    scene.says("holder.erased", &[&somebody_else], entries(2)).await;
    let found = flaw(scene.verify(&[]).await.unwrap_err());
    assert!(matches!(found, Flaw::Standing(Break::NeverOpened)), "{found}");
    scene.says("holder.erased", &[&scene.holder().await], entries(0)).await;
    assert_eq!(scene.verify(&[]).await.unwrap().log.erased, 2);
}

async fn a_locked_device_put_back_is_found(scene: Scene) {
    let cx = &scene.world.cx;
    let holder = scene.holder().await;
    let device = cx.store.devices(holder).await.unwrap().remove(0).body.id;
    scene.keeps("devices").await;
    let entry = cx.entry("device.locked", Actor::Device(device), &[&device], Facts::new(), cx.now()).unwrap();
    let effect = Effect::CountFailure { device, failures: 0, lock_at: Some(cx.now()) };
    cx.store.commit(Change::new(entry, effect)).await.unwrap();
    scene.drain().await;
    scene.verify(&[]).await.unwrap();
    scene.puts_back("devices").await;
    assert!(cx.store.devices(holder).await.unwrap()[0].locked_at.is_none(), "the seal fits");
    assert_eq!(row(&scene.verify(&[]).await.unwrap_err(), "devices"), RowFlaw::Alive);
}

async fn what_goes_on_while_a_freeze_is_ended_by_hand_is_found(scene: Scene) {
    let lock = links::lock_page(&scene.world.cx, scene.holder().await).unwrap();
    freeze::by_lock_link(&scene.world.cx, lock.path_segments().unwrap().next_back().unwrap()).await.unwrap();
    scene.world.later(Duration::from_secs(90)).await;
    scene.world.create("u-1", "t-3").await.unwrap_err();
    scene.owner.runs("UPDATE freezes SET ended_at = began_at").await;
    scene.world.create("u-1", "t-3").await.unwrap();
    scene.owner.runs("UPDATE freezes SET ended_at = NULL").await;
    scene.drain().await;
    let found = flaw(scene.verify(&[]).await.unwrap_err());
    assert!(matches!(found, Flaw::Freeze(FreezeBreak::Forbidden(_))), "{found}");
}

async fn revoked_keys_put_back_are_found(scene: Scene) {
    let cx = &scene.world.cx;
    let backend = cx.store.approval(scene.cancelled).await.unwrap().unwrap().backend;
    let key = backends::add_key(cx, backend, Scopes::of(&[Scope::Create])).await.unwrap();
    let (directory_key, _) = directory::add(cx).await.unwrap();
    for table in ["api_keys", "directory_keys"] {
        scene.keeps(table).await;
    }
    backends::revoke_key(cx, key.key).await.unwrap();
    directory::revoke(cx, directory_key).await.unwrap();
    scene.drain().await;
    scene.verify(&[]).await.unwrap();
    scene.puts_back("directory_keys").await;
    assert_eq!(row(&scene.verify(&[]).await.unwrap_err(), "directory_keys"), RowFlaw::Alive);
    scene.puts_back("api_keys").await;
    assert_eq!(row(&scene.verify(&[]).await.unwrap_err(), "api_keys"), RowFlaw::Alive);
}

async fn a_member_of_staff_who_was_ended_and_is_put_back_is_found(scene: Scene) {
    let cx = &scene.world.cx;
    let now = cx.now();
    let profile = Profile {
        name: Line::parse("Mara Lind").unwrap(),
        group: Group::parse("care").unwrap(),
        employer: Employer::parse("Teleplus").unwrap(),
        roles: Roles::of(&[Role::Agent]).unwrap(),
        ends_at: now + Duration::from_secs(30 * 24 * 3600),
        user_name: None,
        external_id: None,
        own_holders: Vec::new(),
        mail: None,
    };
    let staff = Staff::new(StaffId::new(now, [3; 10]), profile, now);
    let id = InviteId::new(now, [4; 10]);
    let expires_at = now + INVITE_LIFE;
    let invite = Invite {
        id,
        staff: staff.id,
        origin: Origin::Host,
        token_hash: Digest::of(id.bytes()),
        created_at: now,
        opens_at: now,
        expires_at,
        tries: 0,
        ended_at: None,
    };
    let version = |staff: &Staff| Facts::from([("staff_version", staff.version.to_string())]);
    let says = async |kind, staff: &Staff, effect| {
        let change = Change::new(scene.entry(kind, &[&staff.id], version(staff)), Effect::Staff(Box::new(effect)));
        cx.store.commit(change).await.unwrap();
        scene.drain().await;
        scene.verify(&[]).await.unwrap();
    };
    says("staff.invited_from_host", &staff, StaffEffect::Add { staff: Box::new(staff.clone()), invite }).await;
    scene.keeps("staff").await;
    let ended = staff.ended(Actor::Operator, EndReason::Admin, now).unwrap();
    let end = StaffEffect::End { staff: Box::new(ended.clone()), from: staff.version, by: None };
    says("staff.ended", &ended, end).await;
    let put_back = "UPDATE staff SET version = k.version, body = k.body, seal = k.seal FROM kept_staff k \
                    WHERE k.id = staff.id";
    scene.owner.runs(put_back).await;
    assert_eq!(scene.record.staff.person(staff.id).await.unwrap(), Some(staff), "the seal fits");
    assert_eq!(row(&scene.verify(&[]).await.unwrap_err(), "staff"), RowFlaw::Alive);
}

async fn rows_that_are_gone_are_missed(scene: Scene) {
    scene.owner.runs("DELETE FROM channels").await;
    let found = row(&scene.verify(&[]).await.unwrap_err(), "holders");
    assert_eq!(found, RowFlaw::Channels { row: 0, log: 1 });
    for table in ["holders", "devices"] {
        scene.owner.runs(&format!("DELETE FROM {table}")).await;
        assert_eq!(row(&scene.verify(&[]).await.unwrap_err(), table), RowFlaw::Missing);
    }
}

async fn tries_of_a_code_wound_back_are_limited_elsewhere_and_found(scene: Scene) {
    let world = &scene.world;
    world.holder("u-2", &["u-2"]).await;
    let token = world.invite("u-2", "invite-u-2").await.unwrap();
    let soft = countersign::authenticator::SoftBrowser::new(
        world.origin.clone(),
        countersign::authenticator::SoftAuthenticator::device_bound(),
    )
    .unwrap();
    let name = || countersign::domain::device::DeviceName::parse("Mine").unwrap();
    let mut wrong = 0;
    let end = loop {
        scene.owner.runs("UPDATE enrol_links SET tries = 0").await;
        match countersign::service::enrol::start(&world.cx, &token, "no code", name(), device_key(&soft)).await {
            Err(Error::WrongCode) => wrong += 1,
            other => break other.map(|_| ()),
        }
        assert!(wrong < 100, "without an end");
    };
    assert!(matches!(end, Err(Error::Link(LinkRefusal::CodeUsedUp))), "{end:?}");
    assert_eq!(wrong, 10);
    scene.drain().await;
    let found = flaw(scene.verify(&[]).await.unwrap_err());
    assert!(matches!(found, Flaw::WoundBack(_)), "{found}");
}
