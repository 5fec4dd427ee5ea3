//! Mail through a real SMTP server; what arrives is read by Python's mail parser.

use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use countersign::adapters::channels::email::{BadEmailConfig, Email, EmailConfig, SmtpTls, TIME_LIMIT};
use countersign::domain::channel::Address;
use countersign::ports::outward::{ChannelSender, Message, SendError};
use secrecy::SecretString;
use serde_json::Value;

use super::channel_suite::{self, Bench, assert_words};
use super::scripted_smtp::{Refusal, ScriptedSmtp};
use super::{everything_said, message, noon};
use crate::support::clock::ManualClock;
use crate::support::servers::certificates::Certificates;
use crate::support::servers::free_port;
use crate::support::servers::smtp::{Mail, Smtp, SmtpMode};

fn config(smtp: &Smtp) -> EmailConfig {
    let authority = smtp.ca_pem_path();
    EmailConfig {
        host: smtp.host().to_owned(),
        port: smtp.port(),
        tls: if authority.is_some() { SmtpTls::StartTls } else { SmtpTls::Clear },
        login: authority.map(|_| (Smtp::USER.to_owned(), SecretString::from(Smtp::PASSWORD))),
        authorities_pem: authority.map(|path| std::fs::read(path).unwrap()),
        reply_to: Some("Harbour help <help@harbour.example>".to_owned()),
        ..bare_config()
    }
}

/// A server on this machine that knows no TLS and asks for no login.
fn bare_config() -> EmailConfig {
    EmailConfig {
        host: "127.0.0.1".to_owned(),
        port: 25,
        tls: SmtpTls::Clear,
        login: None,
        authorities_pem: None,
        from: "notices@harbour.example".to_owned(),
        reply_to: None,
        operator: "Harbour".to_owned(),
        time_limit: TIME_LIMIT,
    }
}

fn sender(config: EmailConfig) -> Arc<dyn ChannelSender> {
    Arc::new(Email::new(config, Arc::new(ManualClock::at(noon()))).unwrap())
}

fn mailbox(name: &str) -> Address {
    Address::email(&format!("{name}@example.org")).unwrap()
}

async fn fails(sender: &Arc<dyn ChannelSender>, message: &Message) -> SendError {
    sender.send(&mailbox("marta"), message).await.unwrap_err()
}

/// Headers and both bodies, as a mail program sees them.
fn read(mail: &Mail) -> Value {
    const SCRIPT: &str = "import email, email.policy, json, sys\n\
        mail = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default)\n\
        part = lambda kind: mail.get_body((kind,)).get_content()\n\
        defects = [str(d) for p in mail.walk() for d in p.defects]\n\
        headers = [[name.lower(), str(value)] for name, value in mail.items()]\n\
        print(json.dumps({'headers': dict(headers), 'names': [name for name, _ in headers], 'type': mail.get_content_type(),\n\
            'text': part('plain'), 'html': part('html'), 'defects': defects, 'parts': len(list(mail.walk()))}))";
    let mut python = Command::new("/usr/bin/python3")
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut python.stdin.take().unwrap(), mail.source.as_bytes()).unwrap();
    serde_json::from_slice(&python.wait_with_output().unwrap().stdout).unwrap()
}

#[tokio::test]
async fn conforms() {
    let smtp = Smtp::start(SmtpMode::StartTlsAuth);
    let working = sender(config(&smtp));
    let nobody = sender(EmailConfig { port: free_port(), ..config(&smtp) });
    let unlucky = SecretString::from("another password");
    let unknown = sender(EmailConfig { login: Some((Smtp::USER.to_owned(), unlucky)), ..config(&smtp) });
    let no_name = sender(EmailConfig { host: "nowhere.invalid".to_owned(), ..config(&smtp) });
    let bench = Bench {
        sender: Arc::clone(&working),
        good: mailbox("marta"),
        refused: vec![
            mailbox("refused"),
            // No mailbox at all: what the domain would have refused.
            Address::Email { mailbox: "marta@example.org\r\nRCPT TO:<thief@evil.example>".to_owned() },
            Address::Email { mailbox: "marta@example.org> BODY=8BITMIME".to_owned() },
            Address::Email { mailbox: String::new() },
        ],
        unreachable: vec![
            (working, mailbox("later")),
            (nobody, mailbox("marta")),
            (unknown, mailbox("marta")),
            (no_name, mailbox("marta")),
        ],
        secrets: [
            "marta",
            "refused@",
            "later@",
            "example.org",
            "localhost",
            "no such mailbox",
            "try again",
            "password",
        ]
        .map(str::to_owned)
        .to_vec(),
    };
    channel_suite::run(&bench).await;

    let mails = smtp.messages();
    assert_eq!(mails.len(), 2);
    for (mail, number) in mails.iter().zip([1, 2]) {
        assert_eq!(mail.from, "notices@harbour.example");
        assert_eq!(mail.to, ["marta@example.org"]);
        assert_words(read(mail)["text"].as_str().unwrap(), &message(number));
    }
}

