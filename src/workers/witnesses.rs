//! Has the log's checkpoints cosigned by its witnesses, one node at a time, under a lease. The sequencer waits for none
//! of it, and no witness waits for another: each is asked for one tree after the other, with a pause of its own after a
//! failure.
//!
//! Enough witnesses have to sign the very same tree. So all are asked for one and the same checkpoint until it has its
//! quorum, and only then for the newest; a witness that can't sign it any more moves all on.

use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::ports::audit::{Cursor, CursorStore};
use crate::ports::log::Signed;
use crate::ports::store::StoreError;
use crate::ports::witness::Cosigner;
use crate::service::Context;
use crate::service::log::{Asked, CosignError, Witnesses, cosign, standing};

/// Name of the lease. No sink of events can have it: theirs have no slash.
const LEASE_NAME: &str = "log/witnesses";
/// So long nobody asks after the node that asked has died.
const LEASE: Duration = Duration::from_secs(10);
const RENEW: Duration = Duration::from_secs(2);
/// At most this long until a checkpoint of another node is seen.
const PERIOD: Duration = Duration::from_millis(250);
/// At least this long between two checkpoints that witnesses are asked for.
const GATHER: Duration = Duration::from_millis(200);
/// Pause after a witness's first failure in a row; doubled with each.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Whom to ask, and where the lease is.
#[derive(Clone)]
pub struct Circle {
    pub witnesses: Arc<Witnesses>,
    pub cosigners: Vec<Arc<dyn Cosigner>>,
    pub leases: Arc<dyn CursorStore>,
}

/// How it stands with one witness.
struct Member {
    cosigner: Arc<dyn Cosigner>,
    /// Size of the tree that it signed last, as far as is known here.
    last: u64,
    /// Whether that was a tree that it signed for us.
    signed: u64,
    is_asked: bool,
    next: Instant,
    pause: Duration,
}

