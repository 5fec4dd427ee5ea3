//! What every record of staff must do. The reads and the commits are of one store, so a case gets both.

pub mod cases;

use std::sync::Arc;

use countersign::domain::Timestamp;
use countersign::domain::details::Digest;
use countersign::domain::device::Blob;
use countersign::domain::ids::{InviteId, SessionId, StaffChangeId, StaffId, ViewId};
use countersign::domain::policy::Assurance;
use countersign::domain::staff::change::{CHANGE_LIFE, ChangeState, Proposal, StaffChange};
use countersign::domain::staff::invite::{INVITE_LIFE, Invite, Origin};
use countersign::domain::staff::passkey::{Passkey, PasskeyBody};
use countersign::domain::staff::session::Session;
use countersign::domain::staff::view::{Seen, View};
use countersign::domain::staff::{Employer, Group, Profile, Role, Roles, Staff, UserName};
use countersign::domain::text::{Line, Token};
use countersign::ports::staff::{Acting, PasskeyProof, StaffEffect};
use countersign::ports::{Effect, StaffStore, Store};

use super::world::{HOUR, MINUTE, Why, World, why};

/// Makes one test per case for one adapter; `path` gives the store under both of its ports.
macro_rules! staff_conformance {
    ($name:ident, $make:path) => {
        mod $name {
            $crate::conformance::staff::staff_conformance! { @cases $make;
                a_person_reads_back_under_every_name,
                names_at_the_provider_belong_to_one_person,
                a_founding_invite_is_worth_nothing_once_two_admins_have_been,
                an_invite_is_spent_once_and_in_its_time,
                codes_are_counted_from_what_was_read,
                a_session_is_made_once_from_one_challenge,
                a_passkeys_counter_must_rise,
                ending_takes_sessions_and_invites_along,
                whoever_was_ended_or_lacks_the_role_acts_no_more,
                a_change_is_carried_out_with_its_last_signature,
                a_change_moves_from_the_version_that_was_read,
                looks_are_counted_and_capped,
                nobody_looks_at_themself,
                of_many_looks_at_once_no_more_than_the_cap_are_stored,
                a_directory_key_is_revoked_once,
            }
        }
    };
    (@cases $make:path; $($case:ident,)+) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            let ((store, staff), _alive) = $make().await;
            $crate::conformance::staff::cases::$case($crate::conformance::staff::Office::build(store, staff).await).await;
        }
    )+};
}
pub(crate) use staff_conformance;

/// Both ports of one store, with an admin who has a passkey.
pub struct Office {
    pub world: World,
    pub staff: Arc<dyn StaffStore>,
    admin: Staff,
}

impl Office {
    pub async fn build(store: Arc<dyn Store>, staff: Arc<dyn StaffStore>) -> Self {
        let world = World::build(store).await;
        let mut office = Self {
            staff,
            admin: Staff::new(world.id(StaffId::new), profile(&world, &[Role::Admin]), world.now),
            world,
        };
        office.admin = office.joined(office.admin.clone()).await;
        office
    }

    pub fn now(&self) -> Timestamp {
        self.world.now
    }

    async fn apply(&self, effect: StaffEffect) {
        self.world.apply(Effect::Staff(Box::new(effect))).await;
    }

