//! A holder is erased on a real database: nothing of theirs is left in any column of any table, they can do nothing and
//! be asked for nothing, and every proof, checkpoint and receipt stays valid. Emptying an entry without saying so is
//! found, also under the name of an erasure that took place.

use countersign::adapters::receipts::{Freshness, verify_offline};
use countersign::domain::HolderId;
use countersign::domain::approval::transitions::{Due, Guard};
use countersign::domain::approval::{Logged, Told};
use countersign::domain::details::Subject;
use countersign::service::erase::{self, ErasureView, Named, erase};
use countersign::service::{Error, endpoints, prompt, redeem};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Row, SqliteConnection};

use super::*;
use crate::flow::world::{HOLD, Phone, key};

const SUBJECT: &str = "priya-shah-0077";
/// Texts that are nobody else's.
const THEIRS: [&str; 4] = [SUBJECT, "transfer-0077-a", "transfer-0077-b", "0077 called"];
/// Tables that may name the holder's random id: the tombstone, who looked, and the entry that tells of the erasing.
const MAY_NAME: [&str; 3] = ["erasures", "staff_views", "audit"];

impl Owner {
    /// Every row of every table as text, with bytes in hex.
    async fn dump(&self) -> Vec<(String, String)> {
        match self {
            Self::File(path) => {
                let mut file: SqliteConnection = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
                let names = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
                let tables: Vec<String> = sqlx::query_scalar(names).fetch_all(&mut file).await.unwrap();
                let mut all = Vec::new();
                for table in tables {
                    let of_table = format!("SELECT name FROM pragma_table_info('{table}')");
                    let columns: Vec<String> =
                        sqlx::query_scalar(AssertSqlSafe(of_table)).fetch_all(&mut file).await.unwrap();
                    let quoted: Vec<String> = columns.iter().map(|column| format!("quote({column})")).collect();
                    let rows = format!("SELECT {} AS line FROM {table}", quoted.join(" || ' ' || "));
                    for row in sqlx::query(AssertSqlSafe(rows)).fetch_all(&mut file).await.unwrap() {
                        all.push((table.clone(), row.get::<String, _>("line").to_lowercase()));
                    }
                }
                all
            }
            Self::Server(server) => {
                let names = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'";
                let mut all = Vec::new();
                for table in server.sql("postgres", names).lines() {
                    let rows = server.sql("postgres", &format!("SELECT t::text FROM {table} t"));
                    all.extend(rows.lines().map(|line| (table.to_owned(), line.to_lowercase())));
                }
                all
            }
        }
    }

    /// Tables in which the text stands, as it is or as bytes.
    async fn tables_with(&self, text: &str) -> Vec<String> {
        let (plain, hex) = (text.to_lowercase(), data_encoding::HEXLOWER.encode(text.as_bytes()));
        let rows = self.dump().await;
        let mut found: Vec<String> = rows
            .into_iter()
            .filter(|(_, row)| row.contains(&plain) || row.contains(&hex))
            .map(|(name, _)| name)
            .collect();
        found.dedup();
        found
    }

    /// Tables in which the id stands, as text or as it is stored.
    async fn tables_naming(&self, id: HolderId) -> Vec<String> {
        let (hex, dashed) = (id.uuid().simple().to_string(), id.uuid().hyphenated().to_string());
        let rows = self.dump().await;
        let mut found: Vec<String> = rows
            .into_iter()
            .filter(|(_, row)| row.contains(&hex) || row.contains(&dashed))
            .map(|(name, _)| name)
            .collect();
        found.dedup();
        found
    }
}

impl Scene {
    fn named(subject: &str) -> Named {
        Named::Subject(Subject::parse(subject).unwrap())
    }

    async fn erases(&self) -> Result<ErasureView, Error> {
        erase(&self.world.cx, &self.world.caller, &Self::named(SUBJECT)).await
    }

    /// A second holder with a phone and an endpoint that is told of everything.
    async fn priya(&mut self) -> (Phone, HolderId) {
        let cx = &self.world.cx;
        let url = "https://hooks.example.com/in".parse().unwrap();
        endpoints::add(cx, &self.world.caller, url, key("the-endpoint"), cx_digest()).await.unwrap();
        let phone = self.world.enrolled(SUBJECT, SoftAuthenticator::device_bound()).await;
        let subject = Subject::parse(SUBJECT).unwrap();
        let holder = self.world.cx.store.holder(self.world.caller.backend, &subject).await.unwrap().unwrap();
        (phone, holder.id)
    }

