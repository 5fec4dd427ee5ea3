//! A name that leads to another server after a failover, as an address that moves or a proxy would have it: a port that
//! passes on to whichever server it is told. Connections to the server before are cut.

use std::net::Ipv4Addr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

pub struct Relay {
    port: u16,
    target: watch::Sender<u16>,
    _task: AbortOnDropHandle<()>,
}

impl Relay {
    /// Begins to pass on to this port.
    pub async fn to(target: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let target = watch::Sender::new(target);
        let told = target.subscribe();
        let task = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(pass(near, told.clone()));
            }
        });
        Self { port, target, _task: AbortOnDropHandle::new(task) }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on it leads there.
    pub fn turn_to(&self, target: u16) {
        self.target.send_replace(target);
    }
}

async fn pass(mut near: TcpStream, mut told: watch::Receiver<u16>) {
    let target = *told.borrow_and_update();
    let Ok(mut far) = TcpStream::connect((Ipv4Addr::LOCALHOST, target)).await else { return };
    tokio::select! {
        _ = copy_bidirectional(&mut near, &mut far) => {}
        _ = told.changed() => {}
    }
}
