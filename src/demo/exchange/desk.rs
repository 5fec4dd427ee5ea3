//! What the exchange does: it places orders, hears of their approval, takes what was released, and only then sends.
//!
//! The handlers in `site` and the story of `demo --auto` come in here; requests leave through [`Client`]. Time and
//! chance are given. May import: the exchange's own modules.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc::UnboundedSender;

use super::book::{Book, Heard, Placed, Stage};
use super::client::{Client, ClientError, Enrolment, Holder};
use super::order::{Draft, FieldFault, NotOurOrder, Order};
use super::receipt::Trust;
use super::webhook::{BadWebhook, Event, Secret, Signed};
use super::{Around, Letter, SIGNERS};

/// How often taking a release is tried when no answer comes; the same key makes it safe.
const TRIES: usize = 3;

/// The customer whose session this is. The demo has one at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    pub name: &'static str,
    /// The exchange's opaque id of them, also the name of their inbox.
    pub subject: String,
}

/// Everything behind the exchange's pages.
pub struct Desk {
    client: Client,
    trust: Trust,
    secret: Secret,
    around: Around,
    person: Mutex<Person>,
    invitation: Mutex<Option<Enrolment>>,
    book: Mutex<Book>,
    refused: AtomicU32,
    released: UnboundedSender<String>,
}

