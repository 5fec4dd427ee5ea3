//! What the README gives to paste: a shell runs it, line by line, against a whole service, with a holder's phone in
//! between. Only what the text leaves out is filled in: the origin, the key, the ids, and the demo's inbox for a mailbox.

use std::process::Command;
use std::time::Duration;

use countersign::domain::policy::Unproved;
use serde_json::Value;
use url::Url;

use crate::faults::gateway::Gateway;
use crate::faults::phone::Phone;
use crate::support::app::{Options, TestApp};
use crate::support::eventually::eventually;

const MAILBOX: &str = r#"{"kind":"email","address":"marta@example.org"}"#;
const INBOX: &str = r#"{"kind":"inbox","name":"marta"}"#;
/// Long polls until the transfer is released; each ends with its next version.
const POLLS: usize = 10;

/// The commands of a section's fence: what every one of them begins with, and each of them.
fn fence(heading: &str) -> (String, Vec<String>) {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).expect("the README");
    let (_, section) = readme.split_once(heading).expect("the section");
    let (_, fence) = section.split_once("```sh\n").expect("a fence");
    let (script, _) = fence.split_once("```").expect("its end");
    let mut commands = script.split("\ncurl ");
    let setting = commands.next().expect("a first line").to_owned();
    (setting, commands.map(|command| format!("curl {command}")).collect())
}

/// Runs one command in a shell and reads the JSON that it prints.
fn run(setting: &str, command: &str) -> Value {
    let script = format!("curl() {{ command curl --no-progress-meter --max-time 60 \"$@\"; }}\n{setting}\n{command}\n");
    let ran = Command::new("bash").args(["-euc", &script]).output().expect("a shell");
    let (said, errors) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{command}\n{said}\n{errors}");
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{command}\n{error}: {said}"))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("a text, not {value}"))
}

/// Fills in what the text leaves out, and fails when it isn't there to be filled in.
fn with(command: &str, left_out: &str, value: &str) -> String {
    assert!(command.contains(left_out), "{left_out} isn't in {command}");
    command.replace(left_out, value)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_curl_of_the_readme_moves_a_transfer_from_its_holder_to_its_receipt() {
    let unproved = Unproved::HoldFor(Duration::from_secs(1));
    let app = TestApp::start(Options { unproved, ..Options::default() }).await;
    let (setting, commands) = fence("## Integrate in ten lines");
    let origin = app.url.origin().ascii_serialization();
    let setting = with(&with(&setting, "https://approve.example", &origin), "cs_…", &app.secret);
    let [holder, enrolment, create, wait, redeem] = commands.try_into().expect("five commands");

    let made = run(&setting, &with(&holder, MAILBOX, INBOX));
    assert_eq!(made["subject"], "u-77", "{made}");
    let invited = run(&setting, &enrolment);
    for promised in ["url", "qr_svg", "expires_at"] {
        assert!(enrolment.contains(promised) && invited[promised].is_string(), "{promised}: {invited}");
    }
    let code = eventually("a code", async || app.inbox("marta").into_iter().find_map(|message| message.code)).await;
    let link: Url = text(&invited["url"]).parse().expect("a link");
    let gateway = Gateway::new(&origin, vec![app.url.port().expect("a port")], &app.secret);
    let mut phone = Phone::enrolled(&gateway, &link, &code).await;

    let created = run(&setting, &create);
    assert!(create.contains("\"waiting_url\"") && created["waiting_url"].is_string(), "{created}");
    let id = text(&created["id"]);
    let page = phone.look(id).await;
    let token = page.data("page-token").unwrap_or_else(|| panic!("{}", page.text)).to_owned();
    phone.approve(id, &token).await.expect(200);

    let wait = with(&wait, "apr_…", id);
    let released = (0..POLLS).map(|_| run(&setting, &wait)).find(|view| view["state"] == "released");
    let released = released.expect("a release");
    let redeem = with(&with(&redeem, "apr_…", id), r#""digest":"…""#, &format!("\"digest\":{}", released["digest"]));
    let redeemed = run(&setting, &redeem);
    assert!(text(&redeemed["receipt"]).starts_with("eyJ"), "{redeemed}");
    // The same again is the same answer: the README's keys are in it.
    assert_eq!(run(&setting, &redeem), redeemed);
}
