//! Dual sign-off has no way round it: nothing but a `Carry` reaches what an override does, nothing but two signatures
//! makes one, and no route, command, service or configuration names another way. Read from the source, as the layer
//! rule is, so that a new way shows up here before it is used.

use std::fs;
use std::path::PathBuf;

use countersign::web::console::{routes as console, scim};
use countersign::web::routes;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let name = path.strip_prefix(root()).expect("inside the project").display().to_string();
                found.push((name, product(&fs::read_to_string(&path).expect("source"))));
            }
        }
    }
    found.sort();
    assert!(found.len() > 1, "nothing to read in {folder}");
    found
}

/// Without comments, and without inline tests.
fn product(text: &str) -> String {
    let mark = "#[cfg(test)]\nmod tests {";
    let text = text.find(mark).map_or(text, |at| &text[..at]);
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn is_test(name: &str) -> bool {
    name.ends_with("/tests.rs") || name.contains("/tests/")
}

/// The files of the product in which a word stands.
fn users(word: &str) -> Vec<String> {
    let all = sources("src").into_iter().filter(|(name, _)| !is_test(name));
    all.filter(|(_, text)| text.contains(word)).map(|(name, _)| name).collect()
}

const TRANSITIONS: &str = "src/domain/override_request/transitions.rs";

#[test]
fn a_carry_is_made_in_one_place_out_of_two_signatures() {
    // Its fields are private to its module, so a literal anywhere else doesn't compile; here is that there is one.
    let text = fs::read_to_string(root().join(TRANSITIONS)).expect("source");
    let body = text.split_once("pub struct Carry {").expect("the type").1.split_once('}').expect("its end").0;
    assert!(!body.contains("pub "), "a public field would be another way to make one");
    assert!(
        !text.contains("impl Default for Carry") && !text.contains("Deserialize"),
        "nor may it be read from outside"
    );
    let makers: Vec<&str> =
        text.lines().filter(|line| line.contains("Carry::of(") || line.contains("-> Option<Self>")).collect();
    assert_eq!(makers.len(), 3, "the constructor, the second signature, the end of a hold: {makers:#?}");
    assert!(text.contains("fn of(request: &Request, signatures: &[Signature; 2],"), "two signatures, and private");
    assert!(!text.contains("pub fn of(request"), "private");
    assert_eq!(users("Carry {"), [TRANSITIONS]);
    assert_eq!(users("Carry::of("), [TRANSITIONS]);
}

#[test]
fn what_an_override_does_asks_for_a_carry() {
    for (file, asks) in [
        ("src/domain/approval/by_staff.rs", "pub fn approve_for_holder(self, carry: &Carry,"),
        ("src/domain/freeze.rs", "pub fn unfreeze(self, carry: &Carry,"),
        ("src/ports/overrides.rs", "ResetDevices(Box<Carry>)"),
    ] {
        let text = fs::read_to_string(root().join(file)).expect("source");
        assert!(text.contains(asks), "{file} has {asks}");
    }
    // A decision of staff, and the end of a freeze by an override, are values that only those two can make: their fields
    // are private, so another maker doesn't compile. Here is that they stay so.
    for (file, made) in [
        ("src/domain/approval/decision.rs", "pub struct StaffDecision {\n    override_request: OverrideId,"),
        ("src/domain/approval/decision.rs", "pub const fn of(carry: &Carry) -> Self"),
        ("src/domain/freeze.rs", "pub struct ByOverride(OverrideId);"),
    ] {
        assert!(fs::read_to_string(root().join(file)).expect("source").contains(made), "{file} has {made}");
    }
    let frees: Vec<String> =
        users("FreezeState::Ended {").into_iter().filter(|n| !n.starts_with("src/adapters")).collect();
    assert_eq!(
        frees,
        ["src/domain/freeze.rs", "src/service/freeze.rs", "src/web/device/lock.rs"],
        "made in the first, read in the others"
    );
}

#[test]
fn the_services_reach_it_in_one_folder() {
    let home = "src/service/override_request/";
    for word in [".approve_for_holder(", ".unfreeze(", "Also::ResetDevices(", "Effect::Override("] {
        let outside: Vec<String> = users(word)
            .into_iter()
            .filter(|name| !name.starts_with(home) && !name.starts_with("src/adapters/storage"))
            .collect();
        assert!(outside.is_empty(), "{word} stands in {outside:?}");
    }
    assert_eq!(users("Event::SignedTwice").iter().filter(|n| n.starts_with("src/service")).count(), 0);
    // Every use of the record's effect goes through the one function that puts in the caps.
    let changes: Vec<String> = users("OverrideWrite {").into_iter().filter(|n| n.starts_with("src/service")).collect();
    assert_eq!(changes, ["src/service/override_request/mod.rs"]);
}

/// Every route that does something, of both listeners. None of them releases, and none but `sign` leads to an override.
const ACTS: &[&str] = &[
    "api DELETE /v1/holders/{subject}",
    "api DELETE /v1/webhooks/endpoints/{id}",
    "api PATCH /v1/webhooks/endpoints/{id}",
    "api POST /v1/approvals",
    "api POST /v1/approvals/{id}/cancel",
    "api POST /v1/approvals/{id}/redeem",
    "api POST /v1/holders",
    "api POST /v1/holders/{subject}/enrolments",
    "api POST /v1/notices/{id}/bounced",
    "api POST /v1/webhooks/endpoints",
    "api POST /v1/webhooks/endpoints/{id}/deliveries/{delivery}/redeliver",
    "api POST /v1/webhooks/endpoints/{id}/rotate",
    "api POST /v1/webhooks/endpoints/{id}/test",
    "console DELETE /Users/{id}",
    "console PATCH /Users/{id}",
    "console POST /Users",
    "console POST /audit",
    "console POST /cases/{case}/prompt",
    "console POST /cases/{case}/redraw",
    "console POST /cases/{case}/refuse",
    "console POST /cases/{case}/sign",
    "console POST /cases/{case}/stop",
    "console POST /holders",
    "console POST /join/{token}/finish",
    "console POST /join/{token}/prove",
    "console POST /join/{token}/start",
    "console POST /looks/{view}/lock",
    "console POST /looks/{view}/override",
    "console POST /looks/{view}/{approval}/cancel",
    "console POST /looks/{view}/{approval}/extend",
    "console POST /looks/{view}/{approval}/reveal",
    "console POST /report",
    "console POST /sign-in/finish",
    "console POST /sign-in/start",
    "console POST /sign-out",
    "console POST /staff/changes/{change}/prompt",
    "console POST /staff/changes/{change}/refuse",
    "console POST /staff/changes/{change}/sign",
    "console POST /staff/draft",
    "console POST /staff/propose",
    "console POST /staff/{staff}/end",
    "console PUT /Users/{id}",
    "web POST /a/{approval}/approve",
    "web POST /a/{approval}/cancel",
    "web POST /a/{approval}/prompt",
    "web POST /a/{approval}/reject",
    "web POST /c/{token}",
    "web POST /c/{token}/lock",
    "web POST /e/{token}/decline",
    "web POST /e/{token}/finish",
    "web POST /e/{token}/prove",
    "web POST /e/{token}/start",
    "web POST /l/{token}",
    "web POST /lock",
    "web POST /lock/lift",
    "web POST /lock/prompt",
    "web POST /o/{token}",
    "web POST /overrides/{request}/stop",
    "web POST /push/subscribe",
    "web POST /w/{token}/cancel",
    "web POST /w/{token}/open",
];

#[test]
fn the_routes_that_do_something_are_these() {
    let inside = console::OPEN.iter().chain(console::ENTRANCE).chain(console::INSIDE).chain(scim::ROUTES);
    let pages = routes::OPEN.iter().chain(routes::PAGES).map(|route| ("web", route.method, route.path));
    let console = inside.map(|route| ("console", route.method, route.path));
    let api = countersign::web::api::ROUTES.iter().map(|route| ("api", route.method.as_str(), route.path));
    let acts = pages.chain(console).chain(api).filter(|(_, method, _)| *method != "GET");
    let mut found: Vec<String> = acts.map(|(listener, method, path)| format!("{listener} {method} {path}")).collect();
    found.sort();
    for route in &found {
        assert!(ACTS.contains(&route.as_str()), "{route} is new: does it need two signatures?");
    }
    assert_eq!(found, ACTS, "one is gone");
}

/// What is exempt from the checks before it, by the rows of the tables. It may only ever stop something.
#[test]
fn what_is_exempt_only_stops() {
    use countersign::web::table::Kind;
    let all = || routes::PAGES.iter().chain(console::ENTRANCE).chain(console::INSIDE).chain(routes::OPEN);
    let of = |kind: Kind| all().filter(|route| route.kind == kind).map(|route| route.path).collect::<Vec<_>>();
    assert_eq!(
        of(Kind::StopsByLink),
        ["/c/{token}", "/c/{token}/lock", "/l/{token}", "/o/{token}", "/e/{token}/decline"]
    );
    assert_eq!(
        of(Kind::Stops),
        [
            "/a/{approval}/reject",
            "/a/{approval}/cancel",
            "/lock",
            "/overrides/{request}/stop",
            "/w/{token}/cancel",
            "/cases/{case}/refuse",
            "/cases/{case}/stop",
            "/looks/{view}/lock",
            "/looks/{view}/{approval}/cancel",
            "/staff/{staff}/end",
        ]
    );
    assert!(all().filter(|route| route.kind.stops()).all(|route| route.method == "POST"));
    assert_eq!(of(Kind::Watches), ["/cases/status", "/cases/{case}/status", "/staff/status"]);
    assert!(all().filter(|route| route.kind == Kind::Watches).all(|route| route.method == "GET"));
}

#[test]
fn neither_the_command_line_nor_the_configuration_knows_overrides() {
    let mut outside = sources("src/config");
    outside.extend(sources("src/cli").into_iter().filter(|_| root().join("src/cli").is_dir()));
    let main = fs::read_to_string(root().join("src/main.rs")).expect("source");
    outside.push(("src/main.rs".to_owned(), product(&main)));
    for (name, text) in outside {
        // One section makes the caps lower, and nothing else; tests/it/configuration.rs tries to raise them.
        let text = match name.as_str() {
            "src/config/overrides.rs" | "src/config/mod.rs" => {
                text.replace("override_request::Caps", "").replace("Caps", "")
            }
            _ => text,
        };
        for word in ["override_request", "unfreeze", "reset_devices", "approve_for_holder", "Carry", "Caps"] {
            assert!(!text.contains(word), "{name} names {word}");
        }
    }
    // The command line itself, as it is built.
    let help = std::process::Command::new(env!("CARGO_BIN_EXE_countersign")).arg("help").output().expect("the binary");
    let help = String::from_utf8_lossy(&help.stdout).to_lowercase();
    assert!(help.contains("serve"), "{help}");
    for word in ["override", "unfreeze", "reset", "approve"] {
        assert!(!help.contains(word), "{word}: {help}");
    }
}
