//! What two staff members start is never sooner than what the holder would have started on a device.

use super::super::transitions::Due;
use super::*;
use crate::domain::ids::{OverrideId, StaffId};
use crate::domain::override_request::transitions::{Carry, Signed};
use crate::domain::override_request::{DISPUTED_HOLD, HOLD, Kind, OverrideRequest, Request, Words};
use crate::domain::staff::{Employer, Group, Profile, Role, Roles, Staff, StaffName};

/// Somebody who joined a year ago.
fn person(number: u8, group: &str, role: Role) -> Staff {
    let profile = Profile {
        name: StaffName::parse("Some One").unwrap(),
        group: Group::parse(group).unwrap(),
        employer: Employer::parse("in-house").unwrap(),
        roles: Roles::of(&[role]).unwrap(),
        ends_at: CREATED + 9000 * HOUR,
        user_name: None,
        external_id: None,
        own_holders: Vec::new(),
        mail: None,
    };
    let joined = CREATED - 9000 * HOUR;
    Staff::new(StaffId::new(CREATED, [number; 10]), profile, joined).enrolled(joined + HOUR)
}

/// What two signatures over this transfer give.
fn carried(approval: &Approval, disputed: Vec<ChannelId>) -> Carry {
    let words = || Words::parse("Called back on the number on file, the voice matched.").unwrap();
    let people = [person(1, "support", Role::Agent), person(2, "risk", Role::Signer), person(3, "fraud", Role::Signer)];
    let [agent, one, other] = &people;
    let request = Request {
        id: OverrideId::new(CREATED, [7; 10]),
        holder: approval.holder,
        requester: agent.id,
        kind: Kind::ApproveForHolder { approval: approval.id, digest: approval.digest() },
        reason: words(),
        disputed,
        created_at: CREATED,
        nonce: Salt([7; 16]),
    };
    let given = || Signed { credential_id: Blob(vec![1]), challenge: challenge(), checked: words() };
    let asked = OverrideRequest::ask(request, agent, &people, [0; 16], CREATED).unwrap().case;
    let once = asked.sign(one, &[], given(), APPROVED).unwrap().0.case;
    once.sign(other, std::slice::from_ref(one), given(), APPROVED).unwrap().1.expect("two signed")
}

/// How long the transfer cools off, and whether its timer finds it released a moment before and at the end.
fn cools_off(terms: Terms, watched: bool, disputed: Vec<ChannelId>) -> Duration {
    let mut approval = Approval { terms, ..opened() };
    if watched {
        approval = approval.watch(mark(), Vec::new(), Vec::new(), CREATED + SECOND).unwrap().approval;
    }
    let carry = carried(&approval, disputed);
    let cooling = approval.approve_for_holder(&carry, APPROVED).unwrap().approval;
    let State::Cooling { decision, cooling_until } = &cooling.state else { panic!("{:?}", cooling.state) };
    let hold = decision.hold;
    assert!(hold >= cooling.terms.hold, "staff made the hold shorter than policy's");
    assert_eq!(*cooling_until, APPROVED + hold);
    let due = |at| cooling.clone().fall_due(Some(told_at(APPROVED)), Logged::Yes, at);
    assert_eq!(due(APPROVED + hold - TICK), Due::Later(APPROVED + hold));
    let Due::Now(done) = due(APPROVED + hold) else { panic!("its time has come") };
    assert_eq!(done.approval.state.name(), StateName::Released);
    hold
}

#[test]
fn staff_shorten_neither_the_hold_of_the_terms_nor_that_of_an_unproved_device() {
    let terms = |hold, unproved| Terms { hold, unproved, ..terms() };
    let disputed = || vec![ChannelId::new(CREATED, [6; 10])];
    let short = terms(15 * MINUTE, Unproved::HoldFor(4 * HOUR));
    assert_eq!(cools_off(short.clone(), false, vec![]), HOLD);
    assert_eq!(cools_off(short, true, disputed()), DISPUTED_HOLD);
    let tier = terms(48 * HOUR, Unproved::Refuse);
    assert_eq!(cools_off(tier.clone(), true, vec![]), 48 * HOUR);
    assert_eq!(cools_off(tier.clone(), false, vec![]), 48 * HOUR);
    assert_eq!(cools_off(tier, true, disputed()), DISPUTED_HOLD);
    let unproved = terms(15 * MINUTE, Unproved::HoldFor(60 * HOUR));
    assert_eq!(cools_off(unproved.clone(), false, vec![]), 60 * HOUR);
    assert_eq!(cools_off(unproved, true, vec![]), HOLD, "somebody opened the waiting page");
}
