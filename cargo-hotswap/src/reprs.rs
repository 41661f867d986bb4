//! The `repr` of each type in the sources, from version to version: debug information has none.
//!
//! Types are told by their names alone, so that one that moves keeps its history. Two of one name
//! count as changed once their list changes and not all of it is alike. What is read are the tokens,
//! so that a type is seen where it is an argument of a macro, or stands in one that names it by a
//! variable; all types of the latter kind are one. What procedural macros make is not seen.

use std::collections::{BTreeMap, BTreeSet};
use std::iter::Peekable;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hotswap_layout::{ReprChange, Subject};
use proc_macro2::{Delimiter, Group, TokenStream, TokenTree, token_stream};
use syn::ext::IdentExt as _;

use crate::texts::Texts;

/// The name of all types that have a macro's variable for a name, or one that a macro puts together.
const MADE: &str = "$";

/// The types of a file in their order: name and `repr`, which is empty where there is none.
pub type Types = Vec<(String, String)>;

/// The `repr`s of all types of one name in one version.
type Version = Vec<String>;

/// The types of the newest sources, by file.
pub type Newest = BTreeMap<PathBuf, Arc<Types>>;

/// Remembers every `repr` that a type had in a version that was live.
#[derive(Debug, Default)]
pub struct Reprs {
    files: Newest,
    known: BTreeMap<String, BTreeSet<Version>>,
}

impl Reprs {
    /// Takes these files as the newest sources; reads those that are edited or not known yet.
    pub fn read(&mut self, sources: BTreeSet<&Path>, edited: &BTreeSet<PathBuf>, texts: &Texts) {
        self.files
            .retain(|file, _| sources.contains(file.as_path()));
        for file in sources {
            if edited.contains(file) || !self.files.contains_key(file) {
                self.files
                    .insert(file.to_owned(), Arc::clone(&texts.of_file(file).types));
            }
        }
    }

    /// The types of what counts as the newest sources.
    pub fn newest_files(&self) -> Newest {
        self.files.clone()
    }

    /// Takes others for the newest sources; the result is what was before.
    pub fn exchange(&mut self, newest: Newest) -> Newest {
        std::mem::replace(&mut self.files, newest)
    }

    /// Records that the newest sources are live.
    pub fn went_live(&mut self) {
        let newest = newest(&self.files);
        for (name, version) in newest {
            let is_known = |known: &BTreeSet<Version>| known.iter().any(|one| same(one, &version));
            if !self.known.get(name).is_some_and(is_known) {
                let version = version.into_iter().map(str::to_owned).collect();
                self.known
                    .entry(name.to_owned())
                    .or_default()
                    .insert(version);
            }
        }
    }

    /// The types of the newest sources that had another `repr` in any version that was live.
    pub fn changes(&self) -> Vec<ReprChange> {
        let newest = newest(&self.files);
        let changed = newest.iter().filter_map(|(&name, reprs)| {
            let known = self.known.get(name)?;
            let others = known.iter().filter(|version| !same(version, reprs));
            let others: BTreeSet<&str> = others.flatten().map(String::as_str).collect();
            let all: BTreeSet<&str> = reprs.iter().copied().collect();
            if others.is_empty() || others.union(&all).count() < 2 {
                return None;
            }
            let of = match name {
                MADE => Subject::Unnamed {
                    named: self
                        .known
                        .keys()
                        .map(String::as_str)
                        .chain(newest.keys().copied())
                        .map(str::to_owned)
                        .collect(),
                },
                _ => Subject::Named(name.to_owned()),
            };
            let (old, new) = (text(&others), text(&all));
            Some(ReprChange { of, old, new })
        });
        changed.collect()
    }
}

/// The `repr`s of all types in these files, by name.
fn newest(files: &Newest) -> BTreeMap<&str, Vec<&str>> {
    let mut newest: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, repr) in files.values().flat_map(|types| types.iter()) {
        newest.entry(name).or_default().push(repr);
    }
    newest
}

fn same(version: &Version, other: &[&str]) -> bool {
    version.iter().eq(other)
}

fn text(reprs: &BTreeSet<&str>) -> String {
    let quoted = reprs.iter().map(|repr| match *repr {
        "" => "none".to_owned(),
        repr => format!("`{repr}`"),
    });
    quoted.collect::<Vec<_>>().join(" or ")
}

