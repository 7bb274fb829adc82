//! Libraries from git: added, pinned, updated, vendored; and what a hostile one may not do.
//! Every refusal is held to its message, its line and its help.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Project, git, rootwright, run, stderr, stdout};

const BASE: &str = r#"//! Networks.
import "parts/names" as names;
fn hosts(root) { root.append_file("/etc/hosts", names::line("head")); }
"#;
const NAMES: &str = r#"fn line(name) { "192.0.2.1 " + name + "\n" }
"#;
const RECIPE: &str = r#"//! One.
import "@net/base" as net;
let root = bootstrap(#{ distro: "tiny", release: "1" });
net::hosts(root);
"#;

/// A recipe repository, and the git repository of a library beside it.
struct Site {
    recipes: Project,
}

impl Site {
    fn new() -> Self {
        let site = Site {
            recipes: Project::new(),
        };
        site.recipes.write("rootwright.toml", "name = \"x\"\n");
        site.recipes.write("node.rhai", RECIPE);
        std::fs::create_dir(site.library()).unwrap();
        site.git(&["init", "--quiet", "--initial-branch=main"]);
        site.put("base.rhai", BASE);
        site.put("parts/names.rhai", NAMES);
        site.commit("v1");
        site
    }

    fn library(&self) -> PathBuf {
        self.recipes.beside().join("net")
    }

    fn put(&self, name: &str, text: &str) {
        let path = self.library().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn git(&self, arguments: &[&str]) -> String {
        git(&self.library(), arguments)
    }

    /// Commits everything, under a tag.
    fn commit(&self, tag: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", tag]);
        self.git(&["tag", "--force", tag]);
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = rootwright();
        command
            .current_dir(self.recipes.path())
            .env("HOME", self.recipes.beside())
            .env("XDG_CACHE_HOME", self.recipes.beside().join("cache"))
            .env("ROOTWRIGHT_STORE", self.recipes.store())
            .args(arguments);
        command
    }

    #[track_caller]
    fn succeeds(&self, arguments: &[&str]) -> String {
        stdout(&run(&mut self.command(arguments)))
    }

    /// Standard error of a command that fails and says all of `parts`.
    #[track_caller]
    fn fails(&self, arguments: &[&str], parts: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        // Long messages are broken into lines.
        let said = stderr(&output).replace("\n  | ", " ");
        assert_eq!(output.status.code(), Some(1), "{said}{}", stdout(&output));
        for part in parts {
            assert!(said.contains(part), "{part:?} in:\n{said}");
        }
        said
    }

    #[track_caller]
    fn plan(&self) -> String {
        self.succeeds(&["plan", "node", "--allow-host-run"])
    }

    fn add(&self) {
        let address = self.library();
        self.succeeds(&["add", address.to_str().unwrap(), "--tag", "v1"]);
    }

    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.recipes.path().join(name)).unwrap_or_default()
    }

    /// The copies of libraries in the store.
    fn copies(&self) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(self.recipes.store().join("libraries")) else {
            return Vec::new();
        };
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    fn forget_copies(&self) {
        let _ = std::fs::remove_dir_all(self.recipes.store());
    }
}

