//! Answering and working apart: one node answers people and backends, the other does what is due and answers nobody.

use super::chance::Chance;
use super::deployment::{Deployment, Options};
use super::gateway::Gateway;
use super::holder::Holder;
use super::phone::Cookies;
use crate::support::eventually::eventually;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_one_node_answers_for_another_carries_out() {
    let mut chance = Chance::of("roles");
    let deployment = Deployment::start(Options { roles: &["api", "worker"], ..Options::default() }).await;
    let gateway = deployment.gateway();
    // The code for the phone comes by mail, which only the worker sends.
    let mut holder = Holder::enrolled(&deployment, &gateway, "roles", chance.fork()).await;
    let placed = holder.place().await;
    holder.watch(&placed, &mut Cookies::default()).await;
    assert!(holder.approve(&placed).await);
    // Notices, the log's tree and the timer are its work, too; and so are webhooks.
    assert!(holder.released(&placed).await);
    holder.redeem(&placed).await;
    eventually("the webhook of the redeem", async || {
        let messages = deployment.hooks.messages();
        let told =
            |body: &serde_json::Value| body.to_string().contains("redeemed") && body.to_string().contains(&placed.id);
        messages.values().any(|bodies| bodies.iter().any(told)).then_some(())
    })
    .await;
    // The worker has no page and no API.
    let worker = Gateway::new(gateway.origin(), vec![deployment.nodes[1].port()], &deployment.secret);
    for path in ["/", &format!("/a/{}", placed.id)] {
        assert_eq!(worker.open(path, &holder.phone.cookies()).await.status, 404, "{path}");
    }
    deployment.check(&deployment.postgres.url("postgres")).await;
}
