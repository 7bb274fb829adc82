//! `rootwright docs`, and the page that is made of it.

use std::path::Path;

use crate::common::{rootwright, run, stdout};
use crate::reference;

fn docs(arguments: &[&str]) -> String {
    stdout(&run(rootwright().arg("docs").args(arguments)))
}

#[test]
fn docs_reference_md_is_what_the_source_says() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference.md");
    let now = rootwright::reference::markdown(&reference());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&page, now).unwrap();
        return;
    }
    assert!(
        std::fs::read_to_string(&page).unwrap_or_default() == now,
        "docs/reference.md is behind; UPDATE=1 cargo test --test reference writes it"
    );
    assert_eq!(docs(&["--format", "markdown"]), now);
}
