//! One rendered sample of every page and of every face a page has, for the checks beside this file and for a person to
//! look at.

use super::cancel::{CancelOverPage, CancelPage, LinkEnd, Stoppable};
use super::clocktext::{Timed, day, moment, moment_to_the_second};
use super::console;
use super::deal::{AccountKind, AmountText, Deal, MIXED_ALPHABETS, MaskedDeal, Row};
use super::device::{ApprovePage, CoolingPage};
use super::ends::EndPage;
use super::enrol::{EnrolDeclinedPage, EnrolPage, EnrolledPage, Proof, Usable};
use super::errors::{ErrorPage, Trouble, Way};
use super::frame::{Frame, Lang, Profile};
use super::given::Given;
use super::home::{HomePage, HomeRow, Lock, Notices};
use super::live::{Deadline, HoldClock, Live, Stage};
use super::lock::{Face, Lift, LockPage, Locked, VetoPage};
use super::outcome::{Actor, Approved, Lapse, Outcome, Reached, Release, Stopper, Told};
use super::undecidable::{OtherDevice, Undecidable, UndecidablePage, UnknownBrowserPage};
use super::waiting::{Handover, Sent, WaitingCoolingPage, WaitingEndPage, WaitingPage};
use super::{RenderError, Template};

const MICROS: i64 = 1_000_000;
const MINUTE: i64 = 60 * MICROS;
const HOUR: i64 = 60 * MINUTE;
/// Saturday 21 November 2026, 14:20:00 UTC.
const NOW: i64 = 1_795_270_800 * MICROS;
const ASKED: i64 = NOW - 18 * MINUTE;
const EXPIRES: i64 = NOW + 42 * MINUTE;
const APPROVED: i64 = NOW - 198 * MICROS;
const HOLD: i64 = 15 * MINUTE;
const VERSION: i64 = 2;
const ID: &str = "01K9V6M3Q2ZB8T5D4N7XW0YHRC";
const TOKEN: &str = "kq3W9bT1v0xJ6mZ2pL8sYd";

/// A payee that tries to be markup and to turn the line around.
pub const HOSTILE: &str = "<script>alert(1)</script>\u{202e}\" onload=x \u{2066}'Marta";

/// Every page by a name that says which, rendered in the demo profile.
pub fn samples() -> Result<Vec<(&'static str, String)>, RenderError> {
    samples_with("Marta Nowak", Profile::Demo)
}

/// The same with any payee and profile.
pub fn samples_with(payee: &str, profile: Profile) -> Result<Vec<(&'static str, String)>, RenderError> {
    let sampler = Sampler { payee, profile };
    let mut pages = sampler.deciding()?;
    pages.extend(sampler.undecidable()?);
    pages.extend(sampler.ends()?);
    pages.extend(sampler.links()?);
    pages.extend(sampler.waiting()?);
    pages.extend(sampler.enrolling()?);
    pages.extend(sampler.homes()?);
    pages.extend(sampler.errors()?);
    pages.extend(sampler.locks()?);
    pages.extend(console::samples::samples(payee, &sampler.frame())?);
    Ok(pages)
}

type Pages = Result<Vec<(&'static str, String)>, RenderError>;

struct Sampler<'a> {
    payee: &'a str,
    profile: Profile,
}