    /// A transfer of theirs in its cooling-off.
    async fn cooling(&self, phone: &mut Phone, transfer: &str) -> ApprovalId {
        let (id, waiting) = self.world.create(SUBJECT, transfer).await.unwrap();
        self.world.watch(&waiting, &Browser::default(), &[]).await.unwrap();
        self.world.approve(phone, id).await.unwrap();
        id
    }

    /// Releases without the database's clock, which no test can move, and redeems; gives the receipt.
    async fn redeemed(&self, id: ApprovalId) -> String {
        let cx = &self.world.cx;
        self.world.clock.advance(HOLD);
        self.drain().await;
        let now = cx.now();
        let approval = cx.store.approval(id).await.unwrap().unwrap();
        let channel = cx.store.channels(approval.holder).await.unwrap()[0].id;
        let told = Some(Told { channel, delivered_at: approval.state.decision().unwrap().approved_at });
        let Due::Now(mut release) = approval.fall_due(told, Logged::Yes, now) else { panic!("it isn't due") };
        release.guard = Guard::default();
        commit::transition(cx, *release, Actor::Service, commit::With::default(), now).await.unwrap();
        self.drain().await;
        let digest = cx.store.approval(id).await.unwrap().unwrap().digest();
        redeem::redeem(cx, &self.world.caller, id, digest, key("redeem-0077")).await.unwrap().receipt
    }

    /// Lets the worker do all it can now, with what it tells of signed.
    async fn works(&self) -> usize {
        let mut taken = 0;
        loop {
            self.drain().await;
            match erase::turn(&self.world.cx).await.unwrap() {
                0 => return taken,
                steps => taken += steps,
            }
        }
    }
}

fn cx_digest() -> countersign::domain::details::Digest {
    countersign::domain::details::Digest::of(b"an endpoint")
}

fn receipt_fits(scene: &Scene, receipt: &str) {
    let read = verify_offline(&scene.world.cx.signer.key_set(), receipt, None, None, Freshness::WhenIssued).unwrap();
    read.verify_proof(signer().keys()).unwrap();
}

/// `audit verify`, and the export in another's hands, with proofs.
async fn all_is_well(scene: &Scene) -> u64 {
    let checked = scene.verify(&[scene.newest().await]).await.unwrap_or_else(|fault| panic!("{fault}"));
    let proven = Asked { proofs: Proofs::With, ..Asked::EVERYTHING };
    let summary = offline(scene.lines(&proven).await).unwrap_or_else(|wrong| panic!("{wrong}"));
    assert_eq!((summary.erased, summary.root), (checked.log.erased, scene.newest().await.root));
    checked.log.erased
}

