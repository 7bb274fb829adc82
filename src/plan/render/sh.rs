//! A shell script. (written next)

use crate::plan::Plan;

pub fn sh(_plan: &Plan) -> String {
    String::new()
}
