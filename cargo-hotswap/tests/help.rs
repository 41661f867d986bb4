//! Help texts and manual pages as files. `HOTSWAP_TESTS_UPDATE=1 cargo test -p cargo-hotswap --test
//! help` writes them anew; read the difference before you commit it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Set to write what is expected.
const UPDATE: &str = "HOTSWAP_TESTS_UPDATE";

fn tool(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-hotswap"));
    command.args(arguments);
    for name in [
        "COLUMNS",
        "CLICOLOR_FORCE",
        "FORCE_COLOR",
        "NO_COLOR",
        "TERM",
    ] {
        command.env_remove(name);
    }
    command
}

fn output(arguments: &[&str]) -> String {
    let output = tool(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The commands of `cargo hotswap` that have commands of their own.
const WITH_VERBS: [&str; 2] = ["patch", "release"];

/// The commands that `cargo hotswap help` lists.
fn verbs() -> Vec<String> {
    verbs_in(&output(&["hotswap", "--help"]))
}

/// The commands of [`WITH_VERBS`], each after whose it is.
fn inner_verbs() -> Vec<[String; 2]> {
    let of = |outer: &'static str| {
        let verbs = verbs_in(&output(&["hotswap", outer, "--help"])).into_iter();
        verbs.map(move |verb| [outer.to_owned(), verb])
    };
    WITH_VERBS.into_iter().flat_map(of).collect()
}

fn verbs_in(help: &str) -> Vec<String> {
    let list = help
        .split("Commands:\n")
        .nth(1)
        .and_then(|rest| rest.split("\n\n").next());
    let lines = list.expect("there is a list of commands").lines();
    let verbs = lines.filter_map(|line| line.split_whitespace().next());
    verbs
        .filter(|verb| *verb != "help")
        .map(str::to_owned)
        .collect()
}

/// Compares with the files in a folder, by name.
fn check(folder: &str, actual: &BTreeMap<String, String>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(folder);
    if std::env::var_os(UPDATE).is_some() {
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        for (name, text) in actual {
            std::fs::write(folder.join(name), text).unwrap();
        }
    }
    let entries = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let read = |path: PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, std::fs::read_to_string(path).unwrap())
    };
    let expected: BTreeMap<String, String> = entries.map(read).collect();
    assert_eq!(
        expected.keys().collect::<Vec<_>>(),
        actual.keys().collect::<Vec<_>>(),
        "other files; write them anew as the top of this file says"
    );
    for (name, text) in actual {
        let difference = similar::TextDiff::from_lines(&expected[name], text);
        let difference = difference.unified_diff().to_string();
        assert!(difference.is_empty(), "{name} differs:\n{difference}");
    }
}

/// Lines end where the text does: trailing blanks would be lost in an editor.
fn trimmed(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n").trim_end().to_owned() + "\n"
}

#[test]
fn help_texts_are_known() {
    let mut texts = BTreeMap::new();
    texts.insert(
        "hotswap.txt".to_owned(),
        trimmed(&output(&["hotswap", "--help"])),
    );
    for verb in verbs() {
        let text = output(&["hotswap", &verb, "--help"]);
        assert!(
            text.contains(&format!("Usage: cargo hotswap {verb}")),
            "{text}"
        );
        texts.insert(format!("{verb}.txt"), trimmed(&text));
    }
    for [outer, verb] in inner_verbs() {
        let text = output(&["hotswap", &outer, &verb, "--help"]);
        texts.insert(format!("{outer}-{verb}.txt"), trimmed(&text));
    }
    assert!(texts.len() > 4, "{:?}", texts.keys());
    check("help", &texts);
}

#[test]
fn manual_pages_are_known() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    output(&["hotswap", "man", "--out", out]);
    let mut pages = BTreeMap::new();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        pages.insert(name, trimmed(&std::fs::read_to_string(path).unwrap()));
    }
    // One for each command, and each that is named is there.
    assert_eq!(pages.len(), verbs().len() + inner_verbs().len() + 1);
    let top = pages["cargo-hotswap.1"].replace("\\-", "-");
    for verb in verbs() {
        assert!(top.contains(&format!("cargo-hotswap-{verb}(1)")), "{top}");
    }
    assert_eq!(top.matches("cargo-hotswap-").count(), verbs().len());
    check("man", &pages);
}

/// `cargo help hotswap` asks the tool so.
#[test]
fn cargo_help_finds_the_same() {
    assert_eq!(output(&["hotswap", "--help"]), output(&["hotswap", "help"]));
}
