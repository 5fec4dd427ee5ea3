//! Whether a create and a decision cost the same however many approvals wait: at a thousand, a hundred thousand and, if
//! asked, a million pending ones. Rounds go in turn, so that the machine's moods fall on all of them.

use futures_util::future::try_join_all;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use super::{Extent, count, creates};
use crate::clock;
use crate::drive;
use crate::meter::Spent;
use crate::report::{Line, percentile};
use crate::seed::{self, Cast, Wanted, background};
use crate::stack::node::{Node, Setup};
use crate::stack::{Backing, Stack};
use crate::wire::Wire;

const CONNECTIONS: usize = 16;
const ROUNDS: usize = 3;
/// Longer than the run, so that nothing is released meanwhile.
const HOLD_SECONDS: u32 = 3600;

struct Size {
    pending: u64,
    setup: Setup,
    cast: Cast,
    next: AtomicUsize,
    create: Vec<f64>,
    decide: Vec<f64>,
}

pub async fn run(extent: Extent) -> anyhow::Result<()> {
    let stack = Stack::start(Backing::Servers).await?;
    let (postgres, _) = stack.servers()?;
    let mut sizes = Vec::new();
    let wanted: &[u64] = if extent.million { &[1_000, 100_000, 1_000_000] } else { &[1_000, 100_000] };
    for &pending in wanted {
        let setup = stack.record(&format!("flat_{pending}")).await?;
        let cast = seed::cast(&stack, &setup, Wanted { phones: CONNECTIONS, silent: 4000, hook: None }).await?;
        let next = AtomicUsize::new(0);
        let node = setup.start().await?;
        creates::load(&node, &cast, &next, 4, Duration::from_millis(200), "warm").await?;
        drop(node);
        background::pending(postgres, &setup.name, pending).await?;
        sizes.push(Size { pending, setup, cast, next, create: Vec::new(), decide: Vec::new() });
    }
    let line = Line::of("flat", &stack)?;
    for round in 0..ROUNDS {
        for size in &mut sizes {
            let time = extent.time.div_f64(2.0);
            let node = size.setup.start().await?;
            let watched = stack.watched(&node);
            creates::load(&node, &size.cast, &size.next, CONNECTIONS, time / 4, &format!("warm{round}")).await?;
            let before = watched.read();
            let took = creates::load(&node, &size.cast, &size.next, CONNECTIONS, time, &format!("flat{round}")).await?;
            size.create.push(watched.since(before).cpu_ms() / count(took.len()));
            let spent = decide(&stack, &node, size, time, round).await?;
            size.decide.push(spent.0.cpu_ms() / count(spent.1));
        }
    }
    let median = |sample: &mut Vec<f64>| percentile(sample, 0.5);
    let mut line = line.set("connections", CONNECTIONS).set("rounds", ROUNDS);
    let mut first = None;
    for size in &mut sizes {
        let (create, decide) = (median(&mut size.create), median(&mut size.decide));
        let (least_create, least_decide) = *first.get_or_insert((create, decide));
        line = line
            .number(&format!("create_cpu_ms_at_{}", size.pending), create)
            .number(&format!("decide_cpu_ms_at_{}", size.pending), decide)
            .number(&format!("create_ratio_at_{}", size.pending), create / least_create)
            .number(&format!("decide_ratio_at_{}", size.pending), decide / least_decide);
    }
    line.print();
    Ok(())
}

/// Opens one approval for each phone, then decides them: only the deciding counts, from the page to the answer.
async fn decide(
    stack: &Stack,
    node: &Node,
    size: &mut Size,
    time: Duration,
    round: usize,
) -> anyhow::Result<(Spent, usize)> {
    let watched = stack.watched(node);
    let end = clock::now() + time;
    let mut all: Option<Spent> = None;
    let mut decided = 0;
    let mut turn = 0;
    let cast = &size.cast;
    let mut wires = Vec::new();
    for _ in 0..cast.phones.len() {
        wires.push(Wire::to(node.port).await?);
    }
    let phones = &mut std::mem::take(&mut size.cast.phones);
    let cast = &size.cast;
    while clock::now() < end {
        turn += 1;
        // As many as a holder may have at once, so that a turn is long enough to be measured.
        let opening = phones.iter().zip(&mut wires).enumerate().map(async |(number, (phone, wire))| {
            let mut opened = Vec::new();
            for place in 0..5 {
                let name = format!("decide-{round}-{turn}-{number}-{place}");
                opened.push(drive::create(wire, cast, &phone.subject, &name, Some(HOLD_SECONDS)).await?);
            }
            anyhow::Ok(opened)
        });
        let opened = try_join_all(opening).await?;
        let before = watched.read();
        let deciding = phones.iter_mut().zip(&mut wires).zip(&opened).map(async |((phone, wire), opened)| {
            for one in opened {
                let signed = drive::sign(wire, phone, one).await?;
                drive::approve(wire, phone, &signed).await?;
            }
            anyhow::Ok(())
        });
        try_join_all(deciding).await?;
        let spent = watched.since(before);
        decided += opened.iter().map(Vec::len).sum::<usize>();
        all = Some(all.map_or(spent, |all| all.and(&spent)));
    }
    size.cast.phones = std::mem::take(phones);
    all.map(|all| (all, decided)).ok_or_else(|| anyhow::anyhow!("no time to decide anything"))
}
