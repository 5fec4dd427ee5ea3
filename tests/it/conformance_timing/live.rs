//! News: who hears what, and where.

use tokio::time::timeout;

use super::kit::{Kit, approval, approvals};
use crate::support::eventually::BOUND;

pub async fn a_listener_hears_the_newest_version_from_then_on(kit: &Kit) {
    let live = kit.live().await;
    let (id, other) = (approval(), approval());
    let mut early = live.subscribe(id);
    assert_eq!(*early.borrow(), 0);
    live.publish(&[(id, 3), (other, 9)]).await;
    // On the node that publishes, it is there at once.
    assert_eq!(*early.borrow_and_update(), 3);
    let late = live.subscribe(id);
    live.publish(&[(id, 2)]).await;
    assert_eq!(*early.borrow(), 3, "older news is no news");
    live.publish(&[(id, 4), (id, 6), (id, 5)]).await;
    assert_eq!((*early.borrow(), *late.borrow()), (6, 6));
    assert_eq!(*live.subscribe(approval()).borrow(), 0);
}

pub async fn nodes_hear_each_other(kit: &Kit) {
    let (here, there) = (kit.live().await, kit.live().await);
    let id = approval();
    let mut hears = there.subscribe(id);
    here.publish(&[(approval(), 1), (id, 7)]).await;
    let heard = timeout(BOUND, hears.wait_for(|version| *version == 7)).await;
    assert!(heard.is_ok(), "the other node didn't hear it");
}

pub async fn many_news_at_once_arrive(kit: &Kit) {
    let (here, there) = (kit.live().await, kit.live().await);
    let news: Vec<_> = approvals(2_000).into_iter().map(|id| (id, 2)).collect();
    let listeners: Vec<_> = news.iter().map(|(id, _)| there.subscribe(*id)).collect();
    here.publish(&news).await;
    for mut listener in listeners {
        timeout(BOUND, listener.wait_for(|version| *version == 2)).await.unwrap().unwrap();
    }
}
