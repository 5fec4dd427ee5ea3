//! Rules that every page keeps, checked on every sample: structure, escaping, policy of scripts, and where the brake
//! must stand.

use super::RenderError;
use super::device::APPROVE_TEMPLATE;
use super::frame::Profile;
use super::samples::{HOSTILE, samples, samples_with};
use std::path::{Path, PathBuf};

type Checked = Result<(), RenderError>;

/// Pages on which the state can still be stopped.
const STOPPABLE: [&str; 24] = [
    "01-approve",
    "01-approve-long",
    "02-cooling",
    "02-cooling-long",
    "02-cooling-over",
    "03-released",
    "04-cancel-pending",
    "04-cancel",
    "04-cancel-released",
    "05-waiting",
    "05-waiting-no-notice",
    "05-waiting-cooling",
    "05-released",
    "07-same-browser",
    "07-same-browser-only",
    "07-too-new",
    "07-unproved",
    "07-device-bound",
    "07-locked",
    "12-lock",
    "12-lock-link",
    "13-locked-offered",
    "13-locked-asked",
    "14-veto",
];

/// Whether it is a page of the console, which has no bar at the bottom and shows more at once.
fn of_console(name: &str) -> bool {
    name.starts_with('2')
}

fn count(html: &str, what: &str) -> usize {
    html.matches(what).count()
}

/// Every start tag, from `<` to `>`.
fn tags(html: &str) -> impl Iterator<Item = &str> {
    html.split('<').skip(1).filter_map(|rest| rest.split_once('>').map(|(tag, _)| tag))
}

fn values<'a>(html: &'a str, attribute: &str) -> Vec<&'a str> {
    let open = format!(" {attribute}=\"");
    html.split(open.as_str()).skip(1).filter_map(|rest| rest.split_once('"').map(|(value, _)| value)).collect()
}

/// What a person reads, without the markup around it.
fn words(html: &str) -> impl Iterator<Item = &str> {
    html.split('<').filter_map(|part| part.split_once('>')).flat_map(|(_, text)| text.split_whitespace())
}

fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn every_page_has_one_heading_a_language_and_a_title() -> Checked {
    for (name, html) in samples()? {
        assert_eq!(count(&html, "<h1"), 1, "{name}");
        assert!(html.starts_with("<!doctype html>\n<html lang=\"en\" dir=\"ltr\">"), "{name}");
        assert!(!html.contains("<title> –"), "{name}");
        assert_eq!(count(&html, "<main"), 1, "{name}");
        assert_eq!(count(&html, "href=\"/static/app.css\""), 1, "{name}");
    }
    Ok(())
}

#[test]
fn no_page_carries_a_script_or_a_style_of_its_own() -> Checked {
    for (name, html) in samples()? {
        assert!(!html.contains("<style"), "{name}");
        assert!(!html.contains("javascript:"), "{name}");
        for tag in tags(&html) {
            if tag.starts_with("script") {
                assert!(tag.contains(" src=\"/static/"), "{name}: {tag}");
            }
            for attribute in tag.split([' ', '\n']).skip(1) {
                assert!(!attribute.starts_with("style="), "{name}: {tag}");
                assert!(!attribute.starts_with("on"), "{name}: {tag}");
            }
        }
        assert!(!html.contains("></script><"), "{name}: scripts are one a line");
    }
    Ok(())
}

#[test]
fn what_a_stranger_wrote_stays_text() -> Checked {
    for (name, html) in samples_with(HOSTILE, Profile::Live)? {
        assert!(!html.contains("<script>"), "{name}");
        assert!(!tags(&html).any(|tag| tag.contains("onload")), "{name}");
        assert!(!html.contains(['\u{202e}', '\u{2066}']), "{name}");
    }
    let pages = samples_with(HOSTILE, Profile::Live)?;
    let approve = pages.iter().find(|(name, _)| *name == "01-approve");
    assert!(approve.is_some_and(|(_, html)| html.contains("&#60;script&#62;alert(1)&#60;/script&#62;\u{fffd}&#34;")));
    Ok(())
}

