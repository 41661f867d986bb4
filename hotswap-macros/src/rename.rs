//! Gives `self` another name in a method's body, since a closure cannot have an argument `self`.

use proc_macro2::{Delimiter, Group, Ident, Literal, Span, TokenStream, TokenTree};
use syn::visit_mut::{self, VisitMut};
use syn::{Block, Expr, Item, LitStr, Macro, Path, parse_quote};

/// The name that `self` gets. It is written where the user's `self` stood, so that it means the
/// same in a format string.
const SELF: &str = "__hotswap_self";

/// The new name of the `self` at `span`.
pub(crate) fn self_at(span: Span) -> Ident {
    Ident::new(SELF, span)
}

/// Renames `self` in `body`.
pub(crate) fn self_in(body: &mut Block) {
    RenameSelf.visit_block_mut(body);
}

/// Replaces `Location::caller()` in `body` by `location`.
pub(crate) fn location_in(body: &mut Block, location: &Ident) {
    ReplaceLocation(location).visit_block_mut(body);
}

struct RenameSelf;

impl VisitMut for RenameSelf {
    fn visit_path_mut(&mut self, path: &mut Path) {
        if path.is_ident("self") {
            let ident = &mut path.segments[0].ident;
            *ident = self_at(ident.span());
        }
        visit_mut::visit_path_mut(self, path);
    }

    fn visit_item_mut(&mut self, item: &mut Item) {
        // Another item cannot mean this `self`, but a macro that is defined here can.
        if let Item::Macro(item) = item {
            self.visit_macro_mut(&mut item.mac);
        }
    }

    fn visit_macro_mut(&mut self, invocation: &mut Macro) {
        invocation.tokens = in_tokens(std::mem::take(&mut invocation.tokens));
    }
}

/// Renames `self` in a macro's tokens, whatever the macro makes of them.
fn in_tokens(tokens: TokenStream) -> TokenStream {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut renamed = Vec::with_capacity(tokens.len());
    let mut index = 0;
    while let Some(token) = tokens.get(index) {
        if let Some(end) = end_of_function(&tokens, index) {
            // A function has a `self` of its own.
            renamed.extend_from_slice(&tokens[index..end]);
            index = end;
            continue;
        }
        renamed.push(match token {
            TokenTree::Ident(ident) if ident == "self" && !is_part_of_name(&tokens, index) => {
                self_at(ident.span()).into()
            }
            TokenTree::Group(group) => in_group(group).into(),
            TokenTree::Literal(literal) => in_literal(literal).into(),
            other => other.clone(),
        });
        index += 1;
    }
    renamed.into_iter().collect()
}

fn in_group(group: &Group) -> Group {
    let mut renamed = Group::new(group.delimiter(), in_tokens(group.stream()));
    renamed.set_span(group.span());
    renamed
}

/// The index after the function that begins at `start`; `None` if none begins there. `fn` before a
/// parenthesis is a pointer's type.
fn end_of_function(tokens: &[TokenTree], start: usize) -> Option<usize> {
    if !is_word(tokens.get(start)?, "fn") || !matches!(tokens.get(start + 1)?, TokenTree::Ident(_))
    {
        return None;
    }
    let after = tokens[start..].iter().position(|token| match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        token => is_punct(token, ';'),
    });
    Some(after.map_or(tokens.len(), |after| start + after + 1))
}

/// Whether the `self` at `index` begins a path, `self::name`, or is a macro's variable, `$self`.
fn is_part_of_name(tokens: &[TokenTree], index: usize) -> bool {
    let follows = |offset: usize| tokens.get(index + offset).is_some_and(|t| is_punct(t, ':'));
    let path = follows(1) && follows(2);
    let variable = index
        .checked_sub(1)
        .is_some_and(|before| is_punct(&tokens[before], '$'));
    path || variable
}

fn is_word(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == word)
}

fn is_punct(token: &TokenTree, char: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == char)
}

/// Renames `self` where a format string names it: `"{self}"`, `"{self:?}"`.
fn in_literal(literal: &Literal) -> Literal {
    let unchanged = || literal.clone();
    if !literal.to_string().contains("{self") {
        return unchanged();
    }
    let Ok(string) = syn::parse2::<LitStr>(TokenTree::from(literal.clone()).into()) else {
        return unchanged();
    };
    let mut renamed = Literal::string(&in_format(&string.value()));
    renamed.set_span(literal.span());
    renamed
}

fn in_format(format: &str) -> String {
    let mut renamed = String::with_capacity(format.len());
    let mut rest = format;
    while let Some(brace) = rest.find('{') {
        let (before, after) = rest.split_at(brace + 1);
        renamed.push_str(before);
        rest = after;
        if let Some(after) = rest.strip_prefix('{') {
            renamed.push('{');
            rest = after;
        } else if let Some(after) = rest.strip_prefix("self")
            && after.trim_start().starts_with(['}', ':'])
        {
            renamed.push_str(SELF);
            rest = after;
        }
    }
    renamed.push_str(rest);
    renamed
}

struct ReplaceLocation<'a>(&'a Ident);

impl VisitMut for ReplaceLocation<'_> {
    fn visit_expr_mut(&mut self, expression: &mut Expr) {
        if is_caller(expression) {
            let location = self.0;
            *expression = parse_quote!(#location);
        }
        visit_mut::visit_expr_mut(self, expression);
    }

    fn visit_item_mut(&mut self, _: &mut Item) {}
}

/// Whether the expression is `Location::caller()`, by whatever path.
fn is_caller(expression: &Expr) -> bool {
    let Expr::Call(call) = expression else {
        return false;
    };
    let Expr::Path(function) = &*call.func else {
        return false;
    };
    let mut names = function
        .path
        .segments
        .iter()
        .rev()
        .map(|segment| &segment.ident);
    call.args.is_empty()
        && names.next().is_some_and(|name| name == "caller")
        && names.next().is_some_and(|name| name == "Location")
}
