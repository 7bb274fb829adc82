//! Reports on their way to the terminal.

use super::{Report, SourceMap};

/// What went wrong, and the scripts to show it in.
pub struct Trouble {
    pub reports: Vec<Report>,
    pub sources: SourceMap,
    /// The exit status of the program.
    pub code: u8,
}

impl Trouble {
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
        Trouble::from(vec![report])
    }
}

impl From<Vec<Report>> for Trouble {
    fn from(reports: Vec<Report>) -> Self {
        Trouble {
            reports,
            sources: SourceMap::default(),
            code: 1,
        }
    }
}
