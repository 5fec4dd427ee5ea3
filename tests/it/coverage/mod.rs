//! Who may do what, on every route of both listeners: the tables from which the routes are registered, times everybody
//! who could ask, over real HTTP. What is allowed stands in [`expected`]; everything else is refused, and leaves the
//! record as it was.

mod expected;
mod hostile;
mod people;
mod requests;
mod signed;
mod world;

use countersign::web::console::{routes as console, scim};
use countersign::web::{api, routes};
use std::collections::BTreeSet;
use std::path::Path;

use expected::{EXPECTED, Expected, Gate};
use people::Caller;
use requests::Body;
use world::World;

/// Routes that ask nobody who they are. Only a decision makes this number larger.
const OPEN_TO_ALL: usize = 16;
/// Routes that ask for nothing but a link. The same.
const BY_LINK: usize = 22;

/// Routes that ask for nothing but a passkey's signature. The same.
const BY_PASSKEY: usize = 1;

/// Every route that there is.
fn registered() -> BTreeSet<(&'static str, String, String)> {
    let mut all = BTreeSet::new();
    for route in routes::OPEN.iter().chain(routes::PAGES) {
        all.insert(("public", route.method.to_owned(), route.path.to_owned()));
    }
    for route in api::ROUTES {
        all.insert(("public", route.method.to_string(), route.path.to_owned()));
    }
    for route in console::OPEN.iter().chain(console::ENTRANCE).chain(console::INSIDE) {
        all.insert(("console", route.method.to_owned(), route.path.to_owned()));
    }
    for route in scim::ROUTES {
        all.insert(("console", route.method.to_owned(), format!("/scim/v2{}", route.path)));
    }
    all
}

#[test]
fn every_route_has_an_expectation_and_no_expectation_is_of_a_route_that_is_gone() {
    let expected: BTreeSet<_> = EXPECTED
        .iter()
        .map(|(listener, method, path, _)| (*listener, (*method).to_owned(), (*path).to_owned()))
        .collect();
    assert_eq!(expected.len(), EXPECTED.len(), "one line for each route");
    let registered = registered();
    let new: Vec<_> = registered.difference(&expected).collect();
    assert!(new.is_empty(), "say in tests/it/coverage/expected.rs who gets in: {new:#?}");
    let gone: Vec<_> = expected.difference(&registered).collect();
    assert!(gone.is_empty(), "gone: {gone:#?}");
}

#[test]
fn exemptions_are_counted() {
    let count = |is: fn(&Gate) -> bool| EXPECTED.iter().filter(|(.., gate)| is(gate)).count();
    assert_eq!(count(|gate| *gate == Gate::Open), OPEN_TO_ALL);
    assert_eq!(count(|gate| matches!(gate, Gate::Link(_))), BY_LINK);
    assert_eq!(count(|gate| *gate == Gate::Passkey), BY_PASSKEY);
}

#[test]
fn routes_are_registered_from_the_tables_only() {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web")];
    let mut outside = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let table = path.ends_with("web/table.rs") || path.ends_with("web/api/mod.rs");
            let registers = ["web::resource(", ".route(\"", "#[get(", "#[post(", "#[route("];
            if !table && registers.iter().any(|word| text.contains(word)) {
                outside.push(path);
            }
        }
    }
    assert!(outside.is_empty(), "{outside:?} register routes past the tables");
}

/// Nobody is let in, or what the link led to is over.
fn is_refused(status: u16) -> bool {
    matches!(status, 401 | 403 | 404 | 410)
}

/// Whether an answer lets somebody in. That the request itself may be wrong doesn't keep them out.
fn lets_in(status: u16) -> bool {
    !is_refused(status) && status < 500
}

/// Whether somebody who isn't named at a route was answered as they must be.
fn keeps_out(gate: Gate, status: u16) -> bool {
    match gate {
        Gate::Open => !matches!(status, 401 | 403),
        Gate::Link(_) | Gate::Only(_) => is_refused(status),
        // Whether the signature or the person is looked at first, it ends there.
        Gate::Signature(_) | Gate::Passkey => (400..500).contains(&status),
    }
}

const fn named(gate: Gate) -> &'static [&'static str] {
    match gate {
        Gate::Only(names) | Gate::Signature(names) => names,
        Gate::Open | Gate::Link(_) | Gate::Passkey => &[],
    }
}

