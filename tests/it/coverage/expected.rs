//! Who gets in where. A route that isn't here fails the test; whoever isn't named at a route is refused there.

/// What a link is about. A link of one kind opens nothing of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// In a notice about a transfer: it stops, and it locks.
    Cancel,
    /// In a notice about a lock: it locks again.
    Lock,
    /// In a notice about an override: it stops that.
    Veto,
    /// On the side that started a transfer.
    Wait,
    /// Where a first device is enrolled.
    Enrol,
    /// Where somebody of staff makes their passkey.
    Invite,
}

/// Who gets past a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Anybody: the route is one of [`super::OPEN_TO_ALL`].
    Open,
    /// Whoever has a link of this kind, whoever they are.
    Link(Kind),
    /// These, and only with what they signed themselves: everybody tries with it.
    Signature(&'static [&'static str]),
    /// Whoever has what a passkey of staff signed, whoever they are.
    Passkey,
    /// These.
    Only(&'static [&'static str]),
}

/// Listener, method, path, and who gets in.
pub type Expected = (&'static str, &'static str, &'static str, Gate);

use Gate::{Link, Only, Open, Passkey, Signature};

const DEVICE: Gate = Only(&["device", "locked device"]);
const ANY_DEVICE: Gate = Only(&["device", "locked device", "device of another"]);
const UNLOCKED: Gate = Only(&["device", "device of another"]);
/// Passkey and device key are those of one device.
const OWN_KEYS: Gate = Signature(&["device"]);
/// The same, of the holder whose transfers a link locked.
const LOCKED_OUT: Gate = Signature(&["device of another"]);
const AGENTS: Gate = Only(&["agent", "another agent"]);
const LOOKER: Gate = Only(&["agent"]);
const CONCERNED: Gate = Only(&["agent", "drawn signer", "other drawn signer"]);
const DRAWN: Gate = Only(&["drawn signer", "other drawn signer"]);
const AUDITOR: Gate = Only(&["auditor"]);
const ADMINS: Gate = Only(&["admin", "another admin"]);
const STAFF: Gate = Only(&[
    "agent",
    "another agent",
    "drawn signer",
    "other drawn signer",
    "signer who wasn't drawn",
    "auditor",
    "admin",
    "another admin",
]);
const PROVIDER: Gate = Only(&["directory"]);
const CREATE: Gate = Only(&["key create", "key of all"]);
const READ: Gate = Only(&["key read", "key of all"]);
const CANCEL: Gate = Only(&["key cancel", "key of all"]);
const REDEEM: Gate = Only(&["key redeem", "key of all"]);
const ENROL: Gate = Only(&["key enrol", "key of all"]);
const HOOKS: Gate = Only(&["key webhooks", "key of all"]);
/// Without an object in the address another backend's key gets in as well, to what is its own.
const LIST: Gate = Only(&["key read", "key of all", "key of another backend"]);
const HOOKS_OF_ONESELF: Gate = Only(&["key webhooks", "key of all", "key of another backend"]);
const ENROL_OF_ONESELF: Gate = Only(&["key enrol", "key of all", "key of another backend"]);

/// In the order in which they are tried: what ends something comes after what needs it.
pub const EXPECTED: &[Expected] = &[
    ("public", "GET", "/.well-known/jwks.json", Open),
    ("public", "GET", "/openapi.json", Open),
    ("public", "GET", "/healthz", Open),
    ("public", "GET", "/readyz", Open),
    ("public", "GET", "/log/checkpoint", Open),
    ("public", "GET", "/log/keys", Open),
    ("public", "GET", "/log/tile/{tile:.+}", Open),
    ("public", "GET", "/static/{file}", Open),
    ("public", "GET", "/sw.js", Open),
    ("public", "GET", "/manifest.webmanifest", Open),
    ("public", "GET", "/e/declined", Open),
    ("public", "GET", "/push/key", Open),
    ("console", "GET", "/static/{file}", Open),
    ("console", "GET", "/sign-in", Open),
    ("console", "POST", "/sign-in/start", Open),
    ("console", "GET", "/join/done", Open),
    // The API.
    ("public", "POST", "/v1/approvals", CREATE),
    ("public", "GET", "/v1/approvals", LIST),
    ("public", "GET", "/v1/approvals/{id}", READ),
    ("public", "POST", "/v1/approvals/{id}/cancel", CANCEL),
    ("public", "POST", "/v1/approvals/{id}/redeem", REDEEM),
    ("public", "POST", "/v1/holders", ENROL_OF_ONESELF),
    ("public", "GET", "/v1/holders/{subject}", ENROL),
    ("public", "POST", "/v1/holders/{subject}/enrolments", ENROL),
    ("public", "POST", "/v1/notices/{id}/bounced", CANCEL),
    ("public", "POST", "/v1/webhooks/endpoints", HOOKS_OF_ONESELF),
    ("public", "GET", "/v1/webhooks/endpoints", HOOKS_OF_ONESELF),
    ("public", "GET", "/v1/webhooks/endpoints/{id}", HOOKS),
    ("public", "PATCH", "/v1/webhooks/endpoints/{id}", HOOKS),
    ("public", "POST", "/v1/webhooks/endpoints/{id}/rotate", HOOKS),
    ("public", "POST", "/v1/webhooks/endpoints/{id}/test", HOOKS),
    ("public", "GET", "/v1/webhooks/endpoints/{id}/deliveries", HOOKS),
    ("public", "POST", "/v1/webhooks/endpoints/{id}/deliveries/{delivery}/redeliver", HOOKS),
    ("public", "DELETE", "/v1/webhooks/endpoints/{id}", HOOKS),
    // The holder's pages. A locked device still shows and stops; it decides and subscribes nothing.
    ("public", "GET", "/", ANY_DEVICE),
    ("public", "GET", "/e/done", ANY_DEVICE),
    ("public", "GET", "/views", ANY_DEVICE),
    ("public", "GET", "/a/{approval}", DEVICE),
    ("public", "GET", "/a/{approval}/status", DEVICE),
    ("public", "GET", "/a/{approval}/events", DEVICE),
    ("public", "POST", "/a/{approval}/prompt", OWN_KEYS),
    ("public", "POST", "/a/{approval}/approve", OWN_KEYS),
    ("public", "POST", "/a/{approval}/reject", DEVICE),
    ("public", "POST", "/a/{approval}/cancel", DEVICE),
    ("public", "POST", "/push/subscribe", UNLOCKED),
    ("public", "POST", "/overrides/{request}/stop", DEVICE),
    ("public", "GET", "/lock", ANY_DEVICE),
    ("public", "POST", "/lock/prompt", LOCKED_OUT),
    ("public", "POST", "/lock/lift", LOCKED_OUT),
    // What is opened by a link.
    ("public", "GET", "/c/{token}", Link(Kind::Cancel)),
    ("public", "POST", "/c/{token}", Link(Kind::Cancel)),
    ("public", "GET", "/c/{token}/lock", Link(Kind::Cancel)),
    ("public", "GET", "/l/{token}", Link(Kind::Lock)),
    ("public", "GET", "/o/{token}", Link(Kind::Veto)),
    ("public", "POST", "/o/{token}", Link(Kind::Veto)),
    ("public", "GET", "/w/{token}", Link(Kind::Wait)),
    ("public", "POST", "/w/{token}/open", Link(Kind::Wait)),
    ("public", "GET", "/w/{token}/status", Link(Kind::Wait)),
    ("public", "GET", "/w/{token}/events", Link(Kind::Wait)),
    ("public", "POST", "/w/{token}/cancel", Link(Kind::Wait)),
    ("public", "GET", "/e/{token}", Link(Kind::Enrol)),
    ("public", "POST", "/e/{token}/start", Link(Kind::Enrol)),
    ("public", "POST", "/e/{token}/prove", Link(Kind::Enrol)),
    ("public", "POST", "/e/{token}/finish", Link(Kind::Enrol)),
    ("public", "POST", "/e/{token}/decline", Link(Kind::Enrol)),
    ("console", "GET", "/join/{token}", Link(Kind::Invite)),
    ("console", "POST", "/join/{token}/start", Link(Kind::Invite)),
    ("console", "POST", "/join/{token}/prove", Link(Kind::Invite)),
    ("console", "POST", "/join/{token}/finish", Link(Kind::Invite)),
    ("console", "POST", "/sign-in/finish", Passkey),
    // The console.
    ("console", "GET", "/", STAFF),
    ("console", "GET", "/cases/status", STAFF),
    ("console", "GET", "/holders", AGENTS),
    ("console", "POST", "/holders", AGENTS),
    ("console", "GET", "/looks/{view}", LOOKER),
    ("console", "POST", "/looks/{view}/{approval}/extend", LOOKER),
    ("console", "POST", "/looks/{view}/{approval}/reveal", LOOKER),
    ("console", "POST", "/looks/{view}/{approval}/cancel", LOOKER),
    ("console", "POST", "/looks/{view}/override", LOOKER),
    ("console", "GET", "/cases/{case}", CONCERNED),
    ("console", "GET", "/cases/{case}/status", CONCERNED),
    ("console", "POST", "/cases/{case}/prompt", DRAWN),
    ("console", "POST", "/cases/{case}/sign", Signature(&["drawn signer"])),
    ("console", "POST", "/cases/{case}/refuse", DRAWN),
    ("console", "POST", "/cases/{case}/redraw", CONCERNED),
    ("console", "POST", "/cases/{case}/stop", CONCERNED),
    ("console", "GET", "/staff", ADMINS),
    ("console", "GET", "/staff/status", ADMINS),
    ("console", "GET", "/staff/add", ADMINS),
    ("console", "POST", "/staff/draft", ADMINS),
    ("console", "POST", "/staff/propose", Signature(&["admin"])),
    ("console", "GET", "/staff/changes/{change}", ADMINS),
    ("console", "POST", "/staff/changes/{change}/prompt", ADMINS),
    ("console", "POST", "/staff/changes/{change}/sign", Signature(&["admin"])),
    ("console", "POST", "/staff/changes/{change}/refuse", ADMINS),
    ("console", "GET", "/staff/{staff}", ADMINS),
    ("console", "GET", "/staff/{staff}/change", ADMINS),
    ("console", "GET", "/audit", AUDITOR),
    ("console", "POST", "/audit", AUDITOR),
    ("console", "GET", "/audit/{entry}", AUDITOR),
    ("console", "GET", "/report", AUDITOR),
    ("console", "POST", "/report", AUDITOR),
    ("console", "GET", "/scim/v2/ServiceProviderConfig", PROVIDER),
    ("console", "GET", "/scim/v2/Users", PROVIDER),
    // An identity provider adds nobody.
    ("console", "POST", "/scim/v2/Users", Only(&[])),
    ("console", "GET", "/scim/v2/Users/{id}", PROVIDER),
    ("console", "PUT", "/scim/v2/Users/{id}", PROVIDER),
    ("console", "PATCH", "/scim/v2/Users/{id}", PROVIDER),
    ("console", "DELETE", "/scim/v2/Users/{id}", PROVIDER),
    // What takes much with it.
    ("console", "POST", "/staff/{staff}/end", ADMINS),
    ("public", "POST", "/c/{token}/lock", Link(Kind::Cancel)),
    ("public", "POST", "/l/{token}", Link(Kind::Lock)),
    ("console", "POST", "/looks/{view}/lock", LOOKER),
    ("public", "POST", "/lock", ANY_DEVICE),
    ("public", "DELETE", "/v1/holders/{subject}", Only(&["key erase", "key of all"])),
    ("console", "POST", "/sign-out", STAFF),
];
