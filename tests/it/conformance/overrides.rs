//! What every record of override requests and freezes must do. The reads and the commits are of one store, so a case
//! gets both.

pub mod freezes;
pub mod releases;
pub mod steps;

use std::sync::Arc;

use countersign::domain::approval::{Actor, Approval, Decision, State as ApprovalState};
use countersign::domain::details::{Digest, Salt};
use countersign::domain::device::Blob;
use countersign::domain::freeze::{Freeze, FreezeReason, FreezeStep};
use countersign::domain::ids::{FreezeId, OverrideId, StaffId};
use countersign::domain::override_request::transitions::{Carry, Event, Signed, Step};
use countersign::domain::override_request::{Caps, Kind, OverrideRequest, Request, State};
use countersign::domain::staff::{Employer, EndReason, Group, Profile, Role, Staff};
use countersign::domain::text::Line;
use countersign::domain::{HolderId, Timestamp};
use countersign::ports::overrides::{Also, OverrideWrite};
use countersign::ports::staff::{PasskeyProof, StaffEffect};
use countersign::ports::store::Read;
use countersign::ports::{Effect, StaffStore, Store, StoreError};

use super::staff::{Office, profile};
use super::world::{HOUR, Why, World, why};

/// Makes one test per case for one adapter; `path` gives the store under both of its ports.
macro_rules! override_conformance {
    ($name:ident, $make:path) => {
        mod $name {
            $crate::conformance::overrides::override_conformance! { @cases $make;
                steps::a_request_reads_back_in_every_list,
                steps::what_lives_of_a_holder_comes_before_what_ended,
                steps::one_request_lives_for_one_target,
                steps::a_step_moves_from_the_version_that_was_read,
                steps::nobody_signs_twice_and_no_counter_stands_still,
                steps::a_signer_who_left_since_the_reading_signs_nothing,
                steps::a_first_signature_stops_counting_with_its_signer,
                steps::the_daily_caps_hold,
                steps::nothing_expires_before_its_time_by_the_stores_clock,
                steps::the_first_delivered_notice_of_its_hold_counts,
                steps::the_second_signature_starts_the_hold_of_the_transfer,
                steps::a_reset_removes_every_device_and_nothing_else_does,
                steps::what_a_removed_device_decided_is_neither_released_nor_redeemed,
                steps::an_unfreeze_ends_the_freeze_with_its_case,
                steps::a_signer_who_left_since_the_reading_carries_nothing_out,
                releases::what_two_signed_is_released_while_both_stand,
                releases::a_signer_who_left_since_the_reading_releases_nothing,
                releases::a_redeem_of_staff_needs_both_signers_and_keeps_its_receipt,
                releases::a_release_of_staff_keeps_every_other_condition,
                releases::of_an_ending_and_a_release_at_once_one_comes_first,
                freezes::a_freeze_reads_back_until_it_ends,
                freezes::one_freeze_holds_a_holder,
                freezes::a_freeze_moves_from_the_version_that_was_read,
                freezes::a_freeze_does_not_end_before_its_time_by_the_stores_clock,
                freezes::nothing_of_a_frozen_holder_opens_or_goes_on,
                freezes::one_of_staff_freezes_so_many_in_a_day,
                freezes::a_lift_needs_its_device_and_a_counter_that_rises,
            }
        }
    };
    (@cases $make:path; $($part:ident::$case:ident,)+) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            let ((store, staff), _alive) = $make().await;
            let desk = $crate::conformance::overrides::Desk::build(store, staff).await;
            $crate::conformance::overrides::$part::$case(desk).await;
        }
    )+};
}
pub(crate) use override_conformance;

/// An agent who asks, and the only two who can be drawn.
pub struct Desk {
    office: Office,
    agent: Staff,
    one: Staff,
    other: Staff,
}

impl Desk {
    pub async fn build(store: Arc<dyn Store>, staff: Arc<dyn StaffStore>) -> Self {
        let office = Office::build(store, staff).await;
        let agent = veteran(&office, "care", &[Role::Agent]).await;
        let one = veteran(&office, "risk", &[Role::Signer]).await;
        let other = veteran(&office, "fraud", &[Role::Signer]).await;
        Self { office, agent, one, other }
    }

