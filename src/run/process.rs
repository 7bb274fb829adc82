//! Programs of the host: the one place that starts them while something is built.
//!
//! Each program gets a clean environment. Inside the build's namespaces it also gets a sandbox
//! ([`sandbox`]): nothing that it starts outlives it, it is not root on the host, and it sees
//! of the host what it is granted. Elsewhere, where this process may lack the privileges, it gets
//! a process group.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{PipeReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal};

use super::namespace;
use super::sandbox::{self, Container, Grant, GrantAccess};
use crate::plan::command::{PASSED_ON, quote_all};

/// Where programs of the host are found, whatever the caller's `PATH` is.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How a process ended: `exit status 1`, `signal 9 (SIGKILL)`.
pub fn how_it_ended(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => match signal_hook::low_level::signal_name(signal) {
            Some(name) => format!("signal {signal} ({name})"),
            None => format!("signal {signal}"),
        },
        (None, None) => "no status".to_owned(),
    }
}

/// The file that starts when `name` is run, if the host has it.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let runs = |path: &PathBuf| {
        path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
    };
    if name.contains('/') {
        return Some(PathBuf::from(name)).filter(runs);
    }
    let folders = PATH.split(':').map(Path::new);
    folders.map(|folder| folder.join(name)).find(runs)
}

/// The variables of this process's environment that programs see ([`PASSED_ON`]).
pub fn passed_on() -> impl Iterator<Item = (&'static str, OsString)> {
    let names = PASSED_ON.iter();
    names.filter_map(|name| Some((*name, std::env::var_os(name)?)))
}

#[derive(Debug, Default)]
enum Stdin {
    #[default]
    Null,
    Bytes(Vec<u8>),
    File(OwnedFd),
}

/// Where a piece of output was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    Out,
    Err,
}

/// A program to run, with all that it runs with.
#[derive(Debug)]
#[must_use]
pub struct Process {
    argv: Vec<OsString>,
    env: BTreeMap<OsString, OsString>,
    dir: PathBuf,
    stdin: Stdin,
    stdout: Option<OwnedFd>,
    merged: bool,
    place: Place,
    grants: Vec<Grant>,
    limit: Option<Duration>,
}

/// Where a program runs, inside the build's namespaces.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// In a sandbox, not as root on the host if builds are confined.
    Sandbox,
    /// In a sandbox that lets it change the host.
    Host,
    /// In namespaces that it makes itself.
    Own,
    /// In a root.
    Container(Box<Container>),
}

/// How a program ended.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    /// Whether it was killed because its time was over.
    pub timed_out: bool,
    /// Command lines of the processes that it left running, which were killed.
    pub left: Vec<String>,
}

/// A program's output, up to a bound.
#[derive(Debug)]
pub struct Captured {
    pub ended: Ended,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    /// Whether there was more output than the bound.
    pub cut: bool,
}

impl Captured {
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }
}

