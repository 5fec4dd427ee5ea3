//! What OpenAPI says of the details: the closed schema that is shown, hashed and signed (`domain::details`).

use utoipa::ToSchema;

use super::request_body::{AssetBody, InitiatorBody, PayeeBody, PayeeHistoryBody, SourceAccountBody};

/// What is decided on. `digest` is the SHA-256 of its canonical form (RFC 8785).
#[derive(Debug, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Details {
    #[serde(rename = "type")]
    pub kind: DetailsKind,
    pub transfer_id: String,
    pub subject: String,
    /// As it was sent, to the digit.
    pub amount: String,
    #[schema(nullable = false)]
    pub currency: Option<String>,
    #[schema(nullable = false)]
    pub asset: Option<AssetBody>,
    pub payee: PayeeBody,
    #[schema(nullable = false)]
    pub payee_history: Option<PayeeHistoryBody>,
    pub source_account: SourceAccountBody,
    #[schema(nullable = false)]
    pub reference: Option<String>,
    pub initiator: InitiatorBody,
    /// Sixteen random bytes in base64url, so that the digest alone tells nothing.
    pub salt: String,
}

/// What is decided on.
#[derive(Debug, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DetailsKind {
    Transfer,
}
