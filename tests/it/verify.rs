//! `audit verify` on real databases: an honest record passes, whole and as an export; and whatever the database's owner
//! does, who can write every row and has no key, is found and named.

mod erased;
mod staff;

use std::sync::Arc;
use std::time::Duration;

use countersign::adapters::storage::postgres::Committers;
use countersign::adapters::timing::SystemClock;
use countersign::authenticator::SoftAuthenticator;
use countersign::domain::ApprovalId;
use countersign::domain::approval::{Actor, CancelReason};
use countersign::domain::export::Line;
use countersign::domain::log::tree::Head;
use countersign::domain::policy::{Assurance, Unproved};
use countersign::domain::report::Range;
use countersign::domain::verification::evidence::{Site, Sites};
use countersign::domain::verification::run::{Summary, Verifier};
use countersign::domain::verification::wrong::{Flaw, Place, Wrong};
use countersign::ports::audit::{AuditStore, CursorStore};
use countersign::ports::log::{CheckpointSigner, LogStore};
use countersign::ports::witness::CosignatureStore;
use countersign::ports::{Clock, StaffStore, Store};
use countersign::service::audit::Record;
use countersign::service::audit::export::{Asked, Proofs, export};
use countersign::service::audit::third_party::third_party;
use countersign::service::audit::verify::{Checked, Fault, RowFlaw, verify};
use countersign::service::{Browser, commit, log};

use crate::flow::world::{Kit, World};
use crate::storage_sql::make;
use crate::support::clock::ManualClock;
use crate::support::log::{log as log_over, signer};
use crate::support::owner::Owner;

use erased::{
    an_entry_emptied_under_the_name_of_an_erasure_is_named, an_erasure_goes_on_where_it_was_left,
    nothing_of_an_erased_holder_is_left_and_every_proof_stays,
};

/// A record with an enrolled phone, one approval in cooling and one that was cancelled out of it.
struct Scene {
    world: World,
    record: Record,
    owner: Owner,
    cancelled: ApprovalId,
    cursors: Arc<dyn CursorStore>,
    cosignatures: Arc<dyn CosignatureStore>,
    _folder: Option<tempfile::TempDir>,
}

impl Scene {
    async fn on_sqlite() -> Self {
        let clock = Arc::new(ManualClock::at(SystemClock.now()));
        let (store, folder) = make::sqlite_with(clock.clone()).await;
        let owner = Owner::File(folder.path().join("record.db"));
        Self::of(store, owner, clock, Some(folder)).await
    }

    async fn on_postgres() -> Self {
        let clock = Arc::new(ManualClock::at(SystemClock.now()));
        let server = make::server();
        let store = make::postgres_at(&server.url("postgres"), Committers::Two).await;
        Self::of(store, Owner::Server(server), clock, None).await
    }

    async fn of<S>(store: Arc<S>, owner: Owner, clock: Arc<ManualClock>, folder: Option<tempfile::TempDir>) -> Self
    where
        S: Store + LogStore + AuditStore + StaffStore + CursorStore + CosignatureStore + 'static,
    {
        let cursors: Arc<dyn CursorStore> = store.clone();
        let cosignatures: Arc<dyn CosignatureStore> = store.clone();
        let kit = Kit { store: store.clone(), log: log_over(store.clone()).await, clock };
        let unproved = Unproved::HoldFor(Duration::from_secs(3600));
        let mut world = World::over(kit, unproved, Assurance::Synced, Duration::ZERO).await;
        world.cx.staff = store.clone();
        let site = Site { rp_id: "approve.example".into(), origin: "https://approve.example".into() };
        let record = Record {
            audit: store.clone(),
            log: store.clone(),
            staff: store,
            keys: signer().keys().clone(),
            sites: Sites { holders: site, console: None },
            witnesses: None,
        };
        let mut phone = world.enrolled("u-1", SoftAuthenticator::device_bound()).await;
        let mut ids = Vec::new();
        for transfer in ["t-1", "t-2"] {
            let (id, waiting) = world.create("u-1", transfer).await.unwrap();
            world.watch(&waiting, &Browser::default(), &[]).await.unwrap();
            world.approve(&mut phone, id).await.unwrap();
            ids.push(id);
        }
        let scene = Self { world, record, owner, cancelled: ids[1], cursors, cosignatures, _folder: folder };
        scene.owner.runs("CREATE TABLE kept AS SELECT * FROM approvals").await;
        scene.cancel(ids[1]).await;
        scene.drain().await;
        scene
    }

    async fn cancel(&self, id: ApprovalId) {
        let approval = self.world.cx.store.approval(id).await.unwrap().unwrap();
        let now = self.world.cx.now();
        let stop = approval.cancel(CancelReason::BackendCancelled, Actor::Service, now).unwrap();
        commit::transition(&self.world.cx, stop, Actor::Service, commit::With::default(), now).await.unwrap();
    }

