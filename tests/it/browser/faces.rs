//! Pages that no test brings about at will: a notice that reached nobody, a locked phone, a service that can't answer.
//! They are made here as the service makes them, and looked at under the same rules.

use std::net::{Ipv4Addr, TcpListener};

use actix_web::middleware::from_fn;
use actix_web::{App, HttpResponse, HttpServer, web};
use countersign::adapters::timing::SystemClock;
use countersign::ports::Clock as _;
use countersign::web::device::assets;
use countersign::web::guard;
use countersign::web::pages::Template;
use countersign::web::pages::clocktext::{Moment, moment, moment_to_the_second};
use countersign::web::pages::deal::{AccountKind, AmountText, Deal};
use countersign::web::pages::ends::EndPage;
use countersign::web::pages::errors::{ErrorPage, Trouble, Way};
use countersign::web::pages::frame::{Frame, Lang, Profile};
use countersign::web::pages::given::Given;
use countersign::web::pages::live::{Deadline, Live};
use countersign::web::pages::outcome::{Actor, Approved, Lapse, Outcome, Stopper};
use countersign::web::pages::undecidable::{OtherDevice, Undecidable, UndecidablePage};
use countersign::web::pages::{clocktext::Timed, outcome::Release};
use tokio::task::spawn_blocking;
use url::Url;

use super::{Screen, browser_at};
use crate::support::chromium::{Backup, Chromium, Transport};

const SECOND: i64 = 1_000_000;

fn now() -> i64 {
    SystemClock.now().micros()
}

fn at(seconds: i64) -> Moment {
    moment(now(), now() + seconds * SECOND)
}

fn frame() -> Frame {
    let contact = "the number on your card".to_owned();
    Frame { operator: "Harbour".to_owned(), contact, profile: Profile::Live, lang: Lang::En }
}

fn live() -> Live {
    Live::device("apr_0192aaaaaaaa7aaaaaaaaaaaaaaaaaaa", 2, now())
}

fn deal() -> Deal {
    let account = "PL61109010140000071219812874";
    Deal::new(AmountText::new("12500.00", "EUR"), "Marta Nowak", AccountKind::Account, account)
}

fn end(outcome: Outcome) -> String {
    EndPage::new(frame(), live(), deal(), outcome).render().expect("a page")
}

fn error(trouble: Trouble, way: Way) -> String {
    ErrorPage { frame: frame(), trouble, way }.render().expect("a page")
}

/// Each by the name of its picture, with the heading that it has.
fn faces() -> Vec<(&'static str, &'static str, String)> {
    let approved = Approved { at: at(-900), by: Actor::ThisDevice };
    let reached_nobody = Outcome::Cancelled { at: at(-60), by: Stopper::Unreachable, approved: Some(approved.clone()) };
    let not_taken = Outcome::Expired { asked: at(-86_400), at: at(-60), why: Lapse::NotTaken };
    let released =
        Outcome::Released { release: Release::Taken, at: moment_to_the_second(now(), now() - 60 * SECOND), approved };
    let locked = UndecidablePage {
        frame: frame(),
        live: live(),
        deal: deal(),
        deadline: Deadline::new(now(), now() + 2_520 * SECOND),
        reason: Undecidable::Locked,
        others: vec![OtherDevice { name: Given::new("Old iPad"), note: Timed::at("Added ", &at(-86_400)) }],
    };
    let wrong = Trouble::Wrong { request_id: "0192aaaa-aaaa-7aaa-aaaa-aaaaaaaaaaaa".to_owned() };
    vec![
        ("device-unreachable", "Stopped. Nothing was sent", end(reached_nobody)),
        ("device-not-taken", "Time ran out. Nothing was sent", end(not_taken)),
        ("device-taken", "Released. The money is being sent", end(released)),
        ("device-locked", "This phone can’t approve any more", locked.render().expect("a page")),
        ("error-changed", "This changed while you were looking", error(Trouble::Changed, Way::Approvals)),
        ("error-too-late", "It was already sent", error(Trouble::TooLate { taken: at(-60) }, Way::Approvals)),
        ("error-429", "Please wait a minute", error(Trouble::SlowDown { again: at(60) }, Way::Approvals)),
        ("error-500", "Sorry, something went wrong on our side", error(wrong, Way::Nowhere)),
        ("error-503", "We can’t take approvals right now", error(Trouble::Unavailable, Way::Nowhere)),
        ("error-404", "We can’t find this page", error(Trouble::NotFound, Way::Nowhere)),
    ]
}

fn serve(faces: Vec<(&'static str, &'static str, String)>) -> Url {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address")).parse().expect("a URL");
    let build = move || {
        let app = App::new().wrap(from_fn(guard::headers)).route("/static/{file}", web::get().to(assets::file));
        faces.clone().into_iter().fold(app, |app, (name, _, text)| {
            let page = move || {
                let text = text.clone();
                async move { HttpResponse::Ok().content_type("text/html; charset=utf-8").body(text) }
            };
            app.route(&format!("/{name}"), web::get().to(page))
        })
    };
    let server = HttpServer::new(build).workers(1).disable_signals().listen(listener).expect("a server").run();
    tokio::spawn(server);
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn what_rarely_happens_is_said_as_well() {
    let chromium = spawn_blocking(Chromium::start).await.expect("ChromeDriver starts");
    let all = faces();
    let url = serve(all.clone());
    let phone = browser_at(&chromium, url, "the phone", Screen::Phone, Transport::Internal, Backup::DeviceBound).await;
    for (name, heading, _) in &all {
        phone.open(&format!("/{name}")).await;
        phone.headed(heading).await;
        phone.look(name).await;
    }
    for (name, way_on) in [("error-404", false), ("error-changed", true)] {
        phone.open(&format!("/{name}")).await;
        assert_eq!(phone.has("main a.btn[href='/']").await, way_on, "{name}");
        phone.headed(all.iter().find(|(known, ..)| known == &name).expect("a page").1).await;
    }
    phone.open("/error-404").await;
    phone.says("main", "Need to stop a transfer?").await;
}
