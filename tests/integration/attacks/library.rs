//! What a library without grants asks for beyond its root is refused, whichever function the
//! call goes through: every built-in and every function of the standard library has an entry.

use std::collections::BTreeMap;

use rootwright::recipe::{self, Settings, functions};

use crate::support::Project;

/// The grant that a refusal names.
enum Case {
    /// The body of a library's function of `root`, and the grant that it lacks.
    Refused(&'static str, &'static str),
    /// Why there is nothing to refuse.
    Harmless(&'static str),
}
use Case::{Harmless, Refused};

const OWN_ROOT: Case = Harmless("it changes its own root only");
const DESCRIBES: Case = Harmless("it describes the plan, and reads or runs nothing");
const STDLIB_ONLY: Case = Harmless("only the standard library may call it");

fn built_ins() -> BTreeMap<&'static str, Case> {
    BTreeMap::from([
        (
            "add_repository",
            Refused(
                r#"root.add_repository(#{ name: "x", uri: "file:///srv/packages", key: "/etc/hostname" });"#,
                "host_paths",
            ),
        ),
        ("allow_lint", DESCRIBES),
        ("append_file", OWN_ROOT),
        ("archive", DESCRIBES),
        ("assume", DESCRIBES),
        (
            "bootstrap",
            Refused(
                r#"bootstrap(#{ distro: "debian", release: "bookworm", name: "second" });"#,
                "bootstrap",
            ),
        ),
        ("capture", OWN_ROOT),
        (
            "check_before",
            Refused(
                r#"root.check_before(#{ about: "x", command: ["touch", "/tmp/x"] });"#,
                "host_run",
            ),
        ),
        ("clean", OWN_ROOT),
        (
            "copy_in",
            Harmless("files outside the library are refused: plan::libraries"),
        ),
        ("describe_root", DESCRIBES),
        (
            "distro_call",
            Refused(
                r#"root.distro_call("bootstrap", [#{ release: "bookworm", mirror: "file:///srv", updates: false, security: false }]);"#,
                "bootstrap",
            ),
        ),
        ("dracut", OWN_ROOT),
        ("edit_file", OWN_ROOT),
        (
            "expect_boot",
            Harmless("it boots an export in QEMU, which sees nothing else"),
        ),
        (
            "export",
            Harmless("it writes below the output folder, under a plain name"),
        ),
        ("fact", Harmless("a library sees its own facts only")),
        ("fail", DESCRIBES),
        (
            "fetch",
            Refused(
                r#"root.copy_in(fetch("file:///etc/shadow", #{ sha256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" }), "/x");"#,
                "host_paths",
            ),
        ),
        ("fields", DESCRIBES),
        (
            "file_path",
            Harmless("files outside the library are refused: plan::libraries"),
        ),
        (
            "file_text",
            Harmless("files outside the library are refused: plan::libraries"),
        ),
        ("fork", OWN_ROOT),
        (
            "git_revision",
            Harmless("it returns the commit of the recipe's repository"),
        ),
        ("hint", DESCRIBES),
        (
            "host_arch",
            Harmless("it returns the architecture of the host"),
        ),
        ("host_list", STDLIB_ONLY),
        ("host_read", STDLIB_ONLY),
        (
            "host_run",
            Refused(r#"root.host_run(["true"]);"#, "host_run"),
        ),
        (
            "install",
            Harmless(
                "the root's own package manager runs; one of the host is in `hosts_package_managers`",
            ),
        ),
        ("join", DESCRIBES),
        ("kernels", DESCRIBES),
        (
            "keyring",
            Refused(
                r#"root.keyring(#{ name: "x", about: "x", files: ["/etc/shadow"] });"#,
                "host_paths",
            ),
        ),
        ("log", DESCRIBES),
        ("make_dir", OWN_ROOT),
        ("move_path", OWN_ROOT),
        ("need_file", DESCRIBES),
        (
            "nspawn_boot",
            Refused(
                r#"root.nspawn_boot("true", #{ binds: [#{ host: "/etc", path: "/mnt", read_only: true }] });"#,
                "host_paths",
            ),
        ),
        (
            "nspawn_run",
            Refused(
                r#"root.nspawn_run("true", #{ binds: [#{ host: "/", path: "/mnt" }] });"#,
                "host_paths",
            ),
        ),
        ("option", DESCRIBES),
        (
            "package_source",
            Refused(r#"root.package_source("/root");"#, "host_paths"),
        ),
        ("quote", DESCRIBES),
        ("remove", OWN_ROOT),
        ("remove_path", OWN_ROOT),
        ("repositories", DESCRIBES),
        ("require_paths", OWN_ROOT),
        ("role", DESCRIBES),
        (
            "script",
            Refused(
                r#"root.host_run(script("true", #{ interpreter: ["/bin/sh", "-c"] }));"#,
                "host_run",
            ),
        ),
        (
            "secret",
            Refused(r#"root.write_file("/x", secret("door"));"#, "secret:door"),
        ),
        (
            "set_fact",
            Refused(
                r#"root.set_fact("repositories", [#{ uri: "file:///root" }]); root.upgrade(); root.package_source("/root");"#,
                "host_paths",
            ),
        ),
        ("set_mode", OWN_ROOT),
        ("set_owner", OWN_ROOT),
        (
            "setting",
            Harmless("it returns a setting that the project's own file has"),
        ),
        ("source_date", DESCRIBES),
        ("stable_uuid", DESCRIBES),
        (
            "stdlib_text",
            Harmless("it reads files below the standard library: `stdlib_text_stays_inside`"),
        ),
        ("symlink", OWN_ROOT),
        (
            "trust_key",
            Refused(r#"root.trust_key("/etc/hostname");"#, "host_paths"),
        ),
        (
            "unsigned",
            Refused(r#"root.unsigned("packages", "why not");"#, "unsigned"),
        ),
        ("upgrade", OWN_ROOT),
        ("uses_archives", DESCRIBES),
        ("wanted", DESCRIBES),
        ("warn", DESCRIBES),
        ("write_file", OWN_ROOT),
    ])
}

/// Functions of the standard library that run a tool of the host.
const HOST_TOOLS: [(&str, &str); 3] = [
    ("diskless::prepare", "diskless::prepare(root);"),
    ("diskless::special_files", "diskless::special_files(root);"),
    ("diskless::capabilities", "diskless::capabilities(root);"),
];

/// Ways around that a library may try.
const FORMS: [(&str, &str, &str); 10] = [
    (
        "a closure",
        r#"let f = || root.host_run(["true"]); f.call();"#,
        "host_run",
    ),
    (
        "a function pointer",
        r#"let f = Fn("host_run"); f.call(root, ["true"]);"#,
        "host_run",
    ),
    (
        "a curried function pointer",
        r#"let f = Fn("secret").curry("door"); root.write_file("/x", f.call());"#,
        "secret:door",
    ),
    (
        "a closure in an array's method",
        r#"[1].for_each(|item| root.host_run(["true"]));"#,
        "host_run",
    ),
    (
        "a fetch of a keyring",
        r#"root.keyring(#{ name: "x", about: "x", fingerprints: ["0123456789ABCDEF0123456789ABCDEF01234567"], fetch: [["touch", "/x"]] });"#,
        "host_run",
    ),
    (
        "pinned keys of its own",
        r#"root.keyring(#{ name: "x", about: "x", fingerprints: ["0123456789ABCDEF0123456789ABCDEF01234567"], pinned: true });"#,
        "keys",
    ),
    (
        "a repository without a key",
        r#"root.add_repository(#{ name: "x", uri: "http://mirror.example.org/x", allow_unsigned: "because" });"#,
        "unsigned",
    ),
    (
        "a folder of packages",
        r#"root.install(["x"], #{ packages_dir: "tools.rhai" });"#,
        "unsigned",
    ),
    (
        "a repository's own key",
        r#"root.add_repository(#{ name: "x", uri: "http://mirror.example.org/x", key: "https://mirror.example.org/key.asc", fingerprints: ["0123456789ABCDEF0123456789ABCDEF01234567"] });"#,
        "host_tools",
    ),
    (
        "a bootstrap with another name's module",
        r#"root.distro_call("bootstrap", [#{ release: "bookworm", allow_unsigned: "x" }]);"#,
        "bootstrap",
    ),
];

/// A project with a library of these functions; the option `case` says which is called.
fn project(cases: &[(String, String)]) -> Project {
    let project = Project::new();
    let mut library = String::from("import \"diskless\" as diskless;\n");
    let mut calls = String::new();
    for (index, (_, body)) in cases.iter().enumerate() {
        library.push_str(&format!("fn case_{index}(root) {{ {body} }}\n"));
        calls.push_str(&format!("    {index} => evil::case_{index}(root),\n"));
    }
    library.push_str("fn handed_out() { Fn(\"secret\").curry(\"door\") }\nfn closure() { || secret(\"door\") }\n");
    project.library("evil", &[("tools.rhai", &library)]);
    project.recipe(format!(
        r#"import "@evil/tools" as evil;
let case = option("case", #{{ default: 0 }});
let root = bootstrap(#{{ distro: "debian", release: "bookworm" }});
switch case {{
{calls}    -2 => {{ let f = evil::handed_out(); root.write_file("/x", f.call()); }},
    -3 => {{ let f = evil::closure(); root.write_file("/x", f.call()); }},
}}
"#
    ));
    project
}

/// The reports of a plan that policy refuses.
fn refused(project: &Project, case: i64) -> String {
    let option = format!("case={case}");
    project.plan().option(&option).output().err()
}

#[test]
fn a_library_without_grants_is_refused_by_every_function() {
    let mut cases: Vec<(String, String)> = Vec::new();
    let mut grants = Vec::new();
    let mut add = |name: &str, body: &str, grant: &'static str| {
        cases.push((name.to_owned(), body.to_owned()));
        grants.push(grant);
    };
    for (name, case) in built_ins() {
        if let Refused(body, grant) = case {
            add(name, body, grant);
        }
    }
    for (name, body) in HOST_TOOLS {
        add(name, body, "host_tools");
    }
    for (name, body, grant) in FORMS {
        add(name, body, grant);
    }
    let project = project(&cases);
    for (index, ((name, _), grant)) in cases.iter().zip(grants).enumerate() {
        let said = refused(&project, i64::try_from(index).unwrap());
        assert!(said.contains("the library `evil` wants"), "{name}: {said}");
        // The line of the recipe, and the edit that helps.
        assert!(said.contains("recipe.rhai:"), "{name}: {said}");
        let help = format!("below `[libraries.evil]`: grants = [\"{grant}\"]");
        assert!(said.contains(&help), "{name}: {said}");
    }
    for case in [-2, -3] {
        let said = refused(&project, case);
        assert!(
            said.contains("the library `evil` wants the secret `door`"),
            "{case}: {said}"
        );
    }
}

#[test]
fn every_built_in_has_an_entry() {
    let known = built_ins();
    for builtin in recipe::builtins() {
        match known.get(builtin.name) {
            None => panic!("`{}` has no entry in `built_ins`", builtin.name),
            Some(Harmless(why)) => assert!(!why.is_empty()),
            Some(Refused(body, _)) => assert!(body.contains(builtin.name), "{}", builtin.name),
        }
    }
    for name in known.keys() {
        let is_there = recipe::builtins()
            .iter()
            .any(|builtin| builtin.name == *name);
        assert!(is_there, "`{name}` is not a built-in");
    }
}

/// A function of the standard library that runs something on the host is in `HOST_TOOLS`: every
/// other one plans nothing but changes of its root.
#[test]
fn every_function_of_the_standard_library_has_an_entry() {
    let settings = Settings::default();
    let mut checked = 0;
    for module in functions::modules(&settings).unwrap() {
        for function in &module.functions {
            let name = format!("{}::{}", module.name, function.name);
            let text = std::fs::read_to_string(format!(
                "{}/stdlib/{}.rhai",
                env!("CARGO_MANIFEST_DIR"),
                module.name
            ))
            .unwrap();
            let calls = body_of(&text, &function.name).contains("host_run(");
            let listed = HOST_TOOLS.iter().any(|(known, _)| *known == name);
            assert!(
                !calls || listed,
                "`{name}` runs a tool of the host and has no entry"
            );
            checked += 1;
        }
    }
    assert!(checked > 30, "{checked}");
}

/// The text from a function's line to the next function.
fn body_of<'a>(text: &'a str, name: &str) -> &'a str {
    let Some(start) = text.find(&format!("\nfn {name}(")) else {
        return "";
    };
    let body = &text[start + 1..];
    let end = body.find("\nfn ").unwrap_or(body.len());
    &body[..end]
}

/// A root whose packages the host's tool installs asks for that tool.
#[test]
fn hosts_package_managers_need_a_grant() {
    let project = Project::new();
    project.library(
        "evil",
        &[("tools.rhai", "fn add(root) { root.install([\"x\"]); }\n")],
    );
    project.recipe(
        r#"import "@evil/tools" as evil;
let root = bootstrap(#{ distro: "fedora", release: "43", variant: "minimal" });
evil::add(root);
"#,
    );
    let said = project.plan().failure().err();
    assert!(
        said.contains("the library `evil` wants to run a command of the host"),
        "{said}"
    );
    assert!(said.contains("grants = [\"host_tools\"]"), "{said}");
    let config = project.read("rootwright.toml");
    project.config(config.replace(
        "[libraries.evil]\n",
        "[libraries.evil]\ngrants = [\"host_tools\"]\n",
    ));
    project.plan().success();
}

#[test]
fn stdlib_text_stays_inside() {
    let project = Project::new();
    let library = "fn read(path) { stdlib_text(path) }\n";
    project.library("evil", &[("tools.rhai", library)]);
    let stdlib = concat!(env!("CARGO_MANIFEST_DIR"), "/stdlib");
    for path in ["/etc/hostname", "../Cargo.toml", "package/../../Cargo.toml"] {
        project.recipe(format!(
            "import \"@evil/tools\" as evil;\nlog(evil::read({path:?}));\n"
        ));
        for arguments in [&[][..], &["--stdlib", stdlib]] {
            let said = project.plan().args(arguments).failure().err();
            assert!(said.contains("has no file"), "{path}: {said}");
        }
    }
}

/// What a library sets is its own: the standard library does not see it.
#[test]
fn a_librarys_facts_are_its_own() {
    let project = Project::new();
    let library = r#"fn set(root) { root.set_fact("repositories", [#{ uri: "file:///root" }]); root.set_fact("proxy", "http://evil.example.org"); }
"#;
    project.library("evil", &[("tools.rhai", library)]);
    project.recipe(
        r#"import "@evil/tools" as evil;
let root = bootstrap(#{ distro: "debian", release: "bookworm" });
evil::set(root);
root.install(["x"]);
"#,
    );
    let plan = project.plan().success().out();
    assert!(
        !plan.contains("file:///root") && !plan.contains("evil.example.org"),
        "{plan}"
    );
}
