//! How somebody ends the demo: Ctrl-C at a terminal, or the signal that a supervisor sends.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Listens for both from the moment it is made, so that a signal that comes while the demo starts is heard as soon as
/// it can be stopped cleanly.
pub struct Ending {
    interrupt: Signal,
    terminate: Signal,
}

impl Ending {
    /// # Errors
    /// When the system doesn't let us listen.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for one of them.
    pub async fn come(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
