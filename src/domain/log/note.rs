//! Signed notes (C2SP signed-note): a text, an empty line, and signature lines; and the names and public keys in the
//! form that the ecosystem of transparency logs passes around (`name+id+key`, as golang.org/x/mod/sumdb/note has it).
//!
//! Which keys are believed is [`super::keys`]' business; private keys lie in an adapter.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use data_encoding::{BASE64, HEXLOWER};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

use crate::domain::details::Digest;

/// Signature lines that are read; the specification asks for at least 16.
const MOST_SIGNATURES: usize = 64;
/// Longest note that is read, in bytes.
const LONGEST: usize = 64 * 1024;
/// Longest name of a log or a key: that of a host and a path.
const LONGEST_NAME: usize = 256;
/// What a signature line begins with: an em dash and a space.
const DASH: &str = "\u{2014} ";

/// The name of a log, which is also the name of the keys that sign for it: a URL without its scheme.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(String);

/// The text can't be the name of a log or key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a log's name is 1 to 256 bytes without spaces, control characters and '+', such as approve.example/log")]
pub struct BadName;

impl Origin {
    /// # Errors
    /// [`BadName`].
    pub fn parse(text: &str) -> Result<Self, BadName> {
        let fits = |c: char| !c.is_whitespace() && !c.is_control() && c != '+';
        let fine = !text.is_empty() && text.len() <= LONGEST_NAME && text.chars().all(fits);
        if fine { Ok(Self(text.to_owned())) } else { Err(BadName) }
    }

    /// The name of the log that an issuer publishes under `/log`: the issuer without its scheme, and `/log`, as C2SP
    /// tlog-tiles recommends.
    ///
    /// # Errors
    /// [`BadName`] when the issuer isn't made for it; the operator then gives the log a name.
    pub fn of_issuer(issuer: &str) -> Result<Self, BadName> {
        let bare = issuer.split_once("://").map_or(issuer, |(_, rest)| rest);
        Self::parse(&format!("{}/log", bare.trim_end_matches('/')))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What kind of signature a key makes: the signature type identifier byte of C2SP signed-note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignatureType {
    /// Ed25519 over the note's text.
    Ed25519,
    /// A witness's Ed25519 over time and text (C2SP tlog-cosignature).
    Cosignature,
}

impl SignatureType {
    /// The identifier byte.
    pub const fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 1,
            Self::Cosignature => 4,
        }
    }

    const fn of(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Ed25519),
            4 => Some(Self::Cosignature),
            _ => None,
        }
    }
}

/// A public key with its name, by which signatures are checked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VerifierKey {
    pub name: Origin,
    pub signs: SignatureType,
    /// RFC 8032 section 5.1.5.
    pub public: [u8; 32],
}

/// The text isn't a public key of a log or witness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the public key of a log: it should read name+8 hex digits+base64")]
pub struct BadKey;

impl VerifierKey {
    /// The key id of C2SP signed-note, "Signatures".
    pub fn id(&self) -> u32 {
        let name = self.name.as_str().as_bytes();
        let digest = Digest::of(&[name, b"\n", &[self.signs.byte()], &self.public].concat());
        let [a, b, c, d, ..] = *digest.bytes();
        u32::from_be_bytes([a, b, c, d])
    }

    /// Whether this key made the signature over these bytes.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.public).verify(message, signature).is_ok()
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[self.signs.byte()][..], &self.public].concat();
        write!(f, "{}+{}+{}", self.name, HEXLOWER.encode(&self.id().to_be_bytes()), BASE64.encode(&key))
    }
}

impl FromStr for VerifierKey {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<Self, BadKey> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(BadKey);
        };
        let bytes = BASE64.decode(key.as_bytes()).map_err(|_| BadKey)?;
        let (byte, public) = bytes.split_first().ok_or(BadKey)?;
        let key = Self {
            name: Origin::parse(name).map_err(|_| BadKey)?,
            signs: SignatureType::of(*byte).ok_or(BadKey)?,
            public: public.try_into().map_err(|_| BadKey)?,
        };
        // The id is the name's and the key's digest: a key that was mistyped or renamed doesn't fit it.
        if key.to_string().split('+').nth(1) == Some(id) { Ok(key) } else { Err(BadKey) }
    }
}

impl Serialize for VerifierKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for VerifierKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Why a note is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    #[error("not a signed note")]
    Form,
    #[error("the note has no signature by a known key")]
    Unsigned,
    #[error("the note's signature by {0} is wrong")]
    Signature(Origin),
    #[error("the note is signed with a key of {0} whose time was over, or had not come")]
    KeyPeriod(Origin),
}

/// One signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    pub name: Origin,
    pub id: u32,
    pub bytes: Vec<u8>,
}

impl fmt::Display for Signature {
    /// The line without its line break.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.id.to_be_bytes()[..], &self.bytes].concat();
        write!(f, "{DASH}{} {}", self.name, BASE64.encode(&bytes))
    }
}

impl FromStr for Signature {
    type Err = NoteError;

