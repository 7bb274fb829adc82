//! Reports on their way to the terminal.

use super::{Report, SourceMap};

/// What went wrong, and the scripts to show it in.
#[derive(Debug)]
pub struct Trouble {
    pub reports: Vec<Report>,
    pub sources: SourceMap,
    /// The exit status of the program.
    pub code: u8,
}

impl Trouble {
    pub fn new(reports: Vec<Report>, sources: SourceMap) -> Self {
        Trouble {
            reports,
            sources,
            code: 1,
        }
    }

    /// The end of the program with this status, of which all is said.
    pub fn exit(code: u8) -> Self {
        Trouble {
            code,
            ..Trouble::from(Vec::new())
        }
    }
}

impl From<Report> for Trouble {
    fn from(report: Report) -> Self {
        vec![report].into()
    }
}

impl From<Vec<Report>> for Trouble {
    fn from(reports: Vec<Report>) -> Self {
        Trouble::new(reports, SourceMap::default())
    }
}
