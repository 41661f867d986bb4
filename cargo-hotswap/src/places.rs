//! Where an item stands in the sources, by its path in debug information or in the symbol table.
//!
//! An item is named only if there is no doubt: one of that name in its crate, or one whose modules
//! are those of the path. What a macro makes has no place of its own.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::visit::{self, Visit};

use crate::events::Place;

/// The end of the path of a value that `thread_local!` makes.
const THREAD_LOCAL_VALUE: &str = "::__RUST_STD_INTERNAL_VAL";

/// An item and the modules, types and functions around it.
#[derive(Debug, PartialEq, Eq)]
struct Item {
    path: Vec<String>,
    place: Place,
}

/// The place of the type, trait, static or function with this path. `sources` are the files of a
/// crate by its name; only files that contain the item's name are read as Rust.
pub fn find<'a>(path: &str, sources: impl Fn(&str) -> BTreeSet<&'a Path>) -> Option<Place> {
    let wanted = segments(path);
    let (krate, inside) = wanted.split_first()?;
    let name = inside.last()?;
    let mut items = Vec::new();
    for file in sources(krate) {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        if text.contains(name.as_str()) {
            items.extend(items_of(file, &text));
        }
    }
    choose(inside, items)
}

fn choose(path: &[String], mut items: Vec<Item>) -> Option<Place> {
    items.retain(|item| item.path.last() == path.last());
    if items.len() > 1 {
        items.retain(|item| item.path == path);
    }
    let mut items = items.into_iter();
    items
        .next()
        .filter(|_| items.next().is_none())
        .map(|item| item.place)
}

/// A static's path as it is written in the source: `thread_local!` puts the value that it makes
/// below the name that it is given.
pub fn as_written(path: &str) -> &str {
    let Some(owner) = path.strip_suffix(THREAD_LOCAL_VALUE) else {
        return path;
    };
    let constant = owner.rfind("::{K#").or_else(|| owner.rfind("::{constant#"));
    &owner[..constant.unwrap_or(owner.len())]
}

/// The names in a path: `<app::Room<u8> as app::Talk>::say::COUNT` is app, Room, say, COUNT.
fn segments(path: &str) -> Vec<String> {
    let path = as_written(path);
    let mut segments = vec![String::new()];
    let (mut depth, mut qualified) = (0_usize, false);
    let text = path.trim_start_matches("dyn ");
    // The self type of a qualified path stands for the whole of it.
    let text = match text.strip_prefix('<') {
        Some(text) => {
            qualified = true;
            text
        }
        None => text,
    };
    let mut characters = text.chars().peekable();
    let mut skipped = false;
    while let Some(character) = characters.next() {
        match character {
            '<' | '(' | '[' => depth += 1,
            '>' if depth == 0 && qualified => (qualified, skipped) = (false, false),
            '>' | ')' | ']' => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            ' ' => skipped = true,
            ':' if characters.peek() == Some(&':') && !skipped => {
                characters.next();
                segments.push(String::new());
            }
            _ if skipped => {}
            other => segments.last_mut().expect("never empty").push(other),
        }
    }
    segments.retain(|segment| !segment.is_empty() && !segment.starts_with('{'));
    segments
}

fn items_of(file: &Path, text: &str) -> Vec<Item> {
    let mut collector = Collector {
        file,
        around: modules(file),
        items: Vec::new(),
    };
    if let Ok(parsed) = syn::parse_file(text) {
        collector.visit_file(&parsed);
    }
    collector.items
}

/// The modules that a file's place below `src` stands for.
fn modules(file: &Path) -> Vec<String> {
    let components: Vec<_> = file.iter().collect();
    let below = components.iter().rposition(|part| *part == "src");
    let below = below.map_or(components.len().saturating_sub(1), |at| at + 1);
    let parts: PathBuf = components[below..].iter().collect();
    let parts = parts.with_extension("");
    let names = parts.iter().map(|part| part.to_string_lossy().into_owned());
    names
        .filter(|name| !["main", "lib", "mod"].contains(&name.as_str()))
        .collect()
}

struct Collector<'a> {
    file: &'a Path,
    around: Vec<String>,
    items: Vec<Item>,
}

impl Collector<'_> {
    fn add(&mut self, name: &syn::Ident) {
        let mut path = self.around.clone();
        path.push(plain(name));
        let place = self.place(name.span());
        self.items.push(Item { path, place });
    }

    fn place(&self, span: Span) -> Place {
        let start = span.start();
        Place {
            file: self.file.to_owned(),
            line: start.line,
            column: start.column + 1,
        }
    }

    fn within(&mut self, name: String, visit: impl FnOnce(&mut Self)) {
        self.around.push(name);
        visit(self);
        self.around.pop();
    }

    /// Statics in the arguments of a macro such as `thread_local!`.
    fn statics_in(&mut self, tokens: TokenStream) {
        let mut after_static = false;
        for token in tokens {
            match token {
                TokenTree::Ident(word) if after_static && word != "mut" => {
                    self.add(&word);
                    after_static = false;
                }
                TokenTree::Ident(word) => after_static = word == "static" || word == "mut",
                TokenTree::Group(group) => {
                    after_static = false;
                    self.statics_in(group.stream());
                }
                _ => after_static = false,
            }
        }
    }
}

