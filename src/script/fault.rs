//! Rhai's errors as reports.

use rhai::{Dynamic, EvalAltResult, LexError, ParseError, ParseErrorType};

use super::limits::Exceeded;
use super::session::Session;
use super::{nearest, spans};
use crate::diagnose::{Frame, Position, Report, Span};

/// A report on its way through the engine.
#[derive(Clone, Debug)]
pub struct Fault(pub Box<Report>);

impl Fault {
    /// As an error of the engine, which leaves it alone.
    pub fn raise(report: Report) -> Box<EvalAltResult> {
        Box::new(EvalAltResult::ErrorRuntime(
            Dynamic::from(Fault(Box::new(report))),
            rhai::Position::NONE,
        ))
    }
}

/// A report of what went wrong while `file` was evaluated, below the calls of `prefix`.
pub fn report(
    session: &Session,
    error: EvalAltResult,
    file: &str,
    prefix: Vec<Frame>,
) -> Box<Report> {
    let mut trace = prefix;
    let mut file = file.to_owned();
    let mut error = error;
    loop {
        match error {
            EvalAltResult::ErrorInFunctionCall(name, source, inner, position) => {
                if let Some(span) = session.span_at(&file, position) {
                    let function = if name.starts_with("anon$") {
                        "a closure".to_owned()
                    } else {
                        name
                    };
                    trace.push(Frame { function, span });
                }
                if !source.is_empty() {
                    file = source;
                }
                error = *inner;
            }
            EvalAltResult::ErrorInModule(name, inner, position) => {
                if let Some(span) = session.span_at(&file, position) {
                    let function = "import".to_owned();
                    trace.push(Frame { function, span });
                }
                if !name.is_empty() {
                    file = name;
                }
                error = *inner;
            }
            EvalAltResult::ErrorRuntime(value, position) => {
                if let Some(fault) = value.read_lock::<Fault>() {
                    let mut report = fault.0.clone();
                    if report.trace.is_empty() {
                        trace.extend(at(session, &file, position, "here"));
                        report.trace = trace;
                    }
                    return report;
                }
                return Box::new(thrown(session, value, position, &file, trace));
            }
            other => return Box::new(describe(session, &other, &file, trace)),
        }
    }
}

fn at(session: &Session, file: &str, position: rhai::Position, what: &str) -> Vec<Frame> {
    session
        .span_at(file, position)
        .map(|span| Frame {
            function: what.to_owned(),
            span,
        })
        .into_iter()
        .collect()
}

fn thrown(
    session: &Session,
    value: Dynamic,
    position: rhai::Position,
    file: &str,
    mut trace: Vec<Frame>,
) -> Report {
    trace.extend(at(session, file, position, "throw"));
    let message = if value.is_string() {
        value.to_string()
    } else {
        format!("the script threw {value}")
    };
    Report::new("script::thrown", message).trace(trace)
}

fn describe(session: &Session, error: &EvalAltResult, file: &str, mut trace: Vec<Frame>) -> Report {
    use EvalAltResult as E;
    trace.extend(at(session, file, error.position(), "here"));
    let new = |code: &str, message: String| Report::new(format!("script::{code}"), message);
    let report = match error {
        E::ErrorFunctionNotFound(signature, _) => {
            return function_not_found(session, signature, trace);
        }
        E::ErrorVariableNotFound(name, _) => unknown_variable(name),
        E::ErrorPropertyNotFound(name, _) => {
            let name = name.split(['\'', '"']).nth(1).unwrap_or(name);
            new("unknown_property", format!("there is no property `{name}` here"))
                .help("a map's optional property is read with `map.get(\"name\") ?? other`, or tested with `\"name\" in map`")
        }
        E::ErrorModuleNotFound(name, _) => {
            new("unknown_module", format!("there is no module `{name}`"))
        }
        E::ErrorMismatchDataType(wanted, given, _) => new(
            "wrong_type",
            format!("wanted {}, got {}", type_words(wanted), type_words(given)),
        ),
        E::ErrorMismatchOutputType(wanted, given, _) => new(
            "wrong_type",
            format!("wanted {}, got {}", type_words(wanted), type_words(given)),
        ),
        E::ErrorIndexingType(what, _) => {
            new("wrong_type", format!("this cannot be indexed: {what}"))
                .help("arrays are indexed by a number, maps by a string")
        }
        E::ErrorArrayBounds(length, index, _) => new(
            "out_of_bounds",
            format!("index {index} is outside of an array of {length}"),
        ),
        E::ErrorStringBounds(length, index, _) => new(
            "out_of_bounds",
            format!("index {index} is outside of a string of {length} characters"),
        ),
        E::ErrorIndexNotFound(index, _) => {
            new("out_of_bounds", format!("there is no index {index}"))
        }
        E::ErrorFor(_) => new(
            "wrong_type",
            "`for` goes over an array, a map's keys, a string or a range".to_owned(),
        ),
        E::ErrorArithmetic(what, _) => new("arithmetic", lower_first(what)),
        E::ErrorAssignmentToConstant(name, _) => new(
            "constant",
            format!("`{name}` is a constant and cannot be changed"),
        ),
        E::ErrorNonPureMethodCallOnConstant(name, _) => {
            new("constant", format!("`{name}` would change a constant"))
        }
        E::ErrorTooManyOperations(_) => new("limit", Exceeded::Operations.message())
            .help("a loop that does not end? recipes describe steps; they do not compute"),
        E::ErrorTooManyVariables(_) => new("limit", "the script has too many variables".to_owned()),
        E::ErrorTooManyModules(_) => new("limit", "the script imports too many modules".to_owned()),
        E::ErrorStackOverflow(_) => new("limit", "the calls are nested too deep".to_owned())
            .help("a function that calls itself without an end?"),
        E::ErrorDataTooLarge(what, _) => new("limit", format!("too large: {}", lower_first(what))),
        E::ErrorTerminated(token, _) => {
            let message = token
                .read_lock::<Exceeded>()
                .map_or_else(|| "the script was stopped".to_owned(), |e| e.message());
            new("limit", message)
                .help("a loop that does not end? recipes describe steps; they do not compute")
        }
        E::ErrorParsing(kind, position) => {
            let mut parse = parse_kind(session, kind, file, *position);
            let place = std::mem::take(&mut parse.trace);
            trace.pop();
            trace.extend(place);
            parse
        }
        other => new("failed", lower_first(&strip_position(&other.to_string()))),
    };
    report.trace(trace)
}

