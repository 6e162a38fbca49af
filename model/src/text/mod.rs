//! Actions and happenings as lines of text: what a trace is written in, and an action is read back from.
//!
//! Hosts go by their labels, so both need the [`Setup`](crate::Setup). Times are left to whoever writes the line.

mod action;
mod happening;
#[cfg(test)]
mod tests;
mod words;
