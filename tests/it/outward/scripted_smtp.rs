//! A mail server that follows a script: it takes everything but one command, and answers that one as a test says. With
//! TLS from the first byte if there is a certificate.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// The step at which the server doesn't go along, and its reply there.
#[derive(Debug, Clone, Copy)]
pub struct Refusal {
    /// `MAIL`, `RCPT`, `DATA`, `AUTH`, or `.` for the end of the mail.
    pub at: &'static str,
    pub reply: &'static str,
}

#[derive(Default)]
struct Record {
    commands: Mutex<Vec<String>>,
    is_over: AtomicBool,
}

/// A running server on loopback. Dropping it stops it.
pub struct ScriptedSmtp {
    port: u16,
    record: Arc<Record>,
}

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

impl ScriptedSmtp {
    pub fn refusing(refusal: Refusal) -> Self {
        Self::start(Some(refusal), |socket| Box::new(socket))
    }

    /// With implicit TLS, by a certificate and key in PEM files.
    pub fn with_tls(certificate: &Path, key: &Path) -> Self {
        let chain = vec![CertificateDer::from_pem_file(certificate).unwrap()];
        let key = PrivateKeyDer::from_pem_file(key).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let config = Arc::new(config);
        let wrap = move |socket| -> Box<dyn Stream> {
            Box::new(StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), socket))
        };
        Self::start(None, wrap)
    }

    fn start(refusal: Option<Refusal>, wrap: impl Fn(TcpStream) -> Box<dyn Stream> + Send + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let record = Arc::new(Record::default());
        let kept = Arc::clone(&record);
        thread::spawn(move || {
            for socket in listener.incoming() {
                if kept.is_over.load(Ordering::SeqCst) {
                    return;
                }
                // A client that hangs up, or distrusts the certificate, ends its conversation and not the server.
                let _ended = converse(BufReader::new(wrap(socket.unwrap())), refusal, &kept);
            }
        });
        Self { port, record }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The first word of each command so far.
    pub fn commands(&self) -> Vec<String> {
        self.record.commands.lock().unwrap().clone()
    }
}

impl Drop for ScriptedSmtp {
    fn drop(&mut self) {
        self.record.is_over.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for the next client.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

fn converse(mut client: BufReader<Box<dyn Stream>>, refusal: Option<Refusal>, record: &Record) -> std::io::Result<()> {
    client.get_mut().write_all(b"220 localhost\r\n")?;
    loop {
        let mut line = String::new();
        if client.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let word = line.split_whitespace().next().unwrap_or_default().to_uppercase();
        record.commands.lock().unwrap().push(word.clone());
        let refused = |step: &str| refusal.filter(|refusal| refusal.at == step).map(|refusal| refusal.reply);
        let mut reply = refused(&word).unwrap_or(match word.as_str() {
            "EHLO" => "250-localhost\r\n250 AUTH PLAIN",
            "AUTH" => "235 welcome",
            "DATA" => "354 go on",
            "QUIT" => "221 bye",
            _ => "250 fine",
        });
        if reply.starts_with("354") {
            client.get_mut().write_all(b"354 go on\r\n")?;
            let mut content = String::new();
            while !content.ends_with("\r\n.\r\n") {
                client.read_line(&mut content)?;
            }
            reply = refused(".").unwrap_or("250 taken");
        }
        client.get_mut().write_all(format!("{reply}\r\n").as_bytes())?;
        client.get_mut().flush()?;
        if word == "QUIT" {
            return Ok(());
        }
    }
}
