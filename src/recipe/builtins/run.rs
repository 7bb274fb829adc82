//! Commands, inside of a root and on the host.

use rhai::Dynamic;

use super::{CommandValue, Typed, unmark};
use crate::plan::{
    self, Bind, Command, DownloadCheck, Downloads, Op, Part, PathPurpose, RequirePaths,
    RequiredPath, RootId, Run, RunPlace, Script, Text, Verdict, command,
};
use crate::recipe::args::{
    Call, Fields, Result, as_argument, as_strings, as_typed, is_name, root_in,
};
use crate::recipe::spans::Step;

pub static BUILTINS: &[super::Registered] = builtins![
    Everyone nspawn_run(root, command, [opts]) => nspawn_run,
    Everyone nspawn_boot(root, command, [opts]) => nspawn_boot,
    Everyone host_run(root, command, [opts]) => host_run,
    Everyone script(text, [opts]) => script,
    Everyone require_paths(root, purpose, paths) => require_paths,
    Everyone quote(words) => quote,
    Everyone join(array, separator) => join,
];

fn nspawn_run(call: &Call<'_>, root: RootId) -> Result<Dynamic> {
    let (run, fields) = in_root(call, root, RunPlace::Root)?;
    add(call, root, "run", run, fields)
}

/// Seconds that a root has to boot, run its script and shut down, where nothing is said.
const BOOT_SECONDS: u64 = 300;

fn nspawn_boot(call: &Call<'_>, root: RootId) -> Result<Dynamic> {
    let timeout = call.fields(2)?.number("timeout", 1).map_err(|report| {
        let help = format!("it is in seconds: `timeout: {BOOT_SECONDS}`");
        report.help(help)
    })?;
    let timeout = timeout.unwrap_or(BOOT_SECONDS);
    let (run, fields) = in_root(call, root, RunPlace::BootedRoot { timeout })?;
    fields.get("timeout");
    for (name, value) in [("user", &run.user), ("cwd", &run.cwd)] {
        // It is a line of a unit file.
        if value.as_ref().is_some_and(|text| text.contains('\n')) {
            let message = format!("`{name}` has a line break in it");
            let report = fields.refuse(name, "line_break", message);
            return Err(report.help("write one name or path"));
        }
    }
    add(call, root, "boot and run", run, fields)
}

/// The command of argument 1, and the fields of argument 2 that are left.
pub fn in_root<'a>(call: &'a Call<'a>, root: RootId, place: RunPlace) -> Result<(Run, Fields<'a>)> {
    let fields = call.fields(2)?;
    let mut run = Run::new(place, call.command(1)?);
    run.user = fields.text("user")?;
    run.cwd = fields.path("cwd")?;
    run.network = fields.bool("network")?.unwrap_or(true);
    run.binds = binds(call, root, &fields, false)?;
    run.env = env(&fields)?;
    run.stdin = fields.secret_text("stdin")?;
    let stands_outside = |text: &Text| {
        let mut parts = text.parts().iter();
        parts.any(|part| {
            !matches!(
                part,
                Part::Literal(_) | Part::Secret(_) | Part::SecretLine(_)
            )
        })
    };
    if run.texts().any(stands_outside) {
        let message = "a path of the host stands in a command of the root";
        let report = call.refuse(1, "path_place", message);
        return Err(report.help(
            "inside the root, paths start at `/`: write `\"/etc\"`, not `root.path + \"/etc\"`",
        ));
    }
    Ok((run, fields))
}

fn host_run(call: &Call<'_>, root: RootId) -> Result<Dynamic> {
    for index in [1, 2] {
        call.of_root(index, root)?;
    }
    let command = match call.arg(1).is_string() {
        // A command of the host is no script by chance.
        true => Command::Program(as_argument(&call.arg(1)).into_iter().collect()),
        false => call.command(1)?,
    };
    call.check_command(&command, &[Step::Argument(1)])?;
    requires_host(call, Some(root), &command);
    let fields = call.fields(2)?;
    let mut run = Run::new(RunPlace::Host, command);
    run.network = true;
    run.env = env(&fields)?;
    run.stdin = fields.secret_text("stdin")?;
    run.binds = binds(call, root, &fields, true)?;
    add(call, root, "run on the host:", run, fields)
}

