//! The generated documents are those that the program generates now.

use std::path::Path;
use std::process::Command;

#[test]
fn the_tables_of_the_documentation_are_up_to_date() {
    for table in ["bugs", "capabilities"] {
        let output = Command::new(env!("CARGO_BIN_EXE_leaselab")).args(["list", "--markdown", table]).output();
        let generated = String::from_utf8(output.expect("it runs").stdout).expect("it writes UTF-8");
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(format!("{table}.md"));
        let kept = std::fs::read_to_string(&file).unwrap_or_default();
        let again = format!("leaselab list --markdown {table} > docs/{table}.md");
        assert!(kept == generated, "{} is not what is generated; again: {again}", file.display());
    }
}
