//! Key files of a new deployment, and the container's health check: small jobs of the command line.

use anyhow::{Context as _, bail};
use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use crate::adapters::timing::OsEntropy;
use crate::adapters::{log_key, receipts};
use crate::ports::Entropy;

/// Makes `master.key`, `receipt.pem`, `log.pem` and `vapid.pem`, readable by their owner only.
///
/// # Errors
/// When a file exists, or can't be written.
pub fn make(folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("{} can't be made", folder.display()))?;
    let entropy: &dyn Entropy = &OsEntropy;
    let master = data_encoding::BASE64.encode(&entropy.bytes::<32>());
    let files = [
        ("master.key", format!("{master}\n")),
        ("receipt.pem", receipts::generate_pem()?),
        ("log.pem", log_key::generate_pem(&entropy.bytes())?),
        ("vapid.pem", receipts::generate_pem()?),
    ];
    for (name, text) in files {
        let path = folder.join(name);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .with_context(|| format!("{} can't be made (existing keys are never overwritten)", path.display()))?;
        file.write_all(text.as_bytes())?;
        println!("{}", path.display());
    }
    let at = folder.display();
    println!(
        "\n[keys]\nmaster_file = \"{at}/master.key\"\nreceipt_file = \"{at}/receipt.pem\"\nlog_file = \"{at}/log.pem\""
    );
    println!("\n[push]\nvapid_file = \"{at}/vapid.pem\"\ncontact = \"mailto:you@example.org\"");
    Ok(())
}

/// Asks `/readyz`.
///
/// # Errors
/// When there is no answer, or it isn't 200.
pub fn healthcheck(address: SocketAddr) -> anyhow::Result<()> {
    let limit = Duration::from_secs(3);
    let mut stream = TcpStream::connect_timeout(&address, limit)?;
    stream.set_read_timeout(Some(limit))?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(4096).read_to_string(&mut answer)?;
    if answer.starts_with("HTTP/1.1 200") { Ok(()) } else { bail!("not ready") }
}
