//! Functions that are called again and again, where an entry would pay off.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::Span;
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Block, Expr};

use super::calls::{Calls, Every, last_name};
use super::frameworks::{DRAWING, FRAME_NAMES, FRAMEWORKS, Framework, ONCE, SPAWNERS, WAITING};
use super::functions::{Code, Function};
use super::loops::is_endless;
use super::macros;
use super::resolve::{Resolver, Scope, Visited};

/// How much is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Certainty {
    /// A framework is given the function.
    Handler,
    /// It is called in a loop without end, or in a task or thread that such a loop starts.
    Loop,
    /// Its name says so.
    Name,
}

/// A function where an entry would pay off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its number.
    pub function: usize,
    /// How much is known.
    pub certainty: Certainty,
    /// Why it would.
    pub reason: String,
}

/// A loop without end that does much by itself: those lines stay as they are while it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LongLoop {
    /// The number of the function that it stands in.
    pub function: usize,
    /// The line that it begins at, from 1.
    pub line: usize,
    /// How many lines it has.
    pub lines: usize,
}

/// What was found in a package.
#[derive(Debug, Default)]
pub struct Found {
    /// Where an entry would pay off, the most certain first.
    pub candidates: Vec<Candidate>,
    /// What no entry covers.
    pub loops: Vec<LongLoop>,
}

/// Looks through a package that has these dependencies.
pub fn find(code: &Code<'_>, dependencies: &BTreeSet<String>) -> Found {
    let known: Vec<&Framework> = FRAMEWORKS
        .iter()
        .filter(|framework| {
            framework
                .packages
                .iter()
                .any(|name| dependencies.contains(*name))
        })
        .collect();
    let mut finder = Finder {
        code,
        resolver: Resolver::new(code),
        known,
        found: BTreeMap::new(),
        loops: Vec::new(),
        visited: Visited::new(),
        draws: DRAWING
            .iter()
            .any(|package| dependencies.contains(*package)),
    };
    for number in 0..code.functions.len() {
        finder.by_attribute_or_trait(number);
        finder.given_away(number);
    }
    finder.in_loops();
    for number in 0..code.functions.len() {
        finder.by_name(number);
    }
    let mut all: Vec<Candidate> = finder.found.into_values().collect();
    all.sort_by_key(|one| (one.certainty, one.function));
    finder.loops.sort_by_key(|one| (one.function, one.line));
    Found {
        candidates: all,
        loops: finder.loops,
    }
}

struct Finder<'a> {
    code: &'a Code<'a>,
    resolver: Resolver<'a>,
    known: Vec<&'a Framework>,
    found: BTreeMap<usize, Candidate>,
    loops: Vec<LongLoop>,
    visited: Visited,
    /// The program draws something, so that names of functions may be about frames.
    draws: bool,
}