    async fn drain(&self) {
        while log::turn(&self.world.cx).await.unwrap() > 0 {}
    }

    async fn newest(&self) -> Head {
        self.record.log.newest().await.unwrap().unwrap().head
    }

    async fn verify(&self, known: &[Head]) -> Result<Checked, Fault> {
        verify(&self.record, known, self.world.cx.now(), |_| {}).await
    }

    /// What verification says, as text for a failing test, and the index of the entry it names.
    async fn finds(&self) -> (Option<u64>, Fault) {
        let fault = self.verify(&[]).await.unwrap_err();
        let index = match &fault {
            Fault::Log(Wrong { place: Place::Entry { index, .. }, .. }) => Some(*index),
            _ => None,
        };
        (index, fault)
    }

    async fn lines(&self, asked: &Asked) -> Vec<Line> {
        let mut lines = Vec::new();
        let done = export(&self.record, asked, self.world.cx.now(), |out| -> Result<(), std::convert::Infallible> {
            lines.push(out.line);
            Ok(())
        });
        done.await.unwrap();
        lines
    }

    /// The place of the entry with this index.
    async fn place(&self, index: usize) -> i64 {
        self.record.audit.stored_entries(None, None, 1000).await.unwrap()[index].place
    }
}

fn offline(lines: Vec<Line>) -> Result<Summary, Wrong> {
    let mut verifier = Verifier::new(Some(signer().keys().clone()));
    for line in lines {
        let text = serde_json::to_string(&line).unwrap();
        verifier.take(serde_json::from_str(&text).unwrap())?;
    }
    verifier.finish()
}

fn row(fault: &Fault, table: &str) -> RowFlaw {
    match fault {
        Fault::Row { table: named, flaw, .. } if *named == table => flaw.clone(),
        other => panic!("{other}"),
    }
}

macro_rules! on_both {
    ($($case:ident),+ $(,)?) => {
        mod on_sqlite {$(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(super::Scene::on_sqlite().await).await;
            }
        )+}
        mod on_postgres {$(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(super::Scene::on_postgres().await).await;
            }
        )+}
    };
}

mod cosigned;
mod owner;

on_both!(
    an_honest_record_verifies_and_so_does_its_export,
    a_part_of_the_log_verifies_with_its_proofs,
    an_edited_entry_is_named,
    an_entry_rewritten_with_its_leaf_is_named,
    a_deleted_entry_is_named,
    the_newest_entries_deleted_are_missed,
    a_database_rolled_back_is_known_by_the_checkpoint_kept_elsewhere,
    a_forged_cooling_row_is_found,
    a_swapped_device_key_is_found,
    a_cancelled_approval_restored_is_found,
    a_deleted_approval_is_missed,
    deleted_evidence_is_missed,
    erased_entries_keep_the_tree_valid_and_are_counted,
    a_cursor_belongs_to_one_node_at_a_time,
    nothing_of_an_erased_holder_is_left_and_every_proof_stays,
    an_entry_emptied_under_the_name_of_an_erasure_is_named,
    an_erasure_goes_on_where_it_was_left,
);

async fn an_honest_record_verifies_and_so_does_its_export(scene: Scene) {
    let head = scene.newest().await;
    let checked = scene.verify(&[head]).await.unwrap();
    assert_eq!((checked.log.size, checked.log.root), (head.size, head.root));
    assert_eq!((checked.log.evidence, checked.log.approvals, checked.waiting), (3, 2, 0));
    assert!(checked.sealed_rows >= 5);
    let summary = offline(scene.lines(&Asked::EVERYTHING).await).unwrap();
    assert_eq!(summary, checked.log);
    // What waits for its place counts as well.
    scene.world.create("u-1", "t-3").await.unwrap();
    assert!(scene.verify(&[head]).await.unwrap().waiting > 0);
    let range = Range { from: scene.world.cx.now() - Duration::from_secs(600), to: scene.world.cx.now() };
    assert_eq!(third_party(&scene.record, range).await.unwrap().lines, vec![], "nobody of staff was there");
}

