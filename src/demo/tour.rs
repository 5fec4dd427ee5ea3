//! The demo for a person with two browsers: it says where to click and what to expect, and then keeps out of the way.

use std::time::Duration;

use super::Options;
use super::ending::Ending;
use super::office::Office;
use super::world::{Pace, Port, World};

/// Long enough to see the clock run and to stop it; a new device waits just long enough to be seen waiting.
const PACE: Pace =
    Pace { hold: Duration::from_secs(20), new_device_hold: Duration::from_secs(2), life: Duration::from_secs(600) };
const PORT: u16 = 8080;
const EXCHANGE_PORT: u16 = 8081;
const CONSOLE_PORT: u16 = 8082;

/// Runs until Ctrl-C.
pub async fn run(options: Options) -> anyhow::Result<()> {
    let port = |asked: Option<u16>, usual| asked.map_or(Port::From(usual), Port::Only);
    let mut ending = Ending::new()?;
    let world = World::start(
        PACE,
        port(options.port, PORT),
        port(options.exchange_port, EXCHANGE_PORT),
        port(options.console_port, CONSOLE_PORT),
    )
    .await?;
    let office = match Office::open(world.host()).await {
        Ok(office) => office,
        Err(error) => {
            world.finish().await?;
            return Err(error.context("nobody could be invited to the console"));
        }
    };
    println!("{}", guide(world.countersign.as_str(), world.exchange.url.as_str(), &office));
    world.say_what_arrives();
    ending.come().await;
    println!("\nStopping. Pages that are open go quiet; what the demo stored is removed.");
    world.finish().await
}

fn guide(countersign: &str, exchange: &str, office: &Office) -> String {
    let hold = PACE.hold.as_secs();
    let (staff, console) = (office.guide(), &office.console);
    format!(
        "
Countersign demo. Nothing here is real money, and holds take seconds; what two of staff
decide for a holder waits a day, here too.

  Harbour, a sample exchange   {exchange}
  Its customer's inbox         {exchange}inbox
  Countersign                  {countersign}
  Its console, for staff       {console}

You need two browsers on this computer (or one, and a private window of it):
browser A is where you sit, browser B is your phone.

  1. A   Open {exchange}phone and ask for the link.
  2. B   Open that link. It is the phone now. Type the 6 numbers from
         {exchange}inbox and make a passkey.
         Expect: \"is added\". A new phone waits 2 seconds before it may approve.
  3. A   Open {exchange} and send the form.
         Expect: the waiting page. It marks this browser as the one that started it.
  4. B   Open {countersign} or the link in the inbox. Check every line, approve.
         Expect: cooling-off, {hold} seconds, with a clock in both browsers.
  5.     Let it run out. Expect: \"Released\", and at {exchange} the withdrawal
         is \"Sent\": the exchange believed a signed webhook, redeemed its own digest and
         checked the receipt.

A line here says when a message comes to an inbox.

Then try to stop or steal one:

  *  B   \"Don't send it\" instead of approving, or Stop while the clock runs.
  *  Any The stop link in the inbox works in every browser, without JavaScript.
  *  A   Open the inbox link in browser A: the browser that started it can't approve.
  *  A   Open a withdrawal at {exchange}: its buttons try to take the money
         early, twice, with another amount, with a forged message. All are refused.

{staff}
Ctrl-C ends the demo and removes everything it stored."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guide_names_every_place() {
        let link = |name| (name, "http://console.localhost:8082/join/abc".to_owned());
        let office =
            Office { console: "http://console.localhost:8082/".into(), links: ["Dana", "Jonas"].map(link).into() };
        let text = guide("http://localhost:8080/", "http://127.0.0.1:8081/", &office);
        for place in [
            "http://localhost:8080/",
            "http://127.0.0.1:8081/phone",
            "http://127.0.0.1:8081/inbox",
            "http://console.localhost:8082/\n",
            "http://console.localhost:8082/join/abc",
        ] {
            assert!(text.contains(place), "{place}");
        }
        assert!(text.contains("20 seconds"));
    }
}
