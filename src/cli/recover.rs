//! `countersign recover`: after the database was restored to an earlier moment.

use anyhow::bail;

use crate::app;
use crate::config::Config;
use crate::service::{Error, recover};

/// Recovers, and says what was done.
///
/// # Errors
/// When nothing has to be recovered, or it can't be done now. It can be run again.
pub async fn run(config: &Config) -> anyhow::Result<()> {
    let parts = app::open(config).await?;
    let done = recover::recover(&parts.cx).await;
    parts.record.close().await;
    match done {
        Ok(done) => {
            println!("{} approvals that lived were cancelled with the reason `recovered`", done.cancelled);
            println!("{} override requests that lived were stopped", done.stopped);
            println!("the log goes on with {} entries, and the high-water mark was set anew", done.size);
            println!(
                "it is called {} now; tell its witnesses and whoever checks it",
                parts.cx.log.signer.keys().origin
            );
            Ok(())
        }
        Err(Error::Conflict) => bail!("the log isn't behind its high-water mark: there is nothing to recover"),
        Err(error) => Err(error.into()),
    }
}
