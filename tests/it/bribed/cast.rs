//! The people of these cases, as they have been for a month: an agent of a vendor who was bribed, and signers of three
//! groups. They join past the two admins, because a month can't be waited for on a database's own clock; everything
//! else they do over HTTP.

use std::time::Duration;

use countersign::domain::channel::{Address, Channel};
use countersign::domain::details::{Digest, Salt};
use countersign::domain::override_request::{Kind, OverrideRequest, Request, Words};
use countersign::domain::staff::invite::{INVITE_LIFE, Invite, Origin};
use countersign::domain::staff::passkey::{Passkey, PasskeyBody};
use countersign::domain::staff::{Role, Staff};
use countersign::domain::{
    ApprovalId, ChannelId, DeviceId, HolderId, InviteId, NoticeId, OverrideId, StaffChangeId, StaffId, Timestamp,
};
use countersign::ports::overrides::{Also, OverrideWrite};
use countersign::ports::secrets::BoxKey;
use countersign::ports::staff::StaffEffect;
use countersign::ports::store::NoticeOutcome;
use countersign::ports::{Change, Effect};
use serde_json::json;

use crate::console::desk::{Desk, Reply};
use crate::console::stage::{self, DAY, Stage};
use crate::support::enrolled::entered;

pub const CHECKED: &str = "Called back on the number on file, the voice matched the notes.";
pub const REASON: &str = "Customer lost her phone on the train, completes on a house today.";

pub struct Cast {
    pub stage: Stage,
    pub agent: Desk,
    pub signers: Vec<Desk>,
    pub holder: HolderId,
    /// A channel that has been there for a month.
    pub settled: ChannelId,
}

/// Somebody who made their passkey so long ago, signed in.
pub async fn veteran(
    stage: &Stage,
    (name, group, employer): (&str, &str, &str),
    roles: &[Role],
    ago: Duration,
    ends_at: Timestamp,
) -> Desk {
    veteran_with(stage, (name, group, employer), roles, ago, ends_at, |person| person).await
}

/// The same with something more in their record.
pub async fn veteran_with(
    stage: &Stage,
    (name, group, employer): (&str, &str, &str),
    roles: &[Role],
    ago: Duration,
    ends_at: Timestamp,
    more: impl FnOnce(Staff) -> Staff,
) -> Desk {
    let cx = &stage.cx;
    let now = cx.now();
    let since = now - ago;
    let id = cx.id(StaffId::new, now);
    let person = more(Staff::new(id, stage::profile(name, group, employer, roles, ends_at), since));
    let invite = Invite {
        id: cx.id(InviteId::new, now),
        staff: id,
        origin: Origin::Admins(cx.id(StaffChangeId::new, now)),
        token_hash: Digest::of(id.bytes()),
        created_at: now - Duration::from_secs(60),
        opens_at: now - Duration::from_secs(60),
        expires_at: now + INVITE_LIFE,
        tries: 0,
        ended_at: None,
    };
    let link = invite.id;
    let add = StaffEffect::Add { staff: Box::new(person.clone()), invite };
    stage.apply(Effect::Staff(Box::new(add))).await;
    let mut desk = Desk::new(stage);
    let ceremonies = &cx.console.as_ref().unwrap().ceremonies;
    let challenge = Digest::of(id.bytes());
    let options = ceremonies.discoverable_creation_options(&challenge, id, name).unwrap();
    let registration = desk.authenticator.create(&options, &desk.origin).unwrap();
    let made = ceremonies.register(&challenge, &registration).unwrap();
    let body = PasskeyBody {
        staff: id,
        credential_id: made.id,
        credential: made.credential,
        assurance: made.assurance,
        created_at: since,
    };
    let passkey = Passkey { body, counter: made.counter };
    let staff = Box::new(person.enrolled(since));
    stage.apply(Effect::Staff(Box::new(StaffEffect::Enrol { invite: link, staff, from: 1, passkey }))).await;
    desk.staff = Some(id);
    desk.sign_in().await.expect(200);
    desk
}