#[tokio::test]
async fn a_mail_reads_the_same_as_text_and_as_html() {
    let smtp = Smtp::start(SmtpMode::Plain);
    let mut written = message(1);
    written.code = Some("482913".to_owned());
    sender(config(&smtp)).send(&mailbox("marta"), &written).await.unwrap();

    let mail = read(&smtp.wait_for_messages(1)[0]);
    assert_eq!(mail["defects"], serde_json::json!([]));
    assert_eq!((&mail["type"], &mail["parts"]), (&"multipart/alternative".into(), &3.into()));
    let header = |name: &str| mail["headers"][name].as_str().unwrap_or_default();
    assert_eq!(header("from"), "Harbour <notices@harbour.example>");
    assert_eq!(header("reply-to"), "Harbour help <help@harbour.example>");
    assert_eq!(header("to"), "marta@example.org");
    assert_eq!(header("subject"), written.title);
    assert_eq!(header("auto-submitted"), "auto-generated");
    assert_eq!(header("message-id"), format!("<{}@harbour.example>", written.notice));
    assert_eq!(header("date"), "Sat, 21 Nov 2026 12:00:00 +0000");
    assert_eq!(header("list-unsubscribe"), "");

    let (text, html) = (mail["text"].as_str().unwrap(), mail["html"].as_str().unwrap());
    for said in ["482 913", "can only stop it", "https://approve.harbour.example/c/tokenthatstops", "didn’t start it"]
    {
        assert!(text.contains(said) && html.contains(said), "{said}");
    }
    assert!(!text.contains("482913") && !html.contains("482913"));
}

#[tokio::test]
async fn no_text_reaches_the_headers_or_the_conversation() {
    let smtp = Smtp::start(SmtpMode::Plain);
    let mut nasty = message(1);
    nasty.title = "Waiting\r\nBcc: thief@evil.example\r\n\r\nA body".to_owned();
    nasty.body =
        vec!["One.\r\n.\r\nMAIL FROM:<thief@evil.example>\r\n".to_owned(), "\r\n.\r\nQUIT".to_owned(), ".".to_owned()];
    let config = EmailConfig {
        operator: "Harbour\" <thief@evil.example>,\r\nCc: thief@evil.example".to_owned(),
        ..config(&smtp)
    };
    sender(config).send(&mailbox("marta"), &nasty).await.unwrap();

    let mails = smtp.wait_for_messages(1);
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].to, ["marta@example.org"]);
    let mail = read(&mails[0]);
    let mut names: Vec<&str> = mail["names"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    names.sort_unstable();
    let expected =
        ["auto-submitted", "content-type", "date", "from", "message-id", "mime-version", "reply-to", "subject", "to"];
    assert_eq!(names, expected);
    assert_eq!(mail["headers"]["subject"], "Waiting Bcc: thief@evil.example A body");
    assert!(mail["headers"]["from"].as_str().unwrap().ends_with("<notices@harbour.example>"));
    let lines: Vec<&str> = mail["text"].as_str().unwrap().lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(lines[..3], ["One. . MAIL FROM:<thief@evil.example>", ". QUIT", "."]);
}

#[tokio::test]
async fn another_authority_isnt_trusted_and_nothing_is_said_in_clear() {
    let smtp = Smtp::start(SmtpMode::StartTlsAuth);
    let elsewhere = tempfile::tempdir().unwrap();
    let stranger = std::fs::read(Certificates::issue(elsewhere.path()).authority).unwrap();
    let wrong = sender(EmailConfig { authorities_pem: Some(stranger), ..config(&smtp) });
    let system = sender(EmailConfig { authorities_pem: None, ..config(&smtp) });
    for distrusting in [wrong, system] {
        let error = fails(&distrusting, &message(1)).await;
        assert!(matches!(error, SendError::Again { what: "the mail server's TLS isn't trusted", .. }), "{error:?}");
    }
    assert!(smtp.messages().is_empty());

    // A server that offers no TLS, or whose offer somebody took away, gets neither mail nor password.
    let plain = Smtp::start(SmtpMode::Plain);
    let strict = sender(EmailConfig { port: plain.port(), ..config(&smtp) });
    assert!(matches!(fails(&strict, &message(1)).await, SendError::Again { .. }));
    assert!(plain.messages().is_empty());

    let login = Some((Smtp::USER.to_owned(), SecretString::from(Smtp::PASSWORD)));
    let careless = EmailConfig { login, ..config(&plain) };
    let refused = Email::new(careless, Arc::new(ManualClock::at(noon())));
    assert!(matches!(refused, Err(BadEmailConfig::LoginInClear)));
}

#[tokio::test]
async fn tls_from_the_first_byte_carries_the_login() {
    let directory = tempfile::tempdir().unwrap();
    let issued = Certificates::issue(directory.path());
    let server = ScriptedSmtp::with_tls(&issued.certificate, &issued.key);
    let config = |authorities| EmailConfig {
        host: "localhost".to_owned(),
        port: server.port(),
        tls: SmtpTls::Implicit,
        login: Some((Smtp::USER.to_owned(), SecretString::from(Smtp::PASSWORD))),
        authorities_pem: authorities,
        ..bare_config()
    };
    assert!(matches!(fails(&sender(config(None)), &message(1)).await, SendError::Again { .. }));
    assert!(server.commands().is_empty());

    let authority = std::fs::read(&issued.authority).unwrap();
    let sender = sender(config(Some(authority)));
    for number in [1, 2] {
        sender.send(&mailbox("marta"), &message(number)).await.unwrap();
    }
    // The second mail went over the connection of the first, once that had answered.
    let said = server.commands().join(" ");
    assert_eq!(said, "EHLO AUTH MAIL RCPT DATA NOOP MAIL RCPT DATA");
}