/// Notes that a command runs on the host; see [`Call::requires`].
pub fn requires_host(call: &Call<'_>, root: Option<RootId>, command: &Command) -> bool {
    let program = command.program_name();
    call.requires(root, plan::Access::HostCommand { program })
}

/// Adds a command to the plan, with the options that every command has.
fn add(
    call: &Call<'_>,
    root: RootId,
    verb: &str,
    mut run: Run,
    fields: Fields<'_>,
) -> Result<Dynamic> {
    run.downloads = downloads(&fields)?;
    for index in run.indexes().filter(|_| run.place.is_host()) {
        requires_host(call, Some(root), index);
    }
    run.verdict = Verdict {
        fail_on: fields.strings("fail_on")?.unwrap_or_default(),
        ignore: fields.strings("ignore")?.unwrap_or_default(),
        allow_failure: fields.text("allow_failure")?,
    };
    for (field, patterns) in [
        ("fail_on", &run.verdict.fail_on),
        ("ignore", &run.verdict.ignore),
    ] {
        for pattern in patterns {
            fields.pattern(field, pattern)?;
        }
    }
    let label = format!("{verb} {}", first_line(&run.command));
    super::files::act(call, root, label, Op::Run(run), fields)
}

fn env(fields: &Fields<'_>) -> Result<std::collections::BTreeMap<String, Text>> {
    let env = fields.texts("env")?;
    if let Some(name) = env.keys().find(|name| !is_name(name, "_")) {
        let message = format!("invalid name `{name}` for a variable");
        let report = fields.refuse("env", "env_name", message);
        return Err(report.help("letters, digits and `_`"));
    }
    Ok(env)
}

/// Folders that a package manager downloads to, kept between builds.
fn downloads(fields: &Fields<'_>) -> Result<Vec<Downloads>> {
    let mut downloads = Vec::new();
    for folder in fields.maps("downloads", "#{ pool, path, suffix, index }")? {
        let pool = folder.required_text("pool")?;
        if !is_name(&pool, "-_") {
            let message = format!("invalid name `{pool}` for a pool of downloads");
            let report = folder.refuse("pool", "pool_name", message);
            return Err(report.help("letters, digits, `-` and `_`"));
        }
        let path = folder.path("path")?.ok_or_else(|| folder.missing("path"))?;
        let suffix = folder.required_text("suffix")?;
        let index = folder.command("index")?;
        let checked = folder.bool("checked")?.unwrap_or(false);
        let check = match (index, checked) {
            (Some(_), true) => {
                let message = "`index` and `checked` say different things";
                let report = folder.refuse("checked", "download_check", message);
                return Err(report.help("keep `index`: the build checks the files then"));
            }
            (Some(index), false) => Some(DownloadCheck::Index(index)),
            (None, true) => Some(DownloadCheck::Command),
            (None, false) => None,
        };
        folder.finish()?;
        downloads.push(Downloads {
            pool,
            path,
            suffix,
            check,
        });
    }
    Ok(downloads)
}

