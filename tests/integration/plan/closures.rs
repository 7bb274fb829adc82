//! Why the stdlib passes closures inward only: what the pinned Rhai does with a closure
//! that leaves its module.

use rootwright::build::PreviewCapture;

use rootwright::recipe::{self, Settings, stdlib::Stdlib};

/// The message of the first failure of a recipe that imports `module` as `m`.
fn evaluate(module: &str, recipe: &str) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("module.rhai"), module).unwrap();
    let path = folder.path().join("recipe.rhai");
    std::fs::write(
        &path,
        text!(
            r#"import "module" as m;
{recipe}"#,
            recipe
        ),
    )
    .unwrap();
    recipe::evaluate(&path, &Settings::default(), &mut PreviewCapture::default())
        .map(|_| ())
        .map_err(|failure| failure.reports[0].message.clone())
}

#[test]
fn a_closure_that_leaves_its_module_is_not_found() {
    for (module, recipe) in [
        ("fn make() { |x| x + 1 }", "let f = m::make(); f.call(1);"),
        ("export const make = |x| x + 1;", "m::make.call(1);"),
    ] {
        let message = evaluate(module, recipe).unwrap_err();
        assert_eq!(
            message, "a closure that a module makes cannot be called outside of the module",
            "{module}"
        );
    }
}

#[test]
fn a_closure_that_goes_into_a_module_works() {
    let module = r#"fn apply(f) { if f.call(1) != 2 { throw "wrong"; } }"#;
    assert_eq!(evaluate(module, "m::apply(|x| x + 1);"), Ok(()));
    let inside = r#"fn all() { if [1].map(|x| x + 1) != [2] { throw "wrong"; } }"#;
    assert_eq!(evaluate(inside, "m::all();"), Ok(()));
}

/// Where a script has a closure that is not the argument of a call, and could so be
/// returned or kept: lines.
fn closures_that_stay(text: &str) -> Vec<usize> {
    let mut engine = rhai::Engine::new();
    engine.set_optimization_level(rhai::OptimizationLevel::None);
    engine.set_max_expr_depths(0, 0);
    // `default` and such are reserved words, which the stdlib uses as names.
    #[allow(deprecated)]
    engine.on_parse_token(|token, _, _| match token {
        rhai::Token::Reserved(word) => rhai::Token::Identifier(word),
        token => token,
    });
    let ast = engine.compile(text).unwrap();
    let mut lines = Vec::new();
    ast.walk(&mut |path: &[rhai::ASTNode<'_>]| {
        let Some(rhai::ASTNode::Expr(expression)) = path.last() else {
            return true;
        };
        let closure = match expression {
            rhai::Expr::DynamicConstant(value, _) => value.is_fnptr(),
            rhai::Expr::FnCall(call, _) => call.name == "curry" || call.name == "Fn",
            _ => false,
        };
        // A closure that captures stands in a block of its own, which shares the variables.
        let parent = path.iter().rev().skip(1).find(|node| match node {
            rhai::ASTNode::Stmt(rhai::Stmt::Expr(_)) => false,
            rhai::ASTNode::Expr(rhai::Expr::Stmt(block)) => !block
                .iter()
                .any(|statement| matches!(statement, rhai::Stmt::Share(..))),
            _ => true,
        });
        let is_argument = parent.is_some_and(|parent| {
            matches!(
                parent,
                rhai::ASTNode::Expr(rhai::Expr::FnCall(..) | rhai::Expr::MethodCall(..))
                    | rhai::ASTNode::Stmt(rhai::Stmt::FnCall(..))
            )
        });
        if closure && !is_argument {
            lines.push(expression.position().line().unwrap_or(0));
        }
        true
    });
    lines
}

#[test]
fn no_module_of_the_stdlib_lets_a_closure_out() {
    for text in [
        "fn f() { |x| x }",
        "fn f() { return |x| x; }",
        "fn f() { #{ a: |x| x } }",
        "fn f() { let g = |x| x; g }",
        r#"fn f() { Fn("g") }"#,
        "fn f(a) { |x| x + a }",
        "export const A = |x| x;",
    ] {
        assert!(!closures_that_stay(text).is_empty(), "{text}");
    }
    for text in [
        "fn f(a) { a.map(|x| x) }",
        "fn f(a) { g(a, |x| x) }",
        "fn f(a, b) { a.map(|x| x + b) }",
    ] {
        assert_eq!(closures_that_stay(text), [0; 0], "{text}");
    }
    let stdlib = Stdlib::default();
    for module in stdlib.all() {
        let found = closures_that_stay(&stdlib.text(&module).unwrap());
        assert!(found.is_empty(), "{module}: lines {found:?}");
    }
}
