//! Each script calls its own functions: the recipe, modules beside it, libraries and the
//! standard library, whichever of them calls the other.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::support::{Project, long, rootwright, run, stdout};
use rootwright::build::PreviewCapture;
use rootwright::recipe::{self, Settings, parallel};

/// Where a script is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Recipe,
    Beside,
    Stdlib,
}

/// A way in which two scripts can get in each other's way: `a` imports `b` and has `work`,
/// which throws where something is wrong.
struct Case {
    name: &'static str,
    a: &'static str,
    b: &'static str,
}

/// Part of every script, so that a function of this name is in all of them.
const SAME: &str = "private fn same(got, expected) { if got != expected { throw `got ${got}, expected ${expected}`; } }\n";

const CASES: &[Case] = &[
    Case {
        name: "another script's private function",
        a: r#"private fn helper() { "a" }
fn work() { for turn in 0..4 { same(helper(), "a"); same(b::own(), "b"); same(b::own(), "b"); } }"#,
        b: r#"private fn helper() { "b" }
fn own() { for turn in 0..3 { same(helper(), "b"); } helper() }"#,
    },
    Case {
        name: "a public function of the same name",
        a: r#"fn own() { "a" }
fn work() { for turn in 0..4 { same(own(), "a"); same(b::own(), "b"); same(b::other(), "b"); } }"#,
        b: r#"fn own() { "b" }
fn other() { own() }"#,
    },
    Case {
        name: "a function that only the other script has",
        a: r#"fn helper() { "a" }
fn work() { for turn in 0..4 { same(helper(), "a"); same(b::has("helper", 0), false); same(b::has("own", 0), true); } same(is_def_fn("own", 0), false); }"#,
        b: r#"fn own() { "b" }
fn has(name, count) { is_def_fn(name, count) }"#,
    },
    Case {
        name: "the caller's function and a native method",
        a: r#"fn keys() { "a" }
fn work() { for turn in 0..4 { same(keys(), "a"); same(b::names(#{ x: 1 }), ["x"]); same(keys(), "a"); } }"#,
        b: r#"fn names(map) { for turn in 0..3 { same(map.keys(), ["x"]); } map.keys() }"#,
    },
    Case {
        name: "a native method and the called script's function",
        a: r#"fn work() { let m = #{ x: 1 }; for turn in 0..4 { same(m.keys(), ["x"]); same(b::own(), "b"); same(m.keys(), ["x"]); } }"#,
        b: r#"private fn keys() { "b" }
fn own() { for turn in 0..3 { same(keys(), "b"); } keys() }"#,
    },
    Case {
        name: "a native function and a function with other parameters",
        a: r#"fn max(a, b, c) { "a" }
fn len(a, b) { "a" }
fn work() { for turn in 0..4 { same(max(1, 2, 3), "a"); same(len(1, 2), "a"); same(max(1, 2), 2); same("xy".len(), 2); same(b::own(), 7); } }"#,
        b: r#"fn max(a, b, c, d) { 3 }
fn own() { for turn in 0..3 { same(max(1, 2), 2); same(len("xy"), 2); } max(1, 2) + len("xy") + max(0, 0, 0, 0) }"#,
    },
    Case {
        name: "a closure that is passed on",
        a: r#"fn helper() { "a" }
fn plus(x) { x + 1 }
fn work() {
    let own = "mine";
    for turn in 0..4 {
        same(b::apply(|| helper()), "a");
        same(b::apply(|| helper() + own), "amine");
        same(b::apply(Fn("helper")), "a");
        same(b::apply(Fn("plus").curry(1)), 2);
        same(b::apply_in(#{ deep: [#{ f: || helper() }] }), "a");
        same(b::each([1, 2]), [1, 2]);
        same(b::each_by([1, 2], |x| plus(x)), [2, 3]);
        same(b::each_by([1, 2], |x, i| plus(x + i)), [2, 4]);
        same(b::each_by([1, 2], |x| b::own() + helper()), ["ba", "ba"]);
    }
    let sum = 0;
    b::with_this([1, 2], |i| { sum += plus(this); });
    same(sum, 5);
    same(b::with_this([3, 4], || this += 1), [4, 5]);
    same(b::total([1, 2, 3], |sum, x| sum * 10 + plus(x)), 234);
    same(b::total([1, 2, 3], |sum, x, i| sum + x * i), 8);
    same(b::kept(#{ x: 1, y: 2 }, |key, value| key == "y" && plus(value) == 3), ["y"]);
    same(b::sorted([1, 3, 2], |l, r| plus(r) - plus(l)), [3, 2, 1]);
    same(b::on("x", |y| this + y), "xy");
    same(b::field(#{ f: |y| helper() + y }), "ay");
}"#,
        b: r#"private fn helper() { "b" }
private fn plus(x) { "b" }
fn own() { helper() }
fn apply(f) { same(helper(), "b"); let got = f.call(); same(helper(), "b"); got }
fn apply_in(spec) { spec.deep[0].f.call() }
fn each(items) { items.map(|x| { same(helper(), "b"); x }) }
fn each_by(items, f) { items.map(f) }
fn with_this(items, f) { items.for_each(f); items }
fn total(items, f) { items.reduce(f, 0) }
fn kept(map, f) { map.filter(f).keys() }
fn sorted(items, f) { items.sort(f); items }
fn on(text, f) { text.call(f, "y") }
fn field(map) { map.f("y") }"#,
    },
    Case {
        name: "a closure that is returned or exported",
        a: r#"fn helper() { "a" }
fn work() {
    for turn in 0..4 {
        let f = b::make("x");
        same(f.call(1), "bx1");
        same([1, 2].map(f), ["bx1", "bx2"]);
        same(b::HELP.call(), "b");
        same(b::named().call(), "b");
        same(b::back(|| helper()).call(), "a");
        same(b::wrap(|| helper()).call(), "ba");
        same(helper(), "a");
    }
}"#,
        b: r#"private fn helper() { "b" }
export const HELP = || helper();
fn make(text) { |n| helper() + text + n }
fn named() { Fn("helper") }
fn back(f) { f }
fn wrap(f) { || helper() + f.call() }"#,
    },
    Case {
        name: "an import in a function",
        a: r#"fn helper() { "a" }
fn work() { for turn in 0..4 { import "b" as inner; same(inner::own(), "b"); same(helper(), "a"); if turn > 0 { import "b" as third; same(third::own(), "b"); } } }"#,
        b: r#"private fn helper() { "b" }
fn own() { helper() }"#,
    },
    Case {
        name: "recursion through both scripts",
        a: r#"fn helper() { "a" }
fn down(n) { same(helper(), "a"); if n == 0 { return b::own(); } b::turn(n, |m| down(m - 1)) + helper() }
fn work() { same(down(5), "baaaaa"); same(down(3), "baaa"); }"#,
        b: r#"fn helper() { "b" }
fn own() { helper() }
fn turn(n, f) { same(helper(), "b"); let got = f.call(n); same(helper(), "b"); got }"#,
    },
    Case {
        name: "an error that is thrown through both",
        a: r#"fn helper() { "a" }
fn work() {
    for turn in 0..4 {
        let caught = "";
        try { b::fails(); } catch (e) { caught = e; }
        same(caught, "b");
        try { b::apply(|| { throw helper(); }); } catch (e) { caught = e; }
        same(caught, "a");
        same(b::catches(|| { throw helper(); }), "ab");
        same(helper(), "a");
    }
}"#,
        b: r#"private fn helper() { "b" }
fn fails() { throw helper(); }
fn apply(f) { f.call() }
fn catches(f) { try { f.call(); } catch (e) { return e + helper(); } }"#,
    },
    Case {
        name: "constants and imports of the same name",
        a: r#"import "c" as x;
const NAME = "a";
fn work() { for turn in 0..4 { same(global::NAME, "a"); same(b::name(), "b"); same(x::own(), "c"); same(b::other(), "d"); same(b::apply(|| global::NAME + x::own()), "ac"); } }"#,
        b: r#"import "d" as x;
const NAME = "b";
fn name() { global::NAME }
fn other() { x::own() }
fn apply(f) { f.call() }"#,
    },
];

/// The message of the first failure of a case with its scripts in these places.
fn evaluate(case: &Case, a: Place, b: Place) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let (beside, stdlib) = (folder.path().join("here"), folder.path().join("stdlib"));
    std::fs::create_dir_all(&beside).unwrap();
    std::fs::create_dir_all(&stdlib).unwrap();
    let put = |name: &str, place: Place, text: &str| {
        let folder = if place == Place::Stdlib {
            &stdlib
        } else {
            &beside
        };
        std::fs::write(folder.join(name), text).unwrap();
    };
    put("b.rhai", b, &format!("{SAME}{}\n", case.b));
    for name in ["c", "d"] {
        let text = text!(
            r#"private fn helper() { "{name}" }
fn own() { helper() }
"#,
            name
        );
        put(&format!("{name}.rhai"), Place::Stdlib, &text);
    }
    let text = format!("import \"b\" as b;\n{SAME}{}\n", case.a);
    let recipe = match a {
        Place::Recipe => format!("{text}work();\nwork();\n"),
        Place::Beside | Place::Stdlib => {
            put("a.rhai", a, &text);
            // The recipe has functions of these names, too.
            r#"import "a" as a;
fn helper() { "recipe" }
fn keys() { "recipe" }
fn own() { "recipe" }
helper(); helper(); keys(); keys(); own(); own();
a::work();
a::work();
if helper() + keys() + own() != "reciperecipe" + "recipe" { throw "the recipe's own"; }
"#
            .to_owned()
        }
    };
    put("recipe.rhai", Place::Recipe, &recipe);
    let settings = Settings {
        stdlib: Some(stdlib),
        ..Settings::default()
    };
    recipe::evaluate(
        &beside.join("recipe.rhai"),
        &settings,
        &mut PreviewCapture::default(),
    )
    .map(|_| ())
    .map_err(|failure| {
        let report = &failure.reports[0];
        let lines = report
            .trace
            .iter()
            .map(|frame| format!("{} {}", frame.function, frame.span));
        format!("{}: {:?}", report.message, lines.collect::<Vec<_>>())
    })
}

#[test]
fn every_script_calls_its_own_functions() {
    // A module of the standard library imports from there only.
    let pairs = [
        (Place::Recipe, Place::Beside),
        (Place::Recipe, Place::Stdlib),
        (Place::Beside, Place::Beside),
        (Place::Beside, Place::Stdlib),
        (Place::Stdlib, Place::Stdlib),
    ];
    let mut wrong = Vec::new();
    for case in CASES {
        for (a, b) in pairs {
            if let Err(message) = evaluate(case, a, b) {
                wrong.push(format!("{}, {a:?} and {b:?}: {message}", case.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The steps that `call` made, without where they come from.
fn actions(recipe: &str, call: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recipe.rhai");
    std::fs::write(&path, recipe).unwrap();
    let evaluated = recipe::evaluate(&path, &Settings::default(), &mut PreviewCapture::default());
    let plan = evaluated
        .unwrap_or_else(|f| panic!("{:#?}", f.reports))
        .plan;
    let steps = plan.steps.iter().skip_while(|step| step.call != call);
    let operations = steps.flat_map(|step| step.actions.iter().map(|action| &action.op));
    serde_json::to_string(&operations.collect::<Vec<_>>()).unwrap()
}

#[test]
fn a_recipe_does_not_change_what_the_standard_library_does() {
    let recipe = |functions: &str, calls: &str| {
        text!(
            r#"import "diskless" as diskless;
{functions}
let root = bootstrap(#{ distro: "debian", release: "bookworm", mirror: "http://mirror.example.org/debian" });
{calls}
root.write_file("/mark", "");
diskless::prepare(root);
"#,
            functions,
            calls
        )
    };
    let expected = actions(&recipe("", ""), "write_file");
    for (functions, calls) in [
        (r#"fn disks() { "LEAK" }"#, "disks(); disks();"),
        (
            "",
            "for n in #{ a: 1 }.keys() {} for n in #{ a: 1 }.keys() {} for n in #{ a: 1 }.keys() {}",
        ),
        (r#"fn keys() { "LEAK" }"#, "keys(); keys(); keys();"),
        (
            r#"fn drop_paths(paths) { "LEAK" }"#,
            "drop_paths([]); drop_paths([]);",
        ),
        (r#"fn run(root, parts, why) { throw "LEAK"; }"#, ""),
        (
            r#"fn init(root) { throw "LEAK"; }
fn split() { throw "LEAK"; }
fn contains(x) { throw "LEAK"; }"#,
            "",
        ),
    ] {
        assert_eq!(
            actions(&recipe(functions, calls), "write_file"),
            expected,
            "{functions} {calls}"
        );
    }
    let own = r#"fn drop_paths(paths) { "own" }
fn same(got, expected) { if got != expected { throw got; } }"#;
    let calls =
        r#"diskless::machine_id(root); diskless::machine_id(root); same(drop_paths([]), "own");"#;
    actions(&recipe(own, calls), "write_file");
}

/// A distro of the repository is called by built-ins, in an engine call of its own.
#[test]
fn a_distro_of_the_repository_calls_its_own_functions() {
    let project = Project::new();
    project.write(
        "distro/own.rhai",
        r#"private fn helper() { "distro" }
private fn keys() { helper() }
fn bootstrap(root, spec) { host_run(root, ["true", helper(), keys(), spec.say.call(), spec.named.call()]); }
fn install(root, packages, opts) { for turn in 0..3 { helper(); } nspawn_run(root, ["add", helper(), keys()]); }
"#,
    );
    project.write(
        "recipe.rhai",
        r#"fn helper() { "recipe" }
helper(); helper(); #{}.keys(); #{}.keys();
let root = bootstrap(#{ distro: "own", say: || helper(), named: Fn("helper") });
for turn in 0..3 { root.install(["x"]); helper(); }
root.nspawn_run(["mine", helper()]);
"#,
    );
    let plan = project.plan().success().out();
    assert!(plan.contains("mine recipe"), "{plan}");
    assert!(plan.contains("true distro distro recipe recipe"), "{plan}");
    assert_eq!(plan.matches("add distro distro").count(), 3, "{plan}");
}

/// A library between the recipe and the standard library.
#[test]
fn a_library_does_not_change_what_others_do() {
    let base = r#"
import "template" as template;
private fn helper() { "library" }
fn is_name(part) { throw "LEAK"; }
fn keys() { throw "LEAK"; }
fn own() { helper() }
fn filled() { template::fill("@A@", #{ A: helper() }) }
fn apply(f) { helper() + f.call() }
"#;
    let plan = Project::new()
        .library("net", &[("base.rhai", base)])
        .recipe(
            r#"
import "@net/base" as net;
import "template" as template;
fn helper() { "recipe" }
fn is_name(part) { throw "LEAK"; }
fn keys() { throw "LEAK"; }
let root = bootstrap(#{ distro: "tiny" });
for turn in 0..3 { root.nspawn_run(["say", helper(), net::own(), net::filled(), net::apply(|| helper()), template::fill("@A@", #{ A: "x" })]); }
"#,
        )
        .plan()
        .success()
        .out();
    let said = "root# say recipe library library libraryrecipe x";
    assert_eq!(plan.matches(said).count(), 3, "{plan}");
}

/// An error in a closure names the closure's file, below every call that led there.
#[test]
fn an_error_names_the_calls_through_both_scripts() {
    let case = Case {
        name: "",
        a: r#"fn fails() { throw "no"; }
fn work() { b::apply(|| fails()); }"#,
        b: "private fn fails() { }\nfn apply(f) { inner(f) }\nprivate fn inner(f) {\n    f.call()\n}",
    };
    let message = evaluate(&case, Place::Recipe, Place::Stdlib).unwrap_err();
    let names: Vec<String> = message
        .split('"')
        .skip(1)
        .step_by(2)
        .map(|frame| {
            frame
                .replace('/', " ")
                .split(' ')
                .next_back()
                .unwrap()
                .to_owned()
                + " "
                + frame.split(' ').next().unwrap()
        })
        .collect();
    assert_eq!(
        names,
        [
            "recipe.rhai:5:1 work",
            "recipe.rhai:4:13 apply",
            "stdlib:b.rhai:3:15 inner",
            "stdlib:b.rhai:5:5 a",
            "recipe.rhai:4:25 fails",
            "recipe.rhai:3:14 throw",
        ]
    );
}

/// What a recipe comes out as: its plan, or what is wrong with it.
fn outcome(recipe: &Path) -> String {
    let capture = Rc::new(RefCell::new(PreviewCapture::default()));
    match recipe::evaluate_here(recipe, &Settings::default(), capture) {
        Ok(evaluation) => serde_json::to_string(&evaluation.plan).unwrap(),
        Err(failure) => format!("{:?}", failure.reports),
    }
}

fn scripts(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            scripts(&path, found);
        } else if path
            .extension()
            .is_some_and(|extension| extension == "rhai")
        {
            found.push(path);
        }
    }
}

/// Every script of the project that takes no second, many times, in threads side by side
/// and in random order. `ROOTWRIGHT_LONG` makes it 1,000 times.
#[test]
fn every_evaluation_of_a_recipe_has_one_plan() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = Vec::new();
    for folder in ["recipes", "benches", "tests", "stdlib/new/recipes"] {
        scripts(&root.join(folder), &mut all);
    }
    // These run into a limit, which takes seconds.
    all.retain(|path| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        !["loop {", "while true", "0..100000", "endless"]
            .iter()
            .any(|slow| text.contains(slow))
    });
    assert!(all.len() > 200, "{}", all.len());
    let times = if long() { 1000 } else { 3 };
    let mut order: Vec<&PathBuf> = all.iter().cycle().take(all.len() * times).collect();
    let random = RandomState::new();
    for index in (1..order.len()).rev() {
        order.swap(
            index,
            (random.hash_one(index) % (index as u64 + 1)) as usize,
        );
    }
    let mut seen = BTreeMap::new();
    let mut next = order.iter();
    parallel::each(
        &order,
        |path| outcome(path),
        |got| {
            let path = next.next().unwrap();
            let first = seen.entry(*path).or_insert_with(|| got.clone());
            assert_eq!(&got, first, "{}", path.display());
        },
    )
    .unwrap();
}

/// Rhai's hashes, and so what collides in its caches, differ from process to process.
#[test]
fn every_process_has_the_same_plan() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let times = if long() { 1000 } else { 10 };
    for recipe in [
        "recipes/debian-minimal.rhai",
        "recipes/debian-nfs.rhai",
        "recipes/nfs-node.rhai",
    ] {
        let plan = || {
            let mut command = rootwright();
            command
                .current_dir(root)
                .args(["plan", recipe, "--format", "json"]);
            stdout(&run(&mut command))
        };
        let first = plan();
        for _ in 1..times {
            assert_eq!(plan(), first, "{recipe}");
        }
    }
}
