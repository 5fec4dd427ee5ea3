//! Adding and changing staff: the form, the proposal, and the signatures.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::json;

use super::failure::PageError;
use super::present;
use super::signed_in::SignedIn;
use crate::domain::channel::Address;
use crate::domain::ids::{HolderId, StaffChangeId, StaffId};
use crate::domain::staff::change::{ChangeState, Proposal, StaffChange};
use crate::domain::staff::{
    Employer, Group, MAX_OWN_HOLDERS, Profile, Reason, Role, Roles, Staff, StaffName, UserName,
};
use crate::domain::text::Token;
use crate::domain::time::Timestamp;
use crate::service::staff::change::{self, Draft, Mail, Roster};
use crate::service::{Context, Error};
use crate::web::device::failure::{html, see};
use crate::web::extract::Json;
use crate::web::pages::Template;
use crate::web::pages::console::frame::Tab;
use crate::web::pages::console::staff::{ChangePage, ChangeRow, FormPage, FormValues, MaySign, Progress, Side};
use crate::web::problem::{FieldError, Problem};
use crate::web::steps::{Signed, prompted};

fn name_of(people: &[Staff], id: StaffId) -> String {
    people.iter().find(|person| person.id == id).map_or_else(|| id.to_string(), |p| p.profile.name.to_string())
}

fn line(change: &StaffChange, people: &[Staff], by: &SignedIn, now: Timestamp) -> ChangeRow {
    let what = match &change.proposal {
        Proposal::Add { profile, .. } => format!("Add {}", profile.name),
        Proposal::Change { before, .. } => format!("Change {}", before.name),
    };
    let progress = match change.state {
        ChangeState::Done { at } => Progress::Done(present::at(now, at)),
        ChangeState::Refused { at, .. } => Progress::Refused(present::at(now, at)),
        ChangeState::Waiting if now >= change.expires_at => Progress::Expired,
        ChangeState::Waiting if change.may_sign(&by.person, now).is_ok() => Progress::NeedsMe,
        ChangeState::Waiting => Progress::Waits,
    };
    ChangeRow {
        id: change.id.to_string(),
        what,
        by: name_of(people, change.proposed_by),
        signed: change.signatures.len(),
        until: present::at(now, change.expires_at),
        progress,
    }
}

/// What waits for signatures, those that this person can give first.
pub fn waiting(roster: &Roster, by: &SignedIn, now: Timestamp) -> Vec<ChangeRow> {
    let open = roster.changes.iter().filter(|change| change.is_open(now));
    let mut rows: Vec<ChangeRow> = open.map(|change| line(change, &roster.people, by, now)).collect();
    rows.sort_by_key(|row| row.progress != Progress::NeedsMe);
    rows
}

/// The changes of one person.
pub fn about(roster: &Roster, id: StaffId, by: &SignedIn, now: Timestamp) -> Vec<ChangeRow> {
    let theirs = roster.changes.iter().filter(|change| change.proposal.staff() == id);
    theirs.map(|change| line(change, &roster.people, by, now)).collect()
}

/// Invites from the host, which every admin must see: (staff id, name, when it opens).
pub fn announced(roster: &Roster, now: Timestamp) -> Vec<(String, String, String)> {
    let announced = roster.from_host.iter();
    let row = |(_, staff, opens_at): &(_, StaffId, Timestamp)| {
        (staff.to_string(), name_of(&roster.people, *staff), present::at(now, *opens_at).to_string())
    };
    announced.map(row).collect()
}

fn date(at: Timestamp) -> String {
    at.rfc3339().chars().take(10).collect()
}

fn values(profile: &Profile) -> FormValues {
    FormValues {
        name: profile.name.to_string(),
        group: profile.group.to_string(),
        employer: profile.employer.to_string(),
        roles: profile.roles.iter().map(|role| role.as_str()).collect(),
        ends: date(profile.ends_at),
        user_name: profile.user_name.as_ref().map(|name| name.as_str().to_owned()).unwrap_or_default(),
        own_holders: profile.own_holders.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
        mail: profile.mail.as_ref().map(|mail| mail.masked.clone()).unwrap_or_default(),
    }
}

