//! Which function a call means, as far as the text alone can tell.

use std::collections::{BTreeMap, BTreeSet};

use syn::visit::{self, Visit};
use syn::{Expr, FnArg, Pat};

use super::functions::{Code, Function, plain_type};

/// Methods whose result is the receiver, as far as its type's name goes.
const SAME: [&str; 14] = [
    "as_mut",
    "as_ref",
    "await",
    "borrow",
    "borrow_mut",
    "by_ref",
    "clone",
    "expect",
    "lock",
    "ok",
    "to_owned",
    "unwrap",
    "unwrap_or_default",
    "write",
];

/// Methods that types of the standard library have too: a name says nothing about them.
const COMMON: [&str; 40] = [
    "accept", "and_then", "append", "bind", "call", "clear", "clone", "close", "connect", "count",
    "draw", "filter", "find", "finish", "flush", "get", "insert", "iter", "join", "kill", "len",
    "lock", "map", "next", "open", "poll", "pop", "push", "read", "recv", "remove", "send", "set",
    "spawn", "split", "status", "take", "then", "wait", "write",
];

/// Pointers that stand for what they point to.
const POINTERS: [&str; 3] = ["Arc", "Box", "Rc"];

/// Calls of a package's own functions.
pub struct Resolver<'a> {
    code: &'a Code<'a>,
    by_name: BTreeMap<String, Vec<usize>>,
}

/// What names mean in a function.
pub struct Scope<'a> {
    function: &'a Function<'a>,
    locals: BTreeMap<String, String>,
}

impl<'a> Resolver<'a> {
    /// For this code.
    pub fn new(code: &'a Code<'a>) -> Self {
        let mut by_name: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (number, function) in code.functions.iter().enumerate() {
            by_name.entry(function.name()).or_default().push(number);
        }
        Self { code, by_name }
    }

    /// What names mean in a function of this number.
    pub fn scope(&self, function: usize) -> Scope<'a> {
        let function = &self.code.functions[function];
        let mut scope = Scope {
            function,
            locals: BTreeMap::new(),
        };
        for argument in &function.signature.inputs {
            if let FnArg::Typed(argument) = argument
                && let (Some(name), Some(of)) = (bound(&argument.pat), plain_type(&argument.ty))
            {
                scope.locals.insert(name, of);
            }
        }
        let mut locals = Locals(Vec::new());
        locals.visit_block(function.body);
        for local in locals.0 {
            let (annotated, pattern) = match &local.pat {
                Pat::Type(pattern) => (plain_type(&pattern.ty), &*pattern.pat),
                pattern => (None, pattern),
            };
            let value = local.init.as_ref().map(|init| &*init.expr);
            let of = annotated.or_else(|| self.type_of(value?, &scope));
            if let (Some(name), Some(of)) = (bound(pattern), of) {
                scope.locals.insert(name, of);
            }
        }
        scope
    }

    /// The function that an expression calls.
    pub fn callee(&self, call: &Expr, scope: &Scope<'_>) -> Option<usize> {
        match call {
            Expr::Call(call) => self.named(&call.func, scope),
            Expr::MethodCall(call) => {
                let name = call.method.to_string();
                self.method(self.type_of(&call.receiver, scope), &name, scope)
            }
            _ => None,
        }
    }

    /// The function that a path means, as the callee of a call or as a value.
    pub fn named(&self, path: &Expr, scope: &Scope<'_>) -> Option<usize> {
        let Expr::Path(path) = path else { return None };
        let parts = self.expanded(&path.path, scope);
        let (name, before) = parts.split_last()?;
        // A path may lead over a `pub use`; the last part before the name is then all that is left.
        for parts in [before.len(), 1] {
            let before = &before[before.len().saturating_sub(parts)..];
            let fits = |number: &&usize| is_in(&self.code.functions[**number], before);
            let found: Vec<usize> = self
                .by_name
                .get(name)?
                .iter()
                .filter(fits)
                .copied()
                .collect();
            if let Some(one) = self.nearest(&found, scope) {
                return Some(one);
            }
        }
        None
    }

    /// A path's parts behind `use`, `crate`, `self`, `super` and `Self`.
    fn expanded(&self, path: &syn::Path, scope: &Scope<'_>) -> Vec<String> {
        let function = scope.function;
        let mut parts: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        let imports = &self.code.imports[function.file];
        if let Some(target) = parts.first().and_then(|first| imports.get(first)) {
            parts.splice(..1, target.iter().cloned());
        }
        match parts.first().map(String::as_str) {
            Some("crate") => parts[0].clone_from(&function.module[0]),
            Some("Self") => {
                parts.splice(..1, function.self_type.clone());
            }
            Some("self") => {
                parts.splice(..1, function.module.iter().cloned());
            }
            Some("super") => {
                let ups = parts.iter().take_while(|part| *part == "super").count();
                let depth = function.module.len().saturating_sub(ups);
                parts.splice(..ups, function.module[..depth].iter().cloned());
            }
            _ => {}
        }
        parts
    }

    /// The one that is meant: the only one, or the only one in this module, file or crate.
    fn nearest(&self, found: &[usize], scope: &Scope<'_>) -> Option<usize> {
        if let [one] = found {
            return Some(*one);
        }
        let here = scope.function;
        for near in [
            (|one, other| one.module == other.module) as fn(&Function<'_>, &Function<'_>) -> bool,
            |one, other| one.file == other.file,
            |one, other| one.module[0] == other.module[0],
        ] {
            let mut nearer = found
                .iter()
                .filter(|number| near(&self.code.functions[**number], here));
            if let (Some(one), None) = (nearer.next(), nearer.next()) {
                return Some(*one);
            }
        }
        None
    }

    fn method(&self, of: Option<String>, name: &str, scope: &Scope<'_>) -> Option<usize> {
        let candidates = self.by_name.get(name)?;
        let has_receiver =
            |number: &&usize| self.code.functions[**number].signature.receiver().is_some();
        let methods: Vec<usize> = candidates.iter().filter(has_receiver).copied().collect();
        let Some(of) = of else {
            return (!COMMON.contains(&name) && methods.len() == 1).then(|| methods[0]);
        };
        let of_type: Vec<usize> = methods
            .into_iter()
            .filter(|number| self.code.functions[*number].self_type.as_ref() == Some(&of))
            .collect();
        self.nearest(&of_type, scope)
    }

    /// The name of an expression's type, through references, `Arc`, `Result` and the like.
    fn type_of(&self, value: &Expr, scope: &Scope<'_>) -> Option<String> {
        match value {
            Expr::Path(path) => {
                let name = path.path.get_ident()?.to_string();
                match name.as_str() {
                    "self" => scope.function.self_type.clone(),
                    _ => scope.locals.get(&name).cloned(),
                }
            }
            Expr::Field(field) => {
                let base = self.type_of(&field.base, scope)?;
                let name = match &field.member {
                    syn::Member::Named(name) => name.to_string(),
                    syn::Member::Unnamed(number) => number.index.to_string(),
                };
                self.code.fields.get(&(base, name)).cloned()
            }
            Expr::Struct(literal) => own(&literal.path, scope),
            Expr::Await(inner) => self.type_of(&inner.base, scope),
            Expr::Try(inner) => self.type_of(&inner.expr, scope),
            Expr::Reference(inner) => self.type_of(&inner.expr, scope),
            Expr::Paren(inner) => self.type_of(&inner.expr, scope),
            Expr::Unary(inner) => self.type_of(&inner.expr, scope),
            Expr::Call(call) => match self.named(&call.func, scope) {
                Some(function) => self.result(function),
                None if shares(&call.func) => self.type_of(call.args.first()?, scope),
                None => constructed(&call.func, scope),
            },
            Expr::MethodCall(call) if SAME.contains(&&*call.method.to_string()) => {
                self.type_of(&call.receiver, scope)
            }
            Expr::MethodCall(_) => self.result(self.callee(value, scope)?),
            _ => None,
        }
    }

    fn result(&self, function: usize) -> Option<String> {
        let function = &self.code.functions[function];
        let syn::ReturnType::Type(_, of) = &function.signature.output else {
            return None;
        };
        let name = plain_type(of)?;
        match name.as_str() {
            "Self" => function.self_type.clone(),
            _ => Some(name),
        }
    }
}

