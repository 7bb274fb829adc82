//! What can be known before a build: against archives that the tests make and sign
//! themselves, with a throw-away key. Root privileges, gpg and dpkg-dev; no network.

use std::process::{Command, Output};

use crate::support::archive::Archive;
use crate::support::{Project, run, stderr, stdout};

/// The doctor's list says `state` of the archives, and the report holds `words`.
#[track_caller]
fn found(output: &Output, words: &[&str]) {
    let (list, reports) = (stdout(output), stderr(output));
    assert_eq!(output.status.code(), Some(1), "{list}{reports}");
    assert!(
        list.contains("wrong    the archives of debian bookworm"),
        "{list}"
    );
    for word in words {
        assert!(reports.contains(word), "no `{word}` in\n{reports}");
    }
}

#[test]
#[ignore = "run with tests/run distro"]
fn a_good_archive_is_good() {
    let archive = Archive::new();
    let output = archive.doctor(
        "",
        r#""hello", "greeting", "salute", "hello:amd64", "hello=1""#,
    );
    assert!(
        output.status.success(),
        "{}{}",
        stdout(&output),
        stderr(&output)
    );
    assert!(stdout(&output).contains("ok       the archives of debian bookworm"));
    assert_eq!(
        stdout(&output).matches("ok       ").count(),
        7,
        "{}",
        stdout(&output)
    );
}