pub async fn nothing_of_an_erased_holder_is_left_and_every_proof_stays(mut scene: Scene) {
    let (mut phone, holder) = scene.priya().await;
    let first = scene.cooling(&mut phone, "transfer-0077-a").await;
    assert!(matches!(scene.erases().await, Err(Error::HolderBusy)), "it lives");
    let receipt = scene.redeemed(first).await;
    receipt_fits(&scene, &receipt);
    // What was sent again is theirs as well.
    let endpoint = scene.world.cx.store.endpoints(scene.world.caller.backend).await.unwrap()[0].id;
    let sent = endpoints::log(&scene.world.cx, &scene.world.caller, endpoint, None, 100).await.unwrap().0;
    let sent = sent.first().expect("a webhook").id.parse().unwrap();
    endpoints::redeliver(&scene.world.cx, &scene.world.caller, endpoint, sent).await.unwrap();
    let second = scene.world.create(SUBJECT, "transfer-0077-b").await.unwrap().0;
    assert!(matches!(scene.erases().await, Err(Error::HolderBusy)), "another one is pending");
    scene.cancel(second).await;
    let (viewed, id) = (scene.owner.bytes(holder.bytes()), scene.owner.bytes(&[9; 16]));
    let (viewed, id) = match scene.owner {
        Owner::File(_) => (viewed, id),
        Owner::Server(_) => (format!("'{}'", holder.uuid()), format!("'{}'", uuid::Uuid::from_bytes([9; 16]))),
    };
    let at = match scene.owner {
        Owner::File(_) => "1",
        Owner::Server(_) => "now()",
    };
    let view = format!(
        "INSERT INTO staff_views (id, staff_id, holder_id, at, seen, body) VALUES ({id}, {id}, {viewed}, {at}, 'masked', '{{\"reason\":\"0077 called\"}}')"
    );
    scene.owner.runs(&view).await;
    scene.owner.runs("DROP TABLE kept").await;
    scene.drain().await;
    for text in THEIRS {
        assert!(!scene.owner.tables_with(text).await.is_empty(), "{text} is there before");
    }
    let before = scene.newest().await;
    all_is_well(&scene).await;

    // Somebody else's holder isn't there for them; nor one who never was.
    let stranger = countersign::service::backends::add(
        &scene.world.cx,
        countersign::domain::text::Line::parse("Quay").unwrap(),
        countersign::domain::backend::Scopes::of(&countersign::domain::backend::Scope::ALL),
    );
    let stranger = stranger.await.unwrap();
    let stranger =
        countersign::service::backends::authenticate(&scene.world.cx, stranger.secret.reveal()).await.unwrap();
    for named in [Scene::named(SUBJECT), Named::Id(holder), Scene::named("nobody")] {
        assert!(matches!(erase(&scene.world.cx, &stranger, &named).await, Err(Error::UnknownHolder)));
    }

    let begun = scene.erases().await.unwrap();
    assert_eq!((begun.id.as_str(), begun.finished_at), (holder.to_string().as_str(), None));
    // At once: the phone is nobody's, nothing can be asked, and the subject is taken for ever.
    let cx = &scene.world.cx;
    assert!(matches!(phone.browser.device(cx).await, Err(Error::UnknownDevice)));
    assert!(matches!(prompt::page(cx, &phone.browser, first).await, Err(Error::UnknownDevice)));
    assert!(matches!(scene.world.create(SUBJECT, "transfer-x").await, Err(Error::UnknownHolder)));
    assert!(cx.store.channels(holder).await.unwrap().is_empty());
    all_is_well(&scene).await;

    // The entries go as soon as they are signed; the rows when nothing that was under way can come any more.
    assert!(scene.works().await > 0);
    assert!(all_is_well(&scene).await >= 10);
    assert!(cx.store.approval(first).await.unwrap().is_some());
    scene.world.clock.advance(Duration::from_secs(61));
    assert!(scene.works().await > 0);
    let erased = all_is_well(&scene).await;
    assert_eq!(scene.works().await, 0, "nothing is left to do");
    assert_eq!(all_is_well(&scene).await, erased);

    for text in THEIRS {
        assert_eq!(scene.owner.tables_with(text).await, Vec::<String>::new(), "{text}");
    }
    let named = scene.owner.tables_naming(holder).await;
    assert!(named.iter().all(|table| MAY_NAME.contains(&table.as_str())), "{named:?}");
    assert!(cx.store.approval(first).await.unwrap().is_none());
    // What was signed before is what is signed now, and the receipt proves what it proved.
    assert!(scene.verify(&[before]).await.is_ok());
    receipt_fits(&scene, &receipt);

    // Again, by either name: the same answer, and since when it is over.
    for named in [Scene::named(SUBJECT), Named::Id(holder)] {
        let again = erase(cx, &scene.world.caller, &named).await.unwrap();
        assert_eq!((&again.id, again.erased_at), (&begun.id, begun.erased_at));
        assert!(again.finished_at.is_some());
        assert!(matches!(erase(cx, &stranger, &named).await, Err(Error::UnknownHolder)));
    }
    let again = countersign::service::holders::NewHolder {
        key: key("once-more"),
        fingerprint: cx_digest(),
        subject: Subject::parse(SUBJECT).unwrap(),
        channels: vec![countersign::domain::channel::Address::inbox("priya").unwrap()],
    };
    let taken = countersign::service::holders::add(cx, &scene.world.caller, again).await;
    assert!(matches!(taken, Err(Error::DuplicateSubject)));
    // The other holder is who they were.
    assert!(scene.world.create("u-1", "t-9").await.is_ok());
    scene.drain().await;
    all_is_well(&scene).await;
}

