//! The cases: each effect with its conditions, and what may be read afterwards.

use countersign::domain::approval::Actor;
use countersign::domain::details::Digest;
use countersign::domain::device::Blob;
use countersign::domain::ids::{DirectoryKeyId, HolderId, StaffId};
use countersign::domain::staff::change::Proposal;
use countersign::domain::staff::directory::DirectoryKey;
use countersign::domain::staff::invite::{Invite, Origin};
use countersign::domain::staff::session::Session;
use countersign::domain::staff::view::{REVEALS_A_DAY, Seen, VIEWS_A_DAY};
use countersign::domain::staff::{EndReason, Group, Role, Staff, UserName};
use countersign::domain::{ApprovalId, OverrideId};
use countersign::ports::Effect;
use countersign::ports::staff::{Acting, Outcome, PasskeyProof, StaffEffect};
use countersign::ports::store::Unique;

use super::Office;
use crate::conformance::world::{HOUR, MINUTE, Why, why};

pub async fn a_person_reads_back_under_every_name(office: Office) {
    let person = office.joined(office.person(&[Role::Agent, Role::Auditor])).await;
    let (name, id) = (person.profile.user_name.clone().unwrap(), person.profile.external_id.clone().unwrap());
    assert_eq!(office.staff.person_by_user_name(&name).await.unwrap().as_ref(), Some(&person));
    assert_eq!(office.staff.person_by_external_id(&id).await.unwrap().as_ref(), Some(&person));
    let nobody = UserName::parse("nobody@harbour.example").unwrap();
    assert_eq!(office.staff.person_by_user_name(&nobody).await.unwrap(), None);
    assert_eq!(office.staff.everybody().await.unwrap(), [office.admin.clone(), person.clone()]);
    assert_eq!(office.staff.passkeys(person.id).await.unwrap(), [office.passkey(&person)]);
    assert_eq!(office.staff.passkey(&Blob(vec![1])).await.unwrap(), None);
}

pub async fn names_at_the_provider_belong_to_one_person(office: Office) {
    let mut other = office.person(&[Role::Agent]);
    other.profile.user_name.clone_from(&office.admin.profile.user_name);
    let invite = office.invite(&other, Origin::Host);
    let add = StaffEffect::Add { staff: Box::new(other), invite };
    office.refuses(add, Why::Duplicate(Unique::Other)).await;
}

pub async fn a_founding_invite_is_worth_nothing_once_two_admins_have_been(office: Office) {
    let third = office.person(&[Role::Admin]);
    let kept = office.invited(&third, Origin::Founding).await;
    let second = office.joined(office.person(&[Role::Admin])).await;
    office.refuses(office.enrols(&kept, &third), Why::Conflict).await;
    let fourth = office.person(&[Role::Agent]);
    let late = office.invite(&fourth, Origin::Founding);
    office.refuses(StaffEffect::Add { staff: Box::new(fourth), invite: late }, Why::Conflict).await;
    // Who was an admin stays one who has been.
    let ended = second.ended(Actor::Service, EndReason::Admin, office.now()).unwrap();
    office.apply(StaffEffect::End { staff: Box::new(ended), from: second.version, by: None }).await;
    office.refuses(office.enrols(&kept, &third), Why::Conflict).await;
}

pub async fn an_invite_is_spent_once_and_in_its_time(office: Office) {
    let person = office.person(&[Role::Agent]);
    let invite = office.invited(&person, Origin::Host).await;
    assert_eq!(office.staff.invite(&invite.token_hash).await.unwrap(), Some(invite.clone()));
    office.apply(office.enrols(&invite, &person)).await;
    assert!(office.staff.invite(&invite.token_hash).await.unwrap().unwrap().ended_at.is_some());
    office.refuses(office.enrols(&invite, &person), Why::Conflict).await;

    let person = office.person(&[Role::Agent]);
    let early = Invite { opens_at: office.now() + HOUR, ..office.invite(&person, Origin::Host) };
    office.apply(StaffEffect::Add { staff: Box::new(person.clone()), invite: early.clone() }).await;
    office.refuses(office.enrols(&early, &person), Why::Conflict).await;
    let person = office.person(&[Role::Agent]);
    let late = Invite { expires_at: office.now() - MINUTE, ..office.invite(&person, Origin::Host) };
    office.apply(StaffEffect::Add { staff: Box::new(person.clone()), invite: late.clone() }).await;
    office.refuses(office.enrols(&late, &person), Why::Conflict).await;
}

