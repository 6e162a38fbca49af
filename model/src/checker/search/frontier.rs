//! What was seen and not yet looked into: blocks of states, handed from thread to thread whole.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// States in a block.
const BLOCK: usize = 256;

/// Up to [`BLOCK`] states, never more: a block is not reallocated.
pub(super) type Block<T> = Vec<T>;

/// How many blocks are allocated, and how many were at most.
#[derive(Default)]
pub(super) struct Gauge {
    now: AtomicU64,
    most: AtomicU64,
}

impl Gauge {
    fn take<T>(&self) -> Block<T> {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(now, Ordering::Relaxed);
        Vec::with_capacity(BLOCK)
    }

    /// Gives a block back.
    pub(super) fn free<T>(&self, block: Block<T>) {
        drop(block);
        self.now.fetch_sub(1, Ordering::Relaxed);
    }

    /// What blocks of `T` take now.
    pub(super) fn bytes<T>(&self) -> u64 {
        self.now.load(Ordering::Relaxed) * block_bytes::<T>()
    }

    /// What blocks of `T` took at most.
    pub(super) fn most_bytes<T>(&self) -> u64 {
        self.most.load(Ordering::Relaxed) * block_bytes::<T>()
    }
}

const fn block_bytes<T>() -> u64 {
    (BLOCK * size_of::<T>()) as u64
}

/// The part of the frontier that belongs to one thread: a stack, of which the oldest part can be given away.
pub(super) struct Stack<'g, T> {
    blocks: VecDeque<Block<T>>,
    /// The block emptied last, so that a stack that breathes at the edge of a block does not allocate.
    spare: Option<Block<T>>,
    gauge: &'g Gauge,
}

impl<'g, T> Stack<'g, T> {
    /// An empty one.
    pub(super) fn new(gauge: &'g Gauge) -> Stack<'g, T> {
        Stack { blocks: VecDeque::new(), spare: None, gauge }
    }

    /// Puts a state on top.
    pub(super) fn push(&mut self, state: T) {
        match self.blocks.back_mut() {
            Some(block) if block.len() < BLOCK => block.push(state),
            _ => {
                let mut block = self.spare.take().unwrap_or_else(|| self.gauge.take());
                block.push(state);
                self.blocks.push_back(block);
            }
        }
    }

    /// Takes the state on top.
    pub(super) fn pop(&mut self) -> Option<T> {
        let block = self.blocks.back_mut()?;
        let state = block.pop();
        if block.is_empty() {
            let empty = self.blocks.pop_back().expect("it was looked at");
            self.recycle(empty);
        }
        state
    }

    /// Keeps an empty block for later use, or frees it.
    pub(super) fn recycle(&mut self, mut block: Block<T>) {
        block.clear();
        if let Some(second) = self.spare.replace(block) {
            self.gauge.free(second);
        }
    }

    /// Takes blocks over, below what is there.
    pub(super) fn put_below(&mut self, blocks: Vec<Block<T>>) {
        for block in blocks.into_iter().rev() {
            self.blocks.push_front(block);
        }
    }

    /// Everything, oldest first. The stack is empty afterwards.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = Block<T>> + '_ {
        self.blocks.drain(..)
    }

    /// The older half: what lies nearest to the beginning has most behind it. `None` if there is nothing to share.
    pub(super) fn split(&mut self) -> Option<Vec<Block<T>>> {
        if self.blocks.len() > 1 {
            return Some(self.blocks.drain(..self.blocks.len() / 2).collect());
        }
        let only = self.blocks.front_mut()?;
        if only.len() < 2 {
            return None;
        }
        let mut half = self.gauge.take();
        half.extend(only.drain(..only.len() / 2));
        Some(vec![half])
    }
}

/// Where threads that have too much leave it for those that have nothing.
pub(super) struct Pool<T> {
    shelf: Mutex<Shelf<T>>,
    news: Condvar,
    hungry: AtomicUsize,
    threads: usize,
}

