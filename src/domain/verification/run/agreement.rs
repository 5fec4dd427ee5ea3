//! Whether a piece of evidence, whose signatures fit, is about what its entry says.

use super::super::evidence::{About, Proven, Signer};
use super::super::standing::Before;
use super::super::wrong::{Flaw, Place};
use super::Run;
use crate::domain::audit::reading::Reading;
use crate::domain::staff::signing::Signs;

impl Run {
    /// Whether the evidence is about what the entry says.
    pub(super) fn agrees(&mut self, entry: &Reading, place: Place, proven: &Proven) -> Result<(), Flaw> {
        let other = |what| Err(Flaw::OtherMatter(what));
        let (kind, id) = match proven.by {
            Signer::Device(device) => ("device", device.to_string()),
            Signer::Staff(staff) => ("staff", staff.to_string()),
        };
        if entry.actor.kind != kind || entry.actor.id.as_deref() != Some(id.as_str()) {
            return other("somebody else signed");
        }
        if entry.fact("challenge").is_some_and(|said| said != proven.challenge.to_string()) {
            return other("another challenge");
        }
        let object = |prefix| entry.object_of(prefix).unwrap_or_default().to_owned();
        match &proven.about {
            About::Approve { approval, version, digest, hold, expires_at } => {
                if entry.kind != "approval.approved" || object("apr") != approval.to_string() {
                    return other("another approval");
                }
                if entry.fact("version") != Some(version.saturating_add(1).to_string().as_str()) {
                    return other("another version");
                }
                if entry.fact("digest") != Some(digest.to_string().as_str()) {
                    return other("another digest");
                }
                if entry.fact("challenge").is_none() {
                    return other("no challenge");
                }
                if entry.at >= *expires_at {
                    return other("the prompt was over");
                }
                self.same_keys(entry, place, proven)?;
                self.standings.decided(*approval, entry.at, *hold);
                Ok(())
            }
            About::Enrol { holder, link } => {
                if object("hld") != holder.to_string() || object("lnk") != link.to_string() {
                    return other("another enrolment");
                }
                self.enrolled.insert(proven.by, proven.keys);
                Ok(())
            }
            About::Lift { holder, freeze, version, expires_at } => {
                if object("hld") != holder.to_string() || object("frz") != freeze.to_string() {
                    return other("another freeze");
                }
                if entry.fact("version") != Some(version.saturating_add(1).to_string().as_str()) {
                    return other("another version");
                }
                if entry.at >= *expires_at {
                    return other("the prompt was over");
                }
                self.same_keys(entry, place, proven)
            }
            About::Staff { signs, object, text, expires_at } => {
                if entry.at >= *expires_at {
                    return other("the prompt was over");
                }
                match signs {
                    Signs::Enrol => {
                        self.enrolled.insert(proven.by, proven.keys);
                        return Ok(());
                    }
                    Signs::Change if entry.kind.starts_with("override.") => return other("a change of staff"),
                    Signs::Change => {}
                    Signs::Override => self.override_signed(entry, proven.by, *object, text)?,
                }
                self.same_keys(entry, place, proven)
            }
        }
    }

    /// A signature under an override. The second one under a transfer starts its hold.
    fn override_signed(&mut self, entry: &Reading, by: Signer, object: [u8; 16], text: &str) -> Result<(), Flaw> {
        let Signer::Staff(staff) = by else { return Err(Flaw::OtherMatter("no staff signed")) };
        // A signature that came when the first one had stopped counting ends the override.
        if !matches!(entry.kind.as_str(), "override.signed" | "override.signed_twice" | "override.void") {
            return Err(Flaw::OtherMatter("an override"));
        }
        if let Some((approval, hold)) = self.cases.signed(entry, staff, object, text)? {
            self.standings.decided(approval, entry.at, hold);
        }
        Ok(())
    }

    fn same_keys(&mut self, entry: &Reading, place: Place, proven: &Proven) -> Result<(), Flaw> {
        let enrolled = self.enrolled.get(&proven.by);
        let mut lenient = self.excused.about(entry, place, self.before, self.counts.erased);
        lenient.takes(|before| match enrolled {
            Some(keys) if *keys == proven.keys => Ok(()),
            Some(_) => Err(Flaw::OtherKeys),
            None if before == Before::Unknown => Ok(()),
            None => Err(Flaw::NeverEnrolled),
        })
    }
}
