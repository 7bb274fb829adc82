//! Addresses, suites and names of repositories that would say more to a package manager than
//! where packages are: each is refused, with every package manager.

use super::script::error;
use crate::support::Project;

const DISTROS: &[(&str, &str)] = &[
    ("debian", "bookworm"),
    ("rocky", "9"),
    ("fedora", "42"),
    ("opensuse", "15.6"),
    ("alpine", "3.22"),
    ("arch", "rolling"),
];

const ADDRESSES: &[&str] = &[
    r"copy:/srv/u\nTrusted: yes",
    r"http://mirror.example.org/\ngpgcheck=0",
    r"http://mirror.example.org/\rXferCommand = x",
    r"http://mirror.example.org/ [trusted=yes]",
    r"http://mirror.example.org/\x1b[2J",
    "-oAPT::Get::AllowUnauthenticated=1",
    "",
];

fn refused(recipe: &str) {
    let (code, message, help, _) = error(recipe);
    assert_eq!(code, "script::unsafe_text", "{recipe}: {message}");
    assert!(message.starts_with("the field `"), "{message}");
    assert!(!help.is_empty(), "{message}");
    assert!(!message.contains(char::is_control), "{message:?}");
}

#[test]
fn an_address_is_one_address() {
    for (distro, release) in DISTROS {
        for address in ADDRESSES {
            let root = format!(
                r#"let root = bootstrap(#{{ distro: "{distro}", release: "{release}" }});"#
            );
            refused(&format!(
                "{root}\nroot.add_repository(#{{ name: \"u\", uri: \"{address}\", key: \"key.asc\" }});"
            ));
            for field in ["mirror", "proxy"] {
                refused(&format!(
                    r#"bootstrap(#{{ distro: "{distro}", release: "{release}", {field}: "{address}" }});"#
                ));
            }
        }
    }
}

