//! The lease engine of one host: sanlock's on-disk format, delta leases for host ids, Disk Paxos leases for resources,
//! the renewal schedule, recovery, and the watchdog contract, as one plain value without I/O.
//!
//! It refuses to own a clock, dice, threads, files or sockets: time and completions come in, effects come out
//! ([`seam`]). So the same code is simulated, model checked, and could run a real disk.
#![no_std]

extern crate alloc;

mod engine;
pub mod format;
pub mod mutants;
pub mod numbers;
pub mod profile;
pub mod refusal;
pub mod seam;

pub use engine::{Engine, Passed, told};
pub use refusal::Refusal;
