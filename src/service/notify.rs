//! Who is told of what: plans the notices and webhooks that are written with a change, and later puts a leased notice
//! into words.

use super::{Context, Error, links};
use crate::domain::approval::Approval;
use crate::domain::approval::transitions::Transition;
use crate::domain::channel::{About, Channel, Notice, Purpose, Turn};
use crate::domain::device::DeviceBody;
use crate::domain::event::WebhookBody;
use crate::domain::freeze::Freeze;
use crate::domain::ids::{DeliveryId, EndpointId, HolderId, NoticeId};
use crate::domain::link::EnrolLink;
use crate::domain::override_request::transitions::Step;
use crate::domain::override_request::{Request, SETTLED_CHANNEL};
use crate::domain::staff::notice::{self, StaffNotice};
use crate::domain::time::Timestamp;
use crate::domain::webhook::{Cause, Delivery, message_id};
use crate::ports::outward::{Message, Reader};
use crate::ports::store::NoticeJob;

const DAY: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

/// How a row of channels is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spread {
    /// The best channel first, the next one only when it fails.
    Cascade,
    /// Every channel at once.
    All,
}

/// What a row of notices is about, and how it is sent.
struct Plan {
    holder: HolderId,
    purpose: Purpose,
    about: About,
    spread: Spread,
    useless_after: Timestamp,
}

fn plan(cx: &Context, channels: &[Channel], plan: Plan, now: Timestamp) -> Vec<Notice> {
    let mut row: Vec<&Channel> = channels.iter().collect();
    row.sort_by_key(|channel| (channel.kind, channel.created_at));
    let turn = |rank: usize| match plan.spread {
        Spread::Cascade if rank > 0 => Turn::AfterFailure,
        Spread::Cascade | Spread::All => Turn::Now,
    };
    let notice = |(rank, channel): (usize, &&Channel)| Notice {
        id: cx.id(NoticeId::new, now),
        holder: plan.holder,
        channel: channel.id,
        address: channel.address.clone(),
        purpose: plan.purpose,
        about: plan.about,
        turn: turn(rank),
        rank: u16::try_from(rank).unwrap_or(u16::MAX),
        created_at: now,
        useless_after: plan.useless_after,
    };
    row.iter().enumerate().map(notice).collect()
}

/// "A transfer waits for you": the best channel, the next when it fails.
pub fn asked(cx: &Context, approval: &Approval, channels: &[Channel]) -> Vec<Notice> {
    let asked = Plan {
        holder: approval.holder,
        purpose: Purpose::Asked,
        about: About::Approval(approval.id),
        spread: Spread::Cascade,
        useless_after: approval.expires_at,
    };
    plan(cx, channels, asked, approval.created_at)
}

/// "A transfer was approved, you can still stop it": every channel at once.
pub fn cooling(cx: &Context, approval: &Approval, channels: &[Channel], now: Timestamp) -> Vec<Notice> {
    let cooling = Plan {
        holder: approval.holder,
        purpose: Purpose::Cooling,
        about: About::Approval(approval.id),
        spread: Spread::All,
        useless_after: approval.given_up_at().unwrap_or(now),
    };
    plan(cx, channels, cooling, now)
}

/// The code of an enrolment link: the best channel that isn't on a device.
pub fn enrol_code(cx: &Context, link: &EnrolLink, channels: &[Channel], now: Timestamp) -> Vec<Notice> {
    let apart: Vec<Channel> = channels.iter().filter(|channel| channel.device.is_none()).cloned().collect();
    let code = Plan {
        holder: link.holder,
        purpose: Purpose::EnrolCode,
        about: About::Link(link.id),
        spread: Spread::Cascade,
        useless_after: link.expires_at,
    };
    plan(cx, &apart, code, now)
}

/// "A device was added", "was locked", or "will be told too": every channel of these.
pub fn device(
    cx: &Context,
    device: &DeviceBody,
    purpose: Purpose,
    channels: &[Channel],
    now: Timestamp,
) -> Vec<Notice> {
    let news = Plan {
        holder: device.holder,
        purpose,
        about: About::Device(device.id),
        spread: Spread::All,
        useless_after: now + std::time::Duration::from_secs(24 * 3600),
    };
    plan(cx, channels, news, now)
}

