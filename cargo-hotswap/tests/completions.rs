//! Completions in the shells themselves, where they are installed.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;

/// The line that is typed, what is offered, and what is not.
type Case = (
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
);

const CASES: [Case; 15] = [
    (
        "cargo-hotswap hotswap r",
        &["run", "restart", "revert"],
        &["clean"],
    ),
    (
        "cargo-hotswap hotswap run --rel",
        &["--release"],
        &["--locked"],
    ),
    (
        "cargo hotswap ",
        &["run", "init", "clean", "completions"],
        &["bench", "--release"],
    ),
    (
        "cargo hotswap c",
        &["clean", "completions", "config", "check"],
        &["run", "build"],
    ),
    ("cargo hotswap st", &["status"], &["restart"]),
    (
        "cargo hotswap suspend --",
        &["--all", "--timeout", "--pid"],
        &["--release"],
    ),
    ("cargo hotswap timings --na", &["--name"], &["--json"]),
    ("cargo +stable hotswap cl", &["clean"], &["config"]),
    ("cargo hotswap run --rel", &["--release"], &["--locked"]),
    ("cargo hotswap run --lock", &["--locked"], &[]),
    (
        "cargo hotswap run --message-format ",
        &["human", "short", "json"],
        &["json-diagnostic-short"],
    ),
    (
        "cargo hotswap audit --al",
        &["--all", "--all-features"],
        &["--bin"],
    ),
    (
        "cargo hotswap completions ",
        &["bash", "fish", "zsh"],
        &["run"],
    ),
    ("cargo hotswap clean --t", &["--target-dir"], &["--release"]),
    // What is not ours is answered by cargo's own completion.
    ("cargo bui", &["build"], &["human"]),
];

/// The tool, as a new user finds it.
fn tool() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_cargo-hotswap"))
}

fn script(shell: &str) -> Vec<u8> {
    let output = Command::new(tool())
        .args(["hotswap", "completions", shell])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    output.stdout
}

/// Whether a shell is there. Written past the test's captured output if it is not.
fn is_installed(shell: &str) -> bool {
    let status = Command::new(shell)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let found = status.is_ok_and(|status| status.success());
    if !found {
        let _ = writeln!(std::io::stderr(), "NOT TESTED: {shell} is not installed");
    }
    found
}

/// What cargo brings for its own completion.
fn of_cargo(file: &str) -> PathBuf {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .args(["--print", "sysroot"])
        .output()
        .unwrap();
    Path::new(String::from_utf8_lossy(&output.stdout).trim()).join(file)
}

/// A shell's command in an environment that nobody has coloured.
fn shell(program: &str, home: &Path) -> Command {
    let mut path: Vec<PathBuf> = vec![tool().parent().unwrap().to_owned()];
    path.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
    let mut command = Command::new(program);
    command
        .env("PATH", env::join_paths(path).unwrap())
        .env("XDG_CONFIG_HOME", home)
        .env("XDG_DATA_HOME", home)
        .env("TERM", "dumb")
        .env_remove("ZDOTDIR")
        .current_dir(home)
        .stdin(Stdio::null());
    command
}

/// Runs all cases in a shell, side by side, since a shell mostly waits; `arguments` gives those of the
/// script that captures.
fn check(program: &str, home: &Path, arguments: impl Fn(&str) -> Vec<OsString> + Sync) {
    thread::scope(|scope| {
        for case in CASES {
            let arguments = &arguments;
            scope.spawn(move || check_case(program, home, case, arguments(case.0)));
        }
    });
}

fn check_case(program: &str, home: &Path, case: Case, arguments: Vec<OsString>) {
    let (line, offered, not_offered) = case;
    let capture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/completions/capture");
    let mut command = shell(program, home);
    if program == "zsh" {
        command.arg("-f");
    }
    let capture = capture.with_extension(program);
    let Output { stdout, stderr, .. } = command.arg(capture).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&stdout);
    let words: Vec<&str> = said.lines().map(str::trim).collect();
    let errors = String::from_utf8_lossy(&stderr);
    for word in offered {
        assert!(
            words.contains(word),
            "{program}: {line:?} gives {words:?}, {errors}"
        );
    }
    for word in not_offered {
        assert!(!words.contains(word), "{program}: {line:?} gives {words:?}");
    }
}

#[test]
fn bash_completes() {
    let home = tempfile::tempdir().unwrap();
    if !is_installed("bash") {
        return;
    }
    let file = home.path().join("script");
    fs::write(&file, script("bash")).unwrap();
    // Cargo's own needs helpers of the package bash-completion; it is asked all the same.
    let own = home.path().join("own");
    let helpers = "_get_comp_words_by_ref() { words=(\"${COMP_WORDS[@]}\"); cword=$COMP_CWORD; \
                   cur=${COMP_WORDS[COMP_CWORD]}; prev=${COMP_WORDS[COMP_CWORD-1]}; }\n";
    let of_cargo = fs::read_to_string(of_cargo("etc/bash_completion.d/cargo")).unwrap();
    fs::write(&own, helpers.to_owned() + &of_cargo).unwrap();
    check("bash", home.path(), |line| {
        let mut all: Vec<OsString> = vec![own.clone().into(), file.clone().into()];
        all.extend(line.split(' ').map(OsString::from));
        all
    });
}

#[test]
fn fish_completes() {
    let home = tempfile::tempdir().unwrap();
    if !is_installed("fish") {
        return;
    }
    let file = home.path().join("script");
    fs::write(&file, script("fish")).unwrap();
    check("fish", home.path(), |line| {
        vec![file.clone().into(), line.into()]
    });
}

#[test]
fn zsh_completes() {
    let home = tempfile::tempdir().unwrap();
    if !is_installed("zsh") {
        return;
    }
    let functions = home.path().join("functions");
    fs::create_dir_all(functions.join("cargo")).unwrap();
    fs::write(functions.join("_cargo-hotswap"), script("zsh")).unwrap();
    let own = of_cargo("share/zsh/site-functions/_cargo");
    fs::copy(own, functions.join("cargo/_cargo")).unwrap();
    check("zsh", home.path(), |line| {
        vec![functions.clone().into(), line.into()]
    });
}
