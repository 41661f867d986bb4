//! Colours, progress, compile errors: as cargo's.

use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use hotswap_tests::{Gate, Package, Terminal, cargo, terminal::END};

use super::program::{on_terminal, package, run};

const GREEN: &str = "\u{1b}[1m\u{1b}[92m";

#[test]
fn a_terminal_gets_progress_and_colours() -> Result<()> {
    let package = package("looks")?;
    // Cargo shows progress where it takes a while, as a build script sees to.
    let script = "fn main() {\n    println!(\"cargo::rerun-if-changed=build.rs\");\n    \
                  std::fs::read_to_string(\"gate.txt\").unwrap();\n}\n";
    package.write("build.rs", script.as_bytes())?;
    let gate = Gate::close(&package.root.join("gate.txt"))?;
    let mut terminal = Terminal::start(&run(&package, &["--", "two words"])?, 100, 30)?;
    let held = gate.await_reader()?;
    terminal.expect("    Building [")?;
    held.open("")?;
    terminal.expect("Watching for edits (entry answer)\n")?;
    let first = terminal.written();
    ensure!(
        first.contains("\u{1b}[96m    Building\u{1b}[0m ["),
        "no progress:\n{first}"
    );
    ensure!(
        first.contains(&format!("{GREEN}   Compiling\u{1b}[0m terminal-looks")),
        "{first}"
    );
    let running = format!("{GREEN}     Running\u{1b}[0m `");
    let (_, command) = first.split_once(&running).context("no `Running`")?;
    ensure!(
        command.contains("debug/terminal-looks 'two words'`\n"),
        "{first}"
    );
    ensure!(
        !terminal.screen().contains("Building"),
        "progress is left on the screen"
    );

    package.edit("src/main.rs", "\"first\"", "\"second\"")?;
    terminal.expect("Swapped src/main.rs in ")?;
    terminal.expect(" ms (version 1; answer)\n")?;
    ensure!(
        terminal
            .written()
            .contains(&format!("{GREEN}     Swapped\u{1b}[0m "))
    );
    terminal.type_line("x")?;
    terminal.expect("second: x 7\n")?;

    many_files(&package, &mut terminal)?;
    refusal(&package, &mut terminal)?;
    terminal.type_keys(END)?;
    ensure!(terminal.end()? == 0);
    Ok(())
}

/// A list is cut to the terminal's width, as it is when the line is written.
fn many_files(package: &Package, terminal: &mut Terminal) -> Result<()> {
    package.write("src/other.rs", b"pub fn other() {}\n")?;
    package.edit("src/main.rs", "fn stty", "mod other;\n\nfn stty")?;
    terminal.expect("Swapped src/main.rs in ")?;
    let mut word = "\"second\"";
    for (columns, listed) in [
        (100, "src/gate100.txt, src/main.rs, src/other.rs in "),
        (50, "src/gate50.txt and 2 more in "),
    ] {
        terminal.resize(columns, 30)?;
        // What is saved during a build is taken together by the next.
        let gate = Gate::close(&package.root.join(format!("src/gate{columns}.txt")))?;
        let gated = format!("include_str!(\"gate{columns}.txt\")");
        package.edit("src/main.rs", word, &gated)?;
        let held = gate.await_reader()?;
        let other = format!("pub fn other_{columns}() {{}}\n");
        package.write("src/other.rs", other.as_bytes())?;
        word = "\"third\"";
        package.edit("src/main.rs", &gated, word)?;
        held.open("gate")?;
        terminal.expect("Swapped src/main.rs in ")?;
        terminal.expect(&format!("Swapped {listed}"))?;
    }
    Ok(())
}

fn refusal(package: &Package, terminal: &mut Terminal) -> Result<()> {
    package.edit("src/main.rs", "struct Held(u32)", "struct Held(u64)")?;
    terminal.expect("error: the static `terminal_looks::HELD` can't go live: ")?;
    terminal.expect("\n  --> src/main.rs:")?;
    let line = terminal.expect(":")?;
    let source = std::fs::read_to_string(package.root.join("src/main.rs"))?;
    let named = source.lines().nth(line.parse::<usize>()? - 1);
    ensure!(
        named.is_some_and(|line| line.starts_with("static HELD")),
        "{named:?}"
    );
    terminal.expect("= why: ")?;
    terminal.expect("= help: ")?;
    ensure!(
        terminal
            .written()
            .contains("\u{1b}[91merror\u{1b}[0m\u{1b}[1m: the static")
    );
    ensure!(
        terminal
            .written()
            .contains("\u{1b}[94m--> \u{1b}[0msrc/main.rs:")
    );
    Ok(())
}

