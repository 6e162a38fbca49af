//! Giving a resource back on disk (paxos-lease §6, §7.4, §9): the LVB, if it was changed, the own block with RELEASED,
//! then the leader. What is held shared is given back by the block alone.
//!
//! "A ballot's value may be committed to the leader by more than one host. A slow second commit can arrive after the
//! owner has already released." That is why the flag in the own block comes first, and why a leader that another host
//! wrote is left alone: from the moment the flag is visible, others may already have moved it on.

use super::io::{Cx, Ended, Op, Running};
use super::resource::Token;
use crate::Refusal;
use crate::format::{HostBlock, Leader, Name, SectorKind};
use crate::mutants::Mutant;
use crate::numbers::{Lver, Numbers, Span, Stamp, Visit};
use crate::profile::{LostRename, RegressedLeader, ReleaseRetry};
use crate::seam::{Mode, Rare, Task};
use alloc::boxed::Box;
use alloc::sync::Arc;

/// A release under way, of an instance that held the resource or may have left something behind.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Release {
    pub(super) token: Token,
    /// What the next holder is to be handed, if it changed.
    lvb: Option<Arc<[u8]>>,
    /// What is written into the own block; `None` where there is nothing to say.
    block: Option<HostBlock>,
    /// The leader as this instance wrote it or found itself in it; `None` if it does not know.
    last: Option<Box<Leader>>,
    /// Whether the leader is to be set free.
    frees: bool,
    /// Whether the block must be written before it goes on.
    strict: bool,
    /// The name that the leader is to bear from then on.
    renamed: Option<Name>,
    step: Step,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Step {
    Lvb(Running),
    Block(Running),
    Read(Running),
    Free(Running),
    /// Handed to the resource thread, which has not begun yet.
    Idle,
}

/// How a release ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Released {
    /// Nothing of this instance is left, or another host moved the leader on.
    Done(Result<(), Refusal>),
    /// To be tried again in the background.
    Again(Refusal),
}

impl Release {
    /// Release of something held: the block of the winning ballot gets the flag.
    pub(super) fn new(token: Token, block: Option<HostBlock>, last: Option<Box<Leader>>) -> Release {
        Release { token, lvb: None, block, last, frees: true, strict: false, renamed: None, step: Step::Idle }
    }

    /// Writes these bytes into the LVB first.
    pub(super) fn handing_on(self, lvb: Option<Arc<[u8]>>) -> Release {
        Release { lvb, ..self }
    }

    /// Writes the block and leaves the leader alone: of what is held shared.
    pub(super) fn of_block_alone(self) -> Release {
        Release { frees: false, ..self }
    }

    /// Gives the resource another name.
    pub(super) fn renaming(self, renamed: Option<Name>) -> Release {
        Release { renamed, ..self }
    }

    /// What is to be said where the leader is not written.
    fn leader_left(&self, cx: &Cx<'_>) -> Result<(), Refusal> {
        match self.renamed.is_some() && cx.config.profile.lost_rename == LostRename::Told {
            true => Err(Refusal::ReleaseOwner),
            false => Ok(()),
        }
    }

    /// Does not go on unless the block is written.
    pub(super) fn strictly(self) -> Release {
        Release { strict: true, ..self }
    }

    /// The mode of what is given back.
    pub(super) fn mode(&self) -> Mode {
        if self.frees { Mode::Exclusive } else { Mode::Shared }
    }

    /// The block that it writes.
    pub(super) fn block(&self) -> Option<&HostBlock> {
        self.block.as_ref()
    }

    /// Whether the block was written, or there is none: only the leader is left.
    pub(super) fn is_at_leader(&self) -> bool {
        matches!(self.step, Step::Read(_) | Step::Free(_))
    }

    /// The version that it gives back; 0 if it does not know.
    pub(super) fn lver(&self) -> Lver {
        self.last.as_ref().map_or(Lver(0), |last| last.lver)
    }

    /// The own block will not say RELEASED.
    pub(super) fn unflag(&mut self) {
        if let Some(block) = &mut self.block {
            block.flags &= !HostBlock::RELEASED;
        }
    }

    /// The I/O that it waits for.
    pub(super) fn running_mut(&mut self) -> Option<&mut Running> {
        match &mut self.step {
            Step::Lvb(io) | Step::Block(io) | Step::Read(io) | Step::Free(io) => Some(io),
            Step::Idle => None,
        }
    }

    /// Begins, or begins again.
    pub(super) fn start(&mut self, task: Task, cx: &mut Cx<'_>) {
        self.step = match &self.lvb {
            Some(value) => {
                let offset = self.token.place.offset + self.token.geometry.lvb_offset();
                let op = Op::write(self.token.place.disk, offset, self.token.sector(), SectorKind::Lvb, value.clone());
                Step::Lvb(cx.start(task, op, self.timeout()))
            }
            None => self.write_block(task, cx),
        };
    }

    fn write_block(&self, task: Task, cx: &mut Cx<'_>) -> Step {
        match &self.block {
            Some(_) if cx.config.mutated(Mutant::B04c) => self.read_leader(task, cx),
            Some(block) => {
                let offset = self.token.block_offset();
                let op = Op::write(
                    self.token.place.disk,
                    offset,
                    self.token.sector(),
                    self.token.block_kind(),
                    block.sector(),
                );
                Step::Block(cx.start(task, op, self.timeout()))
            }
            None => self.read_leader(task, cx),
        }
    }

    fn timeout(&self) -> Span {
        self.token.timeout()
    }

