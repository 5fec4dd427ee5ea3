//! Signing in: a passkey of this console with user verification, once, of somebody who stands. Everything else gets one
//! and the same answer.

super::on_both! {
    a_passkey_signs_in_and_the_session_ends_by_idling_and_by_age,
    an_assertion_signs_in_once,
}

mod cases {
    use countersign::authenticator::Tamper;
    use countersign::domain::staff::session::{IDLE, LONGEST};
    use std::time::Duration;

    use crate::console::stage::{MINUTE, Stage};

    pub async fn a_passkey_signs_in_and_the_session_ends_by_idling_and_by_age(stage: Stage) {
        let (mut one, _) = stage.founders().await;
        let page = one.get("/").await;
        assert_eq!(page.status, 200, "{}", page.text);
        assert!(page.text.contains("Ada Lind"));
        // Nobody else's passkey and no cookie that was made up leads anywhere but to the sign-in.
        let mut stranger = super::super::desk::Desk::new(&stage);
        stranger.cookie = Some("cs-staff=made-up".to_owned());
        let turned_away = stranger.get("/staff").await;
        assert_eq!((turned_away.status, turned_away.location.as_deref()), (303, Some("/sign-in")));
        assert_eq!(stranger.post("/staff/draft", &serde_json::json!({})).await.slug(), "signed-out");
        let late = stranger.form_for_a_page("/looks/vew_01a227b84f0077acaafb155e7121ee01/lock").await;
        assert_eq!((late.status, late.location.as_deref()), (303, Some("/sign-in")), "a person gets a page");

        stage.clock.advance(IDLE);
        assert_eq!(one.get("/").await.status, 303, "15 minutes without a request end a session");
        one.sign_in().await.expect(200);
        let busy = LONGEST.as_secs() / 60 / 10;
        for turn in 1..=busy {
            stage.clock.advance(10 * MINUTE);
            let expected = if turn < busy { 200 } else { 303 };
            assert_eq!(one.get("/").await.status, expected, "after {} minutes", turn * 10);
        }

        one.sign_in().await.expect(200);
        let left = one.form("/sign-out", &[]).await;
        assert_eq!(left.status, 303);
        assert_eq!(one.get("/").await.status, 303, "signed out is signed out, whatever cookie is sent");
        assert_eq!(stage.entries("staff.signed_out").await.len(), 1);
    }

    pub async fn an_assertion_signs_in_once(stage: Stage) {
        let (mut one, _) = stage.founders().await;
        let body = one.sign_in_body(&Tamper::default()).await;
        one.finish_sign_in(&body).await.expect(200);
        let mut thief = super::super::desk::Desk::new(&stage);
        assert_ne!(thief.finish_sign_in(&body).await.status, 200);
        assert!(thief.cookie.is_none());
        // An old question isn't answered either.
        let late = one.sign_in_body(&Tamper::default()).await;
        stage.clock.advance(Duration::from_secs(301));
        assert_eq!(one.finish_sign_in(&late).await.slug(), "prompt-stale");
    }
}

use countersign::authenticator::{Flags, SoftAuthenticator, Tamper};
use countersign::domain::staff::Role;
use serde_json::json;

