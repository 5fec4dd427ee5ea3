//! What `serve` accepts and what it refuses: everything that is wrong, at once, one clear sentence each.

use std::fs;
use std::path::Path;
use std::process::Command;

use countersign::config::{Config, Storage};
use countersign::domain::log::{Origin, SignatureType, VerifierKey};
use tempfile::TempDir;

use crate::support::servers::certificates::Certificates;

/// A folder with the files that a safe configuration names.
pub fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    countersign::keys::make(folder.path()).unwrap();
    fs::write(folder.path().join("password"), "s3cret\n").unwrap();
    folder
}

/// One that `serve` takes.
pub fn safe(folder: &Path) -> String {
    let at = folder.display();
    format!(
        r#"
[operator]
name = "Harbour"
[http]
listen = "127.0.0.1:0"
public_url = "https://approve.harbour.example"
[storage]
url = "sqlite:{at}/countersign.db"
[keys]
master_file = "{at}/master.key"
receipt_file = "{at}/receipt.pem"
log_file = "{at}/log.pem"
[log]
high_water = "{at}/high-water"
[smtp]
host = "mail.example"
port = 587
from = "approvals@harbour.example"
user = "countersign"
password_file = "{at}/password"
"#
    )
}

/// Reads a configuration as a command does.
pub fn load(folder: &Path, text: &str) -> Result<Config, String> {
    let path = folder.join("countersign.toml");
    fs::write(&path, text).unwrap();
    Config::load(Some(&path)).map_err(|faults| faults.to_string())
}

#[test]
fn a_safe_configuration_is_taken() {
    let folder = folder();
    let config = load(folder.path(), &safe(folder.path())).unwrap();
    assert!(matches!(config.storage, Storage::Embedded { .. }));
    assert_eq!(config.operator.issuer, "https://approve.harbour.example");
    assert!(!format!("{config:?}").contains("s3cret"));
}

#[test]
fn caps_on_overrides_may_be_lower_and_never_higher() {
    let folder = folder();
    let lower = safe(folder.path()) + "\n[overrides]\nasked_by_one = 2\nin_all = 0\n";
    let caps = load(folder.path(), &lower).unwrap().override_caps;
    assert_eq!((caps.asked_by_one, caps.signed_by_one, caps.signed_by_pair, caps.in_all), (2, 10, 3, 0));
    for higher in ["asked_by_one = 11", "signed_by_one = 11", "signed_by_pair = 4", "in_all = 51", "hold = 1"] {
        let text = format!("{}\n[overrides]\n{higher}\n", safe(folder.path()));
        let faults = load(folder.path(), &text).unwrap_err();
        assert!(faults.contains("overrides.") || faults.contains("hold"), "{faults}");
    }
}

#[test]
fn every_fault_is_said_at_once() {
    let folder = folder();
    fs::write(folder.path().join("weak.key"), data_encoding::BASE64.encode(&[0; 32])).unwrap();
    let text = safe(folder.path())
        .replace("https://approve.harbour.example", "http://approve.harbour.example")
        .replace("master.key", "weak.key")
        .replace("receipt.pem", "missing.pem")
        .replace("port = 587", "port = 587\ntls = \"none\"")
        + "\n[policy]\nhold_seconds = 5\n[holds]\nnew_device_seconds = 1\n[redis]\nurl = \"redis://x\"\n";
    let faults = load(folder.path(), &text).unwrap_err();
    for needed in
        ["public_url: must be https", "made-up key", "missing.pem", "smtp.tls", "hold", "new_device_seconds", "redis"]
    {
        assert!(faults.contains(needed), "{needed} isn't in:\n{faults}");
    }
    assert_eq!(faults.lines().count(), 8, "{faults}");
}

