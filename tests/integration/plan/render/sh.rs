//! The shell script of a plan: its text.

use rootwright::plan::secret_variable;
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
