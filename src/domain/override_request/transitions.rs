//! Every step of an override request, as a pure function. What carries one out is a [`Carry`], which only this module
//! can make: the approval, the freeze and the record ask for one, so that there is no other path.

pub use super::event::Event;

use super::draw::{self, Lot};
use super::{Kind, OverrideRequest, Refusal, Request, SIGN_WITHIN, Signature, State, TOLD_WITHIN, VoidReason, Words};
use crate::domain::approval::transitions::{Guard, MAX_SKEW};
use crate::domain::approval::{Actor, Told, Version};
use crate::domain::details::Digest;
use crate::domain::device::Blob;
use crate::domain::ids::{ApprovalId, FreezeId, HolderId, OverrideId, StaffId};
use crate::domain::staff::{Role, Staff, eligible};
use crate::domain::time::Timestamp;

/// A step that the rules allow. It takes effect only when it is stored by compare-and-set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub case: OverrideRequest,
    /// The version that the record must still have; nothing for a new one.
    pub from: Option<Version>,
    pub guard: Guard,
    pub event: Event,
}

/// Two signatures whose time has come. Made here and nowhere else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carry {
    request: Request,
    digest: Digest,
    signers: [StaffId; 2],
    not_before: Option<Timestamp>,
}

/// What a signer did on their passkey, verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    pub credential_id: Blob,
    pub challenge: Digest,
    pub checked: Words,
}

/// What a worker finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Due {
    /// A step to store, and what it carries out.
    Now(Box<Step>, Option<Box<Carry>>),
    /// Nothing yet.
    Later,
}

impl Step {
    /// A new request with the draw that stands, if one does, instead of its own.
    #[must_use]
    pub fn with_draw(mut self, stands: Option<draw::Stands>) -> Self {
        if let Some(draw::Stands { drawn, earlier }) = stands {
            self.case.drawn = drawn;
            self.case.earlier = earlier;
        }
        self
    }
}

impl Carry {
    pub const fn id(&self) -> OverrideId {
        self.request.id
    }

    pub const fn holder(&self) -> HolderId {
        self.request.holder
    }

    pub const fn kind(&self) -> Kind {
        self.request.kind
    }

    pub const fn signers(&self) -> [StaffId; 2] {
        self.signers
    }

    /// SHA-256 of the canonical request that both signed.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The hold that a transfer's cooling-off gets at least; the transfer's own terms may demand a longer one.
    pub fn hold(&self) -> std::time::Duration {
        self.request.hold()
    }

    /// What the database's clock must have passed, where the override itself cooled off.
    pub const fn not_before(&self) -> Option<Timestamp> {
        self.not_before
    }

    /// The transfer and the digest that may be approved with it.
    pub const fn transfer(&self) -> Option<(ApprovalId, Digest)> {
        match self.request.kind {
            Kind::ApproveForHolder { approval, digest } => Some((approval, digest)),
            Kind::Unfreeze { .. } | Kind::ResetDevices => None,
        }
    }

    /// The freeze that may be ended with it.
    pub const fn freeze(&self) -> Option<FreezeId> {
        match self.request.kind {
            Kind::Unfreeze { freeze } => Some(freeze),
            Kind::ApproveForHolder { .. } | Kind::ResetDevices => None,
        }
    }

    /// The holder whose devices may be reset with it.
    pub const fn devices_of(&self) -> Option<HolderId> {
        match self.request.kind {
            Kind::ResetDevices => Some(self.request.holder),
            Kind::ApproveForHolder { .. } | Kind::Unfreeze { .. } => None,
        }
    }

    fn of(request: &Request, signatures: &[Signature; 2], not_before: Option<Timestamp>) -> Option<Self> {
        let digest = request.digest().ok()?;
        let signers = [signatures[0].staff, signatures[1].staff];
        Some(Self { request: request.clone(), digest, signers, not_before })
    }
}

impl OverrideRequest {
    /// Asks: two signers are drawn from `people`.
    ///
    /// # Errors
    /// [`Refusal::MayNotAsk`], [`Refusal::TooFewWords`], [`Refusal::NobodyToDraw`].
    pub fn ask(request: Request, by: &Staff, people: &[Staff], lot: Lot, now: Timestamp) -> Result<Step, Refusal> {
        let may = by.may(Role::Agent, now) || by.may(Role::Signer, now);
        if by.id != request.requester || !may || by.profile.is(request.holder) {
            return Err(Refusal::MayNotAsk);
        }
        super::enough(&request.reason)?;
        let drawn = draw::draw(&draw::strangers(people, request.holder), request.requester, None, &[], lot, now)?;
        let expires_at = request.created_at + SIGN_WITHIN;
        let case =
            Self { version: 1, request, drawn, earlier: None, expires_at, state: State::Requested { first: None } };
        Ok(Step { case, from: None, guard: Guard::default(), event: Event::Asked })
    }

