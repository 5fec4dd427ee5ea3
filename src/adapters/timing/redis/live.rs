//! News between nodes, over publish and subscribe. Imports `domain` and `ports`.
//!
//! Who listens on this node hears its own news directly. One task sends news to the other nodes, several in one
//! message; another hears theirs, and reconnects for as long as it takes. Both end when the adapter is dropped.

use async_trait::async_trait;
use futures_util::StreamExt;
use redis::aio::PubSub;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{interval, sleep, timeout};
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use super::super::memory_live::MemoryLive;
use super::keys::KeyPrefix;
use super::link::Link;
use crate::domain::approval::Version;
use crate::domain::ids::ApprovalId;
use crate::ports::timing::Live;

type News = (ApprovalId, Version);

/// News that wait to be sent; more are dropped, for it is only a courtesy.
const QUEUE: usize = 4_096;

/// The most news in one message, about 10 kB.
const BATCH: usize = 512;

/// The first byte of a message: the version of its layout. Then 20 bytes for each piece of news: the id, and the
/// version of the approval, big-endian.
const LAYOUT: u8 = 1;
const PIECE: usize = 20;

/// How long to wait before connecting again: doubled from the first to the second.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// How often a quiet connection is asked whether it is still one.
const PING_EVERY: Duration = Duration::from_secs(2);

/// News for and from all nodes.
pub struct RedisLive {
    here: Arc<MemoryLive>,
    out: mpsc::Sender<News>,
    is_connected: Arc<AtomicBool>,
    _tasks: [AbortOnDropHandle<()>; 2],
}

impl RedisLive {
    pub(super) fn start(link: Arc<Link>, prefix: &KeyPrefix) -> Self {
        let here = Arc::new(MemoryLive::new());
        let is_connected = Arc::new(AtomicBool::default());
        let (out, inbox) = mpsc::channel(QUEUE);
        let listener = Listener {
            link: link.clone(),
            channel: prefix.live(),
            here: here.clone(),
            is_connected: is_connected.clone(),
        };
        let tasks = [tokio::spawn(send(link, prefix.live(), inbox)), tokio::spawn(listener.run())];
        Self { here, out, is_connected, _tasks: tasks.map(AbortOnDropHandle::new) }
    }
}

#[async_trait]
impl Live for RedisLive {
    async fn publish(&self, news: &[News]) {
        self.here.deliver(news.iter().copied());
        for piece in news {
            // A full queue means that Redis doesn't keep up or isn't there: whoever waits looks again anyway.
            if self.out.try_send(*piece).is_err() {
                break;
            }
        }
    }

    fn subscribe(&self, id: ApprovalId) -> watch::Receiver<Version> {
        self.here.listen(id)
    }

    fn is_connected(&self) -> bool {
        self.is_connected.load(Ordering::Relaxed)
    }
}

/// Sends news to the other nodes: whatever has gathered while the message before was under way.
async fn send(link: Arc<Link>, channel: String, mut inbox: mpsc::Receiver<News>) {
    let mut batch = Vec::with_capacity(BATCH);
    while inbox.recv_many(&mut batch, BATCH).await > 0 {
        let mut command = redis::cmd("PUBLISH");
        command.arg(&channel).arg(write(&batch));
        if let Err(error) = link.query::<()>(&command).await {
            tracing::debug!(error = &error as &dyn std::error::Error, "news for other nodes is lost");
        }
        batch.clear();
    }
}

fn write(news: &[News]) -> Vec<u8> {
    let mut message = Vec::with_capacity(1 + PIECE * news.len());
    message.push(LAYOUT);
    for (id, version) in news {
        message.extend_from_slice(id.bytes());
        message.extend_from_slice(&version.to_be_bytes());
    }
    message
}

/// The news in a message; none in one of another layout, which a newer node may send.
fn read(message: &[u8]) -> impl Iterator<Item = News> {
    let pieces = match message.split_first() {
        Some((&LAYOUT, pieces)) => pieces,
        _ => &[],
    };
    pieces.chunks_exact(PIECE).filter_map(|piece| {
        let (id, version) = piece.split_first_chunk::<16>()?;
        let version = Version::from_be_bytes(version.try_into().ok()?);
        Some((ApprovalId::from_uuid(Uuid::from_bytes(*id)), version))
    })
}

/// The task that hears the other nodes.
struct Listener {
    link: Arc<Link>,
    channel: String,
    here: Arc<MemoryLive>,
    is_connected: Arc<AtomicBool>,
}

impl Listener {
    async fn run(self) {
        let (shortest, longest) = BACKOFF;
        let mut pause = shortest;
        let mut attempt = 0;
        loop {
            if let Some(connection) = self.connect(attempt).await {
                self.is_connected.store(true, Ordering::Relaxed);
                self.listen(connection).await;
                self.is_connected.store(false, Ordering::Relaxed);
                pause = shortest;
            }
            attempt = attempt.wrapping_add(1);
            sleep(pause).await;
            pause = longest.min(pause * 2);
        }
    }

    async fn connect(&self, attempt: usize) -> Option<PubSub> {
        let connecting = async {
            let mut connection = self.link.dialer().dial_listener(attempt).await?;
            connection.subscribe(&self.channel).await?;
            Ok::<_, redis::RedisError>(connection)
        };
        match timeout(self.link.timeout(), connecting).await {
            Ok(Ok(connection)) => Some(connection),
            Ok(Err(error)) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "can't hear other nodes");
                None
            }
            Err(_) => None,
        }
    }

    /// Hears until the connection ends or falls silent.
    async fn listen(&self, connection: PubSub) {
        let (mut questions, mut messages) = connection.split();
        let mut ping = interval(PING_EVERY);
        loop {
            tokio::select! {
                message = messages.next() => match message {
                    Some(message) => self.here.deliver(read(message.get_payload_bytes())),
                    None => return,
                },
                _ = ping.tick() => match timeout(self.link.timeout(), questions.ping::<redis::Value>()).await {
                    Ok(Ok(_)) => {}
                    Ok(Err(_)) | Err(_) => return,
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;

    #[test]
    fn a_message_reads_back_and_another_layout_is_no_news() {
        let now = Timestamp::from_micros(1_795_271_520_000_000);
        let news = [(ApprovalId::new(now, [1; 10]), 3), (ApprovalId::new(now, [2; 10]), u32::MAX)];
        let mut message = write(&news);
        assert_eq!(message.len(), 41);
        assert_eq!(read(&message).collect::<Vec<_>>(), news);
        assert_eq!(read(&message[..40]).count(), 1);
        message[0] = 2;
        assert_eq!(read(&message).count(), 0);
        assert_eq!(read(&[]).count(), 0);
    }
}