#[test]
fn a_made_up_master_key_is_refused() {
    let folder = folder();
    let counting: Vec<u8> = (0..32).collect();
    for bytes in [countersign::demo::MASTER.to_vec(), counting, vec![7; 32], vec![1; 31]] {
        fs::write(folder.path().join("master.key"), data_encoding::BASE64.encode(&bytes)).unwrap();
        assert!(load(folder.path(), &safe(folder.path())).is_err(), "{bytes:?}");
    }
}

#[test]
fn short_holds_and_public_origins_exclude_each_other() {
    let folder = folder();
    let demo = format!("profile = \"demo\"\n{}", safe(folder.path()));
    assert!(load(folder.path(), &demo).unwrap_err().contains("refuse a public origin"));
    let local = demo.replace("https://approve.harbour.example", "http://localhost:8080");
    assert!(load(folder.path(), &local).is_ok());
}

#[test]
fn only_the_two_supported_combinations_are_taken() {
    let folder = folder();
    let servers = safe(folder.path()).replace(
        &format!("sqlite:{}/countersign.db", folder.path().display()),
        "postgres://countersign@db/countersign",
    );
    assert!(load(folder.path(), &servers).unwrap_err().contains("PostgreSQL needs Redis"));
    let both = format!(
        "{servers}\n[redis]\nurl = \"redis://redis:6379\"\npassword_file = \"{}/password\"\n",
        folder.path().display()
    );
    let config = load(folder.path(), &both).unwrap();
    assert!(matches!(config.storage, Storage::Servers { .. }));
    assert!(!format!("{config:?}").contains("s3cret"));
    let unknown = safe(folder.path()).replace("[http]", "[http]\nspeed = 3");
    assert!(load(folder.path(), &unknown).unwrap_err().contains("speed"));
}

#[test]
fn a_configuration_from_before_the_log_says_what_is_missing() {
    let folder = folder();
    let at = folder.path().display();
    let old = safe(folder.path())
        .replace(&format!("log_file = \"{at}/log.pem\"\n"), "")
        .replace(&format!("[log]\nhigh_water = \"{at}/high-water\"\n"), "");
    let faults = load(folder.path(), &old).unwrap_err();
    for needed in ["keys.log_file", "countersign keys", "log.high_water"] {
        assert!(faults.contains(needed), "{needed} isn't in:\n{faults}");
    }
    assert_eq!(faults.lines().count(), 3, "{faults}");
}

#[test]
fn the_log_is_named_after_the_issuer_or_as_the_operator_says() {
    let folder = folder();
    let config = load(folder.path(), &safe(folder.path())).unwrap();
    assert_eq!(config.log.origin.as_str(), "approve.harbour.example/log");
    let named = safe(folder.path()).replace("[log]\n", "[log]\norigin = \"harbour.example/audit-2\"\n");
    assert_eq!(load(folder.path(), &named).unwrap().log.origin.as_str(), "harbour.example/audit-2");
    let bad = safe(folder.path()).replace("[log]\n", "[log]\norigin = \"harbour bank\"\n");
    assert!(load(folder.path(), &bad).unwrap_err().contains("log.origin"));
    // A retired key, as `/log/keys` shows it.
    let pem = fs::read_to_string(folder.path().join("log.pem")).unwrap();
    let key = countersign::adapters::log_key::public_key(&pem, config.log.origin).unwrap();
    let times = "not_before = \"2025-01-01T00:00:00Z\"\nnot_after = \"2026-01-01T00:00:00Z\"";
    let retired = format!("{}[[keys.log_retired]]\npublic_key = \"{key}\"\n{times}\n", safe(folder.path()));
    assert_eq!(load(folder.path(), &retired).unwrap().keys.log_retired[0].key, key);
}

