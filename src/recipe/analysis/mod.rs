//! What can be found wrong with a script before it is evaluated, in every branch.

mod calls;
mod imports;

use crate::recipe::reports;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use rhai::{AST, ASTNode, Engine, Expr, FnCallExpr, Position, Stmt};

use super::builtins;
use super::call_stack::is_closure;
use super::error;
use super::other_languages::When;
use super::patterns;
use super::session::Session;
use super::signatures::{self, Signature};
use super::source;
use super::type_names::arguments;
use crate::diagnose::{Report, position};

/// Of more errors in a file nobody reads, and each is drawn with its source.
const MOST_REPORTS: usize = 100;

/// Functions by name, each with the ways in which it can be called.
type Functions = BTreeMap<String, Vec<Signature>>;

/// What a script's functions and imports are.
#[derive(Default)]
struct Names {
    /// Functions that the script defines.
    own: Functions,
    variables: BTreeSet<String>,
    /// Keys of its map literals: a map may hold functions.
    keys: BTreeSet<String>,
    /// The functions of imported modules, by alias; none where a module could not be read.
    modules: BTreeMap<String, Functions>,
}

/// A call that is written in the script.
struct Call {
    name: String,
    alias: Option<String>,
    /// With the receiver, in the method style.
    arguments: usize,
    method: bool,
    position: Position,
}

/// An `import` that is written in the script.
struct Import {
    /// `None` where it is computed.
    path: Option<String>,
    alias: String,
    /// Of the path.
    position: Position,
}

/// Everything wrong with one file, and with what it imports; and where its imports lead.
pub fn check(
    engine: &Engine,
    session: &Rc<Session>,
    file: &str,
    ast: &Rc<AST>,
) -> (Vec<Report>, Vec<source::Import>) {
    let mut reports = replaced(session, file, ast);
    let mut names = Names {
        own: functions(ast),
        ..Names::default()
    };
    for function in ast.iter_functions() {
        let parameters = function.params.iter().map(|p| (*p).to_owned());
        names.variables.extend(parameters);
    }
    let mut calls = Vec::new();
    let mut imports = Vec::new();
    ast.walk(&mut |path: &[ASTNode<'_>]| {
        if let Some(node) = path.last() {
            collect(*node, &mut names, &mut calls, &mut imports);
        }
        true
    });
    let imports = imports::check(engine, session, file, imports, &mut names, &mut reports);
    for call in &calls {
        if reports.len() >= MOST_REPORTS {
            let message = format!("these are the first {MOST_REPORTS} errors of `{file}`");
            reports.push(
                reports::many_errors(message).help("correct them, and look for the others after"),
            );
            break;
        }
        if let Some(report) = calls::check(session, call, &names) {
            let place = call.position;
            let report = at(session, file, place, report);
            reports.push(error::explain(session, report, file, place, When::Call));
        }
    }
    (reports, imports)
}

/// The functions that a script defines.
fn functions(ast: &AST) -> Functions {
    let mut found = Functions::new();
    for function in ast.iter_functions() {
        let signature = Signature {
            text: format!("{}({})", function.name, function.params.join(", ")),
            parameters: function.params.len(),
        };
        let name = function.name.to_owned();
        found.entry(name).or_default().push(signature);
    }
    found
}

/// Definitions that would stand in the place of a built-in or of a function of Rhai, in
/// modules of the stdlib too.
fn replaced(session: &Session, file: &str, ast: &AST) -> Vec<Report> {
    let mut reports = Vec::new();
    for function in ast.iter_functions() {
        let (name, arity) = (function.name, function.params.len());
        let carries_out = implements(file) && DISPATCHED.contains(&name);
        if is_closure(name) || carries_out {
            continue;
        }
        let what = if builtins::find(name).is_some() {
            format!("`{name}` is a built-in")
        } else if signatures::of(session.kind()).is_native(name, arity) {
            format!("`{name}` with {} is a function of Rhai", arguments(arity))
        } else {
            continue;
        };
        let report = reports::replaces_builtin(format!("{what} and cannot be defined anew"))
            .help("give the function another name");
        let definition = find_definition(session, file, name);
        reports.push(at(session, file, definition, report));
    }
    reports
}

fn collect(node: ASTNode<'_>, names: &mut Names, calls: &mut Vec<Call>, imports: &mut Vec<Import>) {
    let mut call = |expression: &FnCallExpr, method: bool, position: Position| {
        if expression.op_token.is_none() {
            calls.push(Call {
                name: expression.name.to_string(),
                alias: (!expression.namespace.is_empty())
                    .then(|| expression.namespace.root().to_owned()),
                arguments: expression.args.len() + usize::from(method),
                method,
                position,
            });
        }
    };
    match node {
        ASTNode::Stmt(Stmt::FnCall(x, position)) | ASTNode::Expr(Expr::FnCall(x, position)) => {
            call(x, false, *position);
        }
        ASTNode::Expr(Expr::MethodCall(x, position)) => call(x, true, *position),
        ASTNode::Expr(Expr::Map(x, _)) => {
            let keys = x.0.iter().map(|(key, _)| key.name.to_string());
            names.keys.extend(keys);
        }
        ASTNode::Stmt(Stmt::Var(x, _, _)) => {
            names.variables.insert(x.0.name.to_string());
        }
        ASTNode::Stmt(Stmt::For(x, _)) => {
            names.variables.insert(x.0.name.to_string());
        }
        ASTNode::Stmt(Stmt::Import(x, position)) => {
            let path = match &x.0 {
                Expr::StringConstant(path, _) => Some(path.to_string()),
                _ => None,
            };
            imports.push(Import {
                path,
                alias: x.1.name.to_string(),
                position: x.0.start_position().or_else(*position),
            });
        }
        _ => {}
    }
}

/// Built-ins that modules carry out, under the same names.
const DISPATCHED: &[&str] = &[
    "bootstrap",
    "install",
    "remove",
    "upgrade",
    "clean",
    "kernels",
    "repositories",
    "add_repository",
    "dracut",
];

/// Whether a file is a module that built-ins are dispatched to.
fn implements(file: &str) -> bool {
    let folder = file
        .trim_start_matches(super::session::STDLIB)
        .rsplit('/')
        .nth(1);
    matches!(folder, Some("distro" | "package" | "dracut"))
}

/// Where `fn NAME` stands; the engine does not keep it.
fn find_definition(session: &Session, file: &str, name: &str) -> Position {
    let text = session.modules.text(file);
    let pattern = patterns::compiled(&format!(r"fn\s+({})\s*\(", regex::escape(name)));
    let found = pattern
        .ok()
        .and_then(|pattern| Some(pattern.captures(&text)?.get(1)?.start()));
    let Some(byte) = found else {
        return Position::NONE;
    };
    let at = position(&text, byte);
    let number = |number: u32| u16::try_from(number).unwrap_or(u16::MAX);
    Position::new(number(at.line), number(at.column))
}

/// Gives a report its place, unless it has one.
fn at(session: &Session, file: &str, position: Position, report: Report) -> Report {
    if !report.trace.is_empty() {
        return report;
    }
    report.trace(error::at(session, file, position, "here"))
}
