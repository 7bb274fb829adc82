//! The tools of the host that write exports.

use std::fs::File;
use std::path::Path;

use super::error::Error;
use super::root::ExportRoot;
use crate::diagnose::CommandReport;
use crate::plan::tool::{ToolPart, ToolWord, resolved};
use crate::plan::{Export, Times};
use crate::run::how_it_ended;
use crate::run::process::{Captured, Process};

/// As many lines of a tool's complaints as an error shows.
const SHOWN: usize = 20;
/// Bytes of complaints that are read.
const MOST_COMPLAINTS: usize = 1 << 20;
/// Bytes of an output that is wanted: a list of all files.
const MOST_OUTPUT: usize = 1 << 30;

/// What the parts of a tool's command line stand for.
#[derive(Clone, Copy, Debug)]
pub struct ToolPaths<'a> {
    pub export: &'a Export,
    pub root: ExportRoot<'a>,
    /// Where there is no copy, the root itself.
    pub tree: &'a Path,
    pub output: &'a Path,
}

impl<'a> ToolPaths<'a> {
    /// For a tool that takes the root itself.
    pub fn of_root(export: &'a Export, root: ExportRoot<'a>, output: &'a Path) -> Self {
        ToolPaths {
            export,
            root,
            tree: root.path,
            output,
        }
    }

    pub fn argv(&self, words: &[ToolWord]) -> Vec<String> {
        let path = |path: &Path| path.display().to_string();
        resolved(words, |part| match part {
            ToolPart::Literal(text) => text.clone(),
            ToolPart::Root => path(self.root.path),
            ToolPart::Tree => path(self.tree),
            ToolPart::Output => path(self.output),
            ToolPart::Time => seconds(self.export).unwrap_or_default().to_string(),
        })
    }

    /// A command line as a process that may read the root and the tree, and write the output.
    pub fn process(&self, argv: &[String]) -> Process {
        let process = process(argv);
        let process = match self.root.mounted {
            Some(root) => process.changes_root(root.path()),
            None => process.reads(self.root.path),
        };
        let process = match self.tree == self.root.path {
            true => process,
            false => process.reads(self.tree),
        };
        match self.output.parent() {
            Some(folder) if !self.output.is_dir() => process.writes(folder),
            _ => process.writes(self.output),
        }
    }

    /// Packs the root with one tool.
    pub fn pack(&self, words: &[ToolWord]) -> Result<(), Error> {
        let pack = dated(self.export, self.process(&self.argv(words)));
        let run = || run("pack the root into", self.output, pack);
        self.root.held(run)
    }

    /// Copies the root into the output, an empty folder.
    pub fn copy(&self, processes: Vec<Process>) -> Result<(), Error> {
        self.root
            .held(|| pipe("copy the root to", self.output, processes))
    }

    /// Packs the tree with tools that run in it, each of which reads what the one before it
    /// prints.
    pub fn pipe(&self, tools: &[Vec<ToolWord>]) -> Result<(), Error> {
        let in_tree = |words: &Vec<ToolWord>| self.process(&self.argv(words)).dir(self.tree);
        let mut processes: Vec<Process> = tools.iter().map(in_tree).collect();
        if let Some(last) = processes.pop() {
            processes.push(last.stdout_file(create(self.output)?));
        }
        pipe("pack the root into", self.output, processes)
    }
}

/// The time of the image; where the root decides it, it was asked before.
fn seconds(export: &Export) -> Option<u64> {
    match export.times {
        Times::Until { seconds } => Some(seconds),
        Times::Kept | Times::Newest { .. } => None,
    }
}

/// A command line as a process. Messages are in English, so that a cause is known.
pub fn process(argv: &[String]) -> Process {
    Process::new(argv).env("LC_ALL", "C")
}

/// The file that a tool's output goes to.
pub fn create(path: &Path) -> Result<File, Error> {
    File::create(path).map_err(Error::io("write", path))
}

/// Gives tools the time of the image: mksquashfs and mkfs.erofs by the common name, e2fsprogs
/// before 1.47.1 by its own.
pub fn dated(export: &Export, process: Process) -> Process {
    match seconds(export) {
        Some(seconds) => process
            .env("SOURCE_DATE_EPOCH", seconds.to_string())
            .env("E2FSPROGS_FAKE_TIME", seconds.to_string()),
        None => process.without_env("SOURCE_DATE_EPOCH"),
    }
}

