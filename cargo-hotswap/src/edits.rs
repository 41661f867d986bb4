//! Which functions and initialisers an edit touched, from the sources alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::visit::{self, Visit};

use crate::reach::function_of;
use crate::texts::{Text, Texts};

/// Names, each with the tokens of all that has it. Layout and comments are no part of the tokens.
type Named = BTreeMap<String, Vec<String>>;

/// The items of a file.
#[derive(Debug, Default)]
pub struct Items {
    /// Functions by a short path (`Room::handle`, `<Room as Handler>::handle`, `greet`).
    functions: Named,
    /// Initialisers of statics, by name.
    statics: Named,
    /// Values of constants, by name: whoever mentions one has it in its own code.
    constants: Named,
}

/// What an edit touched or added.
#[derive(Debug, Default)]
pub struct Edited {
    /// Functions by a short path.
    pub functions: BTreeSet<String>,
    /// Statics whose initialiser it was, by name.
    pub statics: BTreeSet<String>,
    /// Constants whose value it was, by name.
    pub constants: BTreeSet<String>,
}

/// The items of a source file.
pub fn items(file: &syn::File) -> Items {
    let mut collector = Collector::default();
    collector.visit_file(file);
    collector.items
}

/// The items of `new` that differ from `old` or are not in it.
pub fn edited(old: &Items, new: &Items) -> Edited {
    let differing = |old: &Named, new: &Named| {
        let differs = |(name, tokens): &(&String, &Vec<String>)| old.get(*name) != Some(*tokens);
        let names = new.iter().filter(differs).map(|(name, _)| name.clone());
        names.collect()
    };
    Edited {
        functions: differing(&old.functions, &new.functions),
        statics: differing(&old.statics, &new.statics),
        constants: differing(&old.constants, &new.constants),
    }
}

impl Items {
    /// Functions that mention one of these constants.
    fn mentioning(&self, constants: &BTreeSet<String>) -> impl Iterator<Item = &String> {
        let found = self
            .functions
            .iter()
            .filter(|(_, all)| mention(all, constants));
        found.map(|(name, _)| name)
    }
}

fn mention(all: &[String], names: &BTreeSet<String>) -> bool {
    let is_name = |character: char| character.is_alphanumeric() || character == '_';
    let mut words = all
        .iter()
        .flat_map(|text| text.split(|character| !is_name(character)));
    words.any(|word| names.contains(word))
}

/// The items of all source files as last compiled.
#[derive(Debug, Default)]
pub struct Sources(BTreeMap<PathBuf, Arc<Text>>);

impl Sources {
    /// Takes what these files said; the result is what changed since the last time.
    pub fn edited(&mut self, files: &BTreeMap<PathBuf, Vec<u8>>, texts: &Texts) -> Edited {
        let mut all = Edited::default();
        for (file, content) in files
            .iter()
            .filter(|(file, _)| file.extension().is_some_and(|ext| ext == "rs"))
        {
            let new = texts.of(content);
            if let Some(old) = self.0.get(file) {
                let Edited {
                    functions,
                    statics,
                    constants,
                } = edited(&old.items, &new.items);
                all.functions.extend(functions);
                all.statics.extend(statics);
                all.constants.extend(constants);
            }
            self.0.insert(file.clone(), new);
        }
        self.add_users(&mut all);
        all
    }

    /// Functions that mention one of these names.
    pub fn mentioning(&self, names: &BTreeSet<String>) -> BTreeSet<String> {
        if names.is_empty() {
            return BTreeSet::new();
        }
        let texts = self.0.values();
        let users = texts.flat_map(|text| text.items.mentioning(names));
        users.cloned().collect()
    }

    /// Constants that are made of edited ones, and functions that mention any: their text is what it
    /// was, their code is not.
    fn add_users(&self, edited: &mut Edited) {
        if edited.constants.is_empty() {
            return;
        }
        loop {
            let constants = self.0.values().flat_map(|text| &text.items.constants);
            let made = constants.filter(|(_, values)| mention(values, &edited.constants));
            let made: Vec<String> = made
                .map(|(name, _)| name)
                .filter(|name| !edited.constants.contains(*name))
                .cloned()
                .collect();
            if made.is_empty() {
                break;
            }
            edited.constants.extend(made);
        }
        let users = self.mentioning(&edited.constants);
        edited.functions.extend(users);
    }
}

/// The short path of a function by its canonical path in the symbol table, closures and async
/// bodies counted to the function they stand in.
pub fn short_path(canonical: &str) -> Option<String> {
    let (self_type, _, name) = parts(canonical)?;
    Some(match self_type {
        Some(self_type) => format!("{self_type}::{name}"),
        None => name,
    })
}

/// The name by which [`Edited`] has a function, by its canonical path.
pub fn edited_name(canonical: &str) -> Option<String> {
    let (self_type, of_trait, name) = parts(canonical)?;
    Some(item_name(self_type.as_deref(), of_trait.as_deref(), &name))
}

