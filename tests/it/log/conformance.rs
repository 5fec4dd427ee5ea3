//! What every store of the log must do, whatever it is made of: one suite, run on memory, SQLite and PostgreSQL.

use std::sync::Arc;

use countersign::adapters::storage::postgres::Committers;
use countersign::adapters::timing::SystemClock;
use countersign::domain::ChangeId;
use countersign::domain::approval::StateName;
use countersign::domain::log::note::Signature;
use countersign::domain::log::tree::{Head, empty_root};
use countersign::domain::log::{Edge, Origin, SignatureType, TileAt, Tiles, VerifierKey};
use countersign::domain::log::{Note, tree};
use countersign::ports::log::{Appended, CheckpointSigner, LogStore, LoggedDecision};
use countersign::ports::witness::{CosignatureStore, Cosigned};
use countersign::ports::{Change, Effect, Store};

use super::work::{SIGNED_AT, drain, next};
use crate::conformance::world::{World, transition};
use crate::storage_sql::make;
use crate::support::approved;
use crate::support::clock::ManualClock;
use crate::support::log::signer;
use crate::support::memory_store::MemoryStore;

/// One store, behind both of its ports.
#[derive(Clone)]
struct Both {
    store: Arc<dyn Store>,
    log: Arc<dyn LogStore>,
    cosignatures: Arc<dyn CosignatureStore>,
}

impl Both {
    async fn entries(&self) -> Vec<ChangeId> {
        self.store.audit_page(None, 10_000).await.unwrap().into_iter().map(|(_, entry)| entry.id).collect()
    }

    /// Every entry has its place, once, and the newest checkpoint is signed over all of them.
    async fn is_whole(&self) {
        let page = self.store.audit_page(None, 10_000).await.unwrap();
        let mut edge = Edge::read(0, &Tiles::default()).unwrap();
        let all = edge.append(&page.iter().map(|(_, entry)| entry.leaf_hash).collect::<Vec<_>>());
        let newest = self.log.newest().await.unwrap().unwrap();
        assert_eq!(newest.head, Head { size: page.len() as u64, root: edge.root().unwrap() });
        assert_eq!(newest.place, page.last().unwrap().0);
        let note: Note = newest.note.parse().unwrap();
        assert_eq!(signer().keys().open(&note, SIGNED_AT).unwrap().head(), newest.head);
        let places: Vec<TileAt> = all.iter().map(|(at, _)| at).collect();
        assert_eq!(self.log.tiles(&places).await.unwrap(), all);
        for (index, (_, entry)) in page.iter().enumerate() {
            let leaf = self.log.leaf(entry.id).await.unwrap().unwrap();
            assert_eq!((leaf.index, &leaf.entry), (Some(index as u64), entry));
        }
    }
}

async fn noted(world: &World, count: u32) {
    for _ in 0..count {
        world.store.commit(world.change(Effect::Noted)).await.unwrap();
    }
}

async fn an_empty_log_has_nothing(both: Both) {
    assert_eq!(both.log.newest().await.unwrap(), None);
    assert_eq!(both.log.checkpoints(0, 10).await.unwrap(), []);
    assert_eq!(both.log.waiting(None, 10).await.unwrap(), []);
    assert_eq!(both.log.tiles(&[TileAt { level: 0, number: 0 }]).await.unwrap(), Tiles::default());
}

async fn batches_of_any_size_place_every_entry_once(both: Both) {
    let world = World::build(both.store.clone()).await;
    noted(&world, 20).await;
    for limit in [1, 7, 3, 1_000] {
        let batch = next(&*both.log, limit).await.unwrap();
        assert_eq!(both.log.append(&batch).await.unwrap(), Appended::Done);
        noted(&world, 2).await;
    }
    // Past a whole tile, which a later batch must not touch again.
    noted(&world, 300).await;
    drain(&*both.log, 100).await;
    assert!(next(&*both.log, 100).await.is_none());
    both.is_whole().await;
    let all = both.log.checkpoints(0, 1_000).await.unwrap();
    assert!(all.is_sorted_by(|one, next| one.head.size < next.head.size && one.place < next.place));
    assert_eq!(both.log.checkpoints(all[1].head.size, 2).await.unwrap(), all[2..4]);
    for pair in all.windows(2) {
        let (old, new) = (pair[0].head, pair[1].head);
        let places = TileAt::all_of(&tree::consistency_nodes(old.size, new.size));
        let proof = tree::consistency(old.size, new.size, &both.log.tiles(&places).await.unwrap()).unwrap();
        tree::verify_consistency(&old, &new, &proof).unwrap();
    }
}

