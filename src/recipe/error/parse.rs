//! Scripts that do not parse.

use crate::recipe::reports;
use std::rc::Rc;

use rhai::{LexError, ParseError, ParseErrorType, Position};

use super::{at_or_end, explain, explanation, moved};
use crate::diagnose::{Frame, Report, Span};
use crate::recipe::builtins;
use crate::recipe::other_languages::When;
use crate::recipe::session::Session;
use crate::recipe::spans::{self, Scan};
use crate::recipe::type_names::{lower_first, type_words};

/// A parse error.
pub struct Unparsed {
    pub report: Report,
    /// The variable, if the error is that it exists nowhere in the script. The rest of the
    /// script is likely sound then.
    pub undeclared: Option<String>,
}

/// What a parse error says, in words of recipes.
pub fn parse(session: &Session, error: &ParseError, file: &str) -> Unparsed {
    let report = parse_kind(session, &error.0, file, error.1);
    let undeclared = match error.0.as_ref() {
        ParseErrorType::VariableUndefined(name) => Some(name.clone()).filter(|name| {
            let text = session.modules.text(file);
            // A word of another language is explained as such, and so is what follows it.
            !is_module(&text, name)
                && !session.modules.variable_names(file).contains_key(name)
                && explanation(session, file, error.1, When::Name).is_none()
        }),
        _ => None,
    };
    Unparsed { report, undeclared }
}

/// Whether an import has this name.
fn is_module(text: &str, name: &str) -> bool {
    text.contains(&format!(" as {name};"))
}

pub(super) fn parse_kind(
    session: &Session,
    kind: &ParseErrorType,
    file: &str,
    position: Position,
) -> Report {
    use ParseErrorType as P;
    let trace = at_or_end(session, file, position);
    let scan = session.modules.scan(file);
    let scan = scan.unwrap_or_else(|| Rc::new(Scan::new("")));
    let range = trace.first().and_then(|frame| scan.range(&frame.span));
    let place = StopPoint {
        file,
        scan: &scan,
        byte: range.as_ref().map_or(scan.text.len(), |range| range.start),
        word: range.as_ref().map_or("", |range| scan.text(range)),
    };
    let (when, report) = match kind {
        P::VariableUndefined(name) => (When::Name, unknown_variable(session, &place, name)),
        P::Reserved(name) if name.starts_with(|c: char| c.is_alphabetic()) => (
            When::Name,
            reports::parse(format!("`{name}` is a reserved word of Rhai"))
                .help("as a name, write another word"),
        ),
        P::ModuleUndefined(name) => (When::Name, unknown_module(&place, name)),
        other => (When::Syntax, syntax(other, &place)),
    };
    let mut report = report.trace(trace);
    if let Some(span) = report.focus.take() {
        report = moved(report, span);
    }
    explain(session, report, file, position, when)
}

/// A block comment that is never closed: to Rhai the rest of the script is a comment.
pub fn open_comment(file: &str, text: &str) -> Option<Report> {
    text.find("/*")?;
    let scan = Scan::new(text);
    let start = scan.open_comment?;
    let span = scan.span(file, &(start..start + "/*".len()));
    let report = reports::parse("the comment is never closed").help("write `*/` at its end");
    Some(report.trace(vec![Frame::here(span)]))
}

/// Where the parser stopped.
struct StopPoint<'a> {
    file: &'a str,
    scan: &'a Scan,
    byte: usize,
    word: &'a str,
}

impl StopPoint<'_> {
    fn span(&self, range: &std::ops::Range<usize>) -> Span {
        self.scan.span(self.file, range)
    }
}

