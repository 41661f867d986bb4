//! The calls in a piece of code.

use syn::Expr;
use syn::visit::{self, Visit};

/// Calls by the last name of what is called, with their arguments.
#[derive(Default)]
pub struct Calls<'a>(pub Vec<(String, Vec<&'a Expr>)>);

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
pub struct Every<'a>(pub Vec<&'a Expr>);

impl<'ast> Visit<'ast> for Every<'ast> {
    fn visit_expr(&mut self, expression: &'ast Expr) {
        if matches!(expression, Expr::Call(_) | Expr::MethodCall(_)) {
            self.0.push(expression);
        }
        visit::visit_expr(self, expression);
    }
}

/// The last name of the path that is called.
pub fn last_name(function: &Expr) -> Option<String> {
    match function {
        Expr::Path(path) => Some(path.path.segments.last()?.ident.to_string()),
        _ => None,
    }
}
