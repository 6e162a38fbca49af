//! What copies of an engine have in common for as long as none of them changes it. A simulator has one engine of each
//! host and no use for this; a checker keeps thousands that differ in little.

use alloc::sync::Arc;
use core::ops::{Deref, DerefMut};

/// A value that is copied when it is changed and not before. Whoever has it for himself changes it where it is.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Common<T>(Arc<T>);

impl<T: PartialEq> Common<T> {
    /// Lets go of this copy if it equals the other one, which then stands for both.
    pub(super) fn reunite(&mut self, other: &Common<T>) {
        if !Arc::ptr_eq(&self.0, &other.0) && self.0 == other.0 {
            self.0 = Arc::clone(&other.0);
        }
    }
}

impl<T> From<T> for Common<T> {
    fn from(value: T) -> Common<T> {
        Common(Arc::new(value))
    }
}

impl<T> Deref for Common<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Clone> DerefMut for Common<T> {
    fn deref_mut(&mut self) -> &mut T {
        Arc::make_mut(&mut self.0)
    }
}
