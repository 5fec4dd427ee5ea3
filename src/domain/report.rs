//! What third parties did: privileged actions, overrides, reveals and access changes by employer, with each one's
//! share, from the audit log alone (Regulation (EU) 2022/2554, "DORA", Art. 28 and 30: the use of ICT third parties is
//! kept under review, and their access to what is sensitive is known).
//!
//! The log is read from its beginning, because it alone says who a person worked for at the time; what is counted is
//! what lies in the range.

use serde::Serialize;
use std::collections::{BTreeMap, HashMap};

use super::audit::reading::Reading;
use super::time::Timestamp;

/// The employer of people of whom the log doesn't say it.
pub const UNKNOWN: &str = "unknown";

/// From (inclusive) and to (exclusive).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Range {
    pub from: Timestamp,
    pub to: Timestamp,
}

impl Range {
    pub fn holds(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.to
    }
}

/// How often each kind of thing was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Everything that staff did on the console, reads too, except coming and going.
    pub privileged_actions: u64,
    /// Overrides asked for, signed, refused or drawn again.
    pub overrides: u64,
    /// Looks at what is masked otherwise.
    pub reveals: u64,
    /// Changes of what these people themselves may do: added, changed, extended, ended.
    pub access_changes: u64,
}

/// The part of all that is one employer's, from 0 to 1, to four places; 0 where there is nothing to share.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Shares {
    pub privileged_actions: f64,
    pub overrides: f64,
    pub reveals: f64,
    pub access_changes: f64,
}

/// One employer's line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    pub employer: String,
    /// How many different people did something in the range.
    pub people: u64,
    pub counts: Counts,
    pub shares: Shares,
}

/// The report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ThirdParty {
    pub range: Range,
    /// In the order of their names.
    pub lines: Vec<Line>,
    pub total: Counts,
    /// Entries in the range whose text was erased: they can't be counted.
    pub erased: u64,
}

/// Reads the log, entry by entry.
#[derive(Debug)]
pub struct Reader {
    range: Range,
    /// Employer of each person by the last entry about them.
    employers: HashMap<String, String>,
    counts: BTreeMap<String, (Counts, std::collections::BTreeSet<String>)>,
    erased: u64,
}

impl Reader {
    pub fn new(range: Range) -> Self {
        Self { range, employers: HashMap::new(), counts: BTreeMap::new(), erased: 0 }
    }

    /// One that knows already who works for whom: person and employer.
    pub fn knowing(range: Range, employers: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { employers: employers.into_iter().collect(), ..Self::new(range) }
    }

    /// Counts an entry that can't be read any more.
    pub fn take_erased(&mut self, at: Timestamp) {
        self.erased += u64::from(self.range.holds(at));
    }

    /// Takes the next entry of the log.
    pub fn take(&mut self, entry: &Reading) {
        let about_access = is_access_change(&entry.kind);
        let subject = entry.object_of("stf").map(str::to_owned);
        let counted = self.range.holds(entry.at);
        if about_access {
            // `employer` is that of whoever acts; the entry names another person's employer beside it.
            let own = entry.actor.kind != "staff" || entry.actor.id == subject;
            let named = entry.fact("new_employer").or_else(|| entry.fact("ended_employer"));
            let employer = named.or_else(|| entry.fact("employer").filter(|_| own));
            if let (Some(subject), Some(employer)) = (&subject, employer) {
                self.employers.insert(subject.clone(), employer.to_owned());
            }
            if counted {
                let employer = subject.as_deref().and_then(|who| self.employers.get(who)).cloned();
                self.line(employer).0.access_changes += 1;
            }
        }
        let Some(actor) = entry.actor.id.as_deref().filter(|_| entry.actor.kind == "staff") else { return };
        if !counted || comes_or_goes(&entry.kind) {
            return;
        }
        let said = entry.fact("employer").map(str::to_owned);
        let employer = said.or_else(|| self.employers.get(actor).cloned());
        let (counts, people) = self.line(employer);
        counts.privileged_actions += 1;
        counts.overrides += u64::from(entry.kind.starts_with("override."));
        counts.reveals += u64::from(entry.kind.ends_with(".revealed"));
        people.insert(actor.to_owned());
    }

