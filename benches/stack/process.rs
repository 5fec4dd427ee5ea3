//! A process that ends with the load generator, whatever happens to it.

use anyhow::{Context as _, bail};
use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// How it is told to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// At once, giving back what the kernel holds for it: PostgreSQL's immediate shutdown.
    Quit,
    Kill,
}

/// A running process. Dropping it ends it.
pub struct Process {
    child: Child,
    log: PathBuf,
    ending: Ending,
}

/// A command whose process the kernel kills when the thread that started it is gone.
pub fn command(program: &Path, account: Option<&str>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]);
    if let Some(account) = account {
        command.args(["--reuid", account, "--regid", account, "--init-groups"]);
    }
    command.arg(program);
    command
}

/// Runs a command to its end and gives what it printed.
pub fn output(command: &mut Command) -> anyhow::Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("{:?}", command.get_program()))?;
    if !output.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A loopback port that nobody listened on a moment ago.
pub fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

impl Process {
    pub fn start(mut command: Command, log: &Path, ending: Ending) -> anyhow::Result<Self> {
        let file = File::options().create(true).append(true).open(log)?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let child = command.spawn().context("setpriv, of util-linux, is needed")?;
        Ok(Self { child, log: log.to_owned(), ending })
    }

    /// The id of the process itself: setpriv replaces itself by it.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Fails with the process's last words when it has ended.
    pub fn check(&mut self) -> anyhow::Result<()> {
        if let Some(status) = self.child.try_wait()? {
            let words = std::fs::read_to_string(&self.log).unwrap_or_default();
            bail!("{} ended with {status}:\n{words}", self.log.display());
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be gone already, which is what is wanted.
        if self.ending == Ending::Quit {
            drop(Command::new("sh").args(["-c", r#"kill -s QUIT "$0""#, &self.pid().to_string()]).output());
        } else {
            drop(self.child.kill());
        }
        drop(self.child.wait());
    }
}