/// "Transfers are locked", or "someone asked to unlock": every channel.
pub fn freeze(cx: &Context, freeze: &Freeze, purpose: Purpose, channels: &[Channel], now: Timestamp) -> Vec<Notice> {
    let news = Plan {
        holder: freeze.holder,
        purpose,
        about: About::Freeze(freeze.id),
        spread: Spread::All,
        useless_after: now + DAY,
    };
    plan(cx, channels, news, now)
}

/// "Two of our staff decided for you": every channel at once. Which of them count, and which may stop it, says the
/// request. Nobody needs one after `useless_after`, when the hold would be over.
pub fn override_cooling(
    cx: &Context,
    request: &Request,
    about: About,
    channels: &[Channel],
    useless_after: Timestamp,
    now: Timestamp,
) -> Vec<Notice> {
    let purpose = |channel: &Channel| {
        if request.disputed.contains(&channel.id) {
            Purpose::OverrideOnDisputed
        } else if channel.created_at + SETTLED_CHANNEL > now {
            Purpose::OverrideOnNew
        } else {
            Purpose::OverrideCooling
        }
    };
    let told =
        Plan { holder: request.holder, purpose: Purpose::OverrideCooling, about, spread: Spread::All, useless_after };
    let mut notices = plan(cx, channels, told, now);
    for notice in &mut notices {
        if let Some(channel) = channels.iter().find(|channel| channel.id == notice.channel) {
            notice.purpose = purpose(channel);
        }
    }
    notices
}

/// "A case waits for your signature": those who were drawn by this step.
pub fn drawn(cx: &Context, step: &Step, now: Timestamp) -> Vec<StaffNotice> {
    let case = &step.case;
    let notice = |staff| StaffNotice {
        id: cx.id(NoticeId::new, now),
        staff,
        case: case.id(),
        created_at: now,
        useless_after: case.expires_at,
    };
    notice::told_of(step).into_iter().map(notice).collect()
}

/// Puts a notice to a person of staff into words. Nothing of the case goes out, not even its number.
///
/// # Errors
/// [`Error::NoConsole`].
pub fn message_to_staff(cx: &Context, notice: &StaffNotice) -> Result<Message, Error> {
    Ok(Message {
        notice: notice.id,
        reader: Reader::Staff,
        approval: None,
        title: format!("{}: a case waits for your signature", cx.settings.operator),
        body: vec![
            "You were drawn to sign or refuse it. Open the console, sign in with your passkey, and look at all of it."
                .to_owned(),
            "Nobody may ask you by mail or by phone how you decide, or to hurry.".to_owned(),
        ],
        open: Some(cx.console()?.url.clone()),
        stop: None,
        code: None,
        useless_after: notice.useless_after,
    })
}

/// One webhook message per endpoint about a transition.
///
/// # Errors
/// [`Error::Internal`] when the body can't be written.
pub fn webhooks(
    cx: &Context,
    transition: &Transition,
    endpoints: &[EndpointId],
    now: Timestamp,
) -> Result<Vec<Delivery>, Error> {
    if endpoints.is_empty() || !transition.event.is_public() {
        return Ok(Vec::new());
    }
    let approval = &transition.approval;
    let body = serde_json::to_string(&WebhookBody::of(approval, transition.event, now)).map_err(Error::internal)?;
    let delivery = |endpoint: &EndpointId| Delivery {
        id: cx.id(DeliveryId::new, now),
        endpoint: *endpoint,
        cause: Cause::Approval { id: approval.id, version: approval.version },
        message_id: message_id(approval.id, approval.version),
        body: body.clone(),
        created_at: now,
    };
    Ok(endpoints.iter().map(delivery).collect())
}