fn unknown_variable(name: &str) -> Report {
    let report = Report::new(
        "script::unknown_variable",
        format!("there is no variable `{name}` here"),
    );
    match habit(name) {
        Some(help) => report.help(help),
        None => report.help(
            "a function does not see the variables outside of it: pass the value as a parameter, or make it a `const` and say `global::NAME`",
        ),
    }
}

/// What people type from habit, and what Rhai has instead.
pub fn habit(word: &str) -> Option<&'static str> {
    Some(match word {
        "null" | "nil" | "None" | "undefined" => "Rhai's nothing is `()`",
        "True" | "TRUE" => "Rhai says `true`",
        "False" | "FALSE" => "Rhai says `false`",
        "elif" | "elsif" | "elseif" => "Rhai says `else if`",
        "format" | "sprintf" | "printf" => "backticks interpolate: `name-${value}`",
        "print" | "println" | "echo" => "a recipe's message is `log(\"…\")`",
        "def" | "function" | "func" => "Rhai's functions start with `fn`",
        "var" => "Rhai's variables start with `let`",
        "and" => "Rhai says `&&`",
        "or" => "Rhai says `||`",
        "not" => "Rhai says `!`",
        "exit" | "die" | "abort" | "error" | "raise" => {
            "a recipe ends with an error by `fail(\"…\")`"
        }
        "eval" | "exec" | "system" | "shell" | "sh" | "bash" | "run" => {
            "a command runs in the root with `root.nspawn_run([\"…\"])`"
        }
        "require" | "include" | "source" | "use" => {
            "a module is brought in with `import \"name\" as name;`"
        }
        "timestamp" | "now" | "time" | "date" | "rand" | "random" => {
            "recipes have no clock and no random numbers, so that a plan is always the same: pass the value as an option"
        }
        _ => return None,
    })
}

/// `install (Root, i64)`: which functions of that name exist, or which names are near.
fn function_not_found(session: &Session, signature: &str, trace: Vec<Frame>) -> Report {
    let name = signature
        .split([' ', '('])
        .next()
        .unwrap_or(signature)
        .rsplit("::")
        .next()
        .unwrap_or(signature);
    let given = signature
        .split_once('(')
        .map(|(_, rest)| rest.trim_end_matches(')'))
        .unwrap_or_default();
    let given: Vec<String> = given
        .split(", ")
        .filter(|word| !word.is_empty())
        .map(type_words)
        .collect();
    let signatures = session.signatures(name);
    if let Some(property) = name.strip_prefix("get$") {
        return Report::new(
            "script::unknown_property",
            format!("there is no property `{property}` here"),
        )
        .trace(trace);
    }
    if signatures.is_empty() {
        let mut report = Report::new(
            "script::unknown_function",
            format!("there is no function `{name}`"),
        )
        .trace(trace);
        if let Some(help) = habit(name) {
            report = report.help(help);
        } else if let Some(near) =
            nearest(name, session.function_names().iter().map(String::as_str))
        {
            report = report.help(format!("did you mean `{near}`?"));
        }
        return report;
    }
    let operator = !name.starts_with(|c: char| c.is_alphabetic() || c == '_');
    let message = if operator {
        format!("`{name}` does not go with {}", given.join(" and "))
    } else {
        format!(
            "`{name}` does not take {}",
            if given.is_empty() {
                "no arguments".to_owned()
            } else {
                format!("({})", given.join(", "))
            }
        )
    };
    let mut report = Report::new("script::wrong_type", message).trace(trace);
    if !operator {
        report = report.help(format!("there is {}", signatures.join("; ")));
        if name == "len" && given.first().is_some_and(|g| g == "a map") {
            report = report.help("the number of a map's keys is `map.keys().len()`");
        }
    }
    report
}

