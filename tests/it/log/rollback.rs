//! A database from before the high-water mark approves, releases and redeems nothing until it is recovered: SQLite's
//! file copied back, and PostgreSQL's newest rows deleted by whoever owns it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::signature::Ed25519KeyPair;
use countersign::adapters::high_water::FileMark;
use countersign::adapters::storage::postgres::Committers;
use countersign::adapters::storage::sqlite::SqliteStore;
use countersign::adapters::timing::SystemClock;
use countersign::authenticator::SoftAuthenticator;
use countersign::domain::approval::transitions::{Guard, Transition};
use countersign::domain::approval::{Approval, Decider, Decision, Distinct, State, StateName, Told};
use countersign::domain::details::Digest;
use countersign::domain::event::EventKind;
use countersign::domain::log::{Checkpoint, LogKeys, Note, Origin, TileAt, tree};
use countersign::domain::policy::{Assurance, Terms, Unproved};
use countersign::domain::witness::quorum::Quorum;
use countersign::domain::witness::{AddCheckpoint, Refusal};
use countersign::domain::{ApprovalId, ChangeId, ChannelId};
use countersign::ports::log::{LogStore, MarkFile};
use countersign::ports::{Change, CheckpointSigner, Clock, Effect};
use countersign::service::log::{Log, RolledBack};
use countersign::service::release::{self, Outcome};
use countersign::service::{Browser, Error, log, recover, redeem};
use countersign::witness::{Witness, WitnessError};
use serde_json::json;

use crate::flow::world::{Kit, Phone, World, key};
use crate::storage_sql::make;
use crate::support::approved;
use crate::support::clock::ManualClock;
use crate::support::eventually::eventually;
use crate::support::log::{log_renamed, log_with, signer};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// Three approvals whose next step is an approve, a release and a redeem.
struct Scene {
    world: World,
    phone: Phone,
    pending: ApprovalId,
    cooling: ApprovalId,
    released: ApprovalId,
}

async fn drain(world: &World) {
    while log::turn(&world.cx).await.unwrap() > 0 {}
}

/// Puts a pending approval into a state behind its decision, as the service would have left it.
async fn put(world: &World, id: ApprovalId, state: impl FnOnce(Decision, Told) -> State) {
    let from = world.state(id).await;
    let approved_at = world.clock.now() - HOUR;
    let decision = Decision {
        by: Decider::Device {
            device: world.cx.store.devices(from.holder).await.unwrap()[0].body.id,
            device_enrolled_at: approved_at - HOUR,
            assurance: Assurance::DeviceBound,
            distinct: Distinct::Observed,
        },
        approved_at,
        hold: 15 * MINUTE,
        challenge: Digest::of(b"challenge"),
    };
    let told = Told { channel: world.cx.id(ChannelId::new, approved_at), delivered_at: approved_at };
    // As in the demo: the notice of these cases is delivered a moment before the release.
    let terms = Terms { told_before: Duration::ZERO, ..from.terms.clone() };
    let next = Approval { version: from.version + 1, state: state(decision.clone(), told), terms, ..from.clone() };
    let transition =
        Transition { approval: next.clone(), from: from.version, event: EventKind::Cooling, guard: Guard::default() };
    let effect = Effect::Transition { transition: Box::new(transition), proof: None, receipt: None };
    let entry = approved::entry(world.cx.id(ChangeId::new, approved_at), approved_at, &next, &decision);
    let mut change = Change::new(entry, effect);
    change.evidence = Some(approved::evidence(&next, &decision));
    // The holder was told of it on their inbox.
    let channels = world.cx.store.channels(next.holder).await.unwrap();
    change.notices = countersign::service::notify::cooling(&world.cx, &next, &channels, approved_at);
    world.cx.store.commit(change).await.unwrap();
}

