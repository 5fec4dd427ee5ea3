//! Signatures that are right, used where they weren't asked for. Each is refused by the one check that is about it.

use std::sync::Arc;
use std::time::Duration;

use countersign::authenticator::SoftAuthenticator;
use countersign::domain::approval::StateName;
use countersign::domain::details::Digest;
use countersign::domain::device::Blob;
use countersign::domain::linking::{ApprovePreimage, DEVICE_KEY_APPROVE, DEVICE_KEY_LIFT};
use countersign::domain::policy::{Assurance, Unproved};
use countersign::domain::{ApprovalId, Timestamp};
use countersign::ports::outward::CeremonyError;
use countersign::ports::secrets::BoxKey;
use countersign::service::{Error, decide, lift};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use super::freezing::lift_prompt;
use super::world::{Kit, Phone, UNPROVED_HOLD, World, signed, text};
use crate::support::clock::ManualClock;
use crate::support::log::log_at_once;
use crate::support::memory_store::MemoryStore;

const MINUTE: Duration = Duration::from_secs(60);

/// The passkey's part was refused because it signed another challenge, and for nothing else.
fn is_other_challenge<T>(answer: &Result<T, Error>) -> bool {
    matches!(answer, Err(Error::Ceremony(CeremonyError::Refused { name: "challenge", .. })))
}

async fn approve(world: &World, phone: &Phone, id: ApprovalId, body: &Value) -> Result<(), Error> {
    decide::decide(&world.cx, &phone.browser, id, signed(body)).await.map(drop)
}

/// What a lift's prompt leads to, in the form of an approval's.
fn lifted(phone: &mut Phone, (options, sealed, challenge): &(Value, String, Vec<u8>)) -> Value {
    let assertion = phone.soft.authenticator.get(options, &phone.soft.origin).unwrap();
    let signature = phone.soft.key.sign(DEVICE_KEY_LIFT, challenge).unwrap();
    json!({"sealed": sealed, "assertion": assertion, "thumbprint": phone.soft.key.thumbprint(), "signature": signature})
}

#[tokio::test]
async fn what_was_signed_to_approve_lifts_nothing() {
    let world = World::new().await;
    let mut phone = world.enrolled("u-1", SoftAuthenticator::synced()).await;
    let (id, _) = world.create("u-1", "wd-1").await.unwrap();
    let begun = world.prompt(&phone, id).await.unwrap();
    let to_approve = phone.soft.approve_body(&begun).unwrap();
    world.newest_link_locks().await;
    let asked = lift_prompt(&world, &phone).await.unwrap();
    let to_lift = lifted(&mut phone, &asked);
    let ask = async |body: &Value| lift::ask(&world.cx, &phone.browser, signed(body)).await;

    let refused = ask(&to_approve).await;
    assert!(matches!(refused, Err(Error::PromptStale)), "the whole of it: {refused:?}");
    for (part, is_refused) in [
        ("assertion", is_other_challenge as fn(&Result<_, Error>) -> bool),
        ("signature", |answer| matches!(answer, Err(Error::DeviceKey))),
        ("sealed", |answer| matches!(answer, Err(Error::PromptStale))),
    ] {
        let mut mixed = to_lift.clone();
        mixed[part] = to_approve[part].clone();
        let refused = ask(&mixed).await;
        assert!(is_refused(&refused), "{part}: {refused:?}");
    }
    // The same challenge under the approval's own tag isn't the lift's.
    let mut other_tag = to_lift.clone();
    other_tag["signature"] = json!(phone.soft.key.sign(DEVICE_KEY_APPROVE, &asked.2).unwrap());
    let refused = ask(&other_tag).await;
    assert!(matches!(refused, Err(Error::DeviceKey)), "{refused:?}");
    ask(&to_lift).await.unwrap();
}