impl Process {
    /// A program in `/`, with a clean environment and without input.
    pub fn new<S: Into<OsString>>(argv: impl IntoIterator<Item = S>) -> Self {
        let mut env: BTreeMap<OsString, OsString> = passed_on()
            .map(|(name, value)| (name.into(), value))
            .collect();
        if namespace::is_inside() {
            env.insert("TMPDIR".into(), namespace::TEMPORARY.into());
        }
        let fixed = [
            ("PATH", PATH),
            ("HOME", "/root"),
            ("LC_ALL", "C.UTF-8"),
            ("LANG", "C.UTF-8"),
        ];
        env.extend(fixed.map(|(name, value)| (name.into(), value.into())));
        Process {
            argv: argv.into_iter().map(Into::into).collect(),
            env,
            dir: PathBuf::from("/"),
            stdin: Stdin::Null,
            stdout: None,
            merged: false,
            place: Place::Sandbox,
            grants: Vec::new(),
            limit: None,
        }
    }

    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    pub fn without_env(mut self, name: impl AsRef<OsStr>) -> Self {
        self.env.remove(name.as_ref());
        self
    }

    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = dir.into();
        self
    }

    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Stdin::Bytes(bytes.into());
        self
    }

    pub fn stdin_file(mut self, file: impl Into<OwnedFd>) -> Self {
        self.stdin = Stdin::File(file.into());
        self
    }

    /// Sends standard output to a file or a pipe instead of the caller.
    pub fn stdout_file(mut self, file: impl Into<OwnedFd>) -> Self {
        self.stdout = Some(file.into());
        self
    }

    /// Makes standard error part of standard output.
    pub fn merge_errors(mut self) -> Self {
        self.merged = true;
        self
    }

    /// Leaves all namespaces to the program: systemd-nspawn makes them for what it runs.
    pub fn makes_own_namespaces(mut self) -> Self {
        self.place = Place::Own;
        self
    }

    /// Runs a program of a root in that.
    pub fn in_container(mut self, container: Container) -> Self {
        self.place = Place::Container(Box::new(container));
        self
    }

    /// Lets the program change the host: what this program itself does for its user.
    pub fn changes_the_host(mut self) -> Self {
        self.place = Place::Host;
        self
    }

    /// Lets the program read a file or folder of the host beside the host's own system. What is
    /// not there is the program's to say.
    pub fn reads(self, path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        match path.exists() {
            true => self.granted(path, GrantAccess::Read),
            false => self,
        }
    }

    /// The same, for each of several.
    pub fn reads_all<P: Into<PathBuf>>(self, paths: impl IntoIterator<Item = P>) -> Self {
        paths.into_iter().fold(self, Process::reads)
    }

    /// The same, for the file that a `file://` address names.
    pub fn reads_url(self, url: &str) -> Self {
        self.reads_all(url.strip_prefix("file://"))
    }

    /// Lets the program write to a file or folder of the host.
    pub fn writes(self, path: impl Into<PathBuf>) -> Self {
        self.granted(path, GrantAccess::Write)
    }

    /// Lets the program change a root, mounted for a [`ConfinedRoot`](super::stack::ConfinedRoot).
    pub fn changes_root(self, path: impl Into<PathBuf>) -> Self {
        self.granted(path, GrantAccess::Root)
    }

    fn granted(mut self, path: impl Into<PathBuf>, access: GrantAccess) -> Self {
        let path = path.into();
        let path = std::path::absolute(&path).unwrap_or(path);
        self.grants.push(Grant { path, access });
        self
    }

    /// Kills the program, and all that it has started, when it takes longer.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// The command line, quoted for a shell.
    pub fn shown(&self) -> String {
        let words = self.argv.iter().map(|word| word.to_string_lossy());
        quote_all(&words.collect::<Vec<_>>())
    }

    /// The program, for messages.
    pub fn program(&self) -> String {
        let program = self.argv.first();
        program.map_or_else(String::new, |word| word.to_string_lossy().into_owned())
    }

    /// Runs the program on the terminal of this process, which it shares; unless it is in a
    /// container, it isn't confined to a namespace or a process group.
    ///
    /// # Errors
    /// If it can't be started.
    pub fn attached(self) -> std::io::Result<ExitStatus> {
        let Place::Container(container) = &self.place else {
            return self.command()?.status();
        };
        let wanted = sandbox::Wanted::Container(container);
        let (mut command, report) = sandbox::wrap(&self.command()?, wanted)?;
        let (status, _) = report.ended(command.status()?)?;
        Ok(status)
    }

    /// Runs the program; `take` gets its output as it comes.
    ///
    /// # Errors
    /// If it can't be started, or its output can't be read.
    pub fn run(mut self, take: &mut dyn FnMut(Stream, &[u8])) -> std::io::Result<Ended> {
        let (mut command, report) = match namespace::is_inside() && self.place != Place::Own {
            true => {
                // One that is named by its path may be anywhere.
                let program = self.argv.first().map(PathBuf::from);
                if let Some(program) = program.filter(|program| program.is_absolute()) {
                    self = self.reads(program);
                }
                let wanted = match &self.place {
                    Place::Sandbox => sandbox::Wanted::Held(&self.grants),
                    Place::Host | Place::Own => sandbox::Wanted::Free,
                    Place::Container(container) => sandbox::Wanted::Container(container),
                };
                let (command, report) = sandbox::wrap(&self.command()?, wanted)?;
                (command, Some(report))
            }
            false => (self.command()?, None),
        };
        command.process_group(0);
        let (out, write) = std::io::pipe()?;
        let mut pipes = vec![(Stream::Out, out)];
        if self.merged {
            command.stderr(write.try_clone()?);
        } else {
            let (errors, write) = std::io::pipe()?;
            command.stderr(write);
            pipes.push((Stream::Err, errors));
        }
        match self.stdout.take() {
            Some(file) => {
                drop(write);
                command.stdout(file)
            }
            None => command.stdout(write),
        };
        let mut feed = None;
        match std::mem::take(&mut self.stdin) {
            Stdin::Null => command.stdin(Stdio::null()),
            Stdin::File(file) => command.stdin(file),
            Stdin::Bytes(bytes) => {
                let (read, write) = std::io::pipe()?;
                feed = Some((write, bytes));
                command.stdin(read)
            }
        };
        let start = Instant::now();
        let running = Running {
            child: command.spawn()?,
            report,
            status: None,
        };
        // It holds ends of pipes.
        drop(command);
        std::thread::scope(|scope| {
            if let Some((mut to, bytes)) = feed {
                std::thread::Builder::new()
                    .name("stdin".to_owned())
                    // A program need not read all of its input.
                    .spawn_scoped(scope, move || drop(to.write_all(&bytes)))?;
            }
            running.watch(pipes, self.limit.map(|limit| start + limit), take)
        })
    }

    /// Runs the program and keeps up to `most` bytes of each of its outputs.
    ///
    /// # Errors
    /// As [`Process::run`].
    pub fn capture(self, most: usize) -> std::io::Result<Captured> {
        let (mut stdout, mut stderr, mut cut) = (Vec::new(), Vec::new(), false);
        let ended = self.run(&mut |stream, bytes| {
            let kept = match stream {
                Stream::Out => &mut stdout,
                Stream::Err => &mut stderr,
            };
            let room = most.saturating_sub(kept.len());
            cut |= bytes.len() > room;
            kept.extend(bytes.iter().take(room));
        })?;
        Ok(Captured {
            ended,
            stdout,
            stderr,
            cut,
        })
    }

    pub(super) fn command(&self) -> std::io::Result<Command> {
        let (program, arguments) = self
            .argv
            .split_first()
            .ok_or(std::io::ErrorKind::InvalidInput)?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .envs(&self.env)
            .current_dir(&self.dir);
        Ok(command)
    }
}