impl Sampler<'_> {
    fn frame(&self) -> Frame {
        Frame {
            operator: "Harbour".to_owned(),
            contact: "the number on your card".to_owned(),
            profile: self.profile,
            lang: Lang::En,
        }
    }

    fn euros() -> AmountText {
        AmountText::new("12500.00", "EUR")
    }

    fn deal(&self) -> Deal {
        Deal::new(Self::euros(), self.payee, AccountKind::Account, "PL61109010140000071219812874")
    }

    fn asked_deal(&self) -> Deal {
        self.deal()
            .row(Row::given("From", "Everyday account, ending 4471"))
            .row(Row::quoted("Message", &format!("Invoice 2231 {}", self.hostile_tail())))
            .row(Row::at("Started", moment(NOW, ASKED)))
    }

    fn hostile_tail(&self) -> &str {
        if self.payee == HOSTILE { HOSTILE } else { "" }
    }

    fn coins(&self) -> Deal {
        let payee = format!("شركة النور للتجارة والاستثمار المحدودة (Al Noor Trading) {}", self.payee);
        Deal::new(
            AmountText::new("1234567.12345678", "BTC"),
            &payee,
            AccountKind::Address,
            "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr",
        )
        .note(MIXED_ALPHABETS)
        .row(Row::text("Network", "Bitcoin"))
        .row(Row::given("From", "Bitcoin wallet"))
    }

    fn masked(&self) -> MaskedDeal {
        MaskedDeal::new(Self::euros(), self.payee, AccountKind::Account, "PL61109010140000071219812874")
    }

    fn device() -> Live {
        Live::device(ID, VERSION, NOW)
    }

    fn link() -> Live {
        Live::waiting(TOKEN, VERSION, NOW)
    }

    fn deadline() -> Deadline {
        Deadline::new(NOW, EXPIRES)
    }

    fn clock() -> HoldClock {
        HoldClock::new(NOW, APPROVED, APPROVED + HOLD)
    }

    fn approved(by: Actor) -> Approved {
        Approved { at: moment(NOW, APPROVED), by }
    }

    fn deciding(&self) -> Pages {
        let approve = |deal: Deal, left: i64, hold: i64| ApprovePage {
            frame: self.frame(),
            live: Self::device(),
            deal,
            deadline: Deadline::new(NOW, NOW + left),
            hold,
            thumbprint: "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs".to_owned(),
            page_token: "v1.page".to_owned(),
        };
        let cooling = |clock: HoldClock, told: Told| {
            CoolingPage::new(
                self.frame(),
                Self::device(),
                self.deal(),
                clock,
                &Self::approved(Actor::ThisDevice),
                &told,
            )
        };
        let told = Told::By(vec![Reached::Push, Reached::Email, Reached::Text], moment(NOW, APPROVED));
        Ok(vec![
            ("01-approve", approve(self.asked_deal(), 42 * MINUTE, HOLD).render()?),
            ("01-approve-long", approve(self.coins(), 3 * MINUTE, 24 * HOUR).render()?),
            ("02-cooling", cooling(Self::clock(), told.clone()).render()?),
            ("02-cooling-long", cooling(HoldClock::new(NOW, APPROVED, APPROVED + 24 * HOUR), Told::NotYet).render()?),
            ("02-cooling-over", cooling(HoldClock::new(NOW, APPROVED, NOW), told).render()?),
        ])
    }

    fn undecidable(&self) -> Pages {
        let page = |reason: Undecidable, others: Vec<OtherDevice>| UndecidablePage {
            frame: self.frame(),
            live: Self::device(),
            deal: self.deal(),
            deadline: Self::deadline(),
            reason,
            others,
        };
        let pixel = || OtherDevice {
            name: Given::new("Priya’s Pixel"),
            note: Timed::at("We sent a notice ", &moment(NOW, ASKED)),
        };
        let ipad = || OtherDevice {
            name: Given::new("Old iPad"),
            note: Timed::plain(format!("Last used {}", day(NOW, NOW - 432 * HOUR))),
        };
        let too_new =
            Undecidable::TooNew { added: moment(NOW, NOW - 10 * MINUTE), from: moment(NOW, NOW + 710 * MINUTE) };
        let unknown = UnknownBrowserPage { frame: self.frame() };
        Ok(vec![
            ("07-same-browser", page(Undecidable::SameBrowser, vec![pixel(), ipad()]).render()?),
            ("07-same-browser-only", page(Undecidable::SameBrowser, vec![]).render()?),
            ("07-too-new", page(too_new, vec![pixel()]).render()?),
            ("07-unproved", page(Undecidable::Unproved, vec![]).render()?),
            ("07-device-bound", page(Undecidable::NeedsDeviceBound, vec![ipad()]).render()?),
            ("07-locked", page(Undecidable::Locked, vec![ipad()]).render()?),
            ("07-unknown", unknown.render()?),
        ])
    }

    fn outcomes() -> Vec<(&'static str, &'static str, Outcome)> {
        let released = |release: Release| Outcome::Released {
            release,
            at: moment_to_the_second(NOW, NOW - MINUTE),
            approved: Self::approved(Actor::ThisDevice),
        };
        let cancelled = |by: Stopper, approved: Option<Approved>| Outcome::Cancelled {
            at: moment(NOW, NOW - MINUTE),
            by,
            approved,
        };
        let expired = |why: Lapse| Outcome::Expired { asked: moment(NOW, ASKED), at: moment(NOW, NOW), why };
        let here = || Some(Self::approved(Actor::ThisDevice));
        let ipad = Actor::Device(Given::new("Old iPad"));
        vec![
            ("03-released", "05-released", released(Release::Cleared)),
            ("03-redeemed", "05-redeemed", released(Release::Taken)),
            ("03-rejected", "05-rejected", Outcome::Rejected { at: moment(NOW, NOW), by: Actor::ThisDevice }),
            (
                "03-rejected-elsewhere",
                "05-rejected-elsewhere",
                Outcome::Rejected { at: moment(NOW, NOW), by: ipad.clone() },
            ),
            ("03-cancelled", "05-cancelled", cancelled(Stopper::Link, here())),
            ("03-cancelled-device", "05-cancelled-device", cancelled(Stopper::Holder(ipad), here())),
            ("03-cancelled-backend", "05-cancelled-backend", cancelled(Stopper::Backend, None)),
            ("03-unreachable", "05-unreachable", cancelled(Stopper::Unreachable, here())),
            ("03-expired", "05-expired", expired(Lapse::Unanswered)),
            ("03-expired-not-taken", "05-expired-not-taken", expired(Lapse::NotTaken)),
        ]
    }

    fn ends(&self) -> Pages {
        Self::outcomes()
            .into_iter()
            .map(|(name, _, outcome)| {
                let page = EndPage::new(self.frame(), Self::device(), self.deal(), outcome);
                Ok((name, page.render()?))
            })
            .collect()
    }

    fn links(&self) -> Pages {
        let ask = |stoppable: Stoppable| CancelPage {
            frame: self.frame(),
            token: TOKEN.to_owned(),
            deal: self.masked(),
            stoppable,
        };
        let over = |end: LinkEnd| CancelOverPage { frame: self.frame(), deal: self.masked(), end };
        let at = || moment(NOW, NOW - MINUTE);
        Ok(vec![
            ("04-cancel-pending", ask(Stoppable::Pending(Self::deadline())).render()?),
            ("04-cancel", ask(Stoppable::Cooling(moment(NOW, APPROVED + HOLD))).render()?),
            ("04-cancel-released", ask(Stoppable::Released(at())).render()?),
            ("04-cancel-done", over(LinkEnd::Stopped(at())).render()?),
            ("04-cancel-rejected", over(LinkEnd::Rejected(at())).render()?),
            ("04-cancel-expired", over(LinkEnd::Expired(at())).render()?),
            ("04-cancel-late", over(LinkEnd::TooLate(at())).render()?),
        ])
    }

    fn waiting(&self) -> Pages {
        let asked = moment(NOW, ASKED);
        let pending = |told: Sent| {
            WaitingPage::new(
                self.frame(),
                Self::link(),
                self.deal(),
                &asked,
                Self::deadline(),
                HOLD,
                Handover { told, address: "approve.harbour.example".to_owned(), page_token: "v1.wait".to_owned() },
            )
        };
        let cooling = WaitingCoolingPage::new(
            self.frame(),
            Self::link(),
            self.deal(),
            &asked,
            &Self::approved(Actor::Device(Given::new("Priya’s Pixel"))),
            Self::clock(),
        );
        let mut pages = vec![
            ("05-waiting", pending(Sent::Message).render()?),
            ("05-waiting-no-notice", pending(Sent::Nothing).render()?),
            ("05-waiting-cooling", cooling.render()?),
        ];
        for (_, name, outcome) in Self::outcomes() {
            let page = WaitingEndPage::new(self.frame(), Self::link(), self.deal(), &asked, outcome);
            pages.push((name, page.render()?));
        }
        Ok(pages)
    }

    fn enrolling(&self) -> Pages {
        let ask = |proof: Proof, device_hold: Option<&str>| EnrolPage {
            frame: self.frame(),
            token: TOKEN.to_owned(),
            deadline: Deadline::new(NOW, NOW + 8 * MINUTE),
            proof,
            device_hold: device_hold.map(str::to_owned),
        };
        let done = |usable: Usable, notices: Notices| EnrolledPage {
            frame: self.frame(),
            device: Given::new("Priya’s Pixel"),
            usable,
            notices,
        };
        let later = Usable::From(moment(NOW, NOW + 710 * MINUTE));
        Ok(vec![
            ("06-enrol", ask(Proof::CodeSentTo(Given::new("p••••@example.com")), Some("12 hours")).render()?),
            ("06-enrol-further", ask(Proof::Approved, None).render()?),
            ("06-enrol-declined", EnrolDeclinedPage { frame: self.frame() }.render()?),
            ("06-enrolled", done(later, Notices::Offered).render()?),
            ("06-enrolled-now", done(Usable::Now, Notices::Offered).render()?),
            ("06-enrolled-no-notices", done(Usable::Now, Notices::Off).render()?),
        ])
    }

    fn homes(&self) -> Pages {
        let amount = Self::euros();
        let full = HomePage {
            frame: self.frame(),
            waiting: vec![HomeRow::waiting(ID, self.payee, &amount, &Self::deadline())],
            cooling: vec![HomeRow::cooling(
                ID,
                "Brightwell Solicitors LLP client account",
                &AmountText::new("48000.00", "GBP"),
                &moment(NOW, NOW + 19 * HOUR),
            )],
            lock: Lock::Open,
            overrides: vec![],
            lately: vec![
                HomeRow::past(ID, "Northern Gas", &AmountText::new("310.40", "GBP"), Stage::Released, "18 November"),
                HomeRow::past(ID, "دار السلام", &AmountText::new("900.00", "EUR"), Stage::Cancelled, "12 November"),
            ],
            notices: Notices::Offered,
        };
        let empty = |notices| HomePage {
            frame: self.frame(),
            waiting: vec![],
            cooling: vec![],
            lately: vec![],
            lock: Lock::Locked,
            overrides: vec![],
            notices,
        };
        Ok(vec![
            ("08-home", full.render()?),
            ("08-home-empty", empty(Notices::Offered).render()?),
            ("08-home-no-notices", empty(Notices::Off).render()?),
        ])
    }

    fn locks(&self) -> Pages {
        let page = |face: Face| LockPage { frame: self.frame(), face };
        let locked = |lift: Lift| page(Face::Locked(Locked { since: moment(NOW, ASKED), lift }));
        let end = || moment(NOW, NOW + 23 * HOUR);
        let veto = |action: Option<String>| VetoPage {
            frame: self.frame(),
            what: "Our staff want to unlock your transfers.".to_owned(),
            action,
            end: "It was stopped. You can close this page.".to_owned(),
        };
        Ok(vec![
            ("12-lock", page(Face::Ask("/lock".to_owned())).render()?),
            ("12-lock-link", page(Face::Ask(format!("/c/{TOKEN}/lock"))).render()?),
            ("13-locked", locked(Lift::NeedsStaff).render()?),
            ("13-locked-link", locked(Lift::Elsewhere(end())).render()?),
            ("13-locked-offered", locked(Lift::Offered(end(), "NzbLsXh8".to_owned(), "v1.page".to_owned())).render()?),
            ("13-locked-asked", locked(Lift::Asked(end())).render()?),
            ("14-veto", veto(Some(format!("/o/{TOKEN}"))).render()?),
            ("14-veto-over", veto(None).render()?),
        ])
    }

    fn errors(&self) -> Pages {
        let page = |trouble: Trouble, way: Way| ErrorPage { frame: self.frame(), trouble, way };
        let at = || moment(NOW, NOW - MINUTE);
        let wrong = Trouble::Wrong { request_id: "R-7C41-90DE".to_owned() };
        let slow = Trouble::SlowDown { again: moment(NOW, NOW + MINUTE) };
        Ok(vec![
            ("11-not-found", page(Trouble::NotFound, Way::Nowhere).render()?),
            ("11-link-ended", page(Trouble::LinkEnded, Way::Nowhere).render()?),
            ("11-changed", page(Trouble::Changed, Way::Approvals).render()?),
            ("11-too-late", page(Trouble::TooLate { taken: at() }, Way::Approvals).render()?),
            ("11-locked", page(Trouble::Locked, Way::Approvals).render()?),
            ("11-slow-down", page(slow, Way::Approvals).render()?),
            ("11-wrong", page(wrong, Way::Nowhere).render()?),
            ("11-unavailable", page(Trouble::Unavailable, Way::Nowhere).render()?),
        ])
    }
}