/// Whether a function stands in what these parts name.
fn is_in(function: &Function<'_>, parts: &[String]) -> bool {
    let place = function.module.iter().chain(&function.self_type);
    match parts {
        [] => function.self_type.is_none(),
        _ => place
            .rev()
            .zip(parts.iter().rev())
            .all(|(one, other)| one == other),
    }
}

/// Whether a function gives a pointer to its argument, or another to the same: `Arc::new`.
fn shares(function: &Expr) -> bool {
    let Expr::Path(path) = function else {
        return false;
    };
    let parts = path.path.segments.iter().rev();
    let mut names = parts.map(|part| part.ident.to_string());
    let name = names.next();
    matches!(name.as_deref(), Some("new" | "clone"))
        && names.next().is_some_and(|of| POINTERS.contains(&&*of))
}

/// The type of `Type::new(…)`, where `new` is none of ours.
fn constructed(function: &Expr, scope: &Scope<'_>) -> Option<String> {
    let Expr::Path(path) = function else {
        return None;
    };
    let mut parts = path.path.segments.iter().rev().skip(1);
    let name = parts.next()?.ident.to_string();
    let is_type = name.starts_with(char::is_uppercase);
    match name.as_str() {
        "Self" => scope.function.self_type.clone(),
        // The content's type is what counts, and it is not written here.
        name if POINTERS.contains(&name) => None,
        _ => is_type.then_some(name),
    }
}

fn own(path: &syn::Path, scope: &Scope<'_>) -> Option<String> {
    let name = path.segments.last()?.ident.to_string();
    match name.as_str() {
        "Self" => scope.function.self_type.clone(),
        _ => Some(name),
    }
}

/// The name that a pattern binds, if it is one.
fn bound(pattern: &Pat) -> Option<String> {
    match pattern {
        Pat::Ident(pattern) => Some(pattern.ident.to_string()),
        Pat::Type(pattern) => bound(&pattern.pat),
        _ => None,
    }
}

struct Locals<'a>(Vec<&'a syn::Local>);

impl<'ast> Visit<'ast> for Locals<'ast> {
    fn visit_local(&mut self, local: &'ast syn::Local) {
        self.0.push(local);
        visit::visit_local(self, local);
    }

    fn visit_item(&mut self, _: &'ast syn::Item) {}
}

/// Numbers of functions that were looked at.
pub type Visited = BTreeSet<usize>;