/// A program that has started. Whatever happens, it and its children end with this.
struct Running {
    child: Child,
    /// What the sandbox says, if it is in one.
    report: Option<sandbox::Report>,
    /// Once it has ended.
    status: Option<ExitStatus>,
}

impl Running {
    fn watch(
        mut self,
        mut pipes: Vec<(Stream, PipeReader)>,
        deadline: Option<Instant>,
        take: &mut dyn FnMut(Stream, &[u8]),
    ) -> std::io::Result<Ended> {
        let mut timed_out = false;
        let mut wait_for = Some(pidfd(&self.child)?);
        loop {
            let left = match deadline {
                _ if wait_for.is_none() => Some(Timespec::default()),
                Some(deadline) if !timed_out => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    Some(Timespec::try_from(left).unwrap_or_default())
                }
                _ => None,
            };
            let mut fds: Vec<PollFd<'_>> = pipes
                .iter()
                .map(|(_, pipe)| PollFd::new(pipe, PollFlags::IN))
                .collect();
            if let Some(process) = &wait_for {
                fds.push(PollFd::new(process, PollFlags::IN));
            }
            let count = match rustix::event::poll(&mut fds, left.as_ref()) {
                Ok(count) => count,
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            let is_ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
            if count == 0 {
                if wait_for.is_none() {
                    break;
                }
                if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                    timed_out = true;
                    self.kill();
                }
                continue;
            }
            let process_is_ready = is_ready.get(pipes.len()) == Some(&true);
            let mut ready = is_ready.into_iter();
            let mut bytes = [0; 1 << 16];
            let mut failed = None;
            pipes.retain_mut(|(stream, pipe)| {
                if ready.next() != Some(true) {
                    return true;
                }
                match pipe.read(&mut bytes) {
                    Ok(0) => false,
                    Ok(count) => {
                        take(*stream, bytes.get(..count).unwrap_or_default());
                        true
                    }
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => true,
                    Err(error) => {
                        failed = Some(error);
                        false
                    }
                }
            });
            if let Some(error) = failed {
                return Err(error);
            }
            if process_is_ready {
                // Before it is waited for: until then its number is its own.
                signal_group(&self.child, Signal::KILL);
                self.status = Some(self.child.wait()?);
                wait_for = None;
            }
            if pipes.is_empty() && wait_for.is_none() {
                break;
            }
        }
        let status = match self.status {
            Some(status) => status,
            None => self.child.wait()?,
        };
        let (status, left) = match self.report.take() {
            Some(report) => report.ended(status)?,
            None => (status, Vec::new()),
        };
        Ok(Ended {
            status,
            timed_out,
            left,
        })
    }

    fn kill(&mut self) {
        signal_group(&self.child, Signal::KILL);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.status.is_none() {
            self.kill();
            let _ = self.child.wait();
        }
    }
}

