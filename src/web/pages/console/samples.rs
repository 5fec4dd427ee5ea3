//! One rendered sample of every console page, for the checks of all pages.

use super::audit::{
    AskedValues, AuditPage, CheckpointCard, EntryPage, EntryRow, InLog, List, Object, Proven, ReportPage, Said,
};
use super::cases::{Acts, CasePage, CaseRow, Fact, Offer, Pace, Transfer, WayStep};
use super::failure::{ErrorPage, Trouble};
use super::frame::{Frame, Me, Tab};
use super::holder::{AskPage, Can, DealRow, HolderPage, RevealedPage, ViewRow};
use super::home::HomePage;
use super::refused::{Refused, Wrong};
use super::sign_in::{Code, JoinPage, JoinedPage, SignInPage};
use super::staff::{
    ChangePage, ChangeRow, FormPage, FormValues, MaySign, PersonPage, PersonRow, Progress, Side, StaffPage, Standing,
};
use crate::domain::report::{Counts, Line, Range, Shares, ThirdParty};
use crate::domain::time::Timestamp;
use crate::web::pages::clocktext::{Moment, moment};
use crate::web::pages::deal::{AccountKind, AmountText, Deal, MaskedDeal};
use crate::web::pages::frame::Frame as Around;
use crate::web::pages::live::Stage;
use crate::web::pages::{RenderError, Template};

type Pages = Result<Vec<(&'static str, String)>, RenderError>;

const MINUTE: i64 = 60_000_000;
/// Saturday 21 November 2026, 14:20:00 UTC.
const NOW: i64 = 1_795_270_800_000_000;
const CASE: &str = "ovr_01K9V6M3Q2ZB8T5D4N7XW0YHRC";
const ACCOUNT: &str = "PL61109010140000071219812874";
/// A name that tries to be markup. What turns a line around never gets here: the domain refuses that in a name.
const NAME: &str = "<b>Dana</b> \"Okafor\" of the Night Shift";

/// Every page of the console.
pub fn samples(payee: &str, around: &Around) -> Pages {
    let sampler = Sampler { payee, around };
    let mut pages = sampler.outside()?;
    pages.extend(sampler.cases()?);
    pages.extend(sampler.holders()?);
    pages.extend(sampler.staff()?);
    pages.extend(sampler.troubles()?);
    pages.extend(sampler.audit()?);
    Ok(pages)
}

struct Sampler<'a> {
    payee: &'a str,
    around: &'a Around,
}

fn at(minutes: i64) -> Moment {
    moment(NOW, NOW + minutes * MINUTE)
}

