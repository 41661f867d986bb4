//! The `repr` of each type in the sources, from version to version: debug information has none.
//!
//! Types are told by their names alone, so that one that moves keeps its history. Two of one name
//! count as changed once their list changes and not all of it is alike. What macros expand to is not
//! seen, be it a type or a `repr`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hotswap_layout::ReprChange;
use quote::ToTokens;
use syn::ext::IdentExt as _;
use syn::visit::{self, Visit};

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
    pub fn read(&mut self, sources: BTreeSet<&Path>, edited: &BTreeSet<PathBuf>) {
        self.files
            .retain(|file, _| sources.contains(file.as_path()));
        for file in sources {
            if file.extension().is_none_or(|ext| ext != "rs") {
                continue;
            }
            if edited.contains(file) || !self.files.contains_key(file) {
                let source = std::fs::read_to_string(file).unwrap_or_default();
                self.files.insert(file.to_owned(), types(&source));
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
        for (name, version) in self.newest() {
            self.known.entry(name).or_default().insert(version);
        }
    }

    /// The types of the newest sources that had another `repr` in any version that was live.
    pub fn changes(&self) -> Vec<ReprChange> {
        let changed = self.newest().into_iter().filter_map(|(name, newest)| {
            let known = self.known.get(&name)?;
            let others = known.iter().filter(|version| **version != newest);
            let others: BTreeSet<&str> = others.flatten().map(String::as_str).collect();
            let all: BTreeSet<&str> = newest.iter().map(String::as_str).collect();
            if others.is_empty() || others.union(&all).count() < 2 {
                return None;
            }
            let (old, new) = (text(&others), text(&all));
            Some(ReprChange { name, old, new })
        });
        changed.collect()
    }

    fn newest(&self) -> BTreeMap<String, Version> {
        let mut newest: BTreeMap<String, Version> = BTreeMap::new();
        for (name, repr) in self.files.values().flat_map(|types| types.iter()) {
            newest.entry(name.clone()).or_default().push(repr.clone());
        }
        newest
    }
}

fn text(reprs: &BTreeSet<&str>) -> String {
    let quoted = reprs.iter().map(|repr| match *repr {
        "" => "none".to_owned(),
        repr => format!("`{repr}`"),
    });
    quoted.collect::<Vec<_>>().join(" or ")
}

/// The types of a source file; none if it does not parse.
fn types(source: &str) -> Arc<Types> {
    let mut collector = Collector::default();
    if let Ok(file) = syn::parse_file(source) {
        collector.visit_file(&file);
    }
    Arc::new(collector.0)
}

#[derive(Default)]
struct Collector(Types);

impl Collector {
    fn add(&mut self, name: &syn::Ident, attributes: &[syn::Attribute]) {
        let of_repr = attributes.iter().filter_map(|attribute| {
            let text = attribute.meta.to_token_stream().to_string();
            let path = attribute.path();
            let is_repr = path.is_ident("repr")
                || (path.is_ident("cfg_attr")
                    && text.split_whitespace().any(|word| word == "repr"));
            is_repr.then(|| text.replace(' ', ""))
        });
        let repr = of_repr.collect::<Vec<_>>().join(" ");
        self.0.push((name.unraw().to_string(), repr));
    }
}

impl<'ast> Visit<'ast> for Collector {
    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.add(&item.ident, &item.attrs);
        visit::visit_item_struct(self, item);
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.add(&item.ident, &item.attrs);
        visit::visit_item_enum(self, item);
    }

    fn visit_item_union(&mut self, item: &'ast syn::ItemUnion) {
        self.add(&item.ident, &item.attrs);
        visit::visit_item_union(self, item);
    }
}

#[cfg(test)]
mod tests {
    use super::{Reprs, types};

    /// The changes of the last version against all others, which were live.
    fn changes(versions: &[&str]) -> String {
        let mut reprs = Reprs::default();
        let (newest, live) = versions.split_last().expect("there is a version");
        for version in live {
            reprs.files.insert("main.rs".into(), types(version));
            reprs.went_live();
        }
        reprs.files.insert("main.rs".into(), types(newest));
        let changes = reprs.changes().into_iter();
        let changes =
            changes.map(|change| format!("{}: {}, now {}", change.name, change.old, change.new));
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
        ];
        for (versions, expected) in table {
            assert_eq!(changes(versions), *expected, "{versions:?}");
        }
    }

    #[test]
    fn reads_what_is_edited_or_new() {
        let folder = tempfile::tempdir().expect("a folder");
        let [a, b] = ["a.rs", "b.rs"].map(|name| folder.path().join(name));
        std::fs::write(&a, "struct A;").expect("written");
        let mut reprs = Reprs::default();
        reprs.read([a.as_path()].into(), &[].into());
        reprs.went_live();
        std::fs::write(&a, "").expect("written");
        std::fs::write(&b, "#[repr(C)] struct A;").expect("written");
        // Moved from one file to another.
        reprs.read([a.as_path(), b.as_path()].into(), &[a.clone()].into());
        assert_eq!(reprs.changes().len(), 1);
        reprs.read([a.as_path()].into(), &[].into());
        assert_eq!(reprs.changes().len(), 0);
    }
}