/// Readable once the process has ended.
pub(super) fn pidfd(child: &Child) -> std::io::Result<OwnedFd> {
    let pid = Pid::from_child(child);
    Ok(rustix::process::pidfd_open(pid, PidfdFlags::empty())?)
}

pub(super) fn signal_group(child: &Child, signal: Signal) {
    // It may be empty.
    let _ = rustix::process::kill_process_group(Pid::from_child(child), signal);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Process {
        Process::new(["sh", "-c", script])
    }

    #[test]
    fn output_input_and_status_are_those_of_the_program() {
        let said = sh("cat; echo bad >&2; exit 3").stdin("in").capture(100);
        let said = said.unwrap();
        assert_eq!(said.stdout, b"in");
        assert_eq!(said.stderr(), "bad\n");
        assert_eq!(how_it_ended(said.ended.status), "exit status 3");
        assert!(!said.cut && !said.ended.timed_out);
        let killed = sh("kill -9 $$").capture(100).unwrap();
        assert_eq!(how_it_ended(killed.ended.status), "signal 9 (SIGKILL)");
    }

    #[test]
    fn output_has_a_bound_and_is_read_to_the_end() {
        let said = sh("head -c 1000000 /dev/zero; echo done >&2");
        let said = said.capture(1000).unwrap();
        assert!(said.cut);
        assert_eq!(said.stdout.len(), 1000);
        assert_eq!(said.stderr(), "done\n");
    }

    #[test]
    fn input_that_is_not_read_stops_nothing() {
        let said = sh("exit 0").stdin(vec![b'x'; 1 << 20]).capture(100);
        assert!(said.unwrap().ended.status.success());
    }

    #[test]
    fn a_program_ends_with_all_it_started_when_its_time_is_over() {
        let start = Instant::now();
        let said = sh("echo begun; sleep 600 & sleep 600")
            .limit(Duration::from_millis(300))
            .capture(100)
            .unwrap();
        assert!(said.ended.timed_out);
        assert_eq!(said.stdout, b"begun\n");
        assert!(start.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn a_process_in_the_background_does_not_hold_the_output() {
        let start = Instant::now();
        let said = sh("sleep 600 & echo begun").capture(100).unwrap();
        assert_eq!(said.stdout, b"begun\n");
        assert!(start.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn the_environment_is_clean() {
        let said = Process::new(["env"]).env("A", "b").capture(10_000).unwrap();
        let said = String::from_utf8(said.stdout).unwrap();
        for line in ["A=b", "HOME=/root", &format!("PATH={PATH}")] {
            assert!(said.lines().any(|found| found == line), "{line}: {said}");
        }
        assert!(!said.contains("CARGO"), "{said}");
    }

    #[test]
    fn a_program_that_is_not_there_is_not_found() {
        let error = Process::new(["no-such-program"]).capture(100).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
        assert_eq!(find_program("no-such-program"), None);
        assert!(find_program("sh").is_some());
    }
}
