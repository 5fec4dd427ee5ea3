//! What the sweep asks for and what fired timers read.

use std::sync::Arc;

use countersign::domain::ApprovalId;
use countersign::ports::Store;

use super::world::{HOUR, MINUTE, World};

pub async fn what_falls_due_comes_in_order_and_in_pages(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    // Five that are due, two of them at the same moment, one that just isn't, and one that is far ahead.
    let mut expected = Vec::new();
    for ago in [3, 5, 1, 5, 2_u32] {
        let at = world.now - ago * HOUR;
        let approval = world.opened_as(world.cooling_until(at)).await;
        expected.push((at, approval.id));
    }
    world.opened_as(world.cooling_until(world.now)).await;
    world.opened_as(world.released_until(world.now + 24 * HOUR)).await;
    expected.sort_unstable();
    let expected: Vec<_> = expected.into_iter().map(|(at, id)| (id, at)).collect();

    let due = world.store.due_before(world.now, None, 100).await.unwrap();
    assert_eq!(due, expected, "before is exclusive");
    let mut paged = Vec::new();
    let mut after = None;
    // One page more than it takes, so that a store whose pages overlap ends the case and not the machine.
    for _ in 0..=expected.len() {
        let page = world.store.due_before(world.now, after, 2).await.unwrap();
        assert!(page.len() <= 2);
        let Some((id, at)) = page.last().copied() else { break };
        after = Some((at, id));
        paged.extend(page);
    }
    assert_eq!(paged, expected);
    let all = world.store.due_before(world.now + 1_000 * HOUR, None, 100).await.unwrap();
    assert_eq!(all.len(), 7);
}

pub async fn what_ended_never_falls_due(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    for end in world.ends() {
        world.opened_as(end).await;
    }
    assert_eq!(world.store.due_before(world.now + 1_000 * HOUR, None, 100).await.unwrap(), []);
    let pending = world.opened().await;
    let released = world.opened_as(world.released_until(world.now + MINUTE)).await;
    let due = world.store.due_before(world.now + 1_000 * HOUR, None, 100).await.unwrap();
    assert_eq!(due, [(released.id, world.now + MINUTE), (pending.id, pending.expires_at)]);
}

pub async fn due_cases_come_for_what_exists(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let cooling = world.opened_as(world.cooled()).await;
    let pending = world.opened().await;
    let ended = world.opened_as(world.cancelled()).await;
    let unknown = world.id(ApprovalId::new);
    let ids = [unknown, ended.id, cooling.id, pending.id];
    let mut cases: Vec<_> = world.store.due_cases(&ids).await.unwrap().into_iter().map(|case| case.unwrap()).collect();
    cases.sort_by_key(|case| case.approval.id);
    let mut expected = vec![cooling, pending, ended];
    expected.sort_by_key(|approval| approval.id);
    assert_eq!(cases.iter().map(|case| case.approval.clone()).collect::<Vec<_>>(), expected);
    assert!(cases.iter().all(|case| case.told.is_none() && case.endpoints == [world.endpoint]));
    assert!(world.store.due_cases(&[]).await.unwrap().is_empty());
}