async fn an_entry_has_no_index_before_it_is_signed(both: Both) {
    let world = World::build(both.store.clone()).await;
    let change = world.change(Effect::Noted);
    both.store.commit(change.clone()).await.unwrap();
    let before = both.log.leaf(change.entry.id).await.unwrap().unwrap();
    assert_eq!((before.index, before.entry), (None, change.entry.clone()));
    assert_eq!(both.log.leaf(world.id(ChangeId::new)).await.unwrap(), None);
    drain(&*both.log, 1_000).await;
    let index = both.entries().await.iter().position(|id| *id == change.entry.id).unwrap();
    assert_eq!(both.log.leaf(change.entry.id).await.unwrap().unwrap().index, Some(index as u64));
    noted(&world, 1).await;
    let later = both.entries().await.last().copied().unwrap();
    assert_eq!(both.log.leaf(later).await.unwrap().unwrap().index, None);
}

/// A crash between reading and storing: the batch is made again, and nothing is lost or there twice.
async fn a_batch_that_was_never_stored_leaves_nothing(both: Both) {
    let world = World::build(both.store.clone()).await;
    let batch = next(&*both.log, 3).await.unwrap();
    assert_eq!(both.log.append(&batch).await.unwrap(), Appended::Done);
    drop(next(&*both.log, 5).await.unwrap());
    let newest = both.log.newest().await.unwrap().unwrap();
    assert_eq!(newest.head, batch.signed.head);
    noted(&world, 3).await;
    drain(&*both.log, 4).await;
    both.is_whole().await;
}

async fn of_two_batches_from_one_size_the_second_is_lost(both: Both) {
    let world = World::build(both.store.clone()).await;
    noted(&world, 5).await;
    let (first, second) = (next(&*both.log, 3).await.unwrap(), next(&*both.log, 1_000).await.unwrap());
    assert_eq!(both.log.append(&first).await.unwrap(), Appended::Done);
    let tiles = both.log.tiles(&[TileAt { level: 0, number: 0 }]).await.unwrap();
    assert_eq!(both.log.append(&second).await.unwrap(), Appended::Lost);
    // The same batch once more, as after an answer that was lost.
    assert_eq!(both.log.append(&first).await.unwrap(), Appended::Lost);
    assert_eq!(both.log.newest().await.unwrap(), Some(first.signed));
    assert_eq!(both.log.tiles(&[TileAt { level: 0, number: 0 }]).await.unwrap(), tiles);
    drain(&*both.log, 2).await;
    both.is_whole().await;
}

/// One that goes on from a size that the tree never had, as after a failover to a database that lost something.
async fn a_batch_from_a_size_that_is_not_the_trees_is_lost(both: Both) {
    World::build(both.store.clone()).await;
    let mut batch = next(&*both.log, 2).await.unwrap();
    batch.previous = 1;
    assert_eq!(both.log.append(&batch).await.unwrap(), Appended::Lost);
    assert_eq!(both.log.newest().await.unwrap(), None);
}

async fn two_sequencers_at_once_place_every_entry_once(both: Both) {
    let world = World::build(both.store.clone()).await;
    noted(&world, 60).await;
    let racer = |limit| {
        let log = Arc::clone(&both.log);
        tokio::spawn(async move { drain(&*log, limit).await })
    };
    let (one, other) = (racer(3), racer(4));
    let ((won, lost), (also_won, also_lost)) = (one.await.unwrap(), other.await.unwrap());
    assert_eq!(
        both.log.checkpoints(0, 1_000).await.unwrap().len() as u32,
        won + also_won,
        "{lost} and {also_lost} lost"
    );
    both.is_whole().await;
}

