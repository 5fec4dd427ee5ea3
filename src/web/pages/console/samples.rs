//! One rendered sample of every console page, for the checks of all pages.

use super::cases::{Acts, CasePage, CaseRow, Fact, Offer, Pace, Transfer, WayStep};
use super::failure::{ErrorPage, Trouble};
use super::frame::{Frame, Me, Tab};
use super::holder::{AskPage, Asked, Can, DealRow, HolderPage, RevealedPage, ViewRow};
use super::home::HomePage;
use super::sign_in::{Code, JoinPage, JoinedPage, SignInPage};
use super::staff::{
    ChangePage, ChangeRow, FormPage, FormValues, MaySign, PersonPage, PersonRow, Progress, Side, StaffPage, Standing,
};
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
/// A name that tries to be markup. Names of staff and reasons can't hold what turns a line around: the domain refuses
/// that.
const NAME: &str = "<b>Dana</b> \"Okafor\" of the Night Shift";

/// Every page of the console.
pub fn samples(payee: &str, around: &Around) -> Pages {
    let sampler = Sampler { payee, around };
    let mut pages = sampler.outside()?;
    pages.extend(sampler.cases()?);
    pages.extend(sampler.holders()?);
    pages.extend(sampler.staff()?);
    pages.extend(sampler.troubles()?);
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
        let ask = |asked: Asked| AskPage {
            frame: self.frame(Tab::Holders),
            backends: vec![("bck_1".into(), "Harbour Exchange".into())],
            asked,
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
        };
        let deals = vec![
            deal("apr_1", Stage::Pending, Can::Stop),
            deal("apr_2", Stage::Cooling, Can::StopAndExtend),
            deal("apr_3", Stage::Released, Can::Nothing),
        ];
        let channels = vec![("chn_1".into(), "m••••@example.org".into()), ("chn_2".into(), "+48 ••• 12".into())];
        let revealed = RevealedPage {
            frame: self.frame(Tab::Holders),
            view: "vew_1".into(),
            payee: NAME.into(),
            account: ACCOUNT.into(),
        };
        Ok(vec![
            ("22-ask", ask(Asked::Nothing).render()?),
            ("22-ask-unknown", ask(Asked::Unknown).render()?),
            ("22-ask-erased", ask(Asked::Erased).render()?),
            ("22-ask-no-reason", ask(Asked::NoReason).render()?),
            ("22-holder", holder(deals, channels).render()?),
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
