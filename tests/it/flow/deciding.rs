//! Every way in which an approval must not come about, and the one in which it may.

use std::time::Duration;

use countersign::authenticator::{Backup, Counting, DeviceKeyPair, SoftAuthenticator, Tamper};
use countersign::domain::approval::transitions::Refusal;
use countersign::domain::approval::{Distinct, State, StateName};
use countersign::domain::device::Blob;
use countersign::domain::linking::{DEVICE_KEY_APPROVE, DEVICE_KEY_PROMPT};
use countersign::domain::policy::{Assurance, Unproved};
use countersign::service::{Browser, Error, decide, prompt};
use serde_json::Value;

use super::world::{HOLD, Phone, UNPROVED_HOLD, World, signed, text};

fn challenge(begun: &Value) -> Vec<u8> {
    data_encoding::BASE64URL_NOPAD.decode(text(&begun["options"]["challenge"]).as_bytes()).unwrap()
}

/// Approves with a lie in the passkey's part.
async fn lying(
    world: &World,
    phone: &mut Phone,
    id: countersign::domain::ApprovalId,
    tamper: Tamper,
) -> Result<(), Error> {
    let begun = world.prompt(phone, id).await?;
    let mut body = phone.soft.approve_body(&begun).unwrap();
    body["assertion"] = phone.soft.authenticator.get_tampered(&begun["options"], &phone.soft.origin, &tamper).unwrap();
    decide::decide(&world.cx, &phone.browser, id, signed(&body)).await.map(|_| ())
}

#[tokio::test]
async fn the_right_device_approves_and_the_hold_is_what_was_signed() {
    let world = World::new().await;
    let mut phone = world.enrolled("u-1", SoftAuthenticator::device_bound()).await;
    let (id, waiting) = world.create("u-1", "wd-1").await.unwrap();
    world.watch(&waiting, &Browser::default(), &[]).await.unwrap();
    let approval = world.approve(&mut phone, id).await.unwrap();
    let State::Cooling { decision, cooling_until } = &approval.state else { panic!("{:?}", approval.state) };
    assert_eq!(decision.distinct(), Some(Distinct::Observed));
    assert_eq!(*cooling_until, decision.approved_at + HOLD);
    assert_eq!(world.cx.store.evidence(id).await.unwrap().len(), 1);
}

#[tokio::test]
async fn unwatched_gets_the_longer_hold_or_a_refusal() {
    let world = World::new().await;
    let mut phone = world.enrolled("u-1", SoftAuthenticator::device_bound()).await;
    let (id, _) = world.create("u-1", "wd-1").await.unwrap();
    let approval = world.approve(&mut phone, id).await.unwrap();
    let State::Cooling { decision, cooling_until } = &approval.state else { panic!("{:?}", approval.state) };
    assert_eq!(decision.distinct(), Some(Distinct::Unproved));
    assert_eq!(*cooling_until, decision.approved_at + UNPROVED_HOLD);

    let strict = World::with(Unproved::Refuse, Assurance::Synced, Duration::ZERO).await;
    let mut phone = strict.enrolled("u-1", SoftAuthenticator::device_bound()).await;
    let (id, _) = strict.create("u-1", "wd-1").await.unwrap();
    let refused = strict.approve(&mut phone, id).await;
    assert!(matches!(refused, Err(Error::Refused(Refusal::Unproved))), "{refused:?}");
}

