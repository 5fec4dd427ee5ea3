//! Real servers for the tests: PostgreSQL, Redis and an SMTP server, each a process of its own on a loopback port with
//! a temporary directory. A handle stops its server when it is dropped, and the kernel does when the test process
//! dies before that, so nothing runs on afterwards. Imports no code of the service.
//!
//! This file owns what the servers share: starting and stopping a process, ports, and waiting. Each server has a file.

pub mod certificates;
pub mod postgres;
pub mod redis;
pub mod smtp;

use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Sender};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// How often a state is looked at, and how many times before the test gives up: 30 s in all, which a busy machine with
/// two cores doesn't reach and a person still waits for.
const PROBE_EVERY: Duration = Duration::from_millis(10);
const PROBES: u32 = 3_000;

/// Looks every 10 ms whether `probe` has an answer, for at most 30 s, and panics with `what` when it never had one.
pub fn wait_for<T>(what: &str, probe: impl FnMut() -> Option<T>) -> T {
    poll(probe).unwrap_or_else(|| panic!("waited 30 s in vain for: {what}"))
}

pub(in crate::support) fn poll<T>(mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    for _ in 0..PROBES {
        if let Some(found) = probe() {
            return Some(found);
        }
        #[expect(clippy::disallowed_methods, reason = "the one bounded poll that the reason of this lint points to")]
        thread::sleep(PROBE_EVERY);
    }
    None
}

/// A loopback port that nobody listens on, and that no other test gets while this process lives, so that a server that
/// was stopped gets its own port back. It lies below the range from which the kernel takes ports for outgoing
/// connections, and so does the port 10,000 above, which a node of a Redis cluster takes too.
pub fn free_port() -> u16 {
    static HELD: LazyLock<Mutex<Vec<File>>> = LazyLock::new(Mutex::default);
    const FIRST: u16 = 10_000;
    const COUNT: u64 = 10_000;
    let free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    for attempt in 0..COUNT {
        let offset = RandomState::new().hash_one(attempt) % COUNT;
        let port = FIRST + u16::try_from(offset).expect("an offset below 10,000");
        let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("port-{port}"));
        let file = File::create(&place).unwrap_or_else(|error| panic!("{}: {error}", place.display()));
        // The lock ends with this process, however it ends; a file of this process locks itself out, too.
        if file.try_lock().is_ok() && free(port) && free(port + 10_000) {
            HELD.lock().unwrap_or_else(PoisonError::into_inner).push(file);
            return port;
        }
    }
    panic!("no free loopback port from {FIRST} on");
}

/// Whether a process of this id runs. One that has ended and waits for its parent to notice doesn't.
pub fn is_running(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
        !matches!(state, None | Some('Z' | 'X'))
    })
}

/// Runs a command to its end and gives what it printed; panics with its complaint when it fails.
fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| {
        panic!("{:?}: {error}; `make test-deps` installs what is missing", command.get_program())
    });
    assert!(
        output.status.success(),
        "{:?} failed: {}{}",
        command,
        String::from_utf8_lossy(&output.stderr),
        String::from_utf8_lossy(&output.stdout)
    );
    String::from_utf8(output.stdout).expect("a program printed bytes that aren't UTF-8")
}

/// Where a program of this name is: in one of the `homes`, or else wherever PATH says.
fn program(name: &str, homes: &[PathBuf]) -> PathBuf {
    homes.iter().map(|home| home.join(name)).find(|path| path.exists()).unwrap_or_else(|| PathBuf::from(name))
}

/// The account a server runs under: the tests' own, or another one that root switches to.
#[derive(Clone, Copy)]
enum Account {
    Own,
    Named(&'static str),
}

impl Account {
    fn command(self, program: &Path) -> Command {
        match self {
            Self::Own => Command::new(program),
            Self::Named(user) => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid", user, "--regid", user, "--init-groups"]).arg(program);
                command
            }
        }
    }

    /// The same, for a program that the kernel kills as soon as the thread that started it is gone.
    fn server(self, program: &Path) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]);
        if let Self::Named(user) = self {
            command.args(["--reuid", user, "--regid", user, "--init-groups"]);
        }
        command.arg(program);
        command
    }
}

/// How a server is told to end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// By a signal that it obeys at once, giving back what the kernel holds for it.
    Asked(&'static str),
    /// By SIGKILL.
    Killed,
}

/// A server process. Dropping it ends it and waits until it is gone.
pub struct Process {
    child: Child,
    log: PathBuf,
    ending: Ending,
}

impl Process {
    /// Starts a server with its output in a log file. It is started by a thread that lives as long as the test
    /// process: the kernel ties a child to the thread that made it, and a test's thread, or one of an async runtime's
    /// pool, may be gone long before the test is.
    pub fn start(mut command: Command, log: &Path, ending: Ending) -> Self {
        type Request = (Command, Sender<io::Result<Child>>);
        static LAUNCHER: LazyLock<Sender<Request>> = LazyLock::new(|| {
            let (requests, inbox) = mpsc::channel::<Request>();
            thread::spawn(move || {
                for (mut command, answer) in inbox {
                    // Nobody waits for the answer only if the test has already failed.
                    drop(answer.send(command.spawn()));
                }
            });
            requests
        });

        let output = File::options().create(true).append(true).open(log).expect("a log file in the server's directory");
        command
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a second handle of the log file"))
            .stderr(output);
        let (answer, child) = mpsc::channel();
        LAUNCHER.send((command, answer)).expect("the launching thread lives as long as the process");
        let child = child.recv().expect("the launching thread answers").expect("setpriv, of util-linux, is installed");
        Self { child, log: log.to_owned(), ending }
    }

    /// The id of the server itself: setpriv replaces itself by it.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be waited for")
    }

    /// The end of what it printed, for the message of a test that fails.
    pub fn last_words(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // No step may panic, because a failing test may be why this runs; and each may fail, because the process may be
        // gone already, which is what is wanted.
        if let Ending::Asked(signal) = self.ending {
            // The shell's own kill, because the standard library can only send SIGKILL.
            let pid = self.pid().to_string();
            drop(Command::new("sh").args(["-c", r#"kill -s "$0" "$1""#, signal, &pid]).output());
            poll(|| self.child.try_wait().ok().flatten());
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Starts a server until it is ready. `start` starts it on a port, `ready` says whether the process given is the one
/// that answers there. A server that ends before it is ready has lost its port to another one and is started on a
/// fresh port, five times at most. `fixed` is the port of a server that comes back: it has to get the same one.
fn start_until_ready(
    name: &str,
    fixed: Option<u16>,
    mut start: impl FnMut(u16) -> Process,
    mut ready: impl FnMut(&Process, u16) -> bool,
) -> (Process, u16) {
    const ATTEMPTS: u32 = 5;
    let mut words = String::new();
    for _ in 0..ATTEMPTS {
        let port = fixed.unwrap_or_else(free_port);
        let mut process = start(port);
        let is_ready = wait_for(&format!("{name} to be ready"), || {
            if ready(&process, port) { Some(true) } else { process.ended().map(|_| false) }
        });
        if is_ready {
            return (process, port);
        }
        words = process.last_words();
    }
    panic!("{name} ended {ATTEMPTS} times before it was ready; its last words:\n{words}");
}

/// The text of a path; every path here was made by the tests.
fn text(path: &Path) -> &str {
    path.to_str().expect("a temporary directory with a name in UTF-8")
}
