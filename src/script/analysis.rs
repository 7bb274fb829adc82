//! What can be found wrong with a script before it is evaluated, in every branch.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use rhai::{AST, ASTNode, Engine, Expr, FnCallExpr, Position, Stmt};

use super::session::Session;
use super::{builtins, fault, loader, nearest};
use crate::diagnose::{Frame, Report};

/// Of more errors in a file nobody reads, and each is drawn with its source.
const MOST_REPORTS: usize = 100;

/// What a script's functions and imports are.
#[derive(Default)]
struct Names {
    /// Functions that the script defines: name and number of parameters.
    own: BTreeSet<(String, usize)>,
    variables: BTreeSet<String>,
    /// Keys of its map literals: a map may hold functions.
    keys: BTreeSet<String>,
    /// Imported modules by alias: name and number of parameters of their functions.
    modules: BTreeMap<String, BTreeSet<(String, usize)>>,
}

/// A call that is written in the script.
struct Call {
    name: String,
    alias: Option<String>,
    arguments: usize,
    method: bool,
    position: Position,
}

/// Everything wrong with one file, and with what it imports.
pub fn check(engine: &Engine, session: &Rc<Session>, file: &str, ast: &Rc<AST>) -> Vec<Report> {
    let mut reports = Vec::new();
    let mut names = Names::default();
    let natives = native_arities(engine);
    for function in ast.iter_functions() {
        let arity = function.params.len();
        if !function.name.starts_with("anon$") {
            let definition = find_definition(session, file, function.name);
            let carries_out = implements(file) && DISPATCHED.contains(&function.name);
            if builtins::all().iter().any(|b| b.name == function.name) && !carries_out {
                reports.push(at(
                    session,
                    file,
                    definition,
                    Report::new(
                        "script::replaces_builtin",
                        format!(
                            "`{}` is a built-in and cannot be defined anew",
                            function.name
                        ),
                    )
                    .help("give the function another name: the stdlib calls the built-in too"),
                ));
            } else if !carries_out && natives.contains(&(function.name.to_owned(), arity)) {
                reports.push(at(
                    session,
                    file,
                    definition,
                    Report::new(
                        "script::replaces_builtin",
                        format!(
                            "`{}` with {} is a function of Rhai and cannot be defined anew",
                            function.name,
                            count(arity)
                        ),
                    )
                    .help("give the function another name"),
                ));
            }
        }
        names.own.insert((function.name.to_owned(), arity));
        names
            .variables
            .extend(function.params.iter().map(|p| (*p).to_owned()));
    }
    let mut calls = Vec::new();
    let mut imports = Vec::new();
    ast.walk(&mut |path: &[ASTNode<'_>]| {
        if let Some(node) = path.last() {
            collect(*node, &mut names, &mut calls, &mut imports);
        }
        true
    });
    check_imports(engine, session, file, imports, &mut names, &mut reports);
    for call in &calls {
        if reports.len() >= MOST_REPORTS {
            let message = format!("these are the first {MOST_REPORTS} errors of `{file}`");
            reports.push(
                Report::new("script::many_errors", message)
                    .help("correct them, and look for the others after"),
            );
            break;
        }
        if let Some(report) = check_call(session, call, &names, &natives) {
            reports.push(at(session, file, call.position, report));
        }
    }
    reports
}

fn collect(
    node: ASTNode<'_>,
    names: &mut Names,
    calls: &mut Vec<Call>,
    imports: &mut Vec<(Option<String>, String, Position)>,
) {
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
            names
                .keys
                .extend(x.0.iter().map(|(key, _)| key.name.to_string()));
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
            imports.push((path, x.1.name.to_string(), *position));
        }
        _ => {}
    }
}

fn check_imports(
    engine: &Engine,
    session: &Rc<Session>,
    file: &str,
    imports: Vec<(Option<String>, String, Position)>,
    names: &mut Names,
    reports: &mut Vec<Report>,
) {
    for (path, alias, position) in imports {
        let Some(path) = path else {
            reports.push(at(
                session,
                file,
                position,
                Report::new(
                    "script::import_path",
                    "the path of an import is a plain string",
                )
                .help("import both modules, and choose between their functions"),
            ));
            continue;
        };
        if !alias.is_empty() && names.modules.contains_key(&alias) {
            reports.push(at(
                session,
                file,
                position,
                Report::new(
                    "script::duplicate",
                    format!("a module is imported as `{alias}` already"),
                )
                .help("give one of them another name: import \"…\" as other;"),
            ));
            continue;
        }
        let found = match loader::find(session, file, &path) {
            Ok(found) => found,
            Err(report) => {
                reports.push(at(session, file, position, *report));
                names.modules.insert(alias, BTreeSet::new());
                continue;
            }
        };
        if session.loading.borrow().contains(&found.file) || found.file == file {
            reports.push(at(
                session,
                file,
                position,
                Report::new(
                    "script::import_circle",
                    format!("`{path}` imports this module in turn"),
                )
                .help("move what both need into a third module"),
            ));
            continue;
        }
        session.add_source(&found.file, &found.text);
        session.loading.borrow_mut().push(file.to_owned());
        let compiled = loader::compile(engine, session, &found.file, &found.text);
        session.loading.borrow_mut().pop();
        match compiled {
            Ok(ast) => {
                let functions = ast
                    .iter_functions()
                    .map(|function| (function.name.to_owned(), function.params.len()))
                    .collect();
                names.modules.insert(alias, functions);
            }
            Err(found) => {
                reports.extend(found);
                names.modules.insert(alias, BTreeSet::new());
            }
        }
    }
}

