//! One call of a built-in: its positional arguments, its place, and what is wrong with it.

use std::cell::{Ref, RefCell, RefMut};
use std::rc::Rc;

use rhai::{Array, Dynamic, Map, NativeCallContext};

use super::args::{
    COMMAND, STRINGS, as_command, as_mode, as_plain, as_strings, as_text, holds_part, holds_secret,
    is_of_strings, root_in,
};
use super::builtin::Builtin;
use super::builtins::{ExportRef, Fetched, RootRef};
use super::session::Session;
use super::spans::{self, Located, Scan, Step};
use super::type_help::cure;
use super::type_names::type_words;
use crate::diagnose::{Frame, Origin, Report, Span, innermost_origin};
use crate::plan::{
    Access, Action, Capability, Command, Export, Part, PathPurpose, Plan, RootId, Text, policy,
};

/// What a built-in returns.
pub type Result<T, E = Report> = std::result::Result<T, E>;

/// One call of a built-in.
pub struct Call<'a> {
    pub session: &'a Rc<Session>,
    pub context: &'a NativeCallContext<'a>,
    pub builtin: &'static Builtin,
    pub args: Vec<Dynamic>,
    chain: RefCell<Option<Vec<Frame>>>,
}

impl<'a> Call<'a> {
    pub fn new(
        session: &'a Rc<Session>,
        context: &'a NativeCallContext<'a>,
        builtin: &'static Builtin,
        args: Vec<Dynamic>,
    ) -> Self {
        Call {
            session,
            context,
            builtin,
            args,
            chain: RefCell::new(None),
        }
    }

    /// The calls from the recipe to this one.
    pub fn chain(&self) -> Vec<Frame> {
        self.chain
            .borrow_mut()
            .get_or_insert_with(|| self.session.chain(self.context))
            .clone()
    }

    /// Whether the stdlib makes the call.
    pub fn is_from_stdlib(&self) -> bool {
        innermost_origin(&self.chain()) == Some(Origin::Stdlib)
    }

    /// The file that the call stands in.
    pub fn file(&self) -> String {
        self.chain()
            .last()
            .map(|frame| frame.span.file.clone())
            .unwrap_or_default()
    }

    /// The file whose author names things to this call: a module of the stdlib passes on what
    /// its caller has named.
    pub fn author_file(&self) -> String {
        let chain = self.chain();
        let mut frames = chain.iter().rev();
        let own = frames.find(|frame| frame.origin() != Origin::Stdlib);
        own.map_or_else(|| self.file(), |frame| frame.span.file.clone())
    }

    /// Notes in the plan that the call asks for something beyond its root, and returns whether
    /// policy allows it. What is not allowed ends the evaluation's plan, not the evaluation;
    /// but nothing is read for it.
    pub fn requires(&self, root: Option<RootId>, access: Access) -> bool {
        let capability = Capability {
            access,
            root,
            calls: self.chain(),
        };
        let permissions = self.session.settings.permissions;
        let allowed = policy::decide(&capability, &self.plan().libraries, permissions)
            == policy::Decision::Allowed;
        self.session.plan.note_capability(capability);
        allowed
    }

    /// Notes that the call uses a path of the host; see [`Call::requires`].
    pub fn requires_path(&self, root: Option<RootId>, path: &str, purpose: PathPurpose) -> bool {
        let path = path.to_owned();
        self.requires(root, Access::HostPath { path, purpose })
    }

