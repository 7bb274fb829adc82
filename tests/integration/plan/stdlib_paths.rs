//! What the standard library's commands of the host do below a root. An image has links wherever
//! it likes: only the in-root functions of the runner follow them inside.

use regex::Regex;
use std::path::Path;

/// Forms of a path that leads out of a root where an image has a link on the way.
const FORBIDDEN: &[(&str, &str)] = &[
    (
        "a file below the root is sourced",
        r#"(^|[\s;&|"])(\.|source) \\?"?\$\{?(root|ROOT|1)\b"#,
    ),
    ("install follows links", r"\binstall (-\S+ )*-\S*D"),
    (
        "a tree below the root is removed",
        r#"\brm\b[^|;&\n]* -\S*[rR]\S*[^|;&\n]*\\?"\$\{?(root|ROOT|1)\}?/"#,
    ),
    (
        "a file below the root is written",
        r#">\|?\s*\\?"?\$\{?(root|ROOT|1)\}?(/|\\?" *\+)"#,
    ),
    (
        "something below the root is made, moved or changed",
        r#"\b(mkdir|cp|mv|ln|touch|chmod|chown|install|tee|truncate|sed -i)\b[^|;&\n]*\\?"?\$\{?(root|ROOT|1)\}?/"#,
    ),
    (
        "something is mounted below the root",
        r#"\bmount\b[^|;&\n]*\\?"?\$\{?(root|ROOT|1)\}?/"#,
    ),
];

/// Where it can't: file, a part of the line, and why.
const ALLOWED: &[(&str, &str, &str)] = &[
    (
        "package/apt-bootstrap.rhai",
        "--setup-hook=",
        "the root is empty, mmdebstrap has just made it",
    ),
    (
        "package/apt-index.sh",
        "var/lib/apt/lists",
        "the root is empty, nothing was installed",
    ),
    (
        "package/debootstrap.sh",
        "mkdir -p \"$root/dev\"",
        "the root is empty, nothing was installed",
    ),
    (
        "package/debootstrap.sh",
        "$root/dev/pt",
        "our own tmpfs is mounted there",
    ),
    (
        "package/devices.sh",
        "$root/dev/",
        "our own tmpfs is mounted there",
    ),
    (
        "package/rpm.rhai",
        "global::NEW_LIST",
        "the step has just made the folder, and no script has run since",
    ),
    (
        "package/rpm.rhai",
        "--exportdb >",
        "the step has just made the folder, and no script has run since",
    ),
    ("package/around.sh", "$root/", "links were refused before"),
    (
        "package/devices.sh",
        "tmpfs \"$root/dev\"",
        "links were refused before, or the root is empty",
    ),
];

/// The lines of a text that are in a forbidden form, and what is wrong with them.
fn found(name: &str, text: &str) -> Vec<String> {
    let forbidden = FORBIDDEN.iter();
    let forbidden: Vec<_> = forbidden
        .map(|(what, pattern)| (what, Regex::new(pattern).unwrap()))
        .collect();
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let comment = line.trim_start().starts_with(['#', '/']) && !line.contains("hook");
        let is_allowed =
            |(file, part, _): &(&str, &str, &str)| *file == name && line.contains(part);
        if comment || ALLOWED.iter().any(is_allowed) {
            continue;
        }
        for (what, pattern) in &forbidden {
            if pattern.is_match(line) {
                found.push(format!("{name}:{}: {what}: {}", number + 1, line.trim()));
            }
        }
    }
    found
}

#[test]
fn commands_of_the_host_follow_no_links_of_an_image() {
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("stdlib");
    let (mut bad, mut seen, mut used) = (Vec::new(), 0, vec![false; ALLOWED.len()]);
    for entry in walkdir::WalkDir::new(&base) {
        let entry = entry.unwrap();
        let path = entry.path();
        if !path
            .extension()
            .is_some_and(|ext| ext == "sh" || ext == "rhai")
        {
            continue;
        }
        let name = path.strip_prefix(&base).unwrap().to_str().unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        seen += 1;
        for (used, (file, part, _)) in used.iter_mut().zip(ALLOWED) {
            *used |= *file == name && text.contains(part);
        }
        bad.extend(found(name, &text));
    }
    assert!(seen > 30, "{seen}");
    assert!(bad.is_empty(), "{}", bad.join("\n"));
    assert!(used.iter().all(|used| *used), "{used:?}");
}

/// What was there once, and its cousins.
#[test]
fn the_forms_are_found() {
    for line in [
        r#"    "install -D -m 0644 \"$1\" \"$ROOT/etc/apt/keyrings/x.asc\"""#,
        r#". "$root/.rootwright/around.sh""#,
        r#"export const AROUND = ". \"$root/.rootwright/around.sh\"\n";"#,
        r#"rm -rf "$root/var/lib/apt/lists""#,
        r#"    rm --force -r "$1/var/cache""#,
        r#"rpm --query --all >"$root/usr/share/rootwright/packages""#,
        r#"" | sort >\"$root" + global::LIST + "\"\n""#,
        r#"mkdir -p -m 0755 "$root/var/lib/pacman""#,
        r#"cp -a "$made/." "${root}/etc/pacman.d/gnupg""#,
        r#"echo x >>$ROOT/etc/motd"#,
        r#"ln -s x "$root/etc/x""#,
        r#"sed -i s/a/b/ "$root/etc/x""#,
        r#"mount --bind /sys "$root/sys""#,
    ] {
        assert!(!found("x.sh", line).is_empty(), "{line}");
    }
    for line in [
        r#"rpm --root="$root" --query --all"#,
        r#"cp "$file" "$work/x""#,
        r#"# mkdir "$root/x""#,
        r#"if [ -L "$root/$folder" ]; then"#,
    ] {
        assert!(
            found("x.sh", line).is_empty(),
            "{line}: {:?}",
            found("x.sh", line)
        );
    }
}
