//! The commands of an auditor and of whoever restores a database, as processes: what they say, and how they exit.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use countersign::app;
use countersign::config::Config;
use countersign::service::log;
use serde_json::Value;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};
use tempfile::TempDir;

/// A deployment in a folder, whose log is signed.
struct Deployment {
    folder: TempDir,
}

struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Deployment {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        countersign::keys::make(folder.path()).unwrap();
        let at = folder.path().display();
        let text = format!(
            "[operator]\nname = \"Harbour\"\n\
             [http]\nlisten = \"127.0.0.1:0\"\npublic_url = \"https://approve.harbour.example\"\n\
             [console]\nurl = \"https://console.harbour.example\"\nlisten = \"127.0.0.1:0\"\n\
             [storage]\nurl = \"sqlite:{at}/countersign.db\"\n\
             [keys]\nmaster_file = \"{at}/master.key\"\nreceipt_file = \"{at}/receipt.pem\"\nlog_file = \"{at}/log.pem\"\n\
             [log]\nhigh_water = \"{at}/high-water\"\n\
             [smtp]\nhost = \"mail.harbour.example\"\nport = 587\nfrom = \"approvals@harbour.example\"\n"
        );
        fs::write(folder.path().join("countersign.toml"), text).unwrap();
        let made = Self { folder };
        for command in [
            &["migrate"][..],
            &["backend", "add", "Harbour", "--scopes", "create,read"],
            &["staff", "invite", "--name", "Ada Lind", "--group", "office", "--employer", "in-house", "--roles"],
        ] {
            let mut command = command.to_vec();
            if command.last() == Some(&"--roles") {
                command.extend(["admin", "--ends", "2099-01-01"]);
            }
            let said = made.run(&command);
            assert_eq!(said.code, Some(0), "{command:?}: {}{}", said.out, said.err);
        }
        made.sign().await;
        made
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What the sequencer of a running service would do.
    async fn sign(&self) {
        let config = Config::load(Some(&self.path("countersign.toml"))).map_err(|faults| faults.to_string()).unwrap();
        let parts = app::open(&config).await.unwrap();
        while log::turn(&parts.cx).await.unwrap() > 0 {}
        parts.record.close().await;
    }

    fn run(&self, arguments: &[&str]) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command.arg("--config").arg(self.path("countersign.toml")).args(arguments).stdin(Stdio::null());
        said(&mut command)
    }

    async fn edit(&self, sql: &'static str) {
        let options = SqliteConnectOptions::new().filename(self.path("countersign.db"));
        let mut file: SqliteConnection = options.connect().await.unwrap();
        assert!(sqlx::query(sql).execute(&mut file).await.unwrap().rows_affected() > 0);
    }

    fn log_key(&self) -> String {
        let pem = fs::read_to_string(self.path("log.pem")).unwrap();
        let name = countersign::domain::log::Origin::parse("approve.harbour.example/log").unwrap();
        countersign::adapters::log_key::public_key(&pem, name).unwrap().to_string()
    }
}

fn said(command: &mut Command) -> Said {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
}

