//! What every scene of the story needs: both browsers, the exchange, and waiting for what comes by itself.

use anyhow::{Context as _, bail};
use serde_json::json;
use std::time::Duration;
use tokio::time::{Instant, sleep};

use super::phone::{Phone, below};
use super::report::Report;
use super::tab::{Shown, Tab};
use crate::demo::exchange::Letter;
use crate::demo::exchange::book::Placed;
use crate::demo::exchange::client::ClientError;
use crate::demo::exchange::desk::Desk;
use crate::demo::exchange::order::{Draft, Order};
use crate::demo::world::World;

/// Far more than anything here takes; what isn't there by then doesn't come.
const BOUND: Duration = Duration::from_secs(20);
/// Seconds of a hold that nobody waits for: long enough to be stopped in time on the busiest machine.
const LONG: u32 = 45;
/// How often is looked.
const LOOK: Duration = Duration::from_millis(20);

/// The story so far.
pub struct Story<'a> {
    pub world: &'a World,
    /// The browser that starts transfers.
    pub initiator: Tab,
    /// The holder's phone.
    pub phone: Phone,
    pub report: Report,
}

impl<'a> Story<'a> {
    /// # Errors
    /// When the phone has no key.
    pub fn new(world: &'a World, report: Report) -> anyhow::Result<Self> {
        let initiator = Tab::new(world.http.clone());
        let phone = Phone::new(&world.countersign, world.http.clone())?;
        Ok(Self { world, initiator, phone, report })
    }

    pub fn desk(&self) -> &'a Desk {
        &self.world.exchange.desk
    }

    /// An order over so many euros, which stays in its hold for as long as the story looks at it.
    ///
    /// # Errors
    /// When the exchange's form wouldn't take it.
    pub fn order(&self, euros: &str) -> anyhow::Result<Order> {
        let draft = Draft {
            amount: euros.into(),
            unit: "EUR".into(),
            account: "PL61109010140000071219812874".into(),
            reference: "Invoice 2231".into(),
            ..Draft::default()
        };
        let order = draft.order(self.desk().order_number(), self.desk().person().subject);
        let order = order.map_err(|faults| anyhow::anyhow!("the form has faults: {faults:?}"))?;
        Ok(Order { hold: Some(LONG), ..order })
    }

    /// Places an order and opens its waiting page in the browser that started it.
    ///
    /// # Errors
    /// When one of the two is refused.
    pub async fn place(&mut self, order: Order) -> anyhow::Result<Placed> {
        let placed = self.desk().place(order).await?;
        let opened = self.watch(&placed).await?;
        if opened.status != 200 {
            bail!("the waiting page was refused: {}", opened.verdict());
        }
        Ok(placed)
    }

    /// Opens the waiting page, as its script does. This browser holds no device key.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn watch(&mut self, placed: &Placed) -> anyhow::Result<Shown> {
        let page = self.initiator.open(&placed.waiting_url).await?;
        let body = json!({"page_token": page.data("page-token")?, "keys": []});
        self.initiator.json(&below(&placed.waiting_url, "open")?, &body).await
    }

    /// Checks the state that the waiting page shows.
    ///
    /// # Errors
    /// When it has none.
    pub async fn waiting_shows(&mut self, placed: &Placed, state: &str) -> anyhow::Result<()> {
        let status = self.initiator.open(&below(&placed.waiting_url, "status")?).await?.json()?;
        let shown = status["state"].as_str().context("a status without a state")?;
        self.report.check("the waiting page shows", state, shown);
        Ok(())
    }

    /// State and reason in Countersign's record, as the exchange reads them.
    ///
    /// # Errors
    /// When they can't be read.
    pub async fn state(&self, placed: &Placed) -> anyhow::Result<String> {
        let approval = self.desk().client().approval(&placed.approval).await?;
        Ok(match approval.reason {
            Some(reason) => format!("{} {reason}", approval.state),
            None => approval.state,
        })
    }

    /// The newest notice about an approval, once it is in the inbox.
    ///
    /// # Errors
    /// When none comes.
    pub async fn letter(&self, placed: &Placed) -> anyhow::Result<Letter> {
        let path = format!("/a/{}", placed.approval);
        let about = |letter: &Letter| letter.open.as_ref().is_some_and(|url| url.path() == path);
        eventually("a notice", || self.desk().letters().into_iter().find(about)).await
    }

    /// The newest code, once there are so many in the inbox.
    ///
    /// # Errors
    /// When it doesn't come.
    pub async fn code(&self, count: usize) -> anyhow::Result<String> {
        eventually("a code", || {
            let codes: Vec<String> = self.desk().letters().into_iter().filter_map(|letter| letter.code).collect();
            if codes.len() == count { codes.into_iter().next() } else { None }
        })
        .await
    }

    /// What signed webhooks told of an order, once it is so many things.
    ///
    /// # Errors
    /// When they don't come.
    pub async fn told(&self, placed: &Placed, count: usize) -> anyhow::Result<String> {
        let known = || self.desk().order(&placed.order.id);
        eventually("a webhook", || known().filter(|now| now.told.len() >= count).map(|now| now.told.join(", "))).await
    }

    /// How many orders the exchange has heard the last of. The others have their webhooks still on the way.
    ///
    /// # Errors
    /// When the record can't be read.
    pub async fn agreeing(&self, orders: &[Placed]) -> anyhow::Result<usize> {
        let mut agree = 0;
        for placed in orders {
            let state = self.desk().client().approval(&placed.approval).await?.state;
            let known = || self.desk().order(&placed.order.id);
            let heard = || known().filter(|now| now.told.last() == Some(&state)).map(|_| ());
            if eventually("the last webhook", heard).await.is_ok() {
                agree += 1;
            }
        }
        Ok(agree)
    }

    /// Waits until the hold of an order is over and the exchange has heard of it; draws the bar meanwhile.
    ///
    /// # Errors
    /// When it doesn't end.
    pub async fn cool(&self, placed: &Placed, hold: Duration) -> anyhow::Result<Placed> {
        let began = Instant::now();
        let ended = loop {
            match self.desk().order(&placed.order.id) {
                Some(now) if !matches!(now.stage.word(), "asked" | "cooling" | "released") => break Ok(now),
                Some(now) if now.stage.word() == "released" && !now.order.is_taken_at_once() => break Ok(now),
                _ if began.elapsed() > hold + BOUND => break Err(anyhow::anyhow!("the hold didn't end")),
                _ => {}
            }
            self.report.draw(began.elapsed(), hold);
            sleep(LOOK).await;
        };
        self.report.wipe();
        ended
    }

    /// Leaves nothing pending behind.
    ///
    /// # Errors
    /// When it can't be cancelled.
    pub async fn clear(&self, placed: &Placed) -> anyhow::Result<()> {
        self.desk().client().cancel(&placed.approval).await?;
        Ok(())
    }
}

/// An answer of the API, as a check shows it.
pub fn verdict<T>(result: &Result<T, ClientError>) -> String {
    match result {
        Ok(_) => "200".to_owned(),
        Err(error) => error.problem().map_or_else(|| error.to_string(), ToString::to_string),
    }
}

/// Looks until there is an answer, but not for ever.
async fn eventually<T>(what: &str, probe: impl Fn() -> Option<T>) -> anyhow::Result<T> {
    let began = Instant::now();
    loop {
        if let Some(found) = probe() {
            return Ok(found);
        }
        if began.elapsed() > BOUND {
            bail!("{what} didn't come within {} seconds", BOUND.as_secs());
        }
        sleep(LOOK).await;
    }
}
