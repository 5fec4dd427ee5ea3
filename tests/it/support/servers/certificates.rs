//! A certificate authority of a test's own, and one certificate that it issued for this machine.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{run, text};

/// Files in PEM, valid for two days, for `localhost` and 127.0.0.1.
pub struct Certificates {
    /// What a client has to trust.
    pub authority: PathBuf,
    /// The server's certificate.
    pub certificate: PathBuf,
    /// The server's key.
    pub key: PathBuf,
}

impl Certificates {
    /// Makes them in a directory that the caller keeps.
    pub fn issue(directory: &Path) -> Self {
        let file = |name| directory.join(name);
        let (authority, authority_key) = (file("ca.pem"), file("ca.key"));
        let (certificate, key) = (file("server.pem"), file("server.key"));
        let request = || {
            let mut command = Command::new("openssl");
            command.args(["req", "-x509", "-days", "2", "-sha256", "-noenc"]).args([
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
            ]);
            command
        };
        run(request()
            .args(["-subj", "/CN=Countersign test authority"])
            .args(["-addext", "keyUsage=critical,keyCertSign"])
            .args(["-keyout", text(&authority_key), "-out", text(&authority)]));
        run(request()
            .args(["-subj", "/CN=localhost", "-CA", text(&authority), "-CAkey", text(&authority_key)])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .args(["-addext", "extendedKeyUsage=serverAuth"])
            .args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
            .args(["-keyout", text(&key), "-out", text(&certificate)]));
        Self { authority, certificate, key }
    }
}