fn syntax(kind: &ParseErrorType, place: &StopPoint<'_>) -> Report {
    use ParseErrorType as P;
    match kind {
        P::UnexpectedEOF => incomplete(place),
        P::MissingToken(token, why) => missing_token(token, why, place),
        P::BadInput(error) => bad_input(error, place),
        P::UnknownOperator(symbol) => reports::parse(format!("Rhai has no `{symbol}`")),
        P::Reserved(symbol) => reports::parse(format!("`{symbol}` means nothing here")),
        P::ExprTooDeep => reports::limit("the expression is nested too deep")
            .help("give its parts names with `let`"),
        P::TooManyFunctions => {
            reports::limit("the script has too many functions").help("put some of them into modules")
        }
        P::LiteralTooLarge(what, most) => {
            reports::limit(format!("{} is larger than {most}", lower_first(what)))
                .help("large files are brought in with `copy_in`")
        }
        P::FnDuplicatedDefinition(name, _) => reports::duplicate(format!("the function `{name}` is defined twice"))
        .help("functions of one name have different numbers of parameters"),
        P::FnDuplicatedParam(name, parameter) => reports::duplicate(format!("`{name}` has two parameters `{parameter}`"))
        .help("give one of them another name"),
        P::DuplicatedProperty(name) => reports::duplicate(format!("the field `{name}` stands twice in the map"))
        .help("leave one of them out"),
        P::AssignmentToConstant(name) => reports::constant(format!("`{name}` is a constant and cannot be changed"))
        .help("make it with `let`"),
        P::AssignmentToInvalidLHS(_) => reports::parse("this cannot be given a value")
            .help("a value goes to a variable, a field or an item: `x = …`, `map.field = …`, `list[0] = …`"),
        P::VariableExpected if !place.word.is_empty() => {
            if place.word.starts_with(|c: char| c.is_alphabetic()) {
                let message = format!(
                    "`{}` is a reserved word of Rhai, and no name for a variable",
                    place.word
                );
                reports::parse(message).help("write another word")
            } else {
                reports::parse(format!("a name is missing before `{}`", place.word))
                    .help("a name has letters, digits and `_`, and starts with a letter")
            }
        }
        P::FnMissingName => reports::parse("the function has no name")
            .help("`fn name(a, b) { … }`; a closure is `|a, b| …`"),
        P::FnMissingParams(name) => reports::parse(format!("`{name}` has no list of parameters"))
            .help(format!("`fn {name}() {{ … }}`")),
        P::FnMissingBody(name) => reports::parse(format!("the function `{name}` has no block"))
            .help(format!("`fn {name}(…) {{ … }}`")),
        P::WrongFnDefinition => reports::parse("a function stands inside of a block")
            .help("functions are defined at the top of a script; a closure, `|x| …`, stands anywhere"),
        P::WrongDocComment => reports::parse("this comment documents nothing")
            .help("`///` stands right before a function; other comments start with `//`"),
        P::WrongExport => reports::parse("`export` stands inside of a block")
            .help("an artifact is written with `root.export(#{ … })`"),
        P::LoopBreak => reports::parse(format!("`{}` stands outside of a loop", place.word))
            .help("`return;` ends a function, or the recipe"),
        P::PropertyExpected => reports::parse("a name is missing after the `.`")
            .help("a field is `map.name`, a call `root.install([\"…\"])`"),
        P::MismatchedType(wanted, given) if wanted.contains("iterable") => {
            reports::not_iterable(given)
        }
        P::MismatchedType(wanted, given) => reports::parse(format!(
            "wanted {}, got {}",
            type_words(wanted),
            type_words(given)
        )),
        P::ExprExpected(_) | P::MissingSymbol(_) if place.word.is_empty() => {
            reports::parse("something is missing at the end of the script")
        }
        P::ExprExpected(_) => reports::parse(format!("a value is missing before `{}`", place.word)),
        other => reports::parse(lower_first(&other.to_string())),
    }
}

fn incomplete(place: &StopPoint<'_>) -> Report {
    let report = reports::parse("the script ends in the middle of something");
    match spans::open_bracket(place.scan, place.scan.text.len()) {
        Some((range, bracket)) => not_closed(place, &range, bracket),
        None => report.help("is something missing after its last line?"),
    }
}

