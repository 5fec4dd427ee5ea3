//! One node: `countersign serve` as a process of its own, as an operator would run it.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use crate::support::servers::{Ending, Process, free_port, wait_for};

/// The program that is tested.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_countersign");

/// So often a node is started on another port, because somebody else was faster to take the one before.
const ATTEMPTS: u32 = 5;

/// A node that runs, or that was ended and may be started again on the same port.
pub struct Node {
    process: Option<Process>,
    port: u16,
    role: &'static str,
    config: PathBuf,
    log: PathBuf,
}

impl Node {
    /// Starts a node and waits until it is ready. `settings` writes its configuration for a port and
    /// the role.
    pub fn start(folder: &Path, name: &str, role: &'static str, settings: impl Fn(u16, &str) -> String) -> Self {
        let mut words = String::new();
        for _ in 0..ATTEMPTS {
            let port = free_port();
            let (config, log) = (folder.join(format!("{name}.toml")), folder.join(format!("{name}.log")));
            fs::write(&config, settings(port, role)).expect("a file in a folder of ours");
            let mut node = Self { process: None, port, role, config, log };
            match node.launch() {
                Ok(()) => return node,
                Err(last) => words = last,
            }
        }
        panic!("a node ended {ATTEMPTS} times before it was ready; its last words:\n{words}");
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether it answers people and backends.
    pub fn serves(&self) -> bool {
        self.role != "worker"
    }

    pub fn config(&self) -> &Path {
        &self.config
    }

    /// All that it has logged, in every life.
    pub fn logged(&self) -> String {
        fs::read_to_string(&self.log).expect("a log")
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Starts a node that was ended, and waits until it is ready.
    pub fn start_again(&mut self) {
        if let Err(words) = self.launch() {
            panic!("a node ended before it was ready; its last words:\n{words}");
        }
    }

    /// SIGTERM, by which an operator ends a node.
    pub fn terminate(&self) {
        let pid = self.process.as_ref().expect("a node that runs").pid().to_string();
        let sent = Command::new("sh").args(["-c", r#"kill -s TERM "$0""#, &pid]).status().expect("a shell");
        assert!(sent.success());
    }

    /// How it ended, once it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.process.as_mut().expect("a node that was started").ended()
    }

    fn launch(&mut self) -> Result<(), String> {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", PROGRAM, "--config"]).arg(&self.config);
        command.args(["serve", "--role", self.role]);
        let mut process = Process::start(command, &self.log, Ending::Killed);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let ended = wait_for("a node to be ready", || {
            // Whoever else may have the port isn't this node: then it ends.
            if process.ended().is_some() {
                return Some(true);
            }
            countersign::keys::healthcheck(address).is_ok().then_some(false)
        });
        if ended {
            return Err(process.last_words());
        }
        self.process = Some(process);
        Ok(())
    }
}
