//! The program that runs on the terminal, and ways to start it.

use std::process::Command;

use anyhow::Result;
use hotswap_tests::{Package, Terminal, hotswap};

/// Reads lines, in raw mode too, and does what they say.
pub const SOURCE: &str = r#"
use std::io::{Read, Write};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

static COUNTS: [AtomicU32; 32] = [const { AtomicU32::new(0) }; 32];

struct Held(u32);

static HELD: std::sync::Mutex<Held> = std::sync::Mutex::new(Held(7));

unsafe extern "C" {
    fn signal(number: i32, handler: usize) -> usize;
    fn raise(number: i32) -> i32;
}

extern "C" fn count(number: i32) {
    COUNTS[number as usize].fetch_add(1, SeqCst);
}

fn counted(number: i32) -> u32 {
    COUNTS[number as usize].load(SeqCst)
}

fn stty(words: &[&str]) {
    Command::new("stty").args(words).status().unwrap();
}

#[hotswap::entry]
fn answer(line: &str) -> String {
    let word = "first";
    match line.split_once(' ').unwrap_or((line, "")) {
        ("raw", _) => stty(&["raw", "-echo"]),
        ("sane", _) => stty(&["sane"]),
        ("full-screen", _) => print!("\x1b[?1049h\x1b[?25l\x1b[2J\x1b[1;1Ha picture"),
        ("handle", number) => unsafe {
            signal(number.parse().unwrap(), count as *const () as usize);
        },
        ("count", number) => return format!("{} times", counted(number.parse().unwrap())),
        ("raise", number) => unsafe {
            raise(number.parse().unwrap());
        },
        ("env", _) => return environment(),
        ("exit", code) => std::process::exit(code.parse().unwrap()),
        ("stay", _) => {
            println!("staying");
            loop {
                std::thread::park();
            }
        }
        _ => {}
    }
    format!("{word}: {line} {}", HELD.lock().unwrap().0)
}

fn environment() -> String {
    let set = |name: &str| {
        let cargos = name.starts_with("CARGO") && !name.starts_with("CARGO_TARGET");
        cargos || name.starts_with("MY_") || name == "LD_LIBRARY_PATH"
    };
    let mut lines: Vec<String> = std::env::vars()
        .filter(|(name, _)| set(name))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    lines.sort();
    lines.extend(std::env::args().skip(1));
    lines.join("\n")
}

fn main() {
    let mut stdin = std::io::stdin().lock();
    let (mut line, mut byte) = (String::new(), [0]);
    loop {
        match stdin.read(&mut byte) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Ok(1) if byte[0] == b'\n' || byte[0] == b'\r' => {
                print!("{}\r\n", answer(&line));
                std::io::stdout().flush().unwrap();
                line.clear();
            }
            Ok(1) => line.push(byte[0] as char),
            Ok(_) => break,
            // The terminal is gone, and nobody reads what would be said of it.
            Err(_) => loop {
                std::thread::park();
            },
        }
    }
    print!("bye\r\n");
}
"#;

/// A package of [`SOURCE`].
pub fn package(name: &str) -> Result<Package> {
    Package::of_source(&format!("terminal-{name}"), SOURCE)
}

/// `cargo hotswap run` for people, with these flags.
pub fn run(package: &Package, flags: &[&str]) -> Result<Command> {
    let mut command = hotswap(package)?;
    command.arg("run").args(flags);
    Ok(command)
}

/// The tool on a terminal of 100 columns, with its program ready to be patched.
pub fn on_terminal(package: &Package, flags: &[&str]) -> Result<Terminal> {
    let mut terminal = Terminal::start(&run(package, flags)?, 100, 30)?;
    terminal.expect("Watching for edits (entry answer)\n")?;
    Ok(terminal)
}

/// The folders of runs that are not cleared away.
pub fn run_folders(package: &Package, pid: u32) -> Result<Vec<String>> {
    let target = package.shared_target()?.unwrap_or_default();
    let entries = std::fs::read_dir(target.join("hotswap"))?;
    let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let mut names = names.collect::<Result<Vec<_>>>()?;
    names.retain(|name| name.starts_with(&format!("run-{pid}-")));
    Ok(names)
}