#[test]
fn a_library_is_added_pinned_and_used_offline() {
    let site = Site::new();
    let address = site.library();
    let added = site.succeeds(&["add", address.to_str().unwrap(), "--tag", "v1"]);
    let commit = site.git(&["rev-parse", "v1"]);
    assert_eq!(
        added,
        format!(
            "added the library `net`: v1, {}\n  import \"@net/base\" as base;\n  import \"@net/parts/names\" as names;\n",
            &commit[..12]
        )
    );
    let config = site.file("rootwright.toml");
    assert_eq!(
        config,
        format!(
            "name = \"x\"\n\n[libraries.net]\ngit = \"{}\"\ntag = \"v1\"\n",
            address.display()
        )
    );
    let lock = site.file("rootwright.lock");
    assert!(
        lock.contains(&text!(r#"commit = "{commit}""#, commit)),
        "{lock}"
    );
    // Neither the repository nor git is needed any more.
    std::fs::rename(&address, site.recipes.beside().join("gone")).unwrap();
    let output = site
        .command(&["plan", "node", "--allow-host-run"])
        .env("PATH", "/nonexistent")
        .output()
        .unwrap();
    let plan = stdout(&output);
    assert!(plan.contains("192.0.2.1 head"), "{plan}{}", stderr(&output));
    assert!(
        plan.contains(&format!("libraries @net = {}", address.display())),
        "{plan}"
    );
    assert!(plan.contains("node.rhai:4 → @net/base.rhai:3"), "{plan}");
    let json = site.succeeds(&["plan", "node", "--allow-host-run", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["libraries"][0]["commit"], commit.as_str());
    assert_eq!(json["libraries"][0]["version"], "v1");
    site.fails(
        &["add", "../net"],
        &[
            "there is a library `net` already",
            "help: `rootwright update net` fetches what is new",
        ],
    );
}

#[test]
fn a_path_is_named_from_the_repository() {
    let site = Site::new();
    let below = site.recipes.path().join("distro");
    run(site.command(&["add", "../../net"]).current_dir(below));
    let written = r#"git = "../net""#;
    assert!(site.file("rootwright.toml").contains(written));
    site.forget_copies();
    site.plan();
}

#[test]
fn what_is_pinned_is_fetched_where_there_is_no_copy() {
    let site = Site::new();
    site.add();
    site.forget_copies();
    let output = run(&mut site.command(&["plan", "node", "--allow-host-run"]));
    let said = stderr(&output);
    assert!(
        said.starts_with("fetching the library `net` from "),
        "{said}"
    );
    assert_eq!(
        stderr(&run(&mut site.command(&[
            "plan",
            "node",
            "--allow-host-run"
        ]))),
        ""
    );
    // Somebody whom the store is not for has a cache.
    site.forget_copies();
    let store = site.recipes.write("no-folder", "");
    run(site
        .command(&["plan", "node", "--allow-host-run"])
        .env("ROOTWRIGHT_STORE", store.join("store")));
    let cache = site.recipes.beside().join("cache/rootwright/libraries");
    assert_eq!(std::fs::read_dir(cache).unwrap().count(), 1);
    let output = site
        .command(&["plan", "node", "--allow-host-run"])
        .env("ROOTWRIGHT_STORE", store.join("store"))
        .env("XDG_CACHE_HOME", store.join("cache"))
        .output()
        .unwrap();
    let said = stderr(&output);
    for part in [
        "the library `net` cannot be used: no folder for libraries can be written to",
        "[node.rhai:2:8]",
        "help: give `--store` a folder that you may write to, or set XDG_CACHE_HOME",
    ] {
        assert!(said.contains(part), "{part} in:\n{said}");
    }
}

#[test]
fn updates_follow_the_branch_and_say_from_where_to_where() {
    let site = Site::new();
    let address = site.library();
    site.succeeds(&["add", address.to_str().unwrap()]);
    let first = site.git(&["rev-parse", "HEAD"]);
    assert_eq!(site.succeeds(&["update"]), "net: nothing new\n");
    site.put("parts/names.rhai", &NAMES.replace("192.0.2.1", "192.0.2.2"));
    site.commit("v2");
    let second = site.git(&["rev-parse", "HEAD"]);
    // Nothing changes before somebody says so.
    assert!(site.plan().contains("192.0.2.1 head"));
    assert_eq!(
        site.succeeds(&["update", "net"]),
        format!("net: {} -> {}\n", &first[..12], &second[..12])
    );
    assert!(site.plan().contains("192.0.2.2 head"));
    site.fails(
        &["update", "nte"],
        &["there is no library `nte`", "help: did you mean `net`?"],
    );
    // A commit's beginning will do, and stays.
    let config = site.file("rootwright.toml");
    site.recipes.write(
        "rootwright.toml",
        &format!("{config}rev = \"{}\"\n", &first[..10]),
    );
    site.fails(
        &["plan", "node"],
        &[
            "rootwright.toml asks for another `net` than the one that rootwright.lock pins",
            "[node.rhai:2:8]",
            "help: `rootwright update net` fetches it and pins it",
        ],
    );
    site.succeeds(&["update"]);
    assert!(site.plan().contains("192.0.2.1 head"));
    // What is no library any more loses its pin.
    site.recipes.write("rootwright.toml", "name = \"x\"\n");
    site.succeeds(&["update"]);
    assert!(!site.file("rootwright.lock").contains("net"));
}

#[test]
fn a_vendored_library_needs_nothing_else() {
    let site = Site::new();
    let address = site.library();
    site.put(".gitattributes", "* text eol=crlf\n");
    site.put(".github/workflows/x.yml", "on: push\n");
    site.commit("v1");
    site.succeeds(&["add", address.to_str().unwrap()]);
    assert_eq!(
        site.succeeds(&["vendor"]),
        "vendor/net is a copy of the library\n"
    );
    assert_eq!(
        site.succeeds(&["vendor"]),
        "vendor/net is as it should be\n"
    );
    // What git would heed in this repository is not in it.
    let vendored = site.recipes.path().join("vendor/net");
    let mut names: Vec<String> = std::fs::read_dir(&vendored)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["base.rhai", "parts"]);
    site.forget_copies();
    let gone = site.recipes.beside().join("gone");
    std::fs::rename(&address, &gone).unwrap();
    site.plan();
    // Its modules are neither recipes nor tests of the repository.
    assert!(!site.succeeds(&["list"]).contains("vendor"));
    std::fs::rename(&gone, &address).unwrap();
    site.put("parts/names.rhai", &NAMES.replace("192.0.2.1", "192.0.2.2"));
    site.commit("v2");
    site.succeeds(&["update"]);
    assert!(site.plan().contains("192.0.2.2 head"));
    std::fs::write(vendored.join("extra.rhai"), "").unwrap();
    site.fails(
        &["plan", "node"],
        &[
            "the copy of the library `net` is not what rootwright.lock pins",
            "[node.rhai:2:8]",
            "rm -r vendor/net",
        ],
    );
    site.succeeds(&["vendor"]);
    site.plan();
}

#[test]
fn nothing_of_a_library_runs_while_it_is_fetched() {
    let site = Site::new();
    let marker = site.recipes.beside().join("ran");
    let touch = format!("touch {}", marker.display());
    // Whatever the library's repository says of itself, and what is in it.
    let hook = format!("#!/bin/sh\n{touch}\n");
    for name in [
        "post-checkout",
        "post-merge",
        "reference-transaction",
        "pre-auto-gc",
    ] {
        let path = site.library().join(".git/hooks").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &hook).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .unwrap();
    }
    site.git(&["update-index", "--refresh"]);
    let _ = std::fs::remove_file(&marker);
    site.put(
        ".gitattributes",
        "*.rhai filter=run diff=run export-subst\n",
    );
    site.put(
        ".gitmodules",
        "[submodule \"sub\"]\n\tpath = sub\n\turl = https://git.example.org/sub\n",
    );
    site.git(&["config", "uploadpack.packObjectsHook", &touch]);
    site.git(&["add", "--all"]);
    let head = site.git(&["rev-parse", "HEAD"]);
    site.git(&[
        "update-index",
        "--add",
        "--cacheinfo",
        &format!("160000,{head},sub"),
    ]);
    site.git(&[
        "-c",
        "core.hooksPath=/dev/null",
        "commit",
        "--quiet",
        "--message",
        "v2",
    ]);
    site.git(&["-c", "core.hooksPath=/dev/null", "tag", "v2"]);
    // The person's own configuration has such a filter, and opens a protocol.
    std::fs::write(
        site.recipes.beside().join(".gitconfig"),
        format!("[filter \"run\"]\n\tsmudge = {touch}\n\tclean = {touch}\n[protocol \"ext\"]\n\tallow = always\n[core]\n\thooksPath = {}\n", site.library().join(".git/hooks").display()),
    )
    .unwrap();
    let _ = std::fs::remove_file(&marker);
    let address = site.library();
    let output = run(&mut site.command(&["add", address.to_str().unwrap(), "--tag", "v2"]));
    assert_eq!(stderr(&output), "its submodule `sub` is left out\n");
    site.plan();
    assert!(!marker.exists());
    for helper in [format!("ext::sh -c {touch}"), "--upload-pack=x".to_owned()] {
        site.fails(
            &["add", "--name", "other", "--", &helper],
            &["is no address of a library", "help: `https://HOST/PATH`"],
        );
    }
    // Also where git would be led there.
    std::fs::write(
        site.recipes.beside().join(".gitconfig"),
        format!("[url \"ext::sh -c {touch} \"]\n\tinsteadOf = https://git.example.org/\n[protocol \"ext\"]\n\tallow = always\n"),
    )
    .unwrap();
    site.fails(
        &["add", "https://git.example.org/other"],
        &[
            "the library `other` cannot be used: `git fetch` failed",
            "transport 'ext' not allowed",
        ],
    );
    assert!(!marker.exists());
    site.fails(
        &["add", "https://me:hunter2@git.example.org/other"],
        &[
            "one with a password in it",
            "help: rootwright.toml is read by others",
        ],
    );
}

#[test]
fn what_git_cannot_do_is_said() {
    let site = Site::new();
    let address = site.library();
    let address = address.to_str().unwrap();
    let output = site
        .command(&["add", address])
        .env("PATH", "/nonexistent")
        .output()
        .unwrap();
    assert_eq!(
        stderr(&output),
        "  x the library `net` cannot be used: libraries are fetched with git, and there is no git here\n  help: install the package `git`; a library that is in `vendor/` or was fetched before needs none\n"
    );
    site.fails(
        &["add", address, "--tag", "v9"],
        &[
            "`git fetch` failed",
            "cause: fatal: couldn't find remote ref refs/tags/v9",
            "help: look at the address",
        ],
    );
    site.fails(
        &["add", address, "--name", "Ne t"],
        &[
            "`Ne t` is no name for a library",
            "help: give it one with `--name`",
        ],
    );
    assert_eq!(
        site.file("rootwright.toml"),
        r#"name = "x"
"#
    );
    assert_eq!(site.copies(), Vec::<PathBuf>::new());
    site.recipes.write("rootwright.lock", "version = 9\n");
    site.fails(
        &["update"],
        &[
            "`rootwright.lock` has version 9, and this rootwright knows version 1",
            "help: take it from version control again",
        ],
    );
}

/// A library that has `base.rhai` as given, and a recipe that calls its `f(root)`.
fn hostile(base: &str) -> Site {
    let site = Site::new();
    site.put("base.rhai", base);
    site.put("secret.txt", "mine\n");
    site.commit("v1");
    site.add();
    site.recipes.write(
        "node.rhai",
        &RECIPE.replace("net::hosts(root)", "net::f(root)"),
    );
    site
}

#[test]
fn a_hostile_library_is_refused_with_its_line() {
    let grant = |name: &str| {
        text!(
            r#"help: look at the library; if that is right, grant it in rootwright.toml, below `[libraries.net]`: grants = ["{name}"]"#,
            name
        )
    };
    let (paths, commands) = (&*grant("host_paths"), &*grant("host_run"));
    let (tools, bootstrap) = (&*grant("host_tools"), &*grant("bootstrap"));
    for (base, parts) in [
        // It reads the host's files.
        (
            r#"fn f(root) { root.copy_in("/etc/passwd", "/x"); }"#,
            [
                "`/etc/passwd` is outside of the library `net`",
                "@net/base.rhai:1:",
                "help: files that a library copies stand in it",
            ]
            .as_slice(),
        ),
        (
            r#"fn f(root) { root.copy_in("../../../etc/passwd", "/x"); }"#,
            &[
                "is outside of the library `net`",
                "@net/base.rhai:1:",
                "help: ",
            ],
        ),
        (
            r#"fn f(root) { root.write_file("/x", host_read("/etc/passwd")); }"#,
            &[
                "`host_read` is for modules of the stdlib",
                "@net/base.rhai:1:",
                "help: what a recipe needs of the host",
            ],
        ),
        (
            r#"fn f(root) { root.copy_in(fetch("file:///etc/passwd", #{ sha256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" }), "/x"); }"#,
            &[
                "the library `net` wants to read the host's `/etc/passwd`, and has no grant for it",
                "@net/base.rhai:1:",
                paths,
            ],
        ),
        (
            r#"fn f(root) { root.nspawn_run(["true"], #{ binds: [#{ host: "/etc", path: "/mnt" }] }); }"#,
            &[
                "the library `net` wants the host's `/etc` inside the root, and has no grant for it",
                "@net/base.rhai:1:",
                paths,
            ],
        ),
        (
            r#"fn f(root) { root.write_file("/x", file_text("../../../etc/passwd")); }"#,
            &[
                "is outside of the library `net`",
                "@net/base.rhai:1:",
                "help: files that a library copies stand in it",
            ],
        ),
        (
            r#"import "archive" as archive;
fn f(root) { archive::unpack(root, "/etc/passwd", "/x"); }"#,
            &["is outside of the library `net`", "@net/base.rhai:2:"],
        ),
        // It runs commands of the host.
        (
            r#"fn f(root) { root.host_run(["id"]); }"#,
            &[
                "the library `net` wants to run a command of the host, `id`, and has no grant for it",
                "@net/base.rhai:1:",
                commands,
            ],
        ),
        (
            r#"fn f(root) { Fn("host_run").call(root, ["id"]); }"#,
            &[
                "the library `net` wants to run a command of the host, `id`, and",
                "@net/base.rhai:1:",
                commands,
            ],
        ),
        (
            r#"fn f(root) { [1].map(|x| root.host_run(["id"])); }"#,
            &[
                "the library `net` wants to run a command of the host, `id`, and",
                "@net/base.rhai:1:",
                commands,
            ],
        ),
        (
            r#"import "diskless" as diskless;
fn f(root) { diskless::special_files(root); }"#,
            &[
                "the library `net` wants to run a command of the host, `find`, and has no grant for it",
                "@net/base.rhai:2:",
                tools,
            ],
        ),
        (
            r#"fn f(root) { bootstrap(#{ distro: "tiny" }); }"#,
            &[
                "the library `net` wants to bootstrap `tiny`, which runs the distro's tool on the host, and has no grant for it",
                "@net/base.rhai:1:",
                bootstrap,
            ],
        ),
        (
            r#"host_run(1, ["id"]);
fn f(root) { }"#,
            &[
                "`root` of `host_run` has to be a root, and is a number",
                "@net/base.rhai:1:",
            ],
        ),
        // It leaves its folder.
        (
            r#"import "../../x" as x;
fn f(root) { }"#,
            &[
                "`../../x` is no module's name",
                "@net/base.rhai:1:",
                "help: a module stands beside the script",
            ],
        ),
        (
            r#"import "distro/debian" as debian;
fn f(root) { debian::bootstrap(root, #{ release: "bookworm" }); }"#,
            &[
                "the library `net` wants to run a command of the host, `mmdebstrap`, and has no grant for it",
                "@net/base.rhai:2:",
                tools,
            ],
        ),
        (
            r#"import "own" as own;
fn f(root) { }"#,
            &[
                "there is no module `own`",
                "@net/base.rhai:1:",
                "help: looked for `own.rhai` in the library and in the stdlib: a library knows no other modules",
            ],
        ),
        (
            r#"import "@other/x" as x;
fn f(root) { }"#,
            &[
                "the library `net` imports `@other/x`, which is another library's",
                "@net/base.rhai:1:",
                "help: a library imports its own modules",
            ],
        ),
        // It wants secrets, or makes them up.
        (
            r#"fn f(root) { root.write_file("/x", "" + secret("door")); }"#,
            &[
                "the library `net` wants the secret `door`, and has no grant for it",
                "@net/base.rhai:1:",
                r#"grants = ["secret:door"]"#,
            ],
        ),
        // It hangs.
        (
            "fn f(root) { loop { } }",
            &[
                "the script ",
                "[node.rhai:4:1]",
                "net::f(root)",
                "help: a loop that does not end?",
            ],
        ),
        (
            r#"let a = []; loop { a.push("x"); }
fn f(root) { }"#,
            &["the script ", "[@net/base.rhai:1:", "help: "],
        ),
    ] {
        let site = hostile(base);
        site.recipes.write("lib/own.rhai", "fn mine() { }\n");
        let said = site.fails(&["plan", "node", "--allow-host-run"], parts);
        assert!(!said.contains("root:x:0:0"), "{said}");
    }
}

#[test]
fn a_secret_is_not_made_up() {
    // The characters that stand around a secret's name while a script runs.
    let site = hostile(
        r#"fn f(root) { root.write_file("/x", "\U000f5ec0door:0000000000000000\U000f5ec1 \U000f5ec0door\U000f5ec1"); }"#,
    );
    let plan = site.plan();
    assert!(
        plan.contains("write /x") && !plan.contains("secrets"),
        "{plan}"
    );
    assert!(!plan.contains("<secret"), "{plan}");
}

#[test]
fn a_library_does_what_it_is_granted_and_the_plan_says_who_asks() {
    let site = hostile(
        r#"fn f(root) {
    root.host_run(["true"]);
    root.write_file("/x", "k=" + secret("door"));
    root.copy_in("secret.txt", "/y");
}
"#,
    );
    let config = site.file("rootwright.toml");
    site.recipes.write(
        "rootwright.toml",
        &text!(
            r#"{config}grants = ["host_run", "secret:door"]
"#,
            config
        ),
    );
    let plan = site.plan();
    for part in [
        "          run true on the host (@net, granted)\n",
        "          use the secret door (@net, granted)\n",
        "secrets   door\n",
        "copy in @net/secret.txt → /y\n",
    ] {
        assert!(plan.contains(part), "{part} in:\n{plan}");
    }
    let json = site.succeeds(&["plan", "node", "--allow-host-run", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let library = &json["libraries"][0];
    assert_eq!(
        library["grants"],
        serde_json::json!(["host_run", "secret:door"])
    );
    let capabilities = json["capabilities"].as_array().unwrap();
    let mut capabilities = capabilities.iter();
    let command = capabilities.find(|one| one["program"] == "true").unwrap();
    assert_eq!(command["kind"], "host_command");
    assert_eq!(command["calls"][1]["span"]["file"], "@net/base.rhai");
    // The command line's flag is the recipe's own affair, and is asked for besides.
    site.fails(
        &["plan", "node"],
        &[
            "the recipe wants to run a command of the host",
            "[node.rhai:3:12]",
            "--allow-host-run",
        ],
    );
}

#[test]
fn links_stay_within_the_library() {
    for (target, refused) in [
        ("../../../etc/passwd", true),
        ("/etc/passwd", true),
        ("nowhere", true),
        ("up/../../x", true),
        ("base.rhai", false),
    ] {
        let site = Site::new();
        std::fs::create_dir(site.library().join("deep")).unwrap();
        symlink("..", site.library().join("deep/up")).unwrap();
        symlink(target, site.library().join("link.rhai")).unwrap();
        site.commit("v1");
        let address = site.library();
        let add = ["add", address.to_str().unwrap()];
        if refused {
            let link = format!(
                "`link.rhai` is a link to `{target}`, which is outside of the library or nowhere"
            );
            site.fails(&add, &[&link, "help: a library's files stay within it"]);
            assert_eq!(site.copies(), Vec::<PathBuf>::new());
        } else {
            site.succeeds(&add);
            site.plan();
        }
    }
}

/// A tree that no checkout could have: a link, and a file that would go through it.
#[test]
fn a_forged_tree_writes_nothing_outside() {
    let site = Site::new();
    let outside = site.recipes.beside().join("outside");
    std::fs::create_dir(&outside).unwrap();
    let blob = |text: &str| {
        site.put("blob", text);
        site.git(&["hash-object", "-w", "blob"])
    };
    let (link, file) = (blob(outside.to_str().unwrap()), blob("fn f() { }\n"));
    let tree = |lines: String| {
        std::fs::write(site.recipes.beside().join("tree"), lines).unwrap();
        let made = Command::new("sh")
            .current_dir(site.library())
            .args(["-c", "git mktree --missing <../tree"])
            .output()
            .unwrap();
        stdout(&made).trim().to_owned()
    };
    let inner = tree(format!("100644 blob {file}\tx.rhai\n"));
    let top = tree(format!(
        "120000 blob {link}\ta\n040000 tree {inner}\ta\n100644 blob {file}\tbase.rhai\n"
    ));
    let commit = site.git(&["commit-tree", &top, "-m", "forged"]);
    site.git(&["branch", "forged", &commit]);
    let address = site.library();
    site.fails(
        &["add", address.to_str().unwrap(), "--branch", "forged"],
        &["the library `net` cannot be used", "help: "],
    );
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);
}

#[test]
fn a_moved_tag_is_refused() {
    let site = Site::new();
    site.add();
    let pinned = site.git(&["rev-parse", "v1"]);
    site.put(
        "parts/names.rhai",
        &NAMES.replace("192.0.2.1", "203.0.113.9"),
    );
    site.commit("v1");
    let found = site.git(&["rev-parse", "v1"]);
    let message = format!(
        "the library `net` cannot be used: the tag `v1` has moved: it was {}, and is {} now",
        &pinned[..12],
        &found[..12]
    );
    let cure = "help: tags of releases do not move: ask whoever maintains it, and look at what changed; if that is right, `rootwright update net --accept-rewritten`";
    site.fails(&["update"], &[&message, cure]);
    // What is pinned and here is used as before; on another machine it is refused.
    site.plan();
    site.forget_copies();
    site.fails(
        &["plan", "node", "--allow-host-run"],
        &[&message, "[node.rhai:2:8]", cure],
    );
    site.succeeds(&["update", "--accept-rewritten"]);
    assert!(site.plan().contains("203.0.113.9"));
}

#[test]
fn a_rewritten_history_is_refused() {
    let site = Site::new();
    let address = site.library();
    site.succeeds(&["add", address.to_str().unwrap(), "--branch", "main"]);
    let pinned = site.git(&["rev-parse", "HEAD"]);
    site.git(&["checkout", "--quiet", "--orphan", "other"]);
    site.put(
        "parts/names.rhai",
        &NAMES.replace("192.0.2.1", "203.0.113.9"),
    );
    site.git(&["add", "--all"]);
    site.git(&["commit", "--quiet", "--message", "rewritten"]);
    site.git(&["branch", "--force", "main"]);
    site.git(&["tag", "--delete", "v1"]);
    site.git(&["reflog", "expire", "--expire=now", "--all"]);
    site.git(&["gc", "--quiet", "--prune=now"]);
    let message = format!(
        "the library `net` cannot be used: its history was rewritten: {}, which is pinned, is not in it any more",
        &pinned[..12]
    );
    let cure = "help: ask whoever maintains it, and look at what changed; if that is right, `rootwright update net --accept-rewritten`";
    site.fails(&["update"], &[&message, cure]);
    site.plan();
    site.forget_copies();
    site.fails(
        &["plan", "node", "--allow-host-run"],
        &[&message, "[node.rhai:2:8]", cure],
    );
    site.succeeds(&["update", "--accept-rewritten"]);
    assert!(site.plan().contains("203.0.113.9"));
}

#[test]
fn a_changed_copy_or_lock_is_refused() {
    let site = Site::new();
    site.add();
    type Change = fn(&Path);
    let changes: [(&str, Change); 3] = [
        ("a file", |copy| {
            std::fs::write(
                copy.join("parts/names.rhai"),
                r#"fn line(n) { "203.0.113.9" }
"#,
            )
            .unwrap();
        }),
        ("one more", |copy| {
            std::fs::write(copy.join("x"), "").unwrap()
        }),
        ("a link", |copy| {
            std::fs::remove_file(copy.join("base.rhai")).unwrap();
            symlink("/etc/passwd", copy.join("base.rhai")).unwrap();
        }),
    ];
    for (what, change) in changes {
        let copies = site.copies();
        let [copy] = copies.as_slice() else {
            panic!("{what}: {copies:?}");
        };
        change(copy);
        site.fails(
            &["plan", "node", "--allow-host-run"],
            &[
                "the copy of the library `net` is not what rootwright.lock pins",
                "[node.rhai:2:8]",
                "cause: the files in `",
                "help: whoever changed it should say why; `rm -r ",
            ],
        );
        std::fs::remove_dir_all(copy).unwrap();
        site.plan();
    }
    // A digest in the lock that the commit does not have.
    let lock = site.file("rootwright.lock");
    let digest = lock
        .lines()
        .find(|line| line.starts_with("digest"))
        .unwrap();
    site.recipes.write(
        "rootwright.lock",
        &lock.replace(digest, &format!("digest = \"{}\"", "0".repeat(64))),
    );
    site.fails(
        &["plan", "node", "--allow-host-run"],
        &[
            "and 000000000000 is pinned",
            "[node.rhai:2:8]",
            "help: rootwright.lock was changed, or the repository lies",
        ],
    );
    site.recipes.write("rootwright.lock", "");
    std::fs::remove_file(site.recipes.path().join("rootwright.lock")).unwrap();
    site.fails(
        &["plan", "node", "--allow-host-run"],
        &[
            "the library `net` is in rootwright.toml, and not in rootwright.lock",
            "[node.rhai:2:8]",
            "help: `rootwright update net` fetches it and pins it",
        ],
    );
}

#[test]
fn a_library_or_module_that_is_not_there_is_named() {
    let site = Site::new();
    site.add();
    for (import, message, help) in [
        (
            "@ne/base",
            "there is no library `ne`",
            "did you mean `@net`?",
        ),
        (
            "@zzzz/base",
            "there is no library `zzzz`",
            "`rootwright add ADDRESS --name zzzz` fetches one",
        ),
        (
            "@net/bas",
            "the library `net` has no module `bas`",
            "did you mean `@net/base`?",
        ),
        (
            "@net/zzzz",
            "the library `net` has no module `zzzz`",
            "it has base, parts/names",
        ),
        ("@net", "`@net` names no module", "write `@net/MODULE`"),
        (
            "@net/../x",
            "`../x` leaves the library `net`",
            "a module of a library is named from its top",
        ),
    ] {
        site.recipes
            .write("node.rhai", &RECIPE.replace("@net/base", import));
        site.fails(
            &["plan", "node"],
            &[message, "[node.rhai:2:8]", &format!("help: {help}")],
        );
    }
}