#[tokio::test]
async fn lies_in_the_passkeys_part_are_refused_each() {
    let other_challenge = Some(vec![9; 32]);
    let lies: Vec<(&str, Tamper)> = vec![
        ("origin", Tamper { origin: Some("https://evil.example".into()), ..Tamper::default() }),
        ("rp id", Tamper { rp_id: Some("evil.example".into()), ..Tamper::default() }),
        ("type", Tamper { kind: Some("webauthn.create".into()), ..Tamper::default() }),
        ("cross origin", Tamper { cross_origin: Some(true), ..Tamper::default() }),
        (
            "no user verification",
            Tamper { clear: Some(countersign::authenticator::Flags::USER_VERIFIED), ..Tamper::default() },
        ),
        ("challenge", Tamper { challenge: other_challenge, ..Tamper::default() }),
        ("counter back", Tamper { counter: Some(0), ..Tamper::default() }),
        ("unknown credential", Tamper { credential_id: Some(vec![1; 16]), ..Tamper::default() }),
        ("signature", Tamper { flip_signature: Some(3), ..Tamper::default() }),
        ("backup flag", Tamper { set: Some(countersign::authenticator::Flags::BACKUP_ELIGIBLE), ..Tamper::default() }),
    ];
    for (name, tamper) in lies {
        let world = World::new().await;
        let mut phone = world.enrolled("u-1", SoftAuthenticator::device_bound()).await;
        let (id, waiting) = world.create("u-1", "wd-1").await.unwrap();
        world.watch(&waiting, &Browser::default(), &[]).await.unwrap();
        let refused = lying(&world, &mut phone, id, tamper).await;
        assert!(matches!(refused, Err(Error::Ceremony(_))), "{name}: {refused:?}");
        world.is(id, StateName::Pending, None).await;
        assert!(world.audit().await.contains(&"decide.failed"), "{name}");
        // One failure locks nobody out.
        world.approve(&mut phone, id).await.unwrap();
    }
}

#[tokio::test]
async fn another_approvals_prompt_and_a_used_one_are_worth_nothing() {
    let world = World::new().await;
    let mut phone = world.enrolled("u-1", SoftAuthenticator::device_bound()).await;
    let (first, _) = world.create("u-1", "wd-1").await.unwrap();
    let (second, _) = world.create("u-1", "wd-2").await.unwrap();
    let begun = world.prompt(&phone, first).await.unwrap();
    let body = phone.soft.approve_body(&begun).unwrap();
    let crossed = decide::decide(&world.cx, &phone.browser, second, signed(&body)).await;
    assert!(matches!(crossed, Err(Error::PromptStale)), "{crossed:?}");

    decide::decide(&world.cx, &phone.browser, first, signed(&body)).await.unwrap();
    let replayed = decide::decide(&world.cx, &phone.browser, first, signed(&body)).await;
    assert!(matches!(replayed, Err(Error::Refused(Refusal::State(StateName::Cooling)))), "{replayed:?}");

    // The sealed preimage of one with the signatures over the other.
    let theirs = world.prompt(&phone, second).await.unwrap();
    let mut mixed = phone.soft.approve_body(&theirs).unwrap();
    mixed["sealed"] = body["sealed"].clone();
    let mixed = decide::decide(&world.cx, &phone.browser, second, signed(&mixed)).await;
    assert!(matches!(mixed, Err(Error::PromptStale)), "{mixed:?}");
    world.is(second, StateName::Pending, None).await;
}

#[tokio::test]
async fn a_prompt_from_before_the_waiting_page_was_opened_is_stale() {
    let world = World::new().await;
    let mut phone = world.enrolled("u-1", SoftAuthenticator::device_bound()).await;
    let (id, waiting) = world.create("u-1", "wd-1").await.unwrap();
    let begun = world.prompt(&phone, id).await.unwrap();
    world.watch(&waiting, &Browser::default(), &[]).await.unwrap();
    let body = phone.soft.approve_body(&begun).unwrap();
    let stale = decide::decide(&world.cx, &phone.browser, id, signed(&body)).await;
    assert!(matches!(stale, Err(Error::PromptStale)), "{stale:?}");
    world.approve(&mut phone, id).await.unwrap();
}

#[tokio::test]
async fn an_old_prompt_has_run_out() {
    let world = World::new().await;
    let mut phone = world.enrolled("u-1", SoftAuthenticator::device_bound()).await;
    let (id, _) = world.create("u-1", "wd-1").await.unwrap();
    let begun = world.prompt(&phone, id).await.unwrap();
    let body = phone.soft.approve_body(&begun).unwrap();
    world.later(Duration::from_secs(301)).await;
    let stale = decide::decide(&world.cx, &phone.browser, id, signed(&body)).await;
    assert!(matches!(stale, Err(Error::PromptStale)), "{stale:?}");
}

