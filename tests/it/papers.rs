//! docs/operations.md against the configuration as the source reads it: every setting stands there, and none that isn't one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use countersign::config::file;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The sample of the page, with what may be left out taken in.
fn sample() -> String {
    let page = fs::read_to_string(root().join("docs/operations.md")).unwrap();
    let (_, rest) = page.split_once("```toml\n").expect("a sample");
    let (block, _) = rest.split_once("```").expect("its end");
    block.lines().map(|line| format!("{}\n", line.strip_prefix("# ").unwrap_or(line))).collect()
}

/// Every setting of the sample with its section, such as `log.witnesses.key`.
fn told() -> BTreeSet<String> {
    let mut section = String::new();
    let mut told = BTreeSet::new();
    for line in sample().lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_start_matches('[').split(']').next().unwrap().to_owned();
        } else if let Some((name, _)) = line.split_once(" = ") {
            told.insert(if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") });
        }
    }
    told
}

/// What is read of a file: each structure with its fields, and each field with its type's last name.
fn structures() -> BTreeMap<String, Vec<(String, String)>> {
    let mut found: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for entry in fs::read_dir(root().join("src/config")).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let mut tag = None;
        let mut renamed = None;
        let mut open: Option<String> = None;
        for line in text.lines() {
            let bare = line.trim();
            if let Some(rest) = bare.strip_prefix("#[serde(") {
                let value = |key: &str| rest.split_once(key).and_then(|(_, rest)| rest.split('"').next());
                tag = value("tag = \"").map(str::to_owned).or(tag);
                renamed = value("rename = \"").map(str::to_owned);
            } else if let Some(name) = opened(line) {
                let fields = found.entry(name.clone()).or_default();
                fields.extend(tag.take().map(|tag| (tag, "String".to_owned())));
                open = Some(name);
            } else if line == "}" {
                (open, tag) = (None, None);
            } else if let (Some(name), Some((field, of))) = (&open, bare.split_once(": ")) {
                let field = renamed.take().unwrap_or_else(|| field.trim_start_matches("pub ").to_owned());
                let plain = field.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
                let of = of.trim_end_matches([',', '>']).rsplit(['<', ':']).next().unwrap().to_owned();
                if plain && !bare.starts_with("//") {
                    found.get_mut(name).unwrap().push((field, of));
                }
            }
        }
    }
    found
}

/// The name of a structure that begins in this line.
fn opened(line: &str) -> Option<String> {
    let line = line.strip_prefix("pub ").unwrap_or(line);
    let rest = line.strip_prefix("struct ").or_else(|| line.strip_prefix("enum "))?;
    Some(rest.strip_suffix(" {")?.to_owned())
}

fn settings(of: &str, before: &str, all: &BTreeMap<String, Vec<(String, String)>>, found: &mut BTreeSet<String>) {
    for (field, kind) in &all[of] {
        let name = format!("{before}{field}");
        if all.contains_key(kind) && (kind.ends_with("Section") || kind == "RetiredLog") {
            settings(kind, &format!("{name}."), all, found);
        } else {
            found.insert(name);
        }
    }
}

#[test]
fn operations_names_every_setting_and_no_other() {
    let mut read = BTreeSet::new();
    settings("File", "", &structures(), &mut read);
    // What is known to be one of each kind of section, so that a reader of source that went blind is noticed.
    for known in
        ["profile", "http.listen", "policy.tiers.asset", "keys.log_retired.public_key", "siem.kind", "siem.path"]
    {
        assert!(read.contains(known), "{known} isn't in {read:?}");
    }
    assert!(read.len() > 70, "{}: {read:?}", read.len());
    assert_eq!(told(), read);
}

#[test]
fn what_operations_shows_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path: &Path = &folder.path().join("countersign.toml");
    fs::write(path, sample()).unwrap();
    file::read(Some(path)).unwrap_or_else(|error| panic!("{error}\n{}", sample()));
}