pub async fn add(cx: web::Data<Context>, by: SignedIn) -> Result<HttpResponse, PageError> {
    by.needs(Role::Admin)?;
    let frame = present::frame(&cx, &by, Some(Tab::Staff));
    let page = FormPage { frame, staff: None, values: FormValues::default() };
    Ok(html(page.render().map_err(Error::internal)?))
}

pub async fn edit(cx: web::Data<Context>, by: SignedIn, path: web::Path<String>) -> Result<HttpResponse, PageError> {
    by.needs(Role::Admin)?;
    let id: StaffId = path.parse().map_err(|_| Error::NotFound)?;
    let person = cx.staff.person(id).await.map_err(Error::from)?.ok_or(Error::NotFound)?;
    let frame = present::frame(&cx, &by, Some(Tab::Staff));
    let page = FormPage { frame, staff: Some(id.to_string()), values: values(&person.profile) };
    Ok(html(page.render().map_err(Error::internal)?))
}

/// The form as its script sends it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Form {
    /// Whom it changes; nobody for somebody new.
    staff: Option<String>,
    name: String,
    group: String,
    employer: String,
    roles: Vec<String>,
    /// A date, whose whole day counts, or a moment.
    ends: String,
    #[serde(default)]
    user_name: String,
    #[serde(default)]
    external_id: String,
    /// Ids of holders, with spaces between them.
    #[serde(default)]
    own_holders: String,
    /// Where the person is told that a case waits; empty leaves it as it is.
    #[serde(default)]
    mail: String,
    /// Ticked: the address that is there is taken away.
    #[serde(default)]
    no_mail: Vec<NoMail>,
    reason: String,
}

/// The one value of the check box.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum NoMail {
    Remove,
}

/// Collects everything that is wrong with a form.
#[derive(Default)]
struct Faults(Vec<FieldError>);

impl Faults {
    fn take<T, E: std::fmt::Display>(&mut self, field: &str, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.0.push(FieldError { field: field.to_owned(), message: error.to_string() })).ok()
    }
}

impl Form {
    fn read(&self) -> Result<(Profile, Mail, Reason), Problem> {
        let mut faults = Faults::default();
        let name = faults.take("name", StaffName::parse(self.name.trim()));
        let group = faults.take("group", Group::parse(self.group.trim()));
        let employer = faults.take("employer", Employer::parse(self.employer.trim()));
        let roles: Result<Vec<Role>, _> = self.roles.iter().map(|role| role.parse()).collect();
        let roles = faults.take("roles", roles.and_then(|roles| Roles::of(&roles)));
        let ends = self.ends.trim();
        let whole = if ends.len() == 10 { format!("{ends}T23:59:59Z") } else { ends.to_owned() };
        let ends_at = faults.take("ends", Timestamp::parse_rfc3339(&whole));
        let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let user_name = given(&self.user_name).map(|name| faults.take("user_name", UserName::parse(&name)));
        let external_id = given(&self.external_id).map(|id| faults.take("external_id", Token::parse(&id)));
        let own: Result<Vec<HolderId>, _> = self.own_holders.split_whitespace().map(str::parse).collect();
        let own_holders = faults.take("own_holders", own).unwrap_or_default();
        if own_holders.len() > MAX_OWN_HOLDERS {
            faults.take::<(), _>("own_holders", Err("are too many"));
        }
        let mail = match (given(&self.mail), self.no_mail.first()) {
            (Some(text), None) => faults.take("mail", Address::email(&text)).map_or(Mail::Keep, Mail::Set),
            (None, Some(NoMail::Remove)) => Mail::Remove,
            (None, None) => Mail::Keep,
            (Some(_), Some(NoMail::Remove)) => {
                faults.take::<(), _>("mail", Err("can't be given and taken away at once"));
                Mail::Keep
            }
        };
        let reason = faults.take("reason", Reason::parse(self.reason.trim()));
        match (name, group, employer, roles, ends_at, reason) {
            (Some(name), Some(group), Some(employer), Some(roles), Some(ends_at), Some(reason))
                if faults.0.is_empty() =>
            {
                let (user_name, external_id) = (user_name.flatten(), external_id.flatten());
                let profile =
                    Profile { name, group, employer, roles, ends_at, user_name, external_id, own_holders, mail: None };
                Ok((profile, mail, reason))
            }
            _ => Err(Problem::invalid(faults.0)),
        }
    }
}

