//! The layer rule and the habits of the source, checked by reading it. What the compiler can't refuse is refused here.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Which modules of the crate each one may import (its own name always; `lib.rs` has the rule in words).
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("ports", &["domain"]),
    ("service", &["domain", "ports"]),
    ("workers", &["domain", "ports", "service"]),
    ("web", &["domain", "ports", "service", "workers"]),
    ("adapters", &["domain", "ports"]),
    ("config", &["domain", "service", "demo"]),
    ("telemetry", &[]),
    ("app", &["domain", "ports", "service", "workers", "web", "adapters", "config", "telemetry"]),
    ("cli", &["adapters", "app", "config", "domain", "ports", "service", "web", "witness"]),
    ("keys", &["adapters", "ports"]),
    ("authenticator", &["domain"]),
    ("witness", &["domain", "ports"]),
    ("demo", &["domain", "ports", "service", "adapters", "config", "app", "authenticator"]),
];

/// Longest file: past this a second reason to exist has crept in.
const MAX_LINES: usize = 400;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "nothing to read in {}", folder.display());
    found
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).expect("inside the project").display().to_string()
}

/// The top module a source file belongs to: `src/web/error.rs` is of `web`.
fn module(path: &Path) -> String {
    let inside = path.strip_prefix(root().join("src")).expect("inside src");
    let first = inside.components().next().expect("a name").as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

/// The source without its inline tests, which may do what they like.
fn product(text: &str) -> &str {
    let mark = "#[cfg(test)]\n";
    let opens = |at: &usize| text[at + mark.len()..].lines().next().is_some_and(|line| line.ends_with('{'));
    let cut = text.match_indices(mark).map(|(at, _)| at).find(opens);
    cut.map_or(text, |at| &text[..at])
}

fn is_test_file(path: &Path) -> bool {
    let name = relative(path);
    name.ends_with("/tests.rs")
        || name.contains("/tests/")
        || name.ends_with("/samples.rs")
        || name.ends_with("/checks.rs")
}

fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(at, line)| (at + 1, line)).filter(|(_, line)| !line.trim_start().starts_with("//"))
}