/// What a parse error says, in our words where Rhai's are not clear.
pub fn parse(session: &Session, error: &ParseError, file: &str) -> Report {
    parse_kind(session, &error.0, file, error.1)
}

fn parse_kind(
    session: &Session,
    kind: &ParseErrorType,
    file: &str,
    position: rhai::Position,
) -> Report {
    use ParseErrorType as P;
    let trace = at_or_end(session, file, position);
    let word = trace
        .first()
        .and_then(|frame| session.text_of(&frame.span))
        .unwrap_or_default();
    let report = match kind {
        P::UnexpectedEOF => Report::new(
            "script::parse",
            "the script ends in the middle of something",
        )
        .help("a bracket or a brace that is not closed?"),
        P::VariableUndefined(name) => {
            let mut report = unknown_variable(name);
            let names = session.variable_names(file);
            if habit(name).is_none()
                && let Some(near) = nearest(name, names.iter().map(String::as_str))
            {
                report.help = vec![format!("did you mean `{near}`?")];
            }
            report
        }
        P::ModuleUndefined(name) => Report::new(
            "script::unknown_module",
            format!("no module is imported as `{name}`"),
        )
        .help(format!("import \"{name}\" as {name};")),
        P::MissingToken(token, why) => Report::new(
            "script::parse",
            format!("expected `{token}` {}", lower_first(why))
                .trim_end()
                .to_owned(),
        ),
        P::ExprTooDeep => Report::new("script::limit", "the expression is nested too deep"),
        P::TooManyFunctions => Report::new("script::limit", "the script has too many functions"),
        P::LiteralTooLarge(what, limit) => Report::new(
            "script::limit",
            format!("{} is larger than {limit}", lower_first(what)),
        ),
        P::BadInput(LexError::UnterminatedString) => {
            Report::new("script::parse", "the string is not closed on its line")
                .help("text over several lines stands in backticks: `…`")
        }
        P::BadInput(LexError::ImproperSymbol(symbol, _))
            if symbol == "=" || symbol == "===" || symbol == "!==" =>
        {
            Report::new("script::parse", format!("`{symbol}` is no operator here"))
                .help("equality is `==`, its opposite `!=`")
        }
        P::FnDuplicatedDefinition(name, _) => Report::new(
            "script::duplicate",
            format!("the function `{name}` is defined twice"),
        ),
        P::DuplicatedProperty(name) => Report::new(
            "script::duplicate",
            format!("the field `{name}` stands twice in the map"),
        ),
        P::Reserved(name) => Report::new(
            "script::parse",
            format!("`{name}` is a reserved word of Rhai and cannot stand here"),
        ),
        other => Report::new("script::parse", lower_first(&other.to_string())),
    };
    let report = match habit(&word) {
        Some(help) if report.help.is_empty() => report.help(help),
        _ => report,
    };
    match previous_word(session, &trace).as_deref().and_then(habit) {
        Some(help) if report.help.is_empty() => report.trace(trace).help(help),
        _ => report.trace(trace),
    }
}

fn previous_word(session: &Session, trace: &[Frame]) -> Option<String> {
    let span = &trace.first()?.span;
    let line = session.line(&span.file, span.start.line)?;
    let before: String = line
        .chars()
        .take(span.start.column.saturating_sub(1) as usize)
        .collect();
    before.split_whitespace().last().map(str::to_owned)
}

fn at_or_end(session: &Session, file: &str, position: rhai::Position) -> Vec<Frame> {
    let found = at(session, file, position, "here");
    if !found.is_empty() {
        return found;
    }
    let Some(text) = session.text(file) else {
        return Vec::new();
    };
    let end: Position = spans::position(&text, text.trim_end().len());
    vec![Frame {
        function: "here".to_owned(),
        span: Span {
            file: file.to_owned(),
            start: end,
            end,
        },
    }]
}

/// The words that people have for Rhai's types.
pub fn type_words(name: &str) -> String {
    let name = name
        .trim()
        .trim_start_matches('&')
        .trim_start_matches("mut ")
        .trim();
    match name.rsplit("::").next().unwrap_or(name) {
        "string" | "ImmutableString" | "String" | "&str" | "str" => "a string",
        "i64" | "INT" | "int" => "a number",
        "f64" | "FLOAT" | "float" => "a number with a point",
        "bool" => "a boolean",
        "array" | "Array" => "an array",
        "map" | "Map" => "a map",
        "char" => "a character",
        "()" => "nothing, `()`",
        "Fn" | "FnPtr" => "a function",
        "Root" => "a root",
        "Secret" => "a secret",
        "Fetched" => "a fetched file",
        other => return format!("`{other}`"),
    }
    .to_owned()
}

fn lower_first(text: &str) -> String {
    let text = text.trim_end_matches('.');
    let mut chars = text.chars();
    match chars.next() {
        // An acronym keeps its capitals.
        Some(first) if !chars.clone().next().is_some_and(char::is_uppercase) => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => text.to_owned(),
    }
}

fn strip_position(text: &str) -> String {
    match text.rfind(" (line ") {
        Some(at) => text.get(..at).unwrap_or(text).to_owned(),
        None => text.to_owned(),
    }
}