/// A type may have a method of its own and one of a trait under the same name.
fn item_name(self_type: Option<&str>, of_trait: Option<&str>, name: &str) -> String {
    match (self_type, of_trait) {
        (Some(self_type), Some(of_trait)) => format!("<{self_type} as {of_trait}>::{name}"),
        (Some(self_type), None) => format!("{self_type}::{name}"),
        (None, _) => name.to_owned(),
    }
}

/// Self type, trait and name in a function's canonical path, each without the path before it.
fn parts(canonical: &str) -> Option<(Option<String>, Option<String>, String)> {
    let function = function_of(canonical);
    let last = |path: &str| {
        let plain = path.split('<').next().unwrap_or(path);
        plain.rsplit("::").next().map(str::to_owned)
    };
    let Some(inner) = function.strip_prefix('<') else {
        return Some((None, None, function.rsplit("::").next()?.to_owned()));
    };
    // `<crate::Room as crate::Handler>::handle` or `<crate::Room>::handle`.
    let (qualified, rest) = inner.rsplit_once(">::")?;
    let (self_type, of_trait) = match qualified.split_once(" as ") {
        Some((self_type, of_trait)) => (self_type, last(of_trait)),
        None => (qualified, None),
    };
    let name = rest.rsplit("::").next()?.to_owned();
    Some((Some(last(self_type)?), of_trait, name))
}

#[derive(Default)]
struct Collector {
    items: Items,
    self_type: Option<String>,
    of_trait: Option<String>,
}

impl Collector {
    fn add(&mut self, signature: &syn::Signature, tokens: impl ToTokens) {
        let (self_type, of_trait) = (self.self_type.as_deref(), self.of_trait.as_deref());
        let path = item_name(self_type, of_trait, &signature.ident.to_string());
        let functions = self.items.functions.entry(path).or_default();
        functions.push(tokens.to_token_stream().to_string());
    }

    /// Adds what looks like a static in what a macro is given: `static NAME: T = value;`, as
    /// `thread_local!` and its like take it.
    fn add_statics(&mut self, tokens: TokenStream) {
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            let TokenTree::Ident(word) = token else {
                continue;
            };
            if word != "static" {
                continue;
            }
            let is_word = |token: &TokenTree| {
                let words = ["ref", "mut"];
                words.iter().any(|word| token.to_string() == *word)
            };
            let _ = tokens.next_if(is_word);
            let Some(TokenTree::Ident(name)) = tokens.next() else {
                continue;
            };
            let is = |token: &TokenTree, sign: char| matches!(token, TokenTree::Punct(found) if found.as_char() == sign);
            let rest: Vec<TokenTree> =
                std::iter::from_fn(|| tokens.next_if(|token| !is(token, ';'))).collect();
            let value = rest.iter().position(|token| is(token, '='));
            let value = rest[value.map_or(rest.len(), |at| at + 1)..]
                .iter()
                .cloned();
            let statics = self.items.statics.entry(name.to_string()).or_default();
            statics.push(value.collect::<TokenStream>().to_string());
        }
    }

    fn add_constant(&mut self, name: &syn::Ident, value: &syn::Expr) {
        // `const _: () = …` has no users.
        if name != "_" {
            let values = self.items.constants.entry(name.to_string()).or_default();
            values.push(value.to_token_stream().to_string());
        }
    }
}

