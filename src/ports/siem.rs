//! Where security events go: a SIEM's way in, whichever it is.

use async_trait::async_trait;

/// A sink didn't take a batch. It is told again; nothing is left out.
#[derive(Debug, thiserror::Error)]
#[error("the sink didn't take the events: {what}")]
pub struct SinkError {
    /// A short stable word for the log, never the receiver's text.
    pub what: &'static str,
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// One way out for events.
#[async_trait]
pub trait EventSink: Send + Sync {
    /// By which its cursor is kept. A sink under another name is told everything from the beginning.
    fn name(&self) -> &str;
    /// Bytes that fit into one batch, line breaks with them.
    fn room(&self) -> usize;
    /// Hands over events, each one line of JSON. `Ok` means that the sink has all of them for good.
    async fn accept(&self, events: &[String]) -> Result<(), SinkError>;
}