/// Checks the form and gives the prompt to sign it.
pub async fn draft(cx: web::Data<Context>, by: SignedIn, form: Json<Form>) -> Result<HttpResponse, Problem> {
    by.needs(Role::Admin)?;
    let (profile, mail, reason) = form.read()?;
    let draft = match &form.staff {
        Some(id) => {
            let id: StaffId = id.parse().map_err(|_| Error::NotFound)?;
            // What the form doesn't show stays as it is.
            let person = cx.staff.person(id).await.map_err(Error::from)?.ok_or(Error::NotFound)?;
            let external_id = profile.external_id.or(person.profile.external_id);
            Draft::Change(id, Profile { external_id, ..profile })
        }
        None => Draft::Add(profile),
    };
    Ok(prompted(&change::draft(&cx, &by, draft, &mail, reason).await?))
}

pub async fn propose(cx: web::Data<Context>, by: SignedIn, ask: Json<Signed>) -> Result<HttpResponse, Problem> {
    let change = change::propose(&cx, &by, &ask.sealed, &ask.assertion).await?;
    let location = format!("/staff/changes/{}", change.id);
    Ok(HttpResponse::Ok().json(json!({"change_id": change.id, "location": location})))
}

fn id(path: &str) -> Result<StaffChangeId, Error> {
    path.parse().map_err(|_| Error::NotFound)
}

pub async fn prompt(cx: web::Data<Context>, by: SignedIn, path: web::Path<String>) -> Result<HttpResponse, Problem> {
    Ok(prompted(&change::prompt(&cx, &by, id(&path)?).await?))
}

pub async fn sign(
    cx: web::Data<Context>,
    by: SignedIn,
    path: web::Path<String>,
    ask: Json<Signed>,
) -> Result<HttpResponse, Problem> {
    let stored = change::sign(&cx, &by, id(&path)?, &ask.sealed, &ask.assertion).await?;
    let location = format!("/staff/changes/{}", stored.change.id);
    Ok(HttpResponse::Ok().json(json!({"location": location, "link": stored.link})))
}

pub async fn refuse(cx: web::Data<Context>, by: SignedIn, path: web::Path<String>) -> Result<HttpResponse, PageError> {
    let change = change::refuse(&cx, &by, id(&path)?).await?;
    Ok(see(&format!("/staff/changes/{}", change.id)))
}

pub async fn show(cx: web::Data<Context>, by: SignedIn, path: web::Path<String>) -> Result<HttpResponse, PageError> {
    let roster = change::roster(&cx, &by).await?;
    let change = cx.staff.change(id(&path)?).await.map_err(Error::from)?.ok_or(Error::NotFound)?;
    let now = cx.now();
    let (before, after) = match &change.proposal {
        Proposal::Add { profile, .. } => (None, values(profile)),
        Proposal::Change { before, after, .. } => (Some(values(before)), values(after)),
    };
    let signatures = change
        .signatures
        .iter()
        .map(|signature| (name_of(&roster.people, signature.by), present::at(now, signature.at)))
        .collect();
    let may_sign = match change.may_sign(&by.person, now) {
        Ok(()) => MaySign::Yes,
        Err(why) => MaySign::No(why.to_string()),
    };
    let page = ChangePage {
        frame: present::frame(&cx, &by, Some(Tab::Staff)),
        row: line(&change, &roster.people, &by, now),
        sides: Side::compare(before.as_ref(), &after),
        reason: change.reason.to_string(),
        signatures,
        open: change.is_open(now),
        may_sign,
        code: change::code(&cx, &by, &change).await?,
    };
    Ok(html(page.render().map_err(Error::internal)?))
}