/// What was found wrong so far.
#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    fn note(&mut self, row: &Expected, who: &str, status: u16, text: &str) {
        let text: String = text.chars().take(160).collect();
        self.0.push(format!("{} {} as {who}: {status} {text}", row.1, row.2));
    }

    #[track_caller]
    fn none(self) {
        assert!(self.0.is_empty(), "{} faults:\n{}", self.0.len(), self.0.join("\n"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_gets_in_who_is_not_named() {
    let (mut world, _alive) = World::new().await;
    let mut faults = Faults::default();
    let mut met = BTreeSet::new();
    for row in EXPECTED {
        let (listener, method, path, gate) = *row;
        world.prepare(row).await;
        let (address, right) = (world.address(path), world.body(row).await);
        // The signature is all that a passkey's route asks for, so nobody else may have it.
        let body = if gate == Gate::Passkey { right.spoilt() } else { right.clone() };
        // Those who don't get in come first, so that they meet what they ask about as it was.
        let enters = |caller: &Caller| named(gate).contains(&caller.name.as_str());
        let (let_in, refused): (Vec<Caller>, Vec<Caller>) = world.everybody().into_iter().partition(enters);
        assert_eq!(let_in.len(), named(gate).len(), "{path} names somebody who isn't there");
        let before = world.record().await;
        for caller in &refused {
            met.insert(caller.name.clone());
            let (status, text) = world.ask(listener, method, &address, &body, caller).await;
            if !keeps_out(gate, status) {
                faults.note(row, &caller.name, status, &world.hide(&text));
            }
        }
        if let Gate::Link(kind) = gate {
            for (name, address) in world.other_links(path, kind) {
                let (status, text) = world.ask(listener, method, &address, &body, &Caller::anonymous()).await;
                if !keeps_out(gate, status) {
                    faults.note(row, &name, status, &world.hide(&text));
                }
            }
        }
        let after = world.record().await;
        let changed: Vec<_> = before.keys().filter(|table| before[*table] != after[*table]).collect();
        // What is open to all may write; that is looked at where it is.
        if !changed.is_empty() && gate != Gate::Open {
            faults.0.push(format!("{method} {path}: refused, and yet {changed:?} changed"));
        }
        for caller in &let_in {
            // What one of them uses up is made anew for the next, and who is drawn changes with the case.
            if method == "DELETE" || path.ends_with("/redraw") {
                world.prepare(row).await;
            }
            let caller = &world.caller(&caller.name);
            let address = world.address(path);
            let (status, text) = world.ask(listener, method, &address, &body, caller).await;
            if !lets_in(status) {
                faults.note(row, &caller.name, status, &world.hide(&text));
            }
        }
        let whoever = match gate {
            Gate::Link(kind) => Some(("whoever has the link", world.link(path, kind))),
            Gate::Passkey => Some(("whoever signed", address)),
            Gate::Open | Gate::Only(_) | Gate::Signature(_) => None,
        };
        if let Some((who, address)) = whoever {
            let (status, text) = world.ask(listener, method, &address, &right, &Caller::anonymous()).await;
            if !lets_in(status) {
                faults.note(row, who, status, &world.hide(&text));
            }
        }
    }
    faults.none();
    for kind in ["anonymous", "key of nothing", "revoked key", "removed device", "ended", "agent over", "signed out"] {
        assert!(met.contains(kind), "{kind} was never tried");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_other_method_does_anything_for_anybody() {
    let (world, _alive) = World::new().await;
    let known = registered();
    let before = world.record().await;
    let mut faults = Faults::default();
    for row in EXPECTED {
        let (listener, _, path, _) = *row;
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            if known.contains(&(listener, method.to_owned(), path.to_owned())) {
                continue;
            }
            let address = world.address(path);
            for caller in world.everybody() {
                let (status, text) = world.ask(listener, method, &address, &Body::Nothing, &caller).await;
                if !is_refused(status) && status != 405 {
                    faults.note(&(listener, method, path, Gate::Open), &caller.name, status, &world.hide(&text));
                }
            }
        }
    }
    faults.none();
    assert_eq!(world.record().await, before);
}

/// The log is public but for its entries: they are on the console, for auditors, and nowhere else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_public_log_has_no_entries() {
    let (world, _alive) = World::new().await;
    for address in ["/log/tile/entries/000", "/log/tile/entries/000.p/5", "/log/entries", "/log/entries/0"] {
        for caller in world.everybody() {
            for listener in ["public", "console"] {
                let (status, text) = world.ask(listener, "GET", address, &Body::Nothing, &caller).await;
                assert!(is_refused(status), "{address} as {}: {status} {text}", caller.name);
            }
        }
    }
}