    fn read_leader(&self, task: Task, cx: &mut Cx<'_>) -> Step {
        let offset = self.token.place.offset;
        let op = Op::read_after(self.token.place.disk, offset, self.token.sector(), offset);
        Step::Read(cx.start(task, op, self.timeout()))
    }

    /// The I/O ended, or was given up.
    pub(super) fn io_done(&mut self, task: Task, ended: Ended, cx: &mut Cx<'_>) -> Option<Released> {
        let retried = |why: Refusal, cx: &Cx<'_>| match cx.config.profile.release_retry {
            ReleaseRetry::TimeoutsOnly => why == Refusal::AioTimeout,
            ReleaseRetry::UntilDone => why.is_io(),
        };
        match core::mem::replace(&mut self.step, Step::Idle) {
            // "A failed write is only logged"; but one that may still land would overwrite what the next holder writes.
            Step::Lvb(_) => match ended {
                Err(why) if cx.config.profile.release_retry == ReleaseRetry::UntilDone && why.is_io() => {
                    Some(Released::Again(why))
                }
                _ => {
                    self.lvb = None;
                    self.step = self.write_block(task, cx);
                    None
                }
            },
            Step::Block(_) => match ended {
                Err(why) if retried(why, cx) || self.strict => Some(Released::Again(why)),
                ended if cx.config.mutated(Mutant::B04c) => Some(Released::Done(ended.map(|_| ()))),
                Ok(_) if !self.frees => Some(Released::Done(self.leader_left(cx))),
                Err(why) if !self.frees => Some(Released::Done(Err(why))),
                // "Failure ignored."
                ended => {
                    if ended.is_err() {
                        cx.rare(Rare::ReleaseBlockFailed);
                    }
                    self.step = self.read_leader(task, cx);
                    None
                }
            },
            Step::Read(_) => {
                let leader = match ended.and_then(|data| self.token.read_leader(&data)) {
                    Ok(leader) => leader,
                    Err(why) if retried(why, cx) => return Some(Released::Again(why)),
                    Err(why) => return Some(Released::Done(Err(why))),
                };
                match self.freed(leader, cx) {
                    Ok(Some(free)) => {
                        let (disk, offset) = (self.token.place.disk, self.token.place.offset);
                        let op = Op::write(disk, offset, self.token.sector(), SectorKind::Leader, free.sector());
                        self.step = Step::Free(cx.start(task, op, self.timeout()));
                        None
                    }
                    Ok(None) => {
                        cx.rare(Rare::ReleasedByFlagAlone);
                        let left = self.leader_left(cx);
                        self.over(task, cx).map(|_| Released::Done(left))
                    }
                    Err(why) => {
                        cx.rare(Rare::ReleaseOvertaken);
                        Some(Released::Done(Err(why)))
                    }
                }
            }
            Step::Free(_) => match ended {
                Ok(_) => self.over(task, cx),
                Err(why) => {
                    cx.rare(Rare::FreeUnknown);
                    Some(if retried(why, cx) { Released::Again(why) } else { Released::Done(Err(why)) })
                }
            },
            Step::Idle => unreachable!("an idle release waits for no I/O"),
        }
    }

    /// The leader is as it should be, and with that everything.
    fn over(&mut self, task: Task, cx: &mut Cx<'_>) -> Option<Released> {
        match self.block.take_if(|_| cx.config.mutated(Mutant::B04c)) {
            Some(block) => {
                let (offset, kind) = (self.token.block_offset(), self.token.block_kind());
                let op = Op::write(self.token.place.disk, offset, self.token.sector(), kind, block.sector());
                self.step = Step::Block(cx.start(task, op, self.timeout()));
                None
            }
            None => Some(Released::Done(Ok(()))),
        }
    }

    /// The leader to write, if any (PAXOS_RELEASE of paxos-lease §6).
    fn freed(&self, leader: Leader, cx: &Cx<'_>) -> Result<Option<Leader>, Refusal> {
        let Token { host, generation, .. } = self.token;
        // "leader NOT written (the RELEASED flag alone releases it)"
        if leader.write_id != host && !cx.config.mutated(Mutant::B04b) {
            return Ok(None);
        }
        let last = self.last.as_deref().unwrap_or(&leader);
        // A leader of the past, written again after ours: whoever reads it finds our block, which overrules it and says
        // RELEASED.
        let overruled = cx.config.profile.regressed_leader == RegressedLeader::Overruled && self.block.is_some();
        if overruled && leader.lver < last.lver {
            return Ok(None);
        }
        if leader.lver != last.lver {
            return Err(Refusal::ReleaseLver);
        }
        if leader.timestamp.is_free()
            || (leader.owner_id, leader.owner_generation) != (host, generation)
            || leader != *last
        {
            return Err(Refusal::ReleaseOwner);
        }
        Ok(Some(Leader {
            flags: leader.flags & !Leader::SHORT_HOLD,
            timestamp: Stamp::FREE,
            write_id: host,
            write_generation: generation,
            write_timestamp: cx.now.second().stamp(),
            resource_name: self.renamed.unwrap_or(leader.resource_name),
            ..leader
        }))
    }
}

impl Visit for Release {
    fn visit(&mut self, numbers: &mut dyn Numbers) {
        self.token.visit(numbers);
        if let Some(block) = &mut self.block {
            block.visit_of(self.token.host, numbers);
        }
        if let Some(last) = &mut self.last {
            last.visit(numbers);
        }
        if let Some(io) = self.running_mut() {
            io.visit(numbers);
        }
    }
}
