//! What must hold in a world without time, and what must have been seen to be possible.
//!
//! The same truths as in [`crate::history`], in the form that needs the least memory: I-EX is a matter of the present,
//! I-AGREE remembers the two highest versions that were chosen and the highest that was granted, I-DUR looks at the disk
//! at the moment of a grant.

use super::canon::{Broken, Referee};
use super::host::Effects;
use super::{BLOCKS, Ballots, Kind, LEADER, Move, NO_EFFECTS, PARTS, REFEREE, Stepped};
use crate::history::Property;
use lease_core::format::Sector;
use lease_core::numbers::Lver;
use lease_core::seam::{Event, Rare, Takeable};
use std::sync::atomic::Ordering;

/// How many versions are remembered as chosen.
const REMEMBERED: usize = 2;

/// What a space that is not empty of what matters has reached.
pub(super) const MARKS: [&str; 16] = [
    "grant",
    "takeover from a dead owner",
    "takeover from an owner that rejoined",
    "takeover from an owner that released by its flag",
    "takeover over a regressed leader",
    "takeover from an earlier life of its own",
    "retry after a higher ballot",
    "abort by a higher version",
    "adoption of another's value",
    "own vote kept",
    "own value committed by another",
    "retraction",
    "restart after a changed leader",
    "late write lands",
    "write that waits for an earlier one",
    "rejoin",
];

impl Ballots {
    /// Notes what a step was.
    pub(super) fn note(&self, kind: Kind, effects: &Effects) {
        let mut marks = 0_u32;
        let mut mark = |name: &str| {
            let index = MARKS.iter().position(|mark| *mark == name).expect("a mark has a name");
            marks |= 1 << index;
        };
        if effects.granted.is_some() {
            mark("grant");
        }
        match kind {
            Kind::LateLands => mark("late write lands"),
            Kind::Rejoin => mark("rejoin"),
            _ => {}
        }
        for event in &effects.events {
            match event {
                Event::Run { because, .. } => match because {
                    Takeable::OwnerDead => mark("takeover from a dead owner"),
                    Takeable::OwnerRejoined => mark("takeover from an owner that rejoined"),
                    Takeable::Released => mark("takeover from an owner that released by its flag"),
                    Takeable::LeaderRegressed => mark("takeover over a regressed leader"),
                    Takeable::MyEarlierLife => mark("takeover from an earlier life of its own"),
                    Takeable::Free | Takeable::Mine | Takeable::OwnerLeft => {}
                },
                Event::BallotAborted { why: lease_core::Refusal::DblockLver, .. } => mark("abort by a higher version"),
                Event::BallotAborted { .. } => mark("retry after a higher ballot"),
                Event::Retracting => mark("retraction"),
                Event::Restarted { .. } => mark("restart after a changed leader"),
                Event::Rare(Rare::AdoptedOther) => mark("adoption of another's value"),
                Event::Rare(Rare::KeptOwnVote) => mark("own vote kept"),
                Event::Rare(Rare::CommittedByOther) => mark("own value committed by another"),
                Event::Rare(Rare::SectorBusy) => mark("write that waits for an earlier one"),
                _ => {}
            }
        }
        if marks & !self.reached.load(Ordering::Relaxed) != 0 {
            self.reached.fetch_or(marks, Ordering::Relaxed);
        }
    }

