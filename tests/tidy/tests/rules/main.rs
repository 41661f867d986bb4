//! Rules of this repository: documents that stay true, layers that only look down, unsafe code
//! that only gets less.

mod repository;
mod tokens;

use std::collections::{BTreeMap, BTreeSet};

use repository::{Repository, SourceFile};
use toml::{Table, Value};

/// No file of code is longer, in lines; tables of tests may be.
const LONGEST_FILE: usize = 500;

/// The crates of this repository that each crate may depend on, tests and examples aside.
const LAYERS: [(&str, &[&str]); 6] = [
    (
        "cargo-hotswap",
        &["hotswap-layout", "hotswap-object", "hotswap-protocol"],
    ),
    ("hotswap-layout", &[]),
    ("hotswap-macros", &[]),
    ("hotswap-object", &[]),
    ("hotswap-protocol", &[]),
    ("hotswap-runtime", &["hotswap-macros", "hotswap-protocol"]),
];

/// A word that only files below these paths may contain, as code.
const CONFINED: [(&str, &[&str]); 5] = [
    ("libloading", &["hotswap-runtime/src/engine/image.rs"]),
    ("gimli", &["hotswap-layout/src/dwarf.rs"]),
    (
        "iced_x86",
        &[
            "hotswap-object/src/x86_64",
            "hotswap-object/src/rewrite/text.rs",
        ],
    ),
    ("loom", &["hotswap-runtime/src/", "tests/loom/"]),
    ("notify", &["cargo-hotswap/src/watch.rs"]),
];

/// What marks unfinished work. Written so that this file does not contain it.
const UNFINISHED: [&str; 4] = [
    concat!("todo", "!("),
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("#[", "ignore"),
];

/// Beginnings of paths that exist on one machine only.
const MACHINE_PATHS: [&str; 3] = [
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/wo", "rk/"),
];

/// Fails with all faults at once.
fn none(faults: impl IntoIterator<Item = String>, rule: &str) {
    let faults: Vec<String> = faults.into_iter().collect();
    assert!(faults.is_empty(), "{rule}\n  {}", faults.join("\n  "));
}

#[test]
fn the_code_map_is_true() {
    let repository = Repository::find();
    let text = repository.read("ARCHITECTURE.md");
    let map = text
        .split("\n## ")
        .find_map(|part| part.strip_prefix("Code map\n"));
    let map = map.expect("ARCHITECTURE.md has a section `Code map`");
    let paths: Vec<&str> = map
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|path| path.contains('/'))
        .collect();
    assert!(paths.len() > 20, "the code map names {} paths", paths.len());
    let gone = paths
        .into_iter()
        .filter(|path| !repository.path(path).exists());
    none(
        gone.map(str::to_owned),
        "the code map in ARCHITECTURE.md names what is not there:",
    );
}

#[test]
fn every_source_file_says_what_it_is_for() {
    let repository = Repository::find();
    let silent = repository
        .sources()
        .into_iter()
        .filter(|file| !file.text.starts_with("//! "));
    none(
        silent.map(|file| file.path),
        "a file opens with `//!` and one sentence on its duty:",
    );
}

/// Cargo tells packages of two workspaces apart by name and place in the workspace alone, so those of one
/// name would take each other's place in the target folder that scenarios share.
#[test]
fn packages_of_scenarios_have_names_of_their_own() {
    let repository = Repository::find();
    let mut owners: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in repository.tracked() {
        let inside = path.strip_prefix("tests/scenarios/");
        let scenario = inside.and_then(|inside| inside.split('/').next());
        let (Some(scenario), true) = (scenario, path.ends_with("/Cargo.toml")) else {
            continue;
        };
        let manifest: Table = repository.read(&path).parse().expect("a manifest");
        let name = manifest
            .get("package")
            .and_then(|package| package.get("name"));
        let owners = name.map(|name| owners.entry(name.to_string()).or_default());
        owners.map(|owners| owners.insert(scenario.to_owned()));
    }
    assert!(owners.len() > 20, "{} packages", owners.len());
    let shared = owners.into_iter().filter(|(_, owners)| owners.len() > 1);
    none(
        shared.map(|(name, owners)| format!("{name}: {owners:?}")),
        "scenarios have packages of one name:",
    );
}

#[test]
fn layers_look_down() {
    let repository = Repository::find();
    let mut faults = Vec::new();
    for (name, allowed) in LAYERS {
        let manifest: Table = repository
            .read(&format!("{name}/Cargo.toml"))
            .parse()
            .expect("a manifest");
        for dependency in dependencies(&Value::Table(manifest)) {
            if dependency.contains("hotswap") && !allowed.contains(&dependency.as_str()) {
                faults.push(format!("{name} -> {dependency}"));
            }
        }
    }
    none(faults, "a crate depends on one that it must not know:");
}

/// The names in every table of dependencies, those for single targets included.
fn dependencies(manifest: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let Some(table) = manifest.as_table() else {
        return found;
    };
    for (key, value) in table {
        if matches!(key.as_str(), "dependencies" | "build-dependencies") {
            found.extend(
                value
                    .as_table()
                    .into_iter()
                    .flatten()
                    .map(|(name, _)| name.clone()),
            );
        } else if key == "target" {
            found.extend(
                value
                    .as_table()
                    .into_iter()
                    .flatten()
                    .flat_map(|(_, part)| dependencies(part)),
            );
        }
    }
    found
}

