//! The rules of staff, each with what it refuses.

use super::change::{CHANGE_LIFE, ChangeRefusal, ChangeState, Proposal, StaffChange};
use super::eligible::{Ineligible, SIGNER_AFTER, signer, signer_about};
use super::invite::{HOST_WAIT, INVITE_LIFE, Invite, InviteRefusal, Origin};
use super::session::{IDLE, LONGEST, Session};
use super::*;
use crate::domain::details::Digest;
use crate::domain::device::Blob;
use crate::domain::ids::{InviteId, SessionId, StaffChangeId};
use crate::domain::link::LinkRefusal;
use std::time::Duration;

const START: Timestamp = Timestamp::from_micros(1_795_271_520_000_000);
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
const SECOND: Duration = Duration::from_secs(1);

fn id(n: u8) -> StaffId {
    StaffId::new(START, [n; 10])
}

fn profile(roles: &[Role]) -> Profile {
    Profile {
        name: Line::parse("Mara Lind").unwrap(),
        group: Group::parse("care").unwrap(),
        employer: Employer::InHouse,
        roles: Roles::of(roles).unwrap(),
        ends_at: START + YEAR,
        user_name: None,
        external_id: None,
        own_holders: Vec::new(),
        mail: None,
    }
}

fn active(n: u8, roles: &[Role]) -> Staff {
    Staff::new(id(n), profile(roles), START).enrolled(START)
}

fn change(proposal: Proposal) -> StaffChange {
    StaffChange {
        id: StaffChangeId::new(START, [9; 10]),
        version: 1,
        proposal,
        reason: Line::parse("joins the night shift").unwrap(),
        proposed_by: id(1),
        created_at: START,
        expires_at: START + CHANGE_LIFE,
        nonce: Blob(vec![0; 16]),
        signatures: vec![],
        state: ChangeState::Waiting,
    }
}

