//! The boundary between scripts: each runs with its own functions, imports and constants,
//! and with nothing of its caller's.
//!
//! Rhai 1.27 runs a module's function on top of the caller's: it adds the module's
//! functions to those in scope, and keeps one cache of lookups for both. A cached lookup of
//! one script then answers in another, a closure calls functions of whichever module calls
//! it, and a method call in a module can end in a function of the recipe. See
//! docs/dev/rhai-function-lookup.md.
//!
//! So importers get native functions in place of a module's script functions. Each starts
//! an engine call with an empty cache and the module's own environment. A function pointer
//! that crosses a boundary, in either direction, gets the same treatment: it carries the
//! environment it was passed on from.

use std::any::TypeId;
use std::rc::Rc;

use rhai::debugger::Debugger;
use rhai::{
    AST, Array, Dynamic, EncapsulatedEnviron, EvalAltResult, FnAccess, FnPtr, FuncRegistration,
    GlobalRuntimeState, ImmutableString, Map, Module, NativeCallContext, RhaiFunc,
};

type RhaiResult = Result<Dynamic, Box<EvalAltResult>>;

/// The name of a closure from another script; a closure's own name isn't valid here.
pub const CLOSURE: &str = "closure";

/// What a script's functions see.
#[derive(Clone)]
pub struct Home {
    environment: Rc<EncapsulatedEnviron>,
    file: Option<ImmutableString>,
}

impl Home {
    pub fn of(global: &GlobalRuntimeState) -> Self {
        let imports = global.scan_imports_raw();
        Home {
            environment: Rc::new(EncapsulatedEnviron {
                lib: global.lib.clone(),
                imports: imports.map(|(n, m)| (n.clone(), m.clone())).collect(),
                constants: global.constants.clone(),
            }),
            file: global.source.clone(),
        }
    }

    /// Calls a function of this script for the script that makes the call `context`.
    fn call(
        &self,
        context: &NativeCallContext<'_>,
        function: &FnPtr,
        this: Option<&mut Dynamic>,
        mut arguments: Vec<Dynamic>,
    ) -> RhaiResult {
        for argument in &mut arguments {
            attach(argument, &|| Home::of(context.global_runtime_state()));
        }
        // What belongs to the call: its depth, and the calls that led to it.
        let caller = context.global_runtime_state();
        let mut global = context.engine().new_global_runtime_state();
        global.level = caller.level;
        global.num_operations = caller.num_operations;
        global.num_modules_loaded = caller.num_modules_loaded;
        global.tag.clone_from(&caller.tag);
        #[allow(deprecated)] // marked so by rhai because it is volatile
        global
            .debugger_mut()
            .set_state(Dynamic::from(Calls::of(caller.debugger())));
        for (name, module) in &self.environment.imports {
            global.push_import(name.clone(), Rc::clone(module));
        }
        global.lib.clone_from(&self.environment.lib);
        global.constants.clone_from(&self.environment.constants);
        global.source.clone_from(&self.file);
        let inner = NativeCallContext::new_with_all_fields(
            context.engine(),
            function.fn_name(),
            self.file.as_deref(),
            &global,
            context.call_position(),
        );
        let mut result = function.call_raw(&inner, this, arguments)?;
        attach(&mut result, &|| self.clone());
        Ok(result)
    }

    fn defines(&self, function: &str, parameters: usize) -> bool {
        let mut libraries = self.environment.lib.iter();
        libraries.any(|lib| lib.get_script_fn(function, parameters).is_some())
    }
}

/// A call as the engine notes it.
#[derive(Clone)]
pub struct Call {
    pub function: ImmutableString,
    pub position: rhai::Position,
    /// The file of the function.
    pub source: Option<ImmutableString>,
}

/// The calls that led to a script, outermost first.
///
/// The engine keeps each call's arguments too, and copies all of them whenever a function
/// calls a closure: a fifth of a plan's time. So its own list begins anew at each boundary.
#[derive(Clone, Default)]
pub struct Calls(pub Vec<Call>);

impl Calls {
    /// The calls before the last boundary, and those since.
    pub fn of(debugger: &Debugger) -> Self {
        let before = debugger.state().read_lock::<Calls>();
        let mut calls = before.map_or_else(Calls::default, |calls| calls.clone());
        let since = debugger.call_stack().iter().map(|frame| Call {
            function: frame.fn_name.clone(),
            position: frame.pos,
            source: frame.source.clone(),
        });
        calls.0.extend(since);
        calls
    }
}

