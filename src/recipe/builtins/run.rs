//! Commands, inside of a root and on the host.

use std::collections::BTreeMap;

use rhai::Dynamic;

use super::{Access, Builtin};
use crate::plan::{
    Action, Bind, Downloads, HostRun, NspawnBoot, NspawnRun, Op, OutputScan, RequirePaths,
    RequiredPath, command,
};
use crate::project::Grant;
use crate::recipe::args::{Call, Fields, Outcome, as_strings};
use crate::recipe::spans::Step;

pub static BUILTINS: &[Builtin] = &[
    Builtin {
        name: "nspawn_run",
        params: &["root", "command", "opts"],
        optional: 1,
        access: Access::Everyone,
        doc: include_str!("doc/nspawn_run.md"),
        example: r#"let root = bootstrap(#{ distro: "debian", release: "bookworm" });
root.nspawn_run(["useradd", "--create-home", "admin"]);"#,
        run: nspawn_run,
    },
    Builtin {
        name: "nspawn_boot",
        params: &["root", "command", "opts"],
        optional: 1,
        access: Access::Everyone,
        doc: include_str!("doc/nspawn_boot.md"),
        example: r#"let root = bootstrap(#{ distro: "debian", release: "bookworm" });
root.install(["systemd-sysv", "dbus"]);
root.nspawn_boot("hostnamectl set-hostname head", #{ timeout: 60 });"#,
        run: nspawn_boot,
    },
    Builtin {
        name: "host_run",
        params: &["root", "argv", "opts"],
        optional: 1,
        access: Access::Everyone,
        doc: include_str!("doc/host_run.md"),
        example: r#"let root = bootstrap(#{ distro: "debian", release: "bookworm" });
// With `--allow-host-run`.
root.host_run(["du", "-sh", "$ROOT"], #{ about: "how large it is" });"#,
        run: host_run,
    },
    Builtin {
        name: "require_paths",
        params: &["root", "purpose", "paths"],
        optional: 0,
        access: Access::Everyone,
        doc: include_str!("doc/require_paths.md"),
        example: r#"let root = bootstrap(#{ distro: "debian", release: "bookworm" });
root.require_paths("remote logins", [#{ path: "/usr/sbin/sshd", package: "openssh-server", why: "the server" }]);"#,
        run: require_paths,
    },
    Builtin {
        name: "quote",
        params: &["words"],
        optional: 0,
        access: Access::Everyone,
        doc: include_str!("doc/quote.md"),
        example: r#"let line = "echo " + quote("it's");"#,
        run: quote,
    },
    Builtin {
        name: "join",
        params: &["array", "separator"],
        optional: 0,
        access: Access::Everyone,
        doc: include_str!("doc/join.md"),
        example: r#"let line = ["a", "b"].join(", ");"#,
        run: join,
    },
];

/// Options that every command has.
struct Common {
    env: BTreeMap<String, crate::plan::Text>,
    stdin: Option<crate::plan::Text>,
    downloads: Vec<Downloads>,
    scan: OutputScan,
    allow_failure: Option<String>,
    only_if: Option<Vec<String>>,
    about: Option<String>,
}

fn common(fields: &Fields<'_>) -> Outcome<Common> {
    let env = fields.texts("env")?;
    let bad = |name: &&String| {
        name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    if let Some(name) = env.keys().find(bad) {
        let report = fields.refuse(
            "env",
            "env_name",
            format!("`{name}` is no name of a variable"),
        );
        return Err(Box::new(report.help("letters, digits and `_`")));
    }
    let scan = OutputScan {
        fail_on: fields.strings("fail_on")?.unwrap_or_default(),
        ignore: fields.strings("ignore")?.unwrap_or_default(),
    };
    for (field, patterns) in [("fail_on", &scan.fail_on), ("ignore", &scan.ignore)] {
        for pattern in patterns {
            fields.pattern(field, pattern)?;
        }
    }
    Ok(Common {
        env,
        stdin: fields.secret_text("stdin")?,
        downloads: downloads(fields)?,
        scan,
        allow_failure: fields.text("allow_failure")?,
        only_if: fields.command("only_if")?,
        about: fields.text("about")?,
    })
}

fn nspawn_run(call: &Call<'_>) -> Outcome<Dynamic> {
    let root = call.root(0)?;
    let (action, label) = in_root(call, call.fields(2)?, "run", Op::NspawnRun)?;
    step(call, root, "nspawn_run", label, action)
}

/// Seconds that a root has to boot, run its script and shut down, where nothing is said.
const BOOT_SECONDS: u64 = 300;

fn nspawn_boot(call: &Call<'_>) -> Outcome<Dynamic> {
    let root = call.root(0)?;
    let fields = call.fields(2)?;
    let timeout = fields.number("timeout", 1).map_err(|report| {
        let help = format!("it is in seconds: `timeout: {BOOT_SECONDS}`");
        Box::new(report.help(help))
    })?;
    let timeout = timeout.unwrap_or(BOOT_SECONDS);
    for name in ["user", "cwd"] {
        // It is a line of a unit file.
        if fields.text(name)?.is_some_and(|text| text.contains('\n')) {
            let message = format!("`{name}` has a line break in it");
            let report = fields.refuse(name, "line_break", message);
            return Err(Box::new(report.help("write one name or path")));
        }
    }
    let boot = |run| Op::NspawnBoot(NspawnBoot { run, timeout });
    let (action, label) = in_root(call, fields, "boot and run", boot)?;
    step(call, root, "nspawn_boot", label, action)
}

/// A command in a root with all its options, and what to call it.
fn in_root(
    call: &Call<'_>,
    fields: Fields<'_>,
    verb: &str,
    op: impl FnOnce(NspawnRun) -> Op,
) -> Outcome<(Action, String)> {
    let run = nspawn(call, &fields)?;
    let common = common(&fields)?;
    fields.finish()?;
    let run = NspawnRun {
        env: common.env,
        stdin: common.stdin,
        downloads: common.downloads,
        scan: common.scan,
        allow_failure: common.allow_failure,
        ..run
    };
    let label = label(verb, &run.argv);
    let action = Action {
        op: op(run),
        about: common.about,
        only_if: common.only_if,
        calls: Vec::new(),
    };
    Ok((action, label))
}

/// The command of argument 1, and how it is to run.
pub fn nspawn(call: &Call<'_>, fields: &Fields<'_>) -> Outcome<NspawnRun> {
    let cwd = fields.path("cwd")?;
    Ok(NspawnRun {
        argv: call.command(1)?,
        user: fields.text("user")?,
        cwd,
        network: fields.bool("network")?.unwrap_or(true),
        binds: binds(call, fields)?,
        ..NspawnRun::default()
    })
}

/// Folders that a package manager downloads to, kept between builds.
fn downloads(fields: &Fields<'_>) -> Outcome<Vec<Downloads>> {
    let mut downloads = Vec::new();
    for folder in fields.maps("downloads", "#{ pool, path, suffix }")? {
        let pool = folder.required_text("pool")?;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if pool.is_empty() || !pool.chars().all(plain) {
            let message = format!("`{pool}` is no name for a pool of downloads");
            let report = folder.refuse("pool", "pool_name", message);
            return Err(Box::new(report.help("letters, digits, `-` and `_`")));
        }
        let path = folder.path("path")?.ok_or_else(|| folder.missing("path"))?;
        let suffix = folder.required_text("suffix")?;
        folder.finish()?;
        downloads.push(Downloads { pool, path, suffix });
    }
    Ok(downloads)
}

fn binds(call: &Call<'_>, fields: &Fields<'_>) -> Outcome<Vec<Bind>> {
    let mut binds = Vec::new();
    for bind in fields.maps("binds", "#{ host: \"/path\", path: \"/path\" }")? {
        let host = bind.required_text("host")?;
        if !host.starts_with('/') {
            let message = format!("`{host}` does not start with `/`");
            let report = bind.refuse("host", "relative_path", message);
            return Err(Box::new(
                report.help("write the whole path of the host's file or folder"),
            ));
        }
        let path = bind.path("path")?.unwrap_or_else(|| host.clone());
        let read_only = bind.bool("read_only")?.unwrap_or(false);
        bind.finish()?;
        binds.push(Bind {
            host,
            path,
            read_only,
        });
    }
    if !binds.is_empty() && !call.is_from_stdlib() {
        call.granted(
            &Grant::HostRun,
            "wants paths of the host inside of the root",
        )?;
    }
    if !binds.is_empty() && !call.is_from_stdlib() && !call.session.settings.allow_host_run {
        let report = fields.refuse(
            "binds",
            "host_access",
            "the recipe wants paths of the host inside of the root",
        );
        return Err(Box::new(report.help(
            "look at the recipe; if that is right, say `--allow-host-run`",
        )));
    }
    Ok(binds)
}

fn host_run(call: &Call<'_>) -> Outcome<Dynamic> {
    let root = call.root(0)?;
    let argv = call.strings(1)?;
    call.check_argv(&argv, &[Step::Argument(1)])?;
    may_use_the_host(call, "wants to run a command of the host")?;
    let fields = call.fields(2)?;
    let common = common(&fields)?;
    let tools = fields.strings("tools")?.unwrap_or_default();
    fields.finish()?;
    let label = label("run on the host:", &argv);
    let action = Action {
        op: Op::HostRun(HostRun {
            argv,
            tools,
            env: common.env,
            stdin: common.stdin,
            downloads: common.downloads,
            scan: common.scan,
            allow_failure: common.allow_failure,
        }),
        about: common.about,
        only_if: common.only_if,
        calls: Vec::new(),
    };
    step(call, root, "host_run", label, action)
}

/// Refuses what only the stdlib may do without `--allow-host-run`.
pub fn may_use_the_host(call: &Call<'_>, wants: &str) -> Outcome<()> {
    if call.is_from_stdlib() {
        return Ok(());
    }
    call.granted(&Grant::HostRun, wants)?;
    if call.session.settings.allow_host_run {
        return Ok(());
    }
    let report = call.report("host_access", format!("the recipe {wants}"));
    Err(Box::new(
        report
            .label("this would run outside of the root, with your privileges")
            .help("look at the recipe; if that is right, say `--allow-host-run`"),
    ))
}

fn require_paths(call: &Call<'_>) -> Outcome<Dynamic> {
    let root = call.root(0)?;
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
    let action = Action {
        op: Op::RequirePaths(RequirePaths { purpose, paths }),
        about: None,
        only_if: None,
        calls: Vec::new(),
    };
    step(call, root, "require_paths", label, action)
}

/// One operation as a step, or as a part of the open one.
pub fn step(
    call: &Call<'_>,
    root: usize,
    name: &str,
    label: String,
    action: Action,
) -> Outcome<Dynamic> {
    let chain = call.chain();
    call.session.step(
        Some(root),
        name,
        || label,
        &chain,
        || {
            call.session.act(action, &chain);
            Ok(Dynamic::UNIT)
        },
    )
}

fn label(verb: &str, argv: &[String]) -> String {
    let line = match argv {
        [shell, flags, script] if shell == "/bin/sh" && flags == "-euc" => script
            .lines()
            .map(str::trim)
            .find(|line| !line.is_empty())
            .unwrap_or_default()
            .to_owned(),
        argv => command::quote_all(argv),
    };
    format!("{verb} {line}")
}

fn quote(call: &Call<'_>) -> Outcome<Dynamic> {
    let words = call.strings(0)?;
    if words.iter().any(|word| word.contains('\0')) {
        return Err(call.report("nul", "a shell's word cannot hold a NUL character"));
    }
    Ok(command::quote_all(&words).into())
}

fn join(call: &Call<'_>) -> Outcome<Dynamic> {
    let array = call.array(0)?;
    let words = as_strings(&array.into())
        .ok_or_else(|| call.wrong(0, "an array of strings", &call.dynamic(0)))?;
    Ok(words.join(&call.text(1)?).into())
}