impl Scene {
    async fn of(kit: Kit) -> Self {
        let world = World::over(kit, Unproved::HoldFor(HOUR), Assurance::Synced, Duration::ZERO).await;
        let phone = world.enrolled("u-1", SoftAuthenticator::device_bound()).await;
        let (pending, waiting) = world.create("u-1", "to-approve").await.unwrap();
        world.watch(&waiting, &Browser::default(), &[]).await.unwrap();
        let now = world.clock.now();
        let (cooling, _) = world.create("u-1", "to-release").await.unwrap();
        let cooling_until = now - 10 * MINUTE;
        put(&world, cooling, |decision, _| State::Cooling { decision, cooling_until }).await;
        let (released, _) = world.create("u-1", "to-redeem").await.unwrap();
        let until = now + 24 * HOUR;
        put(&world, released, |decision, told| State::Released {
            decision,
            told,
            released_at: now,
            redeem_until: until,
        })
        .await;
        while countersign::workers::notices::turn(&world.cx, &world.senders).await.unwrap() > 0 {}
        drain(&world).await;
        Self { world, phone, pending, cooling, released }
    }

    /// More entries, all signed: what will be lost.
    async fn goes_on(&self) {
        self.world.holder("u-2", &["u-2"]).await;
        self.world.holder("u-3", &["u-3"]).await;
        drain(&self.world).await;
    }

    async fn redeem(&self) -> Result<redeem::Redeemed, Error> {
        let digest = self.world.state(self.released).await.digest();
        redeem::redeem(&self.world.cx, &self.world.caller, self.released, digest, key("redeem")).await
    }

    /// Approve, release and redeem refuse, and nothing is signed.
    async fn refuses(&mut self) {
        let approve = self.world.approve(&mut self.phone, self.pending).await;
        assert!(matches!(approve, Err(Error::RolledBack(RolledBack::Smaller { .. }))), "{approve:?}");
        let outcomes = release::fall_due(&self.world.cx, &[self.cooling]).await.unwrap();
        assert!(matches!(outcomes[..], [Outcome::Later(..)]), "{outcomes:?}");
        let redeemed = self.redeem().await;
        assert!(matches!(redeemed, Err(Error::RolledBack(RolledBack::Smaller { .. }))), "{redeemed:?}");
        let size = self.world.cx.log.store.newest().await.unwrap().unwrap().head.size;
        self.world.holder("u-4", &["u-4"]).await;
        assert!(matches!(log::turn(&self.world.cx).await, Err(Error::RolledBack(_))));
        assert_eq!(self.world.cx.log.store.newest().await.unwrap().unwrap().head.size, size, "nothing is signed");
        for (id, state) in [
            (self.pending, StateName::Pending),
            (self.cooling, StateName::Cooling),
            (self.released, StateName::Released),
        ] {
            self.world.is(id, state, None).await;
        }
    }

    async fn is_recovered(&mut self, file: &Path) {
        let old = self.world.cx.log.signer.keys().clone();
        let marked = std::fs::read_to_string(file).unwrap();
        // Under the name that it was published with, the log that goes on would be a fork.
        let refused = recover::recover(&self.world.cx).await;
        assert!(matches!(refused, Err(Error::RolledBack(RolledBack::NameSpent(_)))), "{refused:?}");
        self.world.is(self.pending, StateName::Pending, None).await;
        let lost = old.open_of_any_time(&marked.parse().unwrap()).unwrap();
        self.world.cx.log =
            log_renamed(self.world.cx.log.store.clone(), Arc::new(FileMark::new(file.to_owned()))).await;
        assert!(matches!(log::look(&self.world.cx).await, Err(Error::RolledBack(RolledBack::Smaller { .. }))));
        let done = recover::recover(&self.world.cx).await.unwrap();
        assert_eq!(done.cancelled, 3);
        for id in [self.pending, self.cooling, self.released] {
            self.world.is(id, StateName::Cancelled, Some("recovered")).await;
        }
        let page = self.world.cx.store.audit_page(None, 10_000).await.unwrap();
        let told: Vec<_> = page.iter().filter(|(_, entry)| entry.kind == "log.recovered").collect();
        let [(_, told)] = told[..] else { panic!("{told:?}") };
        let told: serde_json::Value = serde_json::from_str(&told.canonical).unwrap();
        let facts = &told["facts"];
        assert_eq!(facts["lost_origin"], "approve.example/log");
        assert_eq!(
            (&facts["mark"], &facts["lost_root"]),
            (&json!(lost.size.to_string()), &json!(lost.root.to_string()))
        );
        assert_eq!(facts["origin"], "approve.example/log-2");
        assert_ne!(std::fs::read_to_string(file).unwrap(), marked, "the mark is set anew");
        assert_eq!(self.world.audit().await.len() as u64, done.size, "everything is signed again");
        self.is_witnessed_anew(&marked.parse().unwrap(), &old).await;
        let again = recover::recover(&self.world.cx).await;
        assert!(matches!(again, Err(Error::Conflict)), "{again:?}");
        // Life goes on.
        let (id, waiting) = self.world.create("u-1", "afterwards").await.unwrap();
        self.world.watch(&waiting, &Browser::default(), &[]).await.unwrap();
        self.world.approve(&mut self.phone, id).await.unwrap();
        drain(&self.world).await;
    }
}