#[test]
fn the_composed_configuration_is_taken() {
    let folder = folder();
    Certificates::issue(folder.path());
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docker/countersign.toml")).unwrap();
    for (name, like) in [
        ("master_key", "master.key"),
        ("receipt_key", "receipt.pem"),
        ("log_key", "log.pem"),
        ("vapid_key", "vapid.pem"),
        ("postgres_password", "password"),
        ("redis_password", "password"),
        ("tls_cert", "server.pem"),
        ("tls_key", "server.key"),
    ] {
        fs::copy(folder.path().join(like), folder.path().join(name)).unwrap();
    }
    let text = text.replace("/run/secrets", &folder.path().display().to_string());
    let config = load(folder.path(), &text).unwrap();
    assert!(config.smtp.is_some() && config.push.is_some() && config.http.tls.is_some());
}

#[test]
fn the_command_line_sets_up_a_deployment_and_serve_says_what_is_wrong() {
    let folder = folder();
    let path = folder.path().join("countersign.toml");
    fs::write(&path, safe(folder.path())).unwrap();
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_countersign"))
            .arg("--config")
            .arg(&path)
            .args(arguments)
            .output()
            .unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.success(), text)
    };
    assert!(run(&["migrate"]).0);
    let (added, text) = run(&["backend", "add", "Harbour", "--scopes", "create,read"]);
    assert!(added && text.contains("cs_"), "{text}");
    let secret = text.lines().find_map(|line| line.strip_prefix("secret   ")).unwrap().to_owned();
    let backend = text.lines().find_map(|line| line.strip_prefix("backend  ")).unwrap().to_owned();
    let key = text.lines().find_map(|line| line.strip_prefix("key      ")).unwrap().to_owned();
    let (_, listed) = run(&["backend", "keys", &backend]);
    assert!(listed.contains("stands") && !listed.contains(&secret), "{listed}");
    assert!(run(&["backend", "revoke-key", &key]).0);
    assert!(run(&["backend", "keys", &backend]).1.contains("revoked"));
    assert!(!run(&["backend", "revoke-key", &key]).0);
    assert!(run(&["backend", "list"]).1.contains("Harbour"));
    // What the database keeps isn't the secret.
    let kept = fs::read(folder.path().join("countersign.db")).unwrap();
    assert!(!kept.windows(secret.len()).any(|window| window == secret.as_bytes()));

    let keys = folder.path().to_str().unwrap();
    let (overwritten, said) = run(&["keys", keys]);
    assert!(!overwritten && said.contains("never overwritten"), "{said}");
    fs::write(&path, safe(folder.path()).replace("https://", "http://")).unwrap();
    let (served, said) = run(&["serve"]);
    assert!(!served && said.contains("must be https"), "{said}");
    fs::write(
        &path,
        format!(
            "profile = \"demo\"\n{}",
            safe(folder.path()).replace("https://approve.harbour.example", "http://localhost:1")
        ),
    )
    .unwrap();
    let (served, said) = run(&["serve"]);
    assert!(!served && said.contains("refuses the profile demo"), "{said}");
}

#[test]
fn the_console_has_a_host_of_its_own() {
    let folder = folder();
    let with = |url: &str| {
        let section = format!("\n[console]\nurl = \"{url}\"\nlisten = \"127.0.0.1:0\"\n");
        load(folder.path(), &format!("{}{section}", safe(folder.path())))
    };
    let config = with("https://console.harbour.example").unwrap();
    assert_eq!(config.console.unwrap().url.host_str(), Some("console.harbour.example"));
    for (url, why) in [
        ("https://approve.harbour.example", "a host of its own"),
        ("https://approve.harbour.example:8444", "a host of its own"),
        ("http://console.harbour.example", "console.url: must be https"),
        ("https://10.0.0.7", "console.url: passkeys need a host name"),
        ("https://console.harbour.example/staff", "console.url: give an origin only"),
    ] {
        let faults = with(url).unwrap_err();
        assert!(faults.contains(why), "{url}: {faults}");
    }
    assert!(load(folder.path(), &safe(folder.path())).unwrap().console.is_none());
}