pub async fn codes_are_counted_from_what_was_read(office: Office) {
    let person = office.person(&[Role::Agent]);
    let invite = office.invited(&person, Origin::Host).await;
    office.apply(StaffEffect::CountInviteTry { invite: invite.id, tries: 0 }).await;
    office.refuses(StaffEffect::CountInviteTry { invite: invite.id, tries: 0 }, Why::Conflict).await;
    assert_eq!(office.staff.invite(&invite.token_hash).await.unwrap().unwrap().tries, 1);
}

pub async fn a_session_is_made_once_from_one_challenge(office: Office) {
    let session = office.session(&office.admin);
    office.apply(StaffEffect::SignIn { session: session.clone(), proof: office.proof(&office.admin, 2, None) }).await;
    let (read, person) = office.staff.session(&session.token_hash).await.unwrap().unwrap();
    assert_eq!((read, person), (session.clone(), office.admin.clone()));
    let again = Session { challenge: session.challenge, ..office.session(&office.admin) };
    let proof = office.proof(&office.admin, 3, None);
    office.refuses(StaffEffect::SignIn { session: again, proof }, Why::Duplicate(Unique::Other)).await;

    office.staff.touch_session(session.id, office.now() + MINUTE).await.unwrap();
    office.staff.touch_session(session.id, office.now()).await.unwrap();
    let touched = office.staff.session(&session.token_hash).await.unwrap().unwrap().0;
    assert_eq!(touched.seen_at, office.now() + MINUTE, "an old touch doesn't shorten it");
    office.apply(StaffEffect::SignOut { session: session.id, at: office.now() }).await;
    assert!(office.staff.session(&session.token_hash).await.unwrap().unwrap().0.ended_at.is_some());
    office.refuses(StaffEffect::SignOut { session: session.id, at: office.now() }, Why::Conflict).await;
    assert_eq!(office.staff.session(&Digest::of(b"made up")).await.unwrap(), None);
}

pub async fn a_passkeys_counter_must_rise(office: Office) {
    let sign_in = |counter| StaffEffect::SignIn {
        session: office.session(&office.admin),
        proof: office.proof(&office.admin, counter, None),
    };
    office.apply(sign_in(5)).await;
    office.refuses(sign_in(5), Why::Conflict).await;
    office.refuses(sign_in(0), Why::Conflict).await;
    let other = office.joined(office.person(&[Role::Agent])).await;
    // Another's passkey isn't mine.
    let proof = PasskeyProof { staff: other.id, ..office.proof(&office.admin, 9, None) };
    office.refuses(StaffEffect::SignIn { session: office.session(&other), proof }, Why::Conflict).await;
}

pub async fn ending_takes_sessions_and_invites_along(office: Office) {
    let person = office.joined(office.person(&[Role::Agent])).await;
    let session = office.session(&person);
    office.apply(StaffEffect::SignIn { session: session.clone(), proof: office.proof(&person, 2, None) }).await;
    let by = Some(Acting { staff: office.admin.id, role: Role::Admin });
    let ended = person.ended(Actor::Staff(office.admin.id), EndReason::Admin, office.now()).unwrap();
    let end = || StaffEffect::End { staff: Box::new(ended.clone()), from: person.version, by };
    office.apply(end()).await;
    let (session, person) = office.staff.session(&session.token_hash).await.unwrap().unwrap();
    assert!(session.ended_at.is_some() && person == ended);
    office.refuses(end(), Why::Conflict).await;

    let waiting = office.person(&[Role::Agent]);
    let invite = office.invited(&waiting, Origin::Host).await;
    let stopped = waiting.ended(Actor::Directory, EndReason::Directory, office.now()).unwrap();
    office.apply(StaffEffect::End { staff: Box::new(stopped), from: waiting.version, by: None }).await;
    assert!(office.staff.invite(&invite.token_hash).await.unwrap().unwrap().ended_at.is_some());
    office.refuses(office.enrols(&invite, &waiting), Why::Conflict).await;
}

