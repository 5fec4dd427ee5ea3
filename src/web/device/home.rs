//! GET /: what needs the holder, what can still be stopped, what was lately.

use actix_web::{HttpResponse, web};

use super::failure::{PageError, html};
use super::lock;
use super::present;
use super::push::PushKey;
use super::seen::Seen;
use crate::domain::approval::State;
use crate::service::override_request::read::of_holder;
use crate::service::{Context, Error, read};
use crate::web::pages::Template;
use crate::web::pages::clocktext::day;
use crate::web::pages::home::{HomePage, HomeRow, Lock};
use crate::web::pages::live::Deadline;

pub async fn home(cx: web::Data<Context>, push: web::Data<PushKey>, seen: Seen) -> Result<HttpResponse, PageError> {
    let home = read::home(&cx, &seen.browser).await?;
    let holder = home.device.body.holder;
    let frozen = cx.store.freeze(holder).await.map_err(Error::from)?;
    let asked = of_holder(&cx, holder).await?;
    let now = cx.now();
    let mut page = HomePage {
        frame: present::frame(&cx),
        waiting: vec![],
        cooling: vec![],
        lately: vec![],
        lock: if frozen.is_some() { Lock::Locked } else { Lock::Open },
        overrides: asked.iter().map(|case| (case.id().to_string(), lock::what(case))).collect(),
        notices: push.notices(),
    };
    for approval in &home.approvals {
        let transfer = approval.details.transfer();
        let (id, payee) = (approval.id.to_string(), transfer.payee.name.as_str());
        let amount = present::amount(transfer);
        let stage = present::stage(&approval.state);
        let ended = match &approval.state {
            State::Pending => {
                let deadline = Deadline::new(now.micros(), approval.expires_at.micros());
                page.waiting.push(HomeRow::waiting(&id, payee, &amount, &deadline));
                continue;
            }
            State::Cooling { cooling_until, .. } => {
                page.cooling.push(HomeRow::cooling(&id, payee, &amount, &present::at(now, *cooling_until)));
                continue;
            }
            State::Released { released_at, .. } | State::Redeemed { released_at, .. } => *released_at,
            State::Rejected { at, .. } | State::Cancelled { at, .. } | State::Expired { at, .. } => *at,
        };
        let when = day(now.micros(), ended.micros());
        page.lately.push(HomeRow::past(&id, payee, &amount, stage, &when));
    }
    Ok(html(page.render().map_err(Error::internal)?))
}
