//! Telling a person of staff that a case waits for them. It goes by mail, to the address that two admins agreed on, and
//! says nothing of the case: whoever reads the mailbox learns that there is one, and no more.

use serde::{Deserialize, Serialize};

use crate::domain::device::Blob;
use crate::domain::ids::{NoticeId, OverrideId, StaffId};
use crate::domain::override_request::transitions::{Event, Step};
use crate::domain::override_request::{OverrideRequest, State};
use crate::domain::time::Timestamp;

/// A person's own mail address. What two admins sign, and what the log keeps of it, has it in this form only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mailbox {
    pub masked: String,
    /// The address, encrypted with the person's id as context.
    pub sealed: Blob,
}

/// One notice to one drawn signer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaffNotice {
    pub id: NoticeId,
    pub staff: StaffId,
    pub case: OverrideId,
    pub created_at: Timestamp,
    /// The case's own end.
    pub useless_after: Timestamp,
}

/// Who is told of a step: the two who were drawn, and after a second draw those who weren't drawn before.
pub fn told_of(step: &Step) -> Vec<StaffId> {
    let case = &step.case;
    match step.event {
        Event::Asked => case.drawn.to_vec(),
        Event::Redrawn => {
            let before = |staff: &StaffId| case.earlier.is_some_and(|earlier| earlier.contains(staff));
            case.drawn.into_iter().filter(|staff| !before(staff)).collect()
        }
        Event::Signed
        | Event::SignedTwice
        | Event::Told
        | Event::CarriedOut
        | Event::Refused
        | Event::Expired
        | Event::Stopped
        | Event::Unreachable
        | Event::Void => Vec::new(),
    }
}

/// Whether a case still waits for somebody, when their notice is about to go out.
pub fn still_waits(case: &OverrideRequest, staff: StaffId, now: Timestamp) -> bool {
    let open = matches!(case.state, State::Requested { .. });
    let signed = case.state.signatures().iter().any(|signature| signature.staff == staff);
    open && !signed && case.drawn.contains(&staff) && now < case.expires_at
}
