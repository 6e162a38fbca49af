//! Panics that are findings: an assertion of an engine is a verdict, and must not shout on standard error.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

thread_local! {
    /// Whether a panic of this thread is told by its return value alone.
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// How many searches are under way: their threads are many, and each panic of an engine in one of them is a finding.
static SEARCHES: AtomicUsize = AtomicUsize::new(0);

static HOOK: Once = Once::new();

fn hook() {
    HOOK.call_once(|| {
        let usual = take_hook();
        set_hook(Box::new(move |panic| {
            if !QUIET.get() && SEARCHES.load(Ordering::Relaxed) == 0 {
                usual(panic);
            }
        }));
    });
}

/// Does something in which panics of any thread are caught and told by whoever catches them: nothing is printed
/// meanwhile.
pub fn all_quietly<R>(work: impl FnOnce() -> R) -> R {
    /// Also if the work itself panics.
    struct Under;
    impl Drop for Under {
        fn drop(&mut self) {
            SEARCHES.fetch_sub(1, Ordering::Relaxed);
        }
    }
    hook();
    SEARCHES.fetch_add(1, Ordering::Relaxed);
    let _under = Under;
    work()
}

/// Does something whose panic is an answer, `Err` with the text of it. Nothing is printed meanwhile, by this thread; a
/// panic of any other thread is printed as ever: there is one hook for all, set once, and it asks the thread.
pub(crate) fn quietly<R>(work: impl FnOnce() -> R) -> Result<R, String> {
    hook();
    let before = QUIET.replace(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    QUIET.set(before);
    result.map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without a text").to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_text() {
        assert_eq!(quietly(|| 7), Ok(7));
        assert_eq!(quietly(|| panic!("plain")), Err::<(), _>("plain".to_owned()));
        let number = 3;
        assert_eq!(quietly(|| panic!("number {number}")), Err::<(), _>("number 3".to_owned()));
        // One within another: the outer one stays quiet after the inner one is over.
        let outer = quietly(|| {
            let inner = quietly(|| panic!("inner"));
            assert!(QUIET.get());
            inner
        });
        assert_eq!(outer, Ok(Err::<(), _>("inner".to_owned())));
        assert!(!QUIET.get());
    }
}