/// Giving an address up because of something else would silence a channel that works.
#[tokio::test]
async fn only_a_refused_mailbox_is_given_up() {
    for (at, reply, is_gone) in [
        ("RCPT", "550 5.1.1 no such mailbox", true),
        ("RCPT", "551 not here", true),
        ("RCPT", "553 5.1.3 no such name", true),
        ("RCPT", "556 5.1.10 takes no mail", true),
        ("RCPT", "450 4.2.0 come back later", false),
        ("RCPT", "452 4.2.2 full", false),
        ("RCPT", "552 5.2.2 full", false),
        ("RCPT", "554 5.7.1 no relaying for you", false),
        ("RCPT", "530 5.7.0 who are you", false),
        ("MAIL", "550 5.7.1 no such sender", false),
        ("DATA", "554 5.5.1 no", false),
        (".", "550 5.7.1 this looks odd", false),
        (".", "451 4.7.1 greylisted", false),
    ] {
        let server = ScriptedSmtp::refusing(Refusal { at, reply });
        let error = fails(&sender(EmailConfig { port: server.port(), ..bare_config() }), &message(1)).await;
        assert_eq!(matches!(error, SendError::Gone { .. }), is_gone, "{at} {reply}: {error:?}");
        let (code, text) = reply.split_once(' ').unwrap();
        let said = everything_said(&error);
        assert!(!said.contains(text) && (is_gone || said.contains(code)), "{said}");
    }
}

#[tokio::test]
async fn a_server_that_comes_back_is_used_again() {
    let mut smtp = Smtp::start(SmtpMode::StartTlsAuth);
    let sender = sender(config(&smtp));
    sender.send(&mailbox("marta"), &message(1)).await.unwrap();
    smtp.kill();
    assert!(matches!(fails(&sender, &message(2)).await, SendError::Again { .. }));
    smtp.start_again();
    sender.send(&mailbox("marta"), &message(2)).await.unwrap();

    // The kept connection is of the server before this one: it is noticed before the mail is lost to it.
    smtp.kill();
    smtp.start_again();
    sender.send(&mailbox("marta"), &message(3)).await.unwrap();
    assert_eq!(smtp.wait_for_messages(3).len(), 3);
}

#[tokio::test]
async fn a_server_that_says_nothing_is_left_in_time() {
    let silent = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let hasty = sender(EmailConfig {
        port: silent.local_addr().unwrap().port(),
        time_limit: Duration::from_millis(200),
        ..bare_config()
    });
    let error = fails(&hasty, &message(1)).await;
    assert_eq!(everything_said(&error).matches("too slow").count(), 3, "{error:?}");
}

#[test]
fn a_configuration_is_judged_before_anything_is_sent() {
    let config = |from: &str, authorities: Option<&str>| EmailConfig {
        tls: SmtpTls::Implicit,
        authorities_pem: authorities.map(|text| text.as_bytes().to_vec()),
        from: from.to_owned(),
        ..bare_config()
    };
    let judge = |config| Email::new(config, Arc::new(ManualClock::at(noon()))).map(|_| ());
    assert!(judge(config("Countersign <countersign@localhost>", None)).is_ok());
    assert!(matches!(judge(config("nobody", None)), Err(BadEmailConfig::From(_))));
    assert!(matches!(judge(config("a@b.example\r\nBcc: c@d.example", None)), Err(BadEmailConfig::From(_))));
    let no_authority = judge(config("a@b.example", Some("no certificate")));
    assert!(matches!(no_authority, Err(BadEmailConfig::NoAuthority(_))), "{no_authority:?}");
    let login = Some((Smtp::USER.to_owned(), SecretString::from(Smtp::PASSWORD)));
    let printed = format!("{:?}", EmailConfig { login, ..config("a@b.example", None) });
    assert!(!printed.contains(Smtp::PASSWORD), "{printed}");
}

/// A relay that says nothing holds every connection; a mail that only waited for one spent no try.
#[tokio::test]
async fn a_mail_that_finds_every_connection_taken_was_not_tried() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let sender = sender(EmailConfig { port, time_limit: Duration::from_secs(8), ..bare_config() });
    let sends = (1..=7).map(|number| {
        let sender = Arc::clone(&sender);
        async move { fails(&sender, &message(number)).await }
    });
    let errors = futures_util::future::join_all(sends).await;
    let busy = errors.iter().filter(|error| matches!(error, SendError::Busy)).count();
    let slow = errors.iter().filter(|error| matches!(error, SendError::Again { .. })).count();
    assert_eq!((busy, slow), (3, 4), "{errors:?}");
}