#[tokio::test]
async fn without_its_device_key_the_passkey_is_worth_nothing() {
    let world = World::new().await;
    let mut phone = world.enrolled("u-1", SoftAuthenticator::synced()).await;
    let (id, _) = world.create("u-1", "wd-1").await.unwrap();
    // The passkey was cloned to another browser, with the cookie even; that browser has a device key of its own.
    let thief = DeviceKeyPair::generate().unwrap();
    let page = prompt::page(&world.cx, &phone.browser, id).await.unwrap();
    let signature = thief.sign(DEVICE_KEY_PROMPT, page.page_token.as_bytes()).unwrap();
    let token = &page.page_token;
    let asked = prompt::prompt(&world.cx, &phone.browser, id, token, &thief.thumbprint(), &signature.0).await;
    assert!(matches!(asked, Err(Error::DeviceKey)), "{asked:?}");
    let posing = phone.soft.key.thumbprint();
    let asked = prompt::prompt(&world.cx, &phone.browser, id, token, &posing, &signature.0).await;
    assert!(matches!(asked, Err(Error::DeviceKey)), "{asked:?}");

    assert_eq!(world.refusals().await, ["device_key", "device_key"], "the trap leaves a trace");

    // Even with a prompt that the real device got.
    let begun = world.prompt(&phone, id).await.unwrap();
    let mut body = phone.soft.approve_body(&begun).unwrap();
    let own = body.clone();
    for thumbprint in [thief.thumbprint(), posing] {
        body["signature"] = serde_json::to_value(thief.sign(DEVICE_KEY_APPROVE, &challenge(&begun)).unwrap()).unwrap();
        body["thumbprint"] = serde_json::to_value(thumbprint).unwrap();
        let refused = decide::decide(&world.cx, &phone.browser, id, signed(&body)).await;
        assert!(matches!(refused, Err(Error::DeviceKey)), "{refused:?}");
    }
    // A signature of the right key for another purpose.
    let mut purpose = own.clone();
    let other = phone.soft.key.sign(DEVICE_KEY_PROMPT, &challenge(&begun)).unwrap();
    purpose["signature"] = serde_json::to_value(other).unwrap();
    let refused = decide::decide(&world.cx, &phone.browser, id, signed(&purpose)).await;
    assert!(matches!(refused, Err(Error::DeviceKey)), "{refused:?}");
    // None of that counted against the device.
    let devices = world.cx.store.device_by_cookie(&phone.browser.cookie.unwrap()).await.unwrap().unwrap();
    assert_eq!(devices.failures, 0);
    decide::decide(&world.cx, &phone.browser, id, signed(&own)).await.unwrap();
}

#[tokio::test]
async fn another_holders_device_sees_and_decides_nothing() {
    let world = World::new().await;
    let mine = world.enrolled("u-1", SoftAuthenticator::device_bound()).await;
    let mut theirs = world.enrolled("u-2", SoftAuthenticator::device_bound()).await;
    let (id, _) = world.create("u-1", "wd-1").await.unwrap();
    let begun = world.prompt(&mine, id).await.unwrap();
    assert!(matches!(prompt::page(&world.cx, &theirs.browser, id).await, Err(Error::NotFound)));
    let (own, _) = world.create("u-2", "wd-2").await.unwrap();
    let own_prompt = world.prompt(&theirs, own).await.unwrap();
    let mut body = theirs.soft.approve_body(&own_prompt).unwrap();
    body["sealed"] = begun["sealed"].clone();
    let refused = decide::decide(&world.cx, &theirs.browser, id, signed(&body)).await;
    assert!(matches!(refused, Err(Error::NotFound)), "whose approval it is comes first: {refused:?}");
    world.is(id, StateName::Pending, None).await;
}