#[test]
fn the_brake_stands_wherever_it_still_works_and_nowhere_else() -> Checked {
    for (name, html) in samples()?.into_iter().filter(|(name, _)| !of_console(name)) {
        let brakes = count(&html, "class=\"btn btn--stop\"");
        let expected =
            if STOPPABLE.contains(&name) || name.starts_with("06-enrol") && html.contains("/decline") { 1 } else { 0 };
        assert_eq!(brakes, expected, "{name}");
        if brakes == 1 {
            assert_eq!(count(&html, "id=\"stop\""), 1, "{name}");
            assert!(html.contains("href=\"#stop\""), "{name}");
        }
    }
    Ok(())
}

#[test]
fn every_brake_is_a_form_of_its_own_page() -> Checked {
    for (name, html) in samples()? {
        let expected: &[&str] = match name {
            "03-released" => &["/a/01K9V6M3Q2ZB8T5D4N7XW0YHRC/cancel"],
            _ if name.starts_with("01-") || STOPPABLE.contains(&name) && name.starts_with("07-") => {
                &["/a/01K9V6M3Q2ZB8T5D4N7XW0YHRC/reject"]
            }
            _ if name.starts_with("02-") => &["/a/01K9V6M3Q2ZB8T5D4N7XW0YHRC/cancel"],
            _ if STOPPABLE.contains(&name) && name.starts_with("04-") => &["/c/kq3W9bT1v0xJ6mZ2pL8sYd"],
            _ if STOPPABLE.contains(&name) && name.starts_with("05-") => &["/w/kq3W9bT1v0xJ6mZ2pL8sYd/cancel"],
            "06-enrol" | "06-enrol-further" => {
                &["/e/kq3W9bT1v0xJ6mZ2pL8sYd/start", "/e/kq3W9bT1v0xJ6mZ2pL8sYd/decline"]
            }
            "12-lock" | "13-locked-offered" | "13-locked-asked" => &["/lock"],
            "12-lock-link" => &["/c/kq3W9bT1v0xJ6mZ2pL8sYd/lock"],
            "14-veto" => &["/o/kq3W9bT1v0xJ6mZ2pL8sYd"],
            _ => &[],
        };
        // The console's forms are its own, too; one that signs has no action, and its script asks for the passkey.
        if of_console(name) {
            assert!(values(&html, "action").iter().all(|action| action.starts_with('/')), "{name}");
            let signing = values(&html, "id").iter().filter(|id| ["sign", "join"].contains(id)).count();
            assert_eq!(count(&html, "<form"), count(&html, "method=\"post\"") + signing, "{name}");
            continue;
        }
        assert_eq!(values(&html, "action"), expected, "{name}");
        assert_eq!(count(&html, "<form"), count(&html, "method=\"post\""), "{name}");
    }
    Ok(())
}

#[test]
fn a_page_of_the_initiating_side_or_of_a_link_leads_to_no_approval() -> Checked {
    for (name, html) in samples()? {
        if !(name.starts_with("04-") || name.starts_with("05-")) {
            continue;
        }
        for href in values(&html, "href") {
            assert!(!href.starts_with("/a/"), "{name}: {href}");
            assert_ne!(href, "/", "{name}");
        }
        assert!(!html.contains("id=\"approve\""), "{name}");
        assert!(!html.contains("device.js"), "{name}");
    }
    Ok(())
}

#[test]
fn a_link_in_a_notice_shows_no_whole_value_and_needs_no_script() -> Checked {
    for (name, html) in samples()? {
        if name.starts_with("04-") {
            assert!(!html.contains("Marta") && !html.contains("Nowak"), "{name}");
            assert!(!html.contains("PL61") && !html.contains("1981"), "{name}");
            assert!(html.contains("M•••• N••••") && html.contains(">2874<"), "{name}");
            assert!(!html.contains("<script"), "{name}");
        }
    }
    Ok(())
}

