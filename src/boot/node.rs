//! A node in QEMU: started, watched until it has said how it is, ended.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use fs_err as fs;

use super::console::{Excerpt, tail};
use super::error::{Error, Silence, Why};
use super::guest::{Facts, READY, Script};
use super::job::{Boot, name};
use super::machine::{Accelerator, Machine, Marks};
use super::verdict::Milestone;
use crate::plan::command::quote_all;
use crate::run::background::Background;
use crate::run::process::Process;

/// How long QEMU has until it takes the host's connection.
const CONNECT_TIME: Duration = Duration::from_secs(30);
/// How often the console is looked at.
const CONSOLE_INTERVAL: Duration = Duration::from_millis(200);
/// After the console has said that it is over: what comes after may say why.
const AFTERMATH: Duration = Duration::from_secs(2);

/// How a node is started.
pub struct Start<'a> {
    pub boot: &'a Boot<'a>,
    pub machine: &'a Machine,
    pub accelerator: &'a Accelerator,
    pub load: Load,
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

fn arguments(start: &Start<'_>, more: &[&[&str]]) -> Vec<String> {
    let path = |path: &Path| path.display().to_string();
    let (memory, processors) = (start.boot.memory(), start.boot.wanted.processors);
    let device = format!("{},netdev=n0", start.machine.network);
    let (network, load) = match &start.load {
        Load::Direct {
            kernel,
            initramfs,
            cmdline,
        } => {
            let (kernel, initramfs) = (path(kernel), path(initramfs));
            let load = [
                "-kernel", &kernel, "-initrd", &initramfs, "-append", cmdline,
            ];
            ("user,id=n0".to_owned(), load.map(str::to_owned).to_vec())
        }
        Load::Firmware { tftp } => (
            format!("user,id=n0,tftp={},bootfile=boot.ipxe", path(tftp)),
            ["-boot", "n"].map(str::to_owned).to_vec(),
        ),
    };
    let load: Vec<&str> = load.iter().map(String::as_str).collect();
    let common: [&[&str]; 5] = [
        &["-accel", &start.accelerator.argument],
        &["-m", &memory.to_string(), "-smp", &processors.to_string()],
        &["-nodefaults", "-no-reboot", "-display", "none"],
        &["-netdev", &network, "-device", &device],
        &load,
    ];
    start.machine.argv(&[&common, more].concat())
}

/// Boots a node and waits until it has answered the script. `see` gets the milestones.
///
/// # Errors
/// [`Error::NoAnswer`] when it does not come up in time; when QEMU cannot be started.
pub fn watch(
    start: &Start<'_>,
    script: &Script,
    marks: &Marks,
    interrupted: &dyn Fn() -> bool,
    see: &mut dyn FnMut(&str, f64),
) -> Result<Answer, Error> {
    let Boot {
        folder, console, ..
    } = start.boot;
    let socket = folder.join("channel");
    let file = format!("file,id=console,path={}", console.display());
    let path = socket.display();
    let channel = format!("socket,id=channel,path={path},server=on,wait=on");
    let ports: [&[&str]; 3] = [
        &["-monitor", "none"],
        &["-chardev", &file, "-serial", "chardev:console"],
        &["-chardev", &channel, "-serial", "chardev:channel"],
    ];
    let argv = arguments(start, &ports);
    let errors = folder.join("qemu.log");
    let log = fs::File::create(&errors)?.into_file().into();
    let qemu = Process::new(&argv).start(log);
    let mut qemu = qemu.map_err(Error::start(&start.machine.program))?;
    let begin = Instant::now();
    let end = begin + start.boot.wanted.limit;
    let lines = listen(&socket, script, end, &mut qemu)?;
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
        match lines.recv_timeout(CONSOLE_INTERVAL) {
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
        let text = fs::read(console).unwrap_or_default();
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
        let ended = closed || qemu.has_ended();
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
                export: name(start.boot.opened),
                attend: super::assertion::attend(start.boot.opened),
                reached: answer.milestones.last().map(|last| last.name.clone()),
                seconds: answer.seconds,
                excerpt,
                log: console.clone(),
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
    let process = Process::new(arguments(start, &[&["-serial", "mon:stdio"]]));
    let program = process.program();
    let status = process.attached().map_err(Error::start(&program))?;
    tracing::debug!(%status, "qemu");
    Ok(())
}

/// Connects to the node's port, and hands it its script when it asks for it.
fn listen(
    socket: &Path,
    script: &Script,
    end: Instant,
    qemu: &mut Background,
) -> Result<Receiver<String>, Error> {
    let begin = Instant::now();
    let stream = loop {
        match UnixStream::connect(socket) {
            Ok(stream) => break Some(stream),
            // It ended: what it said is in its log, and the console stays empty.
            Err(_) if qemu.has_ended() => break None,
            Err(error) if begin.elapsed() > CONNECT_TIME => return Err(error.into()),
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