pub async fn an_entry_emptied_under_the_name_of_an_erasure_is_named(mut scene: Scene) {
    let (_, holder) = scene.priya().await;
    scene.erases().await.unwrap();
    scene.works().await;
    all_is_well(&scene).await;
    let entries = scene.record.audit.stored_entries(None, None, 1000).await.unwrap();
    let by = entries.iter().find_map(|entry| entry.erased_by).expect("an erased entry");
    let by = match scene.owner {
        Owner::File(_) => scene.owner.bytes(by.bytes()),
        Owner::Server(_) => format!("'{}'", by.uuid()),
    };
    // Of somebody else, before the first erased one, so that it is the first of those under this name.
    let victim = entries.iter().position(|entry| entry.kind == "holder.added").unwrap();
    let salt = scene.owner.bytes(&[]);
    let place = entries[victim].place;
    let empty =
        |by: &str| format!("UPDATE audit SET salt = {salt}, canonical = '', erased_by = {by} WHERE place = {place}");
    scene.owner.runs(&empty(&by)).await;
    let (index, fault) = scene.finds().await;
    assert!(matches!(&fault, Fault::Log(Wrong { flaw: Flaw::Untold, .. })), "{fault}");
    assert_eq!(index, Some(victim as u64));
    assert!(offline(scene.lines(&Asked::EVERYTHING).await).is_err());
    scene.owner.runs(&empty("NULL")).await;
    let (index, fault) = scene.finds().await;
    assert!(matches!(&fault, Fault::Log(Wrong { flaw: Flaw::Erased(1, 0), .. })), "{fault}");
    assert_eq!(index, Some(victim as u64));
    // Nor is an erasure believed that nobody with the key wrote.
    scene.owner.runs("UPDATE erasures SET finished_at = NULL, version = 1").await;
    assert_eq!(scene.works().await, 0);
    assert!(matches!(scene.world.cx.store.erasure(holder).await, Err(countersign::ports::StoreError::Forged { .. })));
}

/// Steps are bounded, and a worker that stops after any of them leaves a record that verifies and can be gone on with.
pub async fn an_erasure_goes_on_where_it_was_left(mut scene: Scene) {
    let (_, holder) = scene.priya().await;
    for number in 0..60 {
        let (id, _) = scene.world.create(SUBJECT, &format!("transfer-0077-{number}")).await.unwrap();
        scene.cancel(id).await;
    }
    scene.drain().await;
    scene.erases().await.unwrap();
    scene.drain().await;
    let store = &scene.world.cx.store;
    while store.follow_entries(500).await.unwrap() == countersign::ports::erasure::Followed::More {}
    assert!(store.entries_about(holder, 10_000).await.unwrap().len() > 120);
    let open = store.erasures_open(10).await.unwrap();
    assert_eq!(open.len(), 1);
    let erasure = *open[0].as_ref().unwrap();
    // Two workers take the same step: one of them does.
    let step = |erasure| erase::step(&scene.world.cx, erasure);
    let (one, other) = tokio::join!(step(&erasure), step(&erasure));
    let taken: Vec<_> = [one, other].into_iter().filter_map(Result::ok).flatten().collect();
    let [next] = taken.as_slice() else { panic!("{taken:?}") };
    let next = *next;
    scene.drain().await;
    all_is_well(&scene).await;
    assert_eq!(erase::step(&scene.world.cx, &next).await.unwrap(), None, "not before what was under way is over");
    scene.world.clock.advance(Duration::from_secs(61));
    let cleared = erase::step(&scene.world.cx, &next).await.unwrap().unwrap();
    assert_eq!(store.ended_approvals(holder, 100).await.unwrap().len(), 10, "fifty at once");
    scene.drain().await;
    all_is_well(&scene).await;
    assert_eq!(cleared.finished_at, None);
    assert_eq!(scene.works().await, 2);
    assert!(store.erasures_open(10).await.unwrap().is_empty());
    all_is_well(&scene).await;
}
