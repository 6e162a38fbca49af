//! I-ZOMBIE: a daemon that considers its lockspace lost takes or extends no lease in it any more, and one that left it
//! writes nothing to it at all.

use super::facts::{Area, Facts};
use super::ledger::Ledger;
use super::property::Property;
use super::violation::{Verdict, violated};
use super::written::Written;
use crate::instant::Instant;
use lease_core::format::Sector;
use lease_core::numbers::Generation;
use lease_core::seam::Task;

/// To be asked before the ledger follows the write, which would take an unknown lockspace thread for a new one.
pub(super) fn written(at: Instant, written: &Written, ledger: &Ledger, facts: &Facts<'_>) -> Verdict {
    let Some(lockspace) = written.lockspace else { return Ok(()) };
    let wrong = |why: &str| {
        let what = format!("{} starts a write to {} though {why}", facts.label(written.host), written.place(facts));
        violated(Property::Zombie, at, &[written.host], what)
    };
    if let Task::Lockspace(id) = written.task {
        // A join begins with reads, so a thread that is not known here is one that ended.
        return match ledger.life_of(written.host, id) {
            Some(_) => Ok(()),
            None => wrong("its lockspace thread is over"),
        };
    }
    let Some(life) = ledger.host(written.host).current(lockspace).filter(|life| life.may_write()) else {
        return wrong("it is not in the lockspace");
    };
    if !matches!(written.spot.map(|spot| spot.area), Some(Area::Resource(_))) {
        return Ok(());
    }
    match &written.sector {
        Sector::HostBlock(block) if life.is_lost() && block.bal.0 != 0 && !block.released() => {
            wrong("it considers the lockspace lost: the block carries a vote")
        }
        Sector::Leader(leader) => {
            let mine = (life.host_id, life.generation);
            let takes = !leader.timestamp.is_free() && (leader.owner_id, leader.owner_generation) == mine;
            if life.is_lost() && takes {
                return wrong("it considers the lockspace lost: the leader names itself");
            }
            let is_written_by_me = leader.write_id == life.host_id;
            if is_written_by_me && leader.write_generation != life.generation && life.generation != Generation(0) {
                return wrong("the instance that writes is not the one that joined");
            }
            Ok(())
        }
        _ => Ok(()),
    }
}
