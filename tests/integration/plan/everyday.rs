//! What recipes say without a shell: users, services, answers, archives, templates, and
//! where the recipe comes from. Evaluated, never built; `debian.rs` builds the same.

use std::path::Path;

use crate::support::{Project, git, rootwright, run, stderr, stdout};

const HEAD: &str = r#"import "users" as users;
import "services" as services;
import "package/dpkg" as dpkg;
import "archive" as archive;
import "template" as template;
let root = bootstrap(#{ distro: "debian", release: "bookworm", mirror: "http://mirror.example.org/debian" });
"#;

fn plan_of(folder: &Path, recipe: &str) -> std::process::Output {
    std::fs::write(folder.join("recipe.rhai"), format!("{HEAD}{recipe}")).unwrap();
    rootwright()
        .current_dir(folder)
        .env_remove("SOURCE_DATE_EPOCH")
        .args(["plan", "recipe.rhai", "--store", "nowhere"])
        .args(["--error-format", "json"])
        .output()
        .unwrap()
}

/// The commands and files of a recipe after its bootstrap.
#[track_caller]
fn planned(recipe: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let output = plan_of(folder.path(), recipe);
    assert!(output.status.success(), "{}", stderr(&output));
    let text = stdout(&output);
    let second = text
        .lines()
        .position(|line| line.trim_start().starts_with("2  "));
    let lines: Vec<&str> = text.lines().skip(second.expect("a second step")).collect();
    lines.join("\n")
}

#[track_caller]
fn holds(text: &str, parts: &[&str]) {
    // Long commands are drawn over several lines.
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let flat = flat.replace("\\ ", "");
    for part in parts {
        assert!(flat.contains(part), "no `{part}` in\n{flat}");
    }
}

#[test]
fn users_are_made_with_all_that_passwd_has() {
    let text = planned(
        r#"users::group(root, "cluster", #{ gid: 4000 });
users::add(root, "admin", #{ uid: 4001, groups: ["cluster", "adm"], shell: "/bin/bash", comment: "The admin", password: "$6$salt$hash", authorized_keys: ["key one", "key two"] });
users::add(root, "agent", #{ system: true, group: "cluster", home: "/var/lib/agent" });
users::join_groups(root, "agent", "adm");
users::password(root, "root", secret("root-hash"));
users::lock(root, "agent");
"#,
    );
    holds(
        &text,
        &[
            "root# groupadd --gid 4000 -- cluster",
            "root# useradd --home-dir /home/admin --shell /bin/bash --create-home --uid 4001 --user-group --groups cluster,adm --comment 'The admin' -- admin",
            "│ admin:$6$salt$hash",
            "make directory /home/admin/.ssh (mode 0700, owner admin, group admin)",
            "write /home/admin/.ssh/authorized_keys (16 bytes, mode 0600, owner admin, group admin)",
            "root# useradd --home-dir /var/lib/agent --shell /bin/sh --no-create-home --system --gid cluster -- agent",
            "root# usermod --append --groups adm -- agent",
            "│ root:<secret root-hash>",
            "root# passwd --lock agent",
        ],
    );
}

#[test]
fn services_are_those_of_the_roots_init() {
    let text = planned(
        r#"services::enable(root, ["ssh", "chrony"]);
services::disable(root, "cron");
services::mask(root, "apt-daily.timer");
services::unmask(root, "fstrim.timer");
services::boot_target(root, "multi-user");
"#,
    );
    holds(
        &text,
        &[
            "SYSTEMD_OFFLINE=1 systemctl enable ssh chrony",
            "SYSTEMD_OFFLINE=1 systemctl disable cron",
            "SYSTEMD_OFFLINE=1 systemctl mask apt-daily.timer",
            "SYSTEMD_OFFLINE=1 systemctl unmask fstrim.timer",
            "SYSTEMD_OFFLINE=1 systemctl set-default multi-user.target",
        ],
    );
    // Other inits: distros of the repository, made from a tiny one.
    let of = |init: &str, recipe: &str, format: &str| {
        let project = Project::new();
        let tiny = std::fs::read_to_string(project.path().join("distro/tiny.rhai")).unwrap();
        let services = text!(
            r#"fn services(root) { #{ init: "{init}", roles: #{ init: ["sysinit/devfs"], "ssh-server": ["sshd"] } } }
"#,
            init
        );
        project.write("distro/other.rhai", &format!("{tiny}{services}"));
        project.write(
            "recipe.rhai",
            &text!(
                r#"import "services" as services;
let root = bootstrap(#{ distro: "other" });
{recipe}"#,
                recipe
            ),
        );
        let mut plan = rootwright();
        plan.current_dir(project.path());
        plan.args([
            "plan",
            "recipe.rhai",
            "--allow-host-run",
            "--error-format",
            format,
        ])
        .output()
        .unwrap()
    };
    let recipe = r#"services::enable_roles(root, ["init", "ssh-server"]);
services::enable(root, ["chronyd"]);
services::mask(root, "cron");
services::unmask(root, "cron");
"#;
    holds(
        &stdout(&of("openrc", recipe, "human")),
        &[
            "│ rc-update add devfs sysinit │ rc-update add sshd default",
            "rc-update add chronyd default",
            "rc-update --all del cron",
        ],
    );
    let recipe = recipe.replace(r#""init", "#, "");
    holds(
        &stdout(&of("sysvinit", &recipe, "human")),
        &[
            "│ update-rc.d sshd defaults │ update-rc.d sshd enable",
            "│ update-rc.d chronyd defaults │ update-rc.d chronyd enable",
            "update-rc.d cron disable",
        ],
    );
    for (init, call, message, help) in [
        (
            "openrc",
            r#"services::boot_target(root, "multi-user")"#,
            "`other` has no targets",
            "OpenRC's runlevel is `default`",
        ),
        (
            "sysvinit",
            r#"services::boot_target(root, "multi-user")"#,
            "`other` has no targets",
            "the usual one in /etc/inittab",
        ),
        (
            "openrc",
            r#"services::enable_roles(root, "kernel")"#,
            "the distro `other` names no services of the role `kernel`",
            "it does for init, ssh-server",
        ),
    ] {
        let output = of(init, &format!("{call};\n"), "json");
        assert_eq!(output.status.code(), Some(1));
        let report: serde_json::Value = serde_json::from_str(&stderr(&output)).unwrap();
        assert_eq!(report["message"], message);
        assert!(report["help"].to_string().contains(help), "{report}");
        assert_eq!(report["place"]["file"], "recipe.rhai");
        assert_eq!(report["place"]["start"]["line"], 3);
    }
}

#[test]
fn packages_are_answered_diverted_and_chosen() {
    let text = planned(
        r#"dpkg::preseed(root, [
    #{ package: "tzdata", question: "tzdata/Areas", type: "select", value: "Europe" },
    #{ package: "a", question: "a/yes", value: true },
    #{ package: "a", question: "a/number", value: 3 },
    #{ package: "a", question: "a/password", type: "password", value: secret("a") },
]);
dpkg::divert(root, "/etc/issue.net");
dpkg::alternative(root, "awk", "/usr/bin/mawk");
"#,
    );
    holds(
        &text,
        &[
            "root# debconf-set-selections standard input │ tzdata tzdata/Areas select Europe │ a a/yes boolean true │ a a/number string 3 │ a a/password password <secret a>",
            "dpkg-divert --local --rename --divert /etc/issue.net.distrib --add /etc/issue.net",
            "update-alternatives --set awk /usr/bin/mawk",
        ],
    );
}

#[test]
fn archives_are_the_repositorys_or_fetched() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tool.tar"), "").unwrap();
    let output = plan_of(
        folder.path(),
        r#"archive::unpack(root, "tool.tar", "/opt/tool", #{ strip: 1, only: ["bin/*"] });
archive::unpack(root, fetch("https://mirror.example.org/x.tar.gz", #{ sha256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" }), "/opt/x");
"#,
    );
    assert!(output.status.success(), "{}", stderr(&output));
    holds(
        &stdout(&output),
        &[
            "copy tool.tar to /var/tmp/rootwright-archive",
            "tar --extract --file /var/tmp/rootwright-archive --directory /opt/tool --strip-components 1 --no-same-owner --wildcards -- 'bin/*'",
            "remove /var/tmp/rootwright-archive",
            "fetch https://mirror.example.org/x.tar.gz",
            "--directory /opt/x --strip-components 0 --no-same-owner",
        ],
    );
}

#[test]
fn templates_are_filled_whole() {
    let text = planned(
        r#"root.write_file("/a", template::fill("a@b.c @NAME@ @ @NAME@@N2@ x@Y@z @", #{ NAME: "n1", N2: 5, Y: secret("s") }));"#,
    );
    holds(&text, &["│ a@b.c n1 @ n15 x<secret s>z @"]);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("motd.in"), "on @NAME@\n").unwrap();
    let recipe = r#"root.write_file("/a", template::fill(file_text("motd.in"), #{ NAME: "n1" }));
"#;
    let text = stdout(&plan_of(folder.path(), recipe));
    holds(&text, &["file motd.in = ", "│ on n1"]);
}

#[test]
fn a_commit_and_a_date_are_inputs() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = r#"log(`at ${git_revision() ?? "none"}, ${source_date("%Y-%m-%d") ?? "undated"}`);
log(stable_uuid("a") + " " + stable_uuid("b"));
"#;
    let text = stdout(&plan_of(folder.path(), recipe));
    holds(&text, &["note: at none, undated", "git revision = absent"]);
    let git = |words: &[&str]| git(folder.path(), words);
    git(&["init", "--quiet"]);
    git(&["add", "recipe.rhai"]);
    git(&["commit", "--quiet", "--message", "one"]);
    let commit = git(&["rev-parse", "HEAD"]);
    let seen = |at: &Path| {
        let mut plan = rootwright();
        plan.current_dir(at).env("SOURCE_DATE_EPOCH", "1700000000");
        stdout(&run(plan.args([
            "plan",
            "recipe.rhai",
            "--store",
            "nowhere",
        ])))
    };
    let loose = seen(folder.path());
    holds(
        &loose,
        &[
            &format!("note: at {commit}, 2023-11-14"),
            &format!("git revision = {}", &commit[..12]),
            "SOURCE_DATE_EPOCH = 1700000000",
        ],
    );
    git(&["pack-refs", "--all"]);
    holds(&seen(folder.path()), &[&commit]);
    git(&["worktree", "add", "--quiet", "further"]);
    holds(&seen(&folder.path().join("further")), &[&commit]);
    git(&["checkout", "--quiet", "--detach"]);
    holds(&seen(folder.path()), &[&commit]);
    // The same for the same name, in every place.
    let ids = loose.lines().find(|line| line.contains("-8")).unwrap();
    let ids: Vec<&str> = ids
        .split_whitespace()
        .filter(|word| word.len() == 36)
        .collect();
    assert!(ids.len() == 2 && ids[0] != ids[1], "{loose}");
    assert!(text.contains(ids[0]) && text.contains(ids[1]));
}

/// What is wrong is said at the recipe's call, with what to do.
#[test]
fn what_will_not_do_is_said_when_the_plan_is_made() {
    let wrong = [
        (
            r#"users::add(root, "a b");"#,
            "`a b` is no name of a user",
            "a string of its own",
        ),
        (
            r#"users::add(root, "a", #{ groups: ["-x"] });"#,
            "`-x` is no name of a group",
            "a string of its own",
        ),
        (
            r#"users::add(root, "a", #{ uids: 1 });"#,
            "`users::add` has no field `uids`",
            "did you mean `uid`?",
        ),
        (
            r#"users::add(root, "a", #{ comment: "a:b" });"#,
            "a user's comment is one line without `:`",
            "passwd(5)",
        ),
        (
            r#"users::password(root, "root", "hunter2");"#,
            "this is no hash of a password",
            "`openssl passwd -6`",
        ),
        (
            r#"users::password(root, "root", 5);"#,
            "this is no hash of a password",
            "`openssl passwd -6`",
        ),
        (
            "services::enable(root, []);",
            "`services::enable` has no service to work on",
            "leave the call out with `if`",
        ),
        (
            "services::mask(root, 3);",
            "`services::mask` takes names of a service, which are strings",
            r#"`"3"`"#,
        ),
        (
            r#"dpkg::preseed(root, #{ package: "a", question: "a/b", type: "bool", value: true });"#,
            "`bool` is no type of a question",
            "boolean",
        ),
        (
            r#"dpkg::preseed(root, #{ package: "a b", question: "a/b", value: true });"#,
            "`a b` is no name of a package or a question",
            "debconf-get-selections",
        ),
        (
            r#"dpkg::preseed(root, #{ package: "a", question: "a/b", value: "x\ny" });"#,
            "an answer is one line",
            "line breaks",
        ),
        (
            r#"archive::unpack(root, "none.tar", "/opt");"#,
            "there is no file `none.tar`",
            "the folder of the script that names it",
        ),
        (
            r#"log(template::fill("@A@", #{}));"#,
            "`@A@` has no value",
            "add `A: …`",
        ),
        (
            r#"log(template::fill("a", #{ A: 1 }));"#,
            "the template does not hold `@A@`",
            "misspelt",
        ),
        (
            r#"log(file_text("../x"));"#,
            "`../x` is outside of the recipe's repository",
            "stand beside it",
        ),
        (
            r#"log(file_text("."));"#,
            "`.` is no file of at most 1 MiB",
            "`copy_in`",
        ),
        (
            r#"log(source_date("%"));"#,
            "`%` is no format of a date",
            "`%Y-%m-%d`",
        ),
        (
            "log(git_revision);",
            "there is no variable `git_revision`",
            "it is a function, and is called: `git_revision()`",
        ),
    ];
    for (recipe, message, help) in wrong {
        let folder = tempfile::tempdir().unwrap();
        let output = plan_of(folder.path(), recipe);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{recipe}: {said}");
        let report: serde_json::Value = serde_json::from_str(&said).unwrap();
        assert!(
            report["message"].as_str().unwrap().starts_with(message),
            "{recipe}: {said}"
        );
        assert!(
            report["help"]
                .to_string()
                .replace("\\\"", "\"")
                .contains(help),
            "{recipe}: {said}"
        );
        assert_eq!(report["place"]["file"], "recipe.rhai", "{recipe}: {said}");
        assert_eq!(report["place"]["start"]["line"], 7, "{recipe}: {said}");
    }
}
