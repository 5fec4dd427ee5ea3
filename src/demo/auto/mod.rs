//! `demo --auto`: the story of the demo, told by itself over real HTTP. Two browsers without windows, a software
//! authenticator and the sample exchange do what people would do; then come the attempts that must fail. It ends well
//! only if every outcome, every webhook signature and every receipt was right.
//!
//! [`story`] holds who takes part, [`report`] what is said; [`enrol`], [`transfer`], [`stops`] and [`attempts`] are the
//! scenes.

mod attempts;
mod enrol;
mod phone;
mod report;
mod stops;
mod story;
mod tab;
mod transfer;

use std::time::Duration;

use super::Options;
use super::ending::Ending;
use super::world::{Pace, Port, World};
use report::Report;
use story::Story;

/// Short enough for the whole story to take less than half a minute, long enough to be looked at on a busy machine.
const HOLD: Duration = Duration::from_secs(3);
const PACE: Pace = Pace { hold: HOLD, new_device_hold: Duration::ZERO, life: Duration::from_secs(60) };

/// Tells the story, or breaks off at Ctrl-C. Either way nothing is left behind.
pub async fn run(options: Options) -> anyhow::Result<()> {
    let port = |asked: Option<u16>| asked.map_or(Port::Any, Port::Only);
    let mut ending = Ending::new()?;
    let world = World::start(PACE, port(options.port), port(options.exchange_port), port(options.console_port)).await?;
    let told = tokio::select! {
        told = tell(&world) => told,
        () = ending.come() => Err(anyhow::anyhow!("stopped before the end")),
    };
    let finished = world.finish().await;
    told?.end()?;
    finished
}

async fn tell(world: &World) -> anyhow::Result<Report> {
    println!("Countersign demo, told by itself: two browsers and an exchange, over HTTP.");
    println!("  Countersign   {}", world.countersign);
    println!("  Harbour       {}", world.exchange.url);
    println!("  hold          {} seconds", HOLD.as_secs());
    let mut story = Story::new(world, Report::new())?;

    story.report.scene("A phone is added");
    let result = enrol::scene(&mut story).await;
    note(&mut story, "adding a phone", result);
    story.report.scene("A transfer, from the form to the receipt");
    let result = transfer::scene(&mut story).await;
    note(&mut story, "the transfer", result);
    story.report.scene("Stopped in every way, and one forgotten");
    let result = stops::scene(&mut story).await;
    note(&mut story, "stopping", result);
    story.report.scene("What must fail: at Countersign");
    let result = attempts::scene(&mut story).await;
    note(&mut story, "the attempts", result);
    story.report.scene("What must fail: at the exchange");
    let result = transfer::forgeries(&mut story).await;
    note(&mut story, "the forgeries", result);
    Ok(story.report)
}

fn note(story: &mut Story<'_>, scene: &str, result: anyhow::Result<()>) {
    if let Err(error) = result {
        story.report.broke_off(scene, &error);
    }
}
