//! Repositories that ask for a password: apt gets it, and nothing else keeps it. Root privileges,
//! mmdebstrap; one test takes a Debian from the host's own mirror.

use std::process::Command;

use super::keyrings::archive;
use crate::support::archive::Archive;
use crate::support::serve::Server;
use crate::support::{read, stdout};

const PASSWORD: &str = "hunter2-3f9a";
/// Of `ci` and the password.
const AUTHORIZATION: &str = "Basic Y2k6aHVudGVyMi0zZjlh";
const AUTH: &str = r#"auth: #{ user: "ci", password: secret("mirror") }"#;

/// Builds with the secret, and checks that nothing but the environment has it.
fn build(archive: &Archive, recipe: &str) {
    archive.project.write("recipe.rhai", recipe);
    let plan = archive.command(&["plan", "recipe.rhai"]).success().out();
    assert!(plan.contains("<secret mirror>"), "{plan}");
    archive
        .command(&["build", "recipe.rhai"])
        .env("ROOTWRIGHT_SECRET_MIRROR", PASSWORD)
        .success();
    // Recipe, plan, store with its logs, and exports.
    let mut grep = Command::new("grep");
    grep.args(["-rlF", "--devices=skip", PASSWORD]);
    let found = grep.arg(archive.project.path()).output().unwrap();
    assert_eq!(stdout(&found), "", "the password is in files");
}

fn with_tool() -> Archive {
    let archive = archive();
    archive
        .project
        .write("packages/tool/usr/share/tool", "a tool\n");
    archive.packages(&["tiny-root", "made-keyring", "tool"]);
    archive.sign("archive");
    archive
}

#[test]
#[ignore = "run with tests/run distro"]
fn mmdebstrap_logs_in() {
    let archive = with_tool();
    let server = Server::asking(archive.path("archive"), AUTHORIZATION);
    let uri = server.uri();
    let recipe = text!(
        r#"let root = bootstrap(#{ distro: "made", release: "bookworm", arch: "amd64", variant: "extract", include: ["tiny-root", "tool"], mirror: "{uri}", keyring: "archive.gpg", {AUTH} });
root.nspawn_run("busybox grep 'a tool' /usr/share/tool", #{ network: false });
"#,
        uri,
        AUTH
    );
    build(&archive, &recipe);
    assert_eq!(server.served("tool_1_amd64.deb"), 1, "{:?}", server.log());
}

#[test]
#[ignore = "run with tests/run distro"]
fn the_roots_apt_logs_in() {
    let archive = with_tool();
    let server = Server::asking(archive.path("archive"), AUTHORIZATION);
    let uri = server.uri();
    let recipe = text!(
        r#"let root = bootstrap(#{ distro: "debian", release: "bookworm", variant: "apt", updates: false, security: false });
root.add_repository(#{ name: "own", uri: "{uri}", suites: ["bookworm"], components: ["main"], key: "archive.gpg", {AUTH} });
root.install(["tool"]);
root.export(#{ format: "dir", name: "own" });
"#,
        uri,
        AUTH
    );
    build(&archive, &recipe);
    let root = archive.path("out/own/root");
    assert_eq!(read(root.join("usr/share/tool")), "a tool\n");
    let sources = read(root.join("etc/apt/sources.list.d/own.sources"));
    assert!(sources.contains(&format!("URIs: {uri}\n")), "{sources}");
}
