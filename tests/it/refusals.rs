//! What `serve` says of a configuration that it refuses: everything at once, what is missing among it.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::configuration::{folder, safe};

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
