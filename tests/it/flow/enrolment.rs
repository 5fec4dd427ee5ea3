//! The first device: what it takes, and every way in which a planted one is refused.

use std::time::Duration;

use countersign::authenticator::{DeviceKeyPair, SoftAuthenticator, SoftBrowser};
use countersign::domain::device::{Blob, DeviceName};
use countersign::domain::link::LinkRefusal;
use countersign::domain::linking::ENROL;
use countersign::service::{Error, enrol};
use serde_json::json;

use super::world::{World, device_key, text};

async fn invited(world: &World) -> String {
    world.holder("u-1", &["u-1"]).await;
    let token = world.invite("u-1", "invite").await.unwrap();
    world.settle().await;
    token
}

#[tokio::test]
async fn a_wrong_code_is_counted_and_the_fifth_ends_the_link() {
    let world = World::new().await;
    let token = invited(&world).await;
    let right = world.code("u-1");
    let wrong = if right == "000000" { "000001" } else { "000000" };
    for _ in 0..5 {
        let refused = world.enrol_with(&token, wrong, SoftAuthenticator::device_bound()).await.map(|_| ());
        assert!(matches!(refused, Err(Error::WrongCode)), "{refused:?}");
    }
    let ended = world.enrol_with(&token, &right, SoftAuthenticator::device_bound()).await.map(|_| ());
    assert!(matches!(ended, Err(Error::Link(LinkRefusal::CodeUsedUp))), "{ended:?}");
    assert_eq!(world.audit().await.iter().filter(|kind| **kind == "enrol.code_wrong").count(), 5);
}

#[tokio::test]
async fn every_code_costs_a_try_and_the_fifth_may_be_right() {
    let world = World::new().await;
    let token = invited(&world).await;
    let right = world.code("u-1");
    let wrong = if right == "000000" { "000001" } else { "000000" };
    for _ in 0..4 {
        assert!(world.enrol_with(&token, wrong, SoftAuthenticator::device_bound()).await.is_err());
    }
    world.enrol_with(&token, &right, SoftAuthenticator::device_bound()).await.unwrap();
    assert_eq!(world.audit().await.iter().filter(|kind| **kind == "enrol.code_right").count(), 1);
}

#[tokio::test]
async fn the_first_enrolment_happens_once_in_a_life() {
    let world = World::new().await;
    let token = invited(&world).await;
    let code = world.code("u-1");
    world.enrol_with(&token, &format!(" {} {} ", &code[..3], &code[3..]), SoftAuthenticator::synced()).await.unwrap();
    let again = world.enrol_with(&token, &code, SoftAuthenticator::synced()).await.map(|_| ());
    assert!(matches!(again, Err(Error::Link(LinkRefusal::Ended))), "{again:?}");
    assert!(matches!(world.invite("u-1", "another").await, Err(Error::AlreadyEnrolled)));
    world.later(Duration::from_secs(61)).await;
    let told = world.channel.inbox.messages("u-1");
    assert!(told.iter().any(|message| message.title.contains("was added")));
}

#[tokio::test]
async fn a_link_ends_after_ten_minutes_by_refusal_and_by_a_newer_link() {
    let world = World::new().await;
    let old = invited(&world).await;
    let newer = world.invite("u-1", "newer").await.unwrap();
    assert!(matches!(enrol::look(&world.cx, &old).await, Err(Error::Link(LinkRefusal::Ended))));
    enrol::decline(&world.cx, &newer).await.unwrap();
    enrol::decline(&world.cx, &newer).await.unwrap();
    assert!(matches!(enrol::look(&world.cx, &newer).await, Err(Error::Link(LinkRefusal::Ended))));
    let last = world.invite("u-1", "last").await.unwrap();
    world.later(Duration::from_secs(600)).await;
    assert!(matches!(enrol::look(&world.cx, &last).await, Err(Error::Link(LinkRefusal::Expired))));
    assert!(matches!(enrol::look(&world.cx, "AAAAAAAAAAAAAAAAAAAAAA").await, Err(Error::NotFound)));
    // The answer under the same key is repeated from its sealed copy.
    assert_eq!(world.invite("u-1", "last").await.unwrap(), last);
}

#[tokio::test]
async fn the_device_key_must_sign_too() {
    let world = World::new().await;
    let token = invited(&world).await;
    let mut soft = SoftBrowser::new(world.origin.clone(), SoftAuthenticator::device_bound()).unwrap();
    let name = DeviceName::parse("Planted").unwrap();
    let started = enrol::start(&world.cx, &token, &world.code("u-1"), name, device_key(&soft)).await.unwrap();
    let body = soft.prove_body(&json!({"options": started.options, "sealed": started.sealed})).unwrap();
    let proving = enrol::prove(&world.cx, &token, text(&body["sealed"]), &body["registration"]).await.unwrap();
    let body = soft.finish_body(&json!({"options": proving.options, "sealed": proving.sealed})).unwrap();
    let challenge = data_encoding::BASE64URL_NOPAD.decode(proving.challenge.as_bytes()).unwrap();
    let thief = DeviceKeyPair::generate().unwrap().sign(ENROL, &challenge).unwrap();
    let sealed = text(&body["sealed"]);
    let refused = enrol::finish(&world.cx, &token, sealed, &body["assertion"], &thief.0).await.map(|_| ());
    assert!(matches!(refused, Err(Error::DeviceKey)), "{refused:?}");
    // A step of the ceremony can't stand in for another.
    let skipped = enrol::finish(&world.cx, &token, &started.sealed, &body["assertion"], &thief.0).await.map(|_| ());
    assert!(matches!(skipped, Err(Error::PromptStale)), "{skipped:?}");
    let own: Blob = serde_json::from_value(body["signature"].clone()).unwrap();
    enrol::finish(&world.cx, &token, sealed, &body["assertion"], &own.0).await.unwrap();
}

/// A stolen key asks for one link after the other, each with a code and tries of its own.
#[tokio::test]
async fn no_more_than_fifty_codes_can_be_typed_in_a_day() {
    let world = World::new().await;
    world.holder("u-1", &["u-1"]).await;
    let mut typed = 0;
    let refused = loop {
        let token = match world.invite("u-1", &format!("invite-{typed}")).await {
            Ok(token) => token,
            Err(refused) => break refused,
        };
        // Codes go out five a minute.
        world.later(Duration::from_secs(61)).await;
        let wrong = if world.code("u-1") == "000000" { "000001" } else { "000000" };
        for _ in 0..5 {
            let refused = world.enrol_with(&token, wrong, SoftAuthenticator::device_bound()).await.map(|_| ());
            assert!(matches!(refused, Err(Error::WrongCode)), "{refused:?}");
            typed += 1;
        }
        assert!(typed <= 50, "the links go on and on");
    };
    assert!(matches!(refused, Error::DailyCap), "{refused:?}");
    assert_eq!(typed, 50);
    for number in 0..20 {
        world.invite("u-1", &format!("again-{number}")).await.unwrap_err();
    }
    let entries = world.cx.store.audit_page(None, 10_000).await.unwrap();
    let written = entries.iter().filter(|(_, entry)| entry.canonical.contains("daily_cap")).count();
    assert!((1..=5).contains(&written), "{written} refusals in the log");
    world.later(Duration::from_secs(24 * 3600)).await;
    world.invite("u-1", "the-next-day").await.unwrap();
}
