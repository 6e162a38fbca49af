//! How processes are to be ended, as they told the daemon, and what the programs do that it runs for them.

use crate::agenda::Entry;
use crate::clients::{ClientState, Program};
use crate::dice::Range;
use crate::simulate::{Act, Simulation, What};
use lease_core::numbers::Lver;
use lease_core::seam::{Killpath, Request, Restricted};
use model::action::Part;
use model::setup::{Host, Process};
use model::{Action, Illegal, Sink};
use std::sync::Arc;

impl<S: Sink> Simulation<'_, S> {
    /// A process that just started may name a program, and restrict the signals that it is sent.
    pub(crate) fn introduce(&mut self, host: Host, process: Process) {
        let by_itself = self.hosts[usize::from(host.0)].clients[usize::from(process.0)].by_itself;
        let workload = &self.case.scenario.workload;
        if !by_itself || self.act == Act::Liveness {
            return;
        }
        if self.dice.kinds.one_in(workload.killpath_one_in) {
            let (_, program) = Program::WORDS[self.dice.kinds.below(Program::WORDS.len() as u64) as usize];
            // If the daemon cannot hear it, it goes without.
            let _ = self.name_killpath(host, process, program);
        }
        if self.dice.kinds.one_in(workload.restrict_one_in) {
            let kind = 1 + self.dice.kinds.below(3);
            let request = Request::Restrict(Restricted { kill: kind & 1 != 0, term: kind & 2 != 0 });
            let _ = self.act(Action::Ask { host, process: Some(process), request });
        }
    }

    pub(crate) fn name_killpath(&mut self, host: Host, process: Process, does: Program) -> Result<(), Illegal> {
        let word = Program::WORDS.iter().find(|(_, program)| *program == does).map_or("", |(word, _)| word);
        let killpath = Killpath {
            program: Arc::from(&b"/usr/libexec/killpath"[..]),
            arguments: Arc::from(word.as_bytes()),
            with_pid: true,
        };
        let request = Request::SetKillpath(killpath);
        self.act(Action::Ask { host, process: Some(process), request })?;
        self.hosts[usize::from(host.0)].clients[usize::from(process.0)].program = does;
        Ok(())
    }

    /// The version that a process was told when it inquired last.
    pub(crate) fn known_version(&self, host: Host, process: Process) -> Lver {
        self.hosts[usize::from(host.0)].clients[usize::from(process.0)].known
    }

    /// The daemon runs the program of a process: a little later it has done what it does.
    pub(crate) fn killpath_run(&mut self, host: Host, process: Process) {
        let takes = self.dice.kinds.within(self.case.scenario.workload.term_exit);
        self.once(What::Program(host, process), self.now.after_micros(takes));
    }

    pub(crate) fn program(&mut self, entry: Entry, host: Host, process: Process) {
        self.agenda.remove(entry);
        let Some(client) = self.hosts[usize::from(host.0)].clients.get(usize::from(process.0)).copied() else { return };
        if client.program == Program::Nothing {
            return;
        }
        if client.program == Program::Pauses {
            let lasts = self.dice.kinds.within(Range::secs(1, 200));
            // A host that stands still, and a process that is gone, are not paused any further.
            let _ = self.stall(host, Part::Process(process), Some(lasts));
        }
        if let ClientState::Holding(resource) = client.state {
            self.ask_release(client.entry, host, process, resource);
        }
    }
}