async fn a_decision_is_logged_once_its_entry_is_signed(both: Both) {
    let world = World::build(both.store.clone()).await;
    let approval = world.opened_as(world.cooled()).await;
    assert_eq!(approval.state.name(), StateName::Cooling);
    world.told_now(&approval).await;
    let logged = async || both.store.due_cases(&[approval.id]).await.unwrap()[0].as_ref().unwrap().logged;
    drain(&*both.log, 1_000).await;
    // Other entries about it don't count, nor does evidence without the decision's entry.
    assert_eq!((logged().await, both.log.logged_decision(approval.id).await.unwrap()), (None, None));
    let decision = approval.state.decision().unwrap().clone();
    let entry = approved::entry(world.id(ChangeId::new), world.now, &approval, &decision);
    let next = world.moved(&approval, approval.state.clone(), Default::default());
    let mut change = Change::new(entry.clone(), transition(next));
    change.evidence = Some(approved::evidence(&approval, &decision));
    both.store.commit(change).await.unwrap();
    assert_eq!(logged().await, None, "not signed yet");
    let before = both.log.newest().await.unwrap();
    let LoggedDecision { leaf, newest } = both.log.logged_decision(approval.id).await.unwrap().unwrap();
    assert_eq!((leaf.index, leaf.entry, newest), (None, entry.clone(), before));
    drain(&*both.log, 1_000).await;
    let after = both.log.newest().await.unwrap().unwrap();
    let size = after.head.size;
    assert_eq!(logged().await, Some(size));
    let decided = both.log.logged_decision(approval.id).await.unwrap().unwrap();
    assert_eq!((decided.leaf.index, decided.newest), (Some(size - 1), Some(after)));
    let another = world.opened().await;
    assert_eq!(both.log.logged_decision(another.id).await.unwrap(), None);
}