#[tokio::test]
async fn the_initiating_browser_is_refused_by_mark_by_key_and_by_cookie() {
    for way in ["mark", "key", "cookie"] {
        let world = World::new().await;
        let mut phone = world.enrolled("u-1", SoftAuthenticator::device_bound()).await;
        let (id, waiting) = world.create("u-1", "wd-1").await.unwrap();
        let stranger = Browser::default();
        match way {
            "mark" => {
                let mark = world.watch(&waiting, &stranger, &[]).await.unwrap();
                phone.browser.mark = Some(mark.hash());
            }
            "key" => drop(world.watch(&waiting, &stranger, &[&phone.soft]).await.unwrap()),
            _ => drop(world.watch(&waiting, &phone.browser, &[]).await.unwrap()),
        }
        let refused = world.approve(&mut phone, id).await;
        assert!(matches!(refused, Err(Error::Refused(Refusal::SameBrowser))), "{way}: {refused:?}");
        assert_eq!(world.refusals().await, ["same_browser"], "{way}");
        world.is(id, StateName::Pending, None).await;
    }
}

#[tokio::test]
async fn the_waiting_link_works_once() {
    let world = World::new().await;
    world.enrolled("u-1", SoftAuthenticator::device_bound()).await;
    let (_, waiting) = world.create("u-1", "wd-1").await.unwrap();
    world.watch(&waiting, &Browser::default(), &[]).await.unwrap();
    let second = world.watch(&waiting, &Browser::default(), &[]).await;
    assert!(matches!(second, Err(Error::Refused(Refusal::AlreadyWatched))), "{second:?}");
    let other = if &waiting[30..31] == "_" { "A" } else { "_" };
    let forged = format!("{}{other}{}", &waiting[..30], &waiting[31..]);
    let forged = world.watch(&forged, &Browser::default(), &[]).await;
    assert!(matches!(forged, Err(Error::NotFound)), "{forged:?}");
}

#[tokio::test]
async fn a_device_on_hold_or_newer_than_the_approval_decides_nothing() {
    let world = World::with(Unproved::HoldFor(UNPROVED_HOLD), Assurance::Synced, Duration::from_secs(12 * 3600)).await;
    let mut phone = world.enrolled("u-1", SoftAuthenticator::device_bound()).await;
    let (early, _) = world.create("u-1", "wd-1").await.unwrap();
    let refused = world.approve(&mut phone, early).await;
    assert!(matches!(refused, Err(Error::Refused(Refusal::DeviceTooNew))), "{refused:?}");
    world.later(Duration::from_secs(12 * 3600 - 100)).await;
    let (still, _) = world.create("u-1", "wd-2").await.unwrap();
    world.later(Duration::from_secs(200)).await;
    // The hold is over by now, but it wasn't when the approval was created.
    let refused = world.approve(&mut phone, still).await;
    assert!(matches!(refused, Err(Error::Refused(Refusal::DeviceTooNew))), "{refused:?}");
    let (late, _) = world.create("u-1", "wd-3").await.unwrap();
    world.approve(&mut phone, late).await.unwrap();
}

#[tokio::test]
async fn a_synced_passkey_is_refused_where_policy_asks_for_a_device_bound_one() {
    let world = World::with(Unproved::HoldFor(UNPROVED_HOLD), Assurance::DeviceBound, Duration::ZERO).await;
    for (subject, backup) in [("u-1", Backup::Done), ("u-2", Backup::Eligible)] {
        let mut phone = world.enrolled(subject, SoftAuthenticator::new(backup, Counting::Never)).await;
        let (id, _) = world.create(subject, subject).await.unwrap();
        let refused = world.approve(&mut phone, id).await;
        assert!(matches!(refused, Err(Error::Refused(Refusal::AssuranceTooLow))), "{refused:?}");
    }
    let mut bound = world.enrolled("u-3", SoftAuthenticator::device_bound()).await;
    let (id, _) = world.create("u-3", "u-3").await.unwrap();
    world.approve(&mut bound, id).await.unwrap();
}

