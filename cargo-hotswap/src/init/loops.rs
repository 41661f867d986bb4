//! Which loops go on for as long as the program, a connection or the like.

use quote::ToTokens;
use syn::visit::{self, Visit};
use syn::{Block, Expr};

use super::calls::{Calls, last_name};
use super::frameworks::{PACING, WAITING};

/// Whether a loop has no end that is in sight.
pub fn is_endless(expression: &Expr) -> bool {
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

/// Whether something in a loop's body leaves it. An error does so too, but a loop that only errors
/// end is meant to go on.
fn ends(body: &Block) -> bool {
    struct Ends(bool);
    impl<'ast> Visit<'ast> for Ends {
        fn visit_expr(&mut self, expression: &'ast Expr) {
            self.0 |= matches!(expression, Expr::Break(_) | Expr::Return(_));
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