async fn cosignatures_are_kept_beside_their_checkpoint(both: Both) {
    let world = World::build(both.store.clone()).await;
    noted(&world, 6).await;
    for _ in 0..3 {
        let batch = next(&*both.log, 2).await.unwrap();
        assert_eq!(both.log.append(&batch).await.unwrap(), Appended::Done);
    }
    let all = both.log.checkpoints(0, 10).await.unwrap();
    let (first, second, third) = (&all[0], &all[1], &all[2]);
    let line =
        |name: &str, id: u32, byte: u8| Signature { name: Origin::parse(name).unwrap(), id, bytes: vec![byte; 72] };
    let (a, b, c) = (line("a.example", 1, 1), line("b.example", u32::MAX, 2), line("c.example", 3, 3));
    assert_eq!(both.cosignatures.cosigned(0, 10).await.unwrap(), []);
    for (of, signature) in [(first, &b), (first, &a), (third, &c), (first, &line("a.example", 1, 9)), (first, &a)] {
        both.cosignatures.add_cosignature(of.head.size, signature).await.unwrap();
    }
    // Of a checkpoint that isn't there, as after a rollback: it is passed over.
    both.cosignatures.add_cosignature(1_000_000, &a).await.unwrap();
    let of_third = Cosigned { signed: third.clone(), cosignatures: vec![c] };
    let of_first = Cosigned { signed: first.clone(), cosignatures: vec![a.clone(), b] };
    let cosigned = async |past, limit| both.cosignatures.cosigned(past, limit).await.unwrap();
    assert_eq!(cosigned(0, 10).await, [of_third.clone(), of_first.clone()]);
    assert_eq!(cosigned(first.head.size, 10).await, [of_third.clone()]);
    assert_eq!(cosigned(second.head.size, 10).await, [of_third.clone()]);
    assert_eq!(cosigned(third.head.size, 10).await, []);
    assert_eq!(cosigned(0, 1).await, [of_third.clone()]);
    assert_eq!(cosigned(0, 2).await, [of_third, Cosigned { cosignatures: vec![a], ..of_first }]);

    // Those that enough of these witnesses signed, by name and key.
    let witness = |seed: u8| VerifierKey {
        name: Origin::parse(&format!("w{seed}.example")).unwrap(),
        signs: SignatureType::Cosignature,
        public: [seed; 32],
    };
    let keys = [witness(1), witness(2), witness(3)];
    let by = |key: &VerifierKey| line(key.name.as_str(), key.id(), 4);
    for (of, signature) in [
        (first, by(&keys[0])),
        (first, by(&keys[1])),
        (second, by(&keys[1])),
        (second, by(&keys[2])),
        (third, by(&keys[0])),
        // In the name of one that counts, with another's key.
        (third, line("w2.example", keys[2].id(), 4)),
    ] {
        both.cosignatures.add_cosignature(of.head.size, &signature).await.unwrap();
    }
    let quorate = async |past, keys: &[VerifierKey], least, limit| {
        let found = both.cosignatures.quorate(past, keys, least, limit).await.unwrap();
        found.into_iter().map(|found| (found.signed.head.size, found.cosignatures.len())).collect::<Vec<_>>()
    };
    let (one, two, three) = (first.head.size, second.head.size, third.head.size);
    assert_eq!(quorate(0, &keys, 2, 10).await, [(two, 2), (one, 2)]);
    assert_eq!(quorate(0, &keys, 2, 1).await, [(two, 2)]);
    assert_eq!(quorate(one, &keys, 2, 10).await, [(two, 2)]);
    assert_eq!(quorate(two, &keys, 2, 10).await, []);
    assert_eq!(quorate(0, &keys, 1, 10).await, [(three, 1), (two, 2), (one, 2)]);
    assert_eq!(quorate(0, &keys[..1], 1, 10).await, [(three, 1), (one, 1)]);
    assert_eq!(quorate(0, &keys, 3, 10).await, []);
}

#[test]
fn the_tree_of_nothing_has_the_root_of_nothing() {
    assert_eq!(Edge::read(0, &Tiles::default()).unwrap().root(), Ok(empty_root()));
}

async fn memory() -> (Both, ()) {
    let store = Arc::new(MemoryStore::new(Arc::new(ManualClock::at(SIGNED_AT))));
    (Both { store: store.clone(), log: store.clone(), cosignatures: store }, ())
}

async fn sqlite() -> (Both, tempfile::TempDir) {
    let (store, folder) = make::sqlite_with(Arc::new(SystemClock)).await;
    (Both { store: store.clone(), log: store.clone(), cosignatures: store }, folder)
}

async fn postgres() -> (Both, crate::support::servers::postgres::Postgres) {
    let server = make::server();
    let store = make::postgres_at(&server.url("postgres"), Committers::Two).await;
    (Both { store: store.clone(), log: store.clone(), cosignatures: store }, server)
}

macro_rules! log_conformance {
    ($($name:ident)+) => {
        log_conformance!(@each memory: $($name)+);
        log_conformance!(@each sqlite: $($name)+);
        log_conformance!(@each postgres: $($name)+);
    };
    (@each $make:ident: $($name:ident)+) => {
        mod $make {$(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let (both, _alive) = super::$make().await;
                super::$name(both).await;
            }
        )+}
    };
}

log_conformance! {
    an_empty_log_has_nothing
    batches_of_any_size_place_every_entry_once
    an_entry_has_no_index_before_it_is_signed
    a_batch_that_was_never_stored_leaves_nothing
    of_two_batches_from_one_size_the_second_is_lost
    a_batch_from_a_size_that_is_not_the_trees_is_lost
    two_sequencers_at_once_place_every_entry_once
    a_decision_is_logged_once_its_entry_is_signed
    cosignatures_are_kept_beside_their_checkpoint
}
