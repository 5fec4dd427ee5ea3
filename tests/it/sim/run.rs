//! One run: a record, a few nodes, people who act on them, and everything that goes wrong, all drawn from one seed.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use countersign::adapters::secrets::MasterSecrets;
use countersign::domain::channel::ChannelKind;
use countersign::domain::details::Digest;
use countersign::domain::policy::{Assurance, Floors, Policy, Tier, Unproved};
use countersign::domain::{ApprovalId, NoticeId, Timestamp};
use countersign::ports::{ChannelSender, Clock, Secrets, WebhookSender};
use countersign::service::prompt::Prompt;
use countersign::service::{Context, Profile, Settings};
use countersign::workers::ClockGate;
use countersign::workers::notices::Senders;

use super::acts::{Act, Answer, begin};
use super::cast::Cast;
use super::chance::{Chance, SeededEntropy};
use super::checks::{Broken, Checks};
use super::clocks::Skewed;
use super::faults::{Faults, Plant};
use super::log::NodeLog;
use super::outside::{Carrier, Hook, Limiter, NoNews, PlainSigner, Post, SharedTimers};
use super::passkeys::{AnyPasskey, SimulatedCeremonies};
use super::store::{Log, NodeStore};
use super::tasks::{Task, TaskId};
use crate::support::clock::ManualClock;
use crate::support::log::log_at_once;
use crate::support::memory_store::MemoryStore;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
/// When every run begins.
const BEGIN: Timestamp = Timestamp::from_micros(1_795_271_520_000_000);
const NODES: usize = 2;

/// One process of the service.
pub struct Node {
    pub cx: Context,
    pub clock: Arc<Skewed>,
    pub gate: ClockGate,
    pub senders: Senders,
    pub hook: Arc<dyn WebhookSender>,
    pub plant: Plant,
}

/// An approval that its backend knows of, and the link that it gave to whoever started the transfer.
pub struct KnownApproval {
    pub id: ApprovalId,
    pub digest: Digest,
    pub waiting: String,
    pub holder: usize,
}

/// A prompt that a browser holds.
pub struct KnownPrompt {
    pub approval: ApprovalId,
    pub gear: usize,
    pub prompt: Prompt,
}

/// What people have learnt so far, and what they did, to do it again.
#[derive(Default)]
pub struct Known {
    pub approvals: Vec<KnownApproval>,
    pub prompts: Vec<KnownPrompt>,
    pub done: Vec<Act>,
}

/// A run in progress.
pub struct Run {
    pub chance: Chance,
    pub clock: Arc<ManualClock>,
    pub timer_clock: Arc<Skewed>,
    pub store: Arc<MemoryStore>,
    pub log: Arc<Log>,
    pub faults: Arc<Faults>,
    pub timers: Arc<SharedTimers>,
    pub post: Arc<Post>,
    pub nodes: Vec<Node>,
    pub cast: Cast,
    pub known: Known,
    pub tasks: Vec<Task<Act, Answer>>,
    /// Every act by its task, the finished and the crashed ones too.
    pub acts: HashMap<TaskId, Act>,
    /// How many changes had been stored when a task began.
    pub began: HashMap<TaskId, usize>,
    /// Tasks on whose node the clocks agreed, as far as it knew, at a poll of theirs; but for those that found out since
    /// that they don't.
    pub trusted: HashSet<TaskId>,
    checks: Checks,
    next: TaskId,
    story: Vec<(Timestamp, Event)>,
}

/// What happened, to be told when a check fails.
pub enum Event {
    Began(TaskId, usize),
    Answered(TaskId, String),
    Crashed(TaskId),
    NodeCrashed(usize),
    TimersFlushed,
    Bounced(NoticeId),
    ClockIsAhead(usize, i64),
    Calm,
}

fn settings(chance: &mut Chance) -> Settings {
    let base = Tier {
        unit: None,
        from: None,
        hold: 15 * MINUTE,
        life: HOUR,
        assurance: *chance.pick(&[Assurance::Synced, Assurance::Synced, Assurance::DeviceBound]),
        unproved: *chance.pick(&[Unproved::Refuse, Unproved::HoldFor(30 * MINUTE), Unproved::HoldFor(15 * MINUTE)]),
    };
    Settings {
        profile: Profile::Production,
        operator: "Harbour".to_owned(),
        contact: "the number on your card".to_owned(),
        public_url: "https://approve.example".parse().expect("a URL"),
        issuer: "https://approve.example".to_owned(),
        policy: Policy::new(base, vec![], 72 * HOUR, 24 * HOUR, Floors::PRODUCTION).expect("a policy"),
        new_device_hold: 12 * HOUR,
        new_channel_hold: 24 * HOUR,
        notices_per_minute: 5,
        override_caps: countersign::domain::override_request::Caps::DEFAULT,
        tries_per_minute: 60,
        key_per_minute: 6000,
    }
}

