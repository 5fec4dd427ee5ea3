//! Where webhooks arrive: answers at once, and tells when which event came. Signatures aren't checked here; the tests
//! and the demo do that.

use serde::Deserialize;
use std::net::Ipv4Addr;
use std::time::Instant;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::{clock, wire};

/// One webhook.
#[derive(Debug)]
pub struct Arrived {
    pub event: String,
    pub approval: String,
    pub at: Instant,
}

/// The address to register, and what came there.
pub struct Receiver {
    pub url: String,
    pub arrived: UnboundedReceiver<Arrived>,
}

#[derive(Deserialize)]
struct Body {
    #[serde(rename = "type")]
    event: String,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    approval_id: String,
}

impl Receiver {
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://127.0.0.1:{}/hook", listener.local_addr()?.port());
        let (tell, arrived) = unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, tell.clone()));
            }
        });
        Ok(Self { url, arrived })
    }
}

async fn serve(mut stream: TcpStream, tell: UnboundedSender<Arrived>) {
    let mut buffer = Vec::new();
    while let Ok(Some(message)) = wire::read(&mut stream, &mut buffer).await {
        let at = clock::now();
        if let Ok(Body { event, data }) = serde_json::from_slice(&message.body)
            && tell.send(Arrived { event, approval: data.approval_id, at }).is_err()
        {
            return;
        }
        if stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.is_err() {
            return;
        }
    }
}
