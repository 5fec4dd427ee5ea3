//! What the service worker gets: JSON with `title`, `body`, `url` to open, and `tag`, by which a later notice takes the
//! place of an earlier one on the screen. Pure.

use serde::Serialize;

use crate::ports::outward::Message;

/// Every payload has exactly this many bytes, so that the push service learns nothing from its length. With the 103
/// bytes that the encryption adds it stays under the 4096 that each service has to take (RFC 8291 section 4), and under
/// the 3 kB that leave room for what services put around it.
pub(super) const BYTES: usize = 2_800;

#[derive(Serialize)]
struct Payload<'a> {
    title: &'a str,
    body: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    tag: &'a str,
}

/// The payload, padded with the blanks that JSON allows at its end. Paragraphs that don't fit are left out, the last
/// first; `None` when the rest alone doesn't fit.
pub(super) fn of(message: &Message, tag: &str) -> Option<Vec<u8>> {
    (0..=message.body.len()).rev().find_map(|paragraphs| {
        let payload = Payload {
            title: &message.title,
            body: message.body.get(..paragraphs)?.join("\n"),
            url: message.open.as_ref().map(url::Url::as_str),
            tag,
        };
        let mut json = serde_json::to_vec(&payload).ok()?;
        (json.len() <= BYTES).then(|| {
            json.resize(BYTES, b' ');
            json
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::NoticeId;
    use crate::domain::time::Timestamp;

    fn message(title: &str, body: &[&str]) -> Message {
        Message {
            notice: NoticeId::new(Timestamp::EPOCH, [0; 10]),
            reader: crate::ports::outward::Reader::Holder,
            approval: None,
            title: title.to_owned(),
            body: body.iter().map(|&paragraph| paragraph.to_owned()).collect(),
            open: Some("https://approve.harbour.example/a/apr_1".parse().unwrap()),
            stop: Some("https://approve.harbour.example/c/secret".parse().unwrap()),
            code: None,
            useless_after: Timestamp::EPOCH,
        }
    }

    #[test]
    fn always_has_the_same_length() {
        let json = of(&message("A transfer", &["One.", "Two."]), "tag").unwrap();
        assert_eq!(json.len(), BYTES);
        let value: serde_json::Value = serde_json::from_slice(&json).unwrap();
        let expected = serde_json::json!({
            "title": "A transfer", "body": "One.\nTwo.", "url": "https://approve.harbour.example/a/apr_1", "tag": "tag",
        });
        assert_eq!(value, expected);
    }

    #[test]
    fn leaves_out_what_doesnt_fit() {
        let long = "é".repeat(BYTES / 2 - 200);
        let json = of(&message("A transfer", &["One.", &long, &long]), "tag").unwrap();
        let value: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(value["body"], format!("One.\n{long}"));
        assert!(of(&message(&"x".repeat(BYTES), &[]), "tag").is_none());
    }
}
