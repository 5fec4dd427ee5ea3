//! The override request's rules: every state against every command, every way not to sign, and that chance alone draws.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::transitions::{Carry, Due, Event, Signed, Step};
use super::*;
use crate::domain::staff::eligible::SIGNER_AFTER;
use crate::domain::staff::{EndReason, Profile, Role, Roles, Staff, StaffName};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

const NOW: Timestamp = Timestamp::from_micros(1_795_271_520_000_000);

fn id(number: u8) -> StaffId {
    StaffId::new(Timestamp::EPOCH, [number; 10])
}

/// A person enrolled a year ago.
fn person(number: u8, group: &str, employer: &str, roles: &[Role]) -> Staff {
    let profile = Profile {
        name: StaffName::parse("Some One").unwrap(),
        group: Group::parse(group).unwrap(),
        employer: Employer::parse(employer).unwrap(),
        roles: Roles::of(roles).unwrap(),
        ends_at: NOW + 1000 * HOUR,
        user_name: None,
        external_id: None,
        own_holders: Vec::new(),
        mail: None,
    };
    Staff::new(id(number), profile, NOW - 9000 * HOUR).enrolled(NOW - 8999 * HOUR)
}

fn signer(number: u8, group: &str, employer: &str) -> Staff {
    person(number, group, employer, &[Role::Signer])
}

fn words(text: &str) -> Words {
    Words::parse(text).unwrap()
}

fn long() -> Words {
    words("Called back on the number on file; the voice matched the notes.")
}

fn request(kind: Kind, disputed: Vec<ChannelId>) -> Request {
    Request {
        id: OverrideId::new(NOW, [1; 10]),
        holder: HolderId::new(NOW, [2; 10]),
        requester: id(1),
        kind,
        reason: long(),
        disputed,
        created_at: NOW,
        nonce: Salt([7; 16]),
    }
}

fn asker() -> Staff {
    person(1, "support", "Teleplus", &[Role::Agent])
}

/// Two who fit: one group each, one of them in-house.
fn two() -> [Staff; 2] {
    [signer(2, "risk", "in-house"), signer(3, "fraud", "Teleplus")]
}

fn asked(kind: Kind) -> OverrideRequest {
    let people = [&two()[..], &[asker()]].concat();
    OverrideRequest::ask(request(kind, vec![]), &asker(), &people, [0; 16], NOW).unwrap().case
}

fn unfreeze() -> Kind {
    Kind::Unfreeze { freeze: FreezeId::new(NOW, [3; 10]) }
}

fn given() -> Signed {
    Signed { credential_id: Blob(vec![1]), challenge: Digest::of(b"challenge"), checked: long() }
}

fn signed_once(kind: Kind) -> OverrideRequest {
    let [one, _] = two();
    asked(kind).sign(&one, &[], given(), NOW + MINUTE).unwrap().0.case
}

fn cooling(kind: Kind) -> OverrideRequest {
    let [one, other] = two();
    signed_once(kind).sign(&other, &[one], given(), NOW + 2 * MINUTE).unwrap().0.case
}

fn told(after: Duration) -> Told {
    Told { channel: ChannelId::new(NOW, [5; 10]), delivered_at: NOW + 2 * MINUTE + after }
}

fn due(case: OverrideRequest, told: Option<Told>, now: Timestamp) -> (Step, Option<Carry>) {
    match case.fall_due(&two(), told, now) {
        Due::Now(step, carry) => (*step, carry.map(|carry| *carry)),
        Due::Later => panic!("nothing is due"),
    }
}

fn heard() -> OverrideRequest {
    due(cooling(unfreeze()), Some(told(MINUTE)), NOW + 4 * MINUTE).0.case
}

/// One of each state.
fn in_state(name: StateName) -> OverrideRequest {
    let [one, _] = two();
    let over = NOW + 100 * HOUR;
    let case = match name {
        StateName::Requested => asked(unfreeze()),
        StateName::Cooling => heard(),
        StateName::CarriedOut => due(heard(), Some(told(MINUTE)), over).0.case,
        StateName::Refused => asked(unfreeze()).refuse(&one, long(), NOW).unwrap().case,
        StateName::Expired => due(asked(unfreeze()), None, over).0.case,
        StateName::Stopped => asked(unfreeze()).stop(Actor::Link, NOW).unwrap().case,
        StateName::Unreachable => due(cooling(unfreeze()), None, over).0.case,
        StateName::Void => asked(unfreeze()).void(VoidReason::TargetGone, NOW).unwrap().case,
    };
    assert_eq!(case.state.name(), name);
    case
}

