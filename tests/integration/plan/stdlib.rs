//! The stdlib is tested as recipes are: `tests/stdlib` is a recipe repository, whose tests
//! look at what the stdlib's modules plan.

use std::path::Path;

use crate::support::{rootwright, run, stderr, stdout};

#[test]
fn the_stdlib_plans_what_it_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stdlib");
    let output = rootwright()
        .current_dir(&folder)
        .arg("test")
        .output()
        .unwrap();
    let said = stdout(&output);
    assert!(output.status.success(), "{said}{}", stderr(&output));
    assert!(
        said.contains("tests/debian_test.rhai\n") && said.contains(" 0 failed"),
        "{said}"
    );
    // The recipes that they are about are right in every branch.
    let checked = run(rootwright().current_dir(&folder).arg("check"));
    assert_eq!(stderr(&checked), "5 recipes checked, nothing wrong\n");
}