    fn from_str(line: &str) -> Result<Self, NoteError> {
        let (name, signature) = line.strip_prefix(DASH).and_then(|rest| rest.split_once(' ')).ok_or(NoteError::Form)?;
        let name = Origin::parse(name).map_err(|_| NoteError::Form)?;
        let bytes = BASE64.decode(signature.as_bytes()).map_err(|_| NoteError::Form)?;
        let (id, bytes) = bytes.split_first_chunk::<4>().ok_or(NoteError::Form)?;
        if bytes.is_empty() {
            return Err(NoteError::Form);
        }
        Ok(Self { name, id: u32::from_be_bytes(*id), bytes: bytes.to_vec() })
    }
}

/// A note with its signatures, none of which has been checked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Ends in a line break.
    text: String,
    signatures: Vec<Signature>,
}

impl Note {
    /// A text with one signature, made over exactly these bytes.
    ///
    /// # Errors
    /// [`NoteError::Form`] when the text can't be a note's.
    pub fn signed(text: String, by: &VerifierKey, signature: &[u8]) -> Result<Self, NoteError> {
        if !is_text(&text) || !text.ends_with('\n') {
            return Err(NoteError::Form);
        }
        let signature = Signature { name: by.name.clone(), id: by.id(), bytes: signature.to_vec() };
        Ok(Self { text, signatures: vec![signature] })
    }

    /// Adds another one's signature, such as a witness's.
    pub fn add(&mut self, signature: Signature) {
        self.signatures.push(signature);
    }

    /// What is signed.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// The signatures that name this key. An id is short and proves nothing; the caller checks each.
    pub fn signatures_of<'a>(&'a self, key: &'a VerifierKey) -> impl Iterator<Item = &'a Signature> {
        let id = key.id();
        self.signatures.iter().filter(move |signature| signature.id == id && signature.name == key.name)
    }
}

fn is_text(text: &str) -> bool {
    text.len() <= LONGEST && text.chars().all(|c| c == '\n' || c >= ' ')
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

impl FromStr for Note {
    type Err = NoteError;

    fn from_str(note: &str) -> Result<Self, NoteError> {
        if !is_text(note) {
            return Err(NoteError::Form);
        }
        // The text keeps its last line break; the empty line after it belongs to neither part.
        let cut = note.rfind("\n\n").ok_or(NoteError::Form)?;
        let (text, rest) = note.split_at(cut + 1);
        let lines = rest.strip_prefix('\n').and_then(|rest| rest.strip_suffix('\n')).ok_or(NoteError::Form)?;
        let signatures: Vec<Signature> = lines.split('\n').map(str::parse).collect::<Result<_, _>>()?;
        if signatures.len() > MOST_SIGNATURES {
            return Err(NoteError::Form);
        }
        Ok(Self { text: text.to_owned(), signatures })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key and note of the documentation of golang.org/x/mod/sumdb/note.
    const KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const NOTE: &str = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem \
                        is.\n\n\u{2014} PeterNeumann \
                        x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

    #[test]
    fn the_known_note_verifies_and_is_written_the_same() {
        let key: VerifierKey = KEY.parse().unwrap();
        assert_eq!(key.to_string(), KEY);
        let note: Note = NOTE.parse().unwrap();
        assert_eq!(note.to_string(), NOTE);
        let signature = note.signatures_of(&key).next().unwrap();
        assert!(key.verifies(note.text().as_bytes(), &signature.bytes));
        assert!(!key.verifies(note.text().trim_end().as_bytes(), &signature.bytes));
        let renamed = VerifierKey { name: Origin::parse("Peter").unwrap(), ..key };
        assert_eq!(note.signatures_of(&renamed).count(), 0);
    }

    #[test]
    fn a_mistyped_key_is_refused() {
        for bad in [
            "",
            "PeterNeumann",
            "PeterNeumann+c74f20a3",
            "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
            "PeterNeuman+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
            "PeterNeumann+c74f20a3+AhpC2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
            "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10Q=",
        ] {
            assert_eq!(bad.parse::<VerifierKey>(), Err(BadKey), "{bad}");
        }
    }

    #[test]
    fn what_is_no_note_is_refused() {
        let signature = NOTE.rsplit_once('\n').unwrap().0.rsplit_once('\n').unwrap().1;
        for bad in [
            String::new(),
            "text\n".to_owned(),
            "text\n\n".to_owned(),
            format!("text\n{signature}\n"),
            format!("text\n\n{signature}"),
            format!("text\n\n{signature}\n\n"),
            format!("text\n\n{signature}\r\n"),
            format!("text\n\n{}\n", signature.replace('\u{2014}', "-")),
            format!("text\n\n{}x\n", signature),
            "text\n\n\u{2014} name AAAAAA==\n".to_owned(),
            format!("text\0\n\n{signature}\n"),
            format!("text\n\n{}", format!("{signature}\n").repeat(65)),
        ] {
            assert_eq!(bad.parse::<Note>(), Err(NoteError::Form), "{bad:?}");
        }
    }

    #[test]
    fn names_follow_the_issuer() {
        assert_eq!(Origin::of_issuer("https://approve.example").unwrap().as_str(), "approve.example/log");
        assert_eq!(Origin::of_issuer("http://localhost:7070/").unwrap().as_str(), "localhost:7070/log");
        assert_eq!(Origin::of_issuer("Harbour Bank"), Err(BadName));
        for bad in ["", "a b", "a+b", "a\nb", "a\u{3000}b", &"x".repeat(257)] {
            assert_eq!(Origin::parse(bad), Err(BadName), "{bad:?}");
        }
    }
}