#[test]
fn every_state_against_every_command() {
    let [one, other] = two();
    let now = NOW + 3 * HOUR;
    for name in StateName::ALL {
        let case = || in_state(name);
        let open = name == StateName::Requested;
        let live = !name.is_final();
        assert_eq!(case().sign(&one, &[], given(), now).is_ok(), open, "sign {name:?}");
        assert_eq!(case().refuse(&one, long(), now).is_ok(), open, "refuse {name:?}");
        assert_eq!(case().stop(Actor::Link, now).is_ok(), live, "stop {name:?}");
        assert_eq!(case().void(VoidReason::SignerGone, now).is_ok(), live, "void {name:?}");
        let more = [one.clone(), other.clone(), signer(4, "legal", "in-house"), signer(5, "it", "in-house")];
        assert_eq!(case().redraw(&more, [0; 16], now).is_ok(), open, "redraw {name:?}");
        let far = NOW + 1000 * HOUR;
        assert_eq!(matches!(case().fall_due(&two(), Some(told(MINUTE)), far), Due::Now(..)), live, "due {name:?}");
        assert_eq!(case().due_at().is_some(), live, "{name:?}");
    }
}

#[test]
fn two_signatures_lead_to_a_hold_and_never_further() {
    let [one, other] = two();
    let case = asked(unfreeze());
    let (first, carry) = case.sign(&one, &[], given(), NOW + MINUTE).unwrap();
    assert_eq!((first.event, carry), (Event::Signed, None));
    let (second, carry) = first.case.sign(&other, std::slice::from_ref(&one), given(), NOW + 2 * MINUTE).unwrap();
    assert_eq!((second.event, carry), (Event::SignedTwice, None));
    let State::Cooling { since, told, .. } = &second.case.state else { panic!("{:?}", second.case.state) };
    assert_eq!((*since, told), (NOW + 2 * MINUTE, &None));

    let transfer = Kind::ApproveForHolder { approval: ApprovalId::new(NOW, [4; 10]), digest: Digest::of(b"x") };
    let (step, carry) = signed_once(transfer).sign(&other, &[one], given(), NOW + 2 * MINUTE).unwrap();
    let carry = carry.expect("its own hold is the transfer's");
    assert_eq!(step.case.state.name(), StateName::CarriedOut);
    assert_eq!((carry.hold(), carry.freeze(), carry.devices_of()), (HOLD, None, None));
    assert_eq!(carry.transfer().map(|(_, digest)| digest), Some(Digest::of(b"x")));
}

#[test]
fn the_hold_counts_from_the_first_delivered_notice() {
    let case = cooling(unfreeze());
    assert_eq!(case.clone().fall_due(&two(), None, NOW + 20 * HOUR), Due::Later, "nobody was told yet");
    let (heard, _) = due(case, Some(told(5 * HOUR)), NOW + 6 * HOUR);
    assert_eq!(heard.event, Event::Told);
    let over = NOW + 2 * MINUTE + 5 * HOUR + HOLD;
    assert_eq!(heard.case.due_at(), Some(over));
    let early = heard.case.clone().fall_due(&two(), Some(told(5 * HOUR)), over - Duration::from_micros(1));
    assert_eq!(early, Due::Later);
    let (step, carry) = due(heard.case, Some(told(5 * HOUR)), over);
    assert_eq!((step.event, step.guard.not_before), (Event::CarriedOut, Some(over)));
    assert_eq!(carry.map(|carry| (carry.freeze().is_some(), carry.not_before())), Some((true, Some(over))));
}

#[test]
fn nobody_told_in_a_day_is_unreachable() {
    let (step, carry) = due(cooling(unfreeze()), None, NOW + 2 * MINUTE + TOLD_WITHIN);
    assert_eq!((step.event, carry), (Event::Unreachable, None));
    // One that came a moment too late is none.
    let late = Some(told(TOLD_WITHIN + MINUTE));
    assert_eq!(due(cooling(unfreeze()), late, NOW + 30 * HOUR).0.event, Event::Unreachable);
    // Neither is one that bounced after the hold had begun.
    assert_eq!(due(heard(), None, NOW + 30 * HOUR).0.event, Event::Unreachable);
}