impl Run {
    pub fn new(seed: u64, plant: Plant) -> Self {
        let mut chance = Chance::new(seed, 0);
        let clock = Arc::new(ManualClock::at(BEGIN));
        let faults = Arc::new(Faults::new(seed, plant));
        let entropy = Arc::new(SeededEntropy::new(seed));
        let secrets: Arc<dyn Secrets> =
            Arc::new(MasterSecrets::new(&[9; 32], Arc::clone(&entropy) as _).expect("derived keys"));
        let store = Arc::new(MemoryStore::new(Arc::clone(&clock) as _));
        let cast = Cast::new(BEGIN);
        store.set_up(|record| cast.set_up(record, secrets.as_ref(), BEGIN));
        let timer_clock = Arc::new(Skewed::new(Arc::clone(&clock)));
        let timers = Arc::new(SharedTimers::new(Arc::clone(&timer_clock) as _, Arc::clone(&faults)));
        let (log, post) = (Arc::new(Log::default()), Arc::new(Post::default()));
        let settings = Arc::new(settings(&mut chance));
        let node = |_| {
            let node_clock = Arc::new(Skewed::new(Arc::clone(&clock)));
            let node_store = NodeStore {
                inner: Arc::clone(&store),
                log: Arc::clone(&log),
                faults: Arc::clone(&faults),
                database_clock: Arc::clone(&clock) as _,
                node_clock: Arc::clone(&node_clock) as _,
            };
            let carrier = |kind| {
                let (post, faults) = (Arc::clone(&post), Arc::clone(&faults));
                Arc::new(Carrier { kind, post, faults, database_clock: Arc::clone(&clock) as _ })
                    as Arc<dyn ChannelSender>
            };
            let kinds = [ChannelKind::Email, ChannelKind::WebPush];
            Node {
                cx: Context {
                    clock: Arc::clone(&node_clock) as _,
                    entropy: Arc::clone(&entropy) as _,
                    store: Arc::new(node_store),
                    timers: Arc::clone(&timers) as _,
                    limits: Arc::new(Limiter(Arc::clone(&faults))),
                    live: Arc::new(NoNews),
                    ceremonies: match plant {
                        Plant::AnyPasskeyFits => Arc::new(AnyPasskey),
                        _ => Arc::new(SimulatedCeremonies),
                    },
                    secrets: Arc::clone(&secrets),
                    signer: Arc::new(PlainSigner),
                    settings: Arc::clone(&settings),
                    // Staff have no part in this world.
                    staff: Arc::new(MemoryStore::new(Arc::clone(&clock) as _)),
                    console: None,
                    log: log_at_once(Arc::new(NodeLog { inner: Arc::clone(&store), faults: Arc::clone(&faults) })),
                },
                clock: node_clock,
                gate: ClockGate::open(),
                senders: Arc::new(kinds.map(|kind| (kind, carrier(kind))).into_iter().collect()),
                hook: Arc::new(Hook(Arc::clone(&faults))),
                plant,
            }
        };
        let nodes = (0..NODES).map(node).collect();
        Self {
            chance,
            clock,
            timer_clock,
            store,
            log,
            faults,
            timers,
            post,
            nodes,
            cast,
            known: Known::default(),
            tasks: Vec::new(),
            acts: HashMap::new(),
            began: HashMap::new(),
            trusted: HashSet::new(),
            checks: Checks::default(),
            next: 0,
            story: Vec::new(),
        }
    }

    pub fn tell(&mut self, event: Event) {
        self.story.push((self.clock.now(), event));
    }