fn not_closed(place: &StopPoint<'_>, range: &std::ops::Range<usize>, bracket: char) -> Report {
    let close = closing(bracket);
    reports::parse(format!("the `{bracket}` is never closed"))
        .focus(Some(place.span(range)))
        .help(format!("a `{close}` is missing"))
}

fn closing(bracket: char) -> char {
    match bracket {
        '(' => ')',
        '[' => ']',
        _ => '}',
    }
}

fn missing_token(token: &str, why: &str, place: &StopPoint<'_>) -> Report {
    let before = spans::code_end_before(place.scan, place.byte);
    let at_end = place.byte >= place.scan.text.trim_end().len();
    let open = spans::open_bracket(place.scan, place.byte);
    if at_end && let Some((range, bracket)) = &open {
        return not_closed(place, range, *bracket);
    }
    if let (Some((range, bracket)), Some(closed)) = (&open, place.word.chars().next())
        && matches!(closed, ')' | ']' | '}')
        && closed != closing(*bracket)
    {
        let line = place.span(range).start.line;
        return reports::parse(format!(
            "`{closed}` stands where the `{bracket}` of line {line} is still open"
        ))
        .help(format!("write `{}` before it", closing(*bracket)));
    }
    let report = match token {
        ";" => reports::parse("a `;` is missing").help("every statement ends with `;`"),
        "," => reports::parse("a `,` is missing").help(match why {
            why if why.contains("map") => "the fields of a map are separated by `,`",
            why if why.contains("parameters") => "parameters are separated by `,`",
            why if why.contains("arguments") => "arguments are separated by `,`",
            _ => "the items of an array are separated by `,`",
        }),
        "{" => reports::parse(format!("a `{{` is missing before `{}`", place.word))
            .help("a block stands in braces: `{ … }`"),
        ":" => reports::parse("a `:` is missing after the field's name").help("`#{ name: value }`"),
        "in" => reports::parse("an `in` is missing").help("`for item in list { … }`"),
        "=>" => reports::parse("a `=>` is missing").help("`switch value { \"a\" => …, _ => … }`"),
        "catch" => reports::parse("`try` has no `catch`").help("`try { … } catch (error) { … }`"),
        token => reports::parse(format!("a `{token}` is missing")),
    };
    // What is missing at the end of a line is missing there, not at the next word.
    match before {
        Some(last)
            if matches!(token, ";" | ",")
                && place.scan.text(&(last.end..place.byte)).contains('\n') =>
        {
            report
                .focus(Some(place.span(&last)))
                .label(format!("`{token}` after this"))
        }
        _ => report,
    }
}

fn bad_input(error: &LexError, place: &StopPoint<'_>) -> Report {
    match error {
        LexError::UnterminatedString => {
            let rest = place.scan.text(&(place.byte..place.scan.text.len()));
            let report = if rest.starts_with('`') {
                reports::parse("the text is never closed").help("a backtick is missing")
            } else {
                reports::parse("the text is not closed on its line")
                    .help("text over several lines stands in backticks: `…`")
            };
            let line = rest.lines().next().map_or(0, |line| line.trim_end().len());
            report.focus(Some(place.span(&(place.byte..place.byte + line.max(1)))))
        }
        LexError::MalformedEscapeSequence(sequence) => {
            let report = reports::parse(format!("`{sequence}` means nothing in text"));
            let near = place.byte.saturating_sub(sequence.len());
            let from = place
                .scan
                .text
                .get(near..)
                .and_then(|rest| rest.find(sequence.as_str()))
                .map_or(place.byte, |found| near + found);
            let report = report.focus(Some(place.span(&(from..from + sequence.len()))));
            report.help(format!(
                "a backslash is written twice, `\\{sequence}`; in backticks it is a backslash"
            ))
        }
        LexError::MalformedNumber(number) => reports::parse(format!("`{number}` is no number")),
        LexError::MalformedChar(_) => reports::parse("single quotes hold one character, not text")
            .help("text stands in double quotes"),
        LexError::MalformedIdentifier(name) => reports::parse(format!("`{name}` is no name"))
            .help("a name has letters, digits and `_`, and starts with a letter"),
        LexError::StringTooLong(most) => {
            reports::limit(format!("the text is longer than {most} characters"))
                .help("large files are brought in with `copy_in`")
        }
        LexError::UnexpectedInput(input) if place.word.starts_with(['}', ')', ']']) => {
            reports::parse(format!("there is a `{input}` too many"))
                .help("it closes a bracket that is not open")
        }
        LexError::UnexpectedInput(input) => nothing_here(input, place),
        LexError::ImproperSymbol(symbol, _) if symbol == "eval" => {
            reports::parse("recipes evaluate no text as code")
        }
        LexError::ImproperSymbol(symbol, _) => nothing_here(symbol, place),
        other => reports::parse(lower_first(&other.to_string())),
    }
}

