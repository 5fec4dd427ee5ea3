//! The demo's channel: messages that stay in memory and are shown on the demo's inbox page. `app` builds it for the
//! profiles `demo` and `bench` only.

use async_trait::async_trait;
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::broadcast;

use crate::domain::channel::{Address, ChannelKind};
use crate::ports::outward::{ChannelSender, Message, SendError};

/// So many messages are kept, of all names together; the oldest goes first.
pub const KEPT: usize = 200;

/// All inboxes of the demo.
pub struct Inbox {
    messages: Mutex<VecDeque<(String, Message)>>,
    arrivals: broadcast::Sender<Arrival>,
}

/// That a message has come: for whom, and its title, which has neither code nor link in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    pub name: String,
    pub title: String,
}

impl Default for Inbox {
    fn default() -> Self {
        Self { messages: Mutex::default(), arrivals: broadcast::Sender::new(KEPT) }
    }
}

impl Inbox {
    pub fn new() -> Self {
        Self::default()
    }

    /// What comes from now on, each message once.
    pub fn arrivals(&self) -> broadcast::Receiver<Arrival> {
        self.arrivals.subscribe()
    }

    /// The messages of one name that are still kept, the newest first.
    pub fn messages(&self, name: &str) -> Vec<Message> {
        let kept = self.lock();
        kept.iter().rev().filter(|(owner, _)| owner == name).map(|(_, message)| message.clone()).collect()
    }

    /// No code of ours panics while it holds the lock, and a queue is whole after each step anyway.
    fn lock(&self) -> MutexGuard<'_, VecDeque<(String, Message)>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Inbox({} messages)", self.lock().len())
    }
}

#[async_trait]
impl ChannelSender for Inbox {
    fn kind(&self) -> ChannelKind {
        ChannelKind::Inbox
    }

    async fn send(&self, to: &Address, message: &Message) -> Result<(), SendError> {
        let Address::Inbox { name } = to else {
            return Err(SendError::Gone { what: "not an inbox" });
        };
        let mut kept = self.lock();
        let before = kept.len();
        // A message that is sent again after its answer was lost is still one message.
        kept.retain(|(_, other)| other.notice != message.notice);
        let is_new = kept.len() == before;
        while kept.len() >= KEPT {
            kept.pop_front();
        }
        kept.push_back((name.clone(), message.clone()));
        drop(kept);
        if is_new {
            // Nobody may be listening.
            let _ = self.arrivals.send(Arrival { name: name.clone(), title: message.title.clone() });
        }
        // Neither code nor link: this line is on a console that others may see. The page shows them.
        tracing::info!(notice = %message.notice, "a message is in the demo inbox");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::NoticeId;
    use crate::domain::time::Timestamp;

    #[tokio::test]
    async fn keeps_the_last_messages_of_all_names() {
        let inbox = Inbox::new();
        let address = |name: &str| Address::inbox(name).unwrap();
        let message = |number: u8| Message {
            notice: NoticeId::new(Timestamp::EPOCH, [number; 10]),
            reader: crate::ports::outward::Reader::Holder,
            approval: None,
            title: format!("number {number}"),
            body: Vec::new(),
            open: None,
            stop: None,
            code: Some("482913".to_owned()),
            useless_after: Timestamp::EPOCH,
        };
        let mut arrivals = inbox.arrivals();
        inbox.send(&address("marta"), &message(0)).await.unwrap();
        inbox.send(&address("marta"), &message(0)).await.unwrap();
        let told = arrivals.try_recv().unwrap();
        assert_eq!((told.name.as_str(), told.title.as_str()), ("marta", "number 0"));
        assert!(arrivals.try_recv().is_err(), "the same one again is no news");
        for number in 1..=200 {
            inbox.send(&address("lars"), &message(number)).await.unwrap();
        }
        assert!(inbox.messages("marta").is_empty());
        assert_eq!(inbox.messages("lars").len(), KEPT);
        assert_eq!(inbox.messages("lars")[0].title, "number 200");

        inbox.send(&address("lars"), &message(200)).await.unwrap();
        assert_eq!(inbox.messages("lars").len(), KEPT);
        assert_eq!(format!("{inbox:?}"), "Inbox(200 messages)");
    }
}
