//! The form of a mail: headers, and the same words as plain text and as HTML that loads nothing. Pure.

use askama::Template;
use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use std::error::Error;
use std::time::{Duration, SystemTime};

use crate::domain::time::Timestamp;
use crate::ports::outward::{Message, Reader};

/// Digits of a code that stand together: people keep groups of three in mind.
const GROUP: usize = 3;

/// The mail couldn't be written. The library's errors hold addresses, so only its kind is kept.
#[derive(Debug, thiserror::Error)]
pub(super) enum LetterError {
    #[error("a template failed")]
    Template(#[source] askama::Error),
    #[error("a header is missing or wrong")]
    Headers,
}

/// What every mail has in common.
pub(super) struct Letterhead {
    pub(super) from: Mailbox,
    pub(super) reply_to: Option<Mailbox>,
    /// The operator's name.
    pub(super) sender: String,
}

#[derive(Template)]
#[template(path = "messages/mail.txt", escape = "none")]
struct PlainText<'a> {
    body: &'a [String],
    code: Option<&'a str>,
    open: Option<&'a str>,
    stop: Option<&'a str>,
    sender: &'a str,
    reader: Reader,
}

#[derive(Template)]
#[template(path = "messages/mail.html")]
struct Html<'a> {
    title: &'a str,
    body: &'a [String],
    code: Option<&'a str>,
    open: Option<&'a str>,
    stop: Option<&'a str>,
    sender: &'a str,
    reader: Reader,
}

/// RFC 3834 section 5: keeps answering machines from answering.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

impl Letterhead {
    /// The whole mail, ready to be handed over. All of it is ASCII, so that no server needs an extension for it.
    pub(super) fn write(
        &self,
        to: &lettre::Address,
        message: &Message,
        now: Timestamp,
    ) -> Result<Vec<u8>, LetterError> {
        let title = one_line(&message.title);
        let body: Vec<String> = message.body.iter().map(|paragraph| one_line(paragraph)).collect();
        let code = message.code.as_deref().map(in_groups);
        let (code, sender) = (code.as_deref(), self.sender.as_str());
        let open = message.open.as_ref().map(url::Url::as_str);
        let stop = message.stop.as_ref().map(url::Url::as_str);
        let reader = message.reader;
        let text =
            PlainText { body: &body, code, open, stop, sender, reader }.render().map_err(LetterError::Template)?;
        let html = Html { title: &title, body: &body, code, open, stop, sender, reader };
        let html = html.render().map_err(LetterError::Template)?;

        // The same notice has the same id however often it is sent, so that a mailbox shows it once.
        let id = format!("<{}@{}>", message.notice, self.from.email.domain());
        let mut builder = lettre::Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to.clone()))
            .subject(title)
            .message_id(Some(id))
            .date(SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(now.seconds()).unwrap_or(0)))
            .header(AutoSubmitted);
        if let Some(reply_to) = &self.reply_to {
            builder = builder.reply_to(reply_to.clone());
        }
        let letter = builder.multipart(MultiPart::alternative_plain_html(text, html));
        Ok(letter.map_err(|_| LetterError::Headers)?.formatted())
    }
}

