//! Where the record and the timers are kept, as it is written.

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use url::Url;

use super::file::{required, take};
use super::{Fault, RedisPlace, Storage, secret_file};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StorageSection {
    url: Option<String>,
    password_file: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedisSection {
    url: Option<String>,
    password_file: Option<PathBuf>,
    #[serde(default)]
    cluster: Vec<String>,
    prefix: Option<String>,
    ca_file: Option<PathBuf>,
}

/// Puts a password from a file into a URL.
fn with_password(name: &str, url: &str, file: Option<&PathBuf>) -> Result<SecretString, Fault> {
    let mut url = Url::parse(url).map_err(|error| Fault(format!("{name}: {error}")))?;
    if let Some(file) = file {
        let password = secret_file(file)?;
        url.set_password(Some(password.expose_secret()))
            .map_err(|()| Fault(format!("{name}: this URL can't carry a password")))?;
    }
    Ok(SecretString::from(url.to_string()))
}

/// Checks which of the two combinations it is, and where its servers are.
pub fn check(storage: StorageSection, redis: Option<RedisSection>, faults: &mut Vec<Fault>) -> Option<Storage> {
    let place = required(faults, "storage.url", storage.url, "give sqlite:PATH or postgres://USER@HOST/DATABASE")?;
    if let Some(path) = place.strip_prefix("sqlite:") {
        if redis.is_some() {
            faults.push(Fault("redis: SQLite keeps its timers in the process; leave the section out".into()));
        }
        return Some(Storage::Embedded { path: PathBuf::from(path.trim_start_matches("//")) });
    }
    if !place.starts_with("postgres://") && !place.starts_with("postgresql://") {
        faults.push(Fault("storage.url: must begin with sqlite: or postgres://".into()));
        return None;
    }
    let Some(redis) = redis else {
        faults.push(Fault("redis: PostgreSQL needs Redis beside it for the timers; add the section".into()));
        return None;
    };
    let postgres = take(faults, with_password("storage.url", &place, storage.password_file.as_ref()));
    let redis_url = required(faults, "redis.url", redis.url, "give redis://HOST:6379 or rediss://HOST:6379")?;
    let url = take(faults, with_password("redis.url", &redis_url, redis.password_file.as_ref()));
    let cluster: Option<Vec<_>> = redis
        .cluster
        .iter()
        .map(|node| take(faults, with_password("redis.cluster", node, redis.password_file.as_ref())))
        .collect();
    if !redis_url.starts_with("redis://") && !redis_url.starts_with("rediss://") {
        faults.push(Fault("redis.url: must begin with redis:// or rediss://".into()));
    }
    let secure = |url: &str| url.starts_with("rediss://");
    if redis.cluster.iter().any(|node| secure(node) != secure(&redis_url)) {
        faults.push(Fault("redis.cluster: all nodes are reached by TLS (rediss://), or none".into()));
    }
    if redis.ca_file.is_some() && !secure(&redis_url) {
        faults.push(Fault("redis.ca_file: is for a server with TLS, whose url begins with rediss://".into()));
    }
    let authorities_pem = authorities("redis.ca_file", redis.ca_file.as_deref(), faults);
    // A brace would move every key to one slot, a colon would let two prefixes meet.
    let fits = |prefix: &String| {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
        (1..=32).contains(&prefix.len()) && prefix.bytes().all(plain)
    };
    if redis.prefix.as_ref().is_some_and(|prefix| !fits(prefix)) {
        faults.push(Fault("redis.prefix: 1 to 32 lower-case letters, digits, hyphens and underscores".into()));
    }
    let place = RedisPlace { url: url?, cluster: cluster?, prefix: redis.prefix, authorities_pem };
    Some(Storage::Servers { postgres: postgres?, redis: Box::new(place) })
}

/// Certificate authorities out of a file, at least one.
pub fn authorities(name: &str, path: Option<&Path>, faults: &mut Vec<Fault>) -> Option<Vec<u8>> {
    let pem = take(faults, secret_file(path?))?.expose_secret().as_bytes().to_vec();
    let whole: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    if whole.is_ok_and(|certificates| !certificates.is_empty()) {
        return Some(pem);
    }
    faults.push(Fault(format!("{name}: holds no certificate in PEM, or one that can't be read")));
    None
}
