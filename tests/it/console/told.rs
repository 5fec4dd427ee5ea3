//! Drawn signers are told by mail that a case waits for them, and nothing of the case.

super::on_both! {
    the_drawn_are_told_and_after_a_second_draw_the_new_ones,
}

mod cases {
    use std::collections::HashMap;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use async_trait::async_trait;
    use countersign::domain::channel::{Address, ChannelKind};
    use countersign::domain::staff::notice::Mailbox;
    use countersign::domain::staff::{Role, Staff};
    use countersign::domain::{StaffId, device::Blob};
    use countersign::ports::ChannelSender;
    use countersign::ports::outward::{Message, Reader, SendError};
    use countersign::ports::secrets::BoxKey;
    use countersign::ports::store::Outgoing;
    use countersign::workers::notices::Senders;
    use countersign::workers::staff_notices::turn;

    use crate::bribed::cast::{Cast, opened, veteran_with};
    use crate::console::desk::Desk;
    use crate::console::stage::{DAY, Stage};

    /// A mail server that keeps what it took, after refusing so many times.
    #[derive(Default)]
    struct Post {
        /// To whom, and what it said.
        took: Mutex<Vec<(String, String)>>,
        busy: Mutex<u32>,
    }

    #[async_trait]
    impl ChannelSender for Post {
        fn kind(&self) -> ChannelKind {
            ChannelKind::Email
        }

        async fn send(&self, to: &Address, message: &Message) -> Result<(), SendError> {
            let mut busy = self.busy.lock().unwrap();
            if *busy > 0 {
                *busy -= 1;
                return Err(SendError::Again { what: "busy", source: None });
            }
            assert_eq!(message.reader, Reader::Staff);
            let open = message.open.as_ref().unwrap().to_string();
            let words = format!("{}\n{}\n{open}", message.title, message.body.join("\n"));
            self.took.lock().unwrap().push((serde_json::to_string(to).unwrap(), words));
            Ok(())
        }
    }

    impl Post {
        /// What it took since it was asked last, by address.
        fn taken(&self) -> Vec<(String, String)> {
            let mut all = std::mem::take(&mut *self.took.lock().unwrap());
            all.sort();
            all
        }

        fn addressed(&self) -> Vec<String> {
            self.taken().into_iter().map(|(to, _)| to).collect()
        }
    }

    fn senders(post: &Arc<Post>) -> Senders {
        Arc::new(HashMap::from([(ChannelKind::Email, Arc::clone(post) as Arc<dyn ChannelSender>)]))
    }

    fn address(name: &str) -> Address {
        Address::email(&format!("{name}@harbour.example")).unwrap()
    }

    /// Puts an address on a person who isn't stored yet.
    fn with_mail(stage: &Stage, name: &'static str) -> impl FnOnce(Staff) -> Staff {
        let secrets = Arc::clone(&stage.cx.secrets);
        move |mut person| {
            let plain = serde_json::to_vec(&address(name)).unwrap();
            let sealed = Blob(secrets.seal(BoxKey::Address, person.id.bytes(), &plain));
            person.profile.mail = Some(Box::new(Mailbox { masked: address(name).masked(), sealed }));
            person
        }
    }

    /// Four signers with an address each, and nobody else who could be drawn.
    struct Told {
        cast: Cast,
        names: HashMap<StaffId, &'static str>,
        admin: Desk,
        post: Arc<Post>,
        senders: Senders,
    }

    impl Told {
        async fn new(stage: Stage) -> Self {
            let mut cast = Cast::new(stage).await;
            let far = cast.stage.in_a_year();
            let (admin, _) = cast.stage.founders().await;
            for desk in cast.signers.drain(..) {
                assert_eq!(admin.form(&format!("/staff/{}/end", desk.id()), &[]).await.status, 303);
            }
            let mut names = HashMap::new();
            for (name, who) in [
                ("uma", ("Uma Pillai", "night", "in-house")),
                ("leo", ("Leo Brandt", "risk", "in-house")),
                ("kim", ("Kim Sato", "fraud", "in-house")),
                ("ana", ("Ana Reis", "desk", "Teleplus")),
            ] {
                let mail = with_mail(&cast.stage, name);
                let desk = veteran_with(&cast.stage, who, &[Role::Signer], 30 * DAY, far, mail).await;
                names.insert(desk.id(), name);
                cast.signers.push(desk);
            }
            let post = Arc::new(Post::default());
            Self { cast, names, admin, senders: senders(&post), post }
        }

        fn addresses(&self, ids: &[StaffId]) -> Vec<String> {
            let mut all: Vec<String> =
                ids.iter().map(|id| serde_json::to_string(&address(self.names[id])).unwrap()).collect();
            all.sort();
            all
        }

        async fn turn(&self) -> usize {
            turn(&self.cast.stage.cx, &self.senders).await.unwrap()
        }
    }