impl Scene {
    /// What the operator of a witness sees and does: the log of the old name isn't cosigned any further, that of the new
    /// name is unknown until it is added, and what was cosigned before stays good.
    async fn is_witnessed_anew(&self, lost: &Note, old: &LogKeys) {
        let folder = tempfile::tempdir().unwrap();
        let memory = folder.path().join("seen.json");
        let pkcs8 = Ed25519KeyPair::generate().unwrap().to_pkcs8().unwrap();
        let witness = |logs: &[&LogKeys]| {
            let name = Origin::parse("witness.example").unwrap();
            Witness::open(name, pkcs8.as_ref(), logs.iter().map(|keys| (*keys).clone()).collect(), &memory).unwrap()
        };
        let now = self.world.clock.now();
        let first = AddCheckpoint { old: 0, proof: vec![], checkpoint: lost.clone() };
        let before = witness(&[old]);
        before.add_checkpoint(&first.to_string(), now).unwrap();
        let newest = self.world.cx.log.store.newest().await.unwrap().unwrap();
        let renamed: Note = newest.note.parse().unwrap();
        let added = AddCheckpoint { checkpoint: renamed.clone(), ..first.clone() };
        let unknown = before.add_checkpoint(&added.to_string(), now).unwrap_err();
        assert!(matches!(unknown, WitnessError::Refused(Refusal::UnknownLog)), "{unknown}");
        // The same tree under the old name, as a service that was not renamed would have signed it.
        let head = newest.head;
        let forked = Checkpoint { origin: old.origin.clone(), size: head.size, root: head.root };
        let size = old.open_of_any_time(lost).unwrap().size;
        let tiles =
            self.world.cx.log.store.tiles(&TileAt::all_of(&tree::consistency_nodes(size, head.size))).await.unwrap();
        let proof = tree::consistency(size, head.size, &tiles).unwrap_or_default();
        let forked = AddCheckpoint { old: size, proof, checkpoint: signer().sign(&forked).unwrap() };
        let refused = before.add_checkpoint(&forked.to_string(), now);
        assert!(matches!(refused, Err(WitnessError::Refused(_))), "{refused:?}");
        // Its operator adds the new name: the key that `/log/keys` shows first.
        let new = self.world.cx.log.signer.keys();
        let after = witness(&[old, &LogKeys::of(&[new.keys[0].key.clone()]).unwrap()]);
        let signature = after.add_checkpoint(&added.to_string(), now).unwrap();
        let mut cosigned = renamed;
        cosigned.add(signature);
        assert_eq!(Quorum::new(vec![after.key().clone()], 1).unwrap().check(&cosigned).map(|seen| seen.len()), Ok(1));
        assert_eq!(new.open(&cosigned, now).unwrap().origin.as_str(), "approve.example/log-2");
        // What was signed under the old name is believed with the keys as they are published now.
        assert_eq!(new.open(lost, now).unwrap(), old.open(lost, now).unwrap());
    }
}

