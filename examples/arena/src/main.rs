//! Balls in a box, on the terminal: a program of several library crates.
//!
//! Start it with `cargo hotswap run -p arena`, throw balls in with the space bar, and edit the
//! look in `draw`, the physics in `rules` or the summary in `world`: the next frame is new, and
//! the balls are where they were. What the tool has to say while the screen is the program's is
//! shown by `cargo hotswap status --follow` in another terminal.

use std::{
    io,
    time::{Duration, Instant},
};

use arena_world::World;
use ratatui::{
    DefaultTerminal,
    crossterm::event::{self, Event, KeyCode, KeyEventKind},
};

/// Time from one frame to the next.
const FRAME: Duration = Duration::from_millis(40);

fn main() -> io::Result<()> {
    ratatui::run(play)
}

/// Runs until the end of the program, and so is never replaced: it holds the world, and asks
/// the current version for each step, each frame and each key.
fn play(terminal: &mut DefaultTerminal) -> io::Result<()> {
    let mut world = World::new(100.0, 40.0);
    let mut next = Instant::now() + FRAME;
    loop {
        terminal.draw(|frame| arena_draw::frame(frame, &world))?;
        while event::poll(next.saturating_duration_since(Instant::now()))? {
            if !heed(&mut world, &event::read()?) {
                return Ok(());
            }
        }
        next += FRAME;
        arena_rules::step(&mut world, FRAME.as_secs_f64());
    }
}

/// Takes an event of the terminal; `false` ends the program.
fn heed(world: &mut World, event: &Event) -> bool {
    let Event::Key(pressed) = event else {
        return true;
    };
    match pressed.code {
        KeyCode::Char(key) if pressed.kind == KeyEventKind::Press => arena_rules::key(world, key),
        _ => true,
    }
}
