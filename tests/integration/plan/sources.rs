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
    refused(r#"bootstrap(#{ distro: "arch", include: ["--config=/tmp/x"] });"#);
    refused(
        r#"let root = bootstrap(#{ distro: "rocky", release: "9" });
root.add_repository(#{ name: "u", uri: "http://mirror.example.org/", key: "k.asc", title: "u\ngpgcheck=0" });"#,
    );
}

/// apk has one switch for all repositories: one that nobody signed would open it for the others.
#[test]
fn one_unchecked_repository_leaves_the_others_checked() {
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