struct Shelf<T> {
    shares: Vec<Vec<Block<T>>>,
    waiting: usize,
    closed: bool,
}

impl<T> Pool<T> {
    /// A pool for so many threads, with what there is to begin with.
    pub(super) fn new(threads: usize, first: Vec<Block<T>>) -> Pool<T> {
        let shelf = Shelf { shares: vec![first], waiting: 0, closed: false };
        Pool { shelf: Mutex::new(shelf), news: Condvar::new(), hungry: AtomicUsize::new(0), threads }
    }

    /// Whether a thread waits and nothing is on the shelf.
    pub(super) fn is_wanted(&self) -> bool {
        self.hungry.load(Ordering::Relaxed) > 0
    }

    /// Leaves a share.
    pub(super) fn give(&self, share: Vec<Block<T>>) {
        let mut shelf = self.lock();
        shelf.shares.push(share);
        self.settle(&shelf);
        self.news.notify_one();
    }

    /// Takes a share, waiting for one if need be. `None`: nothing will come any more.
    pub(super) fn take(&self) -> Option<Vec<Block<T>>> {
        let mut shelf = self.lock();
        shelf.waiting += 1;
        loop {
            if shelf.closed {
                return None;
            }
            if let Some(share) = shelf.shares.pop() {
                shelf.waiting -= 1;
                self.settle(&shelf);
                return Some(share);
            }
            if shelf.waiting == self.threads {
                drop(shelf);
                self.close();
                return None;
            }
            self.settle(&shelf);
            shelf = self.news.wait(shelf).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Sends everybody home.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.news.notify_all();
    }

    fn settle(&self, shelf: &Shelf<T>) {
        self.hungry.store(shelf.waiting.saturating_sub(shelf.shares.len()), Ordering::Relaxed);
    }

    /// Nothing panics under this lock half way through a change.
    fn lock(&self) -> MutexGuard<'_, Shelf<T>> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{BLOCK, Gauge, Pool, Stack};

    #[test]
    fn a_stack_gives_back_the_youngest_first_and_away_the_oldest() {
        let gauge = Gauge::default();
        let mut stack = Stack::new(&gauge);
        (0..BLOCK * 4).for_each(|n| stack.push(n));
        let half = stack.split().expect("there are four blocks");
        assert_eq!(half.concat(), (0..BLOCK * 2).collect::<Vec<_>>());
        let rest = std::iter::from_fn(|| stack.pop()).collect::<Vec<_>>();
        assert_eq!(rest, (BLOCK * 2..BLOCK * 4).rev().collect::<Vec<_>>());
        assert_eq!(gauge.most_bytes::<usize>(), (BLOCK * 4 * size_of::<usize>()) as u64);
        assert_eq!(gauge.bytes::<usize>(), (BLOCK * 3 * size_of::<usize>()) as u64, "two given away, one spare");
    }

    #[test]
    fn a_stack_of_one_block_is_split_and_a_single_state_is_not() {
        let gauge = Gauge::default();
        let mut stack = Stack::new(&gauge);
        (0..5).for_each(|n| stack.push(n));
        assert_eq!(stack.split(), Some(vec![vec![0, 1]]));
        assert_eq!(stack.split(), Some(vec![vec![2]]));
        assert_eq!(stack.split(), Some(vec![vec![3]]));
        assert_eq!(stack.split(), None);
    }

    #[test]
    fn whoever_waits_gets_a_share_or_is_sent_home() {
        let pool = Pool::new(2, vec![vec![1]]);
        assert_eq!(pool.take(), Some(vec![vec![1]]));
        pool.give(vec![vec![2]]);
        let got = std::thread::scope(|scope| {
            let take_all = || std::iter::from_fn(|| pool.take()).flatten().flatten().collect::<Vec<_>>();
            let threads = [scope.spawn(take_all), scope.spawn(take_all)];
            threads.map(|thread| thread.join().expect("it is sent home")).concat()
        });
        assert_eq!(got, [2]);
    }
}