use super::desk::Desk;
use super::stage::{self, DAY};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_wrong_passkey_gets_the_same_answer() {
    let (stage, _alive) = stage::on_sqlite().await;
    let (mut one, _) = stage.founders().await;
    let wrong = [
        ("another RP", Tamper { rp_id: Some("localhost".into()), ..Tamper::default() }),
        ("no user verification", Tamper { clear: Some(Flags::USER_VERIFIED), ..Tamper::default() }),
        ("another origin", Tamper { origin: Some("http://localhost".into()), ..Tamper::default() }),
        ("a broken signature", Tamper { flip_signature: Some(3), ..Tamper::default() }),
        ("an old counter", Tamper { counter: Some(1), ..Tamper::default() }),
        ("a frame of another site", Tamper { cross_origin: Some(true), ..Tamper::default() }),
        ("another's credential", Tamper { credential_id: Some(vec![7; 32]), ..Tamper::default() }),
    ];
    for (what, tamper) in wrong {
        one.cookie = None;
        let refused = one.sign_in_with(&tamper).await;
        assert_eq!((refused.status, refused.slug().as_str()), (403, "ceremony-failed"), "{what}: {}", refused.text);
        assert!(one.cookie.is_none(), "{what}");
    }
    assert_eq!(stage.entries("staff.sign_in_refused").await.len(), 7, "each is written down");

    // A holder's passkey is of another origin; a browser doesn't even offer it.
    let mut holder = SoftAuthenticator::device_bound();
    let asked = one.post("/sign-in/start", &json!({})).await.expect(200);
    assert!(holder.get(&asked["options"], &one.origin).is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_date_ends_sessions_and_sign_ins_by_itself() {
    let (stage, _alive) = stage::on_sqlite().await;
    let mut admins = stage.founders().await;
    let mut form = stage.form("Cleo Park", "support", "Teleplus", &["agent"]);
    form["ends"] = json!((stage.cx.now() + stage::MINUTE * 10).rfc3339());
    let mut agent = stage.hire_by(&mut admins, form).await;
    assert_eq!(agent.get("/holders").await.status, 200);
    stage.clock.advance(stage::MINUTE * 10);
    assert_eq!(agent.get("/holders").await.status, 303, "no job ran, and it is over");
    assert_eq!(agent.sign_in().await.slug(), "ceremony-failed");
    assert_eq!(stage.entries("session.refused").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_our_own_pages_and_our_own_host_act() {
    let (stage, _alive) = stage::on_sqlite().await;
    let (one, two) = stage.founders().await;
    let end = format!("/staff/{}/end", two.id());
    let tries: [&[(&str, &str)]; 6] = [
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("origin", "http://localhost")],
        // A page without a referrer, ours or anybody's, has no origin to tell.
        &[("origin", "null")],
        &[("origin", "null"), ("sec-fetch-site", "cross-site")],
        // A browser says at least one of them; whoever says neither isn't one.
        &[],
    ];
    for headers in tries {
        assert_eq!(one.act_elsewhere(&end, headers).await.status, 403, "{headers:?}");
    }
    assert_eq!(two.get("/").await.status, 200);

    let rebound = reqwest::Url::parse(&format!("http://{}/sign-in", stage.console)).unwrap();
    let client = super::desk::client(&stage.console_url, stage.console);
    assert_eq!(client.get(rebound).send().await.unwrap().status(), 400, "another host name isn't ours");
    let page = one.get("/sign-in").await;
    let header = |name: &str| page.headers.get(name).unwrap().to_str().unwrap().to_owned();
    assert!(header("content-security-policy").contains("default-src 'none'"));
    assert!(header("content-security-policy").contains("frame-ancestors 'none'"));
    assert_eq!(header("cache-control"), "no-store");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_open_their_own_pages_only() {
    let (stage, _alive) = stage::on_sqlite().await;
    let mut admins = stage.founders().await;
    let agent = stage.hire(&mut admins, "Cleo Park", "support", "Teleplus", &["agent"]).await;
    let signer = stage.hire(&mut admins, "Dev Rao", "risk", "in-house", &["signer", "auditor"]).await;
    for path in ["/staff", "/staff/add", "/staff/status"] {
        assert_eq!(agent.get(path).await.status, 403, "{path}");
        assert_eq!(signer.get(path).await.status, 403, "{path}");
    }
    assert_eq!(signer.get("/holders").await.status, 403);
    assert_eq!(admins.0.get("/holders").await.status, 403, "an admin who isn't an agent looks nobody up");
    assert_eq!(agent.form(&format!("/staff/{}/end", signer.id()), &[]).await.status, 403);
    assert_eq!(agent.post("/staff/draft", &stage.form("X", "y", "z", &["admin"])).await.slug(), "forbidden");
    let refused = stage.entries("staff.refused").await;
    let of = |desk: &Desk, why: &str| {
        let id = desk.id().to_string();
        let theirs = |entry: &&serde_json::Value| entry["actor"]["id"] == id.as_str() && entry["facts"]["why"] == why;
        refused.iter().filter(theirs).count()
    };
    assert_eq!(of(&agent, "not_in_role_admin"), 5);
    assert_eq!((of(&signer, "not_in_role_admin"), of(&signer, "not_in_role_agent")), (3, 1));
    assert_eq!((of(&admins.0, "not_in_role_agent"), refused.len()), (1, 10), "each attempt is written down");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_page_keeps_nobody_signed_in() {
    let (stage, _alive) = stage::on_sqlite().await;
    let (one, two) = stage.founders().await;
    // Each minute the page looks whether it is still true, and loads itself again because it isn't.
    for minute in 1..15 {
        stage.clock.advance(stage::MINUTE);
        for watched in ["/cases/status", "/staff/status", "/?live"] {
            assert_eq!(one.get(watched).await.status, 200, "{watched} in minute {minute}");
        }
        assert_eq!(two.get("/").await.status, 200);
    }
    stage.clock.advance(stage::MINUTE);
    for watched in ["/cases/status", "/staff/status", "/?live"] {
        assert_eq!(one.get(watched).await.status, 303, "{watched}: a quarter of an hour without a person is over");
    }
    assert_eq!(two.get("/").await.status, 200, "somebody who is there goes on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_passkey_that_is_not_made_as_asked_leaves_a_trace() {
    let (stage, _alive) = stage::on_sqlite().await;
    let invited = stage.invite("Ada Lind", &[Role::Admin]).await.unwrap();
    let path = invited.url.path().to_owned();
    let mut desk = Desk::new(&stage);
    let making = desk.post(&format!("{path}/start"), &json!({"code": null})).await.expect(200);
    let tamper = Tamper { origin: Some("https://elsewhere.example".to_owned()), ..Tamper::default() };
    let made = desk.authenticator.create_tampered(&making["options"], &desk.origin, &tamper).unwrap();
    let body = json!({"sealed": making["sealed"], "registration": made});
    assert_eq!(desk.post(&format!("{path}/prove"), &body).await.slug(), "ceremony-failed");
    let refused = stage.entries("staff.join_refused").await;
    assert_eq!(refused.iter().map(|entry| &entry["facts"]["why"]).collect::<Vec<_>>(), ["origin"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_passkey_is_made_once_with_user_verification() {
    let (stage, _alive) = stage::on_sqlite().await;
    let invited = stage.invite("Ada Lind", &[Role::Admin]).await.unwrap();
    let path = invited.url.path().to_owned();
    let mut desk = Desk::new(&stage);
    // Without user verification nothing is made.
    let making = desk.post(&format!("{path}/start"), &json!({"code": null})).await.expect(200);
    assert_eq!(making["options"]["authenticatorSelection"]["residentKey"], "required");
    assert_eq!(making["options"]["authenticatorSelection"]["userVerification"], "required");
    assert_eq!(making["options"]["attestation"], "none");
    let tamper = Tamper { clear: Some(Flags::USER_VERIFIED), ..Tamper::default() };
    let made = desk.authenticator.create_tampered(&making["options"], &desk.origin, &tamper).unwrap();
    let refused = desk.post(&format!("{path}/prove"), &json!({"sealed": making["sealed"], "registration": made})).await;
    assert_eq!(refused.slug(), "ceremony-failed");
    // The link serves one person once.
    let mut desk = Desk::new(&stage);
    desk.join(invited.url.as_str(), None).await;
    let mut second = Desk::new(&stage);
    assert_eq!(second.try_to_join(invited.url.as_str(), None).await.slug(), "link-ended");
    assert_eq!(stage.cx.staff.passkeys(desk.id()).await.unwrap().len(), 1);
    // And only for a day.
    let late = stage.invite("Ben Ortiz", &[Role::Admin]).await.unwrap();
    stage.clock.advance(DAY);
    assert_eq!(second.try_to_join(late.url.as_str(), None).await.slug(), "link-ended");
}