pub async fn whoever_was_ended_or_lacks_the_role_acts_no_more(office: Office) {
    let (person, victim) =
        (office.joined(office.person(&[Role::Agent])).await, office.joined(office.person(&[Role::Agent])).await);
    let end_victim = |by: &Staff| StaffEffect::End {
        staff: Box::new(victim.ended(Actor::Staff(by.id), EndReason::Admin, office.now()).unwrap()),
        from: victim.version,
        by: Some(Acting { staff: by.id, role: Role::Admin }),
    };
    office.refuses(end_victim(&person), Why::Conflict).await;
    // The contract of somebody ends while their request is on its way.
    let mut short = office.person(&[Role::Admin]);
    short.profile.ends_at = office.now() - MINUTE;
    let short = office.joined(short).await;
    office.refuses(end_victim(&short), Why::Conflict).await;
    let sign_in = StaffEffect::SignIn { session: office.session(&short), proof: office.proof(&short, 2, None) };
    office.refuses(sign_in, Why::Conflict).await;
    let unknown = Staff { id: office.world.id(StaffId::new), ..person };
    office.refuses(end_victim(&unknown), Why::Conflict).await;
    office.apply(end_victim(&office.admin)).await;
}

pub async fn a_change_is_carried_out_with_its_last_signature(office: Office) {
    let second = office.joined(office.person(&[Role::Admin])).await;
    let added = office.person(&[Role::Signer]);
    let change = office.change(Proposal::Add { staff: added.id, profile: added.profile.clone() }, &office.admin);
    let proof = office.proof(&office.admin, 2, Some(Role::Admin));
    let propose = StaffEffect::Propose { change: Box::new(change.clone()), proof };
    office.apply(propose).await;
    assert_eq!(office.staff.change(change.id).await.unwrap(), Some(change.clone()));
    let next =
        change.signed(&second, Digest::of(b"second"), std::slice::from_ref(&office.admin), office.now()).unwrap();
    let invite = office.invite(&added, Origin::Admins(change.id));
    let sign = |proof| StaffEffect::Sign {
        change: Box::new(next.clone()),
        from: change.version,
        proof,
        outcome: Some(Box::new(Outcome { staff: added.clone(), from: None, invite: Some(invite.clone()) })),
    };
    let agent = office.joined(office.person(&[Role::Agent])).await;
    office.refuses(sign(office.proof(&agent, 2, Some(Role::Admin))), Why::Conflict).await;
    office.apply(sign(office.proof(&second, 2, Some(Role::Admin)))).await;
    assert_eq!(office.staff.person(added.id).await.unwrap(), Some(added.clone()));
    assert_eq!(office.staff.invite(&invite.token_hash).await.unwrap(), Some(invite.clone()));
    office.refuses(sign(office.proof(&second, 3, Some(Role::Admin))), Why::Conflict).await;
    assert_eq!(office.staff.changes(10).await.unwrap(), [next.clone()]);
}

pub async fn a_change_moves_from_the_version_that_was_read(office: Office) {
    let second = office.joined(office.person(&[Role::Admin])).await;
    let person = office.joined(office.person(&[Role::Agent])).await;
    let mut after = person.profile.clone();
    after.group = Group::parse("risk").unwrap();
    let proposal = Proposal::Change {
        staff: person.id,
        version: person.version,
        before: person.profile.clone(),
        after: after.clone(),
    };
    let change = office.change(proposal, &office.admin);
    let proof = office.proof(&office.admin, 2, Some(Role::Admin));
    office.apply(StaffEffect::Propose { change: Box::new(change.clone()), proof }).await;
    let next =
        change.signed(&second, Digest::of(b"second"), std::slice::from_ref(&office.admin), office.now()).unwrap();
    let outcome = |from| {
        Some(Box::new(Outcome { staff: person.changed(after.clone(), office.now()), from: Some(from), invite: None }))
    };
    let sign = |from, outcome| StaffEffect::Sign {
        change: Box::new(next.clone()),
        from,
        proof: office.proof(&second, 2, Some(Role::Admin)),
        outcome,
    };
    office.refuses(sign(change.version, outcome(person.version + 1)), Why::Conflict).await;
    office.refuses(sign(change.version + 1, outcome(person.version)), Why::Conflict).await;
    // The first signer was ended while the second one signed.
    let ended = office.admin.ended(Actor::Service, EndReason::Admin, office.now()).unwrap();
    office.apply(StaffEffect::End { staff: Box::new(ended), from: office.admin.version, by: None }).await;
    office.refuses(sign(change.version, outcome(person.version)), Why::Conflict).await;
    let refused = change.refused(&second, office.now()).unwrap();
    let by = Acting { staff: second.id, role: Role::Admin };
    office.apply(StaffEffect::Refuse { change: Box::new(refused.clone()), from: change.version, by }).await;
    assert_eq!(office.staff.change(change.id).await.unwrap(), Some(refused));
}

