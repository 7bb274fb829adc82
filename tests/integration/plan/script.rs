//! Scripts, evaluated: limits, hygiene, and what is found before evaluating.

use std::path::Path;

use rootwright::build::PreviewCapture;
use rootwright::diagnose::Report;
use rootwright::plan::{Op, Plan};
use rootwright::recipe::{self, Evaluation, Settings};

fn evaluate_in(folder: &Path, text: &str) -> Result<Evaluation, Vec<Report>> {
    let recipe = folder.join("recipe.rhai");
    std::fs::write(&recipe, text).unwrap();
    recipe::evaluate(
        &recipe,
        &Settings::default(),
        &mut PreviewCapture::default(),
    )
    .map_err(|failure| failure.reports)
}

fn evaluate(text: &str) -> Result<Evaluation, Vec<Report>> {
    evaluate_in(tempfile::tempdir().unwrap().path(), text)
}

#[track_caller]
fn plan(text: &str) -> Plan {
    evaluate(text)
        .unwrap_or_else(|reports| panic!("{reports:#?}"))
        .plan
}

/// The one error of a script: its code, message, help, and the line and text it points at.
#[track_caller]
pub fn error(text: &str) -> (String, String, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let recipe = folder.path().join("recipe.rhai");
    std::fs::write(&recipe, text).unwrap();
    let failure = recipe::evaluate(
        &recipe,
        &Settings::default(),
        &mut PreviewCapture::default(),
    )
    .unwrap_err();
    let report = &failure.reports[0];
    let place = report.place().map_or(String::new(), |span| {
        let range = failure.sources.byte_range(span).unwrap();
        let source = failure.sources.get(&span.file).unwrap();
        format!("{}: {}", span.start.line, &source[range])
    });
    (
        report.code.clone(),
        report.message.clone(),
        report.help.join("; "),
        place,
    )
}

const BASE: &str = r#"let root = bootstrap(#{ distro: "debian", release: "bookworm", mirror: "http://mirror.example.org/debian" });
"#;