/// What importers of a module get: `evaluated`, which Rhai made of `ast`, with a native
/// function for each public function. `home` is what the module's top level ended with.
pub fn enclose(ast: &AST, evaluated: &Module, home: &Home) -> Module {
    let mut module = Module::new();
    for function in ast.iter_functions() {
        let count = function.params.len();
        if function.access == FnAccess::Private || function.this_type.is_some() {
            continue;
        }
        let Some(definition) = ast.shared_lib().get_script_fn(function.name, count) else {
            continue;
        };
        let pointer = FnPtr::from(Rc::clone(definition));
        let home = home.clone();
        FuncRegistration::new(function.name).set_into_module_raw(
            &mut module,
            vec![TypeId::of::<Dynamic>(); count],
            RhaiFunc::Pure {
                func: Rc::new(move |context, arguments| {
                    let context = context.ok_or("a module's function needs its context")?;
                    let arguments = arguments.iter_mut().map(|argument| argument.take());
                    home.call(&context, &pointer, None, arguments.collect())
                }),
                has_context: true,
                is_pure: true,
                is_volatile: true,
            },
        );
    }
    for (name, value) in evaluated.iter_var() {
        let mut value = value.clone();
        attach(&mut value, &|| home.clone());
        module.set_var(name, value);
    }
    for (name, inner) in evaluated.iter_sub_modules() {
        module.set_sub_module(name, Rc::clone(inner));
    }
    module.set_id(home.file.clone().unwrap_or_default());
    module.build_index();
    module
}

/// Ties the function pointers in a value that leaves a script to that script.
pub fn attach(value: &mut Dynamic, home: &dyn Fn() -> Home) {
    if value.is_shared() {
        // Only values that closures capture are shared; these belong to the closure.
        return;
    }
    if value.is_array() {
        if let Some(mut items) = value.write_lock::<Array>() {
            items.iter_mut().for_each(|item| attach(item, home));
        }
    } else if value.is_map() {
        if let Some(mut fields) = value.write_lock::<Map>() {
            fields.values_mut().for_each(|field| attach(field, home));
        }
    } else if value.is_fnptr()
        && let Ok(pointer) = std::mem::take(value).try_cast_result::<FnPtr>()
    {
        *value = attached(pointer, home).into();
    }
}

fn attached(pointer: FnPtr, home: &dyn Fn() -> Home) -> FnPtr {
    // `Fn#` is a native function: one that has crossed a boundary before.
    if format!("{pointer:?}").starts_with("Fn#") {
        return pointer;
    }
    let name = match pointer.is_anonymous() {
        true => CLOSURE.to_owned(),
        false => pointer.fn_name().to_owned(),
    };
    let home = home();
    let original = pointer.clone();
    let called = name.clone();
    #[allow(deprecated)] // marked so by rhai because it is volatile
    FnPtr::from_fn(name, move |context, arguments| {
        let curried = original.curry().len();
        let takes = |count| home.defines(original.fn_name(), curried + count);
        let passing = Passing::of(&context, arguments.len(), &takes);
        let mut values: Vec<Dynamic> = arguments.iter().map(|value| (**value).clone()).collect();
        let result = match passing {
            Passing::Plain => home.call(&context, &original, None, values),
            Passing::Swapped => {
                values.swap(0, 1);
                home.call(&context, &original, None, values)
            }
            Passing::This => {
                let mut this = values.remove(0);
                let result = home.call(&context, &original, Some(&mut this), values);
                if let Some(first) = arguments.first_mut() {
                    **first = this;
                }
                result
            }
        };
        // `map` and its like try other numbers of arguments where this one isn't found.
        result.map_err(|error| match *error {
            EvalAltResult::ErrorFunctionNotFound(signature, position) => {
                let types = signature.strip_prefix(original.fn_name());
                let signature = format!("{called}{}", types.unwrap_or_default());
                Box::new(EvalAltResult::ErrorFunctionNotFound(signature, position))
            }
            _ => error,
        })
    })
    .unwrap_or(pointer)
}

/// Rhai's functions that call a closure with an item as `this`, which they put before the
/// arguments of a native function.
const ITERATE: &[&str] = &[
    "all",
    "drain",
    "filter",
    "find_map",
    "for_each",
    "index_of",
    "map",
    "reduce",
    "reduce_rev",
    "retain",
    "some",
];

/// How the arguments of a native function pointer are meant.
enum Passing {
    Plain,
    /// The first is `this`.
    This,
    /// The first is the item, which comes second.
    Swapped,
}

impl Passing {
    /// Rhai doesn't say whether there is a `this`: it follows from who calls, and from what
    /// the function `takes`.
    fn of(context: &NativeCallContext<'_>, count: usize, takes: &dyn Fn(usize) -> bool) -> Self {
        let calls = context.debugger().map_or(&[][..], |d| d.call_stack());
        let caller = calls
            .last()
            .filter(|c| ITERATE.contains(&c.fn_name.as_str()));
        let Some(without) = count.checked_sub(1) else {
            return Passing::Plain;
        };
        let Some(caller) = caller else {
            return match takes(without) && !takes(count) {
                true => Passing::This,
                false => Passing::Plain,
            };
        };
        let name = caller.fn_name.as_str();
        let of_map = caller.args.first().is_some_and(Dynamic::is_map);
        let script = takes(count);
        if name == "for_each" || takes(without) || !script && count == 1 {
            Passing::This
        } else if script && count == 2 && (of_map || name.starts_with("reduce")) {
            Passing::Swapped
        } else {
            Passing::Plain
        }
    }
}
