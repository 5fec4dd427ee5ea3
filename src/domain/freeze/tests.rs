//! The freeze's rules: what ends it, what doesn't, and that saying it again only ever tightens.

use proptest::prelude::*;

use super::*;
use crate::domain::device::{Blob, DeviceBody, DeviceKey};
use crate::domain::policy::Assurance;

const HOUR: Duration = Duration::from_secs(3600);

fn at(hours: u32) -> Timestamp {
    Timestamp::EPOCH + HOUR * (1000 + hours)
}

fn holder() -> HolderId {
    HolderId::new(Timestamp::EPOCH, [1; 10])
}

fn device(enrolled_at: Timestamp) -> Device {
    let mut key = [9; 65];
    key[0] = 4;
    let body = DeviceBody {
        id: DeviceId::new(Timestamp::EPOCH, [2; 10]),
        holder: holder(),
        name: crate::domain::device::DeviceName::parse("Phone").unwrap(),
        credential: serde_json::Value::Null,
        credential_id: Blob(vec![1]),
        key: DeviceKey::from_bytes(&key).unwrap(),
        cookie_hash: Digest::of(b"cookie"),
        assurance: Assurance::DeviceBound,
        enrolled_at,
        usable_from: enrolled_at + 12 * HOUR,
    };
    Device { body, counter: 0, failures: 0, locked_at: None, removed_at: None }
}

fn frozen(why: FreezeReason) -> Freeze {
    Freeze::begin(FreezeId::new(at(0), [3; 10]), holder(), why, Actor::Link, at(0)).freeze
}

fn challenge() -> Digest {
    Digest::of(b"challenge")
}

#[test]
fn a_link_freezes_for_a_day_and_not_a_moment_less() {
    let freeze = frozen(FreezeReason::Link);
    assert_eq!(freeze.due_at(), Some(at(24)));
    assert_eq!(freeze.clone().fall_due(None, at(24) - Duration::from_micros(1)), None);
    let step = freeze.fall_due(None, at(24)).unwrap();
    assert_eq!(step.freeze.state, FreezeState::Ended { at: at(24), how: FreezeEnd::TimeOver });
    assert_eq!(step.guard.not_before, Some(at(24)), "the database's clock is asked too");
}

#[test]
fn a_device_or_staff_freezes_until_an_override() {
    for why in [FreezeReason::Device, FreezeReason::Staff] {
        let freeze = frozen(why);
        assert_eq!(freeze.due_at(), None);
        assert_eq!(freeze.clone().fall_due(None, at(10_000)), None);
        assert_eq!(freeze.may_lift(&device(Timestamp::EPOCH)), Err(FreezeRefusal::NeedsOverride));
    }
}

#[test]
fn a_device_lifts_a_links_freeze_after_an_hour() {
    let phone = device(Timestamp::EPOCH);
    let asked = frozen(FreezeReason::Link).ask_lift(&phone, challenge(), at(2)).unwrap();
    assert!(asked.freeze.holds(), "asking lifts nothing");
    assert_eq!(asked.freeze.clone().ask_lift(&phone, challenge(), at(2)), Err(FreezeRefusal::LiftAsked));
    let told = Some(at(2));
    assert_eq!(asked.freeze.clone().fall_due(told, at(3) - Duration::from_micros(1)), None);
    let step = asked.freeze.fall_due(told, at(3)).unwrap();
    assert_eq!(step.freeze.state, FreezeState::Ended { at: at(3), how: FreezeEnd::Lifted(phone.body.id) });
    assert_eq!(step.guard.not_before, Some(at(3)));
}

#[test]
fn a_lift_counts_from_its_first_delivered_notice() {
    let phone = device(Timestamp::EPOCH);
    let asked = frozen(FreezeReason::Link).ask_lift(&phone, challenge(), at(2)).unwrap().freeze;
    assert_eq!(asked.clone().fall_due(None, at(24) - HOUR), None, "nobody was told");
    assert_eq!(asked.clone().fall_due(Some(at(5)), at(6) - Duration::from_micros(1)), None);
    let step = asked.clone().fall_due(Some(at(5)), at(6)).unwrap();
    assert_eq!(step.guard.not_before, Some(at(6)), "the database's clock is asked too");
    // Too late to come before the day's end.
    for told in [None, Some(at(24) - Duration::from_secs(1))] {
        let step = asked.clone().fall_due(told, at(24)).unwrap();
        assert_eq!(step.freeze.state, FreezeState::Ended { at: at(24), how: FreezeEnd::TimeOver });
    }
}

#[test]
fn a_link_said_again_at_once_changes_nothing_but_a_lift() {
    let freeze = frozen(FreezeReason::Link);
    let soon = at(0) + SAID_JUST_NOW - Duration::from_micros(1);
    assert_eq!(freeze.clone().again(FreezeReason::Link, Actor::Link, soon), None);
    let later = freeze.clone().again(FreezeReason::Link, Actor::Link, at(0) + SAID_JUST_NOW).unwrap().freeze;
    assert_eq!(later.due_at(), Some(at(24) + SAID_JUST_NOW));
    let phone = device(Timestamp::EPOCH);
    let lifting = freeze.clone().ask_lift(&phone, challenge(), soon).unwrap().freeze;
    assert!(lifting.again(FreezeReason::Link, Actor::Link, soon).is_some(), "a lift is off at once");
    assert!(freeze.again(FreezeReason::Staff, Actor::Link, soon).is_some(), "the stronger way wins at once");
}

