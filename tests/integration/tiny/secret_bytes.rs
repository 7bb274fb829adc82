//! Values of secrets are bytes: what files and commands get, what no variable can hold, and what
//! is shown of them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::support::{Project, stderr};

/// Bytes that look random, the same each time.
fn noise(count: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..count).map(|_| next()).collect()
}

fn project(steps: &str) -> Project {
    let project = Project::new();
    project.tiny(format!(
        "{steps}\nroot.export(#{{ format: \"dir\", name: \"x\" }});\n"
    ));
    project
}

fn put(project: &Project, name: &str, value: &[u8]) {
    std::fs::write(project.path().join(name), value).unwrap();
}

/// The files below a folder that have some bytes.
fn with_bytes(folder: &Path, bytes: &[u8]) -> Vec<String> {
    let files = walkdir::WalkDir::new(folder).into_iter().flatten();
    let files = files.filter(|file| file.file_type().is_file());
    files
        .filter(|file| {
            let content = std::fs::read(file.path()).unwrap();
            content.windows(bytes.len()).any(|window| window == bytes)
        })
        .map(|file| file.path().display().to_string())
        .collect()
}

#[test]
#[ignore = "run with tests/run tiny"]
fn files_and_standard_input_get_exactly_the_bytes() {
    let project = project(
        r#"for name in ["random", "key", "large"] {
  root.write_file("/" + name, secret(name));
  root.append_file("/" + name + ".appended", "<" + secret(name) + ">");
  root.nspawn_run("cat >/" + name + ".root", #{ stdin: secret(name) });
  root.host_run(script(`cat >"$1"`, #{ arguments: [root.path + "/" + name + ".host"] }), #{ stdin: secret(name) });
}
root.write_file("/variable", secret("variable"));
root.write_file("/line", "key=" + secret("key", #{ trim: true }) + ";");
root.nspawn_run(`printf %s "$A|$B" >/env`, #{ env: #{ A: secret("key"), B: secret("key", #{ trim: true }) } });
root.host_run(script(`printf %s "$A" >"$1"`, #{ arguments: [root.path + "/env.host"] }), #{ env: #{ A: secret("variable") } });"#,
    );
    let key = b"-----BEGIN KEY-----\nc2VjcmV0\r\n\n-----END KEY-----\n".to_vec();
    let values = [
        ("random", noise(1024)),
        ("key", key.clone()),
        ("large", noise(1 << 20)),
    ];
    let mut build = project.build();
    for (name, value) in &values {
        put(&project, name, value);
        build = build.args(["--secret", &format!("{name}={name}")]);
    }
    let variable = b"\xff not UTF-8 \xc3(\n\n";
    build
        .env("ROOTWRIGHT_SECRET_VARIABLE", OsStr::from_bytes(variable))
        .success();
    let read = |name: &str| std::fs::read(project.out().join("x/root").join(name)).unwrap();
    for (name, value) in &values {
        for end in ["", ".root", ".host"] {
            assert!(read(&format!("{name}{end}")) == *value, "{name}{end}");
        }
        let appended = [b"<", value.as_slice(), b">"].concat();
        assert!(read(&format!("{name}.appended")) == appended, "{name}");
    }
    assert_eq!(read("variable"), variable);
    assert_eq!(read("env.host"), variable);
    let line = key.strip_suffix(b"\n").unwrap();
    assert_eq!(read("line"), [b"key=", line, b";"].concat());
    assert_eq!(read("env"), [key.as_slice(), b"|", line].concat());
}

/// Each is said before anything runs, with its line and what to do.
#[test]
#[ignore = "run with tests/run tiny"]
fn what_no_variable_can_hold_is_refused_before_a_build() {
    let long = "the variable `K` is too long";
    let run = r#"root.nspawn_run("true", #{ env: #{ K: "k=" + secret("key") } });"#;
    let on_host = r#"root.host_run(["true"], #{ env: #{ K: secret("key") } });"#;
    let boot = r#"root.nspawn_boot("true", #{ env: #{ K: secret("key") } });"#;
    let many = r#"let env = #{};
for n in 0..20 { env["K" + n] = secret("key"); }
root.nspawn_run("true", #{ env: env });"#;
    let kib = 1 << 10;
    for (steps, value, message, cause) in [
        (
            run,
            b"a\0b".to_vec(),
            "the variable `K` cannot hold its value: it has a NUL byte",
            "a NUL byte ends a variable",
        ),
        (
            on_host,
            b"\0".to_vec(),
            "the variable `K` cannot hold its value: it has a NUL byte",
            "a NUL byte ends a variable",
        ),
        (
            boot,
            b"a\0".to_vec(),
            "the variable `K` cannot hold its value: it has a NUL byte",
            "a NUL byte ends a variable",
        ),
        (
            run,
            b"\xff".to_vec(),
            "the variable `K` cannot hold its value: it is not UTF-8 text",
            "systemd-nspawn takes only UTF-8 text in variables",
        ),
        (
            run,
            vec![b'x'; 128 * kib],
            long,
            "its value has 131074 bytes, and Linux takes 128 KiB with the name",
        ),
        (
            on_host,
            vec![b'x'; 128 * kib - 2],
            long,
            "its value has 131070 bytes, and Linux takes 128 KiB with the name",
        ),
        (
            many,
            vec![b'x'; 120 * kib],
            "the arguments and variables of the command are too long",
            "and Linux takes 2 MiB",
        ),
    ] {
        let project = project(steps);
        put(&project, "value", &value);
        let output = project.build().args(["--secret", "key=value"]).output();
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        let line = match steps == many {
            true => "recipe.rhai:4:",
            false => "recipe.rhai:2:",
        };
        let help = "root.write_file";
        for part in [message, cause, line, help] {
            assert!(said.contains(part), "no `{part}` in\n{said}");
        }
        let layers = std::fs::read_dir(project.store().join("layers")).unwrap();
        assert_eq!(layers.count(), 0, "{said}");
        assert!(!said.contains("xxxx"), "{said}");
    }
    // What just fits is taken.
    let project = project(on_host);
    put(&project, "value", &vec![b'x'; 128 * kib - 3]);
    project.build().args(["--secret", "key=value"]).success();
}

#[test]
#[ignore = "run with tests/run tiny"]
fn a_file_that_never_ends_is_refused() {
    let project = project(r#"root.write_file("/k", secret("key"));"#);
    let output = project.build().args(["--secret", "key=/dev/zero"]).output();
    let said = stderr(&output);
    for part in [
        "the secret `key` has no value",
        "`/dev/zero` has more than 16 MiB",
        "root.copy_in",
        "recipe.rhai:2:",
    ] {
        assert!(said.contains(part), "no `{part}` in\n{said}");
    }
}

/// Whatever prints a secret, and however: in pieces, in lines, quoted by `set -x`, as a line that
/// is longer than a log's may be.
#[test]
#[ignore = "run with tests/run tiny"]
fn no_log_has_a_line_of_a_secret() {
    let project = project(
        r#"root.nspawn_run(`dd bs=1 count=6 2>/dev/null; sleep 0.3; cat; echo; echo "$K"; printf '%s' "$K" | dd bs=1 count=6 2>/dev/null >&2; sleep 0.3; printf '%s\n' "$K" | dd bs=1 skip=6 2>/dev/null >&2`, #{ stdin: secret("split"), env: #{ K: secret("split") } });
root.nspawn_run("cat; echo; echo end of lines", #{ stdin: secret("lines") });
root.nspawn_run("cat; echo; echo end of cr", #{ stdin: secret("cr") });
root.nspawn_run("cat; echo; echo end of long", #{ stdin: secret("long") });
root.nspawn_run("set -x; : \"$K\" \"$L\" \"x $K y\"", #{ env: #{ K: secret("quoted"), L: secret("lines") } });
root.host_run(script("set -x; : \"$K\" \"$L\" \"x $K y\"", #{ interpreter: ["bash", "-euc"] }), #{ env: #{ K: secret("quoted"), L: secret("lines") } });
root.host_run(script("set -x; : \"$K\" \"$L\" \"x $K y\"; exit 3", #{ interpreter: ["sh", "-euc"] }), #{ env: #{ K: secret("quoted"), L: secret("cr") }, allow_failure: "it ends with 3" });
root.nspawn_run("cat; exit 1", #{ stdin: secret("lines") });"#,
    );
    let letter = |byte: &u8| b'a' + byte % 26;
    let long: Vec<u8> = noise(3 << 19).iter().map(letter).collect();
    let values: [(&str, &[u8]); 5] = [
        ("split", b"split-secret-4711"),
        (
            "lines",
            b"first-line-4711\nsecond line 4711\n\x01third'line\\4711\n",
        ),
        ("cr", b"before-cr-4711\rafter-cr-4711"),
        ("long", &long),
        ("quoted", b"it's a \"quoted\" $ecret '4711'"),
    ];
    let mut build = project.build().arg("-v");
    for (name, value) in values {
        put(&project, name, value);
        build = build.args(["--secret", &format!("{name}={name}")]);
    }
    let output = build.output();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for end in ["end of lines", "end of cr", "end of long", "<secret lines>"] {
        assert!(said.contains(end), "no `{end}` in\n{said}");
    }
    let logs = project.store().join("logs");
    for part in [
        &b"4711"[..],
        b"third",
        b"before-cr",
        b"after-cr",
        b"ecret '",
        &long[..64],
        &long[1 << 20..(1 << 20) + 64],
        &long[long.len() - 64..],
    ] {
        let part_text = String::from_utf8_lossy(part);
        assert_eq!(with_bytes(&logs, part), Vec::<String>::new(), "{part_text}");
        assert!(!said.contains(&*part_text), "{part_text}: {said}");
    }
}

/// The line that is offered in place of one that isn't there.
#[test]
#[ignore = "run with tests/run tiny"]
fn no_error_has_a_line_of_a_secret() {
    let project = project(
        r#"root.write_file("/etc/conf", "password = " + secret("key") + "\n");
root.edit_file("/etc/conf", #{ pattern: "password = nothing-like-it", replacement: "x" });"#,
    );
    put(&project, "value", b"nothing-like-4711");
    let output = project.build().args(["--secret", "key=value"]).output();
    let said = stderr(&output);
    let near = "the nearest line is 1: `password = <secret key>`";
    assert!(said.contains(near) && !said.contains("4711"), "{said}");
}
