//! What dependents compile into their own code: everything of a source file but the bodies of plain
//! functions.
//!
//! An unoptimised compiler takes over from another crate its types and signatures, and the bodies of
//! functions that are generic, `#[inline]`, `const`, `async` or of a hidden result type. The body of
//! any other function it only calls, by symbol. So a dependent has to be compiled again only where
//! one of the former differs. Whatever is in doubt is taken for visible.

use std::collections::BTreeSet;

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::visit_mut::{self, VisitMut};

/// Attributes that leave a function the plain function it is, by the last part of their path.
const HARMLESS_ATTRIBUTES: [&str; 16] = [
    "allow",
    "cfg",
    "cold",
    "deny",
    "deprecated",
    "doc",
    "entry",
    "expect",
    "export_name",
    "ignore",
    "instrument",
    "main",
    "must_use",
    "no_mangle",
    "track_caller",
    "warn",
];

/// Macros of the standard library and of common crates that expand to expressions: none makes an
/// item that another crate could see.
const EXPRESSION_MACROS: [&str; 52] = [
    "anyhow",
    "assert",
    "assert_eq",
    "assert_ne",
    "bail",
    "cfg",
    "column",
    "concat",
    "dbg",
    "debug",
    "debug_assert",
    "debug_assert_eq",
    "debug_assert_ne",
    "debug_span",
    "ensure",
    "env",
    "eprint",
    "eprintln",
    "error",
    "error_span",
    "event",
    "file",
    "format",
    "format_args",
    "include_bytes",
    "include_str",
    "info",
    "info_span",
    "join",
    "json",
    "line",
    "log",
    "matches",
    "module_path",
    "option_env",
    "panic",
    "pin",
    "print",
    "println",
    "select",
    "span",
    "stringify",
    "todo",
    "trace",
    "trace_span",
    "try_join",
    "unimplemented",
    "unreachable",
    "vec",
    "warn",
    "warn_span",
    "write",
];

/// What of a source file other crates can see, as text to compare.
pub fn visible(mut file: syn::File) -> String {
    let mut cut = Cut::default();
    cut.visit_file_mut(&mut file);
    format!("{} {}", file.to_token_stream(), cut.beside)
}

/// Empties the bodies of plain functions.
#[derive(Default)]
struct Cut {
    /// The `impl` or module around is generic, or under an attribute that may do anything.
    inside_visible: bool,
    /// What belongs to the visible part and is no token of it: lines that panics name, and the
    /// macros of emptied bodies.
    beside: String,
}

impl Cut {
    fn function(
        &mut self,
        attributes: &mut Vec<syn::Attribute>,
        signature: &syn::Signature,
        body: &mut syn::Block,
    ) {
        if self.inside_visible || !attributes.iter().all(is_harmless) || !is_plain(signature) {
            self.keep(signature);
            return;
        }
        let mut contents = Contents::default();
        contents.visit_block(body);
        if contents.makes_items {
            self.keep(signature);
            return;
        }
        attributes.retain(|attribute| !attribute.path().is_ident("doc"));
        self.beside += &contents.macros;
        body.stmts.clear();
    }

    /// A function whose code other crates contain, with the lines that its panics name.
    fn keep(&mut self, signature: &syn::Signature) {
        let line = signature.span().start().line;
        self.beside += &format!("{}:{line} ", signature.ident);
    }

    fn around(&mut self, visible: bool, visit: impl FnOnce(&mut Self)) {
        let before = self.inside_visible;
        self.inside_visible |= visible;
        visit(self);
        self.inside_visible = before;
    }
}

impl VisitMut for Cut {
    fn visit_item_fn_mut(&mut self, item: &mut syn::ItemFn) {
        self.function(&mut item.attrs, &item.sig, &mut item.block);
    }

    fn visit_impl_item_fn_mut(&mut self, item: &mut syn::ImplItemFn) {
        self.function(&mut item.attrs, &item.sig, &mut item.block);
    }

    fn visit_trait_item_fn_mut(&mut self, item: &mut syn::TraitItemFn) {
        self.keep(&item.sig);
    }

    fn visit_item_impl_mut(&mut self, item: &mut syn::ItemImpl) {
        let visible = !only_lifetimes(&item.generics) || !item.attrs.iter().all(is_harmless_around);
        self.around(visible, |cut| visit_mut::visit_item_impl_mut(cut, item));
    }

    fn visit_item_mod_mut(&mut self, item: &mut syn::ItemMod) {
        let visible = !item.attrs.iter().all(is_harmless_around);
        self.around(visible, |cut| visit_mut::visit_item_mod_mut(cut, item));
    }

    // Functions inside constants and statics belong to values that other crates may evaluate.
    fn visit_expr_mut(&mut self, _: &mut syn::Expr) {}
}