/// The types in a source file's tokens.
pub fn types(tokens: TokenStream) -> Types {
    let mut types = Types::new();
    collect(tokens, &mut types);
    types
}

/// Finds `#[repr(…)] pub struct Name` and its like at every depth.
fn collect(tokens: TokenStream, types: &mut Types) {
    let mut reprs = Vec::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '#' => {
                if let Some(group) = bracketed(&mut tokens) {
                    reprs.extend(repr(&group));
                }
            }
            TokenTree::Punct(punct) if punct.as_char() == ';' => reprs.clear(),
            TokenTree::Ident(word) if word == "struct" || word == "enum" || word == "union" => {
                if let Some(name) = type_name(&mut tokens) {
                    types.push((name, reprs.join(" ")));
                }
                reprs.clear();
            }
            TokenTree::Group(group) => {
                if group.delimiter() == Delimiter::Brace {
                    reprs.clear();
                }
                collect(group.stream(), types);
            }
            _ => {}
        }
    }
}

type Tokens = Peekable<token_stream::IntoIter>;

/// The rest of an attribute.
fn bracketed(tokens: &mut Tokens) -> Option<Group> {
    let group = tokens.next_if(
        |token| matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket),
    )?;
    match group {
        TokenTree::Group(group) => Some(group),
        _ => None,
    }
}

/// An attribute's text, if a `repr` is in it.
fn repr(attribute: &Group) -> Option<String> {
    let text = attribute.stream().to_string();
    let first = text.split([' ', '(']).next().unwrap_or_default();
    let words = || text.split(|part: char| !part.is_alphanumeric() && part != '_');
    let is_repr = first == "repr"
        || (matches!(first, "cfg_attr" | "unsafe") && words().any(|word| word == "repr"));
    is_repr.then(|| text.split_whitespace().collect())
}

