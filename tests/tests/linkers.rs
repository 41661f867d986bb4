//! Every linker that makes executables: one program, swapped and swapped back, with its state.
//!
//! A linker that is not installed is told of and left out.

use std::path::PathBuf;

use anyhow::Result;
use hotswap_tests::{Package, Profile, Session};
use libtest_mimic::Trial;

/// Statics of each kind, thread-locals in the main thread and in another, and a function and a static
/// that only the second version uses.
const MAIN: &str = r#"
use std::cell::Cell;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{LazyLock, Mutex};

static COUNT: AtomicU32 = AtomicU32::new(7);
static WORDS: LazyLock<Mutex<Vec<String>>> = LazyLock::new(Mutex::default);
static TABLE: [fn(u32) -> u32; 2] = [double, triple];

thread_local! {
    static CALLS: Cell<u32> = const { Cell::new(0) };
    static NAMES: Cell<Vec<u32>> = Cell::new(vec![100]);
}

fn double(number: u32) -> u32 {
    number * 2
}

fn triple(number: u32) -> u32 {
    number * 3
}

fn main() {
    let (ask, asked) = channel();
    let (answer, answered) = channel();
    std::thread::spawn(move || serve(asked, answer));
    for line in io::stdin().lines() {
        let own = step("main");
        ask.send(line.unwrap()).unwrap();
        println!("{own} | {}", answered.recv().unwrap());
    }
}

fn serve(asked: Receiver<String>, answer: Sender<String>) {
    for _ in asked {
        answer.send(step("other")).unwrap();
    }
}

#[hotswap::entry]
fn step(thread: &str) -> String {
    CALLS.set(CALLS.get() + 1);
    let mut names = NAMES.take();
    names.push(CALLS.get());
    let sum: u32 = names.iter().sum();
    NAMES.set(names);
    let mut words = WORDS.lock().unwrap();
    if thread == "main" {
        COUNT.fetch_add(1, Relaxed);
        words.push(thread.to_owned());
    }
    let table = TABLE[0](COUNT.load(Relaxed));
    format!("{thread} one: {} {sum} {table}", CALLS.get())
}
"#;

/// What the second version has instead: a static more, and another function of the table.
const EDITS: [(&str, &str); 3] = [
    ("TABLE[0]", "TABLE[1]"),
    ("one: {}", "two {} {}: {}"),
    (
        "table}\", ",
        "table}\", words.len(), MORE.fetch_add(1, Relaxed), ",
    ),
];
const MORE: &str = "static MORE: AtomicU32 = AtomicU32::new(40);\n";

/// The linkers, with the program where it is not rustc's own.
const LINKERS: [(&str, Option<&str>); 5] = [
    ("rust-lld", None),
    ("bfd", Some("ld.bfd")),
    ("lld", Some("ld.lld")),
    ("mold", Some("mold")),
    ("wild", Some("wild")),
];

/// A test for each linker that is installed, and each that is refused.
pub fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for (name, program) in LINKERS {
        let path = program.map(find);
        if let (Some(program), Some(None)) = (program, &path) {
            eprintln!("{program} is not installed: executables linked by {name} are not tested");
            continue;
        }
        let profiles: &[_] = match name {
            // What is optimised is linked the same way by its kin.
            "lld" | "mold" => &[Profile::Dev],
            _ => &[Profile::Dev, Profile::Release],
        };
        for &profile in profiles {
            let case = format!("linker-{name}::{profile:?}").to_lowercase();
            let path = path.clone().flatten();
            trials.push(trial(case, move |package| {
                package.profile = profile;
                if let Some(path) = path {
                    link_by(package, &format!("exec '{}' \"$@\"", path.display()))?;
                }
                swaps(package)
            }));
        }
    }
    trials.push(trial("linker-script-refused".to_owned(), refuses_script));
    let of_build = "linker-script-of-build-refused".to_owned();
    trials.push(trial(of_build, refuses_script_of_build));
    match find("ld.gold") {
        Some(_) => trials.push(trial("linker-gold-refused".to_owned(), |package| {
            refuses(package, "-Clink-arg=-fuse-ld=gold", "GNU gold")
        })),
        None => eprintln!("ld.gold is not installed: that it is refused is not tested"),
    }
    trials
}

fn trial(case: String, check: impl FnOnce(&mut Package) -> Result<()> + Send + 'static) -> Trial {
    let package = case.replace("::", "-");
    Trial::test(case, move || {
        let mut package = Package::of_source(&package, MAIN)?;
        check(&mut package).map_err(|error| format!("{error:#}").into())
    })
}

/// A program on the search path.
fn find(program: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}

/// Has the executable linked by this line of a script. The build script names it, so that all else is
/// compiled once for all linkers: compilers look for the `ld.bfd` that they are told to take in the
/// folders that they are given.
fn link_by(package: &Package, line: &str) -> Result<()> {
    let folder = package.root.join("linker");
    package.write("linker/ld.bfd", format!("#!/bin/sh\n{line}\n").as_bytes())?;
    let flags = [format!("-B{}", folder.display()), "-fuse-ld=bfd".to_owned()];
    let lines = flags.map(|flag| format!("println!(\"cargo::rustc-link-arg={flag}\");"));
    let build = format!("fn main() {{\n{}\n}}\n", lines.join("\n"));
    package.write("build.rs", build.as_bytes())
}

/// There and back and there again, with the state of every kind carried on.
fn swaps(package: &Package) -> Result<()> {
    let mut second = EDITS
        .iter()
        .fold(MAIN.to_owned(), |text, (from, to)| text.replace(from, to));
    second.push_str(MORE);
    let mut session = Session::run(package, &[])?;
    session.ask("x", "main one: 1 101 16 | other one: 1 101 16")?;
    for (text, answer) in [
        (
            &*second,
            "main two 2 40: 2 103 27 | other two 2 41: 2 103 27",
        ),
        (MAIN, "main one: 3 106 20 | other one: 3 106 20"),
        (
            &*second,
            "main two 4 42: 4 110 33 | other two 4 43: 4 110 33",
        ),
    ] {
        package.write("src/main.rs", text.as_bytes())?;
        session.await_swapped()?;
        session.ask("x", answer)?;
    }
    session.quit()
}

/// Cargo's configuration names a linker that is not known.
fn refuses(package: &mut Package, flags: &str, name: &str) -> Result<()> {
    package.env.push(("RUSTFLAGS".to_owned(), flags.to_owned()));
    let mut session = Session::start(package, &[])?;
    let event = session.await_event("refused", &[name.to_owned()])?;
    let text = event.to_string();
    for part in ["links with", "= why: ", "= help: "] {
        session.ensure(text.contains(part), || format!("{text} lacks {part:?}"))?;
    }
    session.exits(1)
}

fn refuses_script(package: &mut Package) -> Result<()> {
    package.write("link.sh", b"#!/bin/sh\necho strange 1.0\n")?;
    let script = package.root.join("link.sh");
    refuses(
        package,
        &format!("-Clinker={}", script.display()),
        "strange 1.0",
    )
}

/// Nobody but the wrapper of the compiler sees what a build script says.
fn refuses_script_of_build(package: &mut Package) -> Result<()> {
    link_by(package, "echo strange 1.0")?;
    let mut session = Session::start(package, &[])?;
    session.expect_stderr("links with strange 1.0")?;
    session.expect_stderr("= why: ")?;
    session.await_event("compile-error", &[])?;
    session.exits(101)
}