fn is_harmless(attribute: &syn::Attribute) -> bool {
    let path = attribute.path();
    if path.is_ident("inline") {
        return matches!(&attribute.meta, syn::Meta::List(list) if list.tokens.to_string() == "never");
    }
    let lint = path
        .segments
        .first()
        .is_some_and(|first| first.ident == "rustfmt" || first.ident == "clippy");
    lint || path.segments.last().is_some_and(|last| {
        HARMLESS_ATTRIBUTES
            .iter()
            .any(|harmless| last.ident == harmless)
    })
}

/// On an `impl` or a module: `async_trait` rewrites each `async fn`, which is visible anyway.
fn is_harmless_around(attribute: &syn::Attribute) -> bool {
    is_harmless(attribute) || {
        let last = attribute.path().segments.last();
        last.is_some_and(|last| last.ident == "async_trait")
    }
}

fn only_lifetimes(generics: &syn::Generics) -> bool {
    let mut all = generics.params.iter();
    all.all(|param| matches!(param, syn::GenericParam::Lifetime(_)))
}

/// Whether other crates only call such a function, by its symbol.
fn is_plain(signature: &syn::Signature) -> bool {
    #[derive(Default)]
    struct Hidden(bool);
    impl Visit<'_> for Hidden {
        fn visit_type_impl_trait(&mut self, _: &syn::TypeImplTrait) {
            self.0 = true;
        }

        fn visit_macro(&mut self, _: &syn::Macro) {
            self.0 = true;
        }
    }
    let mut hidden = Hidden::default();
    hidden.visit_signature(signature);
    signature.constness.is_none()
        && signature.asyncness.is_none()
        && only_lifetimes(&signature.generics)
        && !hidden.0
}

/// What a body holds that may be seen outside of it.
#[derive(Default)]
struct Contents {
    /// Items that may implement something for types outside.
    makes_items: bool,
    /// The text of macros of which it is not known what they make.
    macros: String,
}

impl<'ast> Visit<'ast> for Contents {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        match item {
            syn::Item::Fn(_) | syn::Item::Use(_) | syn::Item::Const(_) | syn::Item::Static(_) => {
                visit::visit_item(self, item);
            }
            _ => self.makes_items = true,
        }
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        self.makes_items |= !is_harmless(attribute) && !attribute.path().is_ident("inline");
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        let name = item.path.segments.last().map(|last| last.ident.to_string());
        if !name.is_some_and(|name| is_expression_macro(&name)) || hides_items(&item.tokens) {
            self.macros += &item.to_token_stream().to_string();
        }
    }
}

fn is_expression_macro(name: &str) -> bool {
    EXPRESSION_MACROS.binary_search(&name).is_ok()
}

