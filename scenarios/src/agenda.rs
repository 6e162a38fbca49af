//! The agenda: what is to happen, by time. An indexed heap, so that an entry can be moved or struck out where it stands
//! and nothing stale is ever looked at.

use model::Instant;

/// An entry of the agenda. Reused after it was removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Entry(u32);

/// Entries by time; of two at one instant, the one with the smaller tie comes first.
#[derive(Debug)]
pub(crate) struct Agenda<T> {
    heap: Vec<Due>,
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Due {
    at: Instant,
    tie: u32,
    slot: u32,
}

#[derive(Clone, Debug)]
struct Slot<T> {
    what: T,
    /// Its place in the heap, or [`IDLE`].
    place: u32,
}

const IDLE: u32 = u32::MAX;

impl<T: Copy> Agenda<T> {
    pub(crate) fn new() -> Agenda<T> {
        Agenda { heap: Vec::new(), slots: Vec::new(), free: Vec::new() }
    }

    /// A new entry, not yet due.
    pub(crate) fn entry(&mut self, what: T) -> Entry {
        let slot = Slot { what, place: IDLE };
        match self.free.pop() {
            Some(index) => {
                self.slots[index as usize] = slot;
                Entry(index)
            }
            None => {
                self.slots.push(slot);
                Entry(self.slots.len() as u32 - 1)
            }
        }
    }

    /// Forgets an entry.
    pub(crate) fn remove(&mut self, entry: Entry) {
        self.strike(entry);
        self.free.push(entry.0);
    }

    /// The entry is due at `at`, whatever was said before.
    pub(crate) fn put(&mut self, entry: Entry, at: Instant, tie: u32) {
        let due = Due { at, tie, slot: entry.0 };
        let place = self.slots[entry.0 as usize].place;
        if place == IDLE {
            self.heap.push(due);
            self.sift_up(self.heap.len() - 1, due);
        } else {
            self.replace(place as usize, due);
        }
    }

    /// The entry is not due any more.
    pub(crate) fn strike(&mut self, entry: Entry) {
        let place = self.slots[entry.0 as usize].place;
        if place == IDLE {
            return;
        }
        self.slots[entry.0 as usize].place = IDLE;
        let last = self.heap.pop().expect("a struck entry stands in the heap");
        if last.slot != entry.0 {
            self.replace(place as usize, last);
        }
    }

    /// When the entry is due.
    pub(crate) fn due(&self, entry: Entry) -> Option<Instant> {
        let place = self.slots[entry.0 as usize].place;
        (place != IDLE).then(|| self.heap[place as usize].at)
    }

    /// Takes what is due first.
    pub(crate) fn pop(&mut self) -> Option<(Instant, Entry, T)> {
        let first = *self.heap.first()?;
        let entry = Entry(first.slot);
        self.strike(entry);
        Some((first.at, entry, self.slots[first.slot as usize].what))
    }

    fn replace(&mut self, place: usize, due: Due) {
        if place > 0 && due < self.heap[(place - 1) / 4] {
            self.sift_up(place, due);
        } else {
            self.sift_down(place, due);
        }
    }

    // Four children a node: half as deep as a binary heap, and its children share a cache line.
    fn sift_up(&mut self, mut place: usize, due: Due) {
        while place > 0 {
            let parent = (place - 1) / 4;
            if self.heap[parent] <= due {
                break;
            }
            self.set(place, self.heap[parent]);
            place = parent;
        }
        self.set(place, due);
    }

    fn sift_down(&mut self, mut place: usize, due: Due) {
        loop {
            let first = 4 * place + 1;
            let children = self.heap.get(first..self.heap.len().min(first + 4)).unwrap_or_default();
            let Some((index, least)) = children.iter().enumerate().min_by_key(|(_, child)| **child) else { break };
            if due <= *least {
                break;
            }
            let (child, least) = (first + index, *least);
            self.set(place, least);
            place = child;
        }
        self.set(place, due);
    }

    fn set(&mut self, place: usize, due: Due) {
        self.heap[place] = due;
        self.slots[due.slot as usize].place = place as u32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dice::Dice;

    #[test]
    fn it_agrees_with_a_sorted_list() {
        let mut dice = Dice::new(3, "agenda");
        let mut agenda = Agenda::new();
        let entries = (0..50).map(|number| agenda.entry(number)).collect::<Vec<_>>();
        let mut sorted: Vec<Option<(Instant, u32)>> = vec![None; 50];
        for _ in 0..20_000 {
            let which = dice.below(50) as usize;
            match dice.below(4) {
                0 => {
                    agenda.strike(entries[which]);
                    sorted[which] = None;
                }
                1 => {
                    let expected = sorted.iter().enumerate().filter_map(|(who, due)| due.map(|due| (due, who))).min();
                    let popped = agenda.pop().map(|(at, _, number)| (at, number));
                    assert_eq!(popped, expected.map(|((at, _), who)| (at, who)));
                    if let Some((_, who)) = expected {
                        sorted[who] = None;
                    }
                }
                _ => {
                    // The tie carries the number, so that equal moments are told apart.
                    let due = (Instant(dice.below(30)), which as u32);
                    agenda.put(entries[which], due.0, due.1);
                    sorted[which] = Some(due);
                }
            }
        }
    }
}