    fn line(&mut self, employer: Option<String>) -> &mut (Counts, std::collections::BTreeSet<String>) {
        self.counts.entry(employer.unwrap_or_else(|| UNKNOWN.to_owned())).or_default()
    }

    /// The report over everything that was read.
    pub fn finish(self) -> ThirdParty {
        let total = self.counts.values().fold(Counts::default(), |sum, (counts, _)| Counts {
            privileged_actions: sum.privileged_actions + counts.privileged_actions,
            overrides: sum.overrides + counts.overrides,
            reveals: sum.reveals + counts.reveals,
            access_changes: sum.access_changes + counts.access_changes,
        });
        let lines = self.counts.into_iter().map(|(employer, (counts, people))| Line {
            employer,
            people: people.len() as u64,
            counts,
            shares: Shares {
                privileged_actions: share(counts.privileged_actions, total.privileged_actions),
                overrides: share(counts.overrides, total.overrides),
                reveals: share(counts.reveals, total.reveals),
                access_changes: share(counts.access_changes, total.access_changes),
            },
        });
        ThirdParty { range: self.range, lines: lines.collect(), total, erased: self.erased }
    }
}

fn share(part: u64, whole: u64) -> f64 {
    let ten_thousandths = (part * 10_000 + whole / 2).checked_div(whole).unwrap_or(0);
    u32::try_from(ten_thousandths).map_or(0.0, |parts| f64::from(parts) / 10_000.0)
}

/// Whether an entry tells of a change in what a person of staff may do. What was only proposed or tried is none.
fn is_access_change(kind: &str) -> bool {
    const CHANGES: [&str; 8] = [
        "staff.added",
        "staff.changed",
        "staff.extended",
        "staff.founder_invited",
        "staff.invited_from_host",
        "staff.joined",
        "staff.ended",
        "staff_change.carried_out",
    ];
    CHANGES.contains(&kind)
}

fn comes_or_goes(kind: &str) -> bool {
    ["signed_in", "signed_out", "sign_in_refused", "sign_in_failed"].iter().any(|word| kind.ends_with(word))
}

impl ThirdParty {
    /// The report as a table (RFC 4180), one line for each employer.
    pub fn to_csv(&self) -> String {
        let mut out = String::from(
            "from,to,employer,people,privileged_actions,privileged_actions_share,overrides,overrides_share,\
             reveals,reveals_share,access_changes,access_changes_share\r\n",
        );
        for line in &self.lines {
            let (counts, shares) = (&line.counts, &line.shares);
            let numbers = [
                (counts.privileged_actions, shares.privileged_actions),
                (counts.overrides, shares.overrides),
                (counts.reveals, shares.reveals),
                (counts.access_changes, shares.access_changes),
            ];
            let (from, to, people) = (self.range.from, self.range.to, line.people);
            out.push_str(&format!("{from},{to},{},{people}", cell(&line.employer)));
            for (count, share) in numbers {
                out.push_str(&format!(",{count},{share:.4}"));
            }
            out.push_str("\r\n");
        }
        out
    }
}