#[test]
fn a_page_that_decides_shows_the_account_whole() -> Checked {
    for (name, html) in samples()? {
        if name == "01-approve" {
            let four = |four: &str| html.contains(&format!("<span>{four}</span>"));
            assert!(["PL61", "1090", "1014", "0000", "0712", "1981", "2874"].into_iter().all(four));
            assert!(html.contains("Approve 12,500.00 EUR</button>"));
            assert!(html.contains("name given by the sender"));
            assert!(html.contains("<strong>15 minutes</strong>"));
        }
    }
    Ok(())
}

#[test]
fn the_fixed_line_stands_under_the_heading_of_every_unsent_transfer() -> Checked {
    const SENT_OR_UNKNOWN: [&str; 7] = [
        "03-released",
        "03-redeemed",
        "05-released",
        "05-redeemed",
        "04-cancel-released",
        "04-cancel-late",
        "07-unknown",
    ];
    for (name, html) in samples()? {
        let about_a_transfer = ["01-", "02-", "03-", "04-", "05-", "07-"].iter().any(|kind| name.starts_with(kind));
        let not_sent = count(&html, "This money has not been sent.");
        let expected = usize::from(about_a_transfer && !SENT_OR_UNKNOWN.contains(&name));
        assert_eq!(not_sent, expected, "{name}");
    }
    Ok(())
}

/// Whoever fears a scam reads first what helps.
#[test]
fn the_call_stands_above_what_was_released() -> Checked {
    for (name, html) in samples()?.into_iter().filter(|(name, _)| ["03-released", "03-redeemed"].contains(name)) {
        assert!(html.find("Think it was a scam?") < html.find("deal__main"), "{name}");
        assert_eq!(count(&html, "Think it was a scam?"), 1, "{name}");
    }
    Ok(())
}

#[test]
fn a_browser_we_do_not_know_learns_nothing() -> Checked {
    for (name, html) in samples()? {
        if name == "07-unknown" {
            assert!(!html.contains("12,") && !html.contains("Marta") && !html.contains("01K9V6"));
        }
    }
    Ok(())
}

/// Two drawn people of staff can approve instead of a holder, so no page says that nobody can.
#[test]
fn a_holder_without_a_device_is_told_the_truth_about_staff() -> Checked {
    let mut told = 0;
    for (name, html) in samples()? {
        assert!(!html.contains("obody there can approve"), "{name}");
        told += count(&html, "One person there can’t approve it for you, and nobody will ring you to do it.");
    }
    assert_eq!(told, 1, "07-same-browser-only says it");
    Ok(())
}

#[test]
fn pages_do_not_promise_what_is_not_built() -> Checked {
    for (name, html) in samples()? {
        let later = ["6 numbers from the screen", "receipt"];
        let further_devices = ["phone again", "second phone", "how to add"];
        let texts = ["email or text", "your number."];
        for word in later.iter().chain(&further_devices).chain(&texts) {
            assert!(!html.contains(word), "{name}: {word}");
        }
        if name.ends_with("-no-notices") {
            assert!(!html.contains("otices") && !html.contains("<script"), "{name} offers what it doesn't have");
        }
    }
    Ok(())
}

#[test]
fn ids_are_unique_and_every_reference_resolves() -> Checked {
    for (name, html) in samples()? {
        let ids = values(&html, "id");
        for id in &ids {
            assert_eq!(ids.iter().filter(|other| *other == id).count(), 1, "{name}: {id}");
        }
        let mut wanted: Vec<&str> = values(&html, "for");
        for attribute in ["aria-describedby", "aria-labelledby"] {
            wanted.extend(values(&html, attribute).iter().flat_map(|list| list.split(' ')));
        }
        wanted.extend(values(&html, "href").iter().filter_map(|href| href.strip_prefix('#')));
        for id in wanted {
            assert!(ids.contains(&id), "{name}: {id}");
        }
    }
    Ok(())
}