async fn a_part_of_the_log_verifies_with_its_proofs(scene: Scene) {
    let entries = scene.record.audit.stored_entries(None, None, 1000).await.unwrap();
    let (from, to) = (entries[3].at, entries[entries.len() - 2].at);
    let asked = Asked { from: Some(from), to: Some(to), proofs: Proofs::With };
    let lines = scene.lines(&asked).await;
    let count = lines.iter().filter(|line| matches!(line, Line::Entry(entry) if entry.proof.is_some())).count();
    let summary = offline(lines.clone()).unwrap();
    assert_eq!((summary.entries, summary.root), (count as u64, scene.newest().await.root));
    assert!(count > 0 && count < entries.len());
    // The proof of another entry is none.
    let mut swapped = lines;
    let proofs: Vec<_> =
        swapped.iter().filter_map(|line| if let Line::Entry(e) = line { e.proof.clone() } else { None }).collect();
    let first = swapped.iter_mut().find_map(|line| if let Line::Entry(entry) = line { Some(entry) } else { None });
    first.unwrap().proof = proofs.last().cloned();
    assert!(matches!(offline(swapped).unwrap_err().flaw, Flaw::Proof(_)));
}

async fn an_edited_entry_is_named(scene: Scene) {
    let place = scene.place(4).await;
    let edit = "UPDATE audit SET canonical = replace(canonical, '\"v\":1', '\"v\": 1')";
    scene.owner.runs(&format!("{edit} WHERE place = {place}")).await;
    let (index, fault) = scene.finds().await;
    assert_eq!(index, Some(4), "{fault}");
    let wrong = offline(scene.lines(&Asked::EVERYTHING).await).unwrap_err();
    assert!(matches!((wrong.place, &wrong.flaw), (Place::Entry { index: 4, .. }, Flaw::Leaf)), "{wrong}");
}

async fn an_entry_rewritten_with_its_leaf_is_named(scene: Scene) {
    let entry = scene.record.audit.stored_entries(None, None, 1000).await.unwrap().remove(2);
    let salt: [u8; 16] = entry.salt.unwrap().0.try_into().unwrap();
    let text = entry.canonical.unwrap().replace("\"kind\":\"", "\"kind\":\"x");
    let leaf = countersign::domain::audit::leaf_hash(&countersign::domain::audit::commitment(&salt, text.as_bytes()));
    let leaf = scene.owner.bytes(leaf.bytes());
    let edit = format!("UPDATE audit SET canonical = '{text}', leaf_hash = {leaf} WHERE place = {}", entry.place);
    scene.owner.runs(&edit).await;
    let (index, fault) = scene.finds().await;
    assert_eq!(index, Some(2), "{fault}");
}

async fn a_deleted_entry_is_named(scene: Scene) {
    let place = scene.place(3).await;
    scene.owner.runs(&format!("DELETE FROM audit WHERE place = {place}")).await;
    let (index, fault) = scene.finds().await;
    assert_eq!(index, Some(3), "{fault}");
}

async fn the_newest_entries_deleted_are_missed(scene: Scene) {
    let place = scene.place(4).await;
    scene.owner.runs(&format!("DELETE FROM audit WHERE place > {place}")).await;
    let (_, fault) = scene.finds().await;
    assert!(matches!(&fault, Fault::Log(Wrong { flaw: Flaw::Size(None), .. })), "{fault}");
    assert!(offline(scene.lines(&Asked::EVERYTHING).await).is_err());
}

async fn a_database_rolled_back_is_known_by_the_checkpoint_kept_elsewhere(scene: Scene) {
    let before = scene.newest().await;
    let signed = scene.record.log.newest().await.unwrap().unwrap();
    scene.world.create("u-1", "t-3").await.unwrap();
    scene.drain().await;
    let kept = scene.newest().await;
    assert!(kept.size > before.size);
    // As a copy from before: what came after is gone everywhere.
    scene.owner.runs(&format!("DELETE FROM audit WHERE place > {}", signed.place)).await;
    scene.owner.runs(&format!("DELETE FROM log_checkpoints WHERE size > {}", before.size)).await;
    scene.owner.runs("DELETE FROM approvals WHERE transfer_id = 't-3'").await;
    scene.verify(&[before]).await.unwrap();
    let fault = scene.verify(&[before, kept]).await.unwrap_err();
    let rolled_back = Flaw::RolledBack { size: before.size, known: kept.size }.to_string();
    assert!(matches!(&fault, Fault::Log(wrong) if wrong.flaw.to_string() == rolled_back), "{fault}");
    let other = Head { size: before.size, root: kept.root };
    let fault = scene.verify(&[other]).await.unwrap_err();
    assert!(matches!(&fault, Fault::Log(Wrong { flaw: Flaw::Rewritten, .. })), "{fault}");
}

async fn a_forged_cooling_row_is_found(scene: Scene) {
    let edit = "UPDATE approvals SET body = replace(body, '\"hold\":900000000', '\"hold\":1') WHERE state = 'cooling'";
    scene.owner.runs(edit).await;
    let (_, fault) = scene.finds().await;
    assert_eq!(row(&fault, "approvals"), RowFlaw::Forged);
}