impl Finder<'_> {
    fn add(&mut self, function: usize, certainty: Certainty, reason: String) {
        let target = &self.code.functions[function];
        if target.name() == "main" || (certainty != Certainty::Handler && is_trivial(target)) {
            return;
        }
        self.found.entry(function).or_insert(Candidate {
            function,
            certainty,
            reason,
        });
    }

    fn by_attribute_or_trait(&mut self, number: usize) {
        let function = &self.code.functions[number];
        let has = |names: &[&str]| {
            function.attributes.iter().any(|attribute| {
                let last = attribute.path().segments.last();
                last.is_some_and(|last| names.iter().any(|name| last.ident == name))
            })
        };
        let implements = |traits: &[(&str, &[&str])]| {
            traits.iter().any(|(name, methods)| {
                function.of_trait.as_deref() == Some(name)
                    && (methods.is_empty() || methods.contains(&&*function.name()))
            })
        };
        let what = self
            .known
            .iter()
            .find(|framework| has(framework.attributes) || implements(framework.traits))
            .map(|framework| framework.what.to_owned());
        // tonic's services are traits of generated code; their attribute gives them away.
        let of_tonic = function.outer.iter().any(|attribute| {
            attribute
                .to_token_stream()
                .to_string()
                .replace(' ', "")
                .contains("tonic::async_trait")
        });
        if let Some(what) = what.or_else(|| of_tonic.then(|| "a gRPC method".to_owned())) {
            self.add(number, Certainty::Handler, what);
        }
    }

    /// Functions that this one hands to a framework.
    fn given_away(&mut self, number: usize) {
        let scope = self.resolver.scope(number);
        let mut calls = Calls::default();
        calls.visit_block(self.code.functions[number].body);
        for (name, arguments) in calls.0 {
            let takes = |framework: &&&Framework| framework.takers.contains(&name.as_str());
            let calls_closure =
                |framework: &&&Framework| framework.callers.contains(&name.as_str());
            if let Some(framework) = self.known.iter().find(takes).copied()
                && !arguments.first().is_some_and(|stage| runs_once(stage))
            {
                for path in arguments.iter().flat_map(|one| handed_over(one)) {
                    if let Some(function) = self.resolver.named(path, &scope) {
                        self.add(function, Certainty::Handler, framework.what.to_owned());
                    }
                }
            }
            if let Some(framework) = self.known.iter().find(calls_closure).copied() {
                for closure in arguments
                    .iter()
                    .filter(|one| matches!(one, Expr::Closure(_)))
                {
                    for function in self.called_in(closure, &scope) {
                        self.add(function, Certainty::Handler, framework.what.to_owned());
                    }
                }
            }
        }
    }

    fn called_in(&self, expression: &Expr, scope: &Scope<'_>) -> Vec<usize> {
        let mut all = Every(Vec::new());
        all.visit_expr(expression);
        all.0
            .iter()
            .filter_map(|call| self.resolver.callee(call, scope))
            .collect()
    }

    /// Follows `main` to loops without end, and the tasks and threads that are started on the way.
    fn in_loops(&mut self) {
        let is_main = |function: &Function<'_>| {
            function.module.len() == 1 && function.self_type.is_none() && function.name() == "main"
        };
        let numbers = 0..self.code.functions.len();
        let mut roots: Vec<usize> = numbers
            .clone()
            .filter(|number| is_main(&self.code.functions[*number]))
            .collect();
        if roots.is_empty() {
            // A library: whoever uses it decides what runs for long.
            roots.extend(numbers);
        }
        while let Some(number) = roots.pop() {
            if !self.visited.insert(number) {
                continue;
            }
            let function = &self.code.functions[number];
            let scope = self.resolver.scope(number);
            let mut walk = Walk::default();
            walk.visit_block(function.body);
            self.loops.extend(long_loops(number, &walk));
            for Met { call, around } in walk.met {
                let target = match call {
                    Expr::Path(_) => self.resolver.named(call, &scope),
                    call => self.resolver.callee(call, &scope),
                };
                let Some(target) = target else { continue };
                roots.push(target);
                if has_endless_loop(self.code.functions[target].body) {
                    // What it calls once a round is what counts.
                    continue;
                }
                let here = function.path();
                let reason = match around.last() {
                    None => continue,
                    Some(Around::Loop) if around.contains(&Around::Task) => {
                        format!("called in the loop of a task or thread of `{here}`")
                    }
                    Some(Around::Loop) => format!("called in the loop of `{here}`"),
                    Some(Around::Task) if around.contains(&Around::Loop) => {
                        format!("run in a task or thread for each round of `{here}`")
                    }
                    Some(Around::Task) => continue,
                };
                self.add(target, Certainty::Loop, reason);
            }
        }
    }

    fn by_name(&mut self, number: usize) {
        let function = &self.code.functions[number];
        let name = function.name();
        let takes_something = !function.signature.inputs.is_empty();
        let own = function.of_trait.is_none() && self.draws;
        if own && takes_something && FRAME_NAMES.contains(&name.as_str()) {
            let reason = format!("named `{name}`, as what is called once a frame or step");
            self.add(number, Certainty::Name, reason);
        }
    }
}

