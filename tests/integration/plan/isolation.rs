//! A thread keeps its engine and what it has compiled; nothing else of one plan reaches the
//! next.
use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

use crate::support::Project;
use rootwright::build::PreviewCapture;

use rootwright::preview;
use rootwright::recipe::{Failure, Settings, evaluate_here, parallel};

fn evaluated(recipe: &Path, options: &[(&str, &str)]) -> Result<String, Failure> {
    let settings = Settings {
        options: options
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        ..Settings::default()
    };
    let answers = Rc::new(RefCell::new(PreviewCapture::default()));
    let plan = evaluate_here(recipe, &settings, answers)?.plan;
    Ok(preview::json(&plan))
}

fn code_of(result: Result<String, Failure>) -> String {
    match result {
        Ok(plan) => panic!("it evaluates:\n{plan}"),
        Err(failure) => failure.reports.first().unwrap().code.clone(),
    }
}

/// Runs `work` once, in one thread with room for recipes.
fn in_one_thread(work: impl Fn() + Sync) {
    parallel::each(&[()], |()| work(), |()| {}).unwrap();
}

const RECIPE: &str = r#"import "users" as users;
let release = option("release", #{ default: "bookworm", choices: ["bookworm", "trixie"] });
hint(#{ tool: "useradd", pattern: "taken", cause: "it is there", help: "leave it out" });
let root = bootstrap(#{ distro: "debian", release: release, mirror: "http://mirror.example.org/debian" });
users::admin(root);
log(root.capture(["hostname"], #{ preview: "node" }));
root.write_file("/etc/issue", "door " + secret("door") + "\n");
root.export(#{ format: "tar", name: "node" });
"#;

const USERS: &str = r#"const SHELL = "/bin/bash";
fn admin(root) { nspawn_run(root, ["useradd", "--shell", global::SHELL, "admin"]); }
"#;

fn project() -> Project {
    let project = Project::new();
    project.write("recipe.rhai", RECIPE);
    project.write("lib/users.rhai", USERS);
    project
}

#[test]
fn whatever_ran_before_a_plan_is_the_same() {
    let project = project();
    let recipe = project.path().join("recipe.rhai");
    let others = [
        // Ends in the middle of a step, in the stdlib.
        (
            "release.rhai",
            r#"let root = bootstrap(#{ distro: "debian", release: "stable" });
"#,
            "script::fail",
        ),
        // Ends in a module that a built-in calls.
        (
            "deep.rhai",
            r#"let root = bootstrap(#{ distro: "debian", release: "trixie", mirror: "http://mirror.example.org/debian" });
root.dracut(#{ overlay: #{ sise: 1 } });
"#,
            "script::unknown_field",
        ),
        // Takes all of its operations.
        (
            "endless.rhai",
            "let n = 0;\nwhile true { n += 1; }\n",
            "script::limit",
        ),
        // Nests until the engine refuses.
        (
            "recursion.rhai",
            "fn f(n) { f(n + 1) }\nf(0);\n",
            "script::limit",
        ),
        // Leaves the parser behind a period.
        (
            "period.rhai",
            r#"let root = bootstrap(#{ distro: "debian", release: "trixie" });
root."#,
            "script::parse",
        ),
        // Throws a value of its own.
        (
            "thrown.rhai",
            r#"import "users" as users;
throw #{ message: "no" };
"#,
            "script::thrown",
        ),
    ];
    for (name, text, _) in others {
        project.write(name, text);
    }
    // The first word is a built-in that is a reserved word: no method of what came before.
    let first = project.write(
        "first.rhai",
        r#"export(bootstrap(#{ distro: "debian", release: "trixie", mirror: "http://mirror.example.org/debian" }), #{ format: "dir", name: "x" });"#,
    );
    in_one_thread(|| {
        let plan = evaluated(&recipe, &[]).unwrap();
        let trixie = evaluated(&recipe, &[("release", "trixie")]).unwrap();
        assert_ne!(plan, trixie);
        for (name, _, code) in others {
            let other = project.path().join(name);
            let failure = evaluated(&other, &[]).unwrap_err();
            assert_eq!(failure.reports.first().unwrap().code, code, "{name}");
            // The same again: what is kept of a bad script is no excuse for it.
            if name != "endless.rhai" {
                let said = |failure: &Failure| format!("{:?}", failure.reports);
                let again = evaluated(&other, &[]).unwrap_err();
                assert_eq!(said(&failure), said(&again));
            }
            assert_eq!(plan, evaluated(&recipe, &[]).unwrap(), "after {name}");
        }
        // An option that was given once is not given now.
        assert_eq!(plan, evaluated(&recipe, &[]).unwrap());
        assert_eq!(
            trixie,
            evaluated(&recipe, &[("release", "trixie")]).unwrap()
        );
        if let Err(failure) = evaluated(&first, &[]) {
            panic!("{:?}", failure.reports);
        }
    });
    // A thread that has run nothing says the same.
    in_one_thread(|| {
        let fresh = evaluated(&recipe, &[]).unwrap();
        let again = evaluated(&recipe, &[]).unwrap();
        assert_eq!(fresh, again);
    });
}

#[test]
fn a_module_that_changes_is_read_anew() {
    let project = project();
    let recipe = project.path().join("recipe.rhai");
    in_one_thread(|| {
        let before = evaluated(&recipe, &[]).unwrap();
        assert!(before.contains("/bin/bash"));
        project.write("lib/users.rhai", &USERS.replace("bash", "zsh"));
        assert!(evaluated(&recipe, &[]).unwrap().contains("/bin/zsh"));
        // What it does not have any more is missed.
        project.write(
            "lib/users.rhai",
            &USERS.replace("admin(root)", "operator(root)"),
        );
        assert_eq!(code_of(evaluated(&recipe, &[])), "script::unknown_function");
        // A circle, of a module that was sound and one that is.
        project.write(
            "lib/users.rhai",
            &text!(
                r#"import "more" as more;
{USERS}"#,
                USERS
            ),
        );
        project.write("lib/more.rhai", "const A = 1;\n");
        assert!(evaluated(&recipe, &[]).is_ok());
        project.write("lib/more.rhai", r#"import "users" as users;"#);
        assert_eq!(code_of(evaluated(&recipe, &[])), "script::import_circle");
        std::fs::remove_file(project.path().join("lib/more.rhai")).unwrap();
        assert_eq!(code_of(evaluated(&recipe, &[])), "script::unknown_module");
        project.write("lib/users.rhai", USERS);
        assert_eq!(before, evaluated(&recipe, &[]).unwrap());
        // A module nearer to the recipe goes before the one in `lib/`.
        project.write("users.rhai", &USERS.replace("bash", "fish"));
        assert!(evaluated(&recipe, &[]).unwrap().contains("/bin/fish"));
    });
}

#[test]
fn functions_of_tests_are_none_of_recipes() {
    let project = project();
    project.write(
        "lib/users.rhai",
        &format!("{USERS}fn held(x) {{ assert(x); }}\n"),
    );
    project.write(
        "recipe_test.rhai",
        r#"import "users" as users;
fn test_a_module_may_assert() { users::held(true); }
fn test_the_recipe_may_not() {
    let error = expect_error("recipe.rhai");
    assert_eq!(error.code, "script::unknown_function");
}
"#,
    );
    let output = crate::support::rootwright()
        .current_dir(project.path())
        .arg("test")
        .output()
        .unwrap();
    let out = crate::support::stdout(&output);
    assert!(
        out.contains("2 passed, 0 failed"),
        "{out}{}",
        crate::support::stderr(&output)
    );
}