/// Whether the argument of a macro has items in it, or another macro that may expand to some.
fn hides_items(tokens: &TokenStream) -> bool {
    let items: BTreeSet<&str> = ["impl", "macro_rules", "mod", "struct", "enum", "trait"].into();
    let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
    tokens.iter().enumerate().any(|(at, token)| match token {
        TokenTree::Group(group) => hides_items(&group.stream()),
        TokenTree::Ident(ident) => {
            let name = ident.to_string();
            let called = matches!(tokens.get(at + 1), Some(TokenTree::Punct(mark)) if mark.as_char() == '!')
                && matches!(tokens.get(at + 2), Some(TokenTree::Group(group)) if group.delimiter() != Delimiter::None);
            items.contains(name.as_str()) || (called && !is_expression_macro(&name))
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::{EXPRESSION_MACROS, HARMLESS_ATTRIBUTES, visible};

    fn same(old: &str, new: &str) -> bool {
        let visible = |source| syn::parse_file(source).ok().map(visible);
        visible(old).is_some_and(|old| visible(new) == Some(old))
    }

    #[test]
    fn tables_are_sorted() {
        assert!(EXPRESSION_MACROS.is_sorted() && HARMLESS_ATTRIBUTES.is_sorted());
    }

    #[test]
    fn a_body_of_a_plain_function_is_nobodys_business() {
        for source in [
            "fn f(a: u8) -> u8 { BODY }",
            "pub fn f<'a>(a: &'a str) -> &'a str { BODY }",
            "pub unsafe extern \"C\" fn f() { BODY }",
            "#[hotswap::entry] fn f(x: State) { BODY }",
            "#[must_use] #[inline(never)] #[track_caller] fn f() { BODY }",
            "impl Room { pub fn f(&mut self) { BODY } }",
            "impl<'a> Handler for Room<'a> { fn f(&self) { BODY } }",
            "#[async_trait] impl Handler for Room { fn f(&self) { BODY } }",
            "mod inner { pub fn f() { BODY } }",
            "/// DOC\nfn f() { BODY }",
        ] {
            for (old, new) in [
                ("1", "2"),
                ("println!(\"{}\", a)", "println!(\"{}\", b != !(c))"),
                ("1", "let x = |y| y + vec![1, 2].len(); x(1)"),
                ("1", "use std::fmt; fn inner<T>(t: T) -> T { t } inner(1)"),
                ("1", "const N: usize = 3; static S: u8 = 4; N"),
                ("lazy! { 1 }; 2", "lazy! { 1 }; 3"),
                (
                    "tokio::select! { _ = a => 1 }",
                    "tokio::select! { _ = b => 2 }",
                ),
                ("1", "// a comment\n 1"),
            ] {
                let with = |body: &str, doc: &str| source.replace("BODY", body).replace("DOC", doc);
                assert!(
                    same(&with(old, "a"), &with(new, "b")),
                    "{source}: {old} to {new}"
                );
            }
        }
    }

    #[test]
    fn anything_else_is_seen() {
        for (old, new) in [
            // Signatures and items.
            ("fn f() {}", "pub fn f() {}"),
            ("fn f(a: u8) {}", "fn f(a: u16) {}"),
            ("fn f() {}", "fn f() {} fn g() {}"),
            ("struct S { a: u8 }", "struct S { a: u16 }"),
            ("const C: u8 = 1;", "const C: u8 = 2;"),
            (
                "static S: u8 = { fn f() -> u8 { 1 } f() };",
                "static S: u8 = { fn f() -> u8 { 2 } f() };",
            ),
            ("type A = [u8; { 1 }];", "type A = [u8; { 2 }];"),
            (
                "macro_rules! m { () => { 1 } }",
                "macro_rules! m { () => { 2 } }",
            ),
            ("make!(1);", "make!(2);"),
            ("#[derive(Clone)] struct S;", "#[derive(Copy)] struct S;"),
            // Bodies that other crates contain.
            ("fn f<T>(t: T) { 1; }", "fn f<T>(t: T) { 2; }"),
            (
                "fn f<const N: usize>() { 1; }",
                "fn f<const N: usize>() { 2; }",
            ),
            ("fn f(t: impl Fn()) { 1; }", "fn f(t: impl Fn()) { 2; }"),
            (
                "fn f() -> impl Fn() { || 1; }",
                "fn f() -> impl Fn() { || 2; }",
            ),
            (
                "fn f() -> Option<impl Fn()> { 1 }",
                "fn f() -> Option<impl Fn()> { 2 }",
            ),
            ("async fn f() { 1; }", "async fn f() { 2; }"),
            ("const fn f() -> u8 { 1 }", "const fn f() -> u8 { 2 }"),
            ("#[inline] fn f() { 1; }", "#[inline] fn f() { 2; }"),
            (
                "#[inline(always)] fn f() { 1; }",
                "#[inline(always)] fn f() { 2; }",
            ),
            (
                "#[cfg_attr(x, inline)] fn f() { 1; }",
                "#[cfg_attr(x, inline)] fn f() { 2; }",
            ),
            ("#[any] fn f() { 1; }", "#[any] fn f() { 2; }"),
            (
                "#[any] impl S { fn f() { 1; } }",
                "#[any] impl S { fn f() { 2; } }",
            ),
            (
                "#[any] mod m { fn f() { 1; } }",
                "#[any] mod m { fn f() { 2; } }",
            ),
            (
                "impl<T> S<T> { fn f() { 1; } }",
                "impl<T> S<T> { fn f() { 2; } }",
            ),
            ("trait T { fn f() { 1; } }", "trait T { fn f() { 2; } }"),
            // Bodies that make what others see.
            (
                "fn f() { impl A for B {} 1; }",
                "fn f() { impl A for B {} 2; }",
            ),
            (
                "fn f() { #[derive(X)] struct S; 1; }",
                "fn f() { #[derive(X)] struct S; 2; }",
            ),
            ("fn f() { any!(1); }", "fn f() { any!(2); }"),
            (
                "fn f() { println!(\"{}\", any!(1)); }",
                "fn f() { println!(\"{}\", any!(2)); }",
            ),
            (
                "fn f() { vec![{ impl A for B {} 1 }]; }",
                "fn f() { vec![{ impl A for B {} 2 }]; }",
            ),
            (
                "fn f() { fn g() { any!(1); } }",
                "fn f() { fn g() { any!(2); } }",
            ),
            // The line of a panic in code that others contain.
            ("fn f<T>() { panic!() }", "\nfn f<T>() { panic!() }"),
            (
                "trait T { fn f() { panic!() } }",
                "\ntrait T { fn f() { panic!() } }",
            ),
            // What is not Rust.
            ("text", "other text"),
            ("fn f() {", "fn f() {"),
        ] {
            assert!(!same(old, new), "{old} to {new}");
        }
    }
}