/// Runs until stopped.
pub async fn run(cx: Context, circle: Circle, stop: CancellationToken) {
    loop {
        match turn(&cx, &circle, &stop).await {
            Ok(()) => {}
            Err(error) => tracing::warn!(error = %error, "checkpoints aren't cosigned at present"),
        }
        tokio::select! {
            () = tokio::time::sleep(RENEW) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Asks for as long as it has the lease; at once over while another node has it.
async fn turn(cx: &Context, circle: &Circle, stop: &CancellationToken) -> Result<(), StoreError> {
    let Some(cursor) = circle.leases.claim_cursor(LEASE_NAME, LEASE).await? else { return Ok(()) };
    let asked = ask(cx, circle, cursor, stop).await;
    circle.leases.leave_cursor(LEASE_NAME, cursor.fence).await?;
    asked
}

type Answer = (usize, u64, Result<Asked, CosignError>);

async fn ask(cx: &Context, circle: &Circle, cursor: Cursor, stop: &CancellationToken) -> Result<(), StoreError> {
    let mut members: Vec<Member> = circle.cosigners.iter().map(Member::new).collect();
    let mut target: Option<(Signed, Instant)> = None;
    // Dropped with everything in it when the lease is lost.
    let mut under_way: JoinSet<Answer> = JoinSet::new();
    let mut renew = Instant::now() + RENEW;
    loop {
        let now = Instant::now();
        if renew <= now {
            if !circle.leases.move_cursor(LEASE_NAME, cursor, LEASE).await? {
                return Ok(());
            }
            if let Err(error) = standing(cx).await {
                tracing::warn!(error = %error, "how far the log was witnessed can't be seen");
            }
            renew = now + RENEW;
        }
        if let Some(newest) = cx.log.store.newest().await? {
            target = Some(aim(target, newest, &members, circle.witnesses.quorum.least(), now));
        }
        if let Some((target, _)) = &target {
            for (at, member) in members.iter_mut().enumerate().filter(|(_, member)| member.waits_for(target, now)) {
                member.is_asked = true;
                let (cx, witnesses) = (cx.clone(), Arc::clone(&circle.witnesses));
                let (cosigner, target, last) = (Arc::clone(&member.cosigner), target.clone(), member.last);
                under_way.spawn(async move {
                    let asked = cosign(&cx, &witnesses, cosigner.as_ref(), &target, last).await;
                    (at, target.head.size, asked)
                });
            }
        }
        tokio::select! {
            Some(answer) = under_way.join_next() => {
                if let Ok((at, size, asked)) = answer && let Some(member) = members.get_mut(at) {
                    member.answered(size, asked);
                }
            }
            () = circle.witnesses.grown.notified() => {}
            () = tokio::time::sleep(PERIOD) => {}
            () = stop.cancelled() => return Ok(()),
        }
    }
}

/// The checkpoint that all are asked for: the one before, until it has what it needs or can't get it.
fn aim(
    target: Option<(Signed, Instant)>,
    newest: Signed,
    members: &[Member],
    least: usize,
    now: Instant,
) -> (Signed, Instant) {
    let Some((target, since)) = target else { return (newest, now) };
    let size = target.head.size;
    let have = members.iter().filter(|member| member.signed == size).count();
    // One that says it has signed more than there is helps nobody, and doesn't hurry the others on.
    let is_passed = members.iter().any(|member| member.last > size && member.last <= newest.head.size);
    // Whoever hasn't signed it has failed to, and is left alone for a while: those who can go on, go on.
    let is_stuck = members.iter().all(|member| member.signed == size || !member.is_asked && member.next > now);
    let is_done = have == 0 || have >= least.max(1) || is_passed || is_stuck;
    if size != newest.head.size && is_done && now.duration_since(since) >= GATHER {
        (newest, now)
    } else {
        (target, since)
    }
}

impl Member {
    fn new(cosigner: &Arc<dyn Cosigner>) -> Self {
        let cosigner = Arc::clone(cosigner);
        Self { cosigner, last: 0, signed: 0, is_asked: false, next: Instant::now(), pause: FIRST_PAUSE }
    }

    fn waits_for(&self, target: &Signed, now: Instant) -> bool {
        !self.is_asked && self.last < target.head.size && self.next <= now
    }

    fn answered(&mut self, size: u64, asked: Result<Asked, CosignError>) {
        self.is_asked = false;
        let outcome = match &asked {
            Ok(Asked::Cosigned) => "cosigned",
            Ok(Asked::Ahead(_)) => "ahead",
            Err(error) => error.as_str(),
        };
        let labels = [("witness", self.cosigner.name().to_owned()), ("outcome", outcome.to_owned())];
        metrics::counter!("countersign_log_witness_answers_total", &labels).increment(1);
        match asked {
            Ok(Asked::Cosigned) => {
                (self.last, self.signed, self.pause) = (size, size, FIRST_PAUSE);
                return;
            }
            Ok(Asked::Ahead(last)) => {
                // Unless another node has asked it meanwhile, this database is from before.
                tracing::warn!(witness = self.cosigner.name(), size, last, "a witness has signed a larger tree");
                self.last = last;
            }
            Err(error @ CosignError::Fork(_)) => {
                tracing::error!(
                    witness = self.cosigner.name(),
                    error = %error,
                    "a witness has seen another history of this log; see docs/recovery.md"
                );
                self.last = 0;
            }
            Err(error) => {
                tracing::warn!(witness = self.cosigner.name(), error = %error, "a witness didn't cosign");
                self.last = 0;
            }
        }
        self.next = Instant::now() + self.pause;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::domain::Timestamp;
    use crate::domain::details::Digest;
    use crate::domain::log::tree::Head;
    use crate::domain::log::{Origin, SignatureType, VerifierKey};
    use crate::domain::witness::AddCheckpoint;
    use crate::ports::witness::{CosignerAnswer, CosignerError};

    struct Nobody(VerifierKey);

    #[async_trait]
    impl Cosigner for Nobody {
        fn name(&self) -> &str {
            "nobody"
        }
        fn key(&self) -> &VerifierKey {
            &self.0
        }
        async fn add_checkpoint(&self, _: &AddCheckpoint) -> Result<CosignerAnswer, CosignerError> {
            Err(CosignerError::Unreachable("connect"))
        }
    }

    fn signed(size: u64) -> Signed {
        let head = Head { size, root: Digest::of(&size.to_be_bytes()) };
        Signed { head, place: 0, note: String::new(), signed_at: Timestamp::EPOCH }
    }

    fn members(signed: &[u64]) -> Vec<Member> {
        let name = Origin::parse("nobody.example").unwrap();
        let key = VerifierKey { name, signs: SignatureType::Cosignature, public: [0; 32] };
        let nobody: Arc<dyn Cosigner> = Arc::new(Nobody(key));
        signed.iter().map(|size| Member { last: *size, signed: *size, ..Member::new(&nobody) }).collect()
    }

    #[tokio::test]
    async fn all_are_asked_for_one_tree_until_it_has_its_quorum() {
        let since = Instant::now();
        let later = since + GATHER;
        let aimed = |signed_sizes: &[u64], at| {
            aim(Some((signed(5), since)), signed(9), &members(signed_sizes), 2, at).0.head.size
        };
        assert_eq!(aim(None, signed(9), &members(&[0, 0, 0]), 2, since).0.head.size, 9);
        assert_eq!(aimed(&[5, 0, 0], later), 5, "one has signed it, and a second is needed");
        assert_eq!(aimed(&[5, 5, 0], later), 9, "it has its two");
        assert_eq!(aimed(&[5, 5, 0], since), 5, "not at once");
        assert_eq!(aimed(&[0, 3, 0], later), 9, "nobody has signed it, so that nothing is lost");
        let mut failed = members(&[5, 0, 0]);
        failed[1].next = later + FIRST_PAUSE;
        assert_eq!(aim(Some((signed(5), since)), signed(9), &failed, 2, later).0.head.size, 5, "one may yet sign it");
        failed[2].next = later + FIRST_PAUSE;
        assert_eq!(aim(Some((signed(5), since)), signed(9), &failed, 2, later).0.head.size, 9, "nobody can at present");
        let mut passed = members(&[5, 0, 0]);
        passed[1].last = 70;
        assert_eq!(aim(Some((signed(5), since)), signed(9), &passed, 2, later).0.head.size, 5, "more than there is");
        passed[1].last = 7;
        assert_eq!(
            aim(Some((signed(5), since)), signed(9), &passed, 2, later).0.head.size,
            9,
            "one can't sign it any more"
        );
    }

    #[tokio::test]
    async fn a_witness_that_fails_is_asked_less_and_less_often() {
        let mut member = members(&[0]).remove(0);
        let mut pauses = Vec::new();
        for _ in 0..9 {
            member.is_asked = true;
            let before = Instant::now();
            member.answered(5, Err(CosignError::Cosigner(CosignerError::Unreachable("connect"))));
            assert!(!member.waits_for(&signed(5), before) && member.waits_for(&signed(5), before + 2 * LONGEST_PAUSE));
            pauses.push(member.pause);
        }
        assert!(pauses.is_sorted() && pauses[0] == 2 * FIRST_PAUSE && pauses[8] == LONGEST_PAUSE, "{pauses:?}");
        member.answered(5, Ok(Asked::Cosigned));
        assert!(!member.waits_for(&signed(5), Instant::now() + LONGEST_PAUSE), "it has signed this tree");
        assert_eq!((member.last, member.pause), (5, FIRST_PAUSE));
    }
}