/// Puts a notice into words. No text of the initiator goes out, and no amount: the page shows that.
///
/// # Errors
/// [`Error::Internal`] when a link can't be built.
pub fn message(cx: &Context, job: &NoticeJob) -> Result<Message, Error> {
    let operator = &cx.settings.operator;
    let help = format!("Not sure? Call {operator} on {}.", cx.settings.contact);
    let line = |text: &str| text.to_owned();
    let mut message = Message {
        notice: job.id,
        reader: Reader::Holder,
        approval: None,
        title: String::new(),
        body: Vec::new(),
        open: None,
        stop: None,
        code: None,
        useless_after: job.useless_after,
    };
    let veto = job.purpose != Purpose::OverrideOnDisputed;
    match job.about {
        About::Approval(id) => {
            message.approval = Some(id);
            message.open = Some(links::device_page(cx, id)?);
            message.stop = if veto { Some(links::cancel_page(cx, id)?) } else { None };
        }
        About::Override(id) => message.stop = if veto { Some(links::override_page(cx, id)?) } else { None },
        About::Freeze(_) => message.stop = Some(links::lock_page(cx, job.holder)?),
        About::Link(_) | About::Device(_) => {}
    }
    (message.title, message.body) = match job.purpose {
        Purpose::Asked => (
            format!("{operator}: a transfer is waiting for you"),
            vec![
                line("This money has not been sent."),
                line("Open this on the device you added, look at every line, and answer there."),
                line("If you didn’t start it, stop it."),
                help,
            ],
        ),
        Purpose::Cooling => (
            format!("{operator}: a transfer was approved. You can still stop it"),
            vec![
                line("This money has not been sent yet. It will be, unless someone stops it."),
                line("If anyone told you to approve it, stop it now. You can start again later."),
                help,
            ],
        ),
        Purpose::EnrolCode => {
            if let About::Link(link) = job.about {
                message.code = Some(links::enrol_code(cx, link));
            }
            (
                format!("{operator}: your code for adding a device"),
                vec![
                    line("Type this code on the page where you are adding your device."),
                    line("If a person asks you for it, it is a scam. Don’t tell it to anyone."),
                    help,
                ],
            )
        }
        Purpose::DeviceAdded => (
            format!("{operator}: a device was added"),
            vec![
                line("A device can now stop your transfers, and soon approve them."),
                line("If that wasn’t you, call at once."),
                help,
            ],
        ),
        Purpose::ChannelAdded => (
            format!("{operator}: messages now go to one of your devices too"),
            vec![
                line("One of your devices asked to be told about your transfers. You are still told here."),
                line("If that wasn’t you, call at once."),
                help,
            ],
        ),
        Purpose::DeviceLocked => (
            format!("{operator}: a device was locked"),
            vec![
                line(
                    "One of your devices failed five times in a row to approve a transfer. It can’t approve any more.",
                ),
                line("If that wasn’t you, call at once."),
                help,
            ],
        ),
        Purpose::Frozen => (
            format!("{operator}: transfers are locked"),
            vec![
                line("Someone said that it wasn’t you. Everything that was waiting was stopped."),
                line(
                    "Nothing can be approved and no device can be added until it is unlocked. That takes time, on purpose.",
                ),
                line("Nobody needs to do anything quickly now. If someone says so, it is a scam."),
                help,
            ],
        ),
        Purpose::LiftAsked => (
            format!("{operator}: someone asked to unlock transfers"),
            vec![
                line("One of your devices asked to unlock transfers. It takes an hour."),
                line("If that wasn’t you, lock them again now."),
                help,
            ],
        ),
        Purpose::OverrideCooling | Purpose::OverrideOnNew | Purpose::OverrideOnDisputed => (
            format!("{operator}: our staff decided something for you"),
            vec![
                line(match job.about {
                    About::Approval(_) => {
                        "Two people of our staff approved a transfer instead of you. It isn’t sent for at least a day."
                    }
                    _ => {
                        "Two people of our staff agreed to unlock transfers, or to let you add a new device. It takes \
                         at least a day."
                    }
                }),
                line(match job.purpose {
                    Purpose::OverrideOnDisputed => "If you didn’t ask for it, call at once.",
                    _ => "If you didn’t ask for it, stop it now. You need not say why.",
                }),
                help,
            ],
        ),
    };
    Ok(message)
}
