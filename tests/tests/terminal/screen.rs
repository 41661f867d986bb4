//! Programs that draw on the terminal: their screen is theirs.

use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};
use hotswap_tests::{hotswap_verb, terminal::END};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::inotify,
};

use super::program::{on_terminal, package, run_folders};

#[test]
fn a_raw_terminal_is_left_alone() -> Result<()> {
    let package = package("raw")?;
    let mut terminal = on_terminal(&package, &[])?;
    terminal.type_line("raw")?;
    terminal.expect("first: raw 7\n")?;
    ensure!(terminal.is_raw()?);
    let before = terminal.screen();

    let folder = run_folders(&package, terminal.pid())?.concat();
    let target = package
        .shared_target()?
        .context("the target folder is shared")?;
    let folder = target.join("hotswap").join(folder);
    let log = folder.join("log");
    // What the tool does shows in the log alone.
    let logged = |words: &str| -> Result<()> {
        let text = await_text(&folder, &log, words)?;
        ensure!(!text.contains('\u{1b}'), "the log has colours");
        Ok(())
    };
    package.edit("src/main.rs", "\"first\"", "\"second\"")?;
    logged("Swapped src/main.rs")?;
    package.edit("src/main.rs", "word = \"second\"", "word: &str = 3")?;
    logged("; the program runs on")?;
    package.edit("src/main.rs", "word: &str = 3", "word = \"third\"")?;
    logged("(version 2; answer)")?;
    package.edit("src/main.rs", "struct Held(u32)", "struct Held(u64)")?;
    logged("= help: ")?;
    terminal.type_line("x")?;
    terminal.expect("third: x 7\n")?;
    ensure!(
        terminal.screen() == format!("{before}\nthird: x 7"),
        "{}",
        terminal.screen()
    );

    // Once the program has given the terminal back, it is told.
    terminal.type_line("sane")?;
    terminal.expect("third: sane 7\n")?;
    package.edit("src/main.rs", "struct Held(u64)", "struct Held(u32)")?;
    let told = terminal.expect("Unchanged src/main.rs")?;
    ensure!(told.contains("HELD` can't go live"), "{told}");
    let line = "2 swaps (version 2), one error since mended while the program had the screen";
    ensure!(told.contains(line), "{told}");
    ensure!(told.contains(&*log.to_string_lossy()), "{told}");
    ensure!(!told.contains("the program runs on\n"), "{told}");

    terminal.type_keys(END)?;
    ensure!(terminal.end()? == 0);
    ensure!(!log.exists(), "the log is left");
    Ok(())
}

/// Waits until a file contains these words.
fn await_text(folder: &Path, file: &Path, words: &str) -> Result<String> {
    let watch = inotify::init(inotify::CreateFlags::CLOEXEC)?;
    let changes = inotify::WatchFlags::CREATE | inotify::WatchFlags::MODIFY;
    inotify::add_watch(&watch, folder, changes)?;
    loop {
        let text = fs::read_to_string(file).unwrap_or_default();
        if text.contains(words) {
            return Ok(text);
        }
        let ready = poll(
            &mut [PollFd::new(&watch, PollFlags::IN)],
            Some(&Timespec {
                tv_sec: 60,
                tv_nsec: 0,
            }),
        )?;
        ensure!(ready > 0, "{words:?} was not logged:\n{text}");
        rustix::io::read(&watch, &mut [0; 4096])?;
    }
}

#[test]
fn a_program_that_is_killed_leaves_a_sane_terminal() -> Result<()> {
    let package = package("killed")?;
    let mut terminal = on_terminal(&package, &[])?;
    terminal.type_line("raw")?;
    terminal.expect("first: raw 7\n")?;
    terminal.type_line("full-screen")?;
    terminal.shows(|screen| screen.starts_with("a picture"))?;
    terminal.type_line("raise 9")?;
    terminal.expect("settings are again what they were before\n")?;
    ensure!(!terminal.is_raw()?);
    // Nor is it left on the second screen, where its last picture stands.
    let screen = terminal.screen();
    ensure!(!screen.contains("picture"), "{screen}");
    ensure!(terminal.end()? == -9);
    Ok(())
}

#[test]
fn a_restart_takes_a_full_screen_program_off_the_screen() -> Result<()> {
    let package = package("restarted-raw")?;
    let mut terminal = on_terminal(&package, &[])?;
    terminal.type_line("raw")?;
    terminal.expect("first: raw 7\n")?;
    terminal.type_line("full-screen")?;
    terminal.shows(|screen| screen.starts_with("a picture"))?;
    let tool = terminal.pid().to_string();
    let restarted = hotswap_verb(&package, &["restart", "--pid", &tool])?.status()?;
    ensure!(restarted.success());
    let screen = terminal.shows(|screen| screen.matches("Watching").count() == 2)?;
    ensure!(!screen.contains("picture"), "{screen}");
    // Who asked for it wants to hear nothing of it.
    ensure!(!screen.contains("settings"), "{screen}");
    terminal.type_line("raise 9")?;
    ensure!(terminal.end()? == -9);
    Ok(())
}

#[test]
fn what_a_program_leaves_by_itself_is_its_own() -> Result<()> {
    let package = package("left-raw")?;
    let mut terminal = on_terminal(&package, &[])?;
    terminal.type_line("raw")?;
    terminal.expect("first: raw 7\n")?;
    terminal.type_line("exit 3")?;
    ensure!(terminal.end()? == 3);
    ensure!(
        !terminal.written().contains("settings"),
        "{}",
        terminal.written()
    );
    Ok(())
}