#[test]
fn clock_times_name_their_zone() -> Checked {
    for (name, html) in samples()? {
        // Outside of them no script finds a moment, and a page would have two clocks.
        let marked = html
            .split("<time ")
            .skip(1)
            .filter(|rest| rest.split("</time>").next().is_some_and(|t| t.ends_with(" UTC")));
        let all = count(&html, " UTC");
        assert!(of_console(name) || all == marked.count(), "{name}: {all} moments");
        for text in html.split("<time ").skip(1) {
            let told = text.split_once('>').and_then(|(_, rest)| rest.split_once("</time>"));
            assert!(told.is_some_and(|(told, _)| told.ends_with(" UTC")), "{name}: {text:.80}");
        }
    }
    Ok(())
}

#[test]
fn only_a_live_profile_goes_without_a_banner() -> Checked {
    for (name, html) in samples()? {
        assert_eq!(
            count(
                &html,
                "Demo: holds are seconds long, but what staff decide for a holder waits a day. Not for real money."
            ),
            1,
            "{name}"
        );
    }
    for (name, html) in samples_with("Marta Nowak", Profile::Bench)? {
        assert_eq!(count(&html, "Not for real money."), 1, "{name}");
    }
    for (name, html) in samples_with("Marta Nowak", Profile::Live)? {
        assert_eq!(count(&html, "Not for real money."), 0, "{name}");
    }
    Ok(())
}

#[test]
fn no_page_is_longer_than_sense() -> Checked {
    for (name, html) in samples()? {
        // A signer decides on one page.
        let (bytes, most) = if of_console(name) { (12_000, 480) } else { (9_000, 330) };
        assert!(html.len() < bytes, "{name}: {}", html.len());
        let words = words(&html).count();
        assert!(words < most, "{name}: {words}");
    }
    Ok(())
}

/// A signature over an approval commits to [`APPROVE_TEMPLATE`] as the name of what was on the screen, so one name may
/// never stand for two texts. Whoever changes the words of the approve page raises the name and sets the sum that this
/// test prints.
#[test]
fn the_words_of_the_approve_page_change_only_with_its_name() -> Checked {
    for (name, html) in samples_with("Marta Nowak", Profile::Live)? {
        if name == "01-approve" {
            // FNV-1a, 64 bits: it guards against forgetting, not against an attacker.
            let sum = words(&html).flat_map(str::bytes).fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
                (sum ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
            });
            assert_eq!((APPROVE_TEMPLATE, format!("{sum:016x}")), ("device/approve/4", "1f09c7ec31bbc647".to_owned()));
        }
    }
    Ok(())
}

#[test]
fn every_file_a_page_names_is_there() -> Checked {
    for (name, html) in samples()? {
        for path in values(&html, "src").into_iter().chain(values(&html, "href")) {
            if path.starts_with("/static/") {
                assert!(in_repository(&path[1..]).is_file(), "{name}: {path}");
            }
        }
    }
    for file in ["manifest.webmanifest", "sw.js", "icon-192.png", "icon-512.png", "badge-96.png"] {
        assert!(in_repository("static").join(file).is_file(), "{file}");
    }
    Ok(())
}

#[test]
fn no_script_turns_text_into_markup_or_code() -> std::io::Result<()> {
    for entry in std::fs::read_dir(in_repository("static"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "js") {
            let source = std::fs::read_to_string(&path)?;
            for sink in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"] {
                assert!(!source.contains(sink), "{}: {sink}", path.display());
            }
        }
    }
    Ok(())
}

#[test]
fn the_style_sheet_knows_no_left_and_right() -> std::io::Result<()> {
    let read = |file: &str| std::fs::read_to_string(in_repository("static").join(file));
    let sheet = [read("app.css")?, read("console.css")?].concat();
    let sides = ["margin", "padding", "border"].map(|of| [format!("{of}-left"), format!("{of}-right")]);
    for physical in
        sides.iter().flatten().map(String::as_str).chain([" left:", " right:", "float:", "align: left", "align: right"])
    {
        assert!(!sheet.contains(physical), "{physical}");
    }
    Ok(())
}
