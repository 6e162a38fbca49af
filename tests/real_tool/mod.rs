//! Running the real tool beside ours.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub(crate) const SANLOCK: &str = "/usr/sbin/sanlock";

/// A folder of this test's own, empty.
pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("can be made");
    folder
}

/// Whether the real tool is there. `LEASELAB_REQUIRE_SANLOCK=1` makes its absence an error.
pub(crate) fn sanlock_is_installed() -> bool {
    #[expect(clippy::disallowed_methods, reason = "whether the real tool must be there is the machine's affair")]
    let required = std::env::var("LEASELAB_REQUIRE_SANLOCK").is_ok_and(|value| value == "1");
    let installed = Path::new(SANLOCK).exists();
    if !installed {
        assert!(!required, "{SANLOCK} is missing, and LEASELAB_REQUIRE_SANLOCK=1 asks for it");
        // Not println: the test harness would swallow it.
        let _ = writeln!(std::io::stderr(), "skipped: the Debian package sanlock is not installed");
    }
    installed
}

pub(crate) fn output(program: &str, folder: &Path, arguments: &str) -> Output {
    let output = Command::new(program).args(arguments.split_whitespace()).current_dir(folder).output();
    output.unwrap_or_else(|error| panic!("{program} {arguments}: {error}"))
}