impl<'ast> Visit<'ast> for Collector {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.add(&item.sig, item);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.add(&item.sig, item);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_item_static(&mut self, item: &'ast syn::ItemStatic) {
        let statics = self.items.statics.entry(item.ident.to_string());
        let initialiser = item.expr.to_token_stream().to_string();
        statics.or_default().push(initialiser);
        visit::visit_item_static(self, item);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        self.add_statics(item.tokens.clone());
        visit::visit_macro(self, item);
    }

    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        self.add_constant(&item.ident, &item.expr);
        visit::visit_item_const(self, item);
    }

    fn visit_impl_item_const(&mut self, item: &'ast syn::ImplItemConst) {
        self.add_constant(&item.ident, &item.expr);
        visit::visit_impl_item_const(self, item);
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        let last = |path: &syn::Path| path.segments.last().map(|part| part.ident.to_string());
        let self_type = match &*item.self_ty {
            syn::Type::Path(path) => last(&path.path),
            _ => None,
        };
        let of_trait = item.trait_.as_ref().and_then(|(path, _)| last(path));
        let outer = (
            std::mem::replace(&mut self.self_type, self_type),
            std::mem::replace(&mut self.of_trait, of_trait),
        );
        visit::visit_item_impl(self, item);
        (self.self_type, self.of_trait) = outer;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Items, Sources, edited, edited_name, short_path};
    use crate::texts::Texts;

    fn items(source: &str) -> Items {
        syn::parse_file(source).map_or_else(|_| Items::default(), |file| super::items(&file))
    }

    #[test]
    fn finds_what_was_edited() {
        let old = "fn a() { 1 } mod m { impl Room { fn b(&self) {} } } fn c() {}";
        let table = [
            (
                "fn a() { 2 } mod m { impl Room { fn b(&self) {} } } fn c() {}",
                "a",
            ),
            (
                "// words\nfn a() {\n 1 }\nmod m { impl Room { fn b(&self) {} } } fn c() {}",
                "",
            ),
            (
                "fn a() { 1 } mod m { impl Room { fn b(&self) { 3 } fn d() {} } }",
                "Room::b Room::d",
            ),
            ("does not parse", ""),
        ];
        for (new, expected) in table {
            let found = edited(&items(old), &items(new)).functions;
            let found: Vec<_> = found.into_iter().collect();
            assert_eq!(found.join(" "), expected, "{new}");
        }
    }

    #[test]
    fn finds_edited_initialisers() {
        let old = "static A: L<u8> = L::new(|| 1); fn f() { static B: u8 = 1; }";
        for (new, expected) in [
            ("/** It. */ pub static A: L<i8> = L::new(|| 1);", ""),
            ("static A: L<u8> = L::new(|| 2);", "A"),
            ("fn f() { static B: u8 = 2; } static C: u8 = 1;", "B C"),
            (
                "thread_local! { pub static A: C<u8> = const { C::new(1) }; static B: u8 = 2 }",
                "A B",
            ),
        ] {
            let found = edited(&items(old), &items(new)).statics;
            let found: Vec<_> = found.into_iter().collect();
            assert_eq!(found.join(" "), expected, "{new}");
        }
    }

    #[test]
    fn finds_initialisers_in_macros() {
        let of = |first: u8, second: u8| {
            let first = format!("/** It. */ static ref A: L<u8> = L::new(|| {first});");
            format!("m! {{ {first} pub static mut B: C = {second} }}")
        };
        for (new, expected) in [(of(1, 1), ""), (of(2, 1), "A"), (of(1, 2), "B")] {
            let found = edited(&items(&of(1, 1)), &items(&new)).statics;
            let found: Vec<_> = found.into_iter().collect();
            assert_eq!(found.join(" "), expected, "{new}");
        }
    }

    #[test]
    fn finds_who_has_an_edited_constant_in_its_code() {
        let common =
            "const B: u8 = A + 1; const C: u8 = 3; impl T { const D: u8 = 1; fn own() { Self::D } }
            fn a() { x(A) } fn b() { y!(m::B) } fn c() { C } fn other() { A1 + BA }";
        let (mut sources, texts) = (Sources::default(), Texts::default());
        for (text, expected) in [
            ("const A: u8 = 1;".to_owned() + common, ""),
            ("const A: u8 = 2;".to_owned() + common, "a b"),
            ("/** It. */ pub const A: u8 = 2;".to_owned() + common, ""),
            (
                "const A: u8 = 2;".to_owned() + &common.replace("D: u8 = 1", "D: u8 = 2"),
                "T::own",
            ),
        ] {
            let files = BTreeMap::from([("a.rs".into(), text.clone().into_bytes())]);
            let found: Vec<String> = sources
                .edited(&files, &texts)
                .functions
                .into_iter()
                .collect();
            assert_eq!(found.join(" "), expected, "{text}");
        }
    }

    #[test]
    fn tells_methods_of_traits_from_a_types_own() {
        let code = |own: u8, other: u8| {
            format!(
                "impl m::A<u8> {{ fn f() {{ {own} }} }} impl n::T<u8> for A<u8> {{ fn f() {{ {other} }} }}"
            )
        };
        for (new, canonical) in [
            (code(2, 1), "<app::m::A<u8>>::f"),
            (
                code(1, 2),
                "<app::m::A<u8> as app::n::T<u8>>::f::{closure#0}",
            ),
        ] {
            let found = edited(&items(&code(1, 1)), &items(&new)).functions;
            let found: Vec<String> = found.into_iter().collect();
            assert_eq!(found, [edited_name(canonical).unwrap()], "{new}");
        }
    }

    #[test]
    fn shortens_canonical_paths() {
        for (canonical, short) in [
            ("app::main", "main"),
            ("app::m::greet::{closure#0}", "greet"),
            ("<app::Room>::say", "Room::say"),
            ("app::greet::<u8>", "greet"),
            ("core::fold::<u8, app::greet::{closure#0}>", "fold"),
            ("<app::f::{closure#0}::Room>::say::<u8>", "Room::say"),
            (
                "<app::m::Room<u32> as app::Handler>::handle::{closure#1}",
                "Room::handle",
            ),
        ] {
            assert_eq!(short_path(canonical).as_deref(), Some(short));
        }
    }
}