    fn world(&self) -> &World {
        &self.office.world
    }

    fn holder(&self) -> HolderId {
        self.world().holder.id
    }

    /// By the store's own clock, now: a signature is worth something for two seconds only.
    async fn now(&self) -> Timestamp {
        self.world().store.now().await.unwrap()
    }

    fn request(&self, kind: Kind) -> Request {
        Request {
            id: self.world().id(OverrideId::new),
            holder: self.holder(),
            requester: self.agent.id,
            kind,
            reason: words("Customer lost her phone on the train, completes today."),
            disputed: Vec::new(),
            created_at: self.office.now(),
            nonce: Salt([7; 16]),
        }
    }

    fn asks(&self, kind: Kind) -> Step {
        let people = [self.agent.clone(), self.one.clone(), self.other.clone()];
        OverrideRequest::ask(self.request(kind), &self.agent, &people, [3; 16], self.office.now()).unwrap()
    }

    async fn asked(&self, kind: Kind) -> OverrideRequest {
        let step = self.asks(kind);
        let case = step.case.clone();
        self.apply(write(step, Also::Nothing)).await;
        case
    }

    /// The effect of this person's signature, and what it leads to.
    async fn signs(
        &self,
        case: &OverrideRequest,
        person: &Staff,
        signers: &[Staff],
        counter: u32,
    ) -> (OverrideWrite, Option<Carry>) {
        let credential_id = Blob(person.id.bytes().to_vec());
        let challenge = Digest::of(b"challenge");
        let checked = words("Called back on the number on file, the voice matched.");
        let signed = Signed { credential_id: credential_id.clone(), challenge, checked };
        let (step, carry) = case.clone().sign(person, signers, signed, self.now().await).unwrap();
        let proof = PasskeyProof { staff: person.id, credential_id, counter, role: Some(Role::Signer) };
        let write =
            OverrideWrite { step, caps: Caps::DEFAULT, proof: Some(proof), also: Also::Nothing, tell: Vec::new() };
        (write, carry)
    }

    /// Stores both signatures; the transfer's cooling-off begins where it is about one.
    async fn signed_twice(&self, case: &OverrideRequest) -> OverrideRequest {
        let counter = self.world().serial();
        let (first, _) = self.signs(case, &self.one, &[], counter).await;
        let case = first.step.case.clone();
        self.apply(Effect::Override(Box::new(first))).await;
        let (mut second, carry) = self.signs(&case, &self.other, std::slice::from_ref(&self.one), counter).await;
        if let Some(carry) = carry
            && let Some((id, _)) = carry.transfer()
        {
            let approval = self.world().store.approval(id).await.unwrap().unwrap();
            second.also = Also::Approval(Box::new(approval.approve_for_holder(&carry, self.now().await).unwrap()));
        }
        let case = second.step.case.clone();
        self.apply(Effect::Override(Box::new(second))).await;
        case
    }

    /// A case about a waiting transfer.
    async fn about_a_transfer(&self) -> (Approval, OverrideRequest) {
        let approval = self.world().opened().await;
        let kind = Kind::ApproveForHolder { approval: approval.id, digest: approval.digest() };
        (approval, self.asked(kind).await)
    }

    /// A transfer that two of staff approved long ago, so that its hold is over by any clock, and its case.
    async fn cooled(&self) -> (Approval, OverrideRequest) {
        let (approval, case) = self.about_a_transfer().await;
        let case = self.signed_twice(&case).await;
        let cooling = self.world().store.approval(approval.id).await.unwrap().unwrap();
        let ApprovalState::Cooling { decision, .. } = cooling.state.clone() else { panic!("{cooling:?}") };
        let decision = Decision { approved_at: self.office.now() - 30 * HOUR, ..decision };
        let state = ApprovalState::Cooling { decision, cooling_until: self.office.now() - HOUR };
        (self.world().put(&cooling, state).await, case)
    }

