//! What is shipped for containers: the compose file, the image, and that they say the same as the Makefile. Docker's own
//! `config` command reads the compose file, and needs no engine for that; the rest is what it can't know.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

fn source(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path))
        .unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn compose() -> Value {
    serde_saphyr::from_str(&source("docker-compose.yml")).unwrap()
}

fn services(compose: &Value) -> impl Iterator<Item = (&str, &Value)> {
    compose["services"].as_object().unwrap().iter().map(|(name, service)| (name.as_str(), service))
}

fn words(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// The lines of a Dockerfile's last stage.
fn runtime_stage(dockerfile: &str) -> Vec<&str> {
    let lines: Vec<&str> = dockerfile.lines().collect();
    let start = lines.iter().rposition(|line| line.starts_with("FROM ")).unwrap();
    lines[start..].to_vec()
}

#[test]
fn docker_accepts_the_compose_file() {
    // The plugin of today's docker, or the program of its own that Debian has.
    let compose = [&["docker", "compose"][..], &["docker-compose"][..]].into_iter().find(|words| {
        let version = Command::new(words[0]).args(&words[1..]).arg("version").output();
        version.is_ok_and(|output| output.status.success())
    });
    let words = compose.expect("docker compose or docker-compose; `make test-deps` installs it");
    let output = Command::new(words[0])
        .args(&words[1..])
        .args(["--file", "docker-compose.yml", "config", "--quiet"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn every_service_is_locked_down_and_watched() {
    let compose = compose();
    let names: BTreeSet<&str> = services(&compose).map(|(name, _)| name).collect();
    assert_eq!(names, BTreeSet::from(["countersign", "mailpit", "postgres", "redis"]));
    for (name, service) in services(&compose) {
        assert_eq!(service["read_only"], json!(true), "{name}");
        assert_eq!(service["cap_drop"], json!(["ALL"]), "{name}");
        assert_eq!(service["security_opt"], json!(["no-new-privileges:true"]), "{name}");
        assert!(service["cap_add"].is_null() && service["privileged"].is_null(), "{name}");
        assert!(!words(&service["healthcheck"]["test"]).is_empty(), "{name}");
        // Only the image that is built here says for itself under whom it runs.
        assert!(service["user"].is_string() || service["build"].is_string(), "{name}");
        for port in words(&service["ports"]) {
            assert!(port.starts_with("127.0.0.1:"), "{name} publishes {port}");
        }
    }
}

#[test]
fn the_service_waits_until_what_it_needs_is_healthy() {
    let compose = compose();
    let needed = compose["services"]["countersign"]["depends_on"].as_object().unwrap();
    assert_eq!(needed.len(), 3);
    for (name, how) in needed {
        assert_eq!(how["condition"], json!("service_healthy"), "{name}");
    }
}

#[test]
fn what_must_survive_is_on_a_named_volume() {
    let compose = compose();
    for (service, path) in
        [("countersign", "/var/lib/countersign"), ("postgres", "/var/lib/postgresql/data"), ("redis", "/data")]
    {
        let mounts = words(&compose["services"][service]["volumes"]);
        let volume = mounts.iter().find_map(|mount| mount.strip_suffix(path)?.strip_suffix(':'));
        let volume = volume.unwrap_or_else(|| panic!("{service} has no volume at {path}"));
        assert!(compose["volumes"].get(volume).is_some(), "{volume} isn't a named volume");
    }
    let redis = compose["services"]["redis"]["command"].to_string();
    assert!(redis.contains("--appendonly yes") && redis.contains("--maxmemory-policy noeviction"), "{redis}");
}

#[test]
fn secrets_come_from_files_that_git_ignores() {
    let compose = compose();
    let readme = source("docker/secrets/README.md");
    let defined = compose["secrets"].as_object().unwrap();
    for (name, secret) in defined {
        assert_eq!(secret["file"], json!(format!("./docker/secrets/{name}")));
        assert!(readme.contains(&format!("| `{name}` |")), "docker/secrets/README.md doesn't tell how to make {name}");
    }
    assert_eq!(source("docker/secrets/.gitignore").lines().next(), Some("*"));

    let used: BTreeSet<&str> = services(&compose).flat_map(|(_, service)| words(&service["secrets"])).collect();
    assert_eq!(used, defined.keys().map(String::as_str).collect());
    for (name, service) in services(&compose) {
        for variable in service["environment"].as_object().into_iter().flatten().map(|(variable, _)| variable) {
            let secret = ["PASSWORD", "SECRET", "KEY", "TOKEN"].iter().any(|word| variable.contains(word));
            assert!(!secret || variable.ends_with("_FILE"), "{name} is given {variable} in its environment");
        }
    }
    // The mounted configuration names secrets by where they are, and names no other.
    for path in source("docker/countersign.toml").split('"').filter_map(|part| part.strip_prefix("/run/secrets/")) {
        assert!(words(&compose["services"]["countersign"]["secrets"]).contains(&path), "{path}");
    }
}

#[test]
fn the_image_is_built_by_the_command_of_the_makefile() {
    let makefile = source("Makefile");
    let recipe = makefile.lines().skip_while(|line| !line.starts_with("build:")).nth(1).unwrap().trim();
    assert!(recipe.starts_with("cargo build "), "{recipe}");
    let dockerfile = source("Dockerfile");
    let in_image = dockerfile
        .lines()
        .filter(|line| line.contains("cargo build"))
        .map(|line| line.trim().trim_end_matches('\\').trim_end());
    assert_eq!(in_image.collect::<Vec<_>>(), [recipe]);
}

#[test]
fn the_papers_name_what_ci_runs_and_no_more() {
    let ci = source(".ci/run");
    let run: BTreeSet<&str> = ci.lines().filter_map(|line| line.strip_prefix("make ")).collect();
    assert!(!run.is_empty());
    let named = |text: &str| -> BTreeSet<String> {
        text.split('`').skip(1).step_by(2).map(|word| word.trim_start_matches("make ").to_owned()).collect()
    };
    let run: BTreeSet<String> = run.into_iter().map(str::to_owned).collect();
    let makefile = source("Makefile");
    let (_, claim) = makefile.split_once("CI (.ci/run) runs ").expect("what CI runs");
    let (claim, _) = claim.split_once(',').expect("the end of the claim");
    assert_eq!(named(claim), run, "Makefile");
    let contributing = source("CONTRIBUTING.md");
    let row = contributing.lines().find_map(|line| line.strip_prefix("| `.ci/run` |")).expect("a row");
    assert_eq!(named(row), run, "CONTRIBUTING.md");
}

#[test]
fn the_image_gets_the_sources_and_the_toolchain_that_the_manifest_asks_for() {
    let dockerfile = source("Dockerfile");
    let ignore = source(".dockerignore");
    let admitted: BTreeSet<&str> = ignore.lines().filter_map(|line| line.strip_prefix('!')).collect();
    let copied: BTreeSet<&str> = dockerfile
        .lines()
        .filter_map(|line| line.strip_prefix("COPY "))
        .filter(|arguments| !arguments.starts_with("--from"))
        .flat_map(|arguments| arguments.split(' ').rev().skip(1))
        .collect();
    assert_eq!(copied, admitted);
    for path in copied {
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(path).exists(), "{path} isn't there to be copied");
    }

    let manifest = source("Cargo.toml");
    let version = manifest.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap().trim_matches('"');
    assert!(
        dockerfile.contains(&format!("FROM rust:{version}-bookworm AS build")),
        "the image isn't built by {version}"
    );
}

#[test]
fn the_image_runs_one_program_as_nobody_in_particular() {
    let dockerfile = source("Dockerfile");
    let stage = runtime_stage(&dockerfile);
    let has =
        |line: &str| assert!(stage.iter().any(|given| given.trim() == line), "no line `{line}` in the runtime stage");
    has("USER 10001:10001");
    has("STOPSIGNAL SIGTERM");
    has(r#"CMD ["/usr/local/bin/countersign", "healthcheck"]"#);
    has(r#"ENTRYPOINT ["/usr/local/bin/countersign"]"#);
    assert!(!stage.iter().any(|line| line.starts_with("RUN ")), "nothing is installed in the runtime stage");
    let data = "/var/lib/countersign";
    assert!(
        stage.iter().any(|line| line.starts_with("COPY --from=build --chown=10001:10001 ") && line.ends_with(data))
    );
}
