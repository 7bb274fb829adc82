//! What can go wrong while an artifact is written.

use std::path::PathBuf;

use crate::diagnose::Report;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot write to the output folder `{}`: {source}", path.display())]
    Out {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("`{}` was not made by rootwright", path.display())]
    Foreign { path: PathBuf },
    #[error("`{tool}` failed while the export was written: {message}")]
    Tool { tool: String, message: String },
    #[error("cannot write `{}`: {source}", path.display())]
    Write {
        path: PathBuf,
        source: std::io::Error,
    },
}

impl Error {
    pub fn report(&self) -> Report {
        let message = self.to_string();
        match self {
            Error::Out { source, .. } => {
                let report = Report::new("export::out", message);
                if source.kind() == std::io::ErrorKind::StorageFull {
                    report.cause("the disk is full").help("make room, or write elsewhere with `--out DIR`; what was there before is as it was")
                } else {
                    report.help("write elsewhere with `--out DIR`")
                }
            }
            Error::Foreign { path } => Report::new("export::foreign", message)
                .cause("an export replaces only what an earlier export wrote: a folder with its manifest.json")
                .help(format!("move `{}` away, or write elsewhere with `--out DIR`", path.display())),
            Error::Tool { message: said, .. } => {
                let report = Report::new("export::tool", message);
                if said.contains("No space left on device") {
                    report.cause("the disk is full").help("make room, or write elsewhere with `--out DIR`; what was there before is as it was")
                } else {
                    report
                }
            }
            Error::Write { source, .. } => {
                let report = Report::new("export::write", message);
                if source.kind() == std::io::ErrorKind::StorageFull {
                    report.cause("the disk is full").help("make room, or write elsewhere with `--out DIR`; what was there before is as it was")
                } else {
                    report
                }
            }
        }
    }

    pub(super) fn write(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.into();
        move |source| Error::Write { path, source }
    }
}

/// Runs a tool to its end; what it says on standard error goes into the failure.
pub(super) fn tool(expression: &duct::Expression, name: &str) -> Result<(), Error> {
    let fail = |message: String| Error::Tool {
        tool: name.to_owned(),
        message,
    };
    let ended = expression
        .stderr_capture()
        .stdout_null()
        .unchecked()
        .run()
        .map_err(|error| fail(error.to_string()))?;
    if ended.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&ended.stderr);
    let lines: Vec<&str> = said.lines().take(5).collect();
    Err(fail(lines.join("; ")))
}