#[test]
fn no_value_is_admin_and_signer() {
    assert_eq!(Roles::of(&[Role::Admin, Role::Signer]), Err(BadRoles::AdminSigner));
    assert_eq!(Roles::of(&[Role::Signer, Role::Agent, Role::Admin]), Err(BadRoles::AdminSigner));
    assert!(serde_json::from_str::<Roles>(r#"["signer","admin"]"#).is_err());
    assert_eq!(Roles::of(&[]), Err(BadRoles::Empty));
    let both = Roles::of(&[Role::Auditor, Role::Agent, Role::Signer]).unwrap();
    assert_eq!(serde_json::to_string(&both).unwrap(), r#"["agent","signer","auditor"]"#);
}

#[test]
fn a_signer_signs_after_seven_days_in_the_role_and_not_before() {
    let person = active(1, &[Role::Signer]);
    let ready = START + SIGNER_AFTER;
    assert_eq!(signer(&person, id(2), ready), Ok(()));
    assert_eq!(signer(&person, id(2), Timestamp::from_micros(ready.micros() - 1)), Err(Ineligible::TooNew));
    assert_eq!(signer(&person, id(1), ready), Err(Ineligible::Requester));
    assert_eq!(signer(&active(3, &[Role::Admin, Role::Agent]), id(2), ready), Err(Ineligible::Admin));
    assert_eq!(signer(&active(3, &[Role::Agent]), id(2), ready), Err(Ineligible::NotSigner));
    assert_eq!(signer(&person, id(2), START + YEAR), Err(Ineligible::Gone(Gone::Expired)));
    let ended = person.ended(Actor::Staff(id(5)), EndReason::Admin, ready).unwrap();
    assert_eq!(signer(&ended, id(2), ready), Err(Ineligible::Gone(Gone::Ended)));
    let invited = Staff::new(id(4), profile(&[Role::Signer]), START);
    assert_eq!(signer(&invited, id(2), ready), Err(Ineligible::Gone(Gone::NotEnrolled)));
}

#[test]
fn nobody_signs_about_themselves() {
    let (own, other) = (HolderId::new(START, [5; 10]), HolderId::new(START, [6; 10]));
    let mut person = active(1, &[Role::Signer]);
    // A record from before there was such a thing says nothing of it, and keeps its text and its seal.
    assert!(!serde_json::to_string(&person).unwrap().contains("own_holders"));
    person.profile.own_holders = vec![own];
    let ready = START + SIGNER_AFTER;
    assert_eq!(signer_about(&person, id(2), own, ready), Err(Ineligible::Own));
    assert_eq!(signer_about(&person, id(2), other, ready), Ok(()));
    assert_eq!(signer_about(&person, id(1), other, ready), Err(Ineligible::Requester));
}

#[test]
fn a_demo_s_signers_sign_at_once_by_the_same_rule() {
    let seasoned = active(1, &[Role::Signer]).seasoned();
    assert_eq!(signer(&seasoned, id(2), START), Ok(()));
    assert_eq!(signer(&seasoned, seasoned.id, START), Err(Ineligible::Requester));
}

#[test]
fn moving_to_another_group_starts_the_seven_days_anew() {
    let person = active(1, &[Role::Signer]);
    let ready = START + SIGNER_AFTER;
    let mut moved = person.profile.clone();
    moved.group = Group::parse("fraud").unwrap();
    let next = person.changed(moved, ready);
    assert_eq!(signer(&next, id(2), ready), Err(Ineligible::TooNew));
    let mut longer = person.profile.clone();
    longer.ends_at = START + YEAR * 2;
    let next = person.changed(longer, ready);
    assert_eq!(signer(&next, id(2), ready), Ok(()));
}

#[test]
fn the_end_date_needs_no_job() {
    let person = active(1, &[Role::Agent]);
    assert!(person.may(Role::Agent, START));
    assert!(!person.may(Role::Agent, START + YEAR));
    assert!(!person.may(Role::Auditor, START));
}

#[test]
fn two_admins_decide_and_neither_about_themselves() {
    let added = change(Proposal::Add { staff: id(7), profile: profile(&[Role::Signer]) });
    let (one, two) = (active(1, &[Role::Admin]), active(2, &[Role::Admin]));
    let digest = Digest::of(b"challenge");
    let first = added.signed(&one, digest, &[], START).unwrap();
    assert_eq!(first.state, ChangeState::Waiting);
    assert_eq!(first.signed(&one, digest, std::slice::from_ref(&one), START), Err(ChangeRefusal::SignedAlready));
    assert_eq!(
        first.signed(&active(3, &[Role::Agent]), digest, std::slice::from_ref(&one), START),
        Err(ChangeRefusal::NotAdmin)
    );
    let done = first.signed(&two, digest, std::slice::from_ref(&one), START).unwrap();
    assert_eq!(done.state, ChangeState::Done { at: START });
    assert_eq!(done.outcome(None, START).unwrap().status, Status::Invited);
    assert_eq!(done.outcome(Some(&one), START), Err(ChangeRefusal::Moved));

    let about_two = change(Proposal::Change {
        staff: id(2),
        version: 2,
        before: two.profile.clone(),
        after: profile(&[Role::Agent]),
    });
    assert_eq!(about_two.signed(&two, digest, &[], START), Err(ChangeRefusal::Oneself));
    assert_eq!(added.signed(&one, digest, &[], START + CHANGE_LIFE), Err(ChangeRefusal::Over));
}

#[test]
fn the_signature_of_an_admin_who_was_ended_counts_no_more() {
    let added = change(Proposal::Add { staff: id(7), profile: profile(&[Role::Signer]) });
    let (one, two, three) = (active(1, &[Role::Admin]), active(2, &[Role::Admin]), active(3, &[Role::Admin]));
    let digest = Digest::of(b"challenge");
    let first = added.signed(&one, digest, &[], START).unwrap();
    let gone = one.ended(Actor::Staff(id(3)), EndReason::Admin, START).unwrap();
    let second = first.signed(&two, digest, &[gone.clone()], START).unwrap();
    assert_eq!(second.state, ChangeState::Waiting);
    assert_eq!(second.signatures.len(), 1);
    let third = second.signed(&three, digest, &[two], START).unwrap();
    assert_eq!(third.state, ChangeState::Done { at: START });
}

#[test]
fn the_canonical_text_says_everything_that_was_decided() {
    let text = change(Proposal::Add { staff: id(7), profile: profile(&[Role::Signer]) }).canonical().unwrap();
    for part in ["\"ends_at\"", "\"group\":\"care\"", "\"roles\":[\"signer\"]", "\"nonce\"", "night shift", "in_house"]
    {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
}

#[test]
fn the_host_adds_at_once_only_until_two_admins_have_been() {
    assert_eq!(Invite::from_host(1, START), (Origin::Founding, START));
    assert_eq!(Invite::from_host(2, START), (Origin::Host, START + HOST_WAIT));
    let invite = |origin, opens_at| Invite {
        id: InviteId::new(START, [0; 10]),
        staff: id(1),
        origin,
        token_hash: Digest::of(b""),
        created_at: START,
        opens_at,
        expires_at: opens_at + INVITE_LIFE,
        tries: 0,
        ended_at: None,
    };
    let waits = invite(Origin::Host, START + HOST_WAIT);
    let early = Timestamp::from_micros((START + HOST_WAIT).micros() - 1);
    assert_eq!(waits.check_open(early), Err(InviteRefusal::NotYet { opens_at: START + HOST_WAIT }));
    assert_eq!(waits.check_open(START + HOST_WAIT), Ok(()));
    assert_eq!(waits.check_open(START + HOST_WAIT + INVITE_LIFE), Err(InviteRefusal::Link(LinkRefusal::Expired)));
    // An invite kept from the founding isn't a way around the wait.
    let kept = invite(Origin::Founding, START);
    assert_eq!(kept.check_open(START), Ok(()));
    assert!(kept.is_founding_after(2) && !kept.is_founding_after(1) && !waits.is_founding_after(2));
}

#[test]
fn a_session_ends_by_idling_by_age_and_by_hand() {
    let session = Session {
        id: SessionId::new(START, [0; 10]),
        staff: id(1),
        token_hash: Digest::of(b""),
        challenge: Digest::of(b""),
        created_at: START,
        seen_at: START,
        ended_at: None,
    };
    assert!(session.stands(START + (IDLE - SECOND)));
    assert!(!session.stands(START + IDLE));
    let busy = Session { seen_at: START + (LONGEST - SECOND), ..session.clone() };
    assert!(busy.stands(START + (LONGEST - SECOND)));
    assert!(!busy.stands(START + LONGEST));
    assert!(!Session { ended_at: Some(START), ..session }.stands(START));
}
