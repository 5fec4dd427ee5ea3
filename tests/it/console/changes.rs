//! Two admins decide who belongs to staff; one can't, whatever they try.

super::on_both! {
    two_admins_add_somebody_and_one_cannot,
}

mod cases {
    use serde_json::json;

    use crate::console::desk::Desk;
    use crate::console::stage::Stage;

    pub async fn two_admins_add_somebody_and_one_cannot(stage: Stage) {
        let (mut one, mut two) = stage.founders().await;
        let form = stage.form("Cleo Park", "support", "Teleplus", &["agent"]);
        let proposed = one.signed("/staff/draft", &form, "/staff/propose").await.expect(200);
        let at = proposed["location"].as_str().unwrap().to_owned();
        let people = || async { stage.cx.staff.everybody().await.unwrap().len() };
        assert_eq!(people().await, 2, "one signature adds nobody");
        // The same admin can't be the second one, by prompt or by a signature for the first.
        let again = one.signed(&format!("{at}/prompt"), &json!({}), &format!("{at}/sign")).await;
        assert_eq!((again.status, again.slug().as_str()), (409, "conflict"));
        // A prompt of one admin isn't another's to answer, and a signature fits one change only.
        let asked = two.post(&format!("{at}/prompt"), &json!({})).await.expect(200);
        let signed = two.answer(&asked);
        assert_eq!(one.post(&format!("{at}/sign"), &signed).await.slug(), "prompt-stale");
        let other = one.signed("/staff/draft", &form, "/staff/propose").await.expect(200);
        let elsewhere = other["location"].as_str().unwrap().to_owned();
        assert_eq!(two.post(&format!("{elsewhere}/sign"), &signed).await.slug(), "prompt-stale");
        assert_eq!(people().await, 2);
        let refused = stage.entries("staff_change.sign_refused").await;
        let why: Vec<_> = refused.iter().map(|entry| (&entry["actor"]["id"], &entry["facts"]["why"])).collect();
        let (one_id, two_id) = (json!(one.id()), json!(two.id()));
        let (already, stale) = (json!("signed_already"), json!("prompt_stale"));
        assert_eq!(why, [(&one_id, &already), (&one_id, &stale), (&two_id, &stale)], "each attempt is written down");

        let done = two.post(&format!("{at}/sign"), &signed).await.expect(200);
        assert_eq!(people().await, 3);
        assert_ne!(two.post(&format!("{at}/sign"), &signed).await.status, 200, "a signature counts once");
        // The link alone isn't enough: its code is shown to the other admin only.
        let link = done["link"].as_str().unwrap();
        let mut cleo = Desk::new(&stage);
        assert_eq!(cleo.try_to_join(link, None).await.slug(), "code-wrong");
        assert!(!two.get(&at).await.text.contains("Code for the new person"));
        let code = one.get(&at).await.between(r#"<p class="acct">"#, "</p>");
        cleo.join(link, Some(&code)).await;
        cleo.sign_in().await.expect(200);

        let entry = &stage.entries("staff_change.carried_out").await[0];
        assert_eq!(entry["actor"]["id"], two.id().to_string());
        assert_eq!(entry["facts"]["employer"], "in-house");
        assert_eq!(entry["facts"]["group"], "office");
        assert_eq!(entry["facts"]["new_employer"], "Teleplus");
    }
}

use countersign::domain::staff::Role;
use serde_json::json;

use super::stage::{self, HOUR};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_admin_and_signer_however_it_is_asked_for() {
    let (stage, _alive) = stage::on_sqlite().await;
    let mut admins = stage.founders().await;
    let both = stage.form("Eve Both", "risk", "in-house", &["admin", "signer"]);
    let refused = admins.0.post("/staff/draft", &both).await;
    assert_eq!(refused.slug(), "invalid-request");
    assert!(refused.text.contains("an admin can't be a signer"), "{}", refused.text);
    assert!(countersign::domain::staff::Roles::of(&[Role::Signer, Role::Admin]).is_err());
    // By way of a change neither.
    let signer = stage.hire(&mut admins, "Dev Rao", "risk", "in-house", &["signer"]).await;
    let mut change = stage.form("Dev Rao", "risk", "in-house", &["signer", "admin"]);
    change["staff"] = json!(signer.id().to_string());
    assert_eq!(admins.0.post("/staff/draft", &change).await.slug(), "invalid-request");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_is_moved_by_two_and_nobody_decides_about_themselves() {
    let (stage, _alive) = stage::on_sqlite().await;
    let mut admins = stage.founders().await;
    let agent = stage.hire(&mut admins, "Cleo Park", "support", "Teleplus", &["agent"]).await;
    let mut longer = stage.form("Cleo Park", "support", "Teleplus", &["agent"]);
    longer["staff"] = json!(agent.id().to_string());
    longer["ends"] = json!("2029-12-31");
    let (one, two) = &mut admins;
    let proposed = one.signed("/staff/draft", &longer, "/staff/propose").await.expect(200);
    let at = proposed["location"].as_str().unwrap().to_owned();
    let ends = || async { stage.cx.staff.person(agent.id()).await.unwrap().unwrap().profile.ends_at };
    assert!(ends().await < stage.in_a_year() + HOUR);
    let page = two.get(&at).await.text;
    assert!(page.contains("2029-12-31") && page.contains("<del>"), "{page}");
    two.signed(&format!("{at}/prompt"), &json!({}), &format!("{at}/sign")).await.expect(200);
    assert_eq!(ends().await.rfc3339(), "2029-12-31T23:59:59Z");

    let mut own = stage.form("Ben Ortiz", "office", "in-house", &["admin"]);
    own["staff"] = json!(two.id().to_string());
    assert_eq!(two.post("/staff/draft", &own).await.slug(), "forbidden", "two proposes about two");
    let proposed = one.signed("/staff/draft", &own, "/staff/propose").await.expect(200);
    let at = proposed["location"].as_str().unwrap().to_owned();
    let refused = two.signed(&format!("{at}/prompt"), &json!({}), &format!("{at}/sign")).await;
    assert_eq!(refused.slug(), "forbidden");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_signature_of_an_admin_who_was_ended_does_not_count() {
    let (stage, _alive) = stage::on_sqlite().await;
    let mut admins = stage.founders().await;
    let mut third = stage.hire(&mut admins, "Fay Osei", "office", "in-house", &["admin"]).await;
    let (one, two) = &mut admins;
    let form = stage.form("Cleo Park", "support", "Teleplus", &["agent"]);
    let proposed = one.signed("/staff/draft", &form, "/staff/propose").await.expect(200);
    let at = proposed["location"].as_str().unwrap().to_owned();
    assert_eq!(third.form(&format!("/staff/{}/end", one.id()), &[]).await.status, 303);
    let before = stage.cx.staff.everybody().await.unwrap().len();
    let second = two.signed(&format!("{at}/prompt"), &json!({}), &format!("{at}/sign")).await.expect(200);
    assert!(second["link"].is_null());
    assert_eq!(stage.cx.staff.everybody().await.unwrap().len(), before, "one standing signature adds nobody");
    let done = third.signed(&format!("{at}/prompt"), &json!({}), &format!("{at}/sign")).await.expect(200);
    assert!(done["link"].is_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_refusal_ends_a_change_and_silence_does_too() {
    let (stage, _alive) = stage::on_sqlite().await;
    let (mut one, mut two) = stage.founders().await;
    let form = stage.form("Cleo Park", "support", "Teleplus", &["agent"]);
    let proposed = one.signed("/staff/draft", &form, "/staff/propose").await.expect(200);
    let at = proposed["location"].as_str().unwrap().to_owned();
    assert_eq!(two.form(&format!("{at}/refuse"), &[]).await.status, 303);
    assert_eq!(two.post(&format!("{at}/prompt"), &json!({})).await.slug(), "conflict");

    let proposed = one.signed("/staff/draft", &form, "/staff/propose").await.expect(200);
    let at = proposed["location"].as_str().unwrap().to_owned();
    stage.clock.advance(72 * HOUR);
    two.sign_in().await.expect(200);
    assert_eq!(two.post(&format!("{at}/prompt"), &json!({})).await.slug(), "conflict");
}