#[test]
fn a_certificate_and_a_key_that_cant_be_used_are_faults_among_the_others() {
    let folder = folder();
    Certificates::issue(folder.path());
    let elsewhere = tempfile::tempdir().unwrap();
    let other = Certificates::issue(elsewhere.path()).key;
    fs::write(folder.path().join("not.pem"), "no PEM at all").unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let with = |cert: &str, key: &str| {
        let tls = format!("[http]\ntls_cert_file = \"{cert}\"\ntls_key_file = \"{key}\"");
        load(folder.path(), &safe(folder.path()).replace("[http]", &tls))
    };
    assert!(with(&at("server.pem"), &at("server.key")).unwrap().http.tls.is_some());
    for (cert, key, needed) in [
        (at("missing.pem"), at("server.key"), "http.tls_cert_file: "),
        (at("not.pem"), at("server.key"), "holds no certificate in PEM"),
        (at("server.pem"), at("missing.key"), "http.tls_key_file: "),
        (at("server.pem"), at("not.pem"), "holds no private key in PEM"),
        (at("server.pem"), other.display().to_string(), "can't be used together"),
    ] {
        let faults = with(&cert, &key).unwrap_err();
        assert!(faults.contains(needed), "{needed} isn't in {faults}");
        assert_eq!(faults.lines().count(), 2, "{faults}");
    }
    // Both, and the origin beside them.
    let tls = format!("[http]\ntls_cert_file = \"{0}\"\ntls_key_file = \"{0}\"", at("not.pem"));
    let text = safe(folder.path()).replace("[http]", &tls).replace("https://approve", "http://approve");
    assert_eq!(load(folder.path(), &text).unwrap_err().lines().count(), 4);
}

#[test]
fn authorities_prefixes_and_times_are_checked() {
    let folder = folder();
    let authority = Certificates::issue(folder.path()).authority.display().to_string();
    fs::write(folder.path().join("not.pem"), "no PEM at all").unwrap();
    let bad = folder.path().join("not.pem").display().to_string();
    let sqlite = format!("sqlite:{}/countersign.db", folder.path().display());
    let servers = safe(folder.path()).replace(&sqlite, "postgres://countersign@db/countersign");
    let redis = |lines: &str| load(folder.path(), &format!("{servers}\n[redis]\n{lines}\n"));
    let taken =
        redis(&format!("url = \"rediss://redis:6379\"\nprefix = \"bank-2\"\nca_file = \"{authority}\"")).unwrap();
    let Storage::Servers { redis: place, .. } = taken.storage else { panic!("servers") };
    assert_eq!(place.prefix.as_deref(), Some("bank-2"));
    assert!(place.authorities_pem.is_some());
    for (lines, needed) in [
        ("url = \"http://redis\"".to_owned(), "redis.url: must begin with redis:// or rediss://"),
        (format!("url = \"redis://redis\"\nca_file = \"{authority}\""), "redis.ca_file: is for a server with TLS"),
        (format!("url = \"rediss://redis\"\nca_file = \"{bad}\""), "redis.ca_file: holds no certificate"),
        ("url = \"redis://redis\"\nprefix = \"a:b\"".to_owned(), "redis.prefix: "),
        ("url = \"redis://redis\"\ncluster = [\"rediss://other\"]".to_owned(), "redis.cluster: all nodes"),
    ] {
        let faults = redis(&lines).unwrap_err();
        assert!(faults.contains(needed), "{needed} isn't in {faults}");
        assert_eq!(faults.lines().count(), 2, "{faults}");
    }
    let outbound =
        |path: &str| load(folder.path(), &format!("{}\n[outbound]\nca_file = \"{path}\"\n", safe(folder.path())));
    assert!(outbound(&authority).unwrap().outbound_authorities.is_some());
    assert!(outbound(&bad).unwrap_err().contains("outbound.ca_file: holds no certificate"));
    let kept = |days: u32| load(folder.path(), &format!("{}\n[retention]\nsent_days = {days}\n", safe(folder.path())));
    assert_eq!(kept(30).unwrap().keep_sent.as_secs(), 30 * 24 * 3600);
    assert!(kept(3).unwrap_err().contains("retention.sent_days: at least"));
}

