//! Balls in a box, on the terminal: a program of several library crates.
//!
//! Start it with `cargo hotswap run -p arena`, throw balls in with the space bar, and edit the
//! look in `draw`, the physics in `rules` or the summary in `world`: the next frame is new, and
//! the balls are where they were. Give `Ball` in `world` another field, and all of them get it between
//! two frames. What the tool has to say while the screen is the program's is
//! shown by `cargo hotswap status --follow` in another terminal.

use std::{
    io,
    time::{Duration, Instant},
};

use ratatui::{
    DefaultTerminal,
    crossterm::event::{self, Event, KeyCode, KeyEventKind},
};

/// Time from one frame to the next.
const FRAME: Duration = Duration::from_millis(40);

fn main() -> io::Result<()> {
    ratatui::run(play)
}

/// Runs until the end of the program, and so is never replaced: it asks the current version for
/// each step, each frame and each key. The world is in a cell, as what this function held would
/// have to stay as it is.
fn play(terminal: &mut DefaultTerminal) -> io::Result<()> {
    let mut next = Instant::now() + FRAME;
    loop {
        terminal.draw(arena_draw::frame)?;
        while event::poll(next.saturating_duration_since(Instant::now()))? {
            if !heed(&event::read()?) {
                return Ok(());
            }
        }
        next += FRAME;
        arena_rules::step(FRAME.as_secs_f64());
    }
}

/// Takes an event of the terminal; `false` ends the program.
fn heed(event: &Event) -> bool {
    let Event::Key(pressed) = event else {
        return true;
    };
    match pressed.code {
        KeyCode::Char(key) if pressed.kind == KeyEventKind::Press => arena_rules::key(key),
        _ => true,
    }
}
