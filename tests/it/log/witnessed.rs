//! Receipts that wait for witnesses: enough of the right ones, over the very tree that the receipt rests on. What liars,
//! silent ones and the database's owner say instead counts for nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::signature::Ed25519KeyPair;
use countersign::adapters::receipts::{Freshness, verify_offline};
use countersign::adapters::storage::sqlite::SqliteStore;
use countersign::adapters::timing::SystemClock;
use countersign::authenticator::SoftAuthenticator;
use countersign::domain::ApprovalId;
use countersign::domain::approval::StateName;
use countersign::domain::details::Digest;
use countersign::domain::log::note::Signature;
use countersign::domain::log::{Note, Origin, SignatureType, VerifierKey};
use countersign::domain::policy::{Assurance, Unproved};
use countersign::domain::receipt::Receipt;
use countersign::domain::witness::quorum::{Quorum, Unmet};
use countersign::domain::witness::{AddCheckpoint, Refusal, cosignature, cosigned_text};
use countersign::ports::witness::{CosignatureStore, Cosigner, CosignerAnswer, CosignerError};
use countersign::ports::{CheckpointSigner, Clock};
use countersign::service::log::{self, Standing, Witnesses};
use countersign::service::{Browser, Error, redeem};
use countersign::witness::{Witness, WitnessError};
use countersign::workers::notices;
use countersign::workers::witnesses::{Circle, run};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::flow::world::{HOLD, Kit, World, key};
use crate::storage_sql::make;
use crate::support::clock::ManualClock;
use crate::support::eventually::eventually;
use crate::support::log::{log_at_once, signer};

/// How a witness of a test behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    Honest,
    Down,
    /// It never answers.
    Silent,
    /// It signs with a key that isn't its own.
    OtherKey,
    /// It signs another root.
    OtherRoot,
    /// It answers with an earlier signature of its own, over another tree.
    Replay,
    /// It says that it has cosigned a larger tree.
    Ahead,
    /// It says that it has seen another history.
    Fork,
    /// It names another size each time.
    Restless,
}

/// A witness in this process, behind the port.
pub struct Known {
    name: String,
    witness: Witness,
    pair: Ed25519KeyPair,
    manner: Mutex<Manner>,
    first: Mutex<Option<Signature>>,
    pub asked: AtomicU64,
    _folder: TempDir,
}

impl Known {
    pub fn new(seed: u8, manner: Manner) -> Arc<Self> {
        let folder = tempfile::tempdir().unwrap();
        let name = format!("w{seed}.example");
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        let pkcs8 = pair.to_pkcs8().unwrap();
        let logs = vec![signer().keys().clone()];
        let memory = folder.path().join("seen.json");
        let witness = Witness::open(Origin::parse(&name).unwrap(), pkcs8.as_ref(), logs, &memory).unwrap();
        let (manner, first) = (Mutex::new(manner), Mutex::default());
        Arc::new(Self { name, witness, pair, manner, first, asked: AtomicU64::new(0), _folder: folder })
    }

    pub fn is(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    fn signed(&self, pair: &Ed25519KeyPair, text: &str) -> Signature {
        let now = SystemClock.now();
        cosignature(self.key(), now, pair.sign(cosigned_text(now, text).as_bytes()).as_ref())
    }
}

#[async_trait]
impl Cosigner for Known {
    fn name(&self) -> &str {
        &self.name
    }

    fn key(&self) -> &VerifierKey {
        self.witness.key()
    }

    async fn add_checkpoint(&self, request: &AddCheckpoint) -> Result<CosignerAnswer, CosignerError> {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst);
        let text = request.checkpoint.text();
        let manner = *self.manner.lock().unwrap();
        let honest = || match self.witness.add_checkpoint(&request.to_string(), SystemClock.now()) {
            Ok(signature) => Ok(CosignerAnswer::Cosigned(vec![signature])),
            Err(WitnessError::Refused(Refusal::Conflict(size))) => Ok(CosignerAnswer::Last(size)),
            Err(WitnessError::Refused(Refusal::Inconsistent(_))) => Ok(CosignerAnswer::Inconsistent),
            Err(error) => panic!("{error}"),
        };
        let only = |signature| Ok(CosignerAnswer::Cosigned(vec![signature]));
        match manner {
            Manner::Honest => honest(),
            Manner::Down => Err(CosignerError::Unreachable("connect")),
            Manner::Silent => std::future::pending().await,
            Manner::OtherKey => only(self.signed(&Ed25519KeyPair::from_seed_unchecked(&[99; 32]).unwrap(), text)),
            Manner::OtherRoot => {
                let root = data_encoding::BASE64.encode(Digest::of(b"another").bytes());
                let lines: Vec<&str> = text.lines().collect();
                only(self.signed(&self.pair, &format!("{}\n{}\n{root}\n", lines[0], lines[1])))
            }
            Manner::Replay => {
                let fresh = self.signed(&self.pair, "approve.example/log\n1\nAAAA\n");
                only(self.first.lock().unwrap().get_or_insert(fresh).clone())
            }
            Manner::Ahead => Ok(CosignerAnswer::Last(1_000_000)),
            Manner::Fork => Ok(CosignerAnswer::Last(request.old)),
            Manner::Restless => Ok(CosignerAnswer::Last(asked % 2)),
        }
    }
}

