//! The source files of a package: what its targets' roots lead to through `mod`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use cargo_metadata::{Metadata, Package, TargetKind};
use syn::{Attribute, Item, ItemMod};

use super::macros;
use crate::selection::Selection;

/// A parsed file.
pub struct SourceFile {
    /// Where it lies.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
    /// How many bytes of it precede what the parser saw: a byte order mark, a line for a shell.
    pub skipped: usize,
    /// What it says, macro calls replaced by what could be read of them.
    pub syntax: syn::File,
    /// The module that it is, with the crate's name first.
    pub module: Vec<String>,
}

/// The files of a package.
#[derive(Default)]
pub struct Sources {
    /// The files, each once.
    pub files: Vec<SourceFile>,
    /// What could not be read, in words.
    pub unread: Vec<String>,
    seen: BTreeSet<PathBuf>,
}

/// How many functions are marked in these files.
pub fn entries(sources: &Sources) -> usize {
    let code = super::functions::Code::read(&sources.files);
    code.functions
        .iter()
        .filter(|function| function.marked)
        .count()
}

/// The package that the user means: the one named, the one in this folder, or the only one.
///
/// # Errors
///
/// There is none, or there are several.
pub fn choose_package<'a>(metadata: &'a Metadata, selection: &Selection) -> Result<&'a Package> {
    let members = metadata.workspace_packages();
    if let Some(spec) = &selection.package {
        let named = members.iter().find(|package| *package.name == *spec);
        return named
            .copied()
            .with_context(|| format!("no package `{spec}` in this workspace; {}", list(&members)));
    }
    let root = metadata.root_package();
    match (root, members.as_slice()) {
        (Some(package), _) => Ok(package),
        (None, [one]) => Ok(one),
        (None, many) => bail!(
            "several packages are here, choose one with `--package`; {}",
            list(many)
        ),
    }
}

fn list(packages: &[&Package]) -> String {
    let names: Vec<&str> = packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    format!("packages: {}", names.join(", "))
}

impl Sources {
    /// Reads the files of a package's libraries, executables and examples.
    pub fn of_package(package: &Package) -> Self {
        let mut sources = Self::default();
        for target in &package.targets {
            let runs = |kind: &TargetKind| {
                !matches!(
                    kind,
                    TargetKind::Test
                        | TargetKind::Bench
                        | TargetKind::CustomBuild
                        | TargetKind::ProcMacro
                )
            };
            if target.kind.iter().all(runs) {
                let name = target.name.replace('-', "_");
                sources.read(target.src_path.as_std_path(), vec![name], true);
            }
        }
        sources
    }