    pub fn plan(&self) -> Ref<'_, Plan> {
        self.session.plan.borrow()
    }

    pub fn plan_mut(&self) -> RefMut<'_, Plan> {
        self.session.plan.borrow_mut()
    }

    /// A step of the plan for this call, which `work` fills; where a step is open, a part of it.
    pub fn step<T>(
        &self,
        root: RootId,
        label: String,
        work: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let name = self.builtin.name;
        self.session
            .plan
            .step(root, name, label, &self.chain(), work)
    }

    /// One operation as a step, or as a part of the open one.
    pub fn act(&self, root: RootId, label: String, action: impl Into<Action>) -> Result<Dynamic> {
        self.step(root, label, || {
            self.session.plan.act(action.into(), &self.chain());
            Ok(Dynamic::UNIT)
        })
    }

    /// Refuses a value with the path of another root than `root` in it.
    pub fn of_root(&self, index: usize, root: RootId) -> Result<()> {
        match root_in(&self.arg(index)) {
            Some(other) if other != root => {
                let message = "the path of another root stands in this call";
                let report = self.refuse(index, "other_root", message);
                Err(report.help("a command of the host works on the root that it is called with"))
            }
            _ => Ok(()),
        }
    }

    pub fn report(&self, code: &str, message: impl Into<String>) -> Report {
        Report::new(format!("script::{code}"), message).trace(self.chain())
    }

    /// An error about argument `index`, which is underlined.
    pub fn refuse(&self, index: usize, code: &str, message: impl Into<String>) -> Report {
        self.refuse_at(&[Step::Argument(index)], code, message)
    }

    /// An error about what `path` leads to, which is underlined where it is written.
    pub fn refuse_at(&self, path: &[Step], code: &str, message: impl Into<String>) -> Report {
        self.labelled(path, code, message.into(), "")
    }

    /// The same, with words at the underlined place where all of `path` is written there.
    pub fn labelled(&self, path: &[Step], code: &str, message: String, label: &str) -> Report {
        let report = self.report(code, message);
        match self.place(path) {
            Some((span, true)) if !label.is_empty() => report.focus(Some(span)).label(label),
            Some((span, _)) => report.focus(Some(span)),
            None => report,
        }
    }

    /// Where `path` leads, and whether all of it is written there; `None` where the report
    /// draws another file than the one that the call stands in.
    fn place(&self, path: &[Step]) -> Option<(Span, bool)> {
        let (scan, file, located) = self.locate(path)?;
        Some((scan.span(&file, &located.range), located.complete))
    }

    /// What is written where `path` leads; `None` where it is computed elsewhere.
    pub fn literal(&self, path: &[Step]) -> Option<String> {
        let (scan, _, located) = self.locate(path)?;
        let complete = located.complete;
        complete.then(|| scan.text(&located.value).to_owned())
    }

    fn locate(&self, path: &[Step]) -> Option<(Rc<Scan>, String, Located)> {
        let chain = self.chain();
        let (first, frame) = (chain.first()?, chain.last()?);
        if frame.span.file != first.span.file {
            return None;
        }
        let scan = self.session.modules.scan(&frame.span.file)?;
        let range = scan.range(&frame.span)?;
        let located = spans::locate(&scan, &range, self.args.len(), path)?;
        Some((scan, frame.span.file.clone(), located))
    }

    /// How the call is written, in the style in which this one is.
    fn signature(&self) -> String {
        // In the method style a `.` follows the first argument.
        let is_method = |(scan, _, first): (Rc<Scan>, String, Located)| {
            scan.text(&(first.range.end..first.range.end + 1)) == "."
        };
        match self.locate(&[Step::Argument(0)]).is_some_and(is_method) {
            true => format!("`{}`", self.builtin.method()),
            false => format!("`{}`", self.builtin.signature()),
        }
    }

    /// Whether argument `index` was given, and is not `()`.
    pub fn has(&self, index: usize) -> bool {
        self.args.get(index).is_some_and(|value| !value.is_unit())
    }

    pub fn arg(&self, index: usize) -> Dynamic {
        self.args.get(index).cloned().unwrap_or(Dynamic::UNIT)
    }

    pub fn wrong(&self, index: usize, wanted: &str, given: &Dynamic) -> Report {
        let name = self.builtin.params.get(index).unwrap_or(&"argument");
        let path = [Step::Argument(index)];
        let report = self.wrong_value(self.builtin.name, name, &path, wanted, given);
        report.help(self.signature())
    }

    /// An error about a value of the wrong type, in the field or parameter `name` of `of`.
    pub fn wrong_value(
        &self,
        of: &str,
        name: &str,
        path: &[Step],
        wanted: &str,
        given: &Dynamic,
    ) -> Report {
        // In a list, the item that does not fit is what is wrong.
        let items = given.clone().into_array().unwrap_or_default();
        let is_list = is_of_strings(wanted);
        let odd = items
            .iter()
            .position(|item| is_list && as_plain(item).is_none());
        let given = odd.and_then(|index| items.get(index)).unwrap_or(given);
        let mut path = path.to_vec();
        path.extend(odd.map(Step::Item));
        if holds_secret(given) {
            let message = format!("a secret cannot stand in `{name}` of `{of}`");
            let report = self.labelled(&path, "secret_place", message, "this holds a secret");
            return report.help(
                "it would show; a secret goes into the content of a file, or to a command with `env` or `stdin`",
            );
        }
        if holds_part(given) {
            let message = format!("a path of the build cannot stand in `{name}` of `{of}`");
            let report = self.labelled(&path, "path_place", message, "known only when it runs");
            return report.help(
                "it goes into the arguments, `env` or `stdin` of `host_run`, and a keyring's path into the content of a file",
            );
        }
        let kind = type_words(given.type_name());
        let item = odd.map_or_else(String::new, |index| format!("item {} ", index + 1));
        let message = format!("`{name}` of `{of}` has to be {wanted}, and {item}is {kind}");
        let report = self.labelled(&path, "wrong_type", message, &format!("this is {kind}"));
        let mut frames = report.trace.iter();
        if frames.any(|frame| frame.function == "for_each") {
            return report.help(
                "`for_each` gives its closure the index, and the item as `this`; `for item in list { … }` is plainer",
            );
        }
        match cure(name, wanted, given, odd.is_none()) {
            Some(cure) => report.help(cure),
            None => report,
        }
    }

    /// The name of a root's distro.
    pub fn distro(&self, root: RootId) -> String {
        let plan = self.plan();
        plan.root(root)
            .map(|root| root.distro.clone())
            .unwrap_or_default()
    }

    pub fn root(&self, index: usize) -> Result<RootId> {
        let id = |value: &Dynamic| Some(value.clone().try_cast::<RootRef>()?.id);
        self.typed(index, "a root", id)
    }

    /// The export, which is in the plan.
    pub fn export(&self, index: usize) -> Result<(RootId, Export)> {
        let value = self.arg(index);
        let plan = self.session.plan.borrow();
        let export = value.clone().try_cast::<ExportRef>();
        let found = export.and_then(|export| {
            let (step, export) = plan.export(&export.name)?;
            Some((step.root?, export.clone()))
        });
        found.ok_or_else(|| {
            let report = self.wrong(0, "an export", &value);
            report.help("`export` gives one: `let nodes = root.export(#{ … });`")
        })
    }

    /// Argument `index`, which `read` has to understand.
    pub fn typed<T>(
        &self,
        index: usize,
        wanted: &str,
        read: impl FnOnce(&Dynamic) -> Option<T>,
    ) -> Result<T> {
        let value = self.arg(index);
        read(&value).ok_or_else(|| self.wrong(index, wanted, &value))
    }

    pub fn text(&self, index: usize) -> Result<String> {
        self.typed(index, "a string", as_plain)
    }

    /// A string that may hold secrets.
    pub fn secret_text(&self, index: usize) -> Result<Text> {
        self.typed(index, "a string", as_text)
    }

    /// An array of strings, or one string.
    pub fn strings(&self, index: usize) -> Result<Vec<String>> {
        self.typed(index, STRINGS, as_strings)
    }

    pub fn array(&self, index: usize) -> Result<Array> {
        self.typed(index, "an array", |value| value.clone().into_array().ok())
    }

    pub fn fetched(&self, index: usize) -> Option<Fetched> {
        self.arg(index).try_cast::<Fetched>()
    }

    pub fn map(&self, index: usize) -> Result<Map> {
        self.typed(index, "a map", |value| match value.is_unit() {
            true => Some(Map::new()),
            false => value.clone().try_cast(),
        })
    }

    /// A command: an array of words, a script for `/bin/sh`, or what `script` returns.
    pub fn command(&self, index: usize) -> Result<Command> {
        let command = self.typed(index, COMMAND, as_command)?;
        self.check_command(&command, &[Step::Argument(index)])?;
        Ok(command)
    }

    pub fn check_command(&self, command: &Command, path: &[Step]) -> Result<()> {
        let argv = command.argv();
        if command.program().is_empty() {
            return Err(self
                .refuse_at(path, "empty_command", "the command is empty")
                .help("write `[\"program\", \"argument\"]`, or a script as one string"));
        }
        let nul = |part: &Part| matches!(part, Part::Literal(text) if text.contains('\0'));
        if argv.iter().any(|word| word.parts().iter().any(nul)) {
            return Err(self.refuse_at(path, "nul", "a command cannot hold a NUL character"));
        }
        Ok(())
    }

    /// Permission bits: `0o644`, or `"0644"`.
    pub fn mode(&self, index: usize) -> Result<u32> {
        self.check_mode(&[Step::Argument(index)], &self.arg(index))?;
        self.typed(index, "permission bits", as_mode)
    }

    /// Refuses `644`, which is another number than `0o644`.
    pub fn check_mode(&self, path: &[Step], value: &Dynamic) -> Result<()> {
        if !value.is_int() {
            return Ok(());
        }
        let written = self.literal(path).unwrap_or_default();
        let decimal = written.len() > 1
            && !written.starts_with('0')
            && written.chars().all(|c| c.is_ascii_digit());
        if !decimal {
            return Ok(());
        }
        let message = format!("`{written}` is a decimal number, and permission bits are octal");
        let report = self.refuse_at(path, "decimal_mode", message);
        Err(report.help(format!("write `0o{written}`")))
    }

    /// A path inside of the root: absolute, without NUL.
    pub fn path(&self, index: usize) -> Result<String> {
        let path = self.text(index)?;
        self.check_path(&path, &[Step::Argument(index)])?;
        Ok(path)
    }

    pub fn check_path(&self, path: &str, place: &[Step]) -> Result<()> {
        if path.contains('\0') {
            return Err(self.refuse_at(place, "nul", "a path cannot hold a NUL character"));
        }
        if path.starts_with('/') {
            return Ok(());
        }
        let message = format!("`{}` does not start with `/`", path.escape_debug());
        let report = self.refuse_at(place, "relative_path", message);
        let plan = self.session.plan.borrow();
        let below = plan
            .roots
            .iter()
            .find_map(|root| path.strip_prefix(&root.name).filter(|p| p.starts_with('/')));
        Err(if path.contains('\n') {
            report.help(self.signature())
        } else if let Some(below) = below {
            report.help(format!(
                "a path starts at the top of the root: write `{below}`"
            ))
        } else if let Some(below) = path.strip_prefix("~/") {
            report.help(format!("write the home folder out: `/root/{below}`"))
        } else {
            report.help(format!("write `/{path}`"))
        })
    }
}