impl Sampler<'_> {
    fn frame(&self, here: Tab) -> Frame {
        let me = Me { name: NAME.into(), line: "support · Teleplus".into() };
        Frame { around: self.around.clone(), me: Some(me), tabs: Tab::ALL.into(), here: Some(here) }
    }

    fn nobody(&self) -> Frame {
        Frame { around: self.around.clone(), me: None, tabs: vec![], here: None }
    }

    fn euros() -> AmountText {
        AmountText::new("12500.00", "EUR")
    }

    fn masked(&self) -> MaskedDeal {
        MaskedDeal::new(Self::euros(), self.payee, AccountKind::Account, ACCOUNT)
    }

    fn outside(&self) -> Pages {
        let join = |code: Code| JoinPage {
            frame: self.nobody(),
            token: "kq3W9bT1v0xJ6mZ2pL8sYd".into(),
            name: NAME.into(),
            group: "risk".into(),
            employer: "in-house".into(),
            roles: "signer".into(),
            ends: "31 March 2027".into(),
            code,
        };
        Ok(vec![
            ("20-sign-in", SignInPage { frame: self.nobody() }.render()?),
            ("20-join", join(Code::Asked).render()?),
            ("20-join-founder", join(Code::None).render()?),
            ("20-joined", JoinedPage { frame: self.nobody() }.render()?),
        ])
    }

    fn row(stage: Stage) -> CaseRow {
        CaseRow {
            id: CASE.into(),
            what: "approve a transfer for the holder".into(),
            amount: Some(Self::euros().plain()),
            stage,
            state: "Needs your signature".into(),
            signed: 1,
            ends: format!("ends {}", at(180)),
        }
    }

    fn case(&self, transfer: Option<Transfer>, acts: Acts) -> CasePage {
        let fact = |name, flag, text: &str| Fact { name, flag, text: text.into() };
        let step = |what: &str, said: Option<&str>, pace| WayStep {
            what: what.into(),
            when: Some(at(-20).to_string()),
            said: said.map(str::to_owned),
            pace,
        };
        CasePage {
            frame: self.frame(Tab::Cases),
            row: Self::row(Stage::Pending),
            version: "2.1.0".into(),
            headline: "Sign or refuse this override",
            requester: NAME.into(),
            asked: at(-20),
            does: vec!["They don’t send the money. They start a cooling-off of 72 hours.".into()],
            transfer,
            facts: vec![
                fact(
                    "Disputed messages",
                    Some("High"),
                    "m••••@example.org. That is every channel: nobody can be told.",
                ),
                fact("New messages", Some("Care"), "+48 ••• ••• 12, added today. It doesn’t count as telling."),
                fact("Drawn to sign", None, "Jonas Weber (risk, in-house), Amir Haddad (fraud, in-house)"),
            ],
            reason: format!("{NAME} says: the customer lost her phone on the train. {}", "And more. ".repeat(40)),
            digest: "9ac4f1f6a6d4eac9d7b5d5f2c2f5c5c2a31f".into(),
            way: vec![
                step("Asked by Dana", None, Pace::Done),
                step("Signed by Jonas", Some("Called back on the number on file."), Pace::Done),
                step("Second signature", None, Pace::Now),
                step("Cooling-off", None, Pace::Later),
            ],
            acts,
            refused: None,
        }
    }

    fn cases(&self) -> Pages {
        let home = |cases: Vec<CaseRow>, announced: Vec<(String, String, String)>| HomePage {
            frame: self.frame(Tab::Cases),
            version: "abc".into(),
            cases,
            changes: vec![],
            announced,
        };
        let announced = vec![("stf_1".into(), NAME.into(), at(4320).to_string())];
        let whole = Deal::new(Self::euros(), self.payee, AccountKind::Account, ACCOUNT);
        let sign = |may| Acts { sign: Some(may), redraw: Offer::No, stop: Offer::Yes };
        let theirs = Acts { sign: None, redraw: Offer::Yes, stop: Offer::Yes };
        let rows = vec![Self::row(Stage::Pending), Self::row(Stage::Cooling), Self::row(Stage::Rejected)];
        Ok(vec![
            ("21-cases", home(rows, announced).render()?),
            ("21-cases-empty", home(vec![], vec![]).render()?),
            ("21-case-sign", self.case(Some(Transfer::Whole(whole)), sign(MaySign::Yes)).render()?),
            ("21-case-may-not", self.case(None, sign(MaySign::No("you asked for this".into()))).render()?),
            ("21-case-masked", self.case(Some(Transfer::Masked(self.masked())), theirs).render()?),
        ])
    }

    fn holders(&self) -> Pages {
        let ask = |refused: Option<Refused>| AskPage {
            frame: self.frame(Tab::Holders),
            backends: vec![("bck_1".into(), "Harbour Exchange".into())],
            refused,
        };
        let deal = |id: &str, stage, can| DealRow {
            id: id.into(),
            deal: self.masked(),
            stage,
            state: format!("waits for an answer until {}", at(40)),
            can,
        };
        let view = || ViewRow {
            who: "agent, Teleplus".into(),
            what: "transfers and devices, masked".into(),
            why: NAME.into(),
            at: at(-3),
        };
        let holder = |deals: Vec<DealRow>, channels: Vec<(String, String)>| HolderPage {
            frame: self.frame(Tab::Holders),
            view: "vew_1".into(),
            subject: "u-1".into(),
            reason: NAME.into(),
            until: at(15),
            deals,
            devices: vec![("Device 1".into(), "added 19 November, can approve".into())],
            channels,
            cases: vec![("ovr_0000000000000000000000000a".to_owned(), "Unlock transfers")],
            views: vec![view(), view()],
            refused: None,
        };
        let deals = vec![
            deal("apr_1", Stage::Pending, Can::Stop),
            deal("apr_2", Stage::Cooling, Can::StopAndExtend),
            deal("apr_3", Stage::Released, Can::Nothing),
        ];
        let channels = vec![("chn_1".into(), "m••••@example.org".into()), ("chn_2".into(), "+48 ••• 12".into())];
        let typed = |name: &str| vec![(name.to_owned(), NAME.to_owned()), ("disputed".into(), "chn_1".into())];
        let wrong = |form: &str, name: &str| Refused {
            form: form.into(),
            typed: typed(name),
            wrong: Wrong::Field { name: name.into(), text: "Write 20 letters or more.".into() },
        };
        let late = Refused {
            form: "apr_2/extend".into(),
            typed: typed("reason"),
            wrong: Wrong::Form { headline: "It is too late", text: "The backend has taken it.".into() },
        };
        let revealed = RevealedPage {
            frame: self.frame(Tab::Holders),
            view: "vew_1".into(),
            payee: NAME.into(),
            account: ACCOUNT.into(),
        };
        Ok(vec![
            ("22-ask", ask(None).render()?),
            ("22-ask-unknown", ask(Some(wrong("look", "subject"))).render()?),
            ("22-ask-no-reason", ask(Some(wrong("look", "reason"))).render()?),
            ("22-holder", holder(deals.clone(), channels.clone()).render()?),
            (
                "22-holder-asked-in-vain",
                HolderPage { refused: Some(wrong("override", "reason")), ..holder(deals.clone(), channels.clone()) }
                    .render()?,
            ),
            ("22-holder-too-late", HolderPage { refused: Some(late), ..holder(deals, channels) }.render()?),
            ("22-holder-empty", holder(vec![], vec![]).render()?),
            ("22-revealed", revealed.render()?),
        ])
    }

    fn staff(&self) -> Pages {
        let person = |standing: Standing| PersonRow {
            id: "stf_1".into(),
            name: NAME.into(),
            group: "risk".into(),
            employer: "Teleplus".into(),
            roles: "agent, signer".into(),
            ends: "31 March 2027".into(),
            standing,
        };
        let change = |progress: Progress| ChangeRow {
            id: "chg_1".into(),
            what: format!("Add {NAME}"),
            by: NAME.into(),
            signed: 1,
            until: at(600),
            progress,
        };
        let people = vec![person(Standing::Active), person(Standing::Invited), person(Standing::Ended("today".into()))];
        let everybody = |waiting: Vec<ChangeRow>, people: Vec<PersonRow>| StaffPage {
            frame: self.frame(Tab::Staff),
            version: "abc".into(),
            waiting,
            announced: vec![],
            people,
        };
        let one = PersonPage {
            frame: self.frame(Tab::Staff),
            version: "abc".into(),
            person: person(Standing::Active),
            since: vec![("signer".into(), at(-9000))],
            user_name: None,
            oneself: true,
            changes: vec![change(Progress::Done(at(-40)))],
        };
        let values = FormValues { name: NAME.into(), roles: vec!["signer"], ..FormValues::default() };
        let form = |staff| FormPage { frame: self.frame(Tab::Staff), staff, values: values.clone() };
        let decide = |may_sign: MaySign, code: Option<String>| ChangePage {
            frame: self.frame(Tab::Staff),
            row: change(Progress::NeedsMe),
            sides: Side::compare(Some(&FormValues::default()), &values),
            reason: NAME.into(),
            signatures: vec![(NAME.into(), at(-5))],
            open: true,
            may_sign,
            code,
        };
        Ok(vec![
            ("23-staff", everybody(vec![change(Progress::NeedsMe), change(Progress::Waits)], people).render()?),
            ("23-person", one.render()?),
            ("23-add", form(None).render()?),
            ("23-change", form(Some("stf_1".into())).render()?),
            ("23-decide", decide(MaySign::Yes, None).render()?),
            ("23-proposed", decide(MaySign::No("you have signed".into()), Some("123456".into())).render()?),
        ])
    }

    fn audit(&self) -> Pages {
        let asked = || AskedValues {
            about: CASE.into(),
            by: String::new(),
            what: vec![("everything", "Everything", true), ("looks", "Looks of staff", false)],
            from: "2026-11-01".into(),
            to: String::new(),
        };
        let row = |number: Option<&str>| EntryRow {
            id: "chg_1".into(),
            number: number.map(str::to_owned),
            at: at(-2),
            what: "Holder viewed".into(),
            about: vec!["holder …0a1b2c".into(), "look …0a1b2d".into()],
            who: format!("{NAME} (support, Teleplus)"),
            leaf: "9ac4f1f6".into(),
        };
        let checkpoint = || CheckpointCard {
            entries: "184,220".into(),
            signed: at(-1),
            root: "9ac4".repeat(16),
            note: "approve.harbour.example/log\n184220\nq4Jm\n\n— approve.harbour.example/log q4Jm0Zt7\n".into(),
        };
        let list = |rows: Vec<EntryRow>, older: Option<&str>| List {
            checkpoint: (!rows.is_empty()).then(checkpoint),
            rows,
            older: older.map(str::to_owned),
            newest: older.map(|_| "/audit".to_owned()),
            back_to: Some(at(-400)),
        };
        let page = |list: Option<List>, refused: Option<Refused>| AuditPage {
            frame: self.frame(Tab::Audit),
            asked: asked(),
            list,
            refused,
        };
        let wrong = |form: &str, field: &str| Refused {
            form: form.into(),
            typed: vec![(field.into(), NAME.into())],
            wrong: Wrong::Field { name: field.into(), text: "Should be a day.".into() },
        };
        let entry = |said: Said, log: InLog| EntryPage {
            frame: self.frame(Tab::Audit),
            id: "chg_1".into(),
            kind: "holder.viewed".into(),
            what: "Holder viewed".into(),
            at: at(-2),
            who: format!("{NAME} (support, Teleplus)"),
            by: Some("stf_1".into()),
            about: vec![Object { id: CASE.into(), short: "override …0YHRC".into() }],
            facts: vec![("reason".into(), NAME.into())],
            leaf: "9ac4".repeat(16),
            salt: (said != Said::Erased).then(|| "AAECAwQFBgcICQoLDA0ODw".to_owned()),
            text: (said != Said::Erased).then(|| format!("{{\"said\":\"{NAME}\"}}")),
            said,
            log,
        };
        let proven = || {
            InLog::Proven(Box::new(Proven {
                number: "184,219".into(),
                entries: "184,220".into(),
                root: "9ac4".repeat(16),
                signed: at(-1),
                proof: "c2sp.org/tlog-proof@v1\nindex 184218\n".into(),
            }))
        };
        let missing = InLog::Not { number: "184,219".into(), why: "the leaf isn’t in the tree".into() };
        let counts = Counts { privileged_actions: 3, overrides: 1, reveals: 2, access_changes: 0 };
        let shares = Shares { privileged_actions: 0.75, overrides: 1.0, reveals: 1.0, access_changes: 0.0 };
        let range = Range { from: Timestamp::from_micros(NOW), to: Timestamp::from_micros(NOW + 1440 * MINUTE) };
        let line = Line { employer: NAME.into(), people: 2, counts, shares };
        let counted = |lines: Vec<Line>, erased| ThirdParty { range, lines, total: counts, erased };
        let report = |report: Option<ThirdParty>, refused: Option<Refused>| ReportPage {
            frame: self.frame(Tab::Report),
            from: "2026-11-01".into(),
            to: "2026-11-21".into(),
            report,
            refused,
        };
        Ok(vec![
            (
                "25-audit",
                page(Some(list(vec![row(None), row(Some("184,220"))], Some("/audit?before=1"))), None).render()?,
            ),
            ("25-audit-empty", page(Some(list(vec![], None)), None).render()?),
            ("25-audit-wrong", page(None, Some(wrong("audit", "from"))).render()?),
            ("25-entry", entry(Said::Fits, proven()).render()?),
            ("25-entry-waits", entry(Said::Fits, InLog::Waits).render()?),
            ("25-entry-erased", entry(Said::Erased, proven()).render()?),
            ("25-entry-changed", entry(Said::Changed, proven()).render()?),
            ("25-entry-missing", entry(Said::Fits, missing).render()?),
            ("26-report", report(Some(counted(vec![line], 1)), None).render()?),
            ("26-report-empty", report(Some(counted(vec![], 0)), None).render()?),
            ("26-report-wrong", report(None, Some(wrong("report", "to"))).render()?),
        ])
    }

    fn troubles(&self) -> Pages {
        let page = |trouble: Trouble| ErrorPage { frame: self.frame(Tab::Cases), trouble };
        Ok(vec![
            ("24-not-found", page(Trouble::NotFound).render()?),
            ("24-not-allowed", page(Trouble::NotAllowed).render()?),
            ("24-invalid", page(Trouble::Invalid).render()?),
            ("24-wrong", page(Trouble::Wrong).render()?),
        ])
    }
}