    fn next(self, state: State, event: Event, guard: Guard) -> Step {
        let from = self.version;
        Step { case: Self { version: from + 1, state, ..self }, from: Some(from), guard, event }
    }

    fn requested(&self, now: Timestamp) -> Result<Option<&Signature>, Refusal> {
        match &self.state {
            State::Requested { first } if now < self.expires_at => Ok(first.as_ref()),
            State::Requested { .. } => Err(Refusal::TimeOver),
            other => Err(Refusal::State(other.name())),
        }
    }

    /// Draws once more, when somebody who was drawn can't or won't. Nobody who was drawn before is drawn again; who has
    /// signed stays.
    ///
    /// # Errors
    /// [`Refusal::RedrawnAlready`] the second time, [`Refusal::NobodyToDraw`], and as for signing.
    pub fn redraw(mut self, people: &[Staff], lot: Lot, now: Timestamp) -> Result<Step, Refusal> {
        let keep = self.requested(now)?.map(|first| first.staff);
        if self.earlier.is_some() {
            return Err(Refusal::RedrawnAlready);
        }
        let without: Vec<StaffId> = self.drawn.into_iter().filter(|id| Some(*id) != keep).collect();
        let drawn = draw::draw(
            &draw::strangers(people, self.request.holder),
            self.request.requester,
            keep,
            &without,
            lot,
            now,
        )?;
        self.earlier = Some(std::mem::replace(&mut self.drawn, drawn));
        let state = self.state.clone();
        Ok(self.next(state, Event::Redrawn, Guard::default()))
    }

    fn eligible(&self, person: &Staff, now: Timestamp) -> Result<(), eligible::Ineligible> {
        eligible::signer_about(person, self.request.requester, self.request.holder, now)
    }