#[test]
fn modules_import_only_what_their_layer_may() {
    let known: BTreeSet<&str> = MAY_IMPORT.iter().map(|(name, _)| *name).collect();
    let mut wrong = Vec::new();
    for path in files(&root().join("src"), "rs").into_iter().filter(|path| !is_test_file(path)) {
        let own = module(&path);
        if own == "main" || own == "lib" {
            continue;
        }
        let (_, may) = MAY_IMPORT.iter().find(|(name, _)| *name == own).unwrap_or_else(|| panic!("{own} has no rule"));
        let text = fs::read_to_string(&path).expect("source");
        for (at, line) in code_lines(product(&text)) {
            for (start, _) in line.match_indices("crate::") {
                let rest = &line[start + "crate::".len()..];
                let target: String = rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
                if known.contains(target.as_str()) && target != own && !may.contains(&target.as_str()) {
                    wrong.push(format!("{}:{at} imports {target}", relative(&path)));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "the layer rule is broken:\n{}", wrong.join("\n"));
}

#[test]
fn adapters_do_not_know_each_other() {
    let mut wrong = Vec::new();
    for path in files(&root().join("src/adapters"), "rs") {
        let inside = path.strip_prefix(root().join("src/adapters")).expect("inside");
        let own = inside
            .components()
            .next()
            .expect("a name")
            .as_os_str()
            .to_string_lossy()
            .trim_end_matches(".rs")
            .to_owned();
        // The outbound guard is the one thing that those who go out share.
        let goes_out = ["channels", "siem", "webhooks", "witnesses"].contains(&own.as_str());
        let text = fs::read_to_string(&path).expect("source");
        for (at, line) in code_lines(product(&text)) {
            if let Some((_, rest)) = line.split_once("crate::adapters::") {
                let other: String = rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
                if other != own && !(goes_out && other == "outbound") {
                    wrong.push(format!("{}:{at} knows {other}", relative(&path)));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn one_adapter_alone_imports_each_outside_library() {
    let owners: &[(&str, &[&str])] = &[
        ("webauthn_rs", &["src/adapters/webauthn"]),
        ("sqlx::", &["src/adapters/storage"]),
        ("redis::", &["src/adapters/timing"]),
        ("lettre::", &["src/adapters/channels/email"]),
        ("reqwest::", &["src/adapters/outbound", "src/demo"]),
        ("actix_web::", &["src/web", "src/app", "src/demo", "src/witness"]),
        ("jsonwebtoken::", &["src/adapters/receipts", "src/adapters/channels/web_push", "src/demo"]),
    ];
    let mut wrong = Vec::new();
    for path in files(&root().join("src"), "rs") {
        let name = relative(&path);
        let text = fs::read_to_string(&path).expect("source");
        for (at, line) in code_lines(product(&text)) {
            for (library, homes) in owners {
                let used = line.trim_start().starts_with(&format!("use {library}"))
                    || line.contains(&format!(" {library}")) && !line.contains("crate::");
                if used && !homes.iter().any(|home| name.starts_with(home)) && !name.starts_with("src/main.rs") {
                    wrong.push(format!("{name}:{at} uses {library}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_have_one_reason_to_exist() {
    let mut wrong = Vec::new();
    for folder in ["src", "tests/it"] {
        for path in files(&root().join(folder), "rs") {
            let name = relative(&path);
            let text = fs::read_to_string(&path).expect("source");
            let lines = text.lines().count();
            if lines > MAX_LINES {
                wrong.push(format!("{name} has {lines} lines"));
            }
            if !text.starts_with("//!") {
                wrong.push(format!("{name} doesn't say what it owns"));
            }
            let stem = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
            if ["utils", "util", "helpers", "helper", "manager", "misc", "common"].contains(&stem.as_str()) {
                wrong.push(format!("{name} has a name that means nothing"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_request_path_can_panic_by_design() {
    let banned = [".unwrap()", ".expect(", "panic!(", "todo!(", "unimplemented!(", "unreachable!(", "#[allow("];
    let mut wrong = Vec::new();
    for path in files(&root().join("src"), "rs").iter().filter(|path| !is_test_file(path)) {
        let text = fs::read_to_string(path).expect("source");
        for (at, line) in code_lines(product(&text)) {
            for word in banned.iter().filter(|word| line.contains(**word)) {
                wrong.push(format!("{}:{at} has {word}", relative(path)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn marks_left_behind_name_an_issue() {
    let mut wrong = Vec::new();
    for folder in ["src", "tests/it", "static", "templates", "migrations"] {
        for ending in ["rs", "js", "css", "html", "sql"] {
            let base = root().join(folder);
            let mut folders = vec![base];
            while let Some(next) = folders.pop() {
                for entry in fs::read_dir(&next).expect("a folder").flatten() {
                    let path = entry.path();
                    if path.is_dir() {
                        folders.push(path);
                    } else if path.extension().is_some_and(|e| e == ending) && !path.ends_with("architecture.rs") {
                        let text = fs::read_to_string(&path).expect("source");
                        for (at, line) in text.lines().enumerate() {
                            let marked = ["TODO", "FIXME", "XXX", "HACK"].iter().any(|mark| line.contains(mark));
                            if marked && !line.contains("TODO(#") {
                                wrong.push(format!("{}:{}", relative(&path), at + 1));
                            }
                        }
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "marks without an issue:\n{}", wrong.join("\n"));
}

#[test]
fn documents_name_files_that_exist() {
    let mut wrong = Vec::new();
    let mut papers = files(&root().join("docs"), "md");
    papers.extend(["README.md", "CONTRIBUTING.md"].map(|name| root().join(name)));
    for paper in papers {
        let text = fs::read_to_string(&paper).expect("a document");
        for (at, line) in text.lines().enumerate() {
            for word in line.split(['`', '(', ')', ' ']) {
                let path = word.trim_end_matches(['.', ',', ':', ';']);
                let ours = ["src/", "tests/", "docs/", "templates/", "static/", "migrations/", "benches/", "docker/"];
                let plain = path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-".contains(&b));
                if plain && ours.iter().any(|start| path.starts_with(start)) && !root().join(path).exists() {
                    wrong.push(format!("{}:{} names {path}", relative(&paper), at + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
