//! The environment and the runner that `cargo run` would give to the program.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use cargo_metadata::BuildScript;

use super::Products;
use crate::records::crate_name;
use crate::selection::Selection;

/// The variable that names folders of shared libraries.
const LIBRARIES: &str = "LD_LIBRARY_PATH";

/// The targets that a program can be run for, with the configuration that speaks of each.
const TARGETS: [&str; 2] = ["x86_64-unknown-linux-gnu", "x86_64-unknown-linux-musl"];

/// What a build script said about the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    package: String,
    variables: Vec<(String, String)>,
    folders: Vec<String>,
}

impl Script {
    /// Takes over what cargo read from the script's output.
    pub fn of(script: BuildScript) -> Self {
        Self {
            package: script.package_id.repr,
            variables: script.env,
            folders: script.linked_paths.into_iter().map(Into::into).collect(),
        }
    }
}

/// A command line before the program's own, and the program's variables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// The program that cargo is configured to run programs with, and its arguments.
    pub runner: Vec<OsString>,
    /// Variables to set.
    pub variables: BTreeMap<OsString, OsString>,
}

/// What surrounds the program that was built. `compiled_with` is the environment in which its
/// crate was compiled, out of which it gets what tells of its package, and `linked` are the
/// libraries in it.
///
/// # Errors
///
/// Cargo's configuration can't be read.
pub fn of_program(
    products: &Products,
    compiled_with: &BTreeMap<String, String>,
    linked: &[PathBuf],
    selection: &Selection,
) -> Result<Surroundings> {
    let configured =
        cargo_config2::Config::load().context("could not read cargo's configuration")?;
    let overrides = Overrides::read(&selection.messages.config);
    let mut variables: BTreeMap<OsString, OsString> = BTreeMap::new();
    variables.insert(LIBRARIES.into(), libraries(products, linked)?);
    let own = products.scripts.iter();
    for script in own.filter(|script| script.package == products.package) {
        let set = script.variables.iter();
        variables.extend(set.map(|(name, value)| (name.into(), value.into())));
    }
    let of_package = compiled_with
        .iter()
        .filter(|(name, _)| tells_of_package(name));
    variables.extend(of_package.map(|(name, value)| (name.into(), value.into())));
    for (name, value, force) in overrides.variables.into_iter().chain(
        configured
            .env
            .iter()
            .map(|(name, value)| (name.clone(), value.value.clone(), value.force)),
    ) {
        // What cargo has set itself stays, and so does what the user has, unless it is forced.
        let name = OsString::from(name);
        if force || std::env::var_os(&name).is_none() {
            variables.entry(name).or_insert(value);
        }
    }
    let runner = match overrides.runner {
        Some(runner) => runner,
        None => runner(&configured, selection),
    };
    Ok(Surroundings { runner, variables })
}

fn tells_of_package(name: &str) -> bool {
    name == "CARGO" || name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
}

/// The target that the program is built for.
pub fn target<'a>(configured: &'a cargo_config2::Config, selection: &'a Selection) -> &'a str {
    let build = configured.build.target.as_deref().unwrap_or_default();
    let named = selection.target.first().map(String::as_str);
    let configured = build.first().map(cargo_config2::TargetTriple::triple);
    named.or(configured).unwrap_or(TARGETS[0])
}

/// The folders of libraries that the build made, before those of the user's.
fn libraries(products: &Products, linked: &[PathBuf]) -> Result<OsString> {
    let folder = products.executable.parent().unwrap_or(Path::new("."));
    let folder = match folder.file_name() {
        Some(name) if name == "examples" => folder.parent().unwrap_or(folder),
        _ => folder,
    };
    let named = products.scripts.iter().flat_map(|script| &script.folders);
    let named = named.map(|folder| without_kind(folder));
    let mut folders: Vec<PathBuf> = named.filter(|named| named.starts_with(folder)).collect();
    folders.extend([folder.to_owned(), folder.join("deps")]);
    // The compiler's own libraries lie together.
    let standard = linked.iter().find(|library| crate_name(library) == "std");
    folders.extend(
        standard
            .and_then(|library| library.parent())
            .map(Path::to_owned),
    );
    let users = std::env::var_os(LIBRARIES).unwrap_or_default();
    let users: Vec<PathBuf> = std::env::split_paths(&users).collect();
    if users.starts_with(&folders) {
        folders = users;
    } else {
        folders.extend(
            users
                .into_iter()
                .filter(|path| !path.as_os_str().is_empty()),
        );
    }
    std::env::join_paths(folders).context("a folder of the build has a colon in its name")
}

/// A folder as build scripts name it for the linker: `native=…`.
fn without_kind(folder: &str) -> PathBuf {
    match folder.split_once('=') {
        Some(("native" | "crate" | "dependency" | "framework" | "all", path)) => path.into(),
        _ => folder.into(),
    }
}

