//! GET /a/{approval}: the device page, by state. Reading changes nothing.

use actix_web::{HttpResponse, web};

use super::failure::{PageError, html};
use super::named;
use super::present::{self, Viewer};
use super::seen::Seen;
use crate::domain::approval::transitions::Refusal;
use crate::domain::approval::{Approval, State};
use crate::domain::device::Device;
use crate::domain::time::Timestamp;
use crate::service::prompt::{self, DevicePage};
use crate::service::{Context, Error};
use crate::web::pages::Template;
use crate::web::pages::clocktext::Timed;
use crate::web::pages::device::{ApprovePage, CoolingPage};
use crate::web::pages::ends::EndPage;
use crate::web::pages::given::Given;
use crate::web::pages::live::{Deadline, HoldClock, Live};
use crate::web::pages::undecidable::{OtherDevice, Undecidable, UndecidablePage};

pub async fn show(cx: web::Data<Context>, path: web::Path<String>, seen: Seen) -> Result<HttpResponse, PageError> {
    let id = named(&path)?;
    let page = prompt::page(&cx, &seen.browser, id).await?;
    let now = cx.now();
    let text = render(&cx, &page, now)?;
    Ok(html(text))
}

fn render(cx: &Context, page: &DevicePage, now: Timestamp) -> Result<String, PageError> {
    let approval = &page.approval;
    let frame = present::frame(cx);
    let live = Live::device(&approval.id.to_string(), i64::from(approval.version), now.micros());
    let deal = present::deal(approval, now);
    let mut devices: Vec<Device> = page.others.clone();
    devices.push(page.device.clone());
    let viewer = Viewer { here: Some(page.device.body.id), devices: &devices };
    let deadline = Deadline::new(now.micros(), approval.expires_at.micros());
    let rendered = match (&approval.state, &page.may) {
        (State::Pending, Ok((_, hold))) if page.device.locked_at.is_none() => ApprovePage {
            frame,
            live,
            deal,
            deadline,
            hold: i64::try_from(hold.as_micros()).unwrap_or(i64::MAX),
            thumbprint: page.device.body.key.thumbprint().to_string(),
            page_token: page.page_token.clone(),
        }
        .render(),
        (State::Pending, Err(Refusal::TimeOver)) => over(approval, now, frame, live, deal).render(),
        (State::Pending, may) => UndecidablePage {
            frame,
            live,
            deal,
            deadline,
            reason: reason(*may, &page.device, now),
            others: others(approval, &page.others, now),
        }
        .render(),
        (State::Cooling { decision, cooling_until }, _) => {
            let clock = HoldClock::new(now.micros(), decision.approved_at.micros(), cooling_until.micros());
            let approved = viewer.approved(decision, now);
            CoolingPage::new(frame, live, deal, clock, &approved, &present::told(&page.notices, now)).render()
        }
        (
            State::Released { .. }
            | State::Redeemed { .. }
            | State::Rejected { .. }
            | State::Cancelled { .. }
            | State::Expired { .. },
            _,
        ) => {
            let outcome = viewer.outcome(approval, now).ok_or_else(|| Error::internal("an end without an outcome"))?;
            EndPage::new(frame, live, deal, outcome).render()
        }
    };
    Ok(rendered.map_err(Error::internal)?)
}

/// Its time is over, though the timer hasn't said so yet.
fn over(
    approval: &Approval,
    now: Timestamp,
    frame: crate::web::pages::frame::Frame,
    live: Live,
    deal: crate::web::pages::deal::Deal,
) -> EndPage {
    use crate::web::pages::outcome::{Lapse, Outcome};
    let outcome = Outcome::Expired {
        asked: present::at(now, approval.created_at),
        at: present::at(now, approval.expires_at),
        why: Lapse::Unanswered,
    };
    EndPage::new(frame, live, deal, outcome)
}

fn reason(
    may: Result<(crate::domain::approval::Distinct, std::time::Duration), Refusal>,
    device: &Device,
    now: Timestamp,
) -> Undecidable {
    match may {
        Err(Refusal::SameBrowser) => Undecidable::SameBrowser,
        Err(Refusal::DeviceTooNew) => Undecidable::TooNew {
            added: present::at(now, device.body.enrolled_at),
            from: present::at(now, device.body.usable_from),
        },
        Err(Refusal::Unproved) => Undecidable::Unproved,
        Err(Refusal::AssuranceTooLow) => Undecidable::NeedsDeviceBound,
        // Everything else that refuses a pending approval to its own holder's device is a lock.
        Ok(_) | Err(_) => Undecidable::Locked,
    }
}

fn others(approval: &Approval, devices: &[Device], now: Timestamp) -> Vec<OtherDevice> {
    let can = |device: &&Device| device.body.usable_from <= approval.created_at;
    let other = |device: &Device| OtherDevice {
        name: Given::new(device.body.name.as_str()),
        note: Timed::at("Added ", &present::at(now, device.body.enrolled_at)),
    };
    devices.iter().filter(can).map(other).collect()
}