/// The key of a witness, as it prints it.
fn witness_key(seed: u8, signs: SignatureType) -> String {
    let name = Origin::parse(&format!("w{seed}.example")).unwrap();
    VerifierKey { name, signs, public: [seed; 32] }.to_string()
}

fn with_witnesses(folder: &Path, cosignatures: usize, witnesses: &[(&str, &str, &str)]) -> Result<Config, String> {
    let sections = witnesses
        .iter()
        .map(|(name, key, url)| format!("\n[[log.witnesses]]\nname = \"{name}\"\nkey = \"{key}\"\nurl = \"{url}\"\n"));
    let section = format!("[log]\ncosignatures = {cosignatures}\n");
    load(folder, &format!("{}{}", safe(folder).replace("[log]\n", &section), sections.collect::<String>()))
}

#[test]
fn witnesses_and_how_many_of_them_are_asked_for() {
    let folder = folder();
    let (one, two) = (witness_key(1, SignatureType::Cosignature), witness_key(2, SignatureType::Cosignature));
    let (here, there) = ("https://w1.example", "https://w2.example/log-witness");
    let log = with_witnesses(folder.path(), 2, &[("one", &one, here), ("two", &two, there)]).unwrap().log;
    assert_eq!((log.witnesses.asked.len(), log.witnesses.quorum.least()), (2, 2));
    assert_eq!(log.witnesses.asked[1].url.as_str(), there);
    let none = load(folder.path(), &safe(folder.path())).unwrap().log.witnesses;
    assert_eq!((none.asked.len(), none.quorum.least()), (0, 0));

    let logs = witness_key(1, SignatureType::Ed25519);
    for (cosignatures, witnesses, why) in [
        (3, vec![("one", one.as_str(), here), ("two", &two, there)], "3 cosignatures can't come from 2 witnesses"),
        (1, vec![], "1 cosignatures can't come from 0 witnesses"),
        (1, vec![("one", &one, here), ("two", &one, there)], "w1.example is there twice"),
        (1, vec![("one", &one, here), ("one", &two, there)], "the name \"one\" is there twice"),
        (1, vec![("one", &logs, here)], "doesn't cosign"),
        (1, vec![("one", "w1.example+00000000+AAAA", here)], "the key should read"),
        (1, vec![("one", &one, "http://w1.example")], "the url must be https"),
        (1, vec![("one", &one, "w1.example")], "the url can't be used"),
        (1, vec![("One Witness", &one, here)], "isn't 1 to 40 of"),
    ] {
        let faults = with_witnesses(folder.path(), cosignatures, &witnesses).unwrap_err();
        assert!(faults.contains(why) && faults.lines().count() == 2, "{why} isn't in:\n{faults}");
    }
    // With every other fault, and each of its own.
    let wrong = [("ONE", "x", "ftp://w1.example"), ("two", "y", "")];
    let faults = with_witnesses(folder.path(), 9, &wrong).unwrap_err();
    assert_eq!(faults.lines().count(), 6, "{faults}");
}

#[test]
fn a_renamed_log_keeps_its_earlier_names() {
    let folder = folder();
    let with = |lines: &str| load(folder.path(), &safe(folder.path()).replace("[log]\n", &format!("[log]\n{lines}\n")));
    let names = "origin = \"harbour.example/log-2\"\nearlier = [\"harbour.example/log\"]";
    let earlier = with(names).unwrap().log.earlier;
    assert_eq!(earlier.iter().map(Origin::as_str).collect::<Vec<_>>(), ["harbour.example/log"]);
    assert!(with("earlier = [\"harbour log\"]").unwrap_err().contains("log.earlier"));
    assert!(with("earlier = [\"approve.harbour.example/log\"]").unwrap_err().contains("is the log's present name"));
}