#[test]
fn words_of_sources_are_words() {
    let debian = r#"distro: "debian", release: "bookworm""#;
    for bad in [r"main\nTrusted: yes", "main contrib", "-main", r"main\t"] {
        for field in ["components", "include"] {
            refused(&format!(
                "bootstrap(#{{ {debian}, {field}: [\"main\", \"{bad}\"] }});"
            ));
        }
        for field in ["suites", "components", "architectures"] {
            refused(&format!(
                "let root = bootstrap(#{{ {debian} }});\nroot.add_repository(#{{ name: \"u\", uri: \"http://mirror.example.org/\", key: \"k.asc\", {field}: [\"{bad}\"] }});"
            ));
        }
    }
    refused(
        r#"bootstrap(#{ distro: "alpine", release: "3.22", repositories: ["main\nhttp://mirror.example.org/other"] });"#,
    );
    for (distro, release) in DISTROS {
        for bad in ["--nogpgcheck", r"a\nb", "a b", ""] {
            refused(&format!(
                r#"bootstrap(#{{ distro: "{distro}", release: "{release}", include: ["{bad}"] }});"#
            ));
        }
        for field in ["keyring", "allow_unsigned"] {
            refused(&format!(
                r#"bootstrap(#{{ distro: "{distro}", release: "{release}", {field}: "a\nb" }});"#
            ));
        }
        for (field, bad) in [
            ("key", r"a\nb"),
            ("key", "https://mirror.example.org/a b"),
            ("sha256", "a b"),
            ("allow_unsigned", r"a\x1bb"),
            ("name", "-a"),
        ] {
            let name = match field {
                "name" => "",
                _ => r#"name: "u", "#,
            };
            let (code, ..) = error(&format!(
                "let root = bootstrap(#{{ distro: \"{distro}\", release: \"{release}\" }});\nroot.add_repository(#{{ {name}uri: \"http://mirror.example.org/\", {field}: \"{bad}\" }});"
            ));
            let expected = ["script::unsafe_text", "script::fail"];
            assert!(
                expected.contains(&code.as_str()),
                "{distro} {field}: {code}"
            );
        }
    }
    refused(
        r#"let root = bootstrap(#{ distro: "rocky", release: "9" });
root.add_repository(#{ name: "u", uri: "http://mirror.example.org/", key: "k.asc", title: "u\ngpgcheck=0" });"#,
    );
}

/// apk has one switch for all repositories: one that nobody signed would open it for the others.
#[test]
fn one_unchecked_repository_leaves_the_others_checked() {
    let (_, message, help, place) = error(
        r#"let root = bootstrap(#{ distro: "alpine", release: "3.22", allow_unsigned: "mine" });
root.add_repository(#{ name: "u", uri: "http://mirror.example.org/u", key: "k.rsa.pub" });"#,
    );
    assert_eq!(
        message,
        "apk checks the packages of every repository, or of none"
    );
    assert!(
        help.contains("keyring") && place.starts_with("2: "),
        "{help} {place}"
    );

    let (code, message, help, place) = error(
        r#"let root = bootstrap(#{ distro: "alpine", release: "3.22" });
root.add_repository(#{ name: "u", uri: "http://mirror.example.org/u", allow_unsigned: "mine" });"#,
    );
    assert_eq!(code, "script::fail", "{message}");
    assert_eq!(
        message,
        "apk checks the packages of every repository, or of none"
    );
    assert!(
        help.contains("packages_dir") && place.starts_with("2: "),
        "{help} {place}"
    );
}

/// A keyring is a file of the repository, not what a link in it leads to.
#[test]
fn a_keyring_is_not_behind_a_link_out_of_the_repository() {
    for keys in ["keys.asc", "folder/keys.asc", "../keys.asc"] {
        let project = Project::new();
        let outside = project.beside().join("outside");
        std::fs::create_dir(&outside).unwrap();
        std::fs::write(outside.join("keys.asc"), "a key").unwrap();
        std::os::unix::fs::symlink(&outside, project.path().join("folder")).unwrap();
        std::os::unix::fs::symlink(outside.join("keys.asc"), project.path().join("keys.asc"))
            .unwrap();
        project.recipe(format!(
            r#"bootstrap(#{{ distro: "debian", release: "bookworm", keyring: "{keys}" }});"#
        ));
        let message = format!("`{keys}` is outside of the recipe's repository");
        let help = "a path that starts with `/` is the host's";
        project
            .plan()
            .failure()
            .stderr_contains([message.as_str(), help, "recipe.rhai:1:"]);
    }
}

/// Whoever reads the plan, the image's sources or a log would read them.
#[test]
fn addresses_have_no_credentials() {
    let secret = "hunter2";
    let is_refused = |recipe: &str| {
        let (_, message, help, place) = error(recipe);
        assert!(message.contains("…@mirror.example.org"), "{message}");
        assert!(message.contains("has credentials in it"), "{message}");
        assert!(!message.contains(secret), "{message}");
        assert!(help.contains("leave them out"), "{help}");
        assert!(!place.is_empty(), "{recipe}");
    };
    for (distro, release) in DISTROS {
        let start = format!(r#"distro: "{distro}", release: "{release}""#);
        for user in ["me:hunter2", "hunter2"] {
            let url = format!("https://{user}@mirror.example.org/x");
            for field in ["mirror", "proxy"] {
                is_refused(&format!(r#"bootstrap(#{{ {start}, {field}: "{url}" }});"#));
            }
            for fields in [
                format!(r#"uri: "{url}", key: "k""#),
                format!(r#"uri: "https://mirror.example.org", key: "{url}", sha256: "0""#),
            ] {
                is_refused(&format!(
                    "let root = bootstrap(#{{ {start} }});\nroot.add_repository(#{{ name: \"u\", {fields} }});"
                ));
            }
        }
    }
    for field in ["security_mirror", "snapshot_mirror"] {
        is_refused(&format!(
            r#"bootstrap(#{{ distro: "debian", release: "bookworm", {field}: "https://me:hunter2@mirror.example.org" }});"#
        ));
    }
    is_refused(
        r#"fetch("https://me:hunter2@mirror.example.org/x", #{ sha256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" });"#,
    );
}

#[test]
fn settings_have_no_credentials() {
    for (value, message) in [
        (
            "https://me:hunter2@mirror.example.org",
            "`mirror`: `https://…@mirror.example.org` has credentials in it",
        ),
        (
            r"https://mirror.example.org\ngpgcheck=0",
            "`mirror` has a line break or a control character in it",
        ),
    ] {
        let project = Project::new();
        project.config(format!("[distro.debian]\nmirror = \"{value}\"\n"));
        project.recipe(r#"bootstrap(#{ distro: "debian", release: "bookworm" });"#);
        project
            .plan()
            .failure()
            .stderr_contains([message, "rootwright.toml:2:10"]);
    }
}

/// What a package manager would take for a file or an address, nothing has verified.
#[test]
fn packages_are_names_or_fetched() {
    for (distro, release) in DISTROS {
        let root = format!(r#"distro: "{distro}", release: "{release}""#);
        let names: &[&str] = match *distro {
            "debian" => &["./a.deb", "/srv/a.deb"],
            "alpine" => &["./a.apk", "/srv/a.apk"],
            "arch" => &["./a.pkg.tar.zst", "/srv/a.pkg.tar.xz"],
            _ => &["./a.rpm", "/srv/a.rpm", "http:a.rpm"],
        };
        for name in names
            .iter()
            .chain(&["https://mirror.example.org/a", "file:///srv/a"])
        {
            for recipe in [
                format!("let root = bootstrap(#{{ {root} }});\nroot.install([\"{name}\"]);"),
                format!("\nbootstrap(#{{ {root}, include: [\"{name}\"] }});"),
            ] {
                let (code, message, help, place) = error(&recipe);
                let codes = ["script::fail", "script::package_url"];
                assert!(codes.contains(&code.as_str()), "{code} {message}");
                assert!(message.contains(&format!("`{name}` is a")), "{message}");
                assert!(help.contains("fetch("), "{help}");
                assert!(place.starts_with("2: "), "{place}");
            }
        }
    }
    let (code, ..) = error(
        r#"let root = bootstrap(#{ distro: "debian", release: "bookworm" });
root.install(["a"], #{ files: ["b"] });"#,
    );
    assert_eq!(code, "script::unknown_field");
    let (code, message, ..) = error(
        r#"let root = bootstrap(#{ distro: "debian", release: "bookworm" });
root.remove([fetch("https://mirror.example.org/a.deb", #{ sha256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" })]);"#,
    );
    assert_eq!(code, "script::wrong_type", "{message}");
    let (_, message, ..) = error(
        r#"let root = bootstrap(#{ distro: "debian", release: "bookworm" });
root.install([fetch("https://mirror.example.org/a.rpm", #{ sha256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" })]);"#,
    );
    assert_eq!(message, "the file `a.rpm` is not a package of this distro");
}

/// The plan shows every unsigned install with its line, and a fetched package isn't one.
#[test]
fn unsigned_installs_are_shown() {
    for (distro, release) in DISTROS {
        let project = Project::new();
        project.file("ours/a", "a package\n");
        let ending = match *distro {
            "debian" => "deb",
            "alpine" => "apk",
            "arch" => "pkg.tar.zst",
            _ => "rpm",
        };
        project.recipe(text!(
            r#"let root = bootstrap(#{ distro: "{distro}", release: "{release}" });
root.install(["a"], #{ packages_dir: "ours" });
root.install([fetch("https://mirror.example.org/a.{ending}", #{ sha256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" }), "hello"]);
"#,
            distro, release, ending
        ));
        let shown = project.plan().args(["--color", "always"]).success().out();
        let red: Vec<&str> = shown
            .lines()
            .filter(|line| line.contains("\u{1b}[1;31m"))
            .collect();
        let words = red.join(" ");
        assert!(
            words.contains("the packages of the folder `ours` unsigned"),
            "{distro}: {shown}"
        );
        assert!(words.contains("recipe.rhai:2"), "{distro}: {words}");
        assert!(!words.contains("recipe.rhai:3"), "{distro}: {words}");
    }
}

/// A login is a secret, which apt gets while it runs.
#[test]
fn a_password_is_a_secret() {
    let (_, message, help, place) = error(
        r#"let root = bootstrap(#{ distro: "debian", release: "bookworm" });
root.add_repository(#{ name: "u", uri: "https://mirror.example.org/u", key: "https://mirror.example.org/k", sha256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", auth: #{ user: "me", password: "hunter2" } });"#,
    );
    assert_eq!(message, "`password` of `auth` has to be a secret");
    assert!(
        help.contains("secret(") && place.starts_with("2: "),
        "{help} {place}"
    );
    let (_, message, ..) = error(
        r#"bootstrap(#{ distro: "debian", release: "bookworm", tool: "debootstrap", mirror: "https://mirror.example.org/u", auth: #{ user: "me", password: secret("x") } });"#,
    );
    assert_eq!(message, "`auth` needs mmdebstrap and a mirror");
}