async fn a_swapped_device_key_is_found(scene: Scene) {
    let thumbprint = scene.owner.bytes(&[7; 32]);
    scene.owner.runs(&format!("UPDATE devices SET thumbprint = {thumbprint}")).await;
    let (_, fault) = scene.finds().await;
    assert_eq!(row(&fault, "devices"), RowFlaw::Corrupt);
    scene.owner.runs("UPDATE devices SET body = replace(body, '\"key\":\"B', '\"key\":\"BA')").await;
    let (_, fault) = scene.finds().await;
    assert_eq!(row(&fault, "devices"), RowFlaw::Forged);
}

/// Its old row comes back whole, with its old seal, which fits.
async fn a_cancelled_approval_restored_is_found(scene: Scene) {
    scene.owner.runs("DELETE FROM approvals").await;
    scene.owner.runs("INSERT INTO approvals SELECT * FROM kept").await;
    assert!(scene.world.cx.store.approval(scene.cancelled).await.unwrap().is_some(), "the seal fits");
    let fault = scene.verify(&[]).await.unwrap_err();
    assert!(matches!(row(&fault, "approvals"), RowFlaw::State { .. }), "{fault}");
    assert!(fault.to_string().contains(&scene.cancelled.to_string()), "{fault}");
}

async fn a_deleted_approval_is_missed(scene: Scene) {
    scene.owner.runs("DELETE FROM approvals WHERE state = 'cancelled'").await;
    let (_, fault) = scene.finds().await;
    assert_eq!(row(&fault, "approvals"), RowFlaw::Missing);
}

async fn deleted_evidence_is_missed(scene: Scene) {
    scene.owner.runs("DELETE FROM evidence WHERE approval_id IS NOT NULL").await;
    let (index, fault) = scene.finds().await;
    assert!(matches!(&fault, Fault::Log(Wrong { flaw: Flaw::NoEvidence, .. })), "{fault}");
    let entries = scene.record.audit.stored_entries(None, None, 1000).await.unwrap();
    let first = entries.iter().position(|entry| entry.kind == "approval.approved").unwrap();
    assert_eq!(index, Some(first as u64));
}

async fn erased_entries_keep_the_tree_valid_and_are_counted(scene: Scene) {
    let empty = scene.owner.bytes(&[]);
    let erase =
        format!("UPDATE audit SET salt = {empty}, canonical = '' WHERE kind LIKE 'channel.%' OR kind = 'holder.added'");
    scene.owner.runs(&erase).await;
    let (_, fault) = scene.finds().await;
    assert!(matches!(&fault, Fault::Log(Wrong { flaw: Flaw::Erased(1, 0), .. })), "{fault}");
    // The log tells of it: every proof stays what it was.
    let facts = countersign::domain::audit::Facts::from([("entries", "1".to_owned())]);
    let now = scene.world.cx.now();
    let cooling = scene.world.cx.store.approval(scene.cancelled).await.unwrap().unwrap();
    let entry = scene.world.cx.entry("holder.erased", Actor::Operator, &[&cooling.holder], facts, now).unwrap();
    let change = countersign::ports::Change::new(entry, countersign::ports::Effect::Noted);
    scene.world.cx.store.commit(change).await.unwrap();
    scene.drain().await;
    let checked = scene.verify(&[]).await.unwrap();
    assert_eq!(checked.log.erased, 1);
    assert_eq!(checked.log.root, scene.newest().await.root);
    let proven = Asked { proofs: Proofs::With, ..Asked::EVERYTHING };
    assert_eq!(offline(scene.lines(&proven).await).unwrap().erased, 1);
}

async fn a_cursor_belongs_to_one_node_at_a_time(scene: Scene) {
    let minute = Duration::from_secs(60);
    let cursors = &scene.cursors;
    let first = cursors.claim_cursor("file", minute).await.unwrap().unwrap();
    assert_eq!((first.index, first.place), (0, None));
    assert_eq!(cursors.claim_cursor("file", minute).await.unwrap(), None, "leased");
    assert!(cursors.claim_cursor("other", minute).await.unwrap().is_some(), "each sink has its own");
    let moved = countersign::ports::audit::Cursor { index: 5, place: Some(50), ..first };
    assert!(cursors.move_cursor("file", moved, minute).await.unwrap());
    cursors.leave_cursor("file", first.fence).await.unwrap();
    let second = cursors.claim_cursor("file", minute).await.unwrap().unwrap();
    assert_eq!((second.index, second.place), (5, Some(50)));
    assert!(second.fence > first.fence);
    let late = countersign::ports::audit::Cursor { index: 9, ..moved };
    assert!(!cursors.move_cursor("file", late, minute).await.unwrap(), "the lease had passed on");
    cursors.leave_cursor("file", second.fence).await.unwrap();
    assert_eq!(cursors.claim_cursor("file", minute).await.unwrap().unwrap().index, 5);
}