    pub async fn the_drawn_are_told_and_after_a_second_draw_the_new_ones(stage: Stage) {
        let told = Told::new(stage).await;
        let cast = &told.cast;
        let (approval, case) = cast.asked().await;
        let drawn = cast.case(case).await.drawn;
        assert_eq!(told.turn().await, 2);
        let letters = told.post.taken();
        assert_eq!(letters.iter().map(|(to, _)| to.clone()).collect::<Vec<_>>(), told.addresses(&drawn));
        for (_, words) in &letters {
            assert!(words.contains("Harbour: a case waits for your signature"), "{words}");
            assert!(words.ends_with(cast.stage.console_url.as_str()), "{words}");
            let ids = [case.to_string(), approval.to_string(), cast.holder.to_string()];
            let secret = ["12,500", "12500", "Nowak", "Marta", "Dana", "u-1", "on the train"];
            for part in ids.iter().map(String::as_str).chain(secret) {
                assert!(!words.contains(part), "{part} is in {words}");
            }
        }
        assert_eq!(told.turn().await, 0, "once");

        // A second draw tells the new ones only.
        assert_eq!(cast.agent.form(&format!("/cases/{case}/redraw"), &[]).await.status, 303);
        let redrawn = cast.case(case).await.drawn;
        assert!(redrawn.iter().all(|staff| !drawn.contains(staff)));
        assert_eq!(told.turn().await, 2);
        assert_eq!(told.post.addressed(), told.addresses(&redrawn));

        // What is over by the time of sending isn't sent.
        let second = opened(&cast.ask_for("reset_devices", "", "").await);
        assert_eq!(cast.agent.form(&format!("/cases/{second}/stop"), &[]).await.status, 303);
        // Old ones go, and none that is still to be sent.
        let store = &cast.stage.cx.store;
        let far = cast.stage.cx.now() + 30 * DAY;
        let old = || store.prune(Outgoing::StaffNotices, far, None, 100);
        assert_eq!(old().await.unwrap().deleted, 4);
        assert_eq!(told.turn().await, 2);
        assert!(told.post.taken().is_empty());
        assert_eq!(old().await.unwrap().deleted, 2);
    }

    /// On a clock that the test turns.
    pub async fn a_busy_server_is_asked_again_and_who_left_is_not_written_to(stage: Stage) {
        let told = Told::new(stage).await;
        let cast = &told.cast;
        let (_, case) = cast.asked().await;
        let drawn = cast.case(case).await.drawn;
        *told.post.busy.lock().unwrap() = 2;
        assert_eq!(told.turn().await, 2);
        assert!(told.post.taken().is_empty());
        assert_eq!(told.turn().await, 0, "not at once");
        cast.stage.clock.advance(Duration::from_secs(3));
        let gone = drawn[0];
        assert_eq!(told.admin.form(&format!("/staff/{gone}/end"), &[]).await.status, 303);
        assert_eq!(told.turn().await, 2);
        assert_eq!(told.post.addressed(), told.addresses(&drawn[1..]));
        cast.stage.clock.advance(Duration::from_secs(3600));
        assert_eq!(told.turn().await, 0, "and that is all");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_server_is_asked_again_and_who_left_is_not_written_to() {
    let (stage, _alive) = stage::on_sqlite().await;
    cases::a_busy_server_is_asked_again_and_who_left_is_not_written_to(stage).await;
}

use serde_json::json;

use super::stage;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_is_masked_and_nowhere_in_the_clear() {
    let (stage, _alive) = stage::on_sqlite().await;
    let mut admins = stage.founders().await;
    let mut form = stage.form("Cleo Park", "risk", "in-house", &["signer"]);
    form["mail"] = json!("cleo.park at harbour");
    let refused = admins.0.post("/staff/draft", &form).await.expect(400);
    assert_eq!(refused["errors"][0]["field"], "mail");
    form["mail"] = json!("cleo.park@harbour.example");
    let signer = stage.hire_by(&mut admins, form.clone()).await;
    let page = admins.0.get(&format!("/staff/{}/change", signer.id())).await;
    let masked = countersign::domain::channel::Address::email("cleo.park@harbour.example").unwrap().masked();
    assert!(page.text.contains(&masked) && !page.text.contains("cleo.park@"), "{}", page.text);

    // A change that doesn't give one keeps it.
    let mut longer = stage.form("Cleo Park", "risk", "in-house", &["signer"]);
    longer["staff"] = json!(signer.id().to_string());
    longer["ends"] = json!("2029-12-31");
    let (one, two) = &mut admins;
    let proposed = one.signed("/staff/draft", &longer, "/staff/propose").await.expect(200);
    let at = proposed["location"].as_str().unwrap().to_owned();
    two.signed(&format!("{at}/prompt"), &json!({}), &format!("{at}/sign")).await.expect(200);
    let kept = stage.cx.staff.person(signer.id()).await.unwrap().unwrap().profile.mail;
    assert_eq!(kept.map(|mail| mail.masked), Some(masked));

    // Taken away only where that is said, and not together with another.
    longer["no_mail"] = json!(["remove"]);
    longer["mail"] = json!("other@harbour.example");
    let (one, two) = &mut admins;
    let refused = one.post("/staff/draft", &longer).await.expect(400);
    assert_eq!(refused["errors"][0]["field"], "mail", "{refused}");
    longer["mail"] = json!("");
    let page = one.get(&format!("/staff/{}/change", signer.id())).await;
    assert!(page.text.contains("name=\"no_mail\""), "{}", page.text);
    let proposed = one.signed("/staff/draft", &longer, "/staff/propose").await.expect(200);
    let at = proposed["location"].as_str().unwrap().to_owned();
    two.signed(&format!("{at}/prompt"), &json!({}), &format!("{at}/sign")).await.expect(200);
    assert_eq!(stage.cx.staff.person(signer.id()).await.unwrap().unwrap().profile.mail, None);
    let page = one.get(&format!("/staff/{}/change", signer.id())).await;
    assert!(!page.text.contains("no_mail"), "there is none to take away");

    // Neither in the log, nor in what two admins signed, nor in any other row.
    let file = stage.file.clone().expect("a file");
    for part in [file.clone(), file.with_extension("db-wal")] {
        let bytes = std::fs::read(&part).unwrap_or_default();
        assert!(!bytes.windows(10).any(|window| window == b"cleo.park@"), "{}", part.display());
    }
    assert!(std::fs::metadata(&file).unwrap().len() > 0);
}