pub async fn looks_are_counted_and_capped(office: Office) {
    let agent = office.joined(office.person(&[Role::Agent])).await;
    let holder = office.world.holder.id;
    assert_eq!(office.staff.last_viewed_by_staff(holder).await.unwrap(), None);
    office.refuses(office.view(&office.admin, Seen::Masked), Why::Conflict).await;
    let account =
        || Seen::Account { approval: office.world.id(ApprovalId::new), case: office.world.id(OverrideId::new) };
    for _ in 0..REVEALS_A_DAY {
        office.apply(office.view(&agent, account())).await;
    }
    office.refuses(office.view(&agent, account()), Why::Cap).await;
    for _ in REVEALS_A_DAY..VIEWS_A_DAY {
        office.apply(office.view(&agent, Seen::Masked)).await;
    }
    office.refuses(office.view(&agent, Seen::Masked), Why::Cap).await;
    // Another's looks are their own.
    let other = office.joined(office.person(&[Role::Agent])).await;
    let look = office.view(&other, Seen::Masked);
    office.apply(look.clone()).await;
    let views = office.staff.views_of_holder(holder, 100).await.unwrap();
    assert_eq!(views.len(), VIEWS_A_DAY as usize + 1);
    assert_eq!(views[0].staff, other.id, "newest first");
    assert_eq!(office.staff.views_of_holder(holder, 3).await.unwrap().len(), 3);
    assert_eq!(office.staff.view(views[0].id).await.unwrap().as_ref(), Some(&views[0]));
    assert_eq!(office.staff.last_viewed_by_staff(holder).await.unwrap(), Some(office.now()));
    let nobody = HolderId::new(office.now(), [77; 10]);
    assert!(office.staff.views_of_holder(nobody, 10).await.unwrap().is_empty());
}

pub async fn nobody_looks_at_themself(office: Office) {
    let mut person = office.person(&[Role::Agent]);
    person.profile.own_holders = vec![office.world.holder.id];
    let person = office.joined(person).await;
    office.refuses(office.view(&person, Seen::Masked), Why::Conflict).await;
}

pub async fn of_many_looks_at_once_no_more_than_the_cap_are_stored(office: Office) {
    let agent = office.joined(office.person(&[Role::Agent])).await;
    let looks = (0..VIEWS_A_DAY + 15).map(|_| {
        let change = office.world.change(Effect::Staff(Box::new(office.view(&agent, Seen::Masked))));
        office.world.store.commit(change)
    });
    let answers = futures_util::future::join_all(looks).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), VIEWS_A_DAY as usize);
    assert!(answers.into_iter().filter_map(Result::err).all(|error| why(error) == Why::Cap));
}

pub async fn a_directory_key_is_revoked_once(office: Office) {
    let id = office.world.id(DirectoryKeyId::new);
    let key = DirectoryKey { id, hash: Digest::of(b"secret"), created_at: office.now(), revoked_at: None };
    office.apply(StaffEffect::AddDirectoryKey(key.clone())).await;
    assert_eq!(office.staff.directory_key(&key.hash).await.unwrap(), Some(key.clone()));
    let revoke = || StaffEffect::RevokeDirectoryKey { key: id, at: office.now() };
    office.apply(revoke()).await;
    assert!(office.staff.directory_key(&key.hash).await.unwrap().unwrap().revoked_at.is_some());
    office.refuses(revoke(), Why::Conflict).await;
    let same = DirectoryKey { id: office.world.id(DirectoryKeyId::new), ..key };
    office.refuses(StaffEffect::AddDirectoryKey(same), Why::Duplicate(Unique::Other)).await;
}
