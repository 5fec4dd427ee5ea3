//! Ways in which a browser or an authenticator can lie. What lies is signed with the right key all the same, so that a
//! test sees the one check it is about, not just a broken signature.

/// Bits of the authenticator data's flags (WebAuthn L3 section 6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flags(pub u8);

impl Flags {
    pub const NONE: Self = Self(0);
    pub const USER_PRESENT: Self = Self(0x01);
    pub const USER_VERIFIED: Self = Self(0x04);
    pub const BACKUP_ELIGIBLE: Self = Self(0x08);
    pub const BACKED_UP: Self = Self(0x10);
    pub const ATTESTED: Self = Self(0x40);

    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

/// What to say instead of the truth; nothing by default.
#[derive(Debug, Clone, Default)]
pub struct Tamper {
    /// `origin` of the client data.
    pub origin: Option<String>,
    /// `type` of the client data.
    pub kind: Option<String>,
    /// Bytes of `challenge` in the client data.
    pub challenge: Option<Vec<u8>>,
    /// `crossOrigin`; browsers write `false`.
    pub cross_origin: Option<bool>,
    /// `topOrigin`, which browsers write in frames of other origins only.
    pub top_origin: Option<String>,
    /// More members of the client data, each a name and a JSON text: doubles, or keys nobody knows.
    pub members: Vec<(String, String)>,
    /// The RP ID whose hash goes into the authenticator data.
    pub rp_id: Option<String>,
    pub set: Option<Flags>,
    pub clear: Option<Flags>,
    /// The counter in the authenticator data; the authenticator's own stays as it is.
    pub counter: Option<u32>,
    /// COSE algorithm under which a new key is announced.
    pub algorithm: Option<i32>,
    /// The credential id in the response, beside the signed bytes.
    pub credential_id: Option<Vec<u8>>,
    /// Flips one bit in this byte of the assertion's signature, counted from its end.
    pub flip_signature: Option<usize>,
}

impl Tamper {
    /// Adds a member to the client data.
    #[must_use]
    pub fn member(mut self, name: &str, json: &str) -> Self {
        self.members.push((name.to_owned(), json.to_owned()));
        self
    }
}
