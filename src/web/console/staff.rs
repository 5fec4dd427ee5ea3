//! Everybody, one person, and ending one.

use actix_web::{HttpResponse, web};
use serde_json::json;

use super::failure::PageError;
use super::signed_in::SignedIn;
use super::{change, present};
use crate::domain::details::Digest;
use crate::domain::ids::StaffId;
use crate::domain::staff::Staff;
use crate::domain::time::Timestamp;
use crate::service::staff::change::roster;
use crate::service::staff::end;
use crate::service::{Context, Error};
use crate::web::device::failure::{html, see};
use crate::web::pages::Template;
use crate::web::pages::clocktext::day;
use crate::web::pages::console::frame::Tab;
use crate::web::pages::console::staff::{PersonPage, PersonRow, StaffPage, Standing};
use crate::web::problem::Problem;

pub fn row(person: &Staff, now: Timestamp) -> PersonRow {
    let profile = &person.profile;
    PersonRow {
        id: person.id.to_string(),
        name: profile.name.to_string(),
        group: profile.group.to_string(),
        employer: profile.employer.to_string(),
        roles: profile.roles.to_string(),
        ends: day(now.micros(), profile.ends_at.micros()),
        standing: present::standing(person, now),
    }
}

pub async fn list(cx: web::Data<Context>, by: SignedIn) -> Result<HttpResponse, PageError> {
    let roster = roster(&cx, &by).await?;
    let now = cx.now();
    let mut people: Vec<PersonRow> = roster.people.iter().map(|person| row(person, now)).collect();
    people.sort_by_key(|person| matches!(person.standing, Standing::Ended(_)));
    let page = StaffPage {
        frame: present::frame(&cx, &by, Some(Tab::Staff)),
        version: version(&roster.people, &roster.changes)?,
        waiting: change::waiting(&roster, &by, now),
        announced: change::announced(&roster, now),
        people,
    };
    Ok(html(page.render().map_err(Error::internal)?))
}

/// What a page looks at to see whether it is still true.
pub async fn status(cx: web::Data<Context>, by: SignedIn) -> Result<HttpResponse, Problem> {
    let roster = roster(&cx, &by).await?;
    Ok(HttpResponse::Ok().json(json!({"version": version(&roster.people, &roster.changes)?})))
}

fn version(people: &[Staff], changes: &[crate::domain::staff::change::StaffChange]) -> Result<String, Error> {
    let people: Vec<_> = people.iter().map(|person| (person.id, person.version)).collect();
    let changes: Vec<_> = changes.iter().map(|change| (change.id, change.version)).collect();
    let text = serde_json::to_vec(&(people, changes)).map_err(Error::internal)?;
    Ok(Digest::of(&text).to_string())
}

pub async fn show(cx: web::Data<Context>, by: SignedIn, path: web::Path<String>) -> Result<HttpResponse, PageError> {
    let id: StaffId = path.parse().map_err(|_| Error::NotFound)?;
    let roster = roster(&cx, &by).await?;
    let person = roster.people.iter().find(|person| person.id == id).ok_or(Error::NotFound)?;
    let now = cx.now();
    let since =
        person.in_role_since.iter().map(|(role, since)| (role.as_str().to_owned(), present::at(now, *since))).collect();
    let page = PersonPage {
        frame: present::frame(&cx, &by, Some(Tab::Staff)),
        version: version(&roster.people, &roster.changes)?,
        person: row(person, now),
        since,
        user_name: person.profile.user_name.as_ref().map(|name| name.as_str().to_owned()),
        oneself: id == by.person.id,
        changes: change::about(&roster, id, &by, now),
    };
    Ok(html(page.render().map_err(Error::internal)?))
}

pub async fn end(cx: web::Data<Context>, by: SignedIn, path: web::Path<String>) -> Result<HttpResponse, PageError> {
    let id: StaffId = path.parse().map_err(|_| Error::NotFound)?;
    end::by_admin(&cx, &by, id).await?;
    Ok(see(&format!("/staff/{id}")))
}