fn check_call(
    session: &Session,
    call: &Call,
    names: &Names,
    natives: &BTreeSet<(String, usize)>,
) -> Option<Report> {
    if let Some(alias) = &call.alias {
        // `global::` holds constants; a static module of Rhai's has no functions of ours.
        let functions = names.modules.get(alias)?;
        if functions.is_empty() || functions.contains(&(call.name.clone(), call.arguments)) {
            return None;
        }
        return Some(unknown(call, &format!("{alias}::"), functions));
    }
    if names.own.contains(&(call.name.clone(), call.arguments))
        || natives.contains(&(call.name.clone(), call.arguments))
        || names.variables.contains(&call.name)
        || (call.method && names.keys.contains(&call.name))
        || SPECIAL.contains(&call.name.as_str())
    {
        return None;
    }
    if let Some(builtin) = builtins::all().iter().find(|b| b.name == call.name) {
        return if builtin.takes(call.arguments) {
            None
        } else {
            Some(
                Report::new(
                    "script::wrong_arity",
                    format!("`{}` does not take {}", call.name, count(call.arguments)),
                )
                .help(builtin.signature()),
            )
        };
    }
    let known: BTreeSet<(String, usize)> = names
        .own
        .iter()
        .chain(natives.iter())
        .filter(|(name, _)| !name.contains('$') && name.starts_with(char::is_alphabetic))
        .cloned()
        .chain(
            builtins::all()
                .iter()
                .map(|b| (b.name.to_owned(), b.params.len())),
        )
        .collect();
    let mut report = unknown(call, "", &known);
    let signatures = session.signatures(&call.name);
    if !signatures.is_empty() {
        report.help = vec![format!("there is {}", signatures.join("; "))];
    }
    Some(report)
}

fn unknown(call: &Call, prefix: &str, known: &BTreeSet<(String, usize)>) -> Report {
    let name = &call.name;
    let arities: Vec<usize> = known
        .iter()
        .filter(|(known, _)| known == name)
        .map(|(_, arity)| *arity)
        .collect();
    if !arities.is_empty() {
        // In the method style the receiver is the first argument.
        let words: Vec<String> = arities.iter().map(|arity| count(*arity)).collect();
        return Report::new(
            "script::wrong_arity",
            format!("`{prefix}{name}` does not take {}", count(call.arguments)),
        )
        .help(format!("it takes {}", words.join(" or ")));
    }
    let report = Report::new(
        "script::unknown_function",
        format!("there is no function `{prefix}{name}`"),
    );
    if prefix.is_empty()
        && let Some(help) = fault::habit(name)
    {
        return report.help(help);
    }
    match nearest(name, known.iter().map(|(known, _)| known.as_str())) {
        Some(near) => report.help(format!("did you mean `{prefix}{near}`?")),
        None if prefix.is_empty() => report.help(
            "`docs/reference.md` lists the built-ins; a function of another file is called `module::name` after `import \"module\" as module;`",
        ),
        None => {
            let names: BTreeSet<&str> = known
                .iter()
                .map(|(name, _)| name.as_str())
                .filter(|name| !name.starts_with("anon$"))
                .collect();
            let names: Vec<&str> = names.into_iter().collect();
            report.help(format!("the module has {}", names.join(", ")))
        }
    }
}

/// Built-ins that modules carry out, under the same names.
const DISPATCHED: &[&str] = &["bootstrap", "install", "remove", "upgrade", "dracut"];

/// Whether a file is a module that built-ins are dispatched to.
fn implements(file: &str) -> bool {
    let folder = file
        .trim_start_matches(super::session::STDLIB)
        .rsplit('/')
        .nth(1);
    matches!(folder, Some("distro" | "package" | "dracut"))
}

/// Functions that the engine handles itself, whatever their arguments.
const SPECIAL: &[&str] = &[
    "call",
    "curry",
    "Fn",
    "is_def_fn",
    "is_def_var",
    "is_shared",
    "type_of",
];

fn count(arguments: usize) -> String {
    match arguments {
        0 => "no arguments".to_owned(),
        1 => "1 argument".to_owned(),
        n => format!("{n} arguments"),
    }
}

fn native_arities(engine: &Engine) -> BTreeSet<(String, usize)> {
    engine
        .collect_fn_metadata(
            None,
            |info| Some((info.metadata.name.to_string(), info.metadata.num_params)),
            true,
        )
        .into_iter()
        .filter(|(name, _)| !builtins::all().iter().any(|b| b.name == name))
        .collect()
}

/// Where `fn NAME` stands; the engine does not keep it.
fn find_definition(session: &Session, file: &str, name: &str) -> Position {
    let text = session.text(file).unwrap_or_default();
    for (number, line) in text.lines().enumerate() {
        let Some((_, rest)) = line.split_once("fn ") else {
            continue;
        };
        let rest = rest.trim_start();
        let follows = rest
            .strip_prefix(name)
            .and_then(|rest| rest.trim_start().chars().next());
        if follows == Some('(') {
            let column = line.chars().count() - rest.chars().count() + 1;
            return Position::new(
                u16::try_from(number + 1).unwrap_or(u16::MAX),
                u16::try_from(column).unwrap_or(u16::MAX),
            );
        }
    }
    Position::NONE
}

fn at(session: &Session, file: &str, position: Position, report: Report) -> Report {
    if !report.trace.is_empty() {
        return report;
    }
    let trace = session.span_at(file, position).map(|span| Frame {
        function: "here".to_owned(),
        span,
    });
    report.trace(trace.into_iter().collect())
}
