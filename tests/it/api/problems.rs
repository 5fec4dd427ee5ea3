//! The table of problems, and that everything that isn't answered is one of them.

use countersign::domain::Timestamp;
use countersign::domain::approval::StateName;
use countersign::domain::approval::transitions::Refusal;
use countersign::domain::backend::Scope;
use countersign::domain::link::LinkRefusal;
use countersign::domain::witness::quorum::Unmet;
use countersign::ports::outward::CeremonyError;
use countersign::ports::store::StoreError;
use countersign::service::Error;
use countersign::service::log::RolledBack;
use countersign::web::problem::{Kind, Problem};
use std::time::Duration;

use super::call::{Call, exchange};
use super::stage::Stage;

/// What only the inside may see.
const INSIDE: &str = "inside-7f3a";

fn inside() -> Box<dyn std::error::Error + Send + Sync> {
    INSIDE.into()
}

#[test]
fn the_kinds_are_stable() {
    let table: Vec<String> =
        Kind::ALL.iter().map(|kind| format!("{} {}: {}", kind.status().as_u16(), kind.slug(), kind.title())).collect();
    insta::assert_snapshot!("kinds", table.join("\n"));
}

#[test]
fn every_error_has_its_problem_and_no_inside() {
    let id = || INSIDE.to_owned();
    let refused = |name| CeremonyError::Refused { name, source: Some(inside()) };
    let errors = [
        Error::NotFound,
        Error::Scope(Scope::Redeem),
        Error::Unauthenticated,
        Error::UnknownHolder,
        Error::NoDevice,
        Error::NoChannel,
        Error::TooManyPending,
        Error::DuplicateTransfer,
        Error::DuplicateSubject,
        Error::IdempotencyMismatch,
        Error::TooManyEndpoints,
        Error::Refused(Refusal::State(StateName::Rejected)),
        Error::Refused(Refusal::Redeemed { at: Timestamp::EPOCH }),
        Error::Refused(Refusal::TimeOver),
        Error::Refused(Refusal::TooEarly),
        Error::Refused(Refusal::OtherHolder),
        Error::Refused(Refusal::DeviceDead),
        Error::Refused(Refusal::DeviceTooNew),
        Error::Refused(Refusal::SameBrowser),
        Error::Refused(Refusal::Unproved),
        Error::Refused(Refusal::AssuranceTooLow),
        Error::Refused(Refusal::AlreadyWatched),
        Error::Refused(Refusal::OtherDigest),
        Error::Refused(Refusal::OtherKey),
        Error::Refused(Refusal::PastCap),
        Error::Refused(Refusal::NotLonger),
        Error::Link(LinkRefusal::Ended),
        Error::Link(LinkRefusal::Expired),
        Error::Link(LinkRefusal::CodeUsedUp),
        Error::AlreadyEnrolled,
        Error::WrongCode,
        Error::UnknownDevice,
        Error::DeviceLocked,
        Error::PromptStale,
        Error::DeviceKey,
        Error::Ceremony(CeremonyError::Malformed(inside())),
        Error::Ceremony(refused("challenge")),
        Error::Ceremony(CeremonyError::Internal(inside())),
        Error::invalid("field", "must be otherwise"),
        Error::TooFast(Duration::from_millis(2_500)),
        Error::Conflict,
        Error::RolledBack(RolledBack::Smaller { size: 1, mark: 2 }),
        Error::Unwitnessed(Unmet::Missing { have: 1, least: 2 }),
        Error::Unknown(inside()),
        Error::Store(StoreError::Unavailable(inside())),
        Error::Store(StoreError::Corrupt { table: "approvals", id: id(), source: inside() }),
        Error::Store(StoreError::Forged { table: "approvals", id: id() }),
        Error::Internal(inside()),
    ];
    let lines = errors.iter().map(|error| {
        let problem = Problem::of(error);
        let text = problem.text(None);
        assert!(!text.contains(INSIDE) && !text.contains("approvals\""), "{error:?} tells: {text}");
        let name: String = format!("{error:?}").replace(INSIDE, "…");
        format!("{name}\n  {} {} | {}", problem.status().as_u16(), problem.slug(), problem.detail)
    });
    insta::assert_snapshot!("errors", lines.collect::<Vec<_>>().join("\n"));
}

#[tokio::test]
async fn what_has_no_route_is_a_problem_too() {
    let stage = Stage::new().await;
    for path in
        ["/v1", "/v1/", "/v1/nothing", "/v1/approvals/", "/v1/approvals//cancel", "/v1/%00", "/v1/..%2f..%2fetc"]
    {
        let bytes = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let answer = exchange(stage.at, bytes.as_bytes()).await;
        assert_eq!(answer.line(), "404 not-found", "{path}");
    }
}

#[tokio::test]
async fn an_id_is_made_here_for_every_request() {
    let stage = Stage::new().await;
    let ask = || Call::get("/v1/approvals").header("X-Request-Id", "mine").header("x-request-id", "theirs");
    let (one, two) = (stage.send(ask()).await, stage.send(ask()).await);
    let id = |answer: &super::call::Answer| answer.header("x-request-id").map(str::to_owned).expect("an id");
    assert_ne!(id(&one), id(&two));
    assert!(uuid::Uuid::parse_str(&id(&one)).is_ok(), "{}", id(&one));
}

#[tokio::test]
async fn answers_keep_their_security_headers_when_they_fail() {
    let stage = Stage::new().await;
    for answer in [stage.send(Call::get("/v1/approvals")).await, Call::get("/v1/approvals").send(stage.at).await] {
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{}", answer.text);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert!(answer.header("content-security-policy").is_some());
    }
}
