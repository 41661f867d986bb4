//! bevy: systems of a schedule that was built once.

use std::fs;

use anyhow::{Context, Result, ensure};
use hotswap_tests::{Package, Session};

use super::{end, line_that, live};

const MEADOW: &str = "examples/with-bevy/src/meadow.rs";

/// The number after a word of a report.
fn number(line: &str, word: &str) -> Result<u32> {
    let rest = line.split(word).nth(1).context("the word is missing")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().with_context(|| line.to_owned())
}

#[test]
fn bevy_keeps_its_world() -> Result<()> {
    let package = Package::of_example("with-bevy")?;
    let mut session = Session::run(&package, &["-p", "with-bevy"])?;
    // Once there is a lamb, the world is not the one that the program began with.
    let before = line_that(&mut session, |line| !line.contains(": 2 sheep"))?;
    package.edit(
        MEADOW,
        "frame {}: {count} sheep",
        "frame {} has {count} sheep",
    )?;
    live(&mut session)?;
    let after = line_that(&mut session, |line| line.contains(" has "))?;
    let frames = [number(&before, "frame ")?, number(&after, "frame ")?];
    ensure!(frames[0] < frames[1], "{before}\n{after}");
    ensure!(number(&after, " has ")? > 2, "{after}");
    // Snow: all grass is gone, and with it, in time, the sheep.
    package.edit(MEADOW, "(grass.0 + 3.0).min(100.0)", "0.0")?;
    live(&mut session)?;
    line_that(&mut session, |line| {
        line.ends_with("0 sheep, 0 grass, strongest: none")
    })?;
    // What is in the world has the layout that it was given: more fields are refused.
    let text = fs::read_to_string(package.root.join(MEADOW))?;
    let text = text.replace("energy: f32", "energy: f32, age: u32");
    let text = text.replace("energy: 10.0", "energy: 10.0, age: 1");
    let text = text.replace("energy: 5.0", "energy: 5.0, age: 0");
    package.write(MEADOW, text.as_bytes())?;
    session.await_event("refused", &["meadow::Sheep".to_owned(), "age".to_owned()])?;
    line_that(&mut session, |line| line.contains("has 0 sheep"))?;
    end(session)
}