#[tokio::test]
async fn five_failures_with_its_own_signature_lock_the_device_and_tell_the_holder() {
    let world = World::new().await;
    let mut phone = world.enrolled("u-1", SoftAuthenticator::device_bound()).await;
    let (id, _) = world.create("u-1", "wd-1").await.unwrap();
    let lie = || Tamper { flip_signature: Some(3), ..Tamper::default() };
    for _ in 0..4 {
        assert!(matches!(lying(&world, &mut phone, id, lie()).await, Err(Error::Ceremony(_))));
    }
    // A success in between starts the count anew.
    world.approve(&mut phone, id).await.unwrap();
    let (id, _) = world.create("u-1", "wd-2").await.unwrap();
    for _ in 0..5 {
        assert!(matches!(lying(&world, &mut phone, id, lie()).await, Err(Error::Ceremony(_))));
    }
    let locked = world.approve(&mut phone, id).await;
    assert!(matches!(locked, Err(Error::DeviceLocked)), "{locked:?}");
    assert!(world.audit().await.contains(&"device.locked"));
    world.later(Duration::from_secs(61)).await;
    let told = world.channel.inbox.messages("u-1");
    assert!(told.iter().any(|message| message.title.contains("was locked")), "{told:?}");
    // It can still stop.
    countersign::service::reject::reject(&world.cx, &phone.browser, id).await.unwrap();
}

#[tokio::test]
async fn failures_sent_at_once_are_counted_each() {
    let world = World::new().await;
    let mut phone = world.enrolled("u-1", SoftAuthenticator::device_bound()).await;
    let (id, _) = world.create("u-1", "wd-1").await.unwrap();
    let begun = world.prompt(&phone, id).await.unwrap();
    let mut body = phone.soft.approve_body(&begun).unwrap();
    let lie = Tamper { flip_signature: Some(3), ..Tamper::default() };
    body["assertion"] = phone.soft.authenticator.get_tampered(&begun["options"], &phone.soft.origin, &lie).unwrap();
    let tries = (0..5).map(|_| decide::decide(&world.cx, &phone.browser, id, signed(&body)));
    futures_util::future::join_all(tries).await;
    let device = world.cx.store.device_by_cookie(&phone.browser.cookie.unwrap()).await.unwrap().unwrap();
    assert_eq!(device.failures, 5);
    assert!(device.locked_at.is_some());
}

#[tokio::test]
async fn a_cloned_passkey_shows_by_its_counter() {
    let world = World::new().await;
    let mut phone = world.enrolled("u-1", SoftAuthenticator::device_bound()).await;
    let (first, _) = world.create("u-1", "wd-1").await.unwrap();
    let (second, _) = world.create("u-1", "wd-2").await.unwrap();
    let counter = world.cx.store.device_by_cookie(&phone.browser.cookie.unwrap()).await.unwrap().unwrap().counter;
    world.approve(&mut phone, first).await.unwrap();
    let repeated = Tamper { counter: Some(counter + 1), ..Tamper::default() };
    let refused = lying(&world, &mut phone, second, repeated).await;
    assert!(matches!(refused, Err(Error::Ceremony(_))), "{refused:?}");
}

#[tokio::test]
async fn garbage_is_no_prompt() {
    let world = World::new().await;
    let phone = world.enrolled("u-1", SoftAuthenticator::device_bound()).await;
    let (id, _) = world.create("u-1", "wd-1").await.unwrap();
    for sealed in ["", "AAAA", "not base64!", &"A".repeat(400)] {
        let signed = decide::Signed {
            sealed: sealed.to_owned(),
            assertion: Value::Null,
            thumbprint: phone.soft.key.thumbprint(),
            signature: Blob(vec![0; 64]).0,
        };
        let refused = decide::decide(&world.cx, &phone.browser, id, signed).await;
        assert!(matches!(refused, Err(Error::PromptStale)), "{refused:?}");
    }
}

/// The log says that somebody tries, however often they do, and isn't theirs to fill.
#[tokio::test]
async fn a_thousand_refused_prompts_are_a_few_entries() {
    let world = World::new().await;
    let phone = world.enrolled("u-1", SoftAuthenticator::device_bound()).await;
    let (id, waiting) = world.create("u-1", "wd-1").await.unwrap();
    world.watch(&waiting, &phone.browser, &[]).await.unwrap();
    for _ in 0..1_000 {
        world.prompt(&phone, id).await.unwrap_err();
    }
    let few = world.refusals().await;
    assert!((1..=5).contains(&few.len()) && few.iter().all(|why| why == "same_browser"), "{few:?}");
    world.later(Duration::from_secs(60)).await;
    world.prompt(&phone, id).await.unwrap_err();
    assert!(world.refusals().await.len() > few.len(), "and it is told again");
}