/// A second passkey of somebody, on another authenticator, signed in. The service makes one for each invite, so the
/// database's owner opens a spent one again.
pub async fn second_passkey(stage: &Stage, of: &Desk) -> Desk {
    let cx = &stage.cx;
    stage.owner_runs("UPDATE staff_invites SET ended_at = NULL").await;
    let invites = cx.staff.open_invites().await.unwrap();
    let invite = invites.iter().find(|invite| invite.staff == of.id()).expect("an invite of theirs").id;
    let person = cx.staff.person(of.id()).await.unwrap().unwrap();
    let mut desk = Desk::new(stage);
    let ceremonies = &cx.console.as_ref().unwrap().ceremonies;
    let challenge = Digest::of(b"a second passkey");
    let options = ceremonies.discoverable_creation_options(&challenge, of.id(), "second").unwrap();
    let registration = desk.authenticator.create(&options, &desk.origin).unwrap();
    let made = ceremonies.register(&challenge, &registration).unwrap();
    let body = PasskeyBody {
        staff: of.id(),
        credential_id: made.id,
        credential: made.credential,
        assurance: made.assurance,
        created_at: cx.now(),
    };
    let passkey = Passkey { body, counter: made.counter };
    let staff = Box::new(Staff { version: person.version + 1, ..person.clone() });
    let enrol = StaffEffect::Enrol { invite, staff, from: person.version, passkey };
    stage.apply(Effect::Staff(Box::new(enrol))).await;
    desk.staff = of.staff;
    desk.sign_in().await.expect(200);
    desk
}

/// Three who may sign, of three groups.
pub async fn signers(stage: &Stage) -> Vec<Desk> {
    let mut signers = Vec::new();
    for who in
        [("Jonas Weber", "risk", "in-house"), ("Amir Haddad", "fraud", "in-house"), ("Ines Sol", "desk", "Teleplus")]
    {
        signers.push(veteran(stage, who, &[Role::Signer], 30 * DAY, stage.in_a_year()).await);
    }
    signers
}

/// A case that an agent opens from a look.
pub async fn reset(agent: &Desk, look: &str) -> OverrideId {
    opened(&agent.form(&format!("{look}/override"), &[("kind", "reset_devices"), ("reason", REASON)]).await)
}

impl Cast {
    pub async fn new(stage: Stage) -> Self {
        let far = stage.in_a_year();
        let month = 30 * DAY;
        let agent = veteran(&stage, ("Dana Okafor", "support", "Teleplus"), &[Role::Agent], month, far).await;
        let signers = signers(&stage).await;
        let (holder, _) = stage.holder("u-1").await;
        let mut cast = Self { settled: ChannelId::from_uuid(holder.uuid()), stage, agent, signers, holder };
        cast.settled = cast.channel(month).await;
        cast
    }

    /// A mailbox of the holder that was registered so long ago.
    pub async fn channel(&self, ago: Duration) -> ChannelId {
        self.channel_on(None, ago).await
    }

    /// A channel that was registered so long ago, and where it is said a push to this device.
    pub async fn channel_on(&self, device: Option<DeviceId>, ago: Duration) -> ChannelId {
        let cx = &self.stage.cx;
        let now = cx.now();
        let id = cx.id(ChannelId::new, now);
        let address = match device {
            None => Address::email("marta@example.org").unwrap(),
            Some(_) => {
                let point = data_encoding::BASE64URL_NOPAD.encode(&[4; 65]);
                let auth = data_encoding::BASE64URL_NOPAD.encode(&[1; 16]);
                Address::web_push("https://push.example/x", &point, &auth).unwrap()
            }
        };
        let plain = serde_json::to_vec(&address).unwrap();
        let channel = Channel {
            id,
            holder: self.holder,
            kind: address.kind(),
            device,
            masked: address.masked(),
            address: cx.secrets.seal(BoxKey::Address, id.bytes(), &plain).into(),
            created_at: now - ago,
            counts_from: now - ago,
        };
        self.stage.apply(Effect::AddChannel(channel)).await;
        id
    }

    /// The agent looks at the holder.
    pub async fn look(&self) -> String {
        self.look_at("u-1").await
    }

    pub async fn look_at(&self, subject: &str) -> String {
        let backend = self.stage.backend.to_string();
        let fields = [("backend", backend.as_str()), ("subject", subject), ("reason", "the holder calls")];
        let looked = self.agent.form("/holders", &fields).await;
        assert_eq!(looked.status, 303, "{}", looked.text);
        looked.location.unwrap()
    }

