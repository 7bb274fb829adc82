//! The shell script of a plan: its text.

use rootwright::diagnose::Report;
use rootwright::plan::{Format, Op, secret_variable};
use rootwright::preview::sh;

use crate::support::plans;

#[test]
fn a_diskless_debian() {
    let script = sh(&plans::debian_nfs()).unwrap();
    insta::assert_snapshot!(script);
}

#[test]
fn a_secret_is_a_variable() {
    assert_eq!(
        secret_variable("root-password"),
        "ROOTWRIGHT_SECRET_ROOT_PASSWORD"
    );
    let script = sh(&plans::debian_nfs()).unwrap();
    assert!(script.contains("need_secret ROOTWRIGHT_SECRET_ADMIN_PASSWORD admin-password\n"));
}

#[test]
fn roots_of_one_name_get_directories_of_their_own() {
    let script = sh(&plans::two_roots_of_one_name()).unwrap();
    assert!(script.contains(r#""$work/x-0""#) && script.contains(r#""$work/x-1""#));
}

fn refusals(ops: Vec<Op>) -> Vec<Report> {
    let plan = plans::plan("recipe.rhai", "").root("root", ["any", "", ""], None);
    sh(&plan.step(0, "export", "export node", ops).done()).unwrap_err()
}

#[test]
fn what_only_rootwright_does_is_refused() {
    let export = |format| Op::Export(plans::export("node", format));
    let reports = refusals(vec![
        export(Format::Ext4 { size: None }),
        plans::edit("/etc/hosts", "(?s-u:.)", ""),
    ]);
    let messages: Vec<&str> = reports
        .iter()
        .map(|report| report.message.as_str())
        .collect();
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert_eq!(
        messages[0],
        "a script can't write the export `node`: a reproducible ext4 image takes more than mke2fs"
    );
    assert!(messages[1].starts_with("no script can look for the pattern `(?s-u:.)`"));
    for report in &reports {
        assert_eq!(report.trace[0].span.start.line, 11, "the step's line");
        assert!(!report.help.is_empty());
    }
}