/// Checks an export where nothing else is: no configuration, no database.
fn offline(export: &Path, key: &str) -> Said {
    let elsewhere = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command.current_dir(elsewhere.path()).args(["audit", "verify", "--log-key", key, "--export"]).arg(export);
    said(&mut command)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sound_record_verifies_and_so_does_its_export() {
    let deployment = Deployment::new().await;
    let checked = deployment.run(&["audit", "verify"]);
    assert_eq!(checked.code, Some(0), "{}{}", checked.out, checked.err);
    assert!(
        checked.out.contains("entries, each in its place") && checked.out.contains("rows under seal"),
        "{}",
        checked.out
    );

    let path = deployment.path("export.jsonl");
    let file = path.to_str().unwrap();
    let written = deployment.run(&["audit", "export", "--proofs", "--out", file]);
    assert_eq!(written.code, Some(0), "{}", written.err);
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["line"], &lines.last().unwrap()["line"]), (&"header".into(), &"end".into()));
    let entries = lines.iter().filter(|line| line["line"] == "entry").count();
    assert!(written.err.contains(&format!("{entries} entries")) && entries >= 2, "{}", written.err);
    assert_ne!(deployment.run(&["audit", "export", "--out", file]).code, Some(0), "a file is never written over");

    let checked = offline(&path, &deployment.log_key());
    assert_eq!(checked.code, Some(0), "{}{}", checked.out, checked.err);
    let other = Deployment::new().await;
    assert_eq!(offline(&path, &other.log_key()).code, Some(1), "another log's key");

    // One letter of the second entry.
    let tampered = text.replacen("\\\"kind\\\":\\\"staff.", "\\\"kind\\\":\\\"stuff.", 1);
    assert_ne!(tampered, text);
    fs::write(&path, tampered).unwrap();
    let checked = offline(&path, &deployment.log_key());
    assert_eq!(checked.code, Some(1));
    let index = lines.iter().position(|line| line["kind"].as_str().is_some_and(|kind| kind.starts_with("staff.")));
    let index = lines[index.unwrap()]["index"].to_string();
    assert!(checked.err.contains(&format!("entry {index} (")), "{}", checked.err);
    // Cut off.
    let (whole, _) = text.trim_end().rsplit_once('\n').unwrap();
    fs::write(&path, whole).unwrap();
    let checked = offline(&path, &deployment.log_key());
    assert_eq!(checked.code, Some(1));
    assert!(checked.err.contains("it ends before its end"), "{}", checked.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_wrong_entry_of_a_tampered_record_is_named() {
    let deployment = Deployment::new().await;
    deployment
        .edit("UPDATE audit SET canonical = replace(canonical, '\"v\":1', '\"v\": 1') WHERE place = (SELECT min(place) FROM audit)")
        .await;
    let checked = deployment.run(&["audit", "verify"]);
    assert_eq!(checked.code, Some(1), "{}", checked.out);
    assert!(checked.err.contains("entry 0 (") && !checked.out.contains("ok "), "{}{}", checked.out, checked.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_row_is_named() {
    let deployment = Deployment::new().await;
    deployment.edit("UPDATE api_keys SET scopes = 63").await;
    let checked = deployment.run(&["audit", "verify"]);
    assert_eq!(checked.code, Some(1), "{}", checked.out);
    assert!(checked.err.contains("of api_keys"), "{}", checked.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_third_party_report_comes_in_three_formats() {
    let deployment = Deployment::new().await;
    let report = |format: &str| {
        let said = deployment.run(&[
            "report",
            "third-party",
            "--from",
            "2020-01-01",
            "--to",
            "2099-01-01",
            "--format",
            format,
        ]);
        assert_eq!(said.code, Some(0), "{format}: {}", said.err);
        said.out
    };
    let json: Value = serde_json::from_str(&report("json")).unwrap();
    assert_eq!(json["lines"][0]["employer"], "in-house", "{json}");
    assert_eq!(json["total"]["access_changes"], 1, "{json}");
    let csv = report("csv");
    assert!(csv.starts_with("from,to,employer,people,") && csv.contains(",in-house,0,"), "{csv}");
    assert_eq!(csv.matches("\r\n").count(), 2, "{csv}");
    let html = report("html");
    assert!(html.to_ascii_lowercase().starts_with("<!doctype html>"), "{html}");
    assert!(html.contains("Harbour") && html.contains("in-house"), "{html}");
    let unknown = deployment.run(&["report", "third-party", "--from", "2020-01-01", "--to", "soon"]);
    assert_eq!(unknown.code, Some(2), "{}", unknown.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sound_record_is_not_recovered() {
    let deployment = Deployment::new().await;
    let before = fs::read_to_string(deployment.path("high-water")).unwrap();
    let refused = deployment.run(&["recover"]);
    assert_eq!(refused.code, Some(1), "{}", refused.out);
    assert!(refused.err.contains("there is nothing to recover"), "{}", refused.err);
    assert_eq!(fs::read_to_string(deployment.path("high-water")).unwrap(), before);
    assert_eq!(deployment.run(&["audit", "verify"]).code, Some(0));
}
