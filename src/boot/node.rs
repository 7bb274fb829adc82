//! A node in QEMU: started, watched until it has said how it is, ended.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use fs_err as fs;

use super::console::{Excerpt, tail};
use super::error::{Silence, Why};
use super::guest::{Facts, READY, Script};
use super::machine::{Accelerator, Machine, Marks};
use super::{Error, Milestone, name};
use crate::export::Opened;
use crate::plan::command::quote_all;

/// How long QEMU has until it takes the host's connection.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often the console is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// After the console has said that it is over: what comes after may say why.
const AFTERMATH: Duration = Duration::from_secs(2);

/// How a node is started.
pub struct Start<'a> {
    pub machine: &'a Machine,
    pub accelerator: &'a Accelerator,
    /// In MiB.
    pub memory: u64,
    pub processors: u32,
    pub load: Load,
    /// A folder for sockets and the like.
    pub folder: &'a Path,
    /// Where the console goes.
    pub console: &'a Path,
}

/// What is waited for.
pub struct Watch<'a> {
    pub script: &'a Script,
    pub marks: &'a Marks,
    /// How long the node has until it has answered.
    pub limit: Duration,
    /// What it boots from, for messages.
    pub export: &'a Opened,
}

/// What the node loads.
pub enum Load {
    /// QEMU puts kernel and initramfs into memory.
    Direct {
        kernel: PathBuf,
        initramfs: PathBuf,
        cmdline: String,
    },
    /// The firmware gets `boot.ipxe` of this folder by TFTP.
    Firmware { tftp: PathBuf },
}

/// What a node has said, and when it got how far.
pub struct Answer {
    pub facts: Facts,
    /// On this host's clock.
    pub milestones: Vec<Milestone>,
    pub seconds: f64,
    /// How QEMU was called.
    pub command: String,
}

fn arguments(start: &Start<'_>) -> Vec<String> {
    let machine = start.machine;
    let mut argv = vec![machine.program.clone()];
    argv.extend(machine.arguments.iter().cloned());
    let mut add = |words: &[&str]| argv.extend(words.iter().map(|word| (*word).to_owned()));
    let (memory, processors) = (start.memory.to_string(), start.processors.to_string());
    add(&["-accel", &start.accelerator.argument]);
    add(&[
        "-m",
        &memory,
        "-smp",
        &processors,
        "-nodefaults",
        "-no-reboot",
    ]);
    let device = format!("{},netdev=n0", machine.network);
    match &start.load {
        Load::Direct {
            kernel,
            initramfs,
            cmdline,
        } => {
            let (kernel, initramfs) = (
                kernel.display().to_string(),
                initramfs.display().to_string(),
            );
            add(&["-netdev", "user,id=n0", "-device", &device]);
            add(&[
                "-kernel", &kernel, "-initrd", &initramfs, "-append", cmdline,
            ]);
        }
        Load::Firmware { tftp } => {
            let net = format!("user,id=n0,tftp={},bootfile=boot.ipxe", tftp.display());
            add(&["-netdev", &net, "-device", &device, "-boot", "n"]);
        }
    }
    argv
}