/// Whether a function only gives a part of its object, or waits for something: nobody edits that
/// while it runs.
fn is_trivial(function: &Function<'_>) -> bool {
    const TOKENS: usize = 10;
    let name = function.name();
    let waits = WAITING.contains(&&*name) && !FRAME_NAMES.contains(&&*name);
    let has_self = function.signature.receiver().is_some();
    let only_self = has_self && function.signature.inputs.len() == 1;
    let asks = only_self && ["is_", "has_"].iter().any(|begin| name.starts_with(begin));
    let constructs =
        !has_self && (matches!(&*name, "new" | "default") || name.starts_with("with_"));
    let tokens = function.body.stmts.iter().map(ToTokens::to_token_stream);
    let text = tokens.flat_map(|statement| statement.into_iter().map(|token| token.to_string()));
    let words: Vec<String> = text.collect();
    let short = words.len() < TOKENS && !words.iter().any(|word| word == macros::CALL);
    waits || asks || constructs || (only_self && short)
}

fn runs_once(stage: &Expr) -> bool {
    let last = match stage {
        Expr::Path(path) => path.path.segments.last(),
        _ => None,
    };
    last.is_some_and(|last| ONCE.iter().any(|once| last.ident == once))
}

/// The functions in an argument: alone, in a tuple, or with conditions (`a.after(b)`).
fn handed_over(argument: &Expr) -> Vec<&Expr> {
    match argument {
        Expr::Path(_) => vec![argument],
        Expr::Tuple(tuple) => tuple.elems.iter().flat_map(handed_over).collect(),
        Expr::MethodCall(call) => handed_over(&call.receiver),
        _ => Vec::new(),
    }
}

/// Those of a function's loops in which more stands than calls of what could be marked.
fn long_loops(function: usize, walk: &Walk<'_>) -> impl Iterator<Item = LongLoop> {
    const LINES: usize = 20;
    let all = walk.places.iter().map(move |place| LongLoop {
        function,
        line: place.start().line,
        lines: place.end().line - place.start().line + 1,
    });
    all.filter(|one| one.lines >= LINES)
}

/// Whether a loop is in a function's own body that ends only with the program, a connection or the
/// like.
fn has_endless_loop(body: &Block) -> bool {
    let mut walk = Walk::default();
    walk.visit_block(body);
    walk.loops > 0
}

/// What a call stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Around {
    /// A loop without end.
    Loop,
    /// What is handed to a new task or thread.
    Task,
}

/// A call, or a function handed over, and what is around it, the outermost first.
struct Met<'a> {
    call: &'a Expr,
    around: Vec<Around>,
}

/// Walks a body, and remembers what is around.
#[derive(Default)]
struct Walk<'a> {
    met: Vec<Met<'a>>,
    around: Vec<Around>,
    /// How many loops without end are the body's own.
    loops: usize,
    /// Where the outermost ones stand, those of tasks too.
    places: Vec<Span>,
}

impl<'ast> Walk<'ast> {
    fn meet(&mut self, call: &'ast Expr) {
        let around = self.around.clone();
        self.met.push(Met { call, around });
    }

    fn task(&mut self, arguments: impl Iterator<Item = &'ast Expr>) {
        self.around.push(Around::Task);
        for argument in arguments {
            if matches!(argument, Expr::Path(_)) {
                self.meet(argument);
            }
            self.visit_expr(argument);
        }
        self.around.pop();
    }
}

impl<'ast> Visit<'ast> for Walk<'ast> {
    fn visit_expr(&mut self, expression: &'ast Expr) {
        if is_endless(expression) {
            // A task's own loop is none of the function that starts it.
            self.loops += usize::from(!self.around.contains(&Around::Task));
            if !self.around.contains(&Around::Loop) {
                self.places.push(expression.span());
            }
            self.around.push(Around::Loop);
            visit::visit_expr(self, expression);
            self.around.pop();
            return;
        }
        let spawns = |name: &str| SPAWNERS.contains(&name);
        match expression {
            Expr::Call(call) => {
                self.meet(expression);
                if last_name(&call.func).is_some_and(|name| spawns(&name)) {
                    return self.task(call.args.iter());
                }
            }
            Expr::MethodCall(call) => {
                self.meet(expression);
                if spawns(&call.method.to_string()) {
                    self.visit_expr(&call.receiver);
                    return self.task(call.args.iter());
                }
            }
            _ => {}
        }
        visit::visit_expr(self, expression);
    }

    fn visit_item(&mut self, _: &'ast syn::Item) {}
}