#[tokio::test]
async fn what_was_signed_to_lift_approves_nothing() {
    let world = World::new().await;
    let mut phone = world.enrolled("u-1", SoftAuthenticator::synced()).await;
    world.create("u-1", "wd-1").await.unwrap();
    world.newest_link_locks().await;
    let asked = lift_prompt(&world, &phone).await.unwrap();
    let to_lift = lifted(&mut phone, &asked);
    lift::ask(&world.cx, &phone.browser, signed(&to_lift)).await.unwrap();
    world.settle().await;
    world.clock.advance(61 * MINUTE);
    countersign::workers::overrides::turn(&world.cx, &world.gate).await.unwrap();

    let (id, _) = world.create("u-1", "wd-2").await.unwrap();
    let begun = world.prompt(&phone, id).await.unwrap();
    let to_approve = phone.soft.approve_body(&begun).unwrap();
    let refused = approve(&world, &phone, id, &to_lift).await;
    assert!(matches!(refused, Err(Error::PromptStale)), "the whole of it: {refused:?}");
    for (part, is_refused) in [
        ("assertion", is_other_challenge as fn(&Result<_, Error>) -> bool),
        ("signature", |answer| matches!(answer, Err(Error::DeviceKey))),
        ("sealed", |answer| matches!(answer, Err(Error::PromptStale))),
    ] {
        let mut mixed = to_approve.clone();
        mixed[part] = to_lift[part].clone();
        let refused = approve(&world, &phone, id, &mixed).await;
        assert!(is_refused(&refused), "{part}: {refused:?}");
    }
    world.is(id, StateName::Pending, None).await;
    approve(&world, &phone, id, &to_approve).await.unwrap();
}

#[tokio::test]
async fn two_prompts_of_one_approval_can_not_be_crossed() {
    let world = World::new().await;
    let mut phone = world.enrolled("u-1", SoftAuthenticator::synced()).await;
    let (id, _) = world.create("u-1", "wd-1").await.unwrap();
    // They differ in their nonce alone.
    let first = world.prompt(&phone, id).await.unwrap();
    let second = world.prompt(&phone, id).await.unwrap();
    let (first, second) = (phone.soft.approve_body(&first).unwrap(), phone.soft.approve_body(&second).unwrap());
    for (part, is_refused) in [
        ("assertion", is_other_challenge as fn(&Result<_, Error>) -> bool),
        ("signature", |answer| matches!(answer, Err(Error::DeviceKey))),
        ("sealed", |answer| matches!(answer, Err(Error::DeviceKey))),
    ] {
        let mut crossed = first.clone();
        crossed[part] = second[part].clone();
        let refused = approve(&world, &phone, id, &crossed).await;
        assert!(is_refused(&refused), "{part}: {refused:?}");
        world.is(id, StateName::Pending, None).await;
    }
    approve(&world, &phone, id, &second).await.unwrap();
}

/// Whoever could make a prompt of their own, and have both keys sign it, still meets what the record says.
#[tokio::test]
async fn a_prompt_about_anything_else_is_stale_though_both_keys_signed_it() {
    let world = World::new().await;
    let mut phone = world.enrolled("u-1", SoftAuthenticator::synced()).await;
    let (id, _) = world.create("u-1", "wd-1").await.unwrap();
    let (other, _) = world.create("u-1", "wd-2").await.unwrap();
    let begun = world.prompt(&phone, id).await.unwrap();
    let sealed = BASE64URL_NOPAD.decode(text(&begun["sealed"]).as_bytes()).unwrap();
    let plain = world.cx.secrets.open(BoxKey::Prompt, id.bytes(), &sealed).unwrap();
    let asked: ApprovePreimage = serde_json::from_slice(&plain).unwrap();
    assert_eq!(asked.hold, UNPROVED_HOLD);

    let shorter = UNPROVED_HOLD - Duration::from_secs(1);
    let edits: [(&str, ApprovePreimage); 7] = [
        ("hold", ApprovePreimage { hold: shorter, ..asked.clone() }),
        ("digest", ApprovePreimage { digest: Digest::of(b"50,000.00 EUR"), ..asked.clone() }),
        ("version", ApprovePreimage { version: asked.version + 1, ..asked.clone() }),
        ("shown", ApprovePreimage { shown: Digest::of(b"no warning"), ..asked.clone() }),
        ("rp id", ApprovePreimage { rp_id: "evil.example".to_owned(), ..asked.clone() }),
        ("approval", ApprovePreimage { approval: other, ..asked.clone() }),
        ("credential", ApprovePreimage { credential_id: Blob(vec![7; 16]), ..asked.clone() }),
    ];
    let mut signs = |preimage: &ApprovePreimage| {
        let sealed = world.cx.secrets.seal(BoxKey::Prompt, id.bytes(), &serde_json::to_vec(preimage).unwrap());
        let mut made = begun.clone();
        made["options"]["challenge"] = json!(BASE64URL_NOPAD.encode(preimage.challenge().bytes()));
        made["sealed"] = json!(BASE64URL_NOPAD.encode(&sealed));
        phone.soft.approve_body(&made).unwrap()
    };
    let bodies: Vec<(&str, Value)> = edits.iter().map(|(what, edit)| (*what, signs(edit))).collect();
    let (own, short) = (signs(&asked), bodies[0].1.clone());
    for (what, body) in &bodies {
        let refused = approve(&world, &phone, id, body).await;
        assert!(matches!(refused, Err(Error::PromptStale)), "{what}: {refused:?}");
    }
    // The right prompt, and a passkey that signed the shorter hold.
    let mut mixed = own.clone();
    mixed["assertion"] = short["assertion"].clone();
    let refused = approve(&world, &phone, id, &mixed).await;
    assert!(is_other_challenge(&refused), "{refused:?}");
    world.is(id, StateName::Pending, None).await;
    // Made the same way and changed in nothing, it is good: so it is the change that was refused.
    approve(&world, &phone, id, &own).await.unwrap();
}