/// Boots a node and waits until it has answered. `see` gets the milestones.
///
/// # Errors
/// [`Error::NoAnswer`] when it does not come up in time; when QEMU cannot be started.
pub fn watch(
    start: &Start<'_>,
    wanted: &Watch<'_>,
    interrupted: &dyn Fn() -> bool,
    see: &mut dyn FnMut(&str, f64),
) -> Result<Answer, Error> {
    let socket = start.folder.join("channel");
    let mut argv = arguments(start);
    let console = start.console.display();
    for word in [
        "-display".to_owned(),
        "none".to_owned(),
        "-monitor".to_owned(),
        "none".to_owned(),
        "-chardev".to_owned(),
        format!("file,id=console,path={console}"),
        "-serial".to_owned(),
        "chardev:console".to_owned(),
        "-chardev".to_owned(),
        format!(
            "socket,id=channel,path={},server=on,wait=on",
            socket.display()
        ),
        "-serial".to_owned(),
        "chardev:channel".to_owned(),
    ] {
        argv.push(word);
    }
    let errors = start.folder.join("qemu.log");
    let mut qemu = Qemu::start(&argv, &errors)?;
    let begin = Instant::now();
    let end = begin + wanted.limit;
    let marks = wanted.marks;
    let lines = listen(&socket, wanted.script, end, &mut qemu)?;
    let mut answer = Answer {
        facts: Facts::default(),
        milestones: Vec::new(),
        seconds: 0.0,
        command: quote_all(&argv),
    };
    let mut read = 0;
    let mut dying: Option<(Instant, String)> = None;
    loop {
        let mut closed = false;
        match lines.recv_timeout(LOOK) {
            Ok(line) => {
                if let Some(stage) = answer.facts.take(&line) {
                    let name = match stage.as_str() {
                        "started" => "the node answers".to_owned(),
                        goal => goal.to_owned(),
                    };
                    milestone(&mut answer, name, begin, see);
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => closed = true,
        }
        answer.seconds = begin.elapsed().as_secs_f64();
        if answer.facts.complete() {
            return Ok(answer);
        }
        let text = fs::read(start.console).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        // Whole lines, each once.
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        for line in text.get(read..whole).unwrap_or_default().lines() {
            for (name, pattern) in &marks.milestones {
                let known = answer.milestones.iter().any(|known| known.name == *name);
                if !known && pattern.is_match(line) {
                    milestone(&mut answer, name.clone(), begin, see);
                }
            }
            if dying.is_none() && marks.died.iter().any(|pattern| pattern.is_match(line)) {
                dying = Some((Instant::now(), line.trim().to_owned()));
            }
        }
        read = whole;
        let ended = closed || qemu.child.try_wait()?.is_some();
        let dead = dying
            .as_ref()
            .is_some_and(|(since, _)| since.elapsed() > AFTERMATH);
        let late = Instant::now() > end;
        if interrupted() {
            return Err(Error::Interrupted);
        }
        // It came up far enough to say how it is: what is missing is said in the verdict.
        if late && !answer.facts.one("state").is_empty() {
            return Ok(answer);
        }
        if ended || dead || late {
            let matched = dying.map(|(_, line)| line);
            let why = match (&matched, ended) {
                (Some(_), _) => Why::Died,
                (None, true) => Why::Ended,
                (None, false) => Why::Timeout,
            };
            let mut excerpt = Excerpt::of(&text, matched.as_deref());
            if why == Why::Ended {
                let notes = |line: &String| !line.contains(": info: ");
                excerpt.add(tail(&errors).into_iter().filter(notes).collect());
            }
            return Err(Error::NoAnswer(Box::new(Silence {
                why,
                export: name(wanted.export),
                attend: super::assertion::attend(wanted.export),
                reached: answer.milestones.last().map(|last| last.name.clone()),
                seconds: answer.seconds,
                excerpt,
                log: start.console.to_owned(),
                command: answer.command,
                program: start.machine.program.clone(),
            })));
        }
    }
}

fn milestone(answer: &mut Answer, name: String, begin: Instant, see: &mut dyn FnMut(&str, f64)) {
    let seconds = begin.elapsed().as_secs_f64();
    see(&name, seconds);
    answer.milestones.push(Milestone { name, seconds });
}

/// Boots a node with its console on this terminal, until it ends.
///
/// # Errors
/// When QEMU cannot be started.
pub fn attend(start: &Start<'_>) -> Result<(), Error> {
    let mut argv = arguments(start);
    for word in ["-display", "none", "-serial", "mon:stdio"] {
        argv.push(word.to_owned());
    }
    let (program, arguments) = program(&argv)?;
    let status = Command::new(program)
        .args(arguments)
        .status()
        .map_err(|source| Error::start(program, source))?;
    tracing::debug!(%status, "qemu");
    Ok(())
}

fn program(argv: &[String]) -> std::io::Result<(&String, &[String])> {
    argv.split_first()
        .ok_or_else(|| std::io::ErrorKind::InvalidInput.into())
}

/// Ended when it is dropped.
struct Qemu {
    child: Child,
}

impl Qemu {
    fn start(argv: &[String], errors: &Path) -> Result<Qemu, Error> {
        let (program, arguments) = program(argv)?;
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(errors)?.into_file())
            .spawn()
            .map_err(|source| Error::start(program, source))?;
        Ok(Qemu { child })
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Connects to the node's port, and hands it its script when it asks for it.
fn listen(
    socket: &Path,
    script: &Script,
    end: Instant,
    qemu: &mut Qemu,
) -> Result<Receiver<String>, Error> {
    let begin = Instant::now();
    let stream = loop {
        match UnixStream::connect(socket) {
            Ok(stream) => break Some(stream),
            // It ended: what it said is in its log, and the console stays empty.
            Err(_) if qemu.child.try_wait()?.is_some() => break None,
            Err(error) if begin.elapsed() > PATIENCE => return Err(error.into()),
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    let (send, lines) = channel();
    if let Some(stream) = stream {
        let script = script.clone();
        std::thread::spawn(move || talk(stream, &script, end, &send));
    }
    Ok(lines)
}

fn talk(stream: UnixStream, script: &Script, end: Instant, send: &Sender<String>) {
    let Ok(mut answer) = stream.try_clone() else {
        return;
    };
    for line in BufReader::new(stream).split(b'\n') {
        let Ok(line) = line else { return };
        let line = String::from_utf8_lossy(&line).into_owned();
        if line.contains(READY) {
            let script = script.with_time(end.saturating_duration_since(Instant::now()));
            if answer.write_all(script.as_bytes()).is_err() {
                return;
            }
        } else if send.send(line).is_err() {
            return;
        }
    }
}
