//! Expressions inside macro calls: `println!`, `tokio::select!` and others hold code too.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use syn::visit_mut::{self, VisitMut};
use syn::{Expr, Stmt, parse_quote};

/// What a macro call is replaced by: a call of this with the expressions that could be read.
pub const CALL: &str = "__macro";

/// Replaces macro calls by what can be read of them. The result is for looking at only.
pub fn open(file: &mut syn::File) {
    Opener.visit_file_mut(file);
}

struct Opener;

impl VisitMut for Opener {
    fn visit_expr_mut(&mut self, expression: &mut Expr) {
        if let Expr::Macro(call) = expression {
            *expression = opened(&call.mac.tokens);
        }
        visit_mut::visit_expr_mut(self, expression);
    }

    fn visit_stmt_mut(&mut self, statement: &mut Stmt) {
        if let Stmt::Macro(call) = statement {
            *statement = Stmt::Expr(opened(&call.mac.tokens), call.semi_token);
        }
        visit_mut::visit_stmt_mut(self, statement);
    }
}

fn opened(tokens: &TokenStream) -> Expr {
    let pieces = pieces(tokens.clone());
    let expressions = pieces
        .into_iter()
        .filter_map(|piece| syn::parse2::<Expr>(piece).ok());
    let function = syn::Ident::new(CALL, proc_macro2::Span::call_site());
    parse_quote!(#function(#(#expressions),*))
}

/// The tokens between commas, semicolons, arrows and single equal signs.
fn pieces(tokens: TokenStream) -> Vec<TokenStream> {
    let mut pieces = vec![Vec::new()];
    let mut joint = None;
    for token in tokens {
        let sign = match &token {
            TokenTree::Punct(punct) => Some((punct.as_char(), punct.spacing())),
            _ => None,
        };
        let begins = pieces.last().is_none_or(Vec::is_empty);
        let is_block =
            matches!(&token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace);
        match (joint, sign) {
            // A branch of `select!` may end in a block, without a comma.
            _ if begins && is_block => pieces.extend([vec![token], Vec::new()]),
            (Some('='), Some(('>', _))) | (_, Some((',' | ';', _))) => {
                if joint == Some('=') {
                    pieces.last_mut().map(Vec::pop);
                }
                pieces.push(Vec::new());
            }
            (None, Some(('=', Spacing::Alone))) => pieces.push(Vec::new()),
            _ => pieces.last_mut().expect("there is always one").push(token),
        }
        joint = sign
            .filter(|(_, spacing)| *spacing == Spacing::Joint)
            .map(|(sign, _)| sign);
    }
    pieces
        .into_iter()
        .map(|piece| piece.into_iter().collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use quote::ToTokens;

    #[test]
    fn expressions_are_read_out_of_macros() {
        for (text, expected) in [
            (
                "println!(\"{} {x}\", greet(name), x = f())",
                "__macro(\"{}{x}\",greet(name),x,f())",
            ),
            (
                "tokio::select! { res = server.run() => { log(res); } _ = stop.recv(), if on => {} }",
                "__macro(res,server.run(),{log(res);},_,stop.recv(),{})",
            ),
            ("assert!(a == b(), \"x\")", "__macro(a==b(),\"x\")"),
            ("vec![a(); 3]", "__macro(a(),3)"),
            ("matches!(x, A | B)", "__macro(x,A|B)"),
            ("nothing!()", "__macro()"),
        ] {
            let mut file = syn::parse_str::<syn::File>(&format!("fn f() {{ {text} }}")).unwrap();
            super::open(&mut file);
            let opened = file.to_token_stream().to_string().replace(' ', "");
            assert_eq!(opened, format!("fnf(){{{expected}}}"), "{text}");
        }
    }
}
