//! The demo's channel: messages that stay in memory and are shown on the demo's inbox page. `app` builds it for the
//! profiles `demo` and `bench` only.

use async_trait::async_trait;
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::channel::{Address, ChannelKind};
use crate::ports::outward::{ChannelSender, Message, SendError};

/// So many messages are kept, of all names together; the oldest goes first.
pub const KEPT: usize = 200;

/// All inboxes of the demo.
#[derive(Default)]
pub struct Inbox {
    messages: Mutex<VecDeque<(String, Message)>>,
}

impl Inbox {
    pub fn new() -> Self {
        Self::default()
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
        // A message that is sent again after its answer was lost is still one message.
        kept.retain(|(_, other)| other.notice != message.notice);
        while kept.len() >= KEPT {
            kept.pop_front();
        }
        kept.push_back((name.clone(), message.clone()));
        drop(kept);
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
        inbox.send(&address("marta"), &message(0)).await.unwrap();
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
