//! What Rhai has and recipes have not: functions that wait, that end the evaluation
//! without a word, or that say something where nobody hears it. Operators that would hide
//! a mistake are errors too.

use super::reports;
use rhai::{Dynamic, Engine, EvalAltResult, ImmutableString};

use super::builtins::Typed;
use super::reports::RaisedReport;

/// Whether recipes do not have a function. `sleep` would stop the evaluation past every limit,
/// `exit` would end it with half a plan, as a success; what the others print is thrown away.
pub fn is_disabled(name: &str) -> bool {
    matches!(name, "sleep" | "exit" | "print" | "debug")
}

type RhaiResult = Result<Dynamic, Box<EvalAltResult>>;

fn not_there(name: &str) -> Box<EvalAltResult> {
    RaisedReport::raise(reports::unknown_function(format!("there is no function `{name}`"))
    .help("a recipe waits for nothing, and ends at its last line, by `return;` or with `fail(\"…\")`"))
}

/// Puts errors in the place of what recipes do not have. The analysis refuses written
/// calls before; this holds for calls through function pointers.
pub fn register(engine: &mut Engine) {
    engine
        .register_fn("sleep", |_: i64| -> RhaiResult { Err(not_there("sleep")) })
        .register_fn("sleep", |_: f64| -> RhaiResult { Err(not_there("sleep")) })
        .register_fn("exit", || -> RhaiResult { Err(not_there("exit")) })
        .register_fn("exit", |_: Dynamic| -> RhaiResult {
            Err(not_there("exit"))
        });
    for operator in ["==", "!=", "<", "<=", ">", ">="] {
        engine
            .register_fn(operator, |_: Typed, _: ImmutableString| compared())
            .register_fn(operator, |_: ImmutableString, _: Typed| compared());
    }
    for operator in ["<", "<=", ">", ">="] {
        engine.register_fn(operator, |_: Typed, _: Typed| compared());
    }
    // Which keyring or file a path is of is known, a secret's value is not.
    let same = |a: &Typed, b: &Typed| -> RhaiResult {
        match a.text.secrets().chain(b.text.secrets()).next() {
            Some(_) => compared(),
            None => Ok(Dynamic::from(a.text == b.text && a.root == b.root)),
        }
    };
    engine
        .register_fn("==", move |a: Typed, b: Typed| -> RhaiResult {
            same(&a, &b)
        })
        .register_fn("!=", move |a: Typed, b: Typed| -> RhaiResult {
            Ok(Dynamic::from(!same(&a, &b)?.as_bool().unwrap_or(false)))
        });
}

fn compared() -> RhaiResult {
    Err(RaisedReport::raise(
        reports::secret_compared("a secret cannot be compared").help(
            "its value is not known while the plan is made; test it where it is used: in a script of `root.nspawn_run`, with `env`",
        ),
    ))
}