    /// Judges what a step did, and what it cost.
    pub(super) fn judge(&self, parts: &mut [u32; PARTS], stepped: &Stepped, action: Move) {
        let spends = matches!(action.kind, Kind::Crash | Kind::CrashWithGhost(_) | Kind::TimeOut(_));
        if !spends && stepped.effects == NO_EFFECTS {
            return;
        }
        let seen = self.effects.get(stepped.effects.into());
        let me = usize::from(action.host);
        // Everything else that the verdict hangs on: who uses the resource, and whether the disk bears the grant out.
        let aside = match seen.granted {
            Some(lver) => u32::from(self.others_hold(parts, me)) | u32::from(self.stands(parts, me, lver)) << 8,
            None => 1 << 8,
        };
        let key = (parts[REFEREE], u32::from(stepped.effects), spent(action.kind), aside | (me as u32) << 16);
        parts[REFEREE] = self.verdicts.get_or(key, |_| {
            let mut referee = self.referees.get(parts[REFEREE]).referee.clone();
            self.judge_effects(&mut referee, seen, me, aside);
            if matches!(action.kind, Kind::Crash | Kind::CrashWithGhost(_)) {
                spend(&mut referee.crashes);
            }
            if matches!(action.kind, Kind::TimeOut(_) | Kind::CrashWithGhost(_)) {
                spend(&mut referee.late_writes);
            }
            self.referee_part(referee)
        });
    }

    /// The other hosts whose clients use the resource, one bit each.
    fn others_hold(&self, parts: &[u32; PARTS], me: usize) -> u8 {
        let holds = |(other, part): (usize, &super::HostPart)| u8::from(other != me && part.holds) << other;
        self.hosts_of(parts).enumerate().map(holds).sum()
    }

    /// Whether the leader or the own block names this host as the owner of this version.
    fn stands(&self, parts: &[u32; PARTS], me: usize, lver: Lver) -> bool {
        let (id, generation) = (self.ground.ids[me], self.hosts.get(parts[me]).host.generation);
        let leads = matches!(&self.sectors.get(parts[LEADER]).sector, Sector::Leader(leader)
            if !leader.timestamp.is_free() && leader.lver == lver
                && (leader.owner_id, leader.owner_generation) == (id, generation));
        leads
            || matches!(&self.sectors.get(parts[BLOCKS + me]).sector, Sector::HostBlock(block)
                if block.lver == lver && block.bal.0 != 0 && !block.released()
                    && (block.inp, block.inp2) == (id, generation))
    }

    fn judge_effects(&self, referee: &mut Referee, effects: &Effects, me: usize, aside: u32) {
        let label = |host: usize| self.ground.setup.hosts[host].label.as_str();
        let mut broken = None;
        for (lver, owner, generation) in &effects.chosen {
            let known = referee.chosen.iter().find(|(known, ..)| known == lver);
            match known {
                Some((_, before, life)) if (before, life) != (owner, generation) => {
                    let what = format!(
                        "the same version was chosen for host id {before} and then, by {}, for host id {owner}",
                        label(me)
                    );
                    broken = Some(Broken { property: Some(Property::Agreement), what });
                }
                Some(_) => {}
                None => {
                    referee.chosen.push((*lver, *owner, *generation));
                    referee.chosen.sort_unstable();
                    if referee.chosen.len() > REMEMBERED {
                        referee.chosen.remove(0);
                    }
                }
            }
        }
        if let Some(lver) = effects.granted {
            if broken.is_none() && lver <= referee.granted {
                let what = format!("{} was told a version that is not above every version told before", label(me));
                broken = Some(Broken { property: Some(Property::Agreement), what });
            }
            referee.granted = referee.granted.max(lver);
            if broken.is_none() && aside >> 8 & 1 == 0 {
                let what = format!("{} was told that it holds the resource, and nothing on disk says so", label(me));
                broken = Some(Broken { property: Some(Property::Durable), what });
            }
            if aside & 0xff != 0 {
                let other = (aside & 0xff).trailing_zeros() as usize;
                let what = format!("the clients of {} and {} both use the resource", label(other), label(me));
                broken = Some(Broken { property: Some(Property::Exclusion), what });
            }
        }
        referee.broken = broken;
    }
}

/// What an action is to the referee.
fn spent(kind: Kind) -> Kind {
    match kind {
        Kind::CrashWithGhost(_) => Kind::CrashWithGhost(0),
        Kind::TimeOut(_) => Kind::TimeOut(0),
        Kind::Crash => Kind::Crash,
        _ => Kind::Ask,
    }
}

fn spend(left: &mut Option<u8>) {
    if let Some(left) = left {
        *left -= 1;
    }
}