#[test]
fn foreign_crates_are_named_in_few_files() {
    let mut faults = Vec::new();
    for file in Repository::find().sources() {
        let code = tokens::read(&file);
        for (word, places) in CONFINED {
            let own_file = places.iter().any(|place| file.path.starts_with(place));
            if !own_file && tokens::contains(&code, &[word]) {
                faults.push(format!("{}: `{word}`", file.path));
            }
        }
    }
    none(
        faults,
        "a word stands in another file than the one that is for it:",
    );
}

#[test]
fn one_store_changes_the_current_version() {
    let mut stores = Vec::new();
    for file in Repository::find().sources() {
        let code = tokens::read(&file);
        let count = tokens::count(&code, &["current", ".", "store"]);
        stores.extend(std::iter::repeat_n(file.path, count));
    }
    assert_eq!(stores, ["hotswap-runtime/src/table/switch.rs"]);
}

/// Blocks and `impl`s count: what takes a proof off the compiler. Contracts of `unsafe fn` do not.
#[test]
fn unsafe_code_only_gets_less() {
    let repository = Repository::find();
    let table = repository.read("tests/tidy/unsafe.txt");
    let mut allowed: BTreeMap<&str, usize> = BTreeMap::new();
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let (count, path) = line.split_once(' ').expect("a line is a count and a path");
        allowed.insert(path, count.parse().expect("a count"));
    }
    let mut faults = Vec::new();
    for file in repository.sources() {
        let found = tokens::unsafe_places(&tokens::read(&file));
        let allowed = allowed.remove(file.path.as_str()).unwrap_or(0);
        if found > allowed {
            faults.push(format!(
                "{found} {} (was {allowed}): find a way with less",
                file.path
            ));
        } else if found < allowed {
            faults.push(format!(
                "{found} {} (was {allowed}): good, write the new number down",
                file.path
            ));
        }
    }
    faults.extend(
        allowed
            .into_keys()
            .map(|path| format!("{path} is gone: remove its line")),
    );
    none(
        faults,
        "the count of unsafe blocks differs from tests/tidy/unsafe.txt:",
    );
}

#[test]
fn files_stay_short() {
    let long = Repository::find()
        .sources()
        .into_iter()
        .filter(|file| !is_test(&file.path));
    let long = long.map(|file| (file.text.lines().count(), file.path));
    let long = long.filter(|(lines, _)| *lines > LONGEST_FILE);
    none(
        long.map(|(lines, path)| format!("{path}: {lines} lines")),
        "a file is too long:",
    );
}

fn is_test(path: &str) -> bool {
    path.starts_with("tests/") || path.contains("/tests/") || path.ends_with("/tests.rs")
}

#[test]
fn nothing_names_a_machine_or_is_unfinished() {
    let repository = Repository::find();
    let mut faults = Vec::new();
    for path in repository.tracked() {
        let Ok(text) = std::fs::read_to_string(repository.path(&path)) else {
            continue;
        };
        for (number, line) in text.lines().enumerate() {
            let forbidden = MACHINE_PATHS.iter().chain(UNFINISHED.iter());
            for word in forbidden.filter(|word| line.contains(**word)) {
                faults.push(format!("{path}:{}: `{word}`", number + 1));
            }
        }
    }
    none(faults, "machine paths and unfinished work:");
}

#[test]
fn examples_and_tests_are_not_published() {
    let repository = Repository::find();
    let root: Table = repository.read("Cargo.toml").parse().expect("a manifest");
    let members = root["workspace"]["members"]
        .as_array()
        .expect("a list of members");
    let mut faults = Vec::new();
    for member in members.iter().filter_map(Value::as_str) {
        let manifest: Table = repository
            .read(&format!("{member}/Cargo.toml"))
            .parse()
            .expect("a manifest");
        let published = manifest["package"].get("publish") != Some(&Value::Boolean(false));
        if published != LAYERS.iter().any(|(name, _)| *name == member) {
            faults.push(member.to_owned());
        }
    }
    none(
        faults,
        "`publish = false` is for tests, examples and benches, and for them alone:",
    );
}

#[test]
fn the_rules_can_fail() {
    let file = |text: &str| SourceFile {
        path: "a.rs".to_owned(),
        text: text.to_owned(),
    };
    let code = tokens::read(&file(
        "/* unsafe {} gimli */ fn f() { let s = \"unsafe { gimli }\"; unsafe { g(unsafe { h() }) } }\n\
         unsafe impl Send for X {} unsafe fn g() {} fn h() { self\n.current\n.store(1) }",
    ));
    assert_eq!(tokens::unsafe_places(&code), 3);
    assert!(!tokens::contains(&code, &["gimli"]));
    assert_eq!(tokens::count(&code, &["current", ".", "store"]), 1);
    let manifest = "[dependencies]\na = \"1\"\n[target.x.dependencies]\nb = \"1\"\n[dev-dependencies]\nc = \"1\"";
    let manifest = Value::Table(manifest.parse().expect("a manifest"));
    assert_eq!(
        dependencies(&manifest).into_iter().collect::<Vec<_>>(),
        ["a", "b"]
    );
    assert!(is_test("x/src/a/tests.rs") && !is_test("x/src/latest.rs"));
}