async fn log_over(store: Arc<dyn LogStore>, file: &Path) -> Log {
    let file: Arc<dyn MarkFile> = Arc::new(FileMark::new(file.to_owned()));
    log_with(store, file).await
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(SystemClock.now()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sqlite_file_that_was_copied_back_is_refused_until_it_is_recovered() {
    let folder = tempfile::tempdir().unwrap();
    let (record, backup, mark) =
        (folder.path().join("record.db"), folder.path().join("backup.db"), folder.path().join("high-water"));
    let clock = clock();
    let open = async || {
        let store = SqliteStore::open(&record, make::secrets(), clock.clone()).await.unwrap();
        store.migrate().await.unwrap();
        Arc::new(store)
    };
    let mut store = open().await;
    let kit = Kit { store: store.clone(), log: log_over(store.clone(), &mark).await, clock: clock.clone() };
    let mut scene = Scene::of(kit).await;
    // The world's own secrets seal what the backend keeps; the record's seals are the store's.
    for (first, from, to) in [(true, &record, &backup), (false, &backup, &record)] {
        if !first {
            scene.goes_on().await;
        }
        store.close().await;
        scene.world.cx.store = Arc::new(crate::support::memory_store::MemoryStore::new(clock.clone()));
        scene.world.cx.log.store = Arc::new(crate::support::memory_store::MemoryStore::new(clock.clone()));
        drop(store);
        // The last connection empties the write-ahead log into the file when it closes, on a thread of its own.
        eventually("the whole record in its one file", async || {
            let beside = |ending: &str| Path::new(&format!("{}{ending}", record.display())).exists();
            (!beside("-wal") && !beside("-shm")).then_some(())
        })
        .await;
        std::fs::copy(from, to).unwrap();
        store = open().await;
        scene.world.cx.store = store.clone();
        scene.world.cx.log = log_over(store.clone(), &mark).await;
        if first {
            log::look(&scene.world.cx).await.unwrap();
        }
    }
    assert!(matches!(log::look(&scene.world.cx).await, Err(Error::RolledBack(RolledBack::Smaller { .. }))));
    scene.refuses().await;
    scene.is_recovered(&mark).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_log_whose_newest_entries_were_deleted_is_refused_until_it_is_recovered() {
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("high-water");
    let server = make::server();
    let store = make::postgres_at(&server.url("postgres"), Committers::Two).await;
    let kit = Kit { store: store.clone(), log: log_over(store.clone(), &mark).await, clock: clock() };
    let mut scene = Scene::of(kit).await;
    let place = store.newest().await.unwrap().unwrap().place;
    scene.goes_on().await;
    server.sql("postgres", &format!("DELETE FROM audit WHERE place > {place}"));
    server.sql("postgres", &format!("DELETE FROM log_checkpoints WHERE place > {place}"));
    scene.refuses().await;
    // A row that nobody with the key wrote keeps none of the others from being cancelled.
    let copy = "INSERT INTO approvals SELECT gen_random_uuid(), backend_id, holder_id, 'copied', subject, 'cooling', \
                reason, version, created_at, expires_at, cooling_until, approved_at, redeem_until, now(), decided_by, \
                body, details, seal, receipt, slot FROM approvals LIMIT 1";
    server.sql("postgres", copy);
    scene.is_recovered(&mark).await;
    assert!(scene.world.audit().await.contains(&"row.forged"));
}

/// Whoever owns the database and not the key rewrites the log: the same size, or a larger one, with other leaves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rewritten_log_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("high-water");
    let (store, _folder) = make::sqlite_with(clock()).await;
    let kit = Kit { store: store.clone(), log: log_over(store.clone(), &mark).await, clock: clock() };
    let scene = Scene::of(kit).await;
    let newest = store.newest().await.unwrap().unwrap();
    // Another log of the same key that was never this one, and is larger.
    let (other, _other_folder) = make::sqlite_with(clock()).await;
    let kit =
        Kit { store: other.clone(), log: log_over(other.clone(), &folder.path().join("other")).await, clock: clock() };
    let fork = Scene::of(kit).await;
    fork.goes_on().await;
    assert!(other.newest().await.unwrap().unwrap().head.size > newest.head.size);
    let mut cx = scene.world.cx.clone();
    cx.log.store = other.clone();
    assert!(matches!(log::look(&cx).await, Err(Error::RolledBack(RolledBack::Forked))));
    // Known from then on, whatever the size.
    assert!(matches!(log::ensure_whole(&cx).await, Err(Error::RolledBack(RolledBack::Forked))));
    assert_eq!(cx.log.mark.least(), u64::MAX);
}

#[tokio::test]
async fn a_mark_that_is_no_checkpoint_of_ours_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("high-water");
    let keys = countersign::ports::CheckpointSigner::keys(&crate::support::log::signer()).clone();
    let open = async |text: &str| {
        std::fs::write(&file, text).unwrap();
        log::HighWater::open(Arc::new(FileMark::new(file.clone())), &keys).await.map(|mark| mark.least())
    };
    for bad in [
        "",
        "17",
        "approve.example/log\n5\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n\u{2014} approve.example/log AAAAAAAA\n",
    ] {
        assert!(open(bad).await.is_err(), "{bad:?}");
    }
}