    /// The case in its own hold, which has been over for an hour.
    async fn held(&self, case: &OverrideRequest) -> OverrideRequest {
        let case = self.signed_twice(case).await;
        let State::Cooling { signatures, .. } = case.state.clone() else { panic!("{case:?}") };
        let now = self.office.now();
        let state = State::Cooling {
            signatures,
            since: now - 26 * HOUR,
            told: Some(self.world().told(25 * HOUR)),
            cooling_until: now - HOUR,
        };
        let next = OverrideRequest { version: case.version + 1, state, ..case.clone() };
        let guard = countersign::domain::approval::transitions::Guard::default();
        self.apply(write(
            Step { case: next.clone(), from: Some(case.version), guard, event: Event::Told },
            Also::Nothing,
        ))
        .await;
        next
    }

    /// Somebody leaves.
    fn leaves(&self, person: &Staff) -> Effect {
        let ended = person.ended(Actor::Service, EndReason::Admin, self.office.now()).unwrap();
        Effect::Staff(Box::new(StaffEffect::End { staff: Box::new(ended), from: person.version, by: None }))
    }

    fn freezes(&self, holder: HolderId, why: FreezeReason, by: Actor, at: Timestamp) -> FreezeStep {
        Freeze::begin(self.world().id(FreezeId::new), holder, why, by, at)
    }

    async fn frozen(&self, why: FreezeReason, at: Timestamp) -> Freeze {
        let step = self.freezes(self.holder(), why, Actor::Staff(self.agent.id), at);
        let freeze = step.freeze.clone();
        self.apply(freeze_of(step)).await;
        freeze
    }

    async fn apply(&self, effect: Effect) {
        self.world().apply(effect).await;
    }

    /// Refused for this reason, and nothing of it stored, its audit entry neither.
    async fn refuses(&self, effect: Effect, expected: Why) {
        let before = self.snapshot().await;
        let change = self.world().change(effect);
        let answer = self.world().store.commit(change.clone()).await;
        let refusal = why(answer.expect_err(&format!("it was stored: {:?}", change.effect)));
        assert_eq!(refusal, expected, "for {:?}", change.effect);
        assert_eq!(self.snapshot().await, before, "a refused change left a trace: {:?}", change.effect);
    }

    async fn snapshot(&self) -> Vec<String> {
        let (store, staff) = (&self.world().store, &self.office.staff);
        let mut seen = self.world().snapshot().await;
        seen.push(format!("{:?}", store.overrides(1000).await.unwrap()));
        seen.push(format!("{:?}", store.freeze(self.holder()).await.unwrap()));
        seen.push(format!("{:?}", store.freezes_unsettled(1000).await.unwrap()));
        seen.push(format!("{:?}", staff.everybody().await.unwrap()));
        for person in [&self.agent, &self.one, &self.other] {
            seen.push(format!("{:?}", staff.passkeys(person.id).await.unwrap()));
        }
        seen
    }

    async fn case(&self, id: OverrideId) -> OverrideRequest {
        self.world().store.override_request(id).await.unwrap().unwrap()
    }

    async fn state(&self, approval: &Approval) -> &'static str {
        self.world().store.approval(approval.id).await.unwrap().unwrap().state.name().as_str()
    }
}

/// Somebody in-house who has been in their roles for a month.
async fn veteran(office: &Office, group: &str, roles: &[Role]) -> Staff {
    let world = &office.world;
    let (group, employer) = (Group::parse(group).unwrap(), Employer::parse("in-house").unwrap());
    let since = office.now() - 720 * HOUR;
    let profile = Profile { group, employer, ..profile(world, roles) };
    office.joined_since(Staff::new(world.id(StaffId::new), profile, since), since).await
}

fn words(text: &str) -> countersign::domain::override_request::Words {
    Line::parse(text).unwrap()
}

fn write(step: Step, also: Also) -> Effect {
    Effect::Override(Box::new(OverrideWrite { step, caps: Caps::DEFAULT, proof: None, also, tell: Vec::new() }))
}

fn freeze_of(step: FreezeStep) -> Effect {
    Effect::Freeze { step: Box::new(step), proof: None }
}

/// Every row of a list, each of them believed.
fn all<T>(rows: Result<Vec<Read<T>>, StoreError>) -> Vec<T> {
    rows.unwrap().into_iter().collect::<Result<_, _>>().unwrap()
}
