//! What the host's command line may do: found, and later only ask, in front of everybody.

use countersign::domain::staff::Role;
use countersign::domain::staff::invite::HOST_WAIT;

use super::desk::Desk;
use super::stage::{self, DAY, MINUTE};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_two_admins_an_invite_from_the_host_waits_and_every_admin_sees_it() {
    let (stage, _alive) = stage::on_sqlite().await;
    // Three are invited while it works at once; the third one comes too late for that.
    let kept = stage.invite("Quick Third", &[Role::Signer]).await.unwrap();
    assert_eq!(kept.opens_at, stage.cx.now());
    let (mut one, mut two) = stage.founders().await;
    assert_eq!(Desk::new(&stage).try_to_join(kept.url.as_str(), None).await.slug(), "link-ended");

    let waits = stage.invite("Mallory Host", &[Role::Signer]).await.unwrap();
    assert_eq!(waits.opens_at, stage.cx.now() + HOST_WAIT);
    let mut mallory = Desk::new(&stage);
    assert_eq!(mallory.try_to_join(waits.url.as_str(), None).await.slug(), "too-early");
    for admin in [&one, &two] {
        for page in ["/", "/staff"] {
            let text = admin.get(page).await.text;
            assert!(text.contains("invited from the host") && text.contains("Mallory Host"), "{text}");
        }
    }
    let entry = &stage.entries("staff.invited_from_host").await[0];
    assert_eq!(entry["actor"]["kind"], "operator");
    assert!(entry["facts"]["opens_at"].is_string());

    stage.clock.advance(HOST_WAIT - MINUTE);
    assert_eq!(mallory.try_to_join(waits.url.as_str(), None).await.slug(), "too-early");
    stage.clock.advance(MINUTE);
    mallory.join(waits.url.as_str(), None).await;

    // An admin who sees the next one stops it.
    let stopped = stage.invite("Second Mallory", &[Role::Admin]).await.unwrap();
    one.sign_in().await.expect(200);
    two.sign_in().await.expect(200);
    assert_eq!(one.form(&format!("/staff/{}/end", stopped.staff), &[]).await.status, 303);
    stage.clock.advance(HOST_WAIT + DAY / 2);
    assert_eq!(Desk::new(&stage).try_to_join(stopped.url.as_str(), None).await.slug(), "link-ended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ending_the_founders_does_not_found_anew() {
    let (stage, _alive) = stage::on_sqlite().await;
    let (one, two) = stage.founders().await;
    assert_eq!(one.form(&format!("/staff/{}/end", two.id()), &[]).await.status, 303);
    assert_eq!(one.form(&format!("/staff/{}/end", one.id()), &[]).await.status, 303);
    let again = stage.invite("Mallory Host", &[Role::Admin]).await.unwrap();
    assert_eq!(again.opens_at, stage.cx.now() + HOST_WAIT, "two admins have been, whoever is there now");
}