    pub async fn ask_for(&self, kind: &str, approval: &str, disputed: &str) -> Reply {
        let look = self.look().await;
        let fields = [("kind", kind), ("approval", approval), ("reason", REASON), ("disputed", disputed)];
        self.agent.form(&format!("{look}/override"), &fields).await
    }

    /// A transfer that waits, and a request to approve it.
    pub async fn asked(&self) -> (ApprovalId, OverrideId) {
        let approval = self.stage.transfer("u-1").await;
        let asked = self.ask_for("approve_for_holder", &approval, "").await;
        (approval.parse().unwrap(), opened(&asked))
    }

    pub async fn case(&self, id: OverrideId) -> OverrideRequest {
        self.stage.cx.store.override_request(id).await.unwrap().unwrap()
    }

    /// A request about a further transfer as it would be written by a node that read the record just now, by this lot.
    pub async fn asked_for_later(&self, lot: u8) -> OverrideWrite {
        let approval: ApprovalId = self.stage.transfer("u-1").await.parse().unwrap();
        let cx = &self.stage.cx;
        let approval = cx.store.approval(approval).await.unwrap().unwrap();
        let now = cx.now();
        let request = Request {
            id: cx.id(OverrideId::new, now),
            holder: self.holder,
            requester: self.agent.id(),
            kind: Kind::ApproveForHolder { approval: approval.id, digest: approval.digest() },
            reason: Words::parse(REASON).unwrap(),
            disputed: Vec::new(),
            created_at: now,
            nonce: Salt(cx.random()),
        };
        let by = cx.staff.person(self.agent.id()).await.unwrap().unwrap();
        let everybody = cx.staff.everybody().await.unwrap();
        let step = OverrideRequest::ask(request, &by, &everybody, [lot; 16], now).unwrap();
        OverrideWrite { step, caps: cx.settings.override_caps, proof: None, also: Also::Nothing, tell: Vec::new() }
    }

    /// A change that writes it.
    pub fn change(&self, write: OverrideWrite) -> Change {
        entered(&self.stage.cx, Effect::Override(Box::new(write)))
    }

    /// The places of the two who were drawn, and of one who wasn't.
    pub async fn drawn(&self, id: OverrideId) -> (usize, usize, Option<usize>) {
        let drawn = self.case(id).await.drawn;
        let place = |wanted| self.signers.iter().position(|desk| desk.id() == wanted).unwrap();
        let (one, other) = (place(drawn[0]), place(drawn[1]));
        (one, other, (0..self.signers.len()).find(|at| *at != one && *at != other))
    }

    pub async fn sign(&mut self, who: usize, id: OverrideId) -> Reply {
        sign_as(&mut self.signers[who], id).await
    }

    pub async fn state(&self, id: ApprovalId) -> (&'static str, Option<&'static str>) {
        let approval = self.stage.cx.store.approval(id).await.unwrap().unwrap();
        (approval.state.name().as_str(), approval.state.reason())
    }

    /// Everything that is queued goes out.
    pub async fn deliver(&self) -> Vec<(ChannelId, countersign::domain::channel::Purpose)> {
        let store = &self.stage.cx.store;
        let jobs = store.claim_notices(100, Duration::from_secs(30)).await.unwrap();
        let mut gone = Vec::new();
        for job in jobs {
            let at = store.now().await.unwrap();
            let settled: NoticeId = job.id;
            assert!(store.settle_notice(settled, job.fence, NoticeOutcome::Delivered { at }).await.unwrap());
            gone.push((job.channel, job.purpose));
        }
        gone
    }

    /// Refused attempts in the audit log, by reason.
    pub async fn refusals(&self, why: &str) -> usize {
        let entries = self.stage.entries("override.refused").await;
        entries.iter().filter(|entry| entry["facts"]["why"] == why).count()
    }
}

/// The case that an answer leads to.
#[track_caller]
pub fn opened(asked: &Reply) -> OverrideId {
    assert_eq!(asked.status, 303, "{}", asked.text);
    asked.location.as_ref().unwrap().strip_prefix("/cases/").unwrap().parse().unwrap()
}

pub async fn sign_as(desk: &mut Desk, id: OverrideId) -> Reply {
    let body = json!({"checked": CHECKED});
    desk.signed(&format!("/cases/{id}/prompt"), &body, &format!("/cases/{id}/sign")).await
}