#[test]
fn a_disputed_channel_makes_the_hold_three_days() {
    let disputed = request(unfreeze(), vec![ChannelId::new(NOW, [9; 10])]);
    assert_eq!((disputed.hold(), request(unfreeze(), vec![]).hold()), (DISPUTED_HOLD, HOLD));
}

#[test]
fn the_wrong_people_can_not_sign() {
    let case = asked(unfreeze());
    let why = |person: &Staff| case.may_sign(person, &[], NOW).unwrap_err();
    assert_eq!(why(&asker()), Refusal::Ineligible(Ineligible::NotSigner));
    let mut both = asker();
    both.profile.roles = Roles::of(&[Role::Agent, Role::Signer]).unwrap();
    both.in_role_since.insert(Role::Signer, Timestamp::EPOCH);
    assert_eq!(why(&both), Refusal::Ineligible(Ineligible::Requester));
    assert_eq!(why(&person(2, "risk", "in-house", &[Role::Admin])), Refusal::Ineligible(Ineligible::Admin));
    assert_eq!(why(&signer(9, "legal", "in-house")), Refusal::NotDrawn);
    let mut new = two()[0].clone();
    new.in_role_since.insert(Role::Signer, NOW - SIGNER_AFTER + Duration::from_micros(1));
    assert_eq!(why(&new), Refusal::Ineligible(Ineligible::TooNew));
    new.in_role_since.insert(Role::Signer, NOW - SIGNER_AFTER);
    assert_eq!(case.may_sign(&new, &[], NOW), Ok(()));
    let ended = two()[0].ended(Actor::Service, EndReason::Admin, NOW).unwrap();
    assert!(matches!(why(&ended), Refusal::Ineligible(Ineligible::Gone(_))));
}

#[test]
fn one_person_signs_once_whatever_passkey() {
    let [one, _] = two();
    let again = signed_once(unfreeze()).sign(&one, std::slice::from_ref(&one), given(), NOW + 2 * MINUTE);
    assert_eq!(again.unwrap_err(), Refusal::SignedAlready);
}

#[test]
fn a_signer_who_left_or_moved_takes_the_signature_with_them() {
    let [one, other] = two();
    let gone = one.ended(Actor::Service, EndReason::Admin, NOW + MINUTE).unwrap();
    let mut moved = one.profile.clone();
    moved.group = Group::parse("legal").unwrap();
    let moved = one.changed(moved, NOW + MINUTE);
    let expired = {
        let mut person = one.clone();
        person.profile.ends_at = NOW + MINUTE;
        person
    };
    for first in [gone, moved, expired] {
        let (step, carry) = signed_once(unfreeze()).sign(&other, &[first.clone()], given(), NOW + 2 * MINUTE).unwrap();
        assert_eq!((step.event, carry), (Event::Void, None), "{:?}", first.status);
        // And at the end of the hold.
        let due = heard().fall_due(&[first, other.clone()], Some(told(MINUTE)), NOW + 100 * HOUR);
        let Due::Now(step, carry) = due else { panic!("it must end") };
        assert_eq!((step.event, carry), (Event::Void, None));
    }
}

#[test]
fn silence_and_short_words_do_not_do() {
    let [one, _] = two();
    let case = asked(unfreeze());
    assert_eq!(case.clone().sign(&one, &[], given(), NOW + SIGN_WITHIN).unwrap_err(), Refusal::TimeOver);
    assert_eq!(due(case.clone(), None, NOW + SIGN_WITHIN).0.event, Event::Expired);
    let short = Signed { checked: words("ok ok ok !!!!!!!!!!!!!!!!!!!!!!!!"), ..given() };
    assert_eq!(case.sign(&one, &[], short, NOW).unwrap_err(), Refusal::TooFewWords);
}