/// The paths of the host that a command sees: those that it names, and with `package_sources`
/// those that packages of its root are installed from.
fn binds(call: &Call<'_>, root: RootId, fields: &Fields<'_>, on_host: bool) -> Result<Vec<Bind>> {
    let mut binds = Vec::new();
    for bind in fields.maps("binds", "#{ host: \"/path\", path: \"/path\" }")? {
        let host = bind.required_text("host")?;
        if !host.starts_with('/') {
            let message = format!("`{host}` does not start with `/`");
            let report = bind.refuse("host", "relative_path", message);
            return Err(report.help("write the whole path of the host's file or folder"));
        }
        let path = match on_host {
            // A command of the host sees it where it is.
            true => None,
            false => bind.path("path")?,
        };
        let path = path.unwrap_or_else(|| host.clone());
        let read_only = bind.bool("read_only")?.unwrap_or(false);
        bind.finish()?;
        let purpose = match read_only {
            true => PathPurpose::Bind,
            false => PathPurpose::BindWritable,
        };
        call.requires_path(Some(root), &host, purpose);
        binds.push(Bind {
            host,
            path,
            read_only,
        });
    }
    if !on_host && fields.bool("package_sources")?.unwrap_or(false) {
        let plan = call.plan();
        let sources = plan.root(root).map(|root| root.package_sources.clone());
        binds.extend(sources.into_iter().flatten().map(|path| Bind {
            host: path.clone(),
            path,
            read_only: true,
        }));
    }
    Ok(binds)
}

fn script(call: &Call<'_>) -> Result<Dynamic> {
    let text = call.arg(0);
    let text = as_argument(&text).ok_or_else(|| call.wrong(0, "a string", &text))?;
    let fields = call.fields(1)?;
    let mut script = Script::shell(text);
    if let Some(interpreter) = fields.strings("interpreter")? {
        script.interpreter = interpreter;
    }
    let arguments = fields.array("arguments")?.unwrap_or_default();
    for (index, value) in arguments.iter().enumerate() {
        let argument = as_argument(value).ok_or_else(|| {
            let mut place = fields.place("arguments");
            place.push(Step::Item(index));
            call.wrong_value("script", "arguments", &place, "a string", value)
        })?;
        script.arguments.push(argument);
    }
    script.programs = fields.strings("programs")?.unwrap_or_default();
    fields.finish()?;
    let command = Command::Script(script);
    call.check_command(&command, &[Step::Argument(0)])?;
    let root = root_in(&call.args.clone().into());
    Ok(Dynamic::from(CommandValue { command, root }))
}

fn require_paths(call: &Call<'_>, root: RootId) -> Result<Dynamic> {
    let purpose = call.text(1)?;
    let mut paths = Vec::new();
    for fields in call.maps(2, "#{ path, package, why }")? {
        let any_of = match fields.strings("path")? {
            Some(any_of) => any_of,
            None => return Err(fields.missing("path")),
        };
        for path in &any_of {
            call.check_path(path, &fields.place("path"))?;
        }
        let package = fields.required_text("package")?;
        let why = fields.text("why")?.unwrap_or_default();
        fields.finish()?;
        paths.push(RequiredPath {
            any_of,
            package,
            why,
        });
    }
    let label = format!("check for {purpose}");
    call.act(
        root,
        label,
        Op::RequirePaths(RequirePaths { purpose, paths }),
    )
}

/// A command in a few words: of a script the first line.
fn first_line(command: &Command) -> String {
    let Some(script) = command.script() else {
        return command.shown();
    };
    let text = script.text.to_string();
    let mut lines = text.lines().map(str::trim);
    let first = lines.find(|line| !line.is_empty() && !line.starts_with('#'));
    first.unwrap_or_default().to_owned()
}

fn quote(call: &Call<'_>) -> Result<Dynamic> {
    let words = call.strings(0)?;
    if words.iter().any(|word| word.contains('\0')) {
        return Err(call.report("nul", "a shell's word cannot hold a NUL character"));
    }
    Ok(command::quote_all(&words).into())
}

fn join(call: &Call<'_>) -> Result<Dynamic> {
    let items = call.array(0)?;
    let separator = call.text(1)?;
    if let Some(words) = as_strings(&call.arg(0)) {
        return Ok(words.join(&separator).into());
    }
    let mut joined: Option<Typed> = None;
    for item in items {
        let typed =
            as_typed(&item).ok_or_else(|| call.wrong(0, "an array of strings", &call.arg(0)))?;
        joined = Some(match joined {
            None => typed,
            Some(before) => before.concat(unmark(&separator)).concat(typed),
        });
    }
    Ok(joined.map_or_else(|| "".into(), Dynamic::from))
}