/// The text on one line: what could end a header, or a line of the text, becomes a space.
pub(super) fn one_line(text: &str) -> String {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    text.split(breaks).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// `482913` as `482 913`.
fn in_groups(code: &str) -> String {
    let characters: Vec<char> = code.chars().collect();
    characters.chunks(GROUP).map(String::from_iter).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::NoticeId;

    fn letterhead(operator: &str) -> Letterhead {
        let mut from: Mailbox = "notices@harbour.example".parse().unwrap();
        from.name = Some(one_line(operator));
        Letterhead { from, reply_to: None, sender: one_line(operator) }
    }

    fn message() -> Message {
        Message {
            notice: NoticeId::new(Timestamp::EPOCH, [7; 10]),
            reader: Reader::Holder,
            approval: None,
            title: "Harbour: a transfer is waiting for you".to_owned(),
            body: vec!["This money has not been sent.".to_owned(), "If you didn’t start it, stop it.".to_owned()],
            open: Some("https://approve.harbour.example/a/apr_1?x=1&y=2".parse().unwrap()),
            stop: Some("https://approve.harbour.example/c/token".parse().unwrap()),
            code: Some("482913".to_owned()),
            useless_after: Timestamp::EPOCH,
        }
    }

    fn write(letterhead: &Letterhead, message: &Message) -> String {
        let to = "marta@example.org".parse().unwrap();
        let now = Timestamp::parse_rfc3339("2026-11-21T14:32:00Z").unwrap();
        String::from_utf8(letterhead.write(&to, message, now).unwrap()).unwrap()
    }

    fn headers(mail: &str) -> Vec<&str> {
        mail.split("\r\n\r\n").next().unwrap().split("\r\n").collect()
    }

    #[test]
    fn staff_are_told_why_they_get_it_in_words_of_their_own() {
        let open = Some("https://console.harbour.example/");
        let text = PlainText { body: &[], code: None, open, stop: None, sender: "Harbour", reader: Reader::Staff };
        let text = text.render().unwrap();
        assert!(text.contains("The console:\nhttps://console.harbour.example/"), "{text}");
        assert!(text.contains("you sign for it") && !text.contains("transfers"), "{text}");
    }

    #[test]
    fn says_who_what_and_when_in_ascii() {
        let mail = write(&letterhead("Harbour"), &message());
        assert!(mail.is_ascii());
        let headers = headers(&mail);
        for line in [
            "From: Harbour <notices@harbour.example>",
            "To: marta@example.org",
            "Subject: Harbour: a transfer is waiting for you",
            "Message-ID: <ntc_00000000000077078707070707070707@harbour.example>",
            "Date: Sat, 21 Nov 2026 14:32:00 +0000",
            "Auto-Submitted: auto-generated",
        ] {
            assert!(headers.contains(&line), "{line}\n{headers:#?}");
        }
        assert!(!mail.to_ascii_lowercase().contains("list-unsubscribe"));
    }

    #[test]
    fn no_text_makes_a_header_of_its_own() {
        let mut nasty = message();
        nasty.title = "A\r\nBcc: thief@evil.example\r\n\r\n<script>alert(1)</script>".to_owned();
        nasty.body = vec!["x\r\n.\r\nMAIL FROM:<thief@evil.example>".to_owned(), "<img src=x>".to_owned()];
        let operator = "Harb\"our\r\nBcc: thief@evil.example\u{85}\u{2028}é";
        let mail = write(&letterhead(operator), &nasty);
        let plain = write(&letterhead("Harbour"), &message());
        let names = |mail: &str| -> Vec<String> {
            let named = |line: &&str| !line.starts_with([' ', '\t']);
            headers(mail).into_iter().filter(named).map(|line| line.split(':').next().unwrap().to_owned()).collect()
        };
        assert_eq!(names(&mail), names(&plain));
        let (_, html) = mail.split_once("Content-Type: text/html").unwrap();
        assert!(!html.contains("<script") && !html.contains("<img"), "{html}");
    }

    #[test]
    fn text_and_html_say_the_same() {
        let shown = message();
        let (open, stop) = (shown.open.as_ref().map(|u| u.as_str()), shown.stop.as_ref().map(|u| u.as_str()));
        let (code, sender) = (Some("482 913"), "Harbour & Sons");
        let text = PlainText { body: &shown.body, code, open, stop, sender, reader: Reader::Holder }.render().unwrap();
        let html = Html { title: &shown.title, body: &shown.body, code, open, stop, sender, reader: Reader::Holder }
            .render()
            .unwrap();
        for foreign in ["src=", "@import", "url(", "<link", "<script", "<img"] {
            assert!(!html.contains(foreign), "{foreign}");
        }
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let (_, visible) = html.split_once("<body").unwrap();
        let visible: String =
            format!("<body{visible}").split('<').filter_map(|tag| tag.split_once('>')).map(|(_, text)| text).collect();
        assert_eq!(words(&visible.replace("&#38;", "&")), words(&text));
        assert!(text.contains("Your code: 482 913\n\n"));
        assert!(text.contains("This link can only stop it:\nhttps://approve.harbour.example/c/token\n"));
        assert!(html.contains(r#"<a href="https://approve.harbour.example/a/apr_1?x=1&#38;y=2">"#));
    }

    #[test]
    fn a_message_may_have_neither_links_nor_code() {
        let text = PlainText {
            body: &["One.".to_owned()],
            code: None,
            open: None,
            stop: None,
            sender: "Harbour",
            reader: Reader::Holder,
        };
        let text = text.render().unwrap();
        assert!(text.starts_with("One.\n\nHarbour sent this"), "{text:?}");
    }

    #[test]
    fn codes_stand_in_groups_of_three() {
        assert_eq!(in_groups("482913"), "482 913");
        assert_eq!(in_groups("4829137"), "482 913 7");
    }
}