/// Runs a command, and returns what it prints.
pub fn output(doing: &'static str, path: &Path, process: Process) -> Result<String, Error> {
    let tool = Tool {
        doing,
        path,
        command: process.shown(),
    };
    let captured = process.capture(MOST_OUTPUT);
    let captured = captured.map_err(|error| tool.failed(error.to_string(), ""))?;
    tool.judge(&captured, true)?;
    if captured.cut {
        let why = format!("its output has more than {MOST_OUTPUT} bytes");
        return Err(tool.failed(why, ""));
    }
    Ok(String::from_utf8_lossy(&captured.stdout).into_owned())
}

/// As [`run`], for a tool whose standard error is no list of complaints.
pub fn run_noisy(doing: &'static str, path: &Path, process: Process) -> Result<(), Error> {
    run_with(doing, path, vec![process], false)
}

/// Runs a tool.
pub fn run(doing: &'static str, path: &Path, process: Process) -> Result<(), Error> {
    pipe(doing, path, vec![process])
}

/// Runs tools, each of which reads what the one before it prints.
pub fn pipe(doing: &'static str, path: &Path, processes: Vec<Process>) -> Result<(), Error> {
    run_with(doing, path, processes, true)
}

fn run_with(
    doing: &'static str,
    path: &Path,
    processes: Vec<Process>,
    complain: bool,
) -> Result<(), Error> {
    let shown: Vec<String> = processes.iter().map(Process::shown).collect();
    let tool = Tool {
        doing,
        path,
        command: shown.join(" | "),
    };
    let failed = |error: std::io::Error| tool.failed(error.to_string(), "");
    let joined = join(processes).map_err(failed)?;
    let captured = std::thread::scope(|scope| {
        let start = |process: Process| scope.spawn(|| process.capture(MOST_COMPLAINTS));
        let running: Vec<_> = joined.into_iter().map(start).collect();
        let captured = running.into_iter().map(|running| match running.join() {
            Ok(captured) => captured,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        captured.collect::<std::io::Result<Vec<Captured>>>()
    });
    // The last first: where it fails, those before it have nobody to write to.
    for captured in captured.map_err(failed)?.iter().rev() {
        tool.judge(captured, complain)?;
    }
    Ok(())
}

fn join(processes: Vec<Process>) -> std::io::Result<Vec<Process>> {
    let mut joined: Vec<Process> = Vec::new();
    for mut process in processes {
        if let Some(before) = joined.pop() {
            let (read, write) = std::io::pipe()?;
            joined.push(before.stdout_file(write));
            process = process.stdin_file(read);
        }
        joined.push(process);
    }
    Ok(joined)
}

/// What is run, for errors.
struct Tool<'a> {
    doing: &'static str,
    path: &'a Path,
    command: String,
}

impl Tool<'_> {
    fn judge(&self, captured: &Captured, complain: bool) -> Result<(), Error> {
        let stderr = captured.stderr();
        if !captured.ended.status.success() {
            return Err(self.failed(how_it_ended(captured.ended.status), &stderr));
        }
        // What a format cannot hold is documented, and no news.
        let known = |line: &&str| !line.contains("posix_acl") && !line.trim().is_empty();
        for line in stderr.lines().filter(known).filter(|_| complain) {
            tracing::warn!("{line}");
        }
        Ok(())
    }

    fn failed(&self, status: String, stderr: &str) -> Error {
        Error::Tool {
            doing: self.doing,
            path: self.path.to_owned(),
            command: Box::new(CommandReport {
                command: self.command.clone(),
                place: "on the host".to_owned(),
                status,
                lines: stderr.lines().take(SHOWN).map(str::to_owned).collect(),
                total_lines: stderr.lines().count(),
                log: None,
            }),
            cause: cause(stderr),
        }
    }
}

fn cause(stderr: &str) -> Option<&'static str> {
    let attributes =
        "the file system of the output folder cannot hold the attributes of the root's files";
    let device = "the root has a device node, which only root of this host may make: leave it out with `exclude`, or build with `--unconfined`";
    let known = [
        ("cannot create special file", device),
        ("Cannot mknod", device),
        ("No space left on device", super::error::DISK_FULL),
        ("Disk quota exceeded", "the disk quota is used up"),
        ("Read-only file system", "the file system is read-only"),
        ("Operation not supported", attributes),
        ("setting attributes", attributes),
    ];
    let mut known = known.into_iter();
    known.find_map(|(pattern, cause)| stderr.contains(pattern).then_some(cause))
}