/// A text as a cell. One that a spreadsheet would take for a formula gets a mark before it that makes it a text.
fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains(['"', ',', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::audit::reading::ReadActor;
    use crate::domain::ids::ChangeId;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn entry(seconds: i64, kind: &str, actor: Option<&str>, object: &[&str], employer: Option<&str>) -> Reading {
        Reading {
            v: 1,
            id: ChangeId::new(at(seconds), [0; 10]),
            at: at(seconds),
            kind: kind.into(),
            actor: match actor {
                Some(id) => ReadActor { kind: "staff".into(), id: Some(id.into()) },
                None => ReadActor { kind: "service".into(), id: None },
            },
            object: object.iter().map(|id| (*id).to_owned()).collect(),
            facts: employer.map(|name| ("employer".to_owned(), name.to_owned())).into_iter().collect(),
        }
    }

    fn ended(seconds: i64, by: &str, employer: &str, who: &str, whose: &str) -> Reading {
        let mut ended = entry(seconds, "staff.ended", Some(by), &[who], Some(employer));
        ended.facts.insert("ended_employer".into(), whose.into());
        ended
    }

    fn report() -> ThirdParty {
        let mut reader = Reader::new(Range { from: at(100), to: at(200) });
        for entry in [
            entry(1, "staff.founder_invited", None, &["stf_admin"], Some("in-house")),
            entry(2, "staff.joined", Some("stf_kim"), &["stf_kim"], Some("Callcentre, Inc.")),
            entry(99, "holder.revealed", Some("stf_kim"), &["hld_1"], Some("Callcentre, Inc.")),
            entry(100, "holder.viewed", Some("stf_kim"), &["hld_1"], None),
            entry(101, "holder.revealed", Some("stf_kim"), &["hld_1"], Some("Callcentre, Inc.")),
            entry(102, "override.requested", Some("stf_kim"), &["ovr_1"], Some("Callcentre, Inc.")),
            entry(103, "override.signed", Some("stf_admin"), &["ovr_1"], Some("in-house")),
            entry(104, "staff.signed_in", Some("stf_kim"), &["stf_kim"], Some("Callcentre, Inc.")),
            ended(105, "stf_admin", "in-house", "stf_kim", "Callcentre, Inc."),
            entry(106, "holder.viewed", Some("stf_ghost"), &["hld_1"], None),
            entry(107, "approval.released", None, &["apr_1"], None),
            entry(200, "holder.viewed", Some("stf_admin"), &["hld_1"], Some("in-house")),
        ] {
            reader.take(&entry);
        }
        reader.take_erased(at(150));
        reader.take_erased(at(250));
        reader.finish()
    }

    #[test]
    fn what_each_employer_did_in_the_range_is_counted() {
        let report = report();
        let line = |name: &str| report.lines.iter().find(|line| line.employer == name).unwrap();
        let vendor = line("Callcentre, Inc.");
        let expected = Counts { privileged_actions: 3, overrides: 1, reveals: 1, access_changes: 1 };
        assert_eq!((vendor.counts, vendor.people), (expected, 1));
        let own = line("in-house");
        // Ending somebody is an admin's action, and a change of the vendor's access.
        let expected = Counts { privileged_actions: 2, overrides: 1, reveals: 0, access_changes: 0 };
        assert_eq!((own.counts, own.people), (expected, 1));
        assert_eq!(line(UNKNOWN).counts.privileged_actions, 1);
        let total = Counts { privileged_actions: 6, overrides: 2, reveals: 1, access_changes: 1 };
        assert_eq!((report.total, report.erased), (total, 1));
    }

    #[test]
    fn shares_are_of_all_of_it() {
        let report = report();
        let sum: f64 = report.lines.iter().map(|line| line.shares.privileged_actions).sum();
        assert!((sum - 1.0).abs() < 0.001, "{sum}");
        let vendor = report.lines.iter().find(|line| line.employer.starts_with("Call")).unwrap();
        assert!((vendor.shares.privileged_actions - 0.5).abs() < 1e-9);
        assert!((vendor.shares.reveals - 1.0).abs() < 1e-9);
        let nothing = Reader::new(Range { from: at(1), to: at(2) }).finish();
        assert_eq!((nothing.lines.len(), nothing.total), (0, Counts::default()));
    }

    #[test]
    fn a_table_has_a_row_for_each_and_no_formula() {
        let csv = report().to_csv();
        let rows: Vec<_> = csv.split("\r\n").collect();
        assert_eq!(rows.len(), 5, "{csv}");
        assert!(rows[1].contains(",\"Callcentre, Inc.\",1,3,0.5000,1,0.5000,1,1.0000,1,1.0000"), "{csv}");
        assert_eq!(cell("=cmd|' /C calc'!A0"), "'=cmd|' /C calc'!A0");
        assert_eq!(cell("say \"hi\""), "\"say \"\"hi\"\"\"");
    }
}