#[test]
#[ignore = "run with tests/run distro"]
fn a_host_without_the_archives_compressor_says_so() {
    // As mirrors do: the plain list is named in Release, and only the packed one is there.
    let archive = Archive::new();
    let packed = archive.project.write(
        "archive/dists/bookworm/main/binary-amd64/Packages.xz",
        "not looked into",
    );
    let sum = stdout(&run(Command::new("sha256sum").arg(&packed)));
    let digest = sum.split_whitespace().next().unwrap();
    archive.release(&format!(
        "SHA256:\n {digest} 15 main/binary-amd64/Packages.xz\n"
    ));
    std::fs::remove_file(archive.path("archive/dists/bookworm/main/binary-amd64/Packages"))
        .unwrap();
    let output = archive.doctor("", r#""hello""#);
    let said = "nothing can be read in main/binary-amd64/Packages.xz";
    assert!(output.status.success() && stdout(&output).contains(said));
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-euc"])
        .arg(r#"mkdir without; mknod without/xz c 0 0; mount -t overlay overlay -o lowerdir=without:/usr/bin /usr/bin; exec "$@""#)
        .args(["sh", env!("CARGO_BIN_EXE_rootwright")])
        .args(["--store", "store", "doctor", "recipe.rhai"])
        .current_dir(archive.project.path())
        .output()
        .unwrap();
    let list = stdout(&output);
    assert!(output.status.success(), "{list}{}", stderr(&output));
    let said = "this host has no xz to read their list with";
    assert!(list.contains(said), "{list}");
}

#[test]
#[ignore = "run with tests/run distro"]
fn a_key_that_the_keyring_lacks() {
    let archive = Archive::new();
    archive.key("other");
    std::fs::copy(archive.path("other.gpg"), archive.path("archive.gpg")).unwrap();
    found(
        &archive.doctor("", r#""hello""#),
        &[
            "a key that the keyring lacks has signed bookworm of file://",
            "recipe.rhai:1:",
            "archive.gpg` has no key ",
            "bring the keyring up to date, or name the archive's own",
        ],
    );
}

#[test]
#[ignore = "run with tests/run distro"]
fn a_file_that_was_changed_after_it_was_signed() {
    let archive = Archive::new();
    let path = archive.path("archive/dists/bookworm/InRelease");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("Origin: Made", "Origin: Evil")).unwrap();
    found(
        &archive.doctor("", r#""hello""#),
        &[
            "the signature of bookworm of file://",
            " is wrong",
            "take another mirror",
        ],
    );
}

#[test]
#[ignore = "run with tests/run distro"]
fn an_archive_that_has_expired() {
    let archive = Archive::new();
    archive.release("Valid-Until: Mon, 02 Nov 2020 10:00:00 UTC\n");
    found(
        &archive.doctor("", r#""hello""#),
        &[
            "bookworm of file://",
            "has expired",
            "it was valid until Mon, 02 Nov 2020",
            "and this host's clock says ",
            r#"say why this one will do with `allow_expired: "why"`"#,
        ],
    );
    let output = archive.doctor(r#", allow_expired: "it has stopped""#, r#""hello""#);
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
#[ignore = "run with tests/run distro"]
fn a_suite_a_component_an_architecture_that_are_not_there() {
    let archive = Archive::new();
    found(
        &archive.doctor(r#", components: ["main", "contrib"]"#, r#""hello""#),
        &[
            "there is no component `contrib` in bookworm of",
            "it has main",
        ],
    );
    let hello = std::fs::read_to_string(archive.path("recipe.rhai")).unwrap();
    let updates = hello
        .replace("updates: false", "updates: true")
        .replace(r#", "contrib""#, "");
    archive.project.write("recipe.rhai", &updates);
    let output = archive.command(&["doctor", "recipe.rhai"]).output();
    found(
        &output,
        &[
            "the mirror has no release `bookworm-updates`",
            "InRelease is not there",
        ],
    );
    let text = std::fs::read_to_string(archive.path("recipe.rhai")).unwrap();
    archive.project.write(
        "recipe.rhai",
        &text
            .replace(r#""amd64""#, r#""s390x""#)
            .replace("updates: true", "updates: false"),
    );
    let output = archive.command(&["doctor", "recipe.rhai"]).output();
    found(
        &output,
        &[
            "there are no packages for the architecture `s390x` in bookworm",
            "it has amd64 all",
        ],
    );
    // Neither can this host run its programs.
    let said = stderr(&output);
    assert!(
        said.contains("this host cannot run programs for s390x")
            && said.contains("qemu-user-static"),
        "{said}"
    );
    archive.project.write("archive/dists/bookworm/Release", "");
    let wrong = std::fs::read_to_string(archive.path("archive/dists/bookworm/InRelease")).unwrap();
    std::fs::create_dir_all(archive.path("archive/dists/trixie")).unwrap();
    std::fs::write(archive.path("archive/dists/trixie/InRelease"), wrong).unwrap();
    let text = std::fs::read_to_string(archive.path("recipe.rhai")).unwrap();
    archive.project.write(
        "recipe.rhai",
        &text.replace("s390x", "amd64").replace("bookworm", "trixie"),
    );
    let output = archive.command(&["doctor", "recipe.rhai"]).output();
    let said = stderr(&output);
    assert!(
        output.status.success() && said.contains("the mirror's `trixie` calls itself `bookworm`"),
        "{said}"
    );
}

#[test]
#[ignore = "run with tests/run distro"]
fn a_package_that_does_not_exist_is_underlined() {
    let archive = Archive::new();
    let output = archive.doctor("", r#""hello", "openssh-sever""#);
    found(
        &output,
        &[
            "there is no package `openssh-sever`",
            "recipe.rhai:2:24",
            "did you mean `openssh-server`?",
        ],
    );
    // Every build looks, before its first step.
    let build = archive.command(&["build", "recipe.rhai"]).output();
    let said = stderr(&build);
    assert_eq!(build.status.code(), Some(1));
    assert!(
        said.contains("there is no package `openssh-sever`"),
        "{said}"
    );
    assert!(
        !said.contains("bootstrap debian bookworm, amd64 runs"),
        "{said}"
    );
    // Where the recipe may have added an archive, nobody can say.
    let recipe = std::fs::read_to_string(archive.path("recipe.rhai")).unwrap();
    for step in [
        r#"root.write_file("/etc/apt/sources.list.d/more.sources", "");
"#,
        r#"root.nspawn_run(["true"]);
"#,
    ] {
        let recipe = recipe.replace("root.install", &format!("{step}root.install"));
        archive.project.write("recipe.rhai", &recipe);
        let output = archive.command(&["doctor", "recipe.rhai"]).output();
        let list = stdout(&output);
        assert!(output.status.success(), "{list}{}", stderr(&output));
        let said = "there is no package `openssh-sever`, but step 2 may add others";
        assert!(list.contains(said), "{list}");
    }
    archive.project.write("recipe.rhai", &recipe);
    // As data, for editors.
    let json = archive
        .command(&["--error-format", "json", "doctor", "recipe.rhai"])
        .output();
    let lines = stdout(&json);
    let line = lines
        .lines()
        .find(|line| line.contains("the archives"))
        .unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(line["state"], "wrong");
}

#[test]
#[ignore = "run with tests/run distro"]
fn without_a_network_it_says_what_it_did_not_check() {
    let project = Project::new();
    project.write(
        "recipe.rhai",
        r#"let root = bootstrap(#{ distro: "debian", release: "bookworm", mirror: "http://mirror.example.org/debian" });
root.install(["no-such-package"]);
"#,
    );
    let output = Command::new("unshare")
        .arg("--net")
        .arg(env!("CARGO_BIN_EXE_rootwright"))
        .args(["--store", "store", "doctor", "recipe.rhai"])
        .current_dir(project.path())
        .output()
        .unwrap();
    let list = stdout(&output);
    assert!(output.status.success(), "{list}{}", stderr(&output));
    assert!(
        list.contains("unknown  the archives of debian bookworm: bookworm, bookworm-updates of http://mirror.example.org/debian: Could not resolve host"),
        "{list}"
    );
}

#[test]
#[ignore = "run with tests/run distro"]
fn all_that_is_wrong_with_the_host_is_said_at_once_and_a_cure_with_it() {
    let project = Project::new();
    project.write("out/x/mine", "mine");
    project.write(
        "recipe.rhai",
        r#"let root = bootstrap(#{ distro: "tiny" });
root.write_file("/k", secret("key"));
root.host_run(["no-such-tool"]);
root.export(#{ format: "dir", name: "x" });
"#,
    );
    let mut command = crate::support::rootwright();
    command.current_dir(project.path());
    let output = command
        .args([
            "--store",
            "store",
            "doctor",
            "recipe.rhai",
            "--allow-host-run",
        ])
        .output()
        .unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for word in [
        "this host lacks one thing that is needed",
        "`no-such-tool`",
        "the secret `key` has no value",
        "--secret key=FILE",
        "ROOTWRIGHT_SECRET_KEY",
        "was not made by rootwright",
    ] {
        assert!(said.contains(word), "no `{word}` in\n{said}");
    }
}

#[test]
#[ignore = "run with tests/run distro"]
fn one_good_signature_of_several_is_enough() {
    let archive = Archive::new();
    // While a distro changes its keys, it signs with the old and the new one.
    archive.key("next");
    let release = archive.path("archive/dists/bookworm/Release");
    let signed = archive.path("archive/dists/bookworm/InRelease");
    run(archive
        .gpg()
        .args(["--local-user", "next", "--local-user", "archive"])
        .args(["--clear-sign", "--output"])
        .arg(&signed)
        .arg(&release));
    let output = archive.doctor("", r#""hello""#);
    assert!(output.status.success(), "{}", stderr(&output));
    // A signature in a file of its own, and a keyring as text, are as good.
    std::fs::remove_file(&signed).unwrap();
    run(archive
        .gpg()
        .args(["--local-user", "archive", "--detach-sign", "--output"])
        .arg(release.with_extension("gpg"))
        .arg(&release));
    let keys = run(archive.gpg().args(["--armor", "--export", "archive"]));
    std::fs::write(archive.path("archive.gpg"), keys.stdout).unwrap();
    let output = archive.doctor("", r#""hello""#);
    assert!(output.status.success(), "{}", stderr(&output));
    let list = stdout(&output);
    assert!(!list.contains("unknown"), "{list}");
}

#[test]
#[ignore = "run with tests/run distro"]
fn names_that_mean_several_packages_are_left_to_the_package_manager() {
    let archive = Archive::new();
    let names = r#""hel*", "^open.*", "task^", "hello-", "hello/bookworm", "other:i386""#;
    let output = archive.doctor("", names);
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
#[ignore = "run with tests/run distro"]
fn a_check_that_does_not_end_is_ended() {
    let project = Project::new();
    let stdlib = project.path().join("stdlib");
    run(Command::new("cp")
        .arg("-r")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/stdlib"))
        .arg(&stdlib));
    std::fs::write(
        stdlib.join("host/foreign.sh"),
        r#"echo '{"unknown":"the first half"}'
echo nonsense
sleep 4711
"#,
    )
    .unwrap();
    project.write(
        "recipe.rhai",
        r#"let root = bootstrap(#{ distro: "debian", release: "bookworm", arch: "arm64", mirror: "file:///nowhere" });"#,
    );
    let output = crate::support::rootwright()
        .current_dir(project.path())
        .args([
            "--store",
            "store",
            "--stdlib",
            "stdlib",
            "build",
            "recipe.rhai",
        ])
        .output()
        .unwrap();
    let said = stderr(&output);
    for part in [
        "programs for aarch64 on this host: the first half",
        "programs for aarch64 on this host: no answer within 8 seconds",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(
        crate::support::processes_with("sleep 4711"),
        Vec::<String>::new()
    );
}

#[test]
#[ignore = "run with tests/run distro"]
fn room_for_exports_is_looked_at() {
    let project = Project::new();
    project.write(
        "recipe.rhai",
        r#"let root = bootstrap(#{ distro: "tiny" });
root.export(#{ format: "dir", name: "x" });
"#,
    );
    std::fs::create_dir(project.out()).unwrap();
    let program = env!("CARGO_BIN_EXE_rootwright");
    let script = format!(
        "mount -t tmpfs -o size=8m none out && exec {program} --store store doctor recipe.rhai --allow-host-run"
    );
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c", &script])
        .current_dir(project.path())
        .output()
        .unwrap();
    let list = stdout(&output);
    assert!(output.status.success(), "{list}{}", stderr(&output));
    let said = "unknown  space for exports: 8 MiB are free, up to 1024 may be needed";
    assert!(list.contains(said), "{list}");
}

/// Neither shell nor shellcheck has anything to say of what checks run.
#[test]
#[ignore = "run with tests/run distro"]
fn the_scripts_of_checks_are_sound() {
    for script in [
        "package/check.sh",
        "package/apt-archive.sh",
        "package/repositories.sh",
        "host/foreign.sh",
    ] {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/stdlib");
        run(Command::new("shellcheck").arg(format!("{path}/{script}")));
    }
}

/// A host tool that the table knows is installed by `--fix`, for real: in a root of its
/// own, whose package manager is a script that does what the real one would.
#[test]
#[ignore = "run with tests/run distro"]
fn fix_installs_what_is_missing() {
    let project = Project::new();
    let stdlib = project.path().join("stdlib");
    run(Command::new("cp")
        .arg("-r")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/stdlib"))
        .arg(&stdlib));
    let bin = project.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    let tool = bin.join("made-tool").display().to_string();
    let table = std::fs::read_to_string(stdlib.join("host/tools.toml")).unwrap();
    let id = std::fs::read_to_string("/etc/os-release").unwrap();
    assert!(id.contains("debian"), "the test's table is for this family");
    let table = table
        .replace(
            r#"install = ["apt-get", "install", "-y", "--no-install-recommends"]"#,
            &text!(r#"install = ["cp", "/bin/true", "{tool}"]"#, tool),
        )
        .replace(
            r#"refresh = ["apt-get", "update"]
"#,
            "",
        )
        .replace(
            "[tools]\n",
            &text!(
                r#"[tools]
"{tool}" = { debian = "--force" }
"#,
                tool
            ),
        );
    std::fs::write(stdlib.join("host/tools.toml"), table).unwrap();
    project.write(
        "recipe.rhai",
        &text!(
            r#"let root = bootstrap(#{ distro: "tiny" });
root.host_run(["{tool}"]);
"#,
            tool
        ),
    );
    let doctor = |fix: &[&str]| {
        let mut command = crate::support::rootwright();
        command.current_dir(project.path());
        command
            .args([
                "--store",
                "store",
                "--stdlib",
                "stdlib",
                "doctor",
                "recipe.rhai",
                "--allow-host-run",
            ])
            .args(fix)
            .output()
            .unwrap()
    };
    let before = doctor(&[]);
    assert!(
        stderr(&before).contains("made-tool`") && stderr(&before).contains("next: cp /bin/true"),
        "{}",
        stderr(&before)
    );
    let after = doctor(&["--fix"]);
    assert!(
        after.status.success(),
        "{}{}",
        stdout(&after),
        stderr(&after)
    );
    assert!(
        stderr(&after).contains("installing host tools: cp /bin/true"),
        "{}",
        stderr(&after)
    );
    assert!(doctor(&[]).status.success());
}
