//! `capture` and `secret`: values that the plan does not hold.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender};

use rhai::Dynamic;

use super::{Access, Builtin, Secret, run};
use crate::diagnose::{Frame, Report};
use crate::plan::{Assumption, Capture, CaptureRequest, Captured, NspawnRun, Plan, RootId, Text};
use crate::project::Grant;
use crate::recipe::args::{Call, Outcome};

pub static BUILTINS: &[Builtin] = &[
    Builtin {
        name: "capture",
        params: &["root", "command", "opts"],
        optional: 1,
        access: Access::Everyone,
        doc: include_str!("doc/capture.md"),
        example: r#"let root = bootstrap(#{ distro: "debian", release: "bookworm" });
let version = root.capture(["cat", "/etc/hostname"], #{ preview: "node" });"#,
        run: capture,
    },
    Builtin {
        name: "secret",
        params: &["name"],
        optional: 0,
        access: Access::Everyone,
        doc: include_str!("doc/secret.md"),
        example: r#"let line = "password=" + secret("database") + "\n";"#,
        run: secret,
    },
];

/// A question of the script, on its way to the thread that can answer it.
pub struct Asked {
    pub plan: Plan,
    pub root: RootId,
    pub run: NspawnRun,
    pub preview: Option<String>,
    pub calls: Vec<Frame>,
}

impl Asked {
    pub fn request(&self) -> CaptureRequest<'_> {
        CaptureRequest {
            plan: &self.plan,
            root: self.root,
            run: self.run.clone(),
            preview: self.preview.as_deref(),
            calls: &self.calls,
        }
    }
}

/// Who answers `capture`.
#[derive(Clone, Default)]
pub enum CaptureSlot {
    #[default]
    Nobody,
    /// The caller of the evaluation, on its own thread: the interpreter's ends of the two
    /// channels.
    Caller(Rc<(Sender<Asked>, Receiver<Outcome<Captured>>)>),
    /// This thread.
    Here(Rc<RefCell<dyn Capture>>),
}

impl CaptureSlot {
    pub fn new(ask: Sender<Asked>, answer: Receiver<Outcome<Captured>>) -> Self {
        CaptureSlot::Caller(Rc::new((ask, answer)))
    }

    fn ask(&self, asked: Asked) -> Outcome<Captured> {
        let gone = || {
            Box::new(Report::new(
                "script::capture",
                "nothing is there to run the command of `capture`",
            ))
        };
        match self {
            CaptureSlot::Nobody => Err(gone()),
            CaptureSlot::Caller(ends) => {
                ends.0.send(asked).map_err(|_| gone())?;
                ends.1.recv().map_err(|_| gone())?
            }
            CaptureSlot::Here(capture) => capture.borrow_mut().capture(asked.request()),
        }
    }
}

fn capture(call: &Call<'_>) -> Outcome<Dynamic> {
    let root = call.root(0)?;
    let fields = call.fields(2)?;
    let preview = fields.text("preview")?;
    let run = NspawnRun {
        env: fields.texts("env")?,
        ..run::nspawn(call, &fields)?
    };
    fields.finish()?;
    if call.session.step_is_open() {
        return Err(call.report(
            "capture_in_step",
            "`capture` cannot run inside of another built-in",
        ));
    }
    let argv = run.argv.join(" ");
    let asked = Asked {
        plan: call.session.plan.borrow().clone(),
        root,
        run,
        preview,
        calls: call.chain(),
    };
    let captured = call
        .session
        .budget
        .pause(|| call.session.captures.ask(asked))?;
    let from = match &captured {
        Captured::Real(_) => "captured in this build",
        Captured::Remembered(_) => "remembered from the last build of the same steps",
        Captured::Preview(_) => "the recipe's stand-in for a preview",
    };
    let output = captured.output();
    let output = output.strip_suffix('\n').unwrap_or(output).to_owned();
    call.session.plan.borrow_mut().assumptions.push(Assumption {
        what: format!("output of `{argv}`"),
        value: output.clone(),
        from: from.to_owned(),
    });
    Ok(output.into())
}

fn secret(call: &Call<'_>) -> Outcome<Dynamic> {
    let name = call.text(0)?;
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() || !name.chars().all(word) {
        let report = call.refuse(
            0,
            "secret_name",
            format!("`{name}` is no name for a secret"),
        );
        return Err(Box::new(
            report.help("a name has letters, digits, `_` and `-`"),
        ));
    }
    let grant = Grant::Secret(Some(name.clone()));
    call.granted(&grant, &format!("wants the secret `{name}`"))?;
    Ok(Dynamic::from(Secret(Text::secret(name))))
}