    /// Whether this person could sign now, beside whom who signed before. Asked when the page is shown, when a prompt is
    /// made, and again when the signature is stored. `signers` are the people who have signed, as they are now.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn may_sign(&self, person: &Staff, signers: &[Staff], now: Timestamp) -> Result<(), Refusal> {
        let first = self.requested(now)?;
        self.eligible(person, now)?;
        if first.is_some_and(|first| first.staff == person.id) {
            return Err(Refusal::SignedAlready);
        }
        if !self.drawn.contains(&person.id) {
            return Err(Refusal::NotDrawn);
        }
        if let Some(first) = first {
            let other = signers.iter().find(|known| known.id == first.staff);
            let other = other.ok_or(Refusal::NotDrawn)?;
            draw::fit(other, person)?;
        }
        Ok(())
    }

    /// One of the two drawn signs. The second signature starts the hold of the override itself, or carries out at once
    /// what has a hold of its own: a transfer's approval.
    ///
    /// # Errors
    /// As [`OverrideRequest::may_sign`].
    pub fn sign(
        self,
        person: &Staff,
        signers: &[Staff],
        signed: Signed,
        now: Timestamp,
    ) -> Result<(Step, Option<Carry>), Refusal> {
        self.may_sign(person, signers, now)?;
        let signature = Signature {
            staff: person.id,
            group: person.profile.group.clone(),
            employer: person.profile.employer.clone(),
            credential_id: signed.credential_id,
            challenge: signed.challenge,
            checked: signed.checked,
            at: now,
        };
        super::enough(&signature.checked)?;
        // A slow node's clock would end the hold early; the database refuses it.
        let guard = Guard { not_before: None, before: Some(self.expires_at.min(now + MAX_SKEW)) };
        let first = match &self.state {
            State::Requested { first } => first.clone(),
            other => return Err(Refusal::State(other.name())),
        };
        let Some(first) = first else {
            return Ok((self.next(State::Requested { first: Some(signature) }, Event::Signed, guard), None));
        };
        if !self.stands(&first, signers, now) {
            let why = VoidReason::SignerGone;
            return Ok((self.next(State::Void { why, at: now }, Event::Void, Guard::default()), None));
        }
        let signatures = [first, signature];
        let carry = match self.request.kind {
            Kind::ApproveForHolder { .. } => Carry::of(&self.request, &signatures, None),
            Kind::Unfreeze { .. } | Kind::ResetDevices => None,
        };
        let state = match carry {
            Some(_) => State::CarriedOut { signatures, told: None, at: now },
            None => State::Cooling { signatures, since: now, told: None, cooling_until: now + self.request.hold() },
        };
        Ok((self.next(state, Event::SignedTwice, guard), carry))
    }

    /// Whether a signature still counts: its person may sign today, in the group and for the employer of that day.
    fn stands(&self, signature: &Signature, people: &[Staff], now: Timestamp) -> bool {
        people.iter().find(|person| person.id == signature.staff).is_some_and(|person| {
            self.eligible(person, now).is_ok()
                && person.profile.group == signature.group
                && person.profile.employer == signature.employer
        })
    }

    /// Whether every signature so far counts. Of a carried-out one too: what it started may still be in its hold.
    pub fn signatures_stand(&self, people: &[Staff], now: Timestamp) -> bool {
        self.state.signatures().iter().all(|signature| self.stands(signature, people, now))
    }

    /// One of the two drawn refuses, which ends it.
    ///
    /// # Errors
    /// [`Refusal::NotDrawn`], and as for signing.
    pub fn refuse(self, person: &Staff, why: Words, now: Timestamp) -> Result<Step, Refusal> {
        self.requested(now)?;
        self.eligible(person, now)?;
        if !self.drawn.contains(&person.id) {
            return Err(Refusal::NotDrawn);
        }
        super::enough(&why)?;
        Ok(self.next(State::Refused { by: person.id, why, at: now }, Event::Refused, Guard::default()))
    }

    /// The holder, or anybody of staff, stops it. One tap, no ceremony: tightening is instant.
    ///
    /// # Errors
    /// [`Refusal::State`] when it is over.
    pub fn stop(self, by: Actor, now: Timestamp) -> Result<Step, Refusal> {
        match &self.state {
            State::Requested { .. } | State::Cooling { .. } => {
                Ok(self.next(State::Stopped { by, at: now }, Event::Stopped, Guard::default()))
            }
            other => Err(Refusal::State(other.name())),
        }
    }

    /// What it was about is gone, or a signer is.
    ///
    /// # Errors
    /// [`Refusal::State`] when it is over.
    pub fn void(self, why: VoidReason, now: Timestamp) -> Result<Step, Refusal> {
        match &self.state {
            State::Requested { .. } | State::Cooling { .. } => {
                Ok(self.next(State::Void { why, at: now }, Event::Void, Guard::default()))
            }
            other => Err(Refusal::State(other.name())),
        }
    }

    /// What a worker has to do now. `people` are the signers as they are now; `told` is the first notice that counts.
    pub fn fall_due(self, people: &[Staff], told: Option<Told>, now: Timestamp) -> Due {
        let step = |step: Step| Due::Now(Box::new(step), None);
        if matches!(self.state, State::Requested { .. } | State::Cooling { .. }) && !self.signatures_stand(people, now)
        {
            let state = State::Void { why: VoidReason::SignerGone, at: now };
            return step(self.next(state, Event::Void, Guard::default()));
        }
        match self.state.clone() {
            State::Requested { .. } if now >= self.expires_at => {
                let guard = Guard { not_before: Some(self.expires_at), before: None };
                step(self.next(State::Expired { at: now }, Event::Expired, guard))
            }
            State::Cooling { signatures, since, told: known, cooling_until } => {
                let told_until = since + TOLD_WITHIN;
                match told.filter(|told| told.delivered_at >= since && told.delivered_at <= told_until) {
                    // A notice that bounced after all is no notice: whatever counts now decides.
                    Some(told) if known.as_ref() != Some(&told) => {
                        let cooling_until = cooling_until.max(told.delivered_at + self.request.hold());
                        let state = State::Cooling { signatures, since, told: Some(told), cooling_until };
                        step(self.next(state, Event::Told, Guard::default()))
                    }
                    Some(told) if now >= cooling_until => {
                        let guard = Guard { not_before: Some(cooling_until), before: None };
                        let carry = Carry::of(&self.request, &signatures, Some(cooling_until));
                        let state = State::CarriedOut { signatures, told: Some(told), at: now };
                        match carry {
                            Some(carry) => {
                                Due::Now(Box::new(self.next(state, Event::CarriedOut, guard)), Some(Box::new(carry)))
                            }
                            None => Due::Later,
                        }
                    }
                    None if now >= told_until => {
                        let guard = Guard { not_before: Some(told_until), before: None };
                        step(self.next(State::Unreachable { at: now }, Event::Unreachable, guard))
                    }
                    Some(_) | None => Due::Later,
                }
            }
            _ => Due::Later,
        }
    }
}
