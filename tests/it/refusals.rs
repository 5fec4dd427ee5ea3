//! What `serve` says of a configuration that it refuses: everything at once, what is missing among it.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::configuration::{folder, load, safe};

/// The faults that `serve` says of a configuration, a line each.
fn serve_says(folder: &Path, text: &str) -> Vec<String> {
    let path = folder.join("countersign.toml");
    fs::write(&path, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    let output = command.arg("--config").arg(&path).arg("serve").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    said.lines().filter_map(|line| line.strip_prefix("  - ")).map(str::to_owned).collect()
}

fn expect_each(said: &[String], needed: &[&str]) {
    for needed in needed {
        assert_eq!(
            said.iter().filter(|line| line.contains(needed)).count(),
            1,
            "{needed} isn't there once in {said:#?}"
        );
    }
    assert_eq!(said.len(), needed.len(), "{said:#?}");
}

#[test]
fn serve_says_what_is_missing_beside_all_that_is_wrong() {
    let folder = folder();
    let at = folder.path().display();
    let keys = format!(
        "[keys]\nmaster_file = \"{at}/master.key\"\nreceipt_file = \"{at}/receipt.pem\"\nlog_file = \"{at}/log.pem\"\n"
    );
    let text = safe(folder.path());
    assert!(text.contains(&keys));
    // As a demo it would be taken for its short holds; serve judges it as what it would have to be.
    let text = format!("profile = \"demo\"\n{}", text.replace(&keys, ""))
        .replace("https://approve", "http://approve")
        .replace("port = 587", "port = 587\ntls = \"none\"")
        + "[policy]\nhold_seconds = 5\n";
    let needed = [
        "profile: serve refuses the profile demo",
        "http.public_url: must be https",
        "keys.master_file: is missing",
        "keys.receipt_file: is missing",
        "keys.log_file",
        "smtp.tls: must be starttls or tls",
        "policy: a hold must be at least",
    ];
    expect_each(&serve_says(folder.path(), &text), &needed);
}

#[test]
fn an_empty_configuration_is_told_all_that_it_needs() {
    let folder = folder();
    let needed = [
        "http.listen: is missing",
        "http.public_url: is missing",
        "storage.url: is missing",
        "keys.master_file: is missing",
        "keys.receipt_file: is missing",
        "keys.log_file",
        "smtp: without a mail server",
        "log.high_water",
    ];
    expect_each(&serve_says(folder.path(), ""), &needed);
    let empty = "[http]\nlisten = \"here\"\npublic_url = \"there\"\ntrusted_proxies = [\"all\"]\n[smtp]\n[push]\n[console]\n\
                 [redis]\n[storage]\nurl = \"postgres://db\"\n[outbound]\nallow = [\"everybody\"]\n";
    let needed = [
        "http.listen: \"here\"",
        "http.public_url: \"there\"",
        "http.trusted_proxies: \"all\"",
        "console.url: is missing",
        "console.listen: is missing",
        "redis.url: is missing",
        "keys.master_file: is missing",
        "keys.receipt_file: is missing",
        "keys.log_file",
        "smtp.host: is missing",
        "smtp.port: is missing",
        "smtp.from: is missing",
        "outbound.allow: \"everybody\"",
        "push.vapid_file: is missing",
        "push.contact: is missing",
        "log.high_water",
    ];
    expect_each(&serve_says(folder.path(), empty), &needed);
}

#[test]
fn what_is_spoilt_is_said_with_what_is_missing_and_wrong() {
    let folder = folder();
    let at = folder.path().display();
    let spoilt = "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n";
    for name in ["receipt.pem", "log.pem", "vapid.pem", "old.pem"] {
        fs::write(folder.path().join(name), spoilt).unwrap();
    }
    // PEM, and no certificate inside.
    fs::write(folder.path().join("ca.pem"), spoilt.replace("PRIVATE KEY", "CERTIFICATE")).unwrap();
    let text = safe(folder.path())
        .replace("https://approve", "http://approve")
        .replace("host = \"mail.example\"\n", &format!("ca_file = \"{at}/ca.pem\"\n"))
        .replace("approvals@harbour.example", "Harbour at the harbour")
        + format!(
            "[push]\nvapid_file = \"{at}/vapid.pem\"\nhosts = [\"push.example\", \"*.com\", \"https://push.example\"]\n\
             [outbound]\nca_file = \"{at}/ca.pem\"\n\
             [[keys.retired]]\npublic_file = \"{at}/old.pem\"\n\
             not_before = \"2025-01-01T00:00:00Z\"\nnot_after = \"2026-01-01T00:00:00Z\"\n"
        )
        .as_str();
    let needed = [
        "http.public_url: must be https",
        "keys.receipt_file: not a P-256 key in PEM",
        "keys.retired[0]: not a P-256 key in PEM",
        "keys.log_file: not an Ed25519 key in PEM",
        "push.vapid_file: the push key isn't",
        "push.contact: is missing",
        "push.hosts: \"*.com\": not a host",
        "push.hosts: \"https://push.example\": not a host",
        "smtp.host: is missing",
        "smtp.from: `from` isn't a mailbox",
        "smtp.ca_file: the mail server's certificate authorities",
        "outbound.ca_file: ",
    ];
    expect_each(&serve_says(folder.path(), &text), &needed);
}

#[test]
fn one_spoilt_key_alone_stops_the_start_with_its_setting() {
    let folder = folder();
    fs::copy(folder.path().join("receipt.pem"), folder.path().join("log.pem")).unwrap();
    expect_each(&serve_says(folder.path(), &safe(folder.path())), &["keys.log_file: not an Ed25519 key in PEM"]);
}

#[test]
fn nothing_outside_demo_and_bench_is_looser_than_the_design() {
    let folder = folder();
    let with = |lines: &str| load(folder.path(), &format!("{}\n{lines}\n", safe(folder.path())));
    assert_eq!(with("[limits]\nnotices_per_minute = 2").unwrap().limits.notices_per_minute, 2);
    assert_eq!(with("").unwrap().limits.notices_per_minute, 5);
    assert!(with("[policy]\nredeem_within_seconds = 3600").is_ok());
    for (lines, needed) in [
        ("[limits]\nnotices_per_minute = 6", "limits.notices_per_minute: at most 5"),
        ("[policy]\nredeem_within_seconds = 86401", "the time to redeem must be more than zero and at most 24 hours"),
        ("[policy]\nredeem_within_seconds = 0", "the time to redeem must be more than zero and at most 24 hours"),
    ] {
        let faults = with(lines).unwrap_err();
        assert!(faults.contains(needed) && faults.lines().count() == 2, "{needed} isn't in:\n{faults}");
    }
    // A node that measures may tell more often, and keeps what was released no longer.
    let bench = format!("profile = \"bench\"\n{}", safe(folder.path()))
        .replace("https://approve.harbour.example", "http://localhost:8080");
    assert!(load(folder.path(), &format!("{bench}\n[limits]\nnotices_per_minute = 600\n")).is_ok());
    assert!(load(folder.path(), &format!("{bench}\n[policy]\nredeem_within_seconds = 86401\n")).is_err());
}

#[test]
fn an_issuer_tells_real_deployments_from_others() {
    let folder = folder();
    let named = |text: String, issuer: &str| {
        load(folder.path(), &text.replace("[operator]\n", &format!("[operator]\nissuer = \"{issuer}\"\n")))
    };
    let real = || safe(folder.path());
    assert_eq!(named(real(), "https://harbour.example").unwrap().operator.issuer, "https://harbour.example");
    for issuer in [
        "urn:countersign:demo",
        "http://harbour.example",
        "https://harbour.example/",
        "https://harbour.example/approve",
        "HTTPS://harbour.example",
        "harbour.example",
        "",
    ] {
        let faults = named(real(), issuer).unwrap_err();
        assert!(faults.contains("operator.issuer: must be an https origin"), "{issuer}: {faults}");
    }
    for profile in ["demo", "bench"] {
        let other = || {
            format!("profile = \"{profile}\"\n{}", real())
                .replace("https://approve.harbour.example", "http://localhost:8080")
        };
        assert!(named(other(), "urn:countersign:measured").is_ok());
        for issuer in ["https://harbour.example", "HTTPS://harbour.example/x", " https://harbour.example"] {
            let faults = named(other(), issuer).unwrap_err();
            assert!(faults.contains("can't have an https issuer"), "{issuer}: {faults}");
        }
    }
}
