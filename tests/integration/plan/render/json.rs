use rootwright::plan::Plan;
use rootwright::preview::{json, schema};

use crate::support::plans;

#[test]
fn json_reads_back_as_the_same_plan() {
    for plan in [plans::debian_nfs(), plans::nasty()] {
        assert_eq!(serde_json::from_str::<Plan>(&json(&plan)).unwrap(), plan);
    }
}

/// `UPDATE=1 cargo test plan::render::json` writes it again.
#[test]
fn the_published_schema_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/plan.schema.json");
    if std::env::var_os("UPDATE").is_some() {
        fs_err::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/docs")).unwrap();
        fs_err::write(path, schema()).unwrap();
    }
    let published = fs_err::read_to_string(path).unwrap();
    assert!(
        published == schema(),
        "docs/plan.schema.json is old; UPDATE=1 writes it anew"
    );
}
