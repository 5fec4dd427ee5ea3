//! The audit log for auditors: a page of entries, one entry with its proof, and the third-party report. The forms are
//! posted and lead to the address that shows what was asked for, so that one that is refused comes back as it was typed.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use std::time::Duration;
use url::form_urlencoded;

use super::failure::PageError;
use super::refused::{self, Typed};
use super::signed_in::SignedIn;
use super::{audit_page, present};
use crate::domain::audit::filter::{Filter, What};
use crate::domain::ids::ChangeId;
use crate::domain::report::Range;
use crate::domain::staff::Role;
use crate::domain::time::Timestamp;
use crate::service::audit::{Record, browse};
use crate::service::{Context, Error};
use crate::web::device::failure::{html, see};
use crate::web::extract::Form;
use crate::web::pages::Template;
use crate::web::pages::console::audit::{AuditPage, ReportPage};
use crate::web::pages::console::frame::Tab;
use crate::web::problem::Problem;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// How far back a report goes that was asked for without days.
const USUAL_DAYS: u32 = 30;
/// The longest range of a report on a page; the command line has no bound.
const MOST_DAYS: u32 = 366;

/// What is asked of the log. Empty is anything.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Asked {
    pub about: String,
    pub by: String,
    pub what: String,
    /// Days; the last one counts whole.
    pub from: String,
    pub to: String,
    /// The place where the page before ended.
    pub before: String,
}

impl Asked {
    pub fn fields(&self) -> [(&'static str, &str); 5] {
        [("about", &self.about), ("by", &self.by), ("what", &self.what), ("from", &self.from), ("to", &self.to)]
    }

    /// The address of what is asked for, from a place on.
    pub fn address(&self, before: Option<i64>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.fields().into_iter().filter(|(_, value)| !value.trim().is_empty()));
        if let Some(place) = before {
            query.append_pair("before", &place.to_string());
        }
        let query = query.finish();
        if query.is_empty() { "/audit".to_owned() } else { format!("/audit?{query}") }
    }

    fn read(&self) -> Result<(Filter, Option<i64>), Error> {
        let id = |field, text: &str| match text.trim() {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|error| Error::invalid(field, error)),
        };
        let what = match self.what.as_str() {
            "" => What::Everything,
            word => word.parse().map_err(|error| Error::invalid("what", error))?,
        };
        let to = day("to", &self.to)?.map(|to| to + DAY);
        let from = day("from", &self.from)?;
        if to.is_some_and(|to| from.is_some_and(|from| from >= to)) {
            return Err(Error::invalid("to", "must not lie before the first day"));
        }
        let before = match self.before.as_str() {
            "" => None,
            place => Some(place.parse().map_err(|_| Error::NotFound)?),
        };
        Ok((Filter { about: id("about", &self.about)?, by: id("by", &self.by)?, what, from, to }, before))
    }
}

/// The beginning of a day (UTC).
fn day(field: &'static str, text: &str) -> Result<Option<Timestamp>, Error> {
    match text.trim() {
        "" => Ok(None),
        text => {
            let at = Timestamp::parse_rfc3339(&format!("{text}T00:00:00Z"));
            at.map(Some).map_err(|_| Error::invalid(field, "should be a day, like 2026-11-21"))
        }
    }
}

pub async fn list(
    cx: web::Data<Context>,
    record: web::Data<Record>,
    by: SignedIn,
    asked: web::Query<Asked>,
) -> Result<HttpResponse, PageError> {
    let (filter, before) = asked.read()?;
    let page = browse::page(&cx, &record, &by, &filter, before).await?;
    Ok(html(audit_page::list(&cx, &by, &asked, &page).render().map_err(Error::internal)?))
}

/// Leads to the entries that are asked for.
pub async fn ask(cx: web::Data<Context>, by: SignedIn, asked: Form<Asked>) -> Result<HttpResponse, PageError> {
    by.needs(Role::Auditor)?;
    let problem = match asked.read() {
        Ok(_) => return Ok(see(&asked.address(None))),
        Err(error) => Problem::from(error),
    };
    let Some(back) = Typed::new("audit", &asked.fields()).refused(&problem) else { return Err(problem.into()) };
    let page = AuditPage {
        frame: present::frame(&cx, &by, Some(Tab::Audit)),
        asked: audit_page::asked(&asked),
        list: None,
        refused: Some(back),
    };
    Ok(refused::page(&problem, page.render().map_err(Error::internal)?))
}

pub async fn entry(
    cx: web::Data<Context>,
    record: web::Data<Record>,
    by: SignedIn,
    path: web::Path<String>,
) -> Result<HttpResponse, PageError> {
    let id: ChangeId = path.parse().map_err(|_| Error::NotFound)?;
    let shown = browse::entry(&cx, &record, &by, id).await?;
    Ok(html(audit_page::entry(&cx, &by, &shown).render().map_err(Error::internal)?))
}

/// The days of a report.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Days {
    from: String,
    to: String,
}

impl Days {
    fn fields(&self) -> [(&'static str, &str); 2] {
        [("from", &self.from), ("to", &self.to)]
    }

    /// Both days, the last one whole; without any the last thirty.
    fn read(&self, now: Timestamp) -> Result<Range, Error> {
        let today = day("to", &now.rfc3339().chars().take(10).collect::<String>())?.unwrap_or(now);
        let to = day("to", &self.to)?.unwrap_or(today) + DAY;
        let from = day("from", &self.from)?.unwrap_or_else(|| to - USUAL_DAYS * DAY);
        if from >= to {
            return Err(Error::invalid("to", "must not lie before the first day"));
        }
        if to.since(from) > MOST_DAYS * DAY {
            return Err(Error::invalid("from", "must not lie more than a year before the last day"));
        }
        Ok(Range { from, to })
    }
}

pub async fn report(
    cx: web::Data<Context>,
    record: web::Data<Record>,
    by: SignedIn,
    days: web::Query<Days>,
) -> Result<HttpResponse, PageError> {
    let range = days.read(cx.now())?;
    let report = browse::third_party(&cx, &record, &by, range).await?;
    let date = |at: Timestamp| at.rfc3339().chars().take(10).collect::<String>();
    let page = ReportPage {
        frame: present::frame(&cx, &by, Some(Tab::Report)),
        from: date(range.from),
        to: date(range.to - DAY),
        report: Some(report),
        refused: None,
    };
    Ok(html(page.render().map_err(Error::internal)?))
}

/// Leads to the report of these days.
pub async fn ask_report(cx: web::Data<Context>, by: SignedIn, days: Form<Days>) -> Result<HttpResponse, PageError> {
    by.needs(Role::Auditor)?;
    let problem = match days.read(cx.now()) {
        Ok(_) => {
            let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(days.fields()).finish();
            return Ok(see(&format!("/report?{query}")));
        }
        Err(error) => Problem::from(error),
    };
    let Some(back) = Typed::new("report", &days.fields()).refused(&problem) else { return Err(problem.into()) };
    let frame = present::frame(&cx, &by, Some(Tab::Report));
    let page = ReportPage { frame, from: days.from.clone(), to: days.to.clone(), report: None, refused: Some(back) };
    Ok(refused::page(&problem, page.render().map_err(Error::internal)?))
}