fn plain(name: &syn::Ident) -> String {
    use syn::ext::IdentExt as _;
    name.unraw().to_string()
}

impl<'ast> Visit<'ast> for Collector<'_> {
    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.add(&item.ident);
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.add(&item.ident);
    }

    fn visit_item_union(&mut self, item: &'ast syn::ItemUnion) {
        self.add(&item.ident);
    }

    fn visit_item_static(&mut self, item: &'ast syn::ItemStatic) {
        self.add(&item.ident);
        visit::visit_item_static(self, item);
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.add(&item.ident);
        self.within(plain(&item.ident), |this| {
            visit::visit_item_trait(this, item)
        });
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.within(plain(&item.ident), |this| visit::visit_item_mod(this, item));
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.add(&item.sig.ident);
        self.within(plain(&item.sig.ident), |this| {
            visit::visit_item_fn(this, item)
        });
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.add(&item.sig.ident);
        self.within(plain(&item.sig.ident), |this| {
            visit::visit_impl_item_fn(this, item)
        });
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        let name = match &*item.self_ty {
            syn::Type::Path(path) => path.path.segments.last().map(|last| plain(&last.ident)),
            _ => None,
        };
        match name {
            Some(name) => self.within(name, |this| visit::visit_item_impl(this, item)),
            None => visit::visit_item_impl(self, item),
        }
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        self.statics_in(item.tokens.clone());
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{as_written, choose, items_of, segments};

    #[test]
    fn paths_have_names() {
        for (path, names) in [
            ("app::World", "app World"),
            ("app::grid::Grid<app::Cell, 4>", "app grid Grid"),
            ("dyn app::Speak", "app Speak"),
            ("app::main::COUNT", "app main COUNT"),
            ("<app::Room<u8>>::say::COUNT", "app Room say COUNT"),
            (
                "<app::m::Room as app::Talk<u8>>::say::COUNT",
                "app m Room say COUNT",
            ),
            ("app::f::{closure#0}::COUNT", "app f COUNT"),
            (
                "app::CELL::{constant#0}::{closure#1}::__RUST_STD_INTERNAL_VAL",
                "app CELL",
            ),
            ("app::m::{impl#0}::say::COUNT", "app m say COUNT"),
        ] {
            assert_eq!(segments(path).join(" "), names, "{path}");
        }
    }

    #[test]
    fn thread_locals_have_the_names_they_were_given() {
        for (path, written) in [
            ("app::COUNT", "app::COUNT"),
            (
                "app::CELL::{K#0}::{closure#1}::__RUST_STD_INTERNAL_VAL",
                "app::CELL",
            ),
            (
                "app::f::{closure#2}::CELL::{constant#0}::{closure#0}::__RUST_STD_INTERNAL_VAL",
                "app::f::{closure#2}::CELL",
            ),
        ] {
            assert_eq!(as_written(path), written);
        }
    }

    #[test]
    fn an_item_is_found_where_there_is_no_doubt() {
        let files = [
            (
                "/w/src/main.rs",
                "mod room;\nstruct World;\nstatic COUNT: u8 = 0;\n\
                 fn main() { static COUNT: u8 = 1; }\n\
                 impl World { fn say() { static SAID: u8 = 0; } }\n\
                 mod inner { pub struct Room; }\n\
                 make!(World);\n\
                 thread_local! { static CELL: u8 = 1; pub static OTHER: u8 = const { 2 } }\n",
            ),
            (
                "/w/src/room.rs",
                "pub enum Room {}\npub trait Talk { fn say(); }\nimpl World { fn say() { static SAID: u8 = 0; } }\n",
            ),
        ];
        for (path, expected) in [
            ("app::World", "main.rs:2:8"),
            ("app::COUNT", "main.rs:3:8"),
            ("app::main::COUNT", "main.rs:4:20"),
            // As the symbol table tells them apart: by the module of the block.
            ("<app::World>::say::SAID", "main.rs:5:32"),
            ("app::inner::Room", "main.rs:6:24"),
            ("app::room::Room", "room.rs:1:10"),
            (
                "app::CELL::{constant#0}::__RUST_STD_INTERNAL_VAL",
                "main.rs:8:24",
            ),
            ("app::OTHER", "main.rs:8:49"),
            ("dyn app::room::Talk", "room.rs:2:11"),
            // Moved by a `use`, but there is only one.
            ("app::elsewhere::Talk", "room.rs:2:11"),
            ("app::elsewhere::Room", "none"),
            ("app::Absent", "none"),
        ] {
            let items = files
                .iter()
                .flat_map(|(file, text)| items_of(Path::new(file), text));
            let found = choose(&segments(path)[1..], items.collect());
            let found = found.map(|place| {
                let name = place.file.file_name().unwrap_or_default().to_string_lossy();
                format!("{name}:{}:{}", place.line, place.column)
            });
            assert_eq!(found.unwrap_or("none".to_owned()), expected, "{path}");
        }
    }
}
