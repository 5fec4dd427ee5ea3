//! What goes wrong at the console, and what only some of staff see: a form that is refused, a case that a signer
//! refuses, a second draw, a reveal and its trace on the holder's phone, an admin's second signature, the audit log.

use countersign::domain::staff::Role;
use countersign::service::log;
use thirtyfour::Key;

use super::Browser;
use super::office::{Office, join, sign_in};
use crate::bribed::cast::{Cast, REASON, veteran};
use crate::console::stage::{self, DAY};

const FEW: &str = "a b c d e f g h i j k l m";
const WORDS: &str = "Nobody answered at the number on file, three times since nine.";

async fn look_up(agent: &Browser) {
    agent.open("/holders").await;
    agent.write("#subject", "u-1").await;
    agent.write("#reason", "The holder calls about a transfer").await;
    agent.press(Key::Enter).await;
    agent.headed("Holder u-1").await;
}

async fn value(desk: &Browser, css: &str) -> String {
    let value = desk.script("return document.querySelector(arguments[0]).value", vec![css.into()]).await;
    value.expect("a field").as_str().unwrap_or_default().to_owned()
}

async fn ask(agent: &Browser, reason: &str) {
    if !agent.has("details[open] #ovr-kind").await {
        agent.tap("details:has(#ovr-kind) > summary").await;
    }
    agent.script("document.querySelector('#ovr-kind').value = 'reset_devices'", vec![]).await.expect("a form");
    agent.write("#ovr-why", reason).await;
    agent.tap("form[action$='/override'] button").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_form_keeps_its_words_and_a_signer_refuses() {
    let (stage, _folder) = stage::on_sqlite().await;
    let mut office = Office::open(stage).await;
    let (agent, jonas, amir) =
        tokio::join!(office.desk("the agent's desk"), office.desk("Jonas's desk"), office.desk("Amir's desk"));
    for (desk, name, group, employer, role) in [
        (&agent, "Dana Okafor", "support", "Teleplus", Role::Agent),
        (&jonas, "Jonas Weber", "risk", "in-house", Role::Signer),
        (&amir, "Amir Haddad", "fraud", "in-house", Role::Signer),
    ] {
        let invited = office.hire(name, group, employer, role).await;
        join(desk, &invited).await;
    }
    office.stage.clock.advance(8 * DAY);
    sign_in(&agent).await;
    sign_in(&jonas).await;
    let (_, cookie) = office.stage.holder("u-1").await;
    let phone = office.phone(&cookie).await;
    office.stage.transfer("u-1").await;

    // Too few letters: the page is back, with the words in the field and the focus there.
    look_up(&agent).await;
    ask(&agent, FEW).await;
    agent.says("#ovr-why-e", "Write 20 letters or more").await;
    assert_eq!(value(&agent, "#ovr-why").await, FEW);
    agent.focuses("#ovr-why").await;
    assert_eq!(value(&agent, "#ovr-kind").await, "reset_devices");
    agent.look("console-holder-refused").await;
    ask(&agent, REASON).await;
    agent.headed("Override").await;
    let case = agent.driver.current_url().await.expect("an address").path().to_owned();

    // A reveal, once; the holder's phone shows it.
    look_up(&agent).await;
    agent.tap("details:has([id^='bare-']) > summary").await;
    agent.write("[id^='bare-']", "The bank asks for the account of the payee").await;
    agent.look("console-holder-revealing").await;
    agent.tap("form[action$='/reveal'] button").await;
    agent.headed("The whole account").await;
    agent.says(".acct", "PL61109010140000071219812874").await;
    agent.look("console-revealed").await;
    phone.open("/views").await;
    phone.says(".rows", "one whole account number").await;
    assert!(!phone.words().await.contains("ovr_"), "the names of our papers are nothing to a holder");
    phone.says(".rows", "The bank asks for the account of the payee").await;
    phone.look("views-revealed").await;

    // A signer refuses: first with too few letters, then with words that the requester reads.
    jonas.open(&case).await;
    jonas.headed("Sign or refuse this override").await;
    jonas.is_ready("#go").await;
    jonas.write("#checked", FEW).await;
    jonas.tap("#go").await;
    jonas.says("#checked-e", "Write 20 letters or more").await;
    assert_eq!(value(&jonas, "#checked").await, FEW);
    jonas.focuses("#checked").await;
    jonas.look("console-sign-refused").await;
    jonas.write("#why", FEW).await;
    jonas.tap("form[action$='/refuse'] button").await;
    jonas.says("#why-e", "Write 20 letters or more").await;
    assert_eq!(value(&jonas, "#why").await, FEW);
    jonas.focuses("#why").await;
    jonas.look("console-refuse-refused").await;
    jonas.write("#why", WORDS).await;
    jonas.tap("form[action$='/refuse'] button").await;
    jonas.says(".way", WORDS).await;
    jonas.look("console-case-refused").await;
    agent.open(&case).await;
    agent.says(".state", "Refused").await;
    agent.look("console-case-refused-agent").await;

    // Another request, as if the day were over for which a refusal stands; the two who were drawn can't, and two others
    // are drawn.
    office.stage.owner_runs("DELETE FROM overrides WHERE due_at IS NULL").await;
    for who in [("Ines Sol", "desk", "Teleplus"), ("Uma Pillai", "night", "in-house")] {
        veteran(&office.stage, who, &[Role::Signer], 30 * DAY, office.stage.in_a_year()).await;
    }
    look_up(&agent).await;
    ask(&agent, REASON).await;
    agent.headed("Override").await;
    let case = agent.driver.current_url().await.expect("an address").path().to_owned();
    agent.tap("form[action$='/redraw'] button").await;
    agent.headed("Cases").await;
    agent.open(&case).await;
    agent.says(".facts", "Drawn before").await;
    assert!(!agent.has("form[action$='/redraw']").await, "once");
    agent.look("console-case-redrawn").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_admin_mends_a_form_and_signs_what_another_proposed() {
    let (stage, _folder) = stage::on_sqlite().await;
    let mut office = Office::open(stage).await;
    let desk = office.desk("the admin's desk").await;
    let invited = office.hire("Cleo Marin", "office", "in-house", Role::Admin).await;
    join(&desk, &invited).await;
    sign_in(&desk).await;

    desk.open("/staff/add").await;
    desk.is_ready("#go").await;
    for (field, text) in [
        ("#name", "Eve Moreau"),
        ("#group", "two words"),
        ("#employer", "in-house"),
        ("#reason", "Replaces Tom in May"),
    ] {
        desk.write(field, text).await;
    }
    desk.tap("input[value=signer]").await;
    desk.tap("input[value=admin]").await;
    desk.script("document.querySelector('#ends').value = '2027-06-30'", vec![]).await.expect("a form");
    desk.tap("#go").await;
    desk.says("#group-e", "Must contain only letters, digits").await;
    desk.says("#roles-e", "An admin can't be a signer.").await;
    desk.focuses("#group").await;
    assert_eq!(
        (value(&desk, "#group").await.as_str(), value(&desk, "#name").await.as_str()),
        ("two words", "Eve Moreau")
    );
    desk.look("console-add-refused").await;
    desk.write("#group", "risk").await;
    desk.tap("input[value=admin]").await;
    desk.tap("#go").await;
    desk.says(".case__decide", "You can’t sign").await;

    // Another admin proposes; this one signs second, and gets the link.
    let form = office.stage.form("Mara Quist", "fraud", "Teleplus Customer Services International", &["agent"]);
    let (one, _) = &mut office.admins;
    let proposed = one.signed("/staff/draft", &form, "/staff/propose").await.expect(200);
    let at = proposed["location"].as_str().expect("a place").to_owned();
    desk.open("/").await;
    desk.says(".rows", "Needs your signature").await;
    desk.look("console-cases-admin-waiting").await;
    desk.open(&at).await;
    desk.headed("Add Mara Quist").await;
    desk.is_ready("#go").await;
    desk.look("console-change-to-sign").await;
    desk.tap("#go").await;
    desk.says("#answer", "Give the new person this link").await;
    desk.look("console-change-link").await;
    desk.tap("#answer a").await;
    desk.says(".state", "Done").await;
    desk.look("console-change-done").await;
    assert_eq!(office.stage.cx.staff.everybody().await.expect("the record").len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_auditor_reads_the_log_and_the_report() {
    let (stage, _folder) = stage::on_sqlite().await;
    let cast = Cast::new(stage).await;
    cast.asked().await;
    let holder = cast.holder;
    let mut office = Office::open(cast.stage).await;
    let desk = office.desk("the auditor's desk").await;
    let invited = office.hire("Noor Haddad", "audit", "in-house", Role::Auditor).await;
    join(&desk, &invited).await;
    sign_in(&desk).await;
    desk.look("console-cases-auditor").await;
    while log::turn(&office.stage.cx).await.expect("a turn") > 0 {}

    desk.tap("nav a[href='/audit']").await;
    desk.headed("Audit").await;
    desk.says(".table", "Override asked").await;
    desk.look("console-audit").await;
    desk.write("#about", "Marta Nowak").await;
    desk.tap(".tools button").await;
    desk.says("#about-e", "Should read like apr_").await;
    assert_eq!(value(&desk, "#about").await, "Marta Nowak");
    desk.focuses("#about").await;
    desk.look("console-audit-refused").await;
    desk.write("#about", &holder.to_string()).await;
    desk.script("document.querySelector('#what').value = 'looks'", vec![]).await.expect("a form");
    desk.tap(".tools button").await;
    desk.says(".table", "Holder viewed").await;
    assert!(!desk.words().await.contains("Override asked"), "only looks");
    desk.tap(".table a").await;
    desk.headed("Holder viewed").await;
    desk.says(".card", "the holder calls").await;
    desk.tap("details:has(.copy) > summary").await;
    desk.says("details .copy", "c2sp.org/tlog-proof@v1").await;
    desk.look("console-entry").await;
    desk.open("/audit?what=settings&to=2020-01-01").await;
    desk.says(".empty", "There is no such entry.").await;
    desk.look("console-audit-empty").await;

    // What is on the disk is changed past the service: the page says so.
    let file = office.stage.file.clone().expect("a file");
    let entry = office.stage.entries("override.asked").await[0]["id"].as_str().expect("an id").to_owned();
    let url = format!("sqlite://{}", file.display());
    let mut record = <sqlx::SqliteConnection as sqlx::Connection>::connect(&url).await.expect("the record");
    let id = entry.parse::<countersign::domain::ChangeId>().expect("an id").uuid();
    sqlx::query("UPDATE audit SET canonical = replace(canonical, 'Teleplus', 'in-house') WHERE id = ?")
        .bind(id)
        .execute(&mut record)
        .await
        .expect("a change");
    desk.open(&format!("/audit/{entry}")).await;
    desk.says(".errors", "This text was changed after it was written").await;
    desk.look("console-entry-changed").await;

    desk.tap("nav a[href='/report']").await;
    desk.headed("What third parties did").await;
    desk.says(".table", "Teleplus").await;
    desk.look("console-report").await;
    desk.open("/report?from=2020-01-01&to=2020-01-02").await;
    desk.says(".empty", "Nobody of staff did anything in this time.").await;
    desk.look("console-report-empty").await;
    desk.complained_only_of(&["400 (Bad Request)"]).await;
}
