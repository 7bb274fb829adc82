//! Every distro × release × architecture that the stdlib names: its plan, to be read in
//! review. The distros come from the stdlib's folder, releases and
//! architectures from their tables: a new one is here by itself.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use crate::support::stdlib::{distros, plan, releases};
use crate::support::verified::{self, Level};
use rootwright::build::PreviewCapture;
use rootwright::plan::{MessageLevel, Op, RunPlace};
use rootwright::preview::{TextOptions, text};
use rootwright::recipe::{self, HostFacts, Settings};

/// Distros whose mirror is the bootstrap tool's default: another stands for it, so that the
/// sources are in the plan.
const MIRRORS: &[(&str, &str)] = &[("debian", "http://mirror.example.org/debian")];

pub fn recipe(distro: &str, release: &str, arch: &str) -> String {
    let mirror = MIRRORS.iter().find(|(name, _)| *name == distro);
    let mirror = mirror.map_or(String::new(), |(_, uri)| text!(r#", mirror: "{uri}""#, uri));
    text!(
        r#"let root = bootstrap(#{ distro: "{distro}", release: "{release}", arch: "{arch}"{mirror} });
root.install(role(root, "init") + role(root, "kernel") + role(root, "dracut") + role(root, "dracut-network") + role(root, "nfs-client") + role(root, "ssh-server"));
root.export(#{ format: "dir", name: "node" });
"#,
        distro,
        release,
        arch,
        mirror
    )
}

/// The lines that the second text has and the first has not, and the other way round.
fn difference(one: &str, other: &str) -> String {
    let mut out = String::new();
    for change in similar::TextDiff::from_lines(one, other).iter_all_changes() {
        let sign = match change.tag() {
            similar::ChangeTag::Equal => continue,
            similar::ChangeTag::Delete => '-',
            similar::ChangeTag::Insert => '+',
        };
        let _ = write!(out, "{sign} {}", change.to_string_lossy());
    }
    out
}

#[test]
fn the_plan_of_every_distro_release_and_architecture() {
    for distro in distros() {
        let mut shown = String::new();
        for (release, arches) in releases(&distro) {
            let mut whole = String::new();
            for arch in arches {
                let plan = plan(&recipe(&distro, &release, &arch));
                let warned = plan.messages.iter().any(|m| m.level == MessageLevel::Warn);
                assert!(!warned, "{distro} {release}: {:?}", plan.messages);
                let text = text(&plan, &TextOptions::default());
                if whole.is_empty() {
                    let _ = writeln!(shown, "======== {distro} {release}, {arch}\n\n{text}");
                    whole = text;
                } else {
                    let differs = difference(&whole, &text);
                    let _ = writeln!(shown, "-------- {distro} {release}, {arch}\n\n{differs}");
                }
            }
        }
        insta::with_settings!({ snapshot_suffix => distro.clone(), omit_expression => true }, {
            insta::assert_snapshot!("plans", shown);
        });
    }
}

#[test]
fn an_unknown_release_gets_the_newest_facts_and_a_warning() {
    for (distro, mirror) in MIRRORS {
        let plan = plan(&text!(
            r#"bootstrap(#{ distro: "{distro}", release: "duke", mirror: "{mirror}" });"#,
            distro,
            mirror
        ));
        assert_eq!(plan.roots[0].release, "duke");
        let warned = &plan.messages[0];
        assert_eq!(warned.level, MessageLevel::Warn);
        assert_eq!(
            warned.text,
            "the release `duke` of Debian is not known to this stdlib: the facts of `forky` are used"
        );
        assert!(warned.calls[0].span.file.ends_with("recipe.rhai"));
    }
}

/// One recipe for all: it evaluates for every release, with that distro's packages.
#[test]
fn the_diskless_node_is_one_text_for_every_distro() {
    let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes/nfs-node.rhai");
    let folder = tempfile::tempdir().unwrap();
    for distro in distros() {
        for release in releases(&distro).keys() {
            let options = [("distro", &distro), ("release", release)];
            let settings = Settings {
                options: options
                    .map(|(name, value)| (name.to_owned(), value.clone()))
                    .to_vec(),
                host: HostFacts {
                    arch: "x86_64".to_owned(),
                    root: folder.path().to_owned(),
                },
                ..Settings::default()
            };
            let evaluated = recipe::evaluate(&recipe, &settings, &mut PreviewCapture::default());
            let plan = evaluated
                .unwrap_or_else(|failure| panic!("{distro} {release}: {:#?}", failure.reports))
                .plan;
            let install = plan
                .steps
                .iter()
                .find(|step| step.call == "install")
                .unwrap();
            let kernel = kernel_of(&distro, release);
            assert!(
                install.label.contains(&kernel),
                "{}: {kernel}",
                install.label
            );
            for call in ["bootstrap", "dracut", "export"] {
                assert!(
                    plan.steps.iter().any(|step| step.call == call),
                    "{distro}: {call}"
                );
            }
        }
    }
}

fn kernel_of(distro: &str, release: &str) -> String {
    let mut recipe = recipe(distro, release, "ARCH").replace(r#", arch: "ARCH""#, "");
    recipe.push_str(
        r#"log(role(root, "kernel")[0]);
"#,
    );
    plan(&recipe).messages[0].text.clone()
}

/// Every role of the contract is in every distro.
#[test]
fn every_distro_has_the_roles() {
    const ROLES: &[&str] = &[
        "init",
        "kernel",
        "dracut",
        "dracut-network",
        "dracut-live",
        "network-manager",
        "nfs-client",
        "ssh-server",
        "udev",
        "dbus",
        "ip",
        "ps",
        "kmod",
        "locale",
        "tzdata",
        "ca-certificates",
    ];
    for distro in distros() {
        let (release, arches) = releases(&distro).into_iter().next_back().unwrap();
        let mut recipe = recipe(&distro, &release, &arches[0]);
        for role in ROLES {
            let _ = writeln!(recipe, r#"log("{role}: " + root.role("{role}").len());"#);
        }
        recipe.push_str("for kernel in root.kernels() { log(`${kernel.package}, ${kernel.about}`); }\nroot.repositories();\nroot.clean();\n");
        let plan = plan(&recipe);
        assert!(plan.messages.len() >= ROLES.len(), "{distro}");
    }
}

/// The table in the documentation says what tests have seen, and for the rest that it was
/// planned: every release that the stdlib names is in it.
#[test]
fn the_table_says_how_far_each_release_was_verified() {
    let base = Path::new(env!("CARGO_MANIFEST_DIR"));
    let known = verified::read();
    let mut rows = String::from("| distro | release | how far verified |\n|---|---|---|\n");
    let mut named = 0;
    for distro in distros() {
        for release in releases(&distro).keys() {
            let entry = known.get(&distro).and_then(|of| of.get(release));
            named += usize::from(entry.is_some());
            let level = entry.map_or(Level::Planned, |entry| entry.level);
            let level = toml::Value::try_from(level).unwrap();
            let _ = writeln!(
                rows,
                "| {distro} | {release} | {} |",
                level.as_str().unwrap()
            );
        }
    }
    // No row of the file is for a release that the stdlib does not know.
    let all: usize = known.values().map(BTreeMap::len).sum();
    assert_eq!(named, all, "docs/verified.toml: {known:?}");
    for entry in known.values().flat_map(BTreeMap::values) {
        let (module, function) = entry.test.rsplit_once("::").unwrap();
        let file = base
            .join("tests/integration")
            .join(module.replace("::", "/"));
        let source = std::fs::read_to_string(file.with_extension("rs"))
            .or_else(|_| std::fs::read_to_string(file.join("mod.rs")))
            .unwrap();
        assert!(
            source.contains(&format!("fn {function}(")),
            "{}",
            entry.test
        );
        assert!(
            source.contains(&format!("\"{}\"", entry.test)),
            "{}",
            entry.test
        );
    }
    for (name, must) in [("docs/distros.md", true), ("README.md", false)] {
        let path = base.join(name);
        let text = std::fs::read_to_string(&path).unwrap();
        let (begin, end) = ("<!-- verified -->\n", "<!-- /verified -->");
        let Some((before, rest)) = text.split_once(begin) else {
            assert!(!must, "{name} has no table");
            continue;
        };
        let (table, after) = rest.split_once(end).unwrap();
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, format!("{before}{begin}{rows}{end}{after}")).unwrap();
        } else {
            assert_eq!(table, rows, "{name}: UPDATE=1 writes it");
        }
    }
}

/// rpm goes on after a script that fails: what its tools say of it decides, the old dnf's and
/// zypper's words as the new dnf's.
#[test]
fn what_tools_say_of_a_script_that_fails_ends_a_build() {
    let steps = plan(
        r#"let root = bootstrap(#{ distro: "fedora", release: "43" });
root.install(["x"]);
root.install(["x"], #{ scripts_may_fail: ["broken", "brokenpre", "Package-post-fail"] });
"#,
    )
    .steps;
    let scan = |step: usize| {
        let mut scans = steps[step]
            .actions
            .iter()
            .filter_map(|action| match &action.op {
                Op::Run(run) if run.place == RunPlace::Root => Some(run.verdict.clone()),
                _ => None,
            });
        scans.next().unwrap()
    };
    let matches = |patterns: &[String], line: &str| {
        let mut patterns = patterns.iter();
        patterns.any(|pattern| regex::Regex::new(pattern).unwrap().is_match(line))
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/failures/dnf");
    for name in ["pre", "post", "pre-zypper", "post-zypper", "post-dnf5"] {
        let said = std::fs::read_to_string(folder.join(format!("{name}.txt"))).unwrap();
        let lines = || said.lines().filter(|line| !line.starts_with('#'));
        let (strict, lenient) = (scan(1), scan(2));
        let failures: Vec<&str> = lines()
            .filter(|line| matches(&strict.fail_on, line))
            .collect();
        assert!(!failures.is_empty(), "{name}");
        for line in failures {
            assert!(matches(&lenient.ignore, line), "{name}: {line}");
            assert!(!matches(&strict.ignore, line), "{name}: {line}");
        }
    }
}
