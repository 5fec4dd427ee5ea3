//! The cancel link. GET shows, masked, and never acts; POST stops. No sign-in and no script.

use actix_web::{HttpResponse, web};

use super::failure::{PageError, html, see};
use super::present;
use crate::domain::approval::transitions::Refusal;
use crate::domain::approval::{Approval, State};
use crate::domain::time::Timestamp;
use crate::service::{Context, Error, cancel, read};
use crate::web::pages::Template;
use crate::web::pages::cancel::{CancelOverPage, CancelPage, LinkEnd, Stoppable};
use crate::web::pages::live::Deadline;

pub async fn show(cx: web::Data<Context>, token: web::Path<String>) -> Result<HttpResponse, PageError> {
    let approval = read::by_cancel_link(&cx, &token).await?;
    let now = cx.now();
    let frame = present::frame(&cx);
    let deal = present::masked(&approval);
    let text = match face(&approval, now) {
        Face::Stoppable(stoppable) => CancelPage { frame, token: token.into_inner(), deal, stoppable }.render(),
        Face::Over(end) => CancelOverPage { frame, deal, end }.render(),
    };
    Ok(html(text.map_err(Error::internal)?))
}

pub async fn stop(cx: web::Data<Context>, token: web::Path<String>) -> Result<HttpResponse, PageError> {
    match cancel::by_link(&cx, &token).await {
        // Whatever end it has by now, the page behind the link says which.
        Ok(_) | Err(Error::Refused(Refusal::State(_) | Refusal::Redeemed { .. })) => Ok(see(&format!("/c/{token}"))),
        Err(error) => Err(error.into()),
    }
}

enum Face {
    Stoppable(Stoppable),
    Over(LinkEnd),
}

fn face(approval: &Approval, now: Timestamp) -> Face {
    let at = |when: Timestamp| present::at(now, when);
    match &approval.state {
        State::Pending => {
            Face::Stoppable(Stoppable::Pending(Deadline::new(now.micros(), approval.expires_at.micros())))
        }
        State::Cooling { cooling_until, .. } => Face::Stoppable(Stoppable::Cooling(at(*cooling_until))),
        State::Released { released_at, .. } => Face::Stoppable(Stoppable::Released(at(*released_at))),
        State::Redeemed { released_at, .. } => Face::Over(LinkEnd::TooLate(at(*released_at))),
        State::Rejected { at: when, .. } => Face::Over(LinkEnd::Rejected(at(*when))),
        State::Cancelled { at: when, .. } => Face::Over(LinkEnd::Stopped(at(*when))),
        State::Expired { at: when, .. } => Face::Over(LinkEnd::Expired(at(*when))),
    }
}