/// A holder with two devices: the second was enrolled by somebody else, and its row is then this holder's.
async fn two_devices() -> (World, Phone, Phone) {
    let clock = Arc::new(ManualClock::at(Timestamp::parse_rfc3339("2026-11-21T14:00:00Z").unwrap()));
    let store = Arc::new(MemoryStore::new(clock.clone()));
    let kit = Kit { store: store.clone(), log: log_at_once(store.clone()), clock };
    let world = World::over(kit, Unproved::HoldFor(UNPROVED_HOLD), Assurance::Synced, Duration::ZERO).await;
    let mine = world.enrolled("u-1", SoftAuthenticator::synced()).await;
    let second = world.enrolled("u-2", SoftAuthenticator::synced()).await;
    let holder = mine.browser.device(&world.cx).await.unwrap().body.holder;
    let moved = second.browser.device(&world.cx).await.unwrap().body.id;
    store.set_up(|record| record.devices.get_mut(&moved).unwrap().body.holder = holder);
    (world, mine, second)
}

#[tokio::test]
async fn the_key_of_another_device_of_the_same_holder_is_not_this_ones() {
    let (world, mut mine, mut second) = two_devices().await;
    let (id, _) = world.create("u-1", "wd-1").await.unwrap();
    let begun = world.prompt(&mine, id).await.unwrap();
    let own = mine.soft.approve_body(&begun).unwrap();
    let challenge = BASE64URL_NOPAD.decode(text(&begun["options"]["challenge"]).as_bytes()).unwrap();

    // My passkey over my prompt, and the other device's key: whoever it says that it is.
    for thumbprint in [second.soft.key.thumbprint(), mine.soft.key.thumbprint()] {
        let mut body = own.clone();
        body["signature"] = json!(second.soft.key.sign(DEVICE_KEY_APPROVE, &challenge).unwrap());
        body["thumbprint"] = json!(thumbprint);
        let refused = approve(&world, &mine, id, &body).await;
        assert!(matches!(refused, Err(Error::DeviceKey)), "{refused:?}");
    }
    // All that the other device got and signed, sent with my cookie; and the other way round.
    let theirs = world.prompt(&second, id).await.unwrap();
    let theirs = second.soft.approve_body(&theirs).unwrap();
    for (phone, body) in [(&mine, &theirs), (&second, &own)] {
        let refused = approve(&world, phone, id, body).await;
        assert!(matches!(refused, Err(Error::DeviceKey)), "{refused:?}");
    }
    // With the right key, and the other device's passkey.
    let mut passkey = own.clone();
    passkey["assertion"] = theirs["assertion"].clone();
    let refused = approve(&world, &mine, id, &passkey).await;
    assert!(matches!(refused, Err(Error::Ceremony(_))), "{refused:?}");
    world.is(id, StateName::Pending, None).await;
    // Each of them is good where it belongs.
    approve(&world, &second, id, &theirs).await.unwrap();
    let (next, _) = world.create("u-1", "wd-2").await.unwrap();
    world.approve(&mut mine, next).await.unwrap();
}
