//! Functions that are called again and again, where an entry would pay off.

use std::collections::{BTreeMap, BTreeSet};

use quote::ToTokens;
use syn::visit::{self, Visit};
use syn::{Block, Expr};

use super::frameworks::{
    DRAWING, FRAME_NAMES, FRAMEWORKS, Framework, ONCE, PACING, SPAWNERS, WAITING,
};
use super::functions::{Code, Function};
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

/// Finds them in a package that has these dependencies.
pub fn candidates(code: &Code<'_>, dependencies: &BTreeSet<String>) -> Vec<Candidate> {
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
    all
}

struct Finder<'a> {
    code: &'a Code<'a>,
    resolver: Resolver<'a>,
    known: Vec<&'a Framework>,
    found: BTreeMap<usize, Candidate>,
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

/// Whether a loop is in a function's own body that ends only with the program, a connection or the
/// like.
fn has_endless_loop(body: &Block) -> bool {
    let mut walk = Walk::default();
    walk.visit_block(body);
    walk.loops > 0
}

/// Whether a loop has no end that is in sight.
fn is_endless(expression: &Expr) -> bool {
    match expression {
        Expr::Loop(one) => !ends(&one.body) || paces(&one.body),
        Expr::While(one) => match &*one.cond {
            Expr::Let(condition) => waits(&condition.expr),
            condition => !compares(condition) && paces(&one.body),
        },
        Expr::ForLoop(one) => match &*one.expr {
            Expr::Range(range) => range.end.is_none() && (!ends(&one.body) || paces(&one.body)),
            over => waits(over),
        },
        _ => false,
    }
}

/// Whether something in a loop's body leaves it.
fn ends(body: &Block) -> bool {
    struct Ends(bool);
    impl<'ast> Visit<'ast> for Ends {
        fn visit_expr(&mut self, expression: &'ast Expr) {
            self.0 |= matches!(expression, Expr::Break(_) | Expr::Return(_) | Expr::Try(_));
            visit::visit_expr(self, expression);
        }
        fn visit_expr_closure(&mut self, _: &'ast syn::ExprClosure) {}
        fn visit_expr_async(&mut self, _: &'ast syn::ExprAsync) {}
        fn visit_item(&mut self, _: &'ast syn::Item) {}
    }
    let mut ends = Ends(false);
    ends.visit_block(body);
    ends.0
}

/// Whether each round waits for something: then rounds are as many as things happen.
fn paces(body: &Block) -> bool {
    struct Paces(bool);
    impl<'ast> Visit<'ast> for Paces {
        fn visit_expr(&mut self, expression: &'ast Expr) {
            let waits = |name: &str| WAITING.contains(&name) || PACING.contains(&name);
            self.0 |= match expression {
                Expr::Await(_) => true,
                Expr::Call(call) => last_name(&call.func).is_some_and(|name| waits(&name)),
                Expr::MethodCall(call) => waits(&call.method.to_string()),
                _ => false,
            };
            visit::visit_expr(self, expression);
        }
        fn visit_item(&mut self, _: &'ast syn::Item) {}
    }
    let mut paces = Paces(false);
    paces.visit_block(body);
    paces.0
}

fn waits(expression: &Expr) -> bool {
    let mut calls = Calls::default();
    calls.visit_expr(expression);
    if calls
        .0
        .iter()
        .any(|(name, _)| WAITING.contains(&name.as_str()))
    {
        return true;
    }
    // A channel is iterated by itself; its name is all that tells.
    let text = expression.to_token_stream().to_string();
    let last = text.rsplit(['.', ' ', '&']).next().unwrap_or_default();
    ["rx", "receiver", "incoming", "connections"].contains(&last)
}

fn compares(condition: &Expr) -> bool {
    matches!(condition, Expr::Binary(binary) if !matches!(
        binary.op,
        syn::BinOp::And(_) | syn::BinOp::Or(_)
    ))
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

/// Calls by the last name of what is called, with their arguments.
#[derive(Default)]
struct Calls<'a>(Vec<(String, Vec<&'a Expr>)>);

impl<'ast> Visit<'ast> for Calls<'ast> {
    fn visit_expr(&mut self, expression: &'ast Expr) {
        match expression {
            Expr::Call(call) => {
                let name = last_name(&call.func).unwrap_or_default();
                self.0.push((name, call.args.iter().collect()));
            }
            Expr::MethodCall(call) => {
                self.0
                    .push((call.method.to_string(), call.args.iter().collect()));
            }
            _ => {}
        }
        visit::visit_expr(self, expression);
    }

    fn visit_item(&mut self, _: &'ast syn::Item) {}
}

/// All calls, as expressions.
struct Every<'a>(Vec<&'a Expr>);

impl<'ast> Visit<'ast> for Every<'ast> {
    fn visit_expr(&mut self, expression: &'ast Expr) {
        if matches!(expression, Expr::Call(_) | Expr::MethodCall(_)) {
            self.0.push(expression);
        }
        visit::visit_expr(self, expression);
    }
}

fn last_name(function: &Expr) -> Option<String> {
    match function {
        Expr::Path(path) => Some(path.path.segments.last()?.ident.to_string()),
        _ => None,
    }
}