    /// Refused for this reason, and nothing of it stored, its audit entry neither.
    #[track_caller]
    fn refuses(&self, effect: StaffEffect, expected: Why) -> impl Future<Output = ()> + '_ {
        let place = std::panic::Location::caller();
        async move {
            let before = self.snapshot().await;
            let answer = self.world.store.commit(self.world.change(Effect::Staff(Box::new(effect)))).await;
            assert_eq!(why(answer.expect_err(&format!("it was stored, at {place}"))), expected, "at {place}");
            assert_eq!(self.snapshot().await, before, "a refused change left a trace, at {place}");
        }
    }

    async fn snapshot(&self) -> String {
        let staff = &self.staff;
        format!(
            "{:?} {:?} {:?} {:?} {:?} {:?}",
            self.world.store.audit_page(None, 10_000).await.unwrap(),
            staff.everybody().await.unwrap(),
            staff.open_invites().await.unwrap(),
            staff.changes(1000).await.unwrap(),
            staff.views_of_holder(self.world.holder.id, 1000).await.unwrap(),
            staff.directory_keys().await.unwrap(),
        )
    }

    fn invite(&self, person: &Staff, origin: Origin) -> Invite {
        let id = self.world.id(InviteId::new);
        Invite {
            id,
            staff: person.id,
            origin,
            token_hash: Digest::of(id.bytes()),
            created_at: self.now(),
            opens_at: self.now() - MINUTE,
            expires_at: self.now() + INVITE_LIFE,
            tries: 0,
            ended_at: None,
        }
    }

    fn person(&self, roles: &[Role]) -> Staff {
        Staff::new(self.world.id(StaffId::new), profile(&self.world, roles), self.now())
    }

    fn passkey(&self, person: &Staff) -> Passkey {
        let body = PasskeyBody {
            staff: person.id,
            credential_id: Blob(person.id.bytes().to_vec()),
            credential: serde_json::json!({"key": 1}),
            assurance: Assurance::DeviceBound,
            created_at: self.now(),
        };
        Passkey { body, counter: 1 }
    }

    async fn invited(&self, person: &Staff, origin: Origin) -> Invite {
        let invite = self.invite(person, origin);
        self.apply(StaffEffect::Add { staff: Box::new(person.clone()), invite: invite.clone() }).await;
        invite
    }

    fn enrols(&self, invite: &Invite, person: &Staff) -> StaffEffect {
        StaffEffect::Enrol {
            invite: invite.id,
            staff: Box::new(person.enrolled(self.now())),
            from: person.version,
            passkey: self.passkey(person),
        }
    }

    /// A stored person with a passkey, whose counter is 1.
    async fn joined(&self, person: Staff) -> Staff {
        let now = self.now();
        self.joined_since(person, now).await
    }

    /// The same, who made it then.
    pub async fn joined_since(&self, person: Staff, since: Timestamp) -> Staff {
        let invite = self.invited(&person, Origin::Host).await;
        let staff = Box::new(person.enrolled(since));
        let passkey = self.passkey(&person);
        self.apply(StaffEffect::Enrol { invite: invite.id, staff, from: person.version, passkey }).await;
        self.staff.person(person.id).await.unwrap().unwrap()
    }

    fn proof(&self, person: &Staff, counter: u32, role: Option<Role>) -> PasskeyProof {
        PasskeyProof { staff: person.id, credential_id: Blob(person.id.bytes().to_vec()), counter, role }
    }

    fn session(&self, person: &Staff) -> Session {
        let id = self.world.id(SessionId::new);
        Session {
            id,
            staff: person.id,
            token_hash: Digest::of(id.bytes()),
            challenge: Digest::of(&[id.bytes().as_slice(), b"challenge"].concat()),
            created_at: self.now(),
            seen_at: self.now(),
            ended_at: None,
        }
    }

    fn change(&self, proposal: Proposal, by: &Staff) -> StaffChange {
        let change = StaffChange {
            id: self.world.id(StaffChangeId::new),
            version: 1,
            proposal,
            reason: Line::parse("joins the night shift").unwrap(),
            proposed_by: by.id,
            created_at: self.now(),
            expires_at: self.now() + CHANGE_LIFE,
            nonce: Blob(vec![7; 16]),
            signatures: Vec::new(),
            state: ChangeState::Waiting,
        };
        change.signed(by, Digest::of(b"first"), &[], self.now()).unwrap()
    }

    fn view(&self, person: &Staff, seen: Seen) -> StaffEffect {
        let view = View {
            id: self.world.id(ViewId::new),
            staff: person.id,
            holder: self.world.holder.id,
            at: self.now(),
            seen,
            reason: Line::parse("a call").unwrap(),
            roles: person.profile.roles,
            employer: person.profile.employer.clone(),
        };
        StaffEffect::Look { view, by: Acting { staff: person.id, role: Role::Agent } }
    }
}

pub fn profile(world: &World, roles: &[Role]) -> Profile {
    let serial = world.serial();
    Profile {
        name: Line::parse("Mara Lind").unwrap(),
        group: Group::parse("care").unwrap(),
        employer: Employer::parse("Teleplus").unwrap(),
        roles: Roles::of(roles).unwrap(),
        ends_at: world.now + 8760 * HOUR,
        user_name: Some(UserName::parse(&format!("mara-{serial}@harbour.example")).unwrap()),
        external_id: Some(Token::parse(&format!("00u-{serial}")).unwrap()),
        own_holders: Vec::new(),
        mail: None,
    }
}
