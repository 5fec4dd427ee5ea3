//! Dual sign-off as people do it: an agent looks a holder up and asks, two signers whom nobody chose sign with their
//! passkeys, and the holder sees it and stops it with one tap.

use countersign::domain::OverrideId;
use countersign::domain::staff::Role;
use countersign::service::links;
use thirtyfour::Key;

use super::Browser;
use super::office::{Office, join, sign_in};
use super::page::Owner;
use crate::console::stage::{self, DAY};
use crate::support::eventually::eventually;

const REASON: &str = "Customer lost her phone on the train, completes on a house today.";
const CHECKED: &str = "Called back on the number on file; the voice matched the notes.";

async fn look_up(agent: &Browser, subject: &str) {
    agent.open("/holders").await;
    agent.write("#subject", subject).await;
    agent.write("#reason", "The holder calls about a transfer").await;
    agent.press(Key::Enter).await;
}

/// Opens the form of a request and fills it.
async fn fill(agent: &Browser, kind: &str) {
    agent.tap("details:has(#ovr-kind) > summary").await;
    agent.script("document.querySelector('#ovr-kind').value = arguments[0]", vec![kind.into()]).await.expect("a form");
    agent
        .script(
            "const of = document.querySelector('#ovr-approval'); of.value = of.options[of.options.length - 1].value",
            vec![],
        )
        .await
        .expect("a form");
    agent.write("#ovr-why", REASON).await;
}