/// A symbol that cannot stand where it does, and what would.
fn nothing_here(symbol: &str, place: &StopPoint<'_>) -> Report {
    let before = place.scan.text.get(..place.byte).unwrap_or_default();
    let operator = before.trim_end().chars().last();
    let ends = [";", ",", ")", "]", "}"].contains(&symbol);
    if let Some(operator) = operator.filter(|c| ends && "+-*/%=<>&|!(,:?".contains(*c)) {
        return reports::parse(format!(
            "a value is missing between `{operator}` and `{symbol}`"
        ))
        .help("write one, or take the sign away that waits for it");
    }
    let report = reports::parse(format!("`{symbol}` means nothing here"));
    match symbol.chars().all(|c| c.is_alphabetic() && !c.is_ascii()) {
        true => report.help(
            "names have the letters `a` to `z`, digits and `_`; text stands in double quotes",
        ),
        false => report,
    }
}

fn unknown_variable(session: &Session, place: &StopPoint<'_>, name: &str) -> Report {
    let report = reports::unknown_variable(format!("there is no variable `{name}`"));
    if is_module(&place.scan.text, name) {
        return reports::unknown_variable(format!("`{name}` is a module, and no variable"))
            .help(format!("write `{name}::function(…)`"));
    }
    let names = session.modules.variable_names(place.file);
    if let Some(kind) = names.get(name) {
        return out_of_reach(place, name, kind);
    }
    if let Some(builtin) = builtins::find(name) {
        let call = builtin.signature();
        return report.help(format!("it is a function, and is called: `{call}`"));
    }
    let names = names.keys().map(String::as_str);
    report.help_near(
        name,
        names,
        format!("`let {name} = …;` makes one; a function sees its parameters only"),
    )
}

/// A variable that the script has, and that is not seen from here.
fn out_of_reach(place: &StopPoint<'_>, name: &str, kind: &str) -> Report {
    let new = |message: String| reports::unknown_variable(message);
    match spans::enclosing_function(place.scan, place.byte) {
        Some(function) if kind == "const" => new(format!(
            "`{function}` sees the constant `{name}` by its full name only"
        ))
        .help(format!("write `global::{name}`")),
        Some(function) => new(format!(
            "`{function}` does not see the variable `{name}`: a function sees its parameters only"
        ))
        .help(format!("make it a parameter: `fn {function}({name}, …)`")),
        None => new(format!("`{name}` is not there yet, or not any more"))
            .help("a variable is seen from its `let` to the end of the block that it stands in"),
    }
}

fn unknown_module(place: &StopPoint<'_>, name: &str) -> Report {
    let report = reports::unknown_module(format!("no module is imported as `{name}`"));
    // An import whose `as` was forgotten.
    let path = place
        .scan
        .text
        .split("import \"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .find(|path| path.rsplit('/').next() == Some(name))
        .unwrap_or(name);
    report.help(format!("write `import \"{path}\" as {name};`"))
}