fn runner(configured: &cargo_config2::Config, selection: &Selection) -> Vec<OsString> {
    let runner = configured.runner(target(configured, selection));
    let runner = runner.ok().flatten();
    runner.map_or_else(Vec::new, |runner| {
        let program = runner.path.into_os_string();
        std::iter::once(program).chain(runner.args).collect()
    })
}

/// What `--config` on the command line says; it comes before the configuration files.
#[derive(Debug, Default, PartialEq, Eq)]
struct Overrides {
    variables: Vec<(String, OsString, bool)>,
    runner: Option<Vec<OsString>>,
}

impl Overrides {
    /// Reads the values of `--config`: each is TOML, or names a file. The last one wins. What is
    /// neither was refused by cargo before.
    fn read(configs: &[String]) -> Self {
        let mut overrides = Self::default();
        for config in configs.iter().rev() {
            let file = || std::fs::read_to_string(config).unwrap_or_default();
            let table = config.parse::<toml::Table>().or_else(|_| file().parse());
            let Ok(table) = table else { continue };
            let variables = table.get("env").and_then(toml::Value::as_table);
            for (name, value) in variables.into_iter().flatten() {
                overrides.variables.extend(variable(name, value));
            }
            let runner = TARGETS
                .iter()
                .find_map(|target| runner_words(table.get("target")?.get(*target)?.get("runner")?));
            overrides.runner = overrides.runner.or(runner);
        }
        overrides
    }
}

fn variable(name: &str, value: &toml::Value) -> Option<(String, OsString, bool)> {
    let text = value.as_str().or_else(|| value.get("value")?.as_str())?;
    let is_set = |name: &str| value.get(name).and_then(toml::Value::as_bool) == Some(true);
    let text = match is_set("relative") {
        true => std::env::current_dir().ok()?.join(text).into_os_string(),
        false => text.into(),
    };
    Some((name.to_owned(), text, is_set("force")))
}

fn runner_words(value: &toml::Value) -> Option<Vec<OsString>> {
    let words: Vec<&str> = match value {
        toml::Value::String(words) => words.split_whitespace().collect(),
        toml::Value::Array(words) => words.iter().filter_map(toml::Value::as_str).collect(),
        _ => return None,
    };
    Some(words.into_iter().map(Into::into).collect())
}

#[cfg(test)]
mod tests {
    use super::{Overrides, Products, Script, libraries};

    #[test]
    fn libraries_of_the_build_are_found() {
        let script = |folders: &[&str]| Script {
            package: String::new(),
            variables: Vec::new(),
            folders: folders.iter().map(ToString::to_string).collect(),
        };
        let linked = ["/t/debug/deps/libstdx-1.rlib", "/rust/lib/libstd-1.rlib"].map(Into::into);
        for (executable, folders, expected) in [
            ("/t/debug/app", vec![], "/t/debug:/t/debug/deps:/rust/lib"),
            (
                "/t/debug/examples/demo",
                vec![],
                "/t/debug:/t/debug/deps:/rust/lib",
            ),
            (
                "/t/debug/app",
                vec!["native=/t/debug/build/z/out", "/usr/lib", "all=/t/debug/y"],
                "/t/debug/build/z/out:/t/debug/y:/t/debug:/t/debug/deps:/rust/lib",
            ),
        ] {
            let products = Products {
                executable: executable.into(),
                scripts: vec![script(&folders)],
                ..Products::default()
            };
            let found = libraries(&products, &linked).expect("no colons");
            let found = found.to_string_lossy();
            assert!(found.starts_with(expected), "{executable}: {found}");
        }
    }

    #[test]
    fn the_command_line_configures() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("c.toml");
        std::fs::write(&file, "env.C = { value = \"3\", force = true }").expect("written");
        let configs = [
            "env.A = '1'",
            "term.quiet = true",
            "target.x86_64-unknown-linux-gnu.runner = 'nice -n 5'",
            "env.A = '2'",
            &file.to_string_lossy(),
            "env.B = { value = 'b', relative = true }",
        ];
        let found = Overrides::read(&configs.map(str::to_owned));
        let here = std::env::current_dir().expect("there is one");
        let variables = [
            ("B", here.join("b").into_os_string(), false),
            ("C", "3".into(), true),
            ("A", "2".into(), false),
            ("A", "1".into(), false),
        ];
        let variables = variables.map(|(name, value, force)| (name.to_owned(), value, force));
        assert_eq!(found.variables, variables);
        assert_eq!(
            found.runner,
            Some(["nice", "-n", "5"].map(Into::into).to_vec())
        );
        assert_eq!(Overrides::read(&[]), Overrides::default());
    }
}
