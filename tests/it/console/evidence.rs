//! What the database alone proves, and what its owner can't make it say.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use countersign::domain::details::Digest;
use countersign::domain::device::Blob;
use countersign::domain::evidence::{Evidence, SignedAssertion};
use countersign::domain::staff::signing::Signs;
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};

use super::stage::{self, Stage};

async fn open(stage: &Stage) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(stage.file.as_ref().expect("a file"));
    options.connect().await.unwrap()
}

/// WebAuthn L3 section 7.2, steps 17 to 21, by hand: nothing of ours is asked.
fn verifies(assertion: &SignedAssertion, challenge: &Digest, rp_id: &str) {
    let client: Value = serde_json::from_slice(&assertion.client_data_json.0).unwrap();
    assert_eq!(client["type"], "webauthn.get");
    assert_eq!(client["challenge"], BASE64URL_NOPAD.encode(challenge.bytes()));
    let data = &assertion.authenticator_data.0;
    assert_eq!(data[..32], Digest::of(rp_id.as_bytes()).bytes()[..]);
    assert_eq!(data[32] & 0b101, 0b101, "present and verified");
    let part = |name: &str| {
        let text = assertion.public_key[name].as_str().unwrap();
        BASE64URL_NOPAD.decode(text.as_bytes()).unwrap()
    };
    let point = [vec![4], part("x"), part("y")].concat();
    let signed = [data.as_slice(), Digest::of(&assertion.client_data_json.0).bytes()].concat();
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &point);
    key.verify(&signed, &assertion.signature.0).expect("a signature that fits");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_signature_of_staff_can_be_recomputed_from_its_evidence() {
    let (stage, _alive) = stage::on_sqlite().await;
    let mut admins = stage.founders().await;
    stage.hire(&mut admins, "Cleo Park", "support", "Teleplus", &["agent"]).await;
    let mut database = open(&stage).await;
    let rows = sqlx::query_scalar::<_, String>("SELECT body FROM evidence").fetch_all(&mut database).await.unwrap();
    let mut kinds = Vec::new();
    for row in rows {
        let Evidence::Staff { staff, preimage, signed, assertion, .. } = serde_json::from_str(&row).unwrap() else {
            panic!("{row}");
        };
        assert_eq!(preimage.digest, Digest::of(signed.as_bytes()));
        assert_eq!((preimage.staff, &preimage.credential_id), (staff, &assertion.credential_id));
        verifies(&assertion, &preimage.challenge(), "console.localhost");
        // Any other text has another challenge, and any other kind too.
        let other = countersign::domain::staff::signing::StaffPreimage { nonce: Blob(vec![0; 16]), ..preimage.clone() };
        assert_ne!(other.challenge(), preimage.challenge());
        if preimage.signs == Signs::Change {
            let text: Value = serde_json::from_str(&signed).unwrap();
            assert_eq!(text["proposal"]["profile"]["employer"]["name"], "Teleplus");
        }
        kinds.push(preimage.signs);
    }
    let count = |signs| kinds.iter().filter(|kind| **kind == signs).count();
    assert_eq!((count(Signs::Enrol), count(Signs::Change)), (3, 2), "three joined, and two signed for one of them");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_databases_owner_makes_nobody_an_admin() {
    let (stage, _alive) = stage::on_sqlite().await;
    let mut admins = stage.founders().await;
    let mut agent = stage.hire(&mut admins, "Cleo Park", "support", "Teleplus", &["agent"]).await;
    let mut database = open(&stage).await;
    let forge = sqlx::query(
        "UPDATE staff SET body = replace(body, '\"roles\":[\"agent\"]', '\"roles\":[\"admin\"]') WHERE id = $1",
    );
    let forged = forge.bind(agent.id().uuid()).execute(&mut database).await.unwrap();
    assert_eq!(forged.rows_affected(), 1);
    assert_eq!(agent.get("/staff").await.status, 500, "a row that nobody with the key wrote isn't believed");
    assert_ne!(agent.sign_in().await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_databases_owner_hands_nobody_anothers_session_or_passkey() {
    let (stage, _alive) = stage::on_sqlite().await;
    let mut admins = stage.founders().await;
    let mut agent = stage.hire(&mut admins, "Cleo Park", "support", "Teleplus", &["agent"]).await;
    let mut database = open(&stage).await;
    let (admin, own) = (admins.0.id().uuid(), agent.id().uuid());
    let moved = sqlx::query("UPDATE staff_sessions SET staff_id = $1 WHERE staff_id = $2").bind(admin).bind(own);
    moved.execute(&mut database).await.unwrap();
    assert_eq!(agent.get("/staff").await.status, 500);
    let moved = sqlx::query("UPDATE staff_passkeys SET staff_id = $1 WHERE staff_id = $2").bind(admin).bind(own);
    moved.execute(&mut database).await.unwrap();
    agent.cookie = None;
    assert_ne!(agent.sign_in().await.status, 200);
    assert!(agent.cookie.is_none());
    assert_eq!(agent.post("/staff/draft", &json!({})).await.slug(), "signed-out");
}
