//! Bodies that arrive in pieces, or not as announced.

use super::call::{Answer, exchange};
use super::stage::Stage;

fn head(stage: &Stage, framing: &str) -> String {
    format!(
        "POST /v1/approvals HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\
         Idempotency-Key: {}\r\nContent-Type: application/json\r\n{framing}\r\n\r\n",
        stage.key,
        stage.name("wire"),
    )
}

async fn chunked(stage: &Stage, pieces: &[&[u8]]) -> Answer {
    let mut bytes = head(stage, "Transfer-Encoding: chunked").into_bytes();
    for piece in pieces {
        bytes.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        bytes.extend_from_slice(piece);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    exchange(stage.at, &bytes).await
}

#[tokio::test]
async fn a_body_may_come_in_pieces() {
    let stage = Stage::new().await;
    let subject = stage.enrolled().await;
    let body = stage.transfer(&subject).to_string();
    let (first, rest) = body.as_bytes().split_at(7);
    let (second, third) = rest.split_at(1);
    assert_eq!(chunked(&stage, &[first, second, third]).await.expect(201)["state"], "pending");
    assert_eq!(chunked(&stage, &[]).await.line(), "400 malformed-json");
}

#[tokio::test]
async fn an_unannounced_body_is_bounded_too() {
    let stage = Stage::new().await;
    let piece = [b' '; 1_000];
    assert_eq!(chunked(&stage, &[&piece[..]; 17]).await.line(), "413 too-large");
    assert_eq!(chunked(&stage, &[&[b' '; 16_385][..]]).await.line(), "413 too-large");
    assert_eq!(chunked(&stage, &[&piece[..]; 16]).await.line(), "400 malformed-json");
}

#[tokio::test]
async fn an_announced_body_is_refused_before_it_is_read() {
    let stage = Stage::new().await;
    let bytes = head(&stage, "Content-Length: 1000000000");
    assert_eq!(exchange(stage.at, bytes.as_bytes()).await.line(), "413 too-large");
}

#[tokio::test]
async fn a_connection_serves_on_after_a_refusal() {
    let stage = Stage::new().await;
    let get = |close: &str| {
        let key = &stage.key;
        format!("GET /v1/approvals?zzz HTTP/1.1\r\nHost: x\r\n{close}Authorization: Bearer {key}\r\n\r\n")
    };
    let bytes = [get(""), get("Connection: close\r\n")].concat();
    let answer = exchange(stage.at, bytes.as_bytes()).await;
    assert_eq!(
        answer.text.matches("invalid-request").count() + usize::from(answer.status == 400),
        3,
        "{}",
        answer.text
    );
}
