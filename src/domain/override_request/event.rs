//! What the steps of an override request are called. May import: nothing.

/// What a step is called in the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    Asked,
    Redrawn,
    Signed,
    SignedTwice,
    Told,
    CarriedOut,
    Refused,
    Expired,
    Stopped,
    Unreachable,
    Void,
}

impl Event {
    pub const ALL: [Self; 11] = [
        Self::Asked,
        Self::Redrawn,
        Self::Signed,
        Self::SignedTwice,
        Self::Told,
        Self::CarriedOut,
        Self::Refused,
        Self::Expired,
        Self::Stopped,
        Self::Unreachable,
        Self::Void,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "override.asked",
            Self::Redrawn => "override.redrawn",
            Self::Signed => "override.signed",
            Self::SignedTwice => "override.signed_twice",
            Self::Told => "override.told",
            Self::CarriedOut => "override.carried_out",
            Self::Refused => "override.refused_by_signer",
            Self::Expired => "override.expired",
            Self::Stopped => "override.stopped",
            Self::Unreachable => "override.unreachable",
            Self::Void => "override.void",
        }
    }

    /// Whether it only takes an override away, and so goes before other changes that wait: a veto above all.
    pub const fn tightens(self) -> bool {
        match self {
            Self::Refused | Self::Expired | Self::Stopped | Self::Unreachable | Self::Void => true,
            Self::Asked | Self::Redrawn | Self::Signed | Self::SignedTwice | Self::Told | Self::CarriedOut => false,
        }
    }
}