#[test]
fn only_fitting_pairs_are_drawn_and_each_of_them() {
    let people = vec![
        signer(2, "risk", "in-house"),
        signer(3, "risk", "in-house"),
        signer(4, "fraud", "in-house"),
        signer(5, "fraud", "Teleplus"),
        signer(6, "desk", "Callco"),
        person(7, "legal", "in-house", &[Role::Admin]),
        asker(),
    ];
    let mut seen: BTreeMap<[StaffId; 2], u32> = BTreeMap::new();
    for number in 0..2000_u32 {
        let lot = draw::lot(u128::from(number).to_be_bytes(), &Digest::of(b"request"));
        let pair = draw::draw(&people, id(1), None, &[], lot, NOW).unwrap();
        *seen.entry(pair).or_default() += 1;
    }
    let fits: Vec<[u8; 2]> = vec![[2, 4], [2, 5], [2, 6], [3, 4], [3, 5], [3, 6], [4, 6]];
    let expected: Vec<[StaffId; 2]> = fits.iter().map(|[a, b]| [id(*a), id(*b)]).collect();
    assert_eq!(seen.keys().copied().collect::<Vec<_>>(), expected);
    assert!(seen.values().all(|count| (200..400).contains(count)), "one pair as often as another: {seen:?}");
}

#[test]
fn drawing_again_is_done_once_and_never_gives_the_same_people() {
    let more = [&two()[..], &[signer(4, "legal", "in-house"), signer(5, "desk", "in-house")]].concat();
    let case = asked(unfreeze());
    for lot in 0..50_u8 {
        let drawn = case.clone().redraw(&more, [lot; 16], NOW).unwrap().case;
        assert!(drawn.drawn.iter().all(|id| !case.drawn.contains(id)));
        assert_eq!(drawn.clone().redraw(&more, [lot; 16], NOW).unwrap_err(), Refusal::RedrawnAlready);
    }
    assert_eq!(case.redraw(&two(), [0; 16], NOW).unwrap_err(), Refusal::NobodyToDraw);
    // Who has signed stays.
    let signed = signed_once(unfreeze());
    let kept = signed.redraw(&more, [3; 16], NOW + 2 * MINUTE).unwrap().case;
    assert!(kept.drawn.contains(&id(2)) && !kept.drawn.contains(&id(3)), "{:?}", kept.drawn);
}

proptest! {
    /// Whoever acts, and in whatever order: nothing is carried out without two signatures of two different people of
    /// two groups, one of them in-house, neither of them the requester, and never before the hold is over.
    #[test]
    fn nothing_is_carried_out_without_two(acts in prop::collection::vec((0_u8..8, 0_u8..6, 0_u32..600), 1..30)) {
        let people = vec![
            signer(2, "risk", "in-house"), signer(3, "fraud", "Teleplus"), signer(4, "risk", "in-house"),
            signer(5, "desk", "Teleplus"), signer(6, "legal", "in-house"), asker(),
        ];
        let mut now = NOW;
        let mut case = OverrideRequest::ask(request(unfreeze(), vec![]), &asker(), &people, [1; 16], NOW).unwrap().case;
        let mut signed: Vec<StaffId> = Vec::new();
        let mut cooling_since = None;
        for (what, who, minutes) in acts {
            now = now + MINUTE * minutes;
            let actor = &people[usize::from(who)];
            let known = cooling_since.map(|since: Timestamp| Told { channel: ChannelId::new(NOW, [5; 10]), delivered_at: since + MINUTE });
            let step = match what {
                0..=3 => case.clone().sign(actor, &people, given(), now).map(|(step, carry)| { assert!(carry.is_none()); step }),
                4 => case.clone().redraw(&people, [who; 16], now),
                _ => match case.clone().fall_due(&people, known, now) {
                    Due::Now(step, carry) => {
                        if let Some(carry) = carry {
                            let [one, other] = carry.signers();
                            prop_assert!(signed.contains(&one) && signed.contains(&other) && one != other);
                            let of = |id: StaffId| people.iter().find(|person| person.id == id).unwrap();
                            prop_assert!(draw::fit(of(one), of(other)).is_ok());
                            prop_assert!(one != id(1) && other != id(1));
                            prop_assert!(now >= cooling_since.unwrap() + MINUTE + HOLD);
                            return Ok(());
                        }
                        Ok(*step)
                    }
                    Due::Later => continue,
                },
            };
            if let Ok(step) = step {
                if matches!(step.event, Event::Signed | Event::SignedTwice) {
                    signed.push(actor.id);
                }
                if step.event == Event::SignedTwice {
                    cooling_since = Some(now);
                }
                case = step.case;
            }
        }
        prop_assert!(case.state.name() != StateName::CarriedOut);
    }
}