/// Why an order wasn't placed.
#[derive(Debug, thiserror::Error)]
pub enum NotPlaced {
    #[error("the form has faults")]
    Form(Vec<FieldFault>),
    #[error("Countersign didn't take it: {0}")]
    Refused(#[from] ClientError),
    #[error(transparent)]
    NotOurs(#[from] NotOurOrder),
    #[error("Countersign named no waiting page")]
    NoWaitingPage,
}

impl Desk {
    pub(super) async fn open(
        client: Client,
        trust: Trust,
        secret: Secret,
        around: Around,
        released: UnboundedSender<String>,
    ) -> Result<Self, ClientError> {
        let person = new_person(&client, &around).await?;
        Ok(Self {
            client,
            trust,
            secret,
            around,
            person: Mutex::new(person),
            invitation: Mutex::default(),
            book: Mutex::default(),
            refused: AtomicU32::new(0),
            released,
        })
    }

    /// Every lock is held for a few moves of memory, and no code of ours panics in between.
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub const fn client(&self) -> &Client {
        &self.client
    }

    pub const fn trust(&self) -> &Trust {
        &self.trust
    }

    pub fn now(&self) -> i64 {
        (self.around.now)()
    }

    /// A word nobody used before, for orders and keys.
    pub fn fresh(&self, prefix: &str) -> String {
        format!("{prefix}-{}", data_encoding::HEXLOWER.encode(&(self.around.chance)()))
    }

    /// A number for an order, short enough to be read out.
    pub fn order_number(&self) -> String {
        let [a, b, c, d, ..] = (self.around.chance)();
        format!("hb-{}", data_encoding::HEXLOWER.encode(&[a, b, c, d]))
    }

    pub fn person(&self) -> Person {
        self.person.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Begins again with somebody new, who has no device yet.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn start_over(&self) -> Result<Person, ClientError> {
        let person = new_person(&self.client, &self.around).await?;
        *self.person.lock().unwrap_or_else(PoisonError::into_inner) = person.clone();
        *self.invitation.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(person)
    }

    /// Whether the person has a device.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn holder(&self) -> Result<Holder, ClientError> {
        self.client.holder(&self.person().subject).await
    }

    /// Asks for a new link for the person's first device.
    ///
    /// # Errors
    /// [`ClientError`]; `already-enrolled` once there is a device.
    pub async fn invite(&self) -> Result<Enrolment, ClientError> {
        let enrolment = self.client.enrolment(&self.person().subject, &self.fresh("enrolment")).await?;
        *self.invitation.lock().unwrap_or_else(PoisonError::into_inner) = Some(enrolment.clone());
        Ok(enrolment)
    }

    /// The newest link.
    pub fn invitation(&self) -> Option<Enrolment> {
        self.invitation.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The person's messages, newest first.
    pub fn letters(&self) -> Vec<Letter> {
        (self.around.letters)(&self.person().subject)
    }

    /// What the staff who sign were sent, with their names.
    pub fn letters_to_signers(&self) -> Vec<(&'static str, Letter)> {
        let of = |(name, inbox)| (self.around.letters)(inbox).into_iter().map(move |letter| (name, letter));
        SIGNERS.into_iter().flat_map(of).collect()
    }

    /// Every order, in the order in which they were placed.
    pub fn orders(&self) -> Vec<Placed> {
        self.book().orders().to_vec()
    }

    pub fn order(&self, id: &str) -> Option<Placed> {
        self.book().find(id).cloned()
    }

    pub(super) fn note(&self, id: &str, attempt: super::book::Attempt) {
        if let Some(placed) = self.book().find_mut(id) {
            placed.tried(attempt);
        }
    }

    /// Places what the form says.
    ///
    /// # Errors
    /// [`NotPlaced`].
    pub async fn withdraw(&self, draft: &Draft) -> Result<Placed, NotPlaced> {
        let order = draft.order(self.order_number(), self.person().subject).map_err(NotPlaced::Form)?;
        self.place(order).await
    }

    /// Puts an order up for approval, and keeps the digest that it works out itself.
    ///
    /// # Errors
    /// [`NotPlaced`].
    pub async fn place(&self, order: Order) -> Result<Placed, NotPlaced> {
        let approval = self.client.open(&order.id, order.request()).await?;
        let digest = order.digest(&approval.details)?;
        if digest != approval.digest {
            return Err(NotOurOrder::Differs.into());
        }
        let placed = Placed {
            order,
            approval: approval.id,
            digest,
            waiting_url: approval.waiting_url.ok_or(NotPlaced::NoWaitingPage)?,
            stage: Stage::Asked,
            version: approval.version,
            told: Vec::new(),
            receipt: None,
            attempts: Vec::new(),
            changes: 0,
        };
        self.book().add(placed.clone());
        Ok(placed)
    }

    /// A webhook came in. It is believed only by its signature; then a release is handed to whoever takes it, so that
    /// the sender gets its answer at once.
    ///
    /// # Errors
    /// [`BadWebhook`]: nothing was changed.
    pub fn hear(&self, message: Signed<'_>, body: &[u8]) -> Result<Heard, BadWebhook> {
        let checked = self.secret.check(message, body, self.now()).and_then(|()| Event::read(body));
        let event = checked.inspect_err(|_| {
            self.refused.fetch_add(1, Ordering::Relaxed);
        })?;
        let mut book = self.book();
        let heard = book.hear(message.id, &event);
        let order = book.find(&event.data.transfer_id);
        if heard == Heard::News
            && let Some(placed) = order
            && placed.stage == Stage::Released
            && placed.order.is_taken_at_once()
            && self.released.send(placed.order.id.clone()).is_err()
        {
            tracing::warn!("the exchange is being stopped; a release stays where it is");
        }
        Ok(heard)
    }

    /// Takes a released order: redeems it with its own digest, checks the receipt, compares it with the order, and
    /// sends the money only then.
    pub async fn take(&self, id: &str) {
        let Some(placed) = self.order(id) else { return };
        let result = match self.redeem(&placed).await {
            Ok(receipt) => self.check(&placed, &receipt).await.map(|()| receipt),
            // Somebody was faster and stopped it: the message that says so is on its way.
            Err(ClientError::Refused(problem)) if problem.slug() == "conflict" => return,
            Err(error) => Err(format!("it couldn't be taken: {error}")),
        };
        if let Some(placed) = self.book().find_mut(id) {
            placed.settle(result);
        }
    }

    /// How many webhooks were not believed.
    pub fn refused(&self) -> u32 {
        self.refused.load(Ordering::Relaxed)
    }

    async fn redeem(&self, placed: &Placed) -> Result<String, ClientError> {
        let key = redeem_key(&placed.order);
        let mut tries = 1;
        loop {
            match self.client.redeem(&placed.approval, &placed.digest, &key).await {
                Err(ClientError::NoAnswer(_)) if tries < TRIES => tries += 1,
                other => return other,
            }
        }
    }

    /// Whether a receipt is right and is for this order.
    ///
    /// # Errors
    /// Why no money may move on it.
    pub async fn check(&self, placed: &Placed, receipt: &str) -> Result<(), String> {
        let keys = self.client.key_set().await.map_err(|error| format!("the keys couldn't be read: {error}"))?;
        self.trust
            .verify(&keys, receipt, self.now())
            .and_then(|claims| claims.is_for(&placed.order, &placed.approval, &placed.digest))
            .map_err(|error| format!("the receipt was refused: {error}"))
    }
}

/// The `Idempotency-Key` of the one redeem of an order: the same at every try.
pub fn redeem_key(order: &Order) -> String {
    format!("{}-redeem", order.id)
}

async fn new_person(client: &Client, around: &Around) -> Result<Person, ClientError> {
    let subject = format!("u-{}", data_encoding::HEXLOWER.encode(&(around.chance)()));
    client.add_holder(&subject, &subject).await?;
    Ok(Person { name: "Priya Shah", subject })
}

/// Takes releases one after another, until the exchange is stopped.
pub(super) async fn take_released(desk: Arc<Desk>, mut released: tokio::sync::mpsc::UnboundedReceiver<String>) {
    while let Some(id) = released.recv().await {
        desk.take(&id).await;
    }
}