/// The compiler's words, to the byte, and cargo's last line with what becomes of the program.
#[test]
fn a_compile_error_looks_as_cargos() -> Result<()> {
    let package = package("compile-error")?;
    let mut terminal = on_terminal(&package, &[])?;
    for (from, to) in [
        ("let mut stdin", "let unused: u8 = 1u32;\n    let mut stdin"),
        ("let unused: u8", "let unused = 2;\n    let other: Absent"),
    ] {
        package.edit("src/main.rs", from, to)?;
        terminal.expect("; the program runs on\n")?;
        let mut build = cargo(&package)?;
        build
            .args(["build", "--color", "always"])
            .stdin(Stdio::null());
        let said = String::from_utf8(build.output()?.stderr)?;
        let status = |line: &&str| {
            ["Blocking", "Compiling"]
                .iter()
                .any(|verb| line.contains(verb))
        };
        let said: String = said.split_inclusive('\n').skip_while(status).collect();
        let said = said.trim_end().to_owned() + "; the program runs on\n";
        let written = terminal.written();
        ensure!(
            written.ends_with(&said),
            "cargo:\n{said}\nthe tool:\n{written}"
        );
    }
    // What is mended is live, and a warning that is new is told.
    package.edit("src/main.rs", "let other: Absent = 1u32;", "")?;
    terminal.expect("warning: unused variable: `unused`")?;
    terminal.expect("Swapped src/main.rs")?;
    package.edit("src/main.rs", "\"first\"", "\"second\"")?;
    let before = terminal.expect("Swapped src/main.rs")?;
    ensure!(!before.contains("warning"), "told twice: {before}");
    terminal.type_keys(END)?;
    ensure!(terminal.end()? == 0);
    Ok(())
}

#[test]
fn colours_follow_the_usual_variables() -> Result<()> {
    let package = package("colours")?;
    // Builds, so that the runs below are quick.
    let first = run(&package, &[])?.stdin(Stdio::null()).output()?;
    ensure!(
        first.status.success(),
        "{}",
        String::from_utf8_lossy(&first.stderr)
    );
    let variables = |text: &str| -> Vec<(String, String)> {
        let pairs = text
            .split_whitespace()
            .filter_map(|pair| pair.split_once('='));
        pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    };
    for (set, flags, on_terminal, in_pipe) in [
        ("", "", true, false),
        ("NO_COLOR=1", "", false, false),
        ("CLICOLOR_FORCE=1", "", true, true),
        ("TERM=dumb", "", false, false),
        ("CARGO_TERM_COLOR=always", "", true, true),
        ("CARGO_TERM_COLOR=never", "", false, false),
        ("CARGO_TERM_COLOR=never", "--color=always", true, true),
        ("NO_COLOR=1", "--color=always", true, true),
        ("CLICOLOR_FORCE=1", "--color=never", false, false),
        ("CARGO_TERM_COLOR=always", "--color=auto", true, false),
    ] {
        let flags: Vec<&str> = flags.split_whitespace().collect();
        let mut command = run(&package, &flags)?;
        for name in ["CARGO_TERM_COLOR", "CI", "CLICOLOR_FORCE", "NO_COLOR"] {
            command.env_remove(name);
        }
        command.env("TERM", "xterm").envs(variables(set));
        let mut terminal = Terminal::start(&command, 100, 30)?;
        terminal.type_keys(END)?;
        terminal.end()?;
        let output = command.stdin(Stdio::null()).output()?;
        let piped = String::from_utf8(output.stderr)?;
        for (text, coloured) in [(terminal.written(), on_terminal), (piped, in_pipe)] {
            let found = text.contains(&format!("{GREEN}     Running\u{1b}[0m "));
            ensure!(text.contains("Running"), "{set} {flags:?}: {text}");
            ensure!(found == coloured, "{set} {flags:?}: {text:?}");
            ensure!(
                text.contains('\u{1b}') == coloured,
                "{set} {flags:?}: {text:?}"
            );
        }
    }
    Ok(())
}

#[test]
fn more_and_less_is_told_as_asked() -> Result<()> {
    let package = package("verbosity")?;
    for (set, flags, phases, swapped, running) in [
        ("", "", false, true, true),
        ("", "-v", true, true, true),
        ("CARGO_TERM_VERBOSE", "", true, true, true),
        ("CARGO_TERM_VERBOSE", "-q", false, false, false),
        ("", "-q", false, false, false),
        ("CARGO_TERM_QUIET", "", false, false, false),
        ("CARGO_TERM_QUIET", "-v", true, true, true),
    ] {
        let flags: Vec<&str> = flags.split_whitespace().collect();
        let mut command = run(&package, &flags)?;
        command
            .env_remove("CARGO_TERM_QUIET")
            .env_remove("CARGO_TERM_VERBOSE");
        if !set.is_empty() {
            command.env(set, "true");
        }
        let mut terminal = Terminal::start(&command, 200, 30)?;
        terminal.type_line("x")?;
        terminal.expect("first: x 7\n")?;
        // An error is told in any case, and all that came before it by then.
        package.edit("src/main.rs", "\"first\"", "\"second\"")?;
        if swapped {
            terminal.expect(" ms (version 1; ")?;
        }
        package.edit("src/main.rs", "Held(7)", "Held(x)")?;
        terminal.expect("; the program runs on\n")?;
        let written = terminal.written();
        let told = |word: &str| written.contains(&format!("{word}\u{1b}[0m "));
        ensure!(told("Phases") == phases, "{set} {flags:?}:\n{written}");
        ensure!(told("Swapped") == swapped, "{set} {flags:?}:\n{written}");
        ensure!(told("Running") == running, "{set} {flags:?}:\n{written}");
        terminal.type_keys(END)?;
        terminal.end()?;
        package.edit("src/main.rs", "Held(x)", "Held(7)")?;
        package.edit("src/main.rs", "\"second\"", "\"first\"")?;
    }
    Ok(())
}
