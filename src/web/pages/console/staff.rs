//! Staff: everybody, one person, and what two admins decide.

use super::frame::Frame;
use crate::web::pages::clocktext::Moment;
use askama::Template;

/// How a person stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    Invited,
    Active,
    /// Since this day.
    Ended(String),
}

/// A person in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonRow {
    pub id: String,
    pub name: String,
    pub group: String,
    pub employer: String,
    pub roles: String,
    pub ends: String,
    pub standing: Standing,
}

impl PersonRow {
    fn has_ended(&self) -> bool {
        matches!(self.standing, Standing::Ended(_))
    }
}

/// How far a change has come, for whoever looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    NeedsMe,
    Waits,
    Done(Moment),
    Refused(Moment),
    Expired,
}

/// A change in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeRow {
    pub id: String,
    pub what: String,
    pub by: String,
    pub signed: usize,
    pub until: Moment,
    pub progress: Progress,
}

#[derive(Template)]
#[template(path = "console/staff.html")]
pub struct StaffPage {
    pub frame: Frame,
    pub version: String,
    pub waiting: Vec<ChangeRow>,
    pub announced: Vec<(String, String, String)>,
    pub people: Vec<PersonRow>,
}

#[derive(Template)]
#[template(path = "console/person.html")]
pub struct PersonPage {
    pub frame: Frame,
    pub version: String,
    pub person: PersonRow,
    /// Role, and since when.
    pub since: Vec<(String, Moment)>,
    pub user_name: Option<String>,
    pub oneself: bool,
    pub changes: Vec<ChangeRow>,
}

/// What a form shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FormValues {
    pub name: String,
    pub group: String,
    pub employer: String,
    pub roles: Vec<&'static str>,
    pub ends: String,
    pub user_name: String,
    pub own_holders: String,
    /// Masked.
    pub mail: String,
}

#[derive(Template)]
#[template(path = "console/form.html")]
pub struct FormPage {
    pub frame: Frame,
    /// Whom it changes.
    pub staff: Option<String>,
    pub values: FormValues,
}

impl FormPage {
    fn roles(&self) -> [(&'static str, &'static str, bool); 4] {
        let held = |role: &'static str| self.values.roles.contains(&role);
        [
            ("agent", "Agent: looks one holder up, stops and slows transfers", held("agent")),
            ("signer", "Signer: signs overrides, after 7 days in the role", held("signer")),
            ("auditor", "Auditor: reads the audit log", held("auditor")),
            ("admin", "Admin: decides about staff; never signs", held("admin")),
        ]
    }
}

/// One line of what is decided: what it says now, and what it would say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    pub label: &'static str,
    pub before: Option<String>,
    pub after: String,
}

impl Side {
    /// Every line, so that what stays is seen to stay.
    pub fn compare(before: Option<&FormValues>, after: &FormValues) -> Vec<Self> {
        let line =
            |label, read: fn(&FormValues) -> String| Self { label, before: before.map(read), after: read(after) };
        vec![
            line("Name", |values| values.name.clone()),
            line("Group", |values| values.group.clone()),
            line("Employer", |values| values.employer.clone()),
            line("Roles", |values| values.roles.join(", ")),
            line("Ends", |values| values.ends.clone()),
            line("Name at the identity provider", |values| values.user_name.clone()),
            line("Is the holder", |values| values.own_holders.clone()),
            line("Mail, for cases that wait", |values| values.mail.clone()),
        ]
    }

    fn changes(&self) -> bool {
        self.before.as_ref().is_some_and(|before| *before != self.after)
    }
}

/// Whether this person may sign, and if not, why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MaySign {
    Yes,
    No(String),
}

#[derive(Template)]
#[template(path = "console/change.html")]
pub struct ChangePage {
    pub frame: Frame,
    pub row: ChangeRow,
    pub sides: Vec<Side>,
    pub reason: String,
    /// Who signed, and when.
    pub signatures: Vec<(String, Moment)>,
    pub open: bool,
    pub may_sign: MaySign,
    /// The code for the added person, shown to who proposed.
    pub code: Option<String>,
}