/// What follows `struct`, if that is a name.
fn type_name(tokens: &mut Tokens) -> Option<String> {
    match tokens.peek()? {
        TokenTree::Ident(name) => Some(name.unraw().to_string()),
        TokenTree::Punct(punct) if punct.as_char() == '$' => Some(MADE.to_owned()),
        // As macros that put names together have it.
        TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket => Some(MADE.to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use hotswap_layout::Subject;

    use super::{Arc, Reprs, Types};
    use crate::texts::Texts;

    fn text(source: &str) -> Arc<Types> {
        Arc::clone(&Texts::default().of(source.as_bytes()).types)
    }

    /// The changes of the last version against all others, which were live.
    fn changes(versions: &[&str]) -> String {
        let mut reprs = Reprs::default();
        let (newest, live) = versions.split_last().expect("there is a version");
        for version in live {
            reprs.files.insert("main.rs".into(), text(version));
            reprs.went_live();
        }
        reprs.files.insert("main.rs".into(), text(newest));
        let changes = reprs.changes().into_iter();
        let changes = changes.map(|change| {
            let of = match change.of {
                Subject::Unnamed { named } => format!("all but {named:?}"),
                Subject::Named(name) => name,
                other => panic!("{other:?}"),
            };
            format!("{of}: {}, now {}", change.old, change.new)
        });
        changes.collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn tells_what_changed() {
        let two = "#[repr(C)] struct M(f64); mod m { struct M(u8); }";
        let table: &[(&[&str], &str)] = &[
            (&["struct M(f64);", "struct M(f32);"], ""),
            (
                &[
                    "struct M(f64);",
                    "#[derive(Clone)] /** It. */ struct M(f64);",
                ],
                "",
            ),
            (
                &["struct M(f64);", "#[repr(C)] struct M(f64);"],
                "M: none, now `repr(C)`",
            ),
            (
                &["#[repr(C)] enum M {}", "#[repr( transparent )] enum M {}"],
                "M: `repr(C)`, now `repr(transparent)`",
            ),
            (
                &["#[repr(C)] union M { a: u8 }", "union M { a: u8 }"],
                "M: `repr(C)`, now none",
            ),
            (
                &[
                    "fn f() { struct M(f64); }",
                    "fn f() { #[repr(C)] struct M(f64); }",
                ],
                "M: none, now `repr(C)`",
            ),
            (
                &[
                    "struct M(f64);",
                    "#[cfg_attr(all(), repr(C))] struct M(f64);",
                ],
                "M: none, now `cfg_attr(all(),repr(C))`",
            ),
            // Absent for a while, and back with another or with the same.
            (
                &["struct M(f64);", "", "#[repr(C)] struct M(f64);"],
                "M: none, now `repr(C)`",
            ),
            (&["struct M(f64);", "", "struct M(f64);"], ""),
            // Back to the host's, while what the middle one made is still alive.
            (
                &[
                    "struct M(f64);",
                    "#[repr(C)] struct M(f64);",
                    "struct M(f64);",
                ],
                "M: `repr(C)`, now none",
            ),
            (
                &["struct r#M(f64);", "#[repr(C)] struct M(f64);"],
                "M: none, now `repr(C)`",
            ),
            // Two of one name.
            (&[two, two], ""),
            (
                &[two, "struct M(f64); mod m { #[repr(C)] struct M(u8); }"],
                "M: none or `repr(C)`, now none or `repr(C)`",
            ),
            (
                &["struct M(f64);", "struct M(f64); mod m { struct M(u8); }"],
                "",
            ),
            (&["#[repr(C)] struct M(f64);", "struct N(f64);"], ""),
            // In macros.
            (
                &[
                    "made! { pub struct M(f64); }",
                    "made! { #[repr(C)] /** It. */ pub(crate) struct M(f64); }",
                ],
                "M: none, now `repr(C)`",
            ),
            (
                &[
                    "macro_rules! made { ($(#[$m:meta])* $v:vis $n:ident) => { $(#[$m])* $v struct $n(f64); } } made!(M);",
                    "macro_rules! made { ($(#[$m:meta])* $v:vis $n:ident) => { #[repr(C)] $(#[$m])* $v struct $n(f64); } } struct N;",
                ],
                "all but {\"$\", \"N\"}: none, now `repr(C)`",
            ),
            (
                &[
                    "paste! { struct [<M $n>]; }",
                    "paste! { #[repr(C)] struct [<M $n>]; }",
                ],
                "all but {\"$\"}: none, now `repr(C)`",
            ),
            // What is no type, and no Rust that `syn` would take.
            (
                &[
                    "#!/usr/bin/env cargo\n fn f(union: M) { union.x = f::<{ 1 }>; }",
                    "#!/usr/bin/env cargo\n ~ #[repr(C)] struct M;",
                    "#![repr_of_nothing]\n ~ #[repr(u8)] struct M;",
                ],
                "M: `repr(C)`, now `repr(u8)`",
            ),
        ];
        for (versions, expected) in table {
            assert_eq!(changes(versions), *expected, "{versions:?}");
        }
    }

    #[test]
    fn reads_what_is_edited_or_new() {
        let folder = tempfile::tempdir().expect("a folder");
        let [a, b, c] = ["a.rs", "b.rs", "c.in"].map(|name| folder.path().join(name));
        std::fs::write(&a, "struct A;").expect("written");
        let (mut reprs, texts) = (Reprs::default(), Texts::default());
        reprs.read([a.as_path()].into(), &[].into(), &texts);
        reprs.went_live();
        std::fs::write(&a, "").expect("written");
        std::fs::write(&b, "#[repr(C)] struct A;").expect("written");
        // Moved from one file to another.
        reprs.read(
            [a.as_path(), b.as_path()].into(),
            &[a.clone()].into(),
            &texts,
        );
        assert_eq!(reprs.changes().len(), 1);
        // What is included has other names, and is no text at times.
        std::fs::write(&c, "#[repr(C)] struct A;").expect("written");
        reprs.read([c.as_path()].into(), &[].into(), &texts);
        assert_eq!(reprs.changes().len(), 1);
        std::fs::write(&c, [255]).expect("written");
        reprs.read([c.as_path()].into(), &[c.clone()].into(), &texts);
        assert_eq!(reprs.changes().len(), 0);
        reprs.read([a.as_path()].into(), &[].into(), &texts);
        assert_eq!(reprs.changes().len(), 0);
    }
}
