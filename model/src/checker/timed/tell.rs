//! States and actions in words.

use super::host::{HostState, IoKind, On};
use super::{Action, EVERYBODY, State, Timed, What, Wrong};
use crate::setup::Host;
use lease_core::format::Sector;
use lease_core::numbers::Second;
use std::fmt::Write;

impl Timed {
    fn label(&self, index: usize) -> &str {
        self.setting.setup.label(Host(index as u8))
    }

    pub(super) fn state_text(&self, state: &State) -> String {
        let mut text = String::new();
        for index in 0..self.hosts() {
            let _ = write!(text, "{}: {}", self.label(index), self.host_text(index, self.host(state, index)));
            let waits = self.setting.plan.jitter && self.ticks(state, index) && state.ticked & 1 << index == 0;
            text.push_str(if waits { "; its clock has not advanced in this round\n" } else { "\n" });
        }
        for (slot, id) in self.setting.layout.slots.iter().enumerate() {
            let _ = writeln!(text, "delta lease of host id {id}: {}", self.lease_text(self.lease(state, slot)));
        }
        if let Some(leader) = self.resource(state).leader() {
            let name = self.setting.setup.resources[0].name;
            let _ = match leader.timestamp.is_free() {
                true => writeln!(text, "{name}: free"),
                false => writeln!(
                    text,
                    "{name}: owned by host id {}, generation {}",
                    leader.owner_id, leader.owner_generation
                ),
            };
        }
        text
    }

    fn lease_text(&self, lease: &Sector) -> String {
        let Sector::Delta { lease, .. } = lease else { return "nothing".to_string() };
        if lease.timestamp.is_free() {
            return format!("free, generation {}", lease.owner_generation);
        }
        let writer = (0..self.hosts()).find(|index| self.setting.now(*index).0 == lease.timestamp.0);
        let when = match writer {
            Some(index) => format!("in the present second of {}", self.label(index)),
            None => "in an earlier second".to_string(),
        };
        format!("written by {} {when}, generation {}", lease.owner_name, lease.owner_generation)
    }

    fn host_text(&self, index: usize, host: &HostState) -> String {
        let mut text = match &host.on {
            None => "off".to_string(),
            Some(on) => self.on_text(index, on),
        };
        for ghost in &host.ghosts {
            let _ = write!(text, "; a write of an earlier life may land for {} s more", ghost.left);
        }
        text
    }

    fn on_text(&self, index: usize, on: &On) -> String {
        let now = self.setting.now(index);
        let oldest = self.setting.oldest[index];
        let ago = |second: Second| match now.since(second) {
            age if age > oldest => "long ago".to_string(),
            age => format!("{age} s ago"),
        };
        let mut parts = Vec::new();
        match &on.engine {
            None => parts.push("its daemon was killed".to_string()),
            Some(engine) if engine.last_success() == Second::NEVER => parts.push("joining".to_string()),
            Some(engine) => {
                parts.push(format!("last renewed {}", ago(engine.last_success())));
                if !engine.is_joined() {
                    parts.push("its lockspace is failing".to_string());
                }
            }
        }
        if on.paused {
            parts.push("paused with its clock".to_string());
        }
        if on.daemon_stopped {
            parts.push("its daemon is stopped".to_string());
        }
        if on.wdmd_stopped {
            parts.push("its wdmd is stopped".to_string());
        }
        if !self.setting.is_observer(index) {
            parts.push(match on.fires {
                Second::NEVER => "its device never fires".to_string(),
                fires => format!("its device fires in {} s", fires.since(now)),
            });
        }
        for io in &on.ios {
            parts.push(match io.kind {
                IoKind::Read { .. } => "a read is under way".to_string(),
                IoKind::Sampled(_) => "a read was sampled and is not answered".to_string(),
                IoKind::Write(_) => "a write is under way".to_string(),
                IoKind::Lost => "an I/O is lost and not answered".to_string(),
                IoKind::Landed => "a write landed and is not answered".to_string(),
            });
        }
        if on.client.asks {
            parts.push("its client waits for an acquire".to_string());
        }
        if on.client.uses {
            parts.push(match on.client.orphan {
                true => "a client that an earlier daemon granted it to uses the resource".to_string(),
                false => "its client uses the resource".to_string(),
            });
        }
        parts.join(", ")
    }

    pub(super) fn action_text(&self, state: &State, action: Action) -> String {
        if action.host == EVERYBODY {
            return "a second passes".to_string();
        }
        let index = usize::from(action.host);
        let label = self.label(index);
        let is_read = |slot: u8| {
            let ios = self.host(state, index).on.as_ref().map_or(&[][..], |on| &on.ios);
            let io = ios.iter().find(|io| io.slot.0 == u16::from(slot));
            io.is_some_and(|io| matches!(io.kind, IoKind::Read { .. } | IoKind::Sampled(_)))
        };
        let io = |slot: u8| if is_read(slot) { "a read" } else { "a write" };
        match action.what {
            What::Tick => format!("{label}: its clock advances a second"),
            What::Miss => format!("{label}: its clock stays out while others advance"),
            What::Complete(slot) => format!("{label}: {} takes effect and is answered", io(slot)),
            What::Land(slot) => format!("{label}: {} takes effect, not answered yet", io(slot)),
            What::Vanish(slot) => format!("{label}: {} that was given up ends without effect", io(slot)),
            What::LandGhost(_) => format!("{label}: a write of an earlier life lands"),
            What::Crash => format!("{label}: loses power"),
            What::Boot => format!("{label}: boots and joins"),
            What::Ask => format!("{label}: its client asks for the resource"),
            What::Release => format!("{label}: its client gives the resource back"),
            What::Exit => format!("{label}: its client exits"),
            What::StopDaemon => format!("{label}: its daemon is stopped"),
            What::ContinueDaemon => format!("{label}: its daemon goes on"),
            What::StopWdmd => format!("{label}: its wdmd is stopped"),
            What::ContinueWdmd => format!("{label}: its wdmd goes on"),
            What::KillDaemon => format!("{label}: its daemon is killed"),
            What::StartDaemon => format!("{label}: its daemon is started again"),
            What::Pause => format!("{label}: everything on it stands still, its clock too"),
            What::Unpause => format!("{label}: it goes on, its clock too"),
        }
    }

    pub(super) fn finding_text(&self, state: &State) -> String {
        match state.finding {
            Wrong::Nothing => String::new(),
            Wrong::Violated(property) => property.title().to_string(),
            Wrong::Panicked(message) => self.messages.get(message).clone(),
        }
    }
}