#[test]
fn only_a_device_that_was_usable_before_may_lift() {
    let freeze = frozen(FreezeReason::Link);
    assert_eq!(freeze.may_lift(&device(at(0) - HOUR)), Err(FreezeRefusal::DeviceTooNew));
    assert_eq!(freeze.may_lift(&device(at(1))), Err(FreezeRefusal::DeviceTooNew));
    let mut other = device(Timestamp::EPOCH);
    other.body.holder = HolderId::new(Timestamp::EPOCH, [7; 10]);
    assert_eq!(freeze.may_lift(&other), Err(FreezeRefusal::OtherHolder));
    let dead = Device { locked_at: Some(at(0)), ..device(Timestamp::EPOCH) };
    assert_eq!(freeze.may_lift(&dead), Err(FreezeRefusal::DeviceDead));
}

#[test]
fn saying_it_again_stops_a_lift_and_the_stronger_way_wins() {
    let phone = device(Timestamp::EPOCH);
    let lifting = frozen(FreezeReason::Link).ask_lift(&phone, challenge(), at(2)).unwrap().freeze;
    let again = lifting.clone().again(FreezeReason::Link, Actor::Link, at(2)).unwrap().freeze;
    assert_eq!(again.state, FreezeState::Holds { until: Until::Time { at: at(26), lift: None } });
    let stronger = lifting.again(FreezeReason::Device, Actor::Device(phone.body.id), at(2)).unwrap().freeze;
    assert_eq!(stronger.state, FreezeState::Holds { until: Until::Override });
    assert_eq!(stronger.by, Actor::Device(phone.body.id));
    assert_eq!(stronger.again(FreezeReason::Link, Actor::Link, at(3)), None, "a link weakens nothing");
}

#[test]
fn what_was_asked_for_before_it_was_said_again_is_before_it() {
    let freeze = frozen(FreezeReason::Link);
    assert_eq!(freeze.said_at(), at(0));
    let again = freeze.again(FreezeReason::Link, Actor::Link, at(2)).unwrap().freeze;
    assert_eq!((again.at, again.said_at()), (at(0), at(2)));
    let stored: Freeze = serde_json::from_str(&serde_json::to_string(&again).unwrap()).unwrap();
    assert_eq!(stored, again);
    // One that was stored before anybody could say it again.
    let mut old = serde_json::to_value(frozen(FreezeReason::Link)).unwrap();
    assert!(old.as_object_mut().unwrap().remove("said_again_at").is_none());
    assert_eq!(serde_json::from_value::<Freeze>(old).unwrap().said_at(), at(0));
}

#[test]
fn only_what_begins_or_repeats_a_freeze_goes_before_others() {
    let begun = Freeze::begin(FreezeId::new(at(0), [4; 10]), holder(), FreezeReason::Link, Actor::Link, at(0));
    assert!(begun.tightens());
    assert!(frozen(FreezeReason::Link).again(FreezeReason::Link, Actor::Link, at(1)).unwrap().tightens());
    assert!(frozen(FreezeReason::Link).again(FreezeReason::Staff, Actor::Link, at(1)).unwrap().tightens());
    let lift = frozen(FreezeReason::Link).ask_lift(&device(Timestamp::EPOCH), challenge(), at(1)).unwrap();
    assert!(!lift.tightens(), "a lift loosens");
    assert!(!lift.freeze.fall_due(Some(at(1)), at(3)).unwrap().tightens(), "so does an end");
}

proptest! {
    /// Whatever is said, and whenever: nothing but a lift's hold or the day ends a link's freeze, and nothing but an
    /// override one that a device asked for.
    #[test]
    fn it_never_ends_early(moves in prop::collection::vec((0_u8..4, 0_u32..200), 1..40)) {
        let phone = device(Timestamp::EPOCH);
        let mut freeze = frozen(FreezeReason::Link);
        let (mut now, mut last_said, mut asked, mut strong) = (at(0), at(0), None::<Timestamp>, false);
        for (what, minutes) in moves {
            now = now + Duration::from_secs(60) * minutes;
            match what {
                0 => if let Some(step) = freeze.clone().again(FreezeReason::Link, Actor::Link, now) {
                    freeze = step.freeze;
                    last_said = now;
                    asked = None;
                },
                1 if minutes > 190 => if let Some(step) = freeze.clone().again(FreezeReason::Device, Actor::Link, now) {
                    freeze = step.freeze;
                    strong = true;
                },
                2 => if let Ok(step) = freeze.clone().ask_lift(&phone, challenge(), now) {
                    freeze = step.freeze;
                    asked = Some(now);
                },
                _ => if freeze.clone().fall_due(asked, now).is_some() {
                    prop_assert!(!strong, "only an override ends it");
                    let over = now >= last_said + LINK_FREEZE;
                    let lifted = asked.is_some_and(|asked| now >= asked + LIFT_HOLD);
                    prop_assert!(over || lifted);
                    return Ok(());
                },
            }
            prop_assert!(freeze.holds());
        }
    }
}