    /// What happened, a line each.
    pub fn story(&self) -> String {
        let line = |(at, event): &(Timestamp, Event)| match event {
            Event::Began(task, node) => format!("{at} task {task} on node {node}: {:?}", self.acts[task]),
            Event::Answered(task, answer) => format!("{at} task {task} answered {answer}"),
            Event::Crashed(task) => format!("{at} task {task} crashed"),
            Event::NodeCrashed(node) => format!("{at} node {node} crashed"),
            Event::TimersFlushed => format!("{at} all timers are gone"),
            Event::Bounced(notice) => format!("{at} {notice} bounced"),
            Event::ClockIsAhead(clock, micros) => format!("{at} clock {clock} is {micros} us ahead"),
            Event::Calm => format!("{at} calm"),
        };
        self.story.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// Begins an act on a node.
    pub fn start(&mut self, node: usize, act: Act) {
        let id = self.next;
        self.next += 1;
        self.tell(Event::Began(id, node));
        let doing = begin(&self.nodes[node], &mut self.cast, &self.known, &act);
        self.acts.insert(id, act.clone());
        self.began.insert(id, self.log.stored().len());
        self.tasks.push(Task::new(id, node, act, doing));
    }

    /// Lets one task go on to its next wait, and checks everything after it.
    ///
    /// # Errors
    /// The invariant that doesn't hold any more.
    pub fn poll(&mut self, index: usize) -> Result<(), Broken> {
        let (id, node) = (self.tasks[index].id, self.tasks[index].node);
        self.log.run(id);
        let before = self.nodes[node].gate.is_open();
        let answer = self.tasks[index].poll();
        // Nothing else ran meanwhile, so that whatever happened to the gate, this task did.
        match (before, self.nodes[node].gate.is_open()) {
            (_, true) => self.trusted.insert(id),
            (true, false) => self.trusted.remove(&id),
            (false, false) => false,
        };
        self.check_stored()?;
        if let Some(answer) = answer {
            let task = self.tasks.swap_remove(index);
            self.tell(Event::Answered(id, shortly(&answer)));
            self.check_answer(&task, &answer)?;
            self.learn(&task.act, answer);
        }
        Ok(())
    }

    /// Runs a task to its end at once.
    ///
    /// # Errors
    /// As [`Run::poll`].
    pub fn finish(&mut self, node: usize, act: Act) -> Result<(), Broken> {
        self.start(node, act);
        let id = self.next - 1;
        while let Some(index) = self.tasks.iter().position(|task| task.id == id) {
            self.poll(index)?;
        }
        Ok(())
    }

    fn check_stored(&mut self) -> Result<(), Broken> {
        let mut checks = std::mem::take(&mut self.checks);
        let result = checks.stored(self);
        self.checks = checks;
        result
    }

    fn check_answer(&mut self, task: &Task<Act, Answer>, answer: &Answer) -> Result<(), Broken> {
        let mut checks = std::mem::take(&mut self.checks);
        let result = checks.answered(self, task, answer);
        self.checks = checks;
        result
    }

    /// What must hold when everything has come to rest.
    ///
    /// # Errors
    /// The invariant that doesn't hold.
    pub fn check_end(&mut self) -> Result<(), Broken> {
        self.checks.at_the_end(self)
    }

    fn learn(&mut self, act: &Act, answer: Answer) {
        match answer {
            Answer::Created(created) => {
                let Act::Request { holder, .. } = act else { return };
                let view: serde_json::Value = serde_json::from_str(&created.body).expect("a view");
                let text = |name: &str| view[name].as_str().expect("a text").to_owned();
                let waiting = text("waiting_url").rsplit('/').next().map(str::to_owned).expect("a token");
                let id: ApprovalId = text("id").parse().expect("an id");
                if self.known.approvals.iter().all(|known| known.id != id) {
                    let digest = text("digest").parse().expect("a digest");
                    self.known.approvals.push(KnownApproval { id, digest, waiting, holder: *holder });
                }
            }
            Answer::Prompted(prompt) => {
                let Act::Prompt { approval, signer, .. } = act else { return };
                self.known.prompts.push(KnownPrompt { approval: *approval, gear: *signer, prompt });
            }
            Answer::Marked(mark) => {
                let Act::Watch { seat, .. } = act else { return };
                self.cast.seats[*seat].mark = Some(mark);
            }
            Answer::Is(_) | Answer::Redeemed(_) | Answer::Frozen(_) | Answer::Worked | Answer::Refused(_) => {}
        }
    }
}

fn shortly(answer: &Answer) -> String {
    match answer {
        Answer::Created(created) => format!("{:?}", created.repeat),
        Answer::Prompted(_) => "a prompt".to_owned(),
        Answer::Is(approval) => format!("{} version {}", approval.state.name().as_str(), approval.version),
        Answer::Redeemed(redeemed) => format!("the receipt of version {}", redeemed.approval.version),
        Answer::Frozen(frozen) => format!("{} frozen, version {}", frozen.holder, frozen.version),
        Answer::Marked(_) | Answer::Worked => "done".to_owned(),
        Answer::Refused(error) => format!("no: {error}"),
    }
}