/// A world whose log has witnesses, over SQLite.
pub struct Scene {
    pub world: World,
    pub store: Arc<SqliteStore>,
    pub stop: CancellationToken,
    _folder: TempDir,
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Scene {
    pub async fn asking(cosigners: Vec<Arc<dyn Cosigner>>, least: usize) -> Self {
        let clock = Arc::new(ManualClock::at(SystemClock.now()));
        let (store, folder) = make::sqlite_with(clock.clone()).await;
        let mut log = log_at_once(store.clone());
        let keys = cosigners.iter().map(|cosigner| cosigner.key().clone()).collect();
        log.witnesses = Some(Arc::new(Witnesses::new(Quorum::new(keys, least).unwrap(), store.clone())));
        let kit = Kit { store: store.clone(), log, clock };
        let world = World::over(kit, Unproved::HoldFor(HOLD), Assurance::Synced, Duration::ZERO).await;
        let scene = Self { world, store, stop: CancellationToken::new(), _folder: folder };
        scene.node(&cosigners, &scene.stop);
        scene
    }

    fn witnesses(&self) -> &Arc<Witnesses> {
        self.world.cx.log.witnesses.as_ref().unwrap()
    }

    /// A node that asks.
    fn node(&self, cosigners: &[Arc<dyn Cosigner>], stop: &CancellationToken) {
        let circle =
            Circle { witnesses: self.witnesses().clone(), cosigners: cosigners.to_vec(), leases: self.store.clone() };
        tokio::spawn(run(self.world.cx.clone(), circle, stop.clone()));
    }

    /// A transfer that was released.
    pub async fn released(&self, subject: &str) -> ApprovalId {
        let world = &self.world;
        let mut phone = world.enrolled(subject, SoftAuthenticator::device_bound()).await;
        let (id, waiting) = world.create(subject, subject).await.unwrap();
        world.watch(&waiting, &Browser::default(), &[]).await.unwrap();
        world.approve(&mut phone, id).await.unwrap();
        while notices::turn(&world.cx, &world.senders).await.unwrap() > 0 {}
        world.settle().await;
        world.later(HOLD).await;
        world.is(id, StateName::Released, None).await;
        id
    }

    pub async fn redeem(&self, id: ApprovalId) -> Result<String, Error> {
        let digest = self.world.state(id).await.digest();
        redeem::redeem(&self.world.cx, &self.world.caller, id, digest, key("redeem")).await.map(|done| done.receipt)
    }

    /// The receipt, once there is one.
    pub async fn receipt(&self, id: ApprovalId) -> (String, Receipt) {
        let jws = eventually("a receipt", async || self.redeem(id).await.ok()).await;
        let keys = self.world.cx.signer.key_set();
        let receipt = verify_offline(&keys, &jws, None, None, Freshness::WhenIssued).unwrap();
        (jws, receipt)
    }

    /// Redeeming is refused for want of witnesses, so many of which have signed, and changes nothing.
    pub async fn waits_with(&self, id: ApprovalId, have: usize) {
        let least = self.witnesses().quorum.least();
        eventually("a refusal with so many cosignatures", async || match self.redeem(id).await {
            Err(Error::Unwitnessed(unmet)) => (unmet == Unmet::Missing { have, least }).then_some(()),
            other => panic!("{other:?}"),
        })
        .await;
        self.world.is(id, StateName::Released, None).await;
    }

    async fn standing(&self) -> Standing {
        log::standing(&self.world.cx).await.unwrap()
    }
}

fn cosigners(known: &[Arc<Known>]) -> Vec<Arc<dyn Cosigner>> {
    known.iter().map(|known| Arc::clone(known) as Arc<dyn Cosigner>).collect()
}

fn quorum(known: &[Arc<Known>], least: usize) -> Quorum {
    Quorum::new(known.iter().map(|known| known.key().clone()).collect(), least).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receipt_waits_until_two_of_three_witnesses_have_signed() {
    let known = [Known::new(1, Manner::Honest), Known::new(2, Manner::Down), Known::new(3, Manner::Down)];
    let scene = Scene::asking(cosigners(&known), 2).await;
    let id = scene.released("u-1").await;
    scene.waits_with(id, 1).await;
    assert_eq!(scene.standing().await, Standing::Late, "it waits since before the hold");
    known[2].is(Manner::Honest);
    let (jws, receipt) = scene.receipt(id).await;
    let keys = signer().keys().clone();
    let checkpoint = receipt.verify_proof(&keys).unwrap();
    assert_eq!(receipt.verify_witnesses(&quorum(&known, 2)).unwrap().len(), 2);
    let missing = receipt.verify_witnesses(&quorum(&known, 3)).unwrap_err();
    assert!(missing.to_string().contains("cosigned by 2 of the witnesses that count, and 3 are needed"), "{missing}");
    assert!(receipt.verify_witnesses(&quorum(&known[1..], 2)).is_err());
    let stranger = [Known::new(9, Manner::Honest)];
    assert_eq!(receipt.verify_witnesses(&quorum(&stranger, 0)).unwrap().len(), 0, "others are passed over");
    assert!(receipt.verify_witnesses(&quorum(&stranger, 1)).is_err());
    let shown = log::shown(&scene.world.cx).await.unwrap().unwrap();
    assert!(shown.signed.head.size >= checkpoint.size);
    assert_eq!(quorum(&known, 2).check(&shown.note).unwrap().len(), 2);
    assert_eq!(keys.open(&shown.note, shown.signed.signed_at).unwrap().head(), shown.signed.head);
    assert_eq!(scene.redeem(id).await.unwrap(), jws, "the same key has the same receipt for ever");
    eventually("witnesses that keep up", async || (scene.standing().await == Standing::Fine).then_some(())).await;
    // For a moment it is nothing to tell.
    known[2].is(Manner::Down);
    scene.world.holder("u-2", &["inbox"]).await;
    while log::turn(&scene.world.cx).await.unwrap() > 0 {}
    assert_eq!(scene.standing().await, Standing::Fine);
    scene.world.clock.advance(Duration::from_secs(31));
    assert_eq!(scene.standing().await, Standing::Late);
    // Meanwhile everybody is shown what enough of them have seen.
    let still = log::shown(&scene.world.cx).await.unwrap().unwrap();
    assert!(still.signed.head.size < scene.world.cx.log.store.newest().await.unwrap().unwrap().head.size);
    assert_eq!(quorum(&known, 2).check(&still.note).unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn liars_and_silent_witnesses_count_for_nothing_and_hold_up_nobody() {
    use Manner::{Ahead, Fork, Honest, OtherKey, OtherRoot, Replay, Restless, Silent};
    let bad = [OtherKey, OtherRoot, Replay, Silent, Ahead, Fork, Restless];
    let mut known: Vec<_> = (1..).zip(bad).map(|(seed, manner)| Known::new(seed, manner)).collect();
    known.push(Known::new(20, Honest));
    let scene = Scene::asking(cosigners(&known), 1).await;
    let id = scene.released("u-1").await;
    let (_, receipt) = scene.receipt(id).await;
    let seen = quorum(&known, 1);
    let seen = receipt.verify_witnesses(&seen).unwrap();
    assert_eq!(seen.iter().map(|seen| seen.by.name.as_str()).collect::<Vec<_>>(), ["w20.example"]);
    eventually("all to be asked", async || {
        known.iter().all(|known| known.asked.load(Ordering::SeqCst) > 0).then_some(())
    })
    .await;
    let kept = scene.store.cosigned(0, 1_000).await.unwrap();
    let names = kept.iter().flat_map(|cosigned| &cosigned.cosignatures).map(|line| line.name.as_str());
    assert!(names.clone().count() > 0 && names.into_iter().all(|name| name == "w20.example"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quorum_of_liars_gives_no_receipt() {
    let known = [Known::new(1, Manner::OtherRoot), Known::new(2, Manner::OtherKey), Known::new(3, Manner::Honest)];
    let scene = Scene::asking(cosigners(&known), 2).await;
    let id = scene.released("u-1").await;
    scene.waits_with(id, 1).await;
    for liar in &known[..2] {
        eventually("a liar that was asked again", async || (liar.asked.load(Ordering::SeqCst) > 2).then_some(())).await;
    }
    scene.waits_with(id, 1).await;
}

/// Whoever owns the database writes what a witness never signed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cosignatures_that_somebody_wrote_into_the_database_count_for_nothing() {
    let known = [Known::new(1, Manner::Down)];
    let scene = Scene::asking(cosigners(&known), 1).await;
    let id = scene.released("u-1").await;
    let cx = &scene.world.cx;
    let newest = cx.log.store.newest().await.unwrap().unwrap();
    let text = newest.note.parse::<Note>().unwrap().text().to_owned();
    let by_other = known[0].signed(&Ed25519KeyPair::from_seed_unchecked(&[99; 32]).unwrap(), &text);
    scene.store.add_cosignature(newest.head.size, &by_other).await.unwrap();
    scene.waits_with(id, 0).await;
    // A signature of the witness over an earlier tree, put beside a later one.
    let of_earlier = known[0].signed(&known[0].pair, &text.replace('\n', "\n1"));
    scene.store.add_cosignature(newest.head.size, &of_earlier).await.unwrap();
    scene.waits_with(id, 0).await;
    let shown = log::shown(cx).await.unwrap().unwrap();
    assert_eq!(shown.note.to_string(), newest.note, "nothing is added that doesn't verify");
    known[0].is(Manner::Honest);
    scene.receipt(id).await;
}

/// One of two goes away, and the other signs on: what both have seen stays seen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_witnessed_stays_so_while_one_witness_signs_on_alone() {
    const ALONE: u64 = 120;
    let known = [Known::new(1, Manner::Honest), Known::new(2, Manner::Honest)];
    let scene = Scene::asking(cosigners(&known), 2).await;
    let id = scene.released("u-1").await;
    let cx = &scene.world.cx;
    eventually("the whole log, witnessed", async || (scene.standing().await == Standing::Fine).then_some(())).await;
    let witnessed = log::shown(cx).await.unwrap().unwrap();
    assert_eq!(quorum(&known, 2).check(&witnessed.note).unwrap().len(), 2);
    scene.stop.cancel();
    for number in 0..ALONE {
        scene.world.holder(&format!("later-{number}"), &["inbox"]).await;
        while log::turn(cx).await.unwrap() > 0 {}
        let newest = cx.log.store.newest().await.unwrap().unwrap();
        let text = newest.note.parse::<Note>().unwrap().text().to_owned();
        let alone = known[0].signed(&known[0].pair, &text);
        scene.store.add_cosignature(newest.head.size, &alone).await.unwrap();
    }
    let shown = log::shown(cx).await.unwrap().unwrap();
    assert!(shown.signed.head.size >= witnessed.signed.head.size, "what is published never shrinks");
    assert_eq!(quorum(&known, 2).check(&shown.note).unwrap().len(), 2);
    scene.redeem(id).await.expect("its entry was witnessed before");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_quorum_a_receipt_has_what_there_is_and_waits_for_nobody() {
    let known = [Known::new(1, Manner::Down), Known::new(2, Manner::Honest)];
    let scene = Scene::asking(cosigners(&known), 0).await;
    let id = scene.released("u-1").await;
    scene.redeem(id).await.unwrap();
    assert_eq!(scene.standing().await, Standing::Fine);
    eventually("the newest checkpoint with its cosignature", async || {
        while log::turn(&scene.world.cx).await.unwrap() > 0 {}
        let shown = log::shown(&scene.world.cx).await.unwrap().unwrap();
        let newest = scene.world.cx.log.store.newest().await.unwrap().unwrap();
        assert_eq!(shown.signed, newest);
        quorum(&known[1..], 1).check(&shown.note).is_ok().then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_node_at_a_time_asks_and_another_goes_on() {
    let (one, other) = (Known::new(1, Manner::Honest), Known::new(1, Manner::Honest));
    let scene = Scene::asking(cosigners(std::slice::from_ref(&one)), 1).await;
    let second = CancellationToken::new();
    // The clock stands still, and with it the lease.
    let grows = async |subject: &str, asked: &Known| {
        let before = asked.asked.load(Ordering::SeqCst);
        scene.world.holder(subject, &["inbox"]).await;
        while log::turn(&scene.world.cx).await.unwrap() > 0 {}
        eventually("another question", async || (asked.asked.load(Ordering::SeqCst) > before).then_some(())).await;
    };
    grows("u-1", &one).await;
    scene.node(&cosigners(std::slice::from_ref(&other)), &second);
    for subject in ["u-2", "u-3", "u-4"] {
        grows(subject, &one).await;
    }
    assert_eq!(other.asked.load(Ordering::SeqCst), 0, "the first has the lease");
    scene.stop.cancel();
    grows("u-5", &other).await;
    second.cancel();
}

#[test]
fn keys_of_witnesses_are_told_from_those_of_logs() {
    let known = Known::new(1, Manner::Honest);
    assert_eq!(known.key().signs, SignatureType::Cosignature);
    let log = signer().keys().keys[0].key.clone();
    assert!(Quorum::new(vec![log], 1).is_err());
}
