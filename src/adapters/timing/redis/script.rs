//! Lua scripts, sent by their hash. Imports `domain` and the link.

use redis::{ErrorKind, FromRedisValue, ServerErrorKind};

use super::link::{Link, LinkError};
use crate::domain::ids::ApprovalId;

/// What a script takes after its keys.
pub(super) enum Argument {
    Number(i64),
    Id(ApprovalId),
}

/// A script that a server may or may not have seen before.
pub(super) struct Script {
    text: &'static str,
    hash: String,
}

impl Script {
    pub fn new(text: &'static str) -> Self {
        Self { text, hash: redis::Script::new(text).get_hash().to_owned() }
    }

    /// Runs it. A server that starts has lost it: then the text is sent once.
    pub async fn run<T: FromRedisValue>(
        &self,
        link: &Link,
        keys: &[&str],
        arguments: &[Argument],
    ) -> Result<T, LinkError> {
        let command = |name: &str, script: &str| {
            let mut command = redis::cmd(name);
            command.arg(script).arg(keys.len()).arg(keys);
            for argument in arguments {
                match argument {
                    Argument::Number(number) => command.arg(*number),
                    Argument::Id(id) => command.arg(id.bytes()),
                };
            }
            command
        };
        match link.query(&command("EVALSHA", &self.hash)).await {
            Err(LinkError::Redis(error)) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                link.query(&command("EVAL", self.text)).await
            }
            answer => answer,
        }
    }
}