/// Writes what was checked and signs.
async fn sign(signer: &Browser) {
    signer.is_ready("#go").await;
    signer.write("#checked", CHECKED).await;
    signer.tap("#go").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_asks_two_sign_and_the_holder_stops_it() {
    let (stage, _folder) = stage::on_sqlite().await;
    let mut office = Office::open(stage).await;
    let (agent, jonas, amir) =
        tokio::join!(office.desk("the agent's desk"), office.desk("Jonas's desk"), office.desk("Amir's desk"));
    let people = [
        (
            &agent,
            "Dana Okafor-Lindqvist of the Night Shift",
            "support",
            "Teleplus Customer Services International",
            Role::Agent,
        ),
        (&jonas, "Jonas Weber", "risk", "in-house", Role::Signer),
        (&amir, "Amir Haddad", "fraud", "in-house", Role::Signer),
    ];
    for (number, (desk, name, group, employer, role)) in people.into_iter().enumerate() {
        let invited = office.hire(name, group, employer, role).await;
        if number == 0 {
            desk.open(&invited.0).await;
            desk.is_ready("#go").await;
            desk.look("console-join").await;
        }
        join(desk, &invited).await;
    }
    agent.look("console-joined").await;
    office.stage.clock.advance(8 * DAY);

    agent.open("/").await;
    agent.is_at("/sign-in").await;
    agent.is_ready("#go").await;
    agent.look("console-sign-in").await;
    agent.owner(Owner::Refuses).await;
    agent.tap("#go").await;
    agent.says("#answer", "Nothing was done. You closed the question for your passkey").await;
    agent.look("console-sign-in-dismissed").await;
    agent.owner(Owner::Verified).await;
    for desk in [&agent, &jonas, &amir] {
        sign_in(desk).await;
    }
    agent.look("console-cases-empty").await;
    jonas.look("console-cases-empty-signer").await;

    // Looking: nobody found, then the holder, with nothing whole on the page.
    let (holder, cookie) = office.stage.holder("u-1").await;
    let phone = office.phone(&cookie).await;
    agent.open("/holders").await;
    agent.look("console-look-up").await;
    look_up(&agent, "u-").await;
    agent.says(".errors", "Nobody has exactly this number").await;
    agent.look("console-look-up-unknown").await;
    look_up(&agent, "u-1").await;
    agent.headed("Holder u-1").await;
    agent.look("console-holder-empty").await;
    office.stage.transfer("u-1").await;
    office.stage.transfer("u-1").await;
    look_up(&agent, "u-1").await;
    agent.headed("Holder u-1").await;
    agent.says(".payee", "M••••").await;
    assert!(!agent.words().await.contains("Nowak"), "it is masked");
    agent.look("console-holder").await;

    fill(&agent, "approve_for_holder").await;
    agent.look("console-holder-asking").await;
    agent.tap("form[action$='/override'] button").await;
    agent.headed("Override").await;
    agent.look("console-case-asked").await;
    let id: OverrideId =
        agent.driver.current_url().await.expect("an address").path()["/cases/".len()..].parse().expect("an id");
    agent.open("/").await;
    agent.says(".row", "0 of 2 signed").await;
    agent.look("console-cases-agent").await;

    // Two desks wait; each signs for itself.
    for (desk, name) in [(&jonas, "first"), (&amir, "second")] {
        desk.open("/").await;
        desk.says(".row", "Needs your signature").await;
        desk.look(&format!("console-cases-{name}")).await;
        desk.tap("a.row").await;
        desk.headed("Sign or refuse this override").await;
        assert_eq!(desk.text(".acct").await, "PL61109010140000071219812874", "whoever decides sees it whole");
        desk.is_ready("#go").await;
        desk.look(&format!("console-sign-{name}")).await;
        desk.owner(Owner::Refuses).await;
        sign(desk).await;
        desk.says("#answer", "Nothing was done.").await;
        desk.owner(Owner::Verified).await;
        sign(desk).await;
        desk.says(".way", CHECKED).await;
        desk.look(&format!("console-signed-{name}")).await;
    }
    let case = office.stage.cx.store.override_request(id).await.expect("the record").expect("the case");
    assert_eq!(case.state.signatures().len(), 2);
    // What the first one has open notices by itself.
    jonas.says(".state", "Signed twice. The transfer cools off").await;
    agent.open(&format!("/cases/{id}")).await;
    agent.look("console-case-signed").await;

    // The holder sees who looked, and stops the transfer that others approved.
    phone.open("/").await;
    phone.says("h1", "Your approvals").await;
    phone.look("home-approved-by-staff").await;
    phone.open("/views").await;
    phone.says(".rows", "A person in the role agent, Teleplus Customer Services International").await;
    phone.look("views").await;

    // Another override, of the devices: its notice has a link that only stops.
    look_up(&agent, "u-1").await;
    agent.headed("Holder u-1").await;
    fill(&agent, "reset_devices").await;
    agent.tap("form[action$='/override'] button").await;
    agent.headed("Override").await;
    let id: OverrideId =
        agent.driver.current_url().await.expect("an address").path()["/cases/".len()..].parse().expect("an id");
    for desk in [&jonas, &amir] {
        desk.open(&format!("/cases/{id}")).await;
        desk.headed("Sign or refuse this override").await;
        sign(desk).await;
        desk.says(".way", CHECKED).await;
    }
    amir.look("console-reset-cooling").await;
    phone.open("/").await;
    phone.says("h2", "Our staff want to decide for you").await;
    phone.look("home-override").await;
    phone.open(links::override_page(&office.stage.cx, id).expect("a link").as_str()).await;
    phone.headed("Did you ask our staff for this?").await;
    phone.look("veto").await;
    phone.tap("#stop button").await;
    phone.headed("It is over").await;
    phone.look("veto-over").await;
    amir.says(".state", "Stopped").await;
    amir.look("console-reset-stopped").await;

    // Locked by the agent; and what isn't there.
    look_up(&agent, "u-1").await;
    agent.headed("Holder u-1").await;
    agent.tap("details:has(#lock-why) > summary").await;
    agent.write("#lock-why", "Says that none of it was hers").await;
    agent.tap("form[action$='/lock'] button").await;
    // The page has the same heading before and after.
    eventually("the freeze", async || office.stage.cx.store.freeze(holder).await.expect("the record")).await;
    agent.headed("Holder u-1").await;
    agent.open("/cases/ovr_01KAJGVD2CE2XBJ17K4YJHKC4D").await;
    agent.headed("There is nothing here").await;
    agent.look("console-not-found").await;
    jonas.open("/staff").await;
    jonas.headed("You can’t do this").await;
    jonas.look("console-not-allowed").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_admin_sees_everybody_and_proposes_somebody() {
    let (stage, _folder) = stage::on_sqlite().await;
    let mut office = Office::open(stage).await;
    let desk = office.desk("the admin's desk").await;
    let invited = office.hire("Cleo Marin", "office", "in-house", Role::Admin).await;
    join(&desk, &invited).await;
    sign_in(&desk).await;
    desk.look("console-cases-admin").await;
    for number in 1..=12 {
        office.hire(&format!("Person {number} with quite a Long Name"), "support", "Teleplus", Role::Agent).await;
    }
    office.stage.invite("Somebody from the Host", &[Role::Signer]).await.expect("an invite");
    desk.open("/staff").await;
    desk.says(".warn", "Somebody was invited from the host").await;
    desk.look("console-staff").await;
    desk.tap(".table a").await;
    desk.shows("h1").await;
    desk.look("console-person").await;
    desk.open("/staff/add").await;
    desk.is_ready("#go").await;
    desk.look("console-add").await;
    for (field, text) in
        [("#name", "Eve Moreau"), ("#group", "risk"), ("#employer", "in-house"), ("#reason", "Replaces Tom in May")]
    {
        desk.write(field, text).await;
    }
    desk.tap("input[value=signer]").await;
    desk.script("document.querySelector('#ends').value = '2027-06-30'", vec![]).await.expect("a form");
    desk.tap("#go").await;
    desk.says(".case__decide", "You can’t sign").await;
    desk.look("console-change").await;
    desk.was_quiet().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_console_goes_by_keyboard() {
    let (stage, _folder) = stage::on_sqlite().await;
    let mut office = Office::open(stage).await;
    let desk = office.desk("the agent's desk").await;
    let invited = office.hire("Dana Okafor", "support", "Teleplus", Role::Agent).await;
    join(&desk, &invited).await;
    sign_in(&desk).await;
    office.stage.holder("u-1").await;

    desk.open("/").await;
    let focused = async || desk.script("return document.activeElement.innerText", vec![]).await.expect("a page");
    desk.press(Key::Tab).await;
    assert_eq!(focused().await, "Skip to content");
    desk.press(Key::Enter).await;
    desk.press(Key::Tab).await;
    assert_eq!(focused().await, "Look a holder up", "past the bar");
    desk.press(Key::Enter).await;
    desk.headed("Look a holder up").await;
    // The field for the number has the focus already.
    desk.focuses("#subject").await;
    desk.types("u-1").await;
    desk.press(Key::Tab).await;
    desk.types("She calls").await;
    desk.press(Key::Enter).await;
    desk.headed("Holder u-1").await;
    desk.was_quiet().await;
}