    /// Reads a file and the modules that it names. The root of a crate, a `mod.rs` and a file with
    /// a path of its own keep their modules beside them, others in a folder of their name.
    fn read(&mut self, path: &Path, module: Vec<String>, beside: bool) {
        if !self.seen.insert(path.to_owned()) {
            return;
        }
        let read = std::fs::read_to_string(path)
            .map_err(anyhow::Error::from)
            .and_then(|text| Ok((syn::parse_file(&text)?, text)));
        let (mut syntax, text) = match read {
            Ok(read) => read,
            Err(error) => {
                self.unread.push(format!("{}: {error}", path.display()));
                return;
            }
        };
        let folder = path.parent().unwrap_or(Path::new("."));
        let folder = match beside {
            true => folder.to_owned(),
            false => folder.join(path.file_stem().unwrap_or_default()),
        };
        let mut modules = Vec::new();
        named_modules(
            &syntax.items,
            &folder,
            folder_of(path),
            &module,
            &mut modules,
        );
        macros::open(&mut syntax);
        self.files.push(SourceFile {
            path: path.to_owned(),
            skipped: skipped(&text),
            text,
            syntax,
            module,
        });
        for Named { files, module } in modules {
            // A module that is there under some `cfg` only may have no file.
            if let Some((file, beside)) = files.into_iter().find(|(file, _)| file.is_file()) {
                self.read(&file, module, beside);
            }
        }
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}

/// What `syn::parse_file` leaves out before it counts positions.
fn skipped(text: &str) -> usize {
    let rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mark = text.len() - rest.len();
    // A line for a shell, and no inner attribute.
    let for_shell = rest
        .strip_prefix("#!")
        .filter(|line| !line.trim_start().starts_with('['));
    match for_shell {
        Some(_) => mark + rest.find('\n').unwrap_or(rest.len()),
        None => mark,
    }
}

/// A module whose text is in a file of its own.
struct Named {
    /// Where the file can be, and whether its own modules would be beside it.
    files: Vec<(PathBuf, bool)>,
    module: Vec<String>,
}

fn named_modules(
    items: &[Item],
    folder: &Path,
    file_folder: &Path,
    module: &[String],
    found: &mut Vec<Named>,
) {
    for item in items {
        let Item::Mod(item) = item else { continue };
        if is_test(&item.attrs) {
            continue;
        }
        let name = item.ident.to_string();
        let name = name.strip_prefix("r#").unwrap_or(&name);
        let mut inner = module.to_vec();
        inner.push(name.to_owned());
        let own = own_path(item);
        match (&item.content, own) {
            (Some((_, items)), own) => {
                let folder = folder.join(own.unwrap_or_else(|| name.into()));
                named_modules(items, &folder, &folder, &inner, found);
            }
            (None, Some(path)) => found.push(Named {
                files: vec![(file_folder.join(path), true)],
                module: inner,
            }),
            (None, None) => found.push(Named {
                files: vec![
                    (folder.join(format!("{name}.rs")), false),
                    (folder.join(name).join("mod.rs"), true),
                ],
                module: inner,
            }),
        }
    }
}

/// The value of `#[path = "…"]`.
fn own_path(item: &ItemMod) -> Option<PathBuf> {
    item.attrs
        .iter()
        .find_map(|attribute| match &attribute.meta {
            syn::Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
                syn::Expr::Lit(syn::ExprLit {
                    lit: syn::Lit::Str(text),
                    ..
                }) => Some(text.value().into()),
                _ => None,
            },
            _ => None,
        })
}

/// Whether something is there for tests only.
pub fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let named = |name| {
            attribute
                .path()
                .segments
                .last()
                .is_some_and(|last| last.ident == name)
        };
        let condition = attribute.path().is_ident("cfg")
            && attribute
                .parse_args::<syn::Path>()
                .is_ok_and(|path| path.is_ident("test"));
        named("test") || condition
    })
}

#[cfg(test)]
mod tests {
    use super::Sources;

    #[test]
    fn modules_are_found_where_the_compiler_finds_them() {
        let folder = tempfile::tempdir().unwrap();
        for (file, text) in [
            (
                "src/main.rs",
                "mod a; mod b; #[path = \"other/place.rs\"] mod c; #[cfg(test)] mod t; #[cfg(windows)] \
                 mod gone; mod d { mod e; } mod broken; mod r#type;",
            ),
            ("src/a.rs", "mod inner;"),
            ("src/a/inner.rs", ""),
            ("src/b/mod.rs", "mod inner;"),
            ("src/b/inner.rs", ""),
            ("src/other/place.rs", "mod beside;"),
            ("src/other/beside.rs", ""),
            ("src/d/e.rs", ""),
            ("src/t.rs", ""),
            ("src/broken.rs", "fn ("),
            ("src/type.rs", ""),
        ] {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let mut sources = Sources::default();
        let main = folder.path().join("src/main.rs");
        sources.read(&main, vec!["app".to_owned()], true);
        sources.read(&main, vec!["again".to_owned()], true);
        let modules: Vec<String> = sources
            .files
            .iter()
            .map(|file| file.module.join("::"))
            .collect();
        assert_eq!(
            modules,
            [
                "app",
                "app::a",
                "app::a::inner",
                "app::b",
                "app::b::inner",
                "app::c",
                "app::c::beside",
                "app::d::e",
                "app::type"
            ]
        );
        assert_eq!(sources.unread.len(), 1);
        assert!(
            sources.unread[0].contains("broken.rs"),
            "{:?}",
            sources.unread
        );
    }

    #[test]
    fn what_precedes_the_code_is_measured() {
        for (text, expected) in [
            ("fn a() {}", 0),
            ("\u{feff}fn a() {}", 3),
            ("#!/bin/sh\nfn a() {}", 9),
            ("\u{feff}#!/bin/sh\nfn", 12),
            ("#![allow(x)]\n", 0),
        ] {
            assert_eq!(super::skipped(text), expected, "{text:?}");
        }
    }
}