#[test]
fn a_plan_has_a_step_for_every_call() {
    let plan = plan(&text!(
        r#"{BASE}root.install(["vim"]);
fn more(root) { root.write_file("/a", "b"); }
more(root);
root.export(#{ format: "dir", name: "x" });
export(root, #{ format: "tar", name: "y" });
"#,
        BASE
    ));
    let calls: Vec<&str> = plan.steps.iter().map(|step| step.call.as_str()).collect();
    assert_eq!(
        calls,
        ["bootstrap", "install", "write_file", "export", "export"]
    );
    assert_eq!(plan.steps[1].calls.len(), 1);
    assert_eq!(plan.steps[1].calls[0].span.start.line, 2);
    // The call of the function, then the call in it.
    let lines: Vec<u32> = plan.steps[2]
        .calls
        .iter()
        .map(|frame| frame.span.start.line)
        .collect();
    assert_eq!(lines, [4, 3]);
    // What the distro's module does stands below the step.
    assert!(plan.steps[1].actions.iter().any(
        |action| matches!(&action.op, Op::Run(run) if run.command.words().contains(&"vim".to_owned()))
    ));
}

#[test]
fn the_same_script_gives_the_same_plan() {
    let text = text!(
        r#"{BASE}root.install(["b", "a"]);
let m = #{ z: 1, a: 2 };
for k in m.keys() { root.write_file("/" + k, "x"); }"#,
        BASE
    );
    let folder = tempfile::tempdir().unwrap();
    let first = evaluate_in(folder.path(), &text).unwrap().plan;
    let second = evaluate_in(folder.path(), &text).unwrap().plan;
    assert_eq!(
        serde_json::to_string(&first).unwrap(),
        serde_json::to_string(&second).unwrap()
    );
}

#[test]
fn a_plan_survives_json() {
    let plan = plan(&text!(
        r#"{BASE}root.write_file("/a", "x=" + secret("key"));
root.dracut(#{ add: ["nfs"], overlay: true });"#,
        BASE
    ));
    let json = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan);
}

#[test]
fn scripts_end_in_errors_not_in_hangs() {
    let deep = format!("let x = {}1{};", "(".repeat(10_000), ")".repeat(10_000));
    let functions: String = (0..3_000).map(|i| format!("fn f{i}() {{}}\n")).collect();
    for (text, what) in [
        ("loop {}", "endless loop"),
        (
            "let f = || { loop {} }; f.call();",
            "endless loop in a closure",
        ),
        (
            "let a = [1]; a.map(|x| { loop {} });",
            "endless loop in a native call",
        ),
        ("fn f(x) { f(x + 1) } f(0);", "endless recursion"),
        (
            r#"let s = "x"; loop { s += s; }"#,
            "a string doubled for ever",
        ),
        ("let a = []; loop { a.push(1); }", "an array that grows"),
        (
            "let m = #{}; let i = 0; loop { m[i.to_string()] = i; i += 1; }",
            "a map that grows",
        ),
        (
            r#"let s = "x"; for i in 0..20 { s += s; } let a = []; loop { a.push(s + a.len()); }"#,
            "memory",
        ),
        (deep.as_str(), "10,000 brackets"),
        (functions.as_str(), "too many functions"),
    ] {
        let start = std::time::Instant::now();
        let (code, message, ..) = error(text);
        assert_eq!(code, "script::limit", "{what}: {message}");
        assert!(start.elapsed().as_secs() < 60, "{what}");
    }
}

#[test]
fn what_has_no_end_is_shown_where_it_goes_on() {
    for (text, place) in [
        (
            "fn work() {\n  let n = 0;\n  loop { n += 1; }\n}\nwork();",
            "3: loop",
        ),
        ("fn work() {\n  loop {}\n}\nwork();", "2: loop"),
        (
            "fn next(n) { n + 1 }\nlet n = 0;\nfor i in 0..99 { n = next(n); }\nwhile n > 0 {\n  n = next(n);\n  for i in 0..2 { n += i; }\n}",
            "4: while",
        ),
        (
            "fn odd(n) {\n  even(n + 1)\n}\nfn even(n) {\n  odd(n + 1)\n}\nodd(1);",
            "5: odd(n + 1)",
        ),
        ("[1].map(|x| {\n  loop { x += 1; }\n});", "2: loop"),
    ] {
        let (code, _, _, found) = error(text);
        assert_eq!(
            (code.as_str(), found.as_str()),
            ("script::limit", place),
            "{text}"
        );
    }
}

#[test]
fn a_script_of_100_mb_is_refused_unread() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = folder.path().join("large.rhai");
    std::fs::File::create(&recipe)
        .unwrap()
        .set_len(100 << 20)
        .unwrap();
    let failure = recipe::evaluate(
        &recipe,
        &Settings::default(),
        &mut PreviewCapture::default(),
    )
    .unwrap_err();
    assert_eq!(failure.reports[0].code, "script::limit");
    assert_eq!(
        failure.reports[0].help,
        ["a script holds steps; large files are brought in with `copy_in`"]
    );
}

#[test]
fn what_a_script_may_not_do() {
    for (text, code, place) in [
        (
            "fn nspawn_run(a, b) { 1 }",
            "script::replaces_builtin",
            "1: nspawn_run(a, b)",
        ),
        ("fn len(a) { 1 }", "script::replaces_builtin", "1: len(a)"),
        (
            r#"let x = "a"; import x as y;"#,
            "script::import_path",
            "1: x",
        ),
        (
            r#"import "../secrets" as y;"#,
            "script::import_path",
            r#"1: "../secrets""#,
        ),
        (
            r#"import "/etc/passwd" as y;"#,
            "script::import_path",
            r#"1: "/etc/passwd""#,
        ),
        (
            r#"import "package/apt" as y;
import "dracut/dracut" as y;"#,
            "script::duplicate",
            r#"2: "dracut/dracut""#,
        ),
        (r#"eval("1");"#, "script::parse", "1: eval"),
        (
            r#"host_read("/etc/passwd");"#,
            "script::stdlib_only",
            r#"1: host_read("/etc/passwd")"#,
        ),
        ("timestamp();", "script::unknown_function", "1: timestamp"),
        (
            "if false { instal(1, 2); }",
            "script::unknown_function",
            "1: instal(1, 2)",
        ),
        (
            "if false { install(1); }",
            "script::wrong_arity",
            "1: install(1)",
        ),
        (
            "fn f(a) { a } if false { f(1, 2); }",
            "script::wrong_arity",
            "1: f(1, 2)",
        ),
        (
            "let x = #{ a: 1 }; x.b;",
            "script::unknown_property",
            "1: x.b",
        ),
        ("nothing + 1;", "script::unknown_variable", "1: nothing"),
    ] {
        let (found, message, _, at) = error(text);
        assert_eq!(
            (found.as_str(), at.as_str()),
            (code, place),
            "{text}: {message}"
        );
    }
}

#[test]
fn mistakes_in_calls_name_the_field_and_the_cure() {
    for (call, code, help, place) in [
        (
            r#"bootstrap(#{ distro: "debain" });"#,
            "script::unknown_distro",
            "did you mean `debian`?",
            r#"2: distro: "debain""#,
        ),
        (
            r#"bootstrap(#{ distro: "debian", relaese: "bookworm" });"#,
            "script::missing_field",
            "is `relaese` meant to be `release`?",
            r#"2: relaese: "bookworm""#,
        ),
        (
            r#"bootstrap(#{ distro: "debian", release: "bookworm", miror: "x" });"#,
            "script::unknown_field",
            "did you mean `mirror`?",
            r#"2: miror: "x""#,
        ),
        (
            r#"bootstrap(#{ distro: "debian", release: 12 });"#,
            "script::wrong_type",
            r#"in quotes it is a string: `"12"`"#,
            "2: release: 12",
        ),
        (
            r#"bootstrap(#{ distro: "debian", release: "stable" });"#,
            "script::fail",
            r#"say the release's own name: `release: "trixie"` is what `stable` means today"#,
            r#"2: release: "stable""#,
        ),
        (
            "root.install(5);",
            "script::wrong_type",
            "`root.install(packages, [opts])`",
            "2: 5",
        ),
        (
            r#"root.install(["--force"]);"#,
            "script::package_name",
            "options of the package manager are fields of the last argument: `#{ recommends: true }`",
            r#"2: "--force""#,
        ),
        (
            r#"root.write_file("etc/motd", "x");"#,
            "script::relative_path",
            "write `/etc/motd`",
            r#"2: "etc/motd""#,
        ),
        (
            r#"root.nspawn_run(["x"], #{ usr: "a" });"#,
            "script::unknown_field",
            "did you mean `user`?",
            r#"2: usr: "a""#,
        ),
        (
            r#"root.host_run(["x"]);"#,
            "policy::host_access",
            "look at the recipe; if that is right, pass `--allow-host-run`",
            r#"2: root.host_run(["x"])"#,
        ),
        (
            r#"root.export(#{ format: "zip", name: "x" });"#,
            "script::export_format",
            "the formats are `dir`, `nfs`, `tar`, `squashfs`, `erofs`, `cpio`, `ext4` and `oci`",
            r#"2: format: "zip""#,
        ),
        (
            r#"root.export(#{ format: "dir", name: "../x" });"#,
            "script::export_name",
            "letters, digits, `.`, `_`, `+` and `-`, not starting with `.` or `-`",
            r#"2: name: "../x""#,
        ),
        (
            r#"root.dracut(#{ overlay: #{ siz: "1g" } });"#,
            "script::unknown_field",
            "did you mean `size`?",
            r#"2: siz: "1g""#,
        ),
        (
            r#"root.copy_in("../x", "/x");"#,
            "script::copy_source",
            "files that a recipe copies stand beside it, so that it builds the same elsewhere; a value of the host can be an option of the recipe",
            r#"2: "../x""#,
        ),
        (
            r#"fetch("ftp://x", #{ sha256: "00" });"#,
            "script::fetch_url",
            "it starts with `https://`, `http://` or `file:///`",
            r#"2: "ftp://x""#,
        ),
        (
            r#"root.write_file(`/a-${secret("k")}`, "");"#,
            "script::secret_place",
            "it would show; a secret goes into the content of a file, or to a command with `env` or `stdin`; `root.write_file(path, content, [opts])`",
            r#"2: `/a-${secret("k")}`"#,
        ),
    ] {
        let (found, message, said, at) = error(&format!("{BASE}{call}"));
        assert_eq!(found, code, "{call}: {message}");
        assert_eq!(said, help, "{call}");
        assert!(at.starts_with(place), "{call}: {at}");
    }
}

#[test]
fn every_module_of_the_stdlib_is_clean_and_loads() {
    for module in recipe::stdlib::Stdlib::default().all() {
        let name = module.trim_end_matches(".rhai");
        plan(&text!(r#"import "{name}" as m;"#, name));
    }
}

#[test]
fn an_option_is_typed_and_checked() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = folder.path().join("recipe.rhai");
    std::fs::write(
        &recipe,
        r#"let a = option("size", #{ default: 3 });
let b = option("kind", #{ choices: ["one", "two"], default: "one" });
log(`${a + 1} ${b}`);"#,
    )
    .unwrap();
    let with = |options: &[(&str, &str)]| {
        let options = options
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect();
        let settings = Settings {
            options,
            ..Settings::default()
        };
        recipe::evaluate(&recipe, &settings, &mut PreviewCapture::default())
            .map(|evaluation| evaluation.plan.messages[0].text.clone())
            .map_err(|failure| {
                format!(
                    "{}; {}",
                    failure.reports[0].message,
                    failure.reports[0].help.join("; ")
                )
            })
    };
    assert_eq!(with(&[]), Ok("4 one".to_owned()));
    assert_eq!(
        with(&[("size", "7"), ("kind", "two")]),
        Ok("8 two".to_owned())
    );
    assert_eq!(
        with(&[("size", "x")]),
        Err("`x` is no value of the option `size`; it wants a number".to_owned())
    );
    assert_eq!(with(&[("kind", "tow")]), Err("`tow` is no value of the option `kind`; it is one of one, two; did you mean `-o kind=two`?".to_owned()));
    assert_eq!(
        with(&[("knid", "two")]),
        Err("the recipe has no option `knid`; did you mean `kind`?".to_owned())
    );
}

#[test]
fn a_secret_in_backticks_stays_a_secret() {
    let plan = plan(&text!(
        r#"{BASE}root.write_file("/a", `key=${secret("k")};` + "\n");"#,
        BASE
    ));
    let json = serde_json::to_string(&plan.steps[1].actions[0].op).unwrap();
    assert!(json.contains(r#"["key=",{"secret":"k"},";\n"]"#), "{json}");
}
