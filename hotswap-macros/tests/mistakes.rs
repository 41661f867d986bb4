//! What cannot be an entry: one case for each mistake, with its exact message.
//!
//! Each `.rs` file in the folder is compiled with the macros as they are built for this test, and what rustc says is in the
//! `.stderr` file beside it. `HOTSWAP_TESTS_UPDATE=1` writes these anew.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const FOLDER: &str = "tests/mistakes";

#[test]
fn mistakes_are_explained() {
    let macros = macros();
    let update = std::env::var_os("HOTSWAP_TESTS_UPDATE").is_some();
    let mut failures = Vec::new();
    let cases = cases();
    for case in &cases {
        let found = messages(case, &macros);
        let file = case.with_extension("stderr");
        if update {
            fs::write(&file, &found).unwrap();
        }
        let expected = fs::read_to_string(&file).unwrap_or_default();
        if found != expected || found.is_empty() {
            let case = case.display();
            failures.push(format!("{case}\nexpected:\n{expected}\nfound:\n{found}"));
        }
    }
    let texts = failures.join("\n");
    assert!(
        failures.is_empty(),
        "{} of {} failed\n{texts}",
        failures.len(),
        cases.len()
    );
}

fn cases() -> Vec<PathBuf> {
    let entries = fs::read_dir(FOLDER).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut cases: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|it| it == "rs"))
        .collect();
    cases.sort();
    assert!(!cases.is_empty());
    cases
}

/// The library that holds the macros. Where there are builds of several sets of features, the last one is of the present
/// sources, since cargo has just made sure of the one that this test depends on.
fn macros() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().unwrap();
    // With `--target`, what is for the compiler itself is beside the target's folder.
    let profile = folder.parent().unwrap();
    let host = profile.join("../..").join(profile.file_name().unwrap());
    let folders = [folder.to_owned(), host.join("deps")];
    let entries = folders.iter().flat_map(fs::read_dir).flatten();
    let paths = entries.map(|entry| entry.unwrap().path());
    let built = paths.filter(|path| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with("libhotswap_macros-") && name.ends_with(std::env::consts::DLL_SUFFIX)
    });
    built
        .max_by_key(|path| fs::metadata(path).unwrap().modified().unwrap())
        .unwrap_or_else(|| panic!("the macros are not in {}", folder.display()))
}

/// What rustc says of a case that it must refuse, without the summary at the end.
fn messages(case: &Path, macros: &Path) -> String {
    let output = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .args([
            "--edition=2024",
            "--crate-type=bin",
            "--diagnostic-width=140",
        ])
        .args(["--emit=metadata", "--out-dir", env!("CARGO_TARGET_TMPDIR")])
        .arg("--extern")
        .arg(format!("hotswap_macros={}", macros.display()))
        .arg(case)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success(), "{}: {text}", case.display());
    let parts = text.split("\n\n").map(str::trim_end);
    let told = parts.filter(|part| {
        let summary = [
            "error: aborting due to ",
            "For more information about",
            "Some errors have",
        ];
        !part.is_empty() && !summary.iter().any(|start| part.starts_with(start))
    });
    let mut told = told.collect::<Vec<_>>().join("\n\n");
    told.push('\n');
    told
}
